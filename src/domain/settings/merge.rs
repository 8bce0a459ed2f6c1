//! Two windows share one settings file: what one of them changed is taken over, what it did not know stays.

use std::collections::BTreeMap;

use super::{BenchForms, Care, PairVotes, PlaygroundForm, Settings};
use crate::domain::environment::{EnvId, Environment};

impl Settings {
    /// What is to be in the file: `theirs`, that is there now, with what a window changed from `base`, that it knew,
    /// to `mine`. Where both changed the same, it is `mine`; votes add up.
    #[must_use]
    pub fn merged(base: &Self, mine: &Self, theirs: &Self) -> Self {
        let forms = |base: Option<&BenchForms>, mine: &BenchForms, theirs: &BenchForms| {
            let nothing = BenchForms::default();
            let base = base.unwrap_or(&nothing);
            let name = |(name, _): &(String, _)| name.clone();
            BenchForms {
                last: pick(&base.last, &mine.last, &theirs.last),
                presets: list(&base.presets, &mine.presets, &theirs.presets, name, either),
            }
        };
        Self {
            theme: pick(&base.theme, &mine.theme, &theirs.theme),
            selected: pick(&base.selected, &mine.selected, &theirs.selected),
            environments: list(
                &base.environments,
                &mine.environments,
                &theirs.environments,
                |env| env.id.clone(),
                environment,
            ),
            benches: map(&base.benches, &mine.benches, &theirs.benches, forms),
            history: pick(&base.history, &mine.history, &theirs.history),
            votes: list(
                &base.votes,
                &mine.votes,
                &theirs.votes,
                |pair| (pair.one.clone(), pair.other.clone()),
                votes,
            ),
            playgrounds: Self::playgrounds(base, mine, theirs),
            care: Care {
                notify: pick(&base.care.notify, &mine.care.notify, &theirs.care.notify),
                probe_minutes: map(
                    &base.care.probe_minutes,
                    &mine.care.probe_minutes,
                    &theirs.care.probe_minutes,
                    either,
                ),
            },
        }
    }

    /// These are written by themselves, and what the file has is never older: `mine` adds what nobody knew, and takes
    /// along what it deletes.
    fn playgrounds(base: &Self, mine: &Self, theirs: &Self) -> BTreeMap<EnvId, PlaygroundForm> {
        let mut all = theirs.playgrounds.clone();
        all.retain(|env, _| mine.get(env).is_some() || base.get(env).is_none());
        for (env, form) in &mine.playgrounds {
            if !base.playgrounds.contains_key(env) {
                all.entry(env.clone()).or_insert_with(|| form.clone());
            }
        }
        all
    }
}

/// What was not changed here is as it is there.
fn pick<T: PartialEq + Clone>(base: &T, mine: &T, theirs: &T) -> T {
    if mine == base {
        theirs.clone()
    } else {
        mine.clone()
    }
}

/// The same for what both have, which may be new to both.
fn either<T: PartialEq + Clone>(base: Option<&T>, mine: &T, theirs: &T) -> T {
    if base == Some(mine) {
        theirs.clone()
    } else {
        mine.clone()
    }
}

/// Field by field: who changes an address in one window means neither to undo nor to forget the key of the other.
fn environment(
    base: Option<&Environment>,
    mine: &Environment,
    theirs: &Environment,
) -> Environment {
    let Some(base) = base else {
        return mine.clone();
    };
    Environment {
        id: mine.id.clone(),
        name: pick(&base.name, &mine.name, &theirs.name),
        demo: mine.demo,
        api: pick(&base.api, &mine.api, &theirs.api),
        key: pick(&base.key, &mine.key, &theirs.key),
        key_header: pick(&base.key_header, &mine.key_header, &theirs.key_header),
        extras: pick(&base.extras, &mine.extras, &theirs.extras),
        ca_file: pick(&base.ca_file, &mine.ca_file, &theirs.ca_file),
        accept_invalid_certs: pick(
            &base.accept_invalid_certs,
            &mine.accept_invalid_certs,
            &theirs.accept_invalid_certs,
        ),
        client_cert: pick(&base.client_cert, &mine.client_cert, &theirs.client_cert),
        client_key: pick(&base.client_key, &mine.client_key, &theirs.client_key),
        cluster: pick(&base.cluster, &mine.cluster, &theirs.cluster),
    }
}

fn votes(base: Option<&PairVotes>, mine: &PairVotes, theirs: &PairVotes) -> PairVotes {
    let sum = |count: fn(&PairVotes) -> u32| {
        let more = count(mine).saturating_sub(base.map_or(0, count));
        count(theirs).saturating_add(more)
    };
    PairVotes {
        wins: sum(|pair| pair.wins),
        losses: sum(|pair| pair.losses),
        ties: sum(|pair| pair.ties),
        ..mine.clone()
    }
}

/// In their order, then what is new of mine. What either took away is gone.
fn list<T: PartialEq + Clone, K: PartialEq>(
    base: &[T],
    mine: &[T],
    theirs: &[T],
    key: impl Fn(&T) -> K,
    both: impl Fn(Option<&T>, &T, &T) -> T,
) -> Vec<T> {
    let find = |all: &[T], of: &T| all.iter().position(|it| key(it) == key(of));
    let kept = theirs
        .iter()
        .filter_map(|it| match (find(base, it), find(mine, it)) {
            (at, Some(own)) => Some(both(at.map(|at| &base[at]), &mine[own], it)),
            (Some(_), None) => None,
            (None, None) => Some(it.clone()),
        });
    let added = mine
        .iter()
        .filter(|it| find(theirs, it).is_none() && !base.contains(it))
        .cloned();
    kept.chain(added).collect()
}

fn map<K: Ord + Clone, V: PartialEq + Clone>(
    base: &BTreeMap<K, V>,
    mine: &BTreeMap<K, V>,
    theirs: &BTreeMap<K, V>,
    both: impl Fn(Option<&V>, &V, &V) -> V,
) -> BTreeMap<K, V> {
    let kept = theirs
        .iter()
        .filter_map(|(key, it)| match (base.get(key), mine.get(key)) {
            (base, Some(mine)) => Some((key.clone(), both(base, mine, it))),
            (Some(_), None) => None,
            (None, None) => Some((key.clone(), it.clone())),
        });
    let new = |(key, it): &(&K, &V)| !theirs.contains_key(*key) && base.get(*key) != Some(*it);
    let added = mine
        .iter()
        .filter(new)
        .map(|(key, it)| (key.clone(), it.clone()));
    kept.chain(added).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::{ApiAddress, KeyPlace};
    use crate::domain::plan::Plan;
    use crate::domain::settings::ThemeChoice;

    fn env(id: &str) -> Environment {
        let api = ApiAddress::parse("a.example").ok();
        Environment {
            api,
            ..Environment::blank(EnvId(id.to_owned()), id)
        }
    }

    fn with(envs: &[&str]) -> Settings {
        let mut settings = Settings::default();
        settings.environments.extend(envs.iter().map(|id| env(id)));
        settings
    }

    fn names(settings: &Settings) -> Vec<&str> {
        settings
            .environments
            .iter()
            .map(|env| env.name.as_str())
            .collect()
    }

    #[test]
    fn what_one_window_did_not_change_stays_as_the_other_left_it() {
        let base = with(&["a", "b"]);
        let mut theirs = base.clone();
        theirs.theme = ThemeChoice::Light;
        theirs.environments[1].key = KeyPlace::Keychain;
        theirs.environments.retain(|env| env.name != "b");
        theirs.environments.push(env("c"));
        theirs.care.probe_minutes.insert(EnvId("a".to_owned()), 5);
        let mut mine = base.clone();
        assert_eq!(Settings::merged(&base, &mine, &theirs), theirs);
        mine.environments[1].name = "renamed".to_owned();
        mine.care.notify = true;
        mine.environments.push(env("d"));
        let both = Settings::merged(&base, &mine, &theirs);
        assert_eq!(names(&both), ["Demo", "renamed", "c", "d"]);
        assert_eq!(
            (both.environments[1].key.clone(), both.theme),
            (KeyPlace::Keychain, ThemeChoice::Light)
        );
        assert!(both.care.notify && both.care.probe_minutes.len() == 1);
        // Changed here and deleted there: whoever still works on it keeps it.
        mine.environments[2].name = "mine".to_owned();
        assert_eq!(
            names(&Settings::merged(&base, &mine, &theirs)),
            ["Demo", "renamed", "c", "mine", "d"]
        );
        // Deleted here.
        mine.environments.retain(|env| env.id.0 != "a");
        assert!(!names(&Settings::merged(&base, &mine, &theirs)).contains(&"a"));
    }

    #[test]
    fn votes_of_both_windows_add_up() {
        let mut base = Settings::default();
        PairVotes::count(&mut base.votes, ("a", "b"), Some("a"));
        let (mut mine, mut theirs) = (base.clone(), base.clone());
        PairVotes::count(&mut mine.votes, ("a", "b"), Some("a"));
        PairVotes::count(&mut mine.votes, ("a", "c"), None);
        PairVotes::count(&mut theirs.votes, ("a", "b"), Some("b"));
        PairVotes::count(&mut theirs.votes, ("a", "c"), None);
        let votes = Settings::merged(&base, &mine, &theirs).votes;
        let counts: Vec<_> = votes
            .iter()
            .map(|pair| (pair.wins, pair.losses, pair.ties))
            .collect();
        assert_eq!(counts, [(2, 1, 0), (0, 0, 2)]);
    }

    #[test]
    fn presets_and_drafts_of_both_windows_are_kept() {
        let base = Settings::default();
        let preset = |name: &str, seed: u64| {
            let mut settings = base.clone();
            let plan = Plan {
                seed: Some(seed),
                ..Plan::default()
            };
            let forms = BenchForms {
                last: Some(plan.clone()),
                presets: vec![(name.to_owned(), plan)],
            };
            settings.benches.insert(EnvId::demo(), forms);
            let form = PlaygroundForm {
                draft: name.to_owned(),
                ..PlaygroundForm::default()
            };
            settings.playgrounds.insert(EnvId(name.to_owned()), form);
            settings
        };
        let both = Settings::merged(&base, &preset("one", 1), &preset("two", 2));
        let forms = &both.benches[&EnvId::demo()];
        let names: Vec<&str> = forms
            .presets
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(
            (names.as_slice(), forms.last.as_ref().map(|plan| plan.seed)),
            (["two", "one"].as_slice(), Some(Some(1)))
        );
        assert_eq!(both.playgrounds.len(), 2);
    }

    #[test]
    fn what_was_typed_while_a_save_waited_stays() {
        let typed = |draft: &str| {
            let mut settings = Settings::default();
            let form = PlaygroundForm {
                draft: draft.to_owned(),
                ..PlaygroundForm::default()
            };
            settings.playgrounds.insert(EnvId::demo(), form);
            settings
        };
        let (before, now) = (typed("before the key was asked for"), typed("since"));
        assert_eq!(
            Settings::merged(&now, &before, &now).playgrounds,
            now.playgrounds
        );
        assert_eq!(
            Settings::merged(&now, &Settings::default(), &now).playgrounds,
            now.playgrounds
        );
    }
}

//! Two windows share one settings file: what one of them changed is taken over, what it did not know stays.

use std::collections::BTreeMap;

use super::{Care, Settings};
use crate::domain::environment::Environment;

impl Settings {
    /// What is to be in the file: `theirs`, that is there now, with what a window changed from `base`, that it knew,
    /// to `mine`. Where both changed the same, it is `mine`.
    #[must_use]
    pub fn merged(base: &Self, mine: &Self, theirs: &Self) -> Self {
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
            history: pick(&base.history, &mine.history, &theirs.history),
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
    use crate::domain::environment::{ApiAddress, EnvId, KeyPlace};
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
}

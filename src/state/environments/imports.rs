//! Environments of a file that somebody brought, before they are added.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Environments;
use crate::domain::environment::{Environment, KeyPlace};
use crate::domain::failure::Failure;
use crate::protocol::{Command, EnvOffers, JobId, KeyChange, LocalQuestion, Question};
use crate::state::Loadable;
use crate::state::jobs::Outbox;
use crate::state::notices::Notices;

/// The import as it is looked at.
#[derive(Debug, Default)]
pub struct EnvImport {
    /// The file's path as it is typed.
    pub path: String,
    /// What could be added.
    pub offers: Loadable<Arc<EnvOffers>>,
    /// What is to be added, in the order of the offers; empty before they came.
    pub ticked: Vec<bool>,
}

/// One thing that the import asks for.
#[derive(Debug)]
pub enum ImportAction {
    /// Open it.
    Begin,
    /// The file's path was typed.
    Path(String),
    /// Read this file.
    Read(PathBuf),
    /// Add the offer at this place, or not.
    Tick(usize, bool),
    /// Add what is ticked.
    Add,
    /// Add nothing.
    Close,
}

impl Environments {
    /// Does what the import asks for.
    pub(in crate::state) fn act_on_import(
        &mut self,
        action: ImportAction,
        notices: &mut Notices,
        outbox: &mut Outbox<'_>,
    ) {
        match (action, &mut self.import) {
            (ImportAction::Begin, import) => *import = Some(EnvImport::default()),
            (ImportAction::Path(path), Some(import)) => import.path = path,
            (ImportAction::Tick(at, on), Some(import)) => {
                import
                    .ticked
                    .get_mut(at)
                    .into_iter()
                    .for_each(|it| *it = on);
            }
            (ImportAction::Path(_) | ImportAction::Tick(..), None) => {}
            (ImportAction::Read(path), _) => self.read_import(path, outbox),
            (ImportAction::Add, _) => self.add_ticked(notices, outbox),
            (ImportAction::Close, _) => self.close_import(outbox),
        }
    }

    /// Reads a file and shows what could be added of it.
    fn read_import(&mut self, path: PathBuf, outbox: &mut Outbox<'_>) {
        let cluster = self.current().cluster.as_ref();
        let kubectl = cluster.and_then(|cluster| cluster.kubectl.clone());
        let mut import = EnvImport {
            path: path.display().to_string(),
            ..EnvImport::default()
        };
        self.close_import(outbox);
        let question = LocalQuestion::Environments { path, kubectl };
        import.offers.begin(outbox.ask(Question::Local(question)));
        self.import = Some(import);
    }

    /// A file was read. What is sound, beyond doubt, and has a name of its own is ticked.
    pub(in crate::state) fn import_read(
        &mut self,
        job: JobId,
        outcome: Result<Arc<EnvOffers>, Failure>,
        now: Duration,
    ) {
        let Some(import) = &mut self.import else {
            return;
        };
        import.offers.resolve(job, outcome, now);
        let Some(offers) = import.offers.value() else {
            return;
        };
        let is_good = |offer: &crate::import::environments::Offer| {
            let is_new = self.settings.by_name(&offer.env.name).is_none();
            offer.wrong.is_none() && offer.doubt.is_none() && is_new
        };
        import.ticked = offers.offers.iter().map(is_good).collect();
    }

    /// Under which name an environment would be added: its own, unless another has it.
    pub fn free_name(&self, name: &str) -> String {
        let numbered = |n: u32| {
            if n == 1 {
                name.to_owned()
            } else {
                format!("{name} {n}")
            }
        };
        let free = (1..)
            .map(numbered)
            .find(|name| self.settings.by_name(name).is_none());
        free.unwrap_or_else(|| name.to_owned())
    }

    /// A variable for the key of an environment of this name that no other reads: the usual one may hold the key
    /// of another host.
    fn own_variable(&self, name: &str) -> KeyPlace {
        let letter = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        };
        let base = format!(
            "{}_{}",
            crate::domain::environment::KEY_VARIABLE,
            name.chars().map(letter).collect::<String>()
        );
        let numbered = |n: u32| {
            if n == 1 {
                base.clone()
            } else {
                format!("{base}_{n}")
            }
        };
        let mut places = (1..).map(|n| KeyPlace::Variable(numbered(n)));
        let is_free = |place: &KeyPlace| {
            self.settings
                .environments
                .iter()
                .all(|env| env.key != *place)
        };
        places.find(is_free).unwrap_or(KeyPlace::None)
    }

    /// Adds what is ticked, with the keys: to the keychain, or for this session where there is none.
    fn add_ticked(&mut self, notices: &mut Notices, outbox: &mut Outbox<'_>) {
        let Some(EnvImport { offers, ticked, .. }) = self.import.take() else {
            return;
        };
        let Some(found) = offers.value().cloned() else {
            return;
        };
        let chosen = found
            .offers
            .iter()
            .zip(ticked)
            .filter(|(offer, on)| *on && offer.wrong.is_none());
        let (mut keys, mut added, mut for_now) = (Vec::new(), 0, Vec::new());
        for (offer, _) in chosen {
            let mut env = Environment {
                name: self.free_name(&offer.env.name),
                ..offer.env.clone()
            };
            let with_api = env.api.is_some() && env.key == KeyPlace::None && offer.key.is_some();
            if with_api || env.key == KeyPlace::Keychain {
                // Where there is no keychain a variable is the next best place.
                let in_variable = self.has_keychain == Some(false);
                env.key = if in_variable {
                    self.own_variable(&env.name)
                } else {
                    KeyPlace::Keychain
                };
            }
            if let Some(key) = offer.key.clone().filter(|_| with_api) {
                match env.key {
                    KeyPlace::Variable(ref name) => {
                        for_now.push(format!("${name}"));
                        outbox.send(Command::HoldKey {
                            env: env.id.clone(),
                            key,
                        });
                    }
                    _ => keys.push(KeyChange {
                        env: env.id.clone(),
                        key: Some(key),
                    }),
                }
            }
            self.settings.environments.push(env);
            added += 1;
        }
        if added == 0 {
            return;
        }
        // One after the other: a save takes one key.
        let changes = keys.into_iter().map(Some).chain([None]);
        changes.for_each(|key| self.save_settings_and_key(key, outbox));
        let environments = if added == 1 {
            "1 environment"
        } else {
            &format!("{added} environments")
        };
        let session = match for_now.as_slice() {
            [] => String::new(),
            names => {
                let (shown, more) = names.split_at(names.len().min(3));
                let more = if more.is_empty() {
                    String::new()
                } else {
                    format!(" and {} more", more.len())
                };
                let shown = shown.join(", ");
                format!(
                    ". Without a keychain their keys are kept until Batida ends; for later set {shown}{more}"
                )
            }
        };
        notices.tell(format!("{environments} added{session}"));
    }

    /// Nothing is to be imported.
    fn close_import(&mut self, outbox: &mut Outbox<'_>) {
        let reading = self.import.take().and_then(|import| import.offers.job());
        reading.into_iter().for_each(|job| outbox.give_up(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::EnvId;
    use crate::domain::settings::Settings;

    #[test]
    fn each_key_has_a_variable_of_its_own() {
        let mut environments = Environments::new(Settings::default());
        let mut names = Vec::new();
        for name in ["prod eu", "prod-eu", "Köln"] {
            let key = environments.own_variable(name);
            names.extend(
                matches!(&key, KeyPlace::Variable(name) if name.is_ascii()).then(|| key.clone()),
            );
            let env = Environment {
                key,
                ..Environment::blank(EnvId::fresh(), name)
            };
            environments.settings.environments.push(env);
        }
        let named = ["PROD_EU", "PROD_EU_2", "K_LN"]
            .map(|it| KeyPlace::Variable(format!("SAMBANOVA_API_KEY_{it}")));
        assert_eq!(names, named);
    }
}

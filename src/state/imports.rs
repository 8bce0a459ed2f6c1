//! Environments of a file that somebody brought, before they are added.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Loadable, Notice, State};
use crate::domain::environment::{Environment, KeyPlace};
use crate::protocol::{Command, EnvOffers, KeyChange};

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

impl State {
    /// Reads a file and shows what could be added of it.
    pub fn read_environments(&mut self, path: PathBuf, out: &mut Vec<Command>) {
        let job = self.next_job();
        let kubectl = self.env().cluster.as_ref().and_then(|cluster| cluster.kubectl.clone());
        let mut import = EnvImport { path: path.display().to_string(), ..EnvImport::default() };
        import.offers.begin(job);
        let old = self.import.replace(import);
        out.extend(old.and_then(|old| old.offers.job()).map(|job| Command::Cancel { job }));
        out.push(Command::ReadEnvironments { job, path, kubectl });
    }

    /// What is sound and has a name of its own is ticked.
    pub(super) fn environments_read(&mut self) {
        let Some(import) = &mut self.import else { return };
        let Some(offers) = import.offers.value() else { return };
        let is_good = |offer: &crate::import::environments::Offer| {
            offer.wrong.is_none() && self.settings.by_name(&offer.env.name).is_none()
        };
        import.ticked = offers.offers.iter().map(is_good).collect();
    }

    /// Under which name an environment would be added: its own, unless another has it.
    pub fn free_name(&self, name: &str) -> String {
        let numbered = |n: u32| if n == 1 { name.to_owned() } else { format!("{name} {n}") };
        let free = (1..).map(numbered).find(|name| self.settings.by_name(name).is_none());
        free.unwrap_or_else(|| name.to_owned())
    }

    /// Adds what is ticked, with the keys: to the keychain, or for this session where there is none.
    pub fn add_environments(&mut self, out: &mut Vec<Command>) {
        let Some(EnvImport { offers, ticked, .. }) = self.import.take() else { return };
        let Some(found) = offers.value().cloned() else { return };
        let chosen = found.offers.iter().zip(ticked).filter(|(offer, on)| *on && offer.wrong.is_none());
        let (mut keys, mut added, mut for_now) = (Vec::new(), 0, 0);
        for (offer, _) in chosen {
            let mut env = Environment { name: self.free_name(&offer.env.name), ..offer.env.clone() };
            let with_api = env.api.is_some() && env.key == KeyPlace::None && offer.key.is_some();
            if with_api || env.key == KeyPlace::Keychain {
                // Where there is no keychain a variable is the next best place.
                let variable = KeyPlace::Variable(crate::snippet::KEY_VARIABLE.to_owned());
                env.key = if self.has_keychain == Some(false) { variable } else { KeyPlace::Keychain };
            }
            if let Some(key) = offer.key.clone().filter(|_| with_api) {
                match env.key {
                    KeyPlace::Keychain => keys.push(KeyChange { env: env.id.clone(), key: Some(key) }),
                    _ => {
                        for_now += 1;
                        out.push(Command::HoldKey { env: env.id.clone(), key });
                    }
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
        out.extend(changes.map(|key| Command::SaveSettings { settings: self.settings.clone(), key }));
        let environments = if added == 1 { "1 environment" } else { &format!("{added} environments") };
        let session = match for_now {
            0 => String::new(),
            _ => format!(
                ". Without a keychain their keys are kept until Batida ends; set ${}",
                crate::snippet::KEY_VARIABLE
            ),
        };
        self.notices.push(Notice { failure: None, text: format!("{environments} added{session}") });
    }

    /// Nothing is to be imported.
    pub fn close_import(&mut self, out: &mut Vec<Command>) {
        let import = self.import.take();
        out.extend(import.and_then(|import| import.offers.job()).map(|job| Command::Cancel { job }));
    }
}

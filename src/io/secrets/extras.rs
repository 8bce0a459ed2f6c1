//! The secret values of extra headers and query parameters. They are stored like the environment's key: in the settings
//! file, the system's keychain or an environment variable.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::{KeyError, Keys, variable};
use crate::domain::environment::{EnvId, Environment, Extra, ExtraValue, KeyPlace, check_value};
use crate::domain::failure::Failure;
use crate::domain::settings::Settings;
use crate::io::settings::SecretId;

/// Values by [`Extra::slot`].
pub type ExtraSecrets = BTreeMap<String, SecretString>;

/// The extras whose values Batida stores.
fn kept(env: &Environment) -> impl Iterator<Item = &Extra> {
    env.extras
        .iter()
        .filter(|extra| extra.value == ExtraValue::Kept)
}

fn in_file(env: &Environment) -> bool {
    env.key == KeyPlace::SettingsFile
}

impl Keys {
    /// The environment's secret extra values.
    ///
    /// # Errors
    /// When a value is missing or not valid.
    pub async fn find_extras(&self, env: &Environment) -> Result<ExtraSecrets, Failure> {
        let mut found = BTreeMap::new();
        for extra in &env.extras {
            let value = match &extra.value {
                ExtraValue::Plain(_) => continue,
                ExtraValue::Variable(name) => variable(name),
                ExtraValue::Kept => {
                    let id = SecretId::of_extra(&env.id, extra);
                    match in_file(env) {
                        true => self.store.file_key(id)?,
                        false => self.read_keychain(&id).await?,
                    }
                }
            };
            let missing = || {
                let (place, advice) = match &extra.value {
                    ExtraValue::Variable(name) => (
                        format!("the environment variable {name}"),
                        format!("Set {name} before starting Batida"),
                    ),
                    _ if in_file(env) => ("the settings file".to_owned(), String::new()),
                    _ => ("the system's keychain".to_owned(), String::new()),
                };
                let advice = if advice.is_empty() {
                    "Enter it in the environment's settings".to_owned()
                } else {
                    advice
                };
                Failure::new(
                    format!("There is no value for the {} in {place}", extra.slot()),
                    advice,
                )
            };
            let value = value.ok_or_else(missing)?;
            let trimmed = value.expose_secret().trim();
            check_value(extra.kind, trimmed).map_err(|why| {
                Failure::new(
                    format!("The value of the {} cannot be sent: {why}", extra.slot()),
                    "Paste it again",
                )
            })?;
            found.insert(extra.slot(), trimmed.into());
        }
        Ok(found)
    }

    /// Holds new values until the next [`Keys::save`] stores them.
    pub fn stage_extras(&self, env: &EnvId, values: ExtraSecrets) {
        let mut staged = self.staged.lock();
        staged.extend(values.into_iter().map(|(slot, value)| {
            (
                SecretId {
                    env: env.clone(),
                    slot: Some(slot),
                },
                value,
            )
        }));
    }

    /// The environments with values that are not stored yet.
    pub fn staged_for(&self) -> Vec<EnvId> {
        let staged = self.staged.lock();
        staged.keys().map(|id| id.env.clone()).collect()
    }

    fn take_staged(&self, id: &SecretId) -> Option<SecretString> {
        self.staged.lock().remove(id)
    }

    /// Stores new values and moves those whose storage changed, before the settings are saved.
    pub(super) async fn put_extras(
        &self,
        before: Option<&Environment>,
        now: &Environment,
    ) -> Result<(), Failure> {
        for extra in kept(now) {
            let id = SecretId::of_extra(&now.id, extra);
            if let Some(value) = self.take_staged(&id) {
                self.put_extra(now, id, value).await?;
                continue;
            }
            let moved = before.filter(|before| {
                in_file(before) != in_file(now)
                    && kept(before).any(|old| old.slot() == extra.slot())
            });
            let Some(before) = moved else { continue };
            let old = match in_file(before) {
                true => self.store.file_key(id.clone())?,
                false => self.read_keychain(&id).await?,
            };
            if let Some(old) = old {
                self.put_extra(now, id, old).await?;
            }
        }
        Ok(())
    }

    async fn put_extra(
        &self,
        env: &Environment,
        id: SecretId,
        value: SecretString,
    ) -> Result<(), Failure> {
        if in_file(env) {
            return self.store.set_file_key(id, Some(value));
        }
        Ok(self.write_keychain(&id, value).await?)
    }

    /// Removes values from the keychain that the saved settings no longer use.
    pub(super) async fn forget_extras(
        &self,
        before: &BTreeMap<EnvId, Environment>,
        now: &Settings,
    ) -> Result<(), KeyError> {
        for old in before.values().filter(|env| !in_file(env)) {
            for extra in kept(old) {
                let still = now.get(&old.id).filter(|env| !in_file(env));
                if still.is_none_or(|env| kept(env).all(|it| it.slot() != extra.slot())) {
                    self.forget_in_keychain(&SecretId::of_extra(&old.id, extra))
                        .await?;
                }
            }
        }
        Ok(())
    }
}

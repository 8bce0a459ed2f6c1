//! Stores API keys in the system's keychain or the settings file, or reads them from an environment variable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::environment::{EnvId, Environment, KeyPlace};
use crate::domain::failure::Failure;
use crate::domain::pasted;
use crate::domain::settings::Settings;
use crate::domain::system::System;
use crate::io::settings::{SecretId, SettingsStore};
use crate::protocol::KeyChange;

pub use self::extras::ExtraSecrets;

mod extras;

/// The service name of Batida's keys in the keychain.
const SERVICE: &str = "batida";

/// D-Bus responds at once or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A locked keychain first asks the user for a password.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a key could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Empty or only white space.
    #[error("the API key is empty")]
    Empty,
    /// The word before a key, and no key.
    #[error("the API key is only the word Bearer")]
    OnlyScheme,
    /// Not valid in an HTTP header.
    #[error("this is not a valid API key: {0}")]
    NotAHeader(&'static str),
    /// The variable is not set, or is empty.
    #[error("the environment variable {0} has no API key")]
    VariableUnset(String),
    /// The environment's key is read from elsewhere.
    #[error("the API key cannot be stored: {0}")]
    NoPlace(String),
    /// There is no key where it should be.
    #[error("there is no API key in {0}")]
    NotThere(&'static str),
    /// There is no Secret Service, or it does not respond.
    #[error("the system's keychain is not available")]
    NoKeychain(String),
    /// The keychain is locked, and the user did not unlock it.
    #[error("the system's keychain is locked")]
    Locked(String),
    /// The time limit was reached.
    #[error("the system's keychain did not respond within {} s", .0.as_secs())]
    Slow(Duration),
    /// Any other error.
    #[error("the system's keychain failed")]
    Keychain(String),
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let elsewhere = "use an environment variable for the key";
        let mut summary = error.to_string();
        if let Some(first) = summary.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let (advice, details) = match error {
            KeyError::OnlyScheme => (
                "Give the key that belongs behind it; the word itself is not needed".to_owned(),
                String::new(),
            ),
            KeyError::Empty | KeyError::NotAHeader(_) => {
                ("Paste it again".to_owned(), String::new())
            }
            KeyError::VariableUnset(name) => (
                format!("Set {name} before starting Batida, or store the key elsewhere"),
                String::new(),
            ),
            KeyError::NoPlace(_) => (
                "Choose another storage for the key".to_owned(),
                String::new(),
            ),
            KeyError::NotThere(_) => (
                "Enter the key in the environment's settings".to_owned(),
                String::new(),
            ),
            KeyError::NoKeychain(why) => (
                format!("{}, or {elsewhere}", System::HERE.keychain_advice()),
                why,
            ),
            KeyError::Locked(why) => (format!("Unlock it and try again, or {elsewhere}"), why),
            KeyError::Slow(_) => (
                format!("Check whether it is waiting for its password, or {elsewhere}"),
                String::new(),
            ),
            KeyError::Keychain(why) => (format!("Try again, or {elsewhere}"), why),
        };
        Self::new(summary, advice).with_details(details)
    }
}

/// Checks a key and removes quotes and the like that were pasted with it: see [`pasted::strip`].
///
/// # Errors
/// When it is not valid in an `Authorization` header.
pub fn check_key(key: &SecretString) -> Result<SecretString, KeyError> {
    let (key, _) = pasted::strip(key.expose_secret());
    if key.is_empty() {
        return Err(KeyError::Empty);
    }
    if pasted::is_scheme(key) {
        return Err(KeyError::OnlyScheme);
    }
    if key.chars().any(char::is_control) {
        return Err(KeyError::NotAHeader(
            "it contains a line break or another control character",
        ));
    }
    if !key.is_ascii() {
        return Err(KeyError::NotAHeader("it contains non-ASCII characters"));
    }
    Ok(key.into())
}

/// All keys of one settings folder. Clones share the data.
#[derive(Debug, Clone)]
pub struct Keys {
    store: SettingsStore,
    /// Keys for this session only, which take precedence over a variable.
    session: Arc<Mutex<BTreeMap<EnvId, SecretString>>>,
    /// Extra values that the next save will store.
    staged: Arc<Mutex<BTreeMap<SecretId, SecretString>>>,
}

impl Keys {
    /// The keys of the environments in `store`.
    pub fn new(store: SettingsStore) -> Self {
        Self {
            store,
            session: Arc::default(),
            staged: Arc::default(),
        }
    }

    /// Keeps a key for this session, for an environment that reads its key from a variable. It takes precedence over
    /// the variable, which may hold the key of another host.
    ///
    /// # Errors
    /// When the key is not valid.
    pub fn hold(&self, env: &EnvId, key: &SecretString) -> Result<(), Failure> {
        let key = check_key(key)?;
        self.session.lock().insert(env.clone(), key);
        Ok(())
    }

    fn held(&self, env: &EnvId) -> Option<SecretString> {
        self.session.lock().get(env).cloned()
    }

    /// The settings file.
    pub fn settings_path(&self) -> &std::path::Path {
        self.store.path()
    }

    /// The environment's key; `None` if it needs none ([`KeyPlace::None`]).
    ///
    /// # Errors
    /// When the key is missing or cannot be read.
    pub async fn find(&self, env: &Environment) -> Result<Option<SecretString>, Failure> {
        Ok(self.find_noted(env).await?.map(|(key, _)| key))
    }

    /// Like [`Self::find`], with a note if characters around the key were removed, such as quotes.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn find_noted(
        &self,
        env: &Environment,
    ) -> Result<Option<(SecretString, Option<String>)>, Failure> {
        let noted = |key: &SecretString| {
            let note = pasted::strip(key.expose_secret()).1;
            Ok::<_, KeyError>(Some((check_key(key)?, note)))
        };
        let (key, place) = match &env.key {
            KeyPlace::None => return Ok(None),
            KeyPlace::Variable(name) => {
                if let Some(held) = self.held(&env.id) {
                    return Ok(Some((held, None)));
                }
                let key = variable(name).ok_or_else(|| KeyError::VariableUnset(name.clone()))?;
                let note = |(key, note): (_, Option<String>)| {
                    (key, note.map(|note| format!("{note} (in ${name})")))
                };
                return Ok(noted(&key)?.map(note));
            }
            KeyPlace::Keychain => (
                self.read_keychain(&SecretId::from(&env.id)).await?,
                "the system's keychain",
            ),
            KeyPlace::SettingsFile => (self.store.file_key(&env.id)?, "the settings file"),
        };
        Ok(noted(&key.ok_or(KeyError::NotThere(place))?)?)
    }

    /// The names of variables with secrets of the environments in the settings file.
    pub fn secret_variables(&self) -> Vec<String> {
        self.store
            .stored()
            .iter()
            .flat_map(Environment::secret_variables)
            .collect()
    }

    /// Stores a key as the environment specifies. [`Keys::save`] does this together with the settings.
    ///
    /// # Errors
    /// When the key is not valid, or cannot be stored.
    pub async fn put(&self, env: &Environment, key: &SecretString) -> Result<(), Failure> {
        let key = check_key(key)?;
        match &env.key {
            KeyPlace::Keychain => Ok(self.write_keychain(&SecretId::from(&env.id), key).await?),
            KeyPlace::SettingsFile => self.store.set_file_key(&env.id, Some(key)),
            KeyPlace::Variable(name) => {
                Err(KeyError::NoPlace(format!("it is read from ${name}")).into())
            }
            KeyPlace::None => {
                Err(KeyError::NoPlace("the environment needs no key".to_owned()).into())
            }
        }
    }

    fn drop_session_key(&self, env: &EnvId) {
        self.session.lock().remove(env);
    }

    /// Removes an environment's key from the session, the settings file and the keychain.
    ///
    /// # Errors
    /// When it could not be removed.
    pub async fn forget(&self, env: &Environment) -> Result<(), Failure> {
        self.drop_session_key(&env.id);
        self.store.set_file_key(&env.id, None)?;
        let was_there =
            |stored: &Environment| stored.id == env.id && stored.key == KeyPlace::Keychain;
        if env.key == KeyPlace::Keychain || self.store.stored().iter().any(was_there) {
            self.forget_in_keychain(&SecretId::from(&env.id)).await?;
        }
        Ok(())
    }

    /// Saves the settings and the keys. A new key is stored first, and a key whose storage changed is moved. Old copies
    /// and the keys of removed environments are deleted only after the settings are saved.
    ///
    /// # Errors
    /// When something was not saved: as much as possible is saved, and nothing is deleted. Or when an old key could not
    /// be removed from the keychain, which the summary says.
    pub async fn save(
        &self,
        settings: &Settings,
        change: Option<&KeyChange>,
    ) -> Result<(), Failure> {
        let before: BTreeMap<EnvId, Environment> = self
            .store
            .stored()
            .into_iter()
            .map(|env| (env.id.clone(), env))
            .collect();
        if let Some(KeyChange { env, key: Some(_) }) = change
            && !before.contains_key(env)
        {
            // A new key restores an environment that another window has deleted.
            self.store.make_own(env);
        }
        let mut unkept = Ok(());
        // Keys that another window has changed are neither moved nor deleted here.
        for env in self
            .store
            .merged(settings)
            .environments
            .iter()
            .filter(|env| !env.demo)
        {
            let kept = match change.filter(|change| change.env == env.id) {
                Some(KeyChange { key: Some(key), .. }) => self.put(env, key).await,
                Some(KeyChange { key: None, .. }) => Ok(()),
                None => self.move_key(before.get(&env.id), env).await,
            };
            unkept = unkept
                .and(kept)
                .and(self.put_extras(before.get(&env.id), env).await);
        }
        // Save the settings even if the keychain failed.
        let now = self.store.save(settings)?;
        unkept?;

        let forgotten = change
            .filter(|change| change.key.is_none())
            .map(|change| &change.env);
        // After a change of storage, the key there is used.
        let moved = before
            .values()
            .filter(|old| now.get(&old.id).is_none_or(|env| env.key != old.key));
        moved
            .map(|old| &old.id)
            .chain(forgotten)
            .for_each(|env| self.drop_session_key(env));
        if let Some(env) = forgotten {
            self.store.set_file_key(env, None)?;
        }
        let in_keychain = |env: &Environment| env.key == KeyPlace::Keychain;
        for old in before.values().filter(|env| in_keychain(env)) {
            let still = now.get(&old.id).is_some_and(in_keychain) && forgotten != Some(&old.id);
            if !still {
                self.forget_in_keychain(&SecretId::from(&old.id))
                    .await
                    .map_err(still_there)?;
            }
        }
        self.forget_extras(&before, &now).await.map_err(still_there)
    }

    /// Checks that the system's keychain responds.
    ///
    /// # Errors
    /// When it is not available.
    pub async fn keychain_available(&self) -> Result<(), Failure> {
        Ok(in_keychain(|| Ok(())).await?)
    }

    /// Moves an existing key to the environment's new storage.
    async fn move_key(
        &self,
        before: Option<&Environment>,
        now: &Environment,
    ) -> Result<(), Failure> {
        let keeps = |place: &KeyPlace| matches!(place, KeyPlace::Keychain | KeyPlace::SettingsFile);
        let Some(before) = before.filter(|before| before.key != now.key) else {
            return Ok(());
        };
        if !keeps(&before.key) || !keeps(&now.key) {
            return Ok(());
        }
        let old = match before.key {
            KeyPlace::Keychain => self.read_keychain(&SecretId::from(&before.id)).await?,
            _ => self.store.file_key(&before.id)?,
        };
        match old {
            Some(key) => self.put(now, &key).await,
            None => Ok(()),
        }
    }

    async fn read_keychain(&self, id: &SecretId) -> Result<Option<SecretString>, KeyError> {
        let user = self.user(id);
        in_keychain(move || match entry(&user)?.get_password() {
            Ok(key) => Ok(Some(key.into())),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(why) => Err(why),
        })
        .await
    }

    async fn write_keychain(&self, id: &SecretId, secret: SecretString) -> Result<(), KeyError> {
        let user = self.user(id);
        in_keychain(move || entry(&user)?.set_password(secret.expose_secret())).await
    }

    async fn forget_in_keychain(&self, id: &SecretId) -> Result<(), KeyError> {
        let user = self.user(id);
        in_keychain(move || match entry(&user)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(why) => Err(why),
        })
        .await
    }

    /// The user name in the keychain. It includes the settings folder, since ids are unique only within one.
    fn user(&self, SecretId { env, slot }: &SecretId) -> String {
        let slot = slot
            .as_ref()
            .map(|slot| format!(" ({slot})"))
            .unwrap_or_default();
        format!("{}{slot} in {}", env.0, self.store.identity())
    }
}

fn still_there(error: KeyError) -> Failure {
    let why = Failure::from(error);
    let summary = format!("The old API key is still in the keychain: {}", why.summary);
    Failure { summary, ..why }
}

/// The value of an environment variable; `None` if it is unset or only white space.
fn variable(name: &str) -> Option<SecretString> {
    // `var_os` panics at invalid names.
    let valid = !name.is_empty() && !name.contains(['=', '\0']);
    let value = valid
        .then(|| std::env::var_os(name))
        .flatten()?
        .to_string_lossy()
        .into_owned();
    (!value.trim().is_empty()).then(|| value.into())
}

fn entry(user: &str) -> keyring::Result<keyring::Entry> {
    keyring::Entry::new(SERVICE, user)
}

/// Runs `work` if there is a keychain. Connecting has a shorter time limit than a password prompt.
async fn in_keychain<T: Send + 'static>(
    work: impl FnOnce() -> keyring::Result<T> + Send + 'static,
) -> Result<T, KeyError> {
    let connect = || {
        keyring::Entry::store_status()
            .as_ref()
            .map_err(ToString::to_string)
    };
    with_timeout(CONNECT_TIMEOUT, connect)
        .await?
        .map_err(KeyError::NoKeychain)?;
    Ok(with_timeout(PROMPT_TIMEOUT, work).await??)
}

/// Runs `work` on its own thread: D-Bus calls block, and a prompt that is still open must not keep Batida from exiting.
async fn with_timeout<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, KeyError> {
    let (tell, told) = tokio::sync::oneshot::channel();
    thread::Builder::new()
        .name("keychain".to_owned())
        // Fails only if the receiver has timed out.
        .spawn(move || drop(tell.send(work())))
        .map_err(|why| KeyError::Keychain(why.to_string()))?;
    match tokio::time::timeout(limit, told).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(_)) => Err(KeyError::NoKeychain(
            "the thread that used it panicked".to_owned(),
        )),
        Err(_) => Err(KeyError::Slow(limit)),
    }
}

impl From<keyring::Error> for KeyError {
    fn from(error: keyring::Error) -> Self {
        match error {
            keyring::Error::NoDefaultStore => Self::NoKeychain(error.to_string()),
            keyring::Error::NoStorageAccess(why) => Self::Locked(why.to_string()),
            other => Self::Keychain(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;

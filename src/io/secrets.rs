//! Where API keys are kept: the system's keychain, an environment variable, or the settings file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::environment::{EnvId, Environment, KeyPlace};
use crate::domain::failure::Failure;
use crate::domain::pasted;
use crate::domain::settings::Settings;
use crate::io::settings::{SecretId, SettingsStore};
use crate::protocol::{KeyChange, Playgrounds};

pub use self::extras::ExtraSecrets;

mod extras;

/// What the keychain files our keys under.
const SERVICE: &str = "batida";

/// The desktop's bus answers at once or not at all.
const FOR_A_CONNECTION: Duration = Duration::from_secs(10);

/// A locked keychain asks its owner for a password first.
const FOR_A_PROMPT: Duration = Duration::from_secs(60);

/// Why there is no key, or why it could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nothing but white space.
    #[error("the API key is empty")]
    Empty,
    /// The word before a key, and no key.
    #[error("the API key is only the word Bearer")]
    OnlyScheme,
    /// It cannot stand in a header.
    #[error("this is no API key: {0}")]
    NotAHeader(&'static str),
    /// The variable is unset or empty.
    #[error("the environment variable {0} holds no API key")]
    VariableUnset(String),
    /// The environment reads its key from elsewhere, so that a typed one has no place to go.
    #[error("the API key cannot be kept: {0}")]
    NoPlace(String),
    /// The place is right and there is no key.
    #[error("there is no API key in {0}")]
    NotThere(&'static str),
    /// No Secret Service, or it does not answer us.
    #[error("the system's keychain cannot be used")]
    NoKeychain(String),
    /// The keychain is locked, and its owner said no.
    #[error("the system's keychain is locked")]
    Locked(String),
    /// It took too long.
    #[error("the system's keychain did not answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// Anything else it said.
    #[error("the system's keychain failed")]
    Keychain(String),
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let elsewhere = "keep the key in an environment variable instead";
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
                format!("Set {name} before starting Batida, or keep the key elsewhere"),
                String::new(),
            ),
            KeyError::NoPlace(_) => ("Choose another place for the key".to_owned(), String::new()),
            KeyError::NotThere(_) => (
                "Type the key in the environment's settings".to_owned(),
                String::new(),
            ),
            KeyError::NoKeychain(why) => (
                format!(
                    "Start a keychain (gnome-keyring, KWallet) and then Batida again, or {elsewhere}"
                ),
                why,
            ),
            KeyError::Locked(why) => (format!("Unlock it and try again, or {elsewhere}"), why),
            KeyError::Slow(_) => (
                format!("See whether it waits for its password, or {elsewhere}"),
                String::new(),
            ),
            KeyError::Keychain(why) => (format!("Try again, or {elsewhere}"), why),
        };
        Self::new(summary, advice).with_details(details)
    }
}

/// A typed or read key without what people paste along with it: see [`pasted::strip`].
///
/// # Errors
/// When it cannot stand in an `Authorization` header.
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
            "it has a line break or another control character in it",
        ));
    }
    if !key.is_ascii() {
        return Err(KeyError::NotAHeader("it has letters in it that no key has"));
    }
    Ok(key.into())
}

/// All keys of one settings folder. Clones share it.
#[derive(Debug, Clone)]
pub struct Keys {
    store: SettingsStore,
    /// Keys that are kept until the program ends, in place of a variable.
    session: Arc<Mutex<BTreeMap<EnvId, SecretString>>>,
    /// Extra values that were typed and wait for the next save.
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

    /// Keeps a key until the program ends, for an environment whose place is a variable. It comes before that
    /// variable, which may hold the key of another host.
    ///
    /// # Errors
    /// When it is no key.
    pub fn hold(&self, env: &EnvId, key: &SecretString) -> Result<(), Failure> {
        let key = check_key(key)?;
        self.session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(env.clone(), key);
        Ok(())
    }

    fn held(&self, env: &EnvId) -> Option<SecretString> {
        self.session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(env)
            .cloned()
    }

    /// The settings file beside which everything else of the user's is.
    pub fn settings_path(&self) -> &std::path::Path {
        self.store.path()
    }

    /// Keeps what the Playground is left as. No key is asked for or moved.
    ///
    /// # Errors
    /// As [`SettingsStore::keep_playgrounds`].
    pub fn keep_playgrounds(&self, changed: &Playgrounds) -> Result<(), Failure> {
        self.store.keep_playgrounds(changed)
    }

    /// The environment's key; `None` when it says that there is none ([`KeyPlace::None`]).
    ///
    /// # Errors
    /// When there should be one and it is not there, with what to do.
    pub async fn find(&self, env: &Environment) -> Result<Option<SecretString>, Failure> {
        Ok(self.find_noted(env).await?.map(|(key, _)| key))
    }

    /// [`Self::find`], and a note when something around the key was left out, such as quotes.
    ///
    /// # Errors
    /// The same.
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

    /// The variables that hold secrets of the environments in the settings file.
    pub fn secret_variables(&self) -> Vec<String> {
        self.store
            .stored()
            .iter()
            .flat_map(Environment::secret_variables)
            .collect()
    }

    /// Keeps a key where the environment says. [`Keys::save`] does it in step with the settings.
    ///
    /// # Errors
    /// When it is no key, or when its place does not take it.
    pub async fn put(&self, env: &Environment, key: &SecretString) -> Result<(), Failure> {
        let key = check_key(key)?;
        match &env.key {
            KeyPlace::Keychain => Ok(self.write_keychain(&SecretId::from(&env.id), key).await?),
            KeyPlace::SettingsFile => self.store.set_file_key(&env.id, Some(key)),
            KeyPlace::Variable(name) => {
                Err(KeyError::NoPlace(format!("it is read from ${name}")).into())
            }
            KeyPlace::None => {
                Err(KeyError::NoPlace("the environment says that it has none".to_owned()).into())
            }
        }
    }

    fn let_go(&self, env: &EnvId) {
        self.session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(env);
    }

    /// Forgets an environment's key, wherever Batida put it. A variable stays what it is.
    ///
    /// # Errors
    /// When it could not be removed.
    pub async fn forget(&self, env: &Environment) -> Result<(), Failure> {
        self.let_go(&env.id);
        self.store.set_file_key(&env.id, None)?;
        let was_there =
            |stored: &Environment| stored.id == env.id && stored.key == KeyPlace::Keychain;
        if env.key == KeyPlace::Keychain || self.store.stored().iter().any(was_there) {
            self.forget_in_keychain(&SecretId::from(&env.id)).await?;
        }
        Ok(())
    }

    /// Saves the settings and the keys with them: a new key is put first, a key whose place changed moves,
    /// and only when the settings are safe are old copies and the keys of removed environments forgotten.
    ///
    /// # Errors
    /// When something was not saved; nothing has been forgotten then, and what could be saved is. Or when a key that is no longer
    /// needed could not be removed from the keychain, which the summary says.
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
            // Whoever types a key for an environment wants it, though another window has deleted it.
            self.store.make_own(env);
        }
        let mut unkept = Ok(());
        // What another window has changed is neither this one's to move nor to forget.
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
                None => self.carry(before.get(&env.id), env).await,
            };
            unkept = unkept
                .and(kept)
                .and(self.put_extras(before.get(&env.id), env).await);
        }
        // A keychain that does not answer must not cost the rest of what was typed.
        let now = self.store.save(settings)?;
        unkept?;

        let forgotten = change
            .filter(|change| change.key.is_none())
            .map(|change| &change.env);
        // Whoever names another place for a key means the key that is there.
        let moved = before
            .values()
            .filter(|old| now.get(&old.id).is_none_or(|env| env.key != old.key));
        moved
            .map(|old| &old.id)
            .chain(forgotten)
            .for_each(|env| self.let_go(env));
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

    /// Whether the system has a keychain that answers.
    ///
    /// # Errors
    /// When it has none, and why.
    pub async fn keychain_available(&self) -> Result<(), Failure> {
        Ok(in_keychain(|| Ok(())).await?)
    }

    /// A key whose place changed without being typed again goes along. What is not there cannot.
    async fn carry(&self, before: Option<&Environment>, now: &Environment) -> Result<(), Failure> {
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

    /// The same id may mean another environment in another settings folder.
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

/// What is in an environment variable; `None` when that is nothing but white space.
fn variable(name: &str) -> Option<SecretString> {
    // `var_os` panics at names that no variable can have.
    let sayable = !name.is_empty() && !name.contains(['=', '\0']);
    let value = sayable
        .then(|| std::env::var_os(name))
        .flatten()?
        .to_string_lossy()
        .into_owned();
    (!value.trim().is_empty()).then(|| value.into())
}

fn entry(user: &str) -> keyring::Result<keyring::Entry> {
    keyring::Entry::new(SERVICE, user)
}

/// Runs `work` once there is a keychain. A bus that does not answer is given up sooner than a prompt.
async fn in_keychain<T: Send + 'static>(
    work: impl FnOnce() -> keyring::Result<T> + Send + 'static,
) -> Result<T, KeyError> {
    let connect = || {
        keyring::Entry::store_status()
            .as_ref()
            .map_err(ToString::to_string)
    };
    patiently(FOR_A_CONNECTION, connect)
        .await?
        .map_err(KeyError::NoKeychain)?;
    Ok(patiently(FOR_A_PROMPT, work).await??)
}

/// Runs `work` on a thread of its own, since D-Bus blocks and a prompt may stay open after we gave up:
/// the program must be able to end all the same.
async fn patiently<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, KeyError> {
    let (tell, told) = tokio::sync::oneshot::channel();
    thread::Builder::new()
        .name("keychain".to_owned())
        // fails only when nobody waits any more
        .spawn(move || drop(tell.send(work())))
        .map_err(|why| KeyError::Keychain(why.to_string()))?;
    match tokio::time::timeout(patience, told).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(_)) => Err(KeyError::NoKeychain(
            "the thread that asked it died".to_owned(),
        )),
        Err(_) => Err(KeyError::Slow(patience)),
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
mod tests {
    use super::*;

    #[test]
    fn keys_lose_the_space_around_them() {
        for text in ["sk-1", " sk-1", "sk-1\n", "\tsk-1\r\n"] {
            assert_eq!(
                check_key(&text.into()).expect("a key").expose_secret(),
                "sk-1"
            );
        }
    }

    #[test]
    fn what_cannot_be_a_header_is_no_key() {
        for text in [
            "",
            "  \n",
            "sk\n1",
            "sk\u{0}1",
            "sk\u{7f}1",
            "schlüssel",
            "••••••••wxyz",
        ] {
            let failure = Failure::from(check_key(&text.into()).expect_err("no key"));
            assert!(failure.summary.contains("API key"), "{failure:?}");
            assert!(
                text.trim().len() < 3 || !format!("{failure:?}").contains(text),
                "{failure:?}"
            );
        }
    }

    #[test]
    fn an_odd_variable_name_is_an_unset_variable() {
        for name in ["", "A=B", "A\0B", "BATIDA_TEST_SURELY_UNSET"] {
            assert!(variable(name).is_none(), "{name:?}");
        }
        assert!(variable("PATH").is_some());
    }
}

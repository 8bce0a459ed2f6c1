//! Settings with a key, in a folder of a test's own.

use std::path::{Path, PathBuf};

use batida::domain::environment::{EnvId, Environment, Extra, ExtraKind, ExtraValue, KeyPlace};
use batida::domain::settings::Settings;
use batida::io::secrets::Keys;
use batida::io::settings::SettingsStore;
use batida::protocol::{Failure, KeyChange};
use secrecy::ExposeSecret as _;

/// Tells an inner test its folder, and that it is meant to run.
pub(crate) const FOLDER: &str = "BATIDA_TEST_FOLDER";
pub(crate) const KEY: &str = "sk-very-secret-wxyz";

pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

pub(crate) fn keys_in(dir: &Path) -> (Keys, SettingsStore) {
    let store = SettingsStore::in_dir(dir);
    (Keys::new(store.clone()), store)
}

pub(crate) fn settings_with(key: KeyPlace) -> Settings {
    let mut settings = Settings::default();
    settings.environments.push(Environment {
        key,
        ..Environment::blank(EnvId("prod".to_owned()), "Prod")
    });
    settings
}

pub(crate) fn new_key() -> KeyChange {
    KeyChange {
        env: EnvId("prod".to_owned()),
        key: Some(format!(" {KEY}\n").into()),
    }
}

pub(crate) async fn found(keys: &Keys, settings: &Settings) -> Result<Option<String>, Failure> {
    let key = keys.find(&settings.environments[1]).await?;
    Ok(key.map(|key| key.expose_secret().to_owned()))
}

pub(crate) fn settings_with_extras(key: KeyPlace, names: &[&str]) -> Settings {
    let mut settings = settings_with(key);
    let extra = |name: &&str| Extra {
        kind: ExtraKind::Header,
        name: (*name).to_owned(),
        value: ExtraValue::Kept,
    };
    settings.environments[1].extras = names.iter().map(extra).collect();
    settings
}

pub(crate) async fn extras_found(
    keys: &Keys,
    settings: &Settings,
) -> Result<Vec<(String, String)>, Failure> {
    let found = keys.find_extras(&settings.environments[1]).await?;
    Ok(found
        .into_iter()
        .map(|(slot, value)| (slot, value.expose_secret().to_owned()))
        .collect())
}

pub(crate) fn pair(slot: &str, value: &str) -> (String, String) {
    (slot.to_owned(), value.to_owned())
}

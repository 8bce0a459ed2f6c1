//! Environments that tests make up, and the settings that hold them.

use std::path::Path;

use batida::domain::environment::{ApiAddress, ClusterAccess, EnvId, Environment, KeyPlace};
use batida::domain::settings::Settings;
use batida::io::secrets::Keys;
use batida::io::settings::SettingsStore;
use batida::protocol::KeyChange;
use secrecy::SecretString;
use tokio::runtime::Runtime;

/// For the servers that a window talks to; it goes last.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built")
}

/// An environment with an API alone, whose key is in the settings file.
pub(crate) fn api_env(api: &ApiAddress) -> Environment {
    Environment {
        api: Some(api.clone()),
        key: KeyPlace::SettingsFile,
        ..Environment::blank(EnvId("env-1".to_owned()), "mine")
    }
}

/// An environment with a cluster alone.
pub(crate) fn cluster_env(kubectl: &Path, kubeconfig: &Path, namespace: &str) -> Environment {
    Environment {
        cluster: Some(ClusterAccess {
            kubectl: Some(kubectl.to_owned()),
            kubeconfig: Some(kubeconfig.to_owned()),
            context: None,
            namespace: namespace.to_owned(),
        }),
        ..Environment::blank(EnvId("env-1".to_owned()), "mine")
    }
}

/// Writes settings that have the demo and this environment, selected.
pub(crate) fn remember(config: &Path, env: Environment, key: Option<&str>) {
    let keys = Keys::new(SettingsStore::in_dir(config));
    let change = key.map(|key| KeyChange {
        env: env.id.clone(),
        key: Some(SecretString::from(key)),
    });
    let mut settings = Settings {
        selected: env.id.clone(),
        ..Settings::default()
    };
    settings.environments.push(env);
    let saved = runtime().block_on(keys.save(&settings, change.as_ref()));
    saved.expect("a temporary folder can be written");
}

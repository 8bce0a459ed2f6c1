//! Where a worker finds its API key: a coordinator never sends one.

use std::path::PathBuf;

use secrecy::SecretString;

use super::access::Access;
use super::secrets::{ExtraSecrets, check_key};
use crate::domain::environment::{EnvId, Environment, ExtraValue, KEY_VARIABLE};
use crate::domain::failure::{Failure, FaultClass};
use crate::wire::worker::WorkerApi;

/// More than any key.
const MAX_KEY_BYTES: u64 = 64 << 10;

/// Where a worker finds its API key.
#[derive(Debug, Clone, Default)]
pub struct WorkerKey {
    /// A file that holds nothing else; without one, [`KEY_VARIABLE`] of the worker's environment.
    pub file: Option<PathBuf>,
    /// The key of the built-in demo, which is no secret.
    pub demo: String,
}

impl WorkerKey {
    /// What requests to `api` carry.
    ///
    /// # Errors
    /// When a key is wanted and there is none, it is no key, or a secret header is wanted whose value is not in the worker's
    /// environment.
    pub fn access(&self, api: &WorkerApi) -> Result<Access, Failure> {
        let key = match (api.is_demo, api.wants_key) {
            (true, _) => Some(SecretString::from(self.demo.clone())),
            (false, true) => Some(self.find()?),
            (false, false) => None,
        };
        let mut secrets = ExtraSecrets::new();
        for extra in &api.extras {
            if let ExtraValue::Variable(name) = &extra.value {
                let value = std::env::var(name).map_err(|_| {
                    let what = format!(
                        "The worker's environment has no variable {name} for {}",
                        extra.name
                    );
                    Failure::new(what, "Set it where the worker runs")
                        .of_class(FaultClass::KeyRefused)
                })?;
                secrets.insert(extra.slot(), SecretString::from(value));
            }
        }
        let env = Environment {
            key_header: api.key_header.clone(),
            extras: api.extras.clone(),
            ..Environment::blank(EnvId::ad_hoc(), "worker")
        };
        Ok(Access::of(&env, key, &secrets))
    }

    fn find(&self) -> Result<SecretString, Failure> {
        let key = match &self.file {
            Some(path) => {
                let cannot = |why: String| {
                    Failure::new(format!("The worker cannot read its key from {}: {why}", path.display()), "")
                };
                let size = std::fs::metadata(path).map_err(|it| cannot(super::why(&it)))?.len();
                if size > MAX_KEY_BYTES {
                    return Err(cannot("it is too large for a key".to_owned()));
                }
                std::fs::read_to_string(path).map_err(|it| cannot(super::why(&it)))?
            }
            None => std::env::var(KEY_VARIABLE).map_err(|_| {
                Failure::new(
                    "The worker has no API key, and is never sent one",
                    format!(
                        "Where it runs, name a file with the key (`batida worker --key-file FILE`) or set {KEY_VARIABLE}"
                    ),
                )
                .of_class(FaultClass::KeyRefused)
            })?,
        };
        check_key(&SecretString::from(key.trim().to_owned())).map_err(|error| {
            Failure::new(format!("The worker's key cannot be used: {error}"), "")
                .of_class(FaultClass::KeyRefused)
        })
    }
}

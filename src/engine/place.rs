//! From an environment to its doors: the API with its key, and kubectl. Opened once, used by every job.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

use crate::demo::api::{DEMO_KEY, DemoOptions, DemoServer};
use crate::domain::environment::{ApiAddress, ClusterAccess, EnvId, Environment, KEY_VARIABLE};
use crate::domain::failure::{Advice, Failure};
use crate::engine::cluster;
use crate::io::access::Access;
use crate::io::activity::Recorder;
use crate::io::api::{Api, ClientCertificate, Dialects, Models, Trust};
use crate::io::kubectl::{self, Kubectl, Turns};
use crate::io::learned::LearnedStore;
use crate::io::secrets::{ExtraSecrets, Keys};
use crate::protocol::{Activity, KeyStatus};
use crate::wire::fault::Fault;

/// The argument that makes Batida's own executable answer as kubectl would.
pub const TWIN_ARGUMENT: &str = "kubectl-twin";

/// An environment that was opened.
#[derive(Debug)]
pub struct Place {
    /// As it was when it was opened.
    pub env: Environment,
    /// The API, or why there is none.
    pub api: Result<Api, Failure>,
    /// kubectl; `None` for an environment without a cluster.
    pub kubectl: Option<Kubectl>,
    /// What is known of the key.
    pub key: KeyStatus,
    /// The names that the API routed when it was asked last.
    known: Mutex<Vec<String>>,
}

impl Place {
    /// Where the API is.
    pub fn address(&self) -> Option<ApiAddress> {
        self.api.as_ref().ok().map(|api| api.address().clone())
    }

    /// The API, for a request that needs the key.
    ///
    /// # Errors
    /// When there is no API, or its key is not where it should be.
    pub fn api_with_key(&self) -> Result<&Api, Failure> {
        match (&self.api, &self.key) {
            (Err(failure), _) | (_, KeyStatus::Missing(failure)) => Err(failure.clone()),
            (Ok(api), _) => Ok(api),
        }
    }

    /// The names that the API routed when it was asked last; perhaps none.
    pub fn known(&self) -> Vec<String> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks the API for the names it routes, and keeps them.
    ///
    /// # Errors
    /// As the API's door.
    pub async fn models(&self) -> Result<Models, Failure> {
        let api = self.api.as_ref().map_err(Clone::clone)?;
        Ok(self.keep(api.models().await?))
    }

    /// The same of the API once it is open, with what was seen on the way and the status that it answered.
    ///
    /// # Errors
    /// As the API's door.
    pub async fn models_from(&self, api: &Api) -> Result<Models, Fault> {
        Ok(self.keep(api.reach().await?))
    }

    fn keep(&self, models: Models) -> Models {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = models.ids.clone();
        models
    }
}

/// An environment as it was asked for, and its place once it is open.
type Opening = (Environment, Arc<OnceCell<Arc<Place>>>);

/// Opens environments and keeps them open.
pub struct Places {
    keys: Keys,
    twin: PathBuf,
    tell: Arc<dyn Fn(Activity) + Send + Sync>,
    demo: OnceCell<DemoServer>,
    open: Mutex<HashMap<EnvId, Opening>>,
    /// The namespaces of the contexts of environments that name none.
    namespaces: Mutex<HashMap<EnvId, (ClusterAccess, String)>>,
    /// Of each environment's kubectls.
    turns: Mutex<HashMap<EnvId, Turns>>,
    login: Duration,
    /// The variables that hold secrets of any environment.
    secret_variables: Mutex<BTreeSet<String>>,
}

impl Places {
    /// `twin` is Batida's own executable, for the Demo environment; `tell` hears of every activity.
    pub fn new(keys: Keys, twin: PathBuf, tell: impl Fn(Activity) + Send + Sync + 'static) -> Self {
        let secret_variables = keys
            .secret_variables()
            .into_iter()
            .chain([KEY_VARIABLE.to_owned()])
            .collect();
        Self {
            keys,
            twin,
            tell: Arc::new(tell),
            demo: OnceCell::new(),
            open: Mutex::default(),
            namespaces: Mutex::default(),
            turns: Mutex::default(),
            login: kubectl::LOGIN,
            secret_variables: Mutex::new(secret_variables),
        }
    }

    /// The same, where nobody sees what a credential plugin says in time to do it: it gets no longer than any question.
    #[must_use]
    pub fn unattended(self) -> Self {
        Self {
            login: kubectl::PATIENCE,
            ..self
        }
    }

    /// Where keys are kept.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Opens an environment, or gives it as it was opened before if nothing has changed.
    pub async fn open(&self, env: &Environment) -> Arc<Place> {
        let cell = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            match open.get(&env.id) {
                Some((old, cell)) if old == env => Arc::clone(cell),
                _ => {
                    let cell = Arc::new(OnceCell::new());
                    open.insert(env.id.clone(), (env.clone(), Arc::clone(&cell)));
                    cell
                }
            }
        };
        let place = Arc::clone(
            cell.get_or_init(|| async { Arc::new(self.open_anew(env).await) })
                .await,
        );
        // What failed may have been mended by the next time: a keychain unlocked, a CA file put in place.
        if place.api.is_err() || matches!(place.key, KeyStatus::Missing(_)) {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open
                .get(&env.id)
                .is_some_and(|(_, kept)| Arc::ptr_eq(kept, &cell))
            {
                open.remove(&env.id);
            }
        }
        place
    }

    /// kubectl for an environment's cluster; `None` without one. It needs no key, so nobody waits for one.
    ///
    /// Where the environment names no namespace it is the context's, which is read once and then kept, so that all that is
    /// asked of the cluster is asked of the same namespace.
    pub async fn kubectl(&self, env: &Environment) -> Option<Kubectl> {
        let kubectl = self.kubectl_as_written(env)?;
        if !kubectl.namespace.is_empty() {
            return Some(kubectl);
        }
        let kept = |access: &ClusterAccess| {
            let namespaces = self
                .namespaces
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            namespaces
                .get(&env.id)
                .filter(|(of, _)| of == access)
                .map(|(_, namespace)| namespace.clone())
        };
        let access = env.cluster.as_ref()?;
        let namespace = match kept(access) {
            Some(namespace) => namespace,
            None => match cluster::usual_namespace(&kubectl).await {
                Ok(found) => {
                    let mut namespaces = self
                        .namespaces
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    namespaces.insert(env.id.clone(), (access.clone(), found.clone()));
                    found
                }
                // What is wrong with the kubeconfig is said by the first question to the cluster.
                Err(_) => "default".to_owned(),
            },
        };
        Some(Kubectl {
            namespace,
            ..kubectl
        })
    }

    fn kubectl_as_written(&self, env: &Environment) -> Option<Kubectl> {
        let access = env.cluster.as_ref()?;
        let recorder = self.recorder(env);
        if env.demo {
            let prefix = vec![OsString::from(TWIN_ARGUMENT)];
            return Some(Kubectl::twin(
                self.twin.clone(),
                prefix,
                &access.namespace,
                recorder,
            ));
        }
        let hidden = {
            let mut all = self
                .secret_variables
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            all.extend(env.secret_variables());
            all.iter().cloned().collect()
        };
        let turns = self
            .turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(env.id.clone())
            .or_default()
            .clone();
        Some(Kubectl {
            turns,
            hidden,
            login: self.login,
            ..Kubectl::new(access, recorder)
        })
    }

    fn recorder(&self, env: &Environment) -> Recorder {
        let tell = Arc::clone(&self.tell);
        Recorder::new(env.id.clone(), move |activity| tell(activity))
    }

    /// Forgets an environment's doors, e.g. since its key has changed.
    pub fn forget(&self, env: &EnvId) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(env);
        self.namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(env);
    }

    /// The key in the clear, for the clipboard and for the user who asks to see it.
    ///
    /// # Errors
    /// When it is not where it should be, or the environment has none.
    pub async fn key(&self, env: &Environment) -> Result<SecretString, Failure> {
        if env.demo {
            return Ok(SecretString::from(DEMO_KEY));
        }
        match self.keys.find(env).await? {
            Some(key) => Ok(key),
            None => Err(Failure::new(
                "This environment has no API key",
                Advice::by_face(
                    "Type it on Home",
                    "Say --key-env VAR, or type the key on the window's Home page",
                ),
            )),
        }
    }

    async fn open_anew(&self, env: &Environment) -> Place {
        let kubectl = self.kubectl(env).await;
        let (found, secrets) = if env.demo {
            (
                Ok(Some((SecretString::from(DEMO_KEY), None))),
                Ok(ExtraSecrets::new()),
            )
        } else {
            (
                self.keys.find_noted(env).await,
                self.keys.find_extras(env).await,
            )
        };
        let (key, status) = match found {
            Ok(Some((key, note))) => {
                if let Some(note) = note {
                    self.recorder(env).note(note);
                }
                let status = KeyStatus::Present { tail: tail(&key) };
                (Some(key), status)
            }
            Ok(None) => (None, KeyStatus::NotNeeded),
            Err(failure) => (None, KeyStatus::Missing(failure)),
        };
        let api = match secrets {
            Ok(secrets) => self.open_api(env, Access::of(env, key, &secrets)).await,
            Err(failure) => Err(failure),
        };
        Place {
            env: env.clone(),
            api,
            kubectl,
            key: status,
            known: Mutex::default(),
        }
    }

    async fn open_api(&self, env: &Environment, access: Access) -> Result<Api, Failure> {
        let recorder = self.recorder(env);
        let address = if env.demo {
            let start = || DemoServer::start(DemoOptions::default());
            let demo = self.demo.get_or_try_init(start).await.map_err(|error| {
                Failure::new(
                    "The demo's server could not start",
                    "Is the loopback network up?",
                )
                .with_details(error.to_string())
            })?;
            demo.address()
        } else {
            env.api.clone().ok_or_else(|| {
                let advice = Advice::by_face(
                    "Type it on Home to chat with its models",
                    "Say --api URL, or type it on the window's Home page",
                );
                Failure::new("This environment has no API domain", advice)
            })?
        };
        let client = env.client_cert.clone();
        let client = client.map(|certificate| ClientCertificate {
            certificate,
            key: env.client_key.clone(),
        });
        let trust = Trust {
            ca_file: env.ca_file.clone(),
            accept_invalid_certs: env.accept_invalid_certs,
            client,
        };
        // Reading certificates from the disk is no work for the runtime's threads.
        let has_cluster = env.cluster.is_some();
        // The demo listens on another port each time, and refuses nothing for long.
        let learned =
            (!env.demo).then(|| LearnedStore::beside(self.keys.settings_path(), &address));
        let open = move || {
            let api = Api::new(address, access, trust, recorder)?;
            let dialects = learned.map(Dialects::kept).unwrap_or_default();
            Ok(api.with_dialects(dialects).beside_cluster(has_cluster))
        };
        tokio::task::spawn_blocking(open)
            .await
            .unwrap_or_else(|error| {
                Err(Failure::new("Opening the API failed in Batida itself", "")
                    .with_details(error.to_string()))
            })
    }
}

/// The last four characters of a key that is long enough to spare them.
fn tail(key: &SecretString) -> String {
    let key = key.expose_secret();
    let length = key.chars().count();
    if length < 12 {
        String::new()
    } else {
        key.chars().skip(length - 4).collect()
    }
}

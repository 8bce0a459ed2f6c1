//! Opens the connections of environments: the API with its key, and kubectl. All jobs share them.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

use crate::demo::api::{DEMO_KEY, DemoOptions, DemoServer};
use crate::demo::cluster::DEMO_API;
use crate::domain::environment::{
    ApiAddress, ClusterAccess, EnvId, Environment, ExtraValue, KEY_VARIABLE,
    SIMULATED_KUBECTL_ARGUMENT,
};
use crate::domain::failure::{Advice, Failure};
use crate::engine::cluster;
use crate::io::access::Access;
use crate::io::activity::Recorder;
use crate::io::api::{Api, ClientCertificate, Dialects, Models, Trust};
use crate::io::files;
use crate::io::kubectl::{self, Kubectl, LoginQueue};
use crate::io::learned::LearnedStore;
use crate::io::secrets::{ExtraSecrets, Keys};
use crate::protocol::{Activity, KeyStatus};
use crate::wire::fault::Fault;
use crate::wire::worker::WorkerApi;

/// More certificate authorities than any system has.
const MAX_CA_BYTES: u64 = 4 << 20;

/// The open connections of an environment.
#[derive(Debug)]
pub struct Connection {
    /// The environment when it was opened.
    pub env: Environment,
    /// The API, or why there is none.
    pub api: Result<Api, Failure>,
    /// `None` for an environment without a cluster.
    pub kubectl: Option<Kubectl>,
    /// The status of the key.
    pub key: KeyStatus,
    /// The models that the API last listed.
    known: Mutex<Vec<String>>,
}

impl Connection {
    /// The address of the API.
    pub fn address(&self) -> Option<ApiAddress> {
        self.api.as_ref().ok().map(|api| api.address().clone())
    }

    /// The API, for a request that needs the key.
    ///
    /// # Errors
    /// When there is no API, or its key is missing.
    pub fn api_with_key(&self) -> Result<&Api, Failure> {
        match (&self.api, &self.key) {
            (Err(failure), _) | (_, KeyStatus::Missing(failure)) => Err(failure.clone()),
            (Ok(api), _) => Ok(api),
        }
    }

    /// The API as workers elsewhere reach it, and the environment variables that no command of theirs is given.
    ///
    /// # Errors
    /// When there is no API, or it needs a secret that stays on this computer: a stored header or query parameter, a client
    /// certificate.
    pub fn for_workers(&self) -> Result<(WorkerApi, Vec<String>), Failure> {
        let (api, env) = (self.api_with_key()?, &self.env);
        let stays = |what: String| {
            let advice = "Use an environment without it, or read it from an environment variable, which the workers must have as well";
            Err(Failure::new(
                format!("{what} stays on this computer: workers cannot send it"),
                advice,
            ))
        };
        if let Some(kept) = env.extras.iter().find(|it| it.value == ExtraValue::Kept) {
            return stays(format!("The secret value of {}", kept.name));
        }
        if env.client_cert.is_some() {
            return stays("The client certificate's key".to_owned());
        }
        let ca_pem = match &env.ca_file {
            Some(path) => {
                let bytes = files::read_now(path, MAX_CA_BYTES);
                let bytes = bytes.map_err(|error| {
                    let what = format!("{} cannot be read: {}", path.display(), error.why());
                    Failure::new(what, "Choose another file of certificate authorities")
                })?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => None,
        };
        let mut hidden = env.secret_variables();
        hidden.push(KEY_VARIABLE.to_owned());
        let api = WorkerApi {
            address: api.address().clone(),
            wants_key: api.has_key(),
            key_header: env.key_header(),
            extras: env.extras.clone(),
            ca_pem,
            accept_invalid_certs: env.accept_invalid_certs,
            is_demo: env.demo,
        };
        Ok((api, hidden))
    }

    /// Whether a part of it could not be opened.
    fn has_failed(&self) -> bool {
        let no_namespace = |kubectl: &Kubectl| kubectl.no_namespace.is_some();
        self.api.is_err()
            || matches!(self.key, KeyStatus::Missing(_))
            || self.kubectl.as_ref().is_some_and(no_namespace)
    }

    /// The models that the API last listed; may be empty.
    pub fn known(&self) -> Vec<String> {
        self.known.lock().clone()
    }

    /// Requests the model list and remembers it.
    ///
    /// # Errors
    /// As [`Api::models`].
    pub async fn models(&self) -> Result<Models, Failure> {
        let api = self.api.as_ref().map_err(Clone::clone)?;
        Ok(self.keep(api.models().await?))
    }

    /// Like [`Self::models`], with facts about the connection and the HTTP status of a failure.
    ///
    /// # Errors
    /// As [`Api::reach`].
    pub async fn models_from(&self, api: &Api) -> Result<Models, Fault> {
        Ok(self.keep(api.reach().await?))
    }

    fn keep(&self, models: Models) -> Models {
        *self.known.lock() = models.ids.clone();
        models
    }
}

/// An environment, and its connection once it is open.
type Opening = (Environment, Arc<OnceCell<Arc<Connection>>>);

/// Opens environments and keeps them open.
pub struct Connections {
    keys: Keys,
    simulator: PathBuf,
    tell: Arc<dyn Fn(Activity) + Send + Sync>,
    demo: OnceCell<DemoServer>,
    open: Mutex<HashMap<EnvId, Opening>>,
    /// The default namespaces of environments without one.
    namespaces: Mutex<HashMap<EnvId, (ClusterAccess, String)>>,
    /// For each environment, shared by its kubectls.
    turns: Mutex<HashMap<EnvId, LoginQueue>>,
    login: Duration,
    /// The names of variables with secrets of any environment.
    secret_variables: Mutex<BTreeSet<String>>,
}

impl Connections {
    /// `simulator` is Batida's own executable, for the Demo environment; `tell` receives every activity.
    pub fn new(
        keys: Keys,
        simulator: PathBuf,
        tell: impl Fn(Activity) + Send + Sync + 'static,
    ) -> Self {
        let secret_variables = keys
            .secret_variables()
            .into_iter()
            .chain([KEY_VARIABLE.to_owned()])
            .collect();
        Self {
            keys,
            simulator,
            tell: Arc::new(tell),
            demo: OnceCell::new(),
            open: Mutex::default(),
            namespaces: Mutex::default(),
            turns: Mutex::default(),
            login: kubectl::LOGIN,
            secret_variables: Mutex::new(secret_variables),
        }
    }

    /// For use without a user who could log in: a credential plugin gets no additional time.
    #[must_use]
    pub fn unattended(self) -> Self {
        Self {
            login: kubectl::PATIENCE,
            ..self
        }
    }

    /// The stored keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Opens an environment, or returns the open connection if nothing has changed.
    pub async fn open(&self, env: &Environment) -> Arc<Connection> {
        let cell = {
            let mut open = self.open.lock();
            match open.get(&env.id) {
                Some((old, cell)) if old == env => Arc::clone(cell),
                _ => {
                    let cell = Arc::new(OnceCell::new());
                    open.insert(env.id.clone(), (env.clone(), Arc::clone(&cell)));
                    cell
                }
            }
        };
        let connection = Arc::clone(
            cell.get_or_init(|| async { Arc::new(self.open_anew(env).await) })
                .await,
        );
        // Do not keep a failure: the user may unlock the keychain or correct the CA file.
        if connection.has_failed() {
            let mut open = self.open.lock();
            if open
                .get(&env.id)
                .is_some_and(|(_, kept)| Arc::ptr_eq(kept, &cell))
            {
                open.remove(&env.id);
            }
        }
        connection
    }

    /// kubectl for an environment's cluster; `None` without one. It does not wait for the key.
    ///
    /// Without a configured namespace, it uses that of the context, which is read once, so that all commands use the same
    /// one. If it cannot be read, the commands that need it fail with the reason.
    pub async fn kubectl(&self, env: &Environment) -> Option<Kubectl> {
        if env.demo && env.cluster.is_some() {
            // Its kubectl reads the metrics of the demo's server. If that cannot start, opening the API says so.
            let _ = self.demo().await;
        }
        let kubectl = self.configured_kubectl(env)?;
        if !kubectl.namespace.is_empty() {
            return Some(kubectl);
        }
        let kept = |access: &ClusterAccess| {
            let namespaces = self.namespaces.lock();
            namespaces
                .get(&env.id)
                .filter(|(of, _)| of == access)
                .map(|(_, namespace)| namespace.clone())
        };
        let access = env.cluster.as_ref()?;
        if let Some(namespace) = kept(access) {
            return Some(Kubectl {
                namespace,
                ..kubectl
            });
        }
        match cluster::with_namespace(&kubectl).await {
            Ok(found) => {
                let mut namespaces = self.namespaces.lock();
                namespaces.insert(env.id.clone(), (access.clone(), found.namespace.clone()));
                Some(found)
            }
            Err(error) => Some(Kubectl {
                no_namespace: Some(error),
                ..kubectl
            }),
        }
    }

    fn configured_kubectl(&self, env: &Environment) -> Option<Kubectl> {
        let access = env.cluster.as_ref()?;
        let recorder = self.recorder(env);
        if env.demo {
            let prefix = vec![OsString::from(SIMULATED_KUBECTL_ARGUMENT)];
            let demo = self.demo.get().map(|demo| demo.socket().to_string());
            let demo = demo.map(|socket| (OsString::from(DEMO_API), OsString::from(socket)));
            return Some(Kubectl {
                env: demo.into_iter().collect(),
                ..Kubectl::simulated(self.simulator.clone(), prefix, &access.namespace, recorder)
            });
        }
        let hidden = {
            let mut all = self.secret_variables.lock();
            all.extend(env.secret_variables());
            all.iter().cloned().collect()
        };
        let turns = self.turns.lock().entry(env.id.clone()).or_default().clone();
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

    /// Closes an environment's connections, e.g. because its key has changed.
    pub fn forget(&self, env: &EnvId) {
        self.open.lock().remove(env);
        self.namespaces.lock().remove(env);
    }

    /// The key in plain text, to be copied or shown.
    ///
    /// # Errors
    /// When it is missing, or the environment needs none.
    pub async fn key(&self, env: &Environment) -> Result<SecretString, Failure> {
        if env.demo {
            return Ok(SecretString::from(DEMO_KEY));
        }
        match self.keys.find(env).await? {
            Some(key) => Ok(key),
            None => Err(Failure::new(
                "This environment has no API key",
                Advice::by_face(
                    "Enter it in Environments",
                    "Use --key-env VAR, or enter the key in Environments in the window",
                ),
            )),
        }
    }

    async fn open_anew(&self, env: &Environment) -> Connection {
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
        Connection {
            env: env.clone(),
            api,
            kubectl,
            key: status,
            known: Mutex::default(),
        }
    }

    /// The demo's server, started once.
    async fn demo(&self) -> Result<&DemoServer, Failure> {
        let start = || DemoServer::start(DemoOptions::default());
        self.demo.get_or_try_init(start).await.map_err(|error| {
            Failure::new(
                "The demo server could not start",
                "Check that the loopback network is available",
            )
            .with_details(error.to_string())
        })
    }

    async fn open_api(&self, env: &Environment, access: Access) -> Result<Api, Failure> {
        let recorder = self.recorder(env);
        let address = if env.demo {
            self.demo().await?.address()
        } else {
            env.api.clone().ok_or_else(|| {
                let advice = Advice::by_face(
                    "Enter it in Environments to chat with its models",
                    "Use --api URL, or enter it in Environments in the window",
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
        // Reading certificates blocks, so it runs on its own thread.
        let has_cluster = env.cluster.is_some();
        // The demo uses another port each time, so nothing is remembered for it.
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
                Err(
                    Failure::new("Batida failed to open the API", "Please report it")
                        .with_details(error.to_string()),
                )
            })
    }
}

/// The last four characters of a key that has at least twelve.
fn tail(key: &SecretString) -> String {
    let key = key.expose_secret();
    let length = key.chars().count();
    if length < 12 {
        String::new()
    } else {
        key.chars().skip(length - 4).collect()
    }
}

//! The flags that every command takes, and the environment that they describe.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Ended;
use crate::cli::headings::{CONNECTION, ENVIRONMENT, OUTPUT};
use crate::domain::environment::{
    ApiAddress, ClusterAccess, EnvId, Environment, Extra, ExtraKind, HeaderName, KEY_VARIABLE,
    KeyPlace, check_namespace,
};
use crate::domain::settings::Settings;
use crate::engine::Options;

/// Flags that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = ENVIRONMENT)]
pub(in crate::cli) struct Common {
    /// Use this environment of the window, by its name [default: the one selected there]
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "demo")]
    pub(in crate::cli) env: Option<String>,
    /// Use the built-in demo: simulated models and a made-up cluster, all on this computer
    #[arg(long, global = true)]
    pub(in crate::cli) demo: bool,
    /// Call the API at this base URL or host, e.g. api.example.com; a URL with its own version (/api/paas/v4) or a whole
    /// chat URL is used as written
    // These are read later: clap would repeat a value that is refused, and with it a secret.
    #[arg(long, global = true, value_name = "URL")]
    api: Option<String>,
    /// Read the API key from this environment variable [default with --api: SAMBANOVA_API_KEY]
    #[arg(long, global = true, value_name = "VAR")]
    key_env: Option<String>,
    /// Use this kubeconfig file [default: kubectl's own]
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Use this context of the kubeconfig [default: its current context]
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// Look for SambaStack's deployments in this namespace [default: the context's]
    #[arg(long, short, global = true, value_name = "NAME", value_parser = read_namespace)]
    namespace: Option<String>,
    /// Run this kubectl program [default: kubectl, found in PATH]
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    kubectl: Option<PathBuf>,
    /// Keep settings, history and drafts in this folder instead of the default ones
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    config: Option<PathBuf>,
    /// Send the key in this header, e.g. api-key or x-api-key [default: Authorization: Bearer]
    #[arg(long, global = true, value_name = "NAME", value_parser = HeaderName::parse)]
    #[arg(help_heading = CONNECTION, hide_short_help = true)]
    key_header: Option<HeaderName>,
    #[command(flatten)]
    extras: ExtraArgs,
    /// Trust the certificate authorities in this PEM file besides the system's
    #[arg(long, global = true, value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    ca: Option<PathBuf>,
    /// Accept invalid certificates; anyone on the network path can then read the key
    #[arg(long, global = true, help_heading = CONNECTION, hide_short_help = true)]
    insecure: bool,
    /// Present the client certificate in this PEM file to an API that asks for one
    #[arg(long, global = true, value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    client_cert: Option<PathBuf>,
    /// Read the key of --client-cert from this PEM file [default: the certificate's file]
    #[arg(long, global = true, value_name = "FILE", help_heading = CONNECTION, hide_short_help = true)]
    client_key: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub(in crate::cli) json: bool,
}

/// Headers and query parameters for every request to the API.
#[derive(Debug, Args)]
#[command(next_help_heading = CONNECTION)]
struct ExtraArgs {
    /// Send this header with every request, e.g. 'X-Team: blue'; not for secrets: other users can read a command line
    #[arg(
        long,
        global = true,
        value_name = "NAME: VALUE",
        hide_short_help = true
    )]
    header: Vec<String>,
    /// Send a header whose secret value is in an environment variable, e.g. X-Gateway-Token=GATEWAY_TOKEN
    #[arg(long, global = true, value_name = "NAME=VAR", value_parser = secret_header, hide_short_help = true)]
    header_env: Vec<Extra>,
    /// Add this query parameter to every request, e.g. api-version=2024-10-21
    #[arg(long, global = true, value_name = "NAME=VALUE", hide_short_help = true)]
    query: Vec<String>,
    /// Add a query parameter whose secret value is in an environment variable, e.g. token=GATEWAY_TOKEN
    #[arg(long, global = true, value_name = "NAME=VAR", value_parser = secret_query, hide_short_help = true)]
    query_env: Vec<Extra>,
}

impl ExtraArgs {
    fn is_empty(&self) -> bool {
        let Self {
            header,
            header_env,
            query,
            query_env,
        } = self;
        header.is_empty() && header_env.is_empty() && query.is_empty() && query_env.is_empty()
    }

    fn read(&self) -> Result<Vec<Extra>, Ended> {
        let Self {
            header,
            header_env,
            query,
            query_env,
        } = self;
        let misused = |flag: &str, why: String| Ended::Misused(format!("{flag}: {why}"));
        let headers = header
            .iter()
            .map(|text| Extra::header(text).map_err(|why| misused("--header", why)));
        let queries = query
            .iter()
            .map(|text| Extra::query(text).map_err(|why| misused("--query", why)));
        let secret = header_env.iter().chain(query_env).cloned().map(Ok);
        headers.chain(queries).chain(secret).collect()
    }
}

fn secret_header(text: &str) -> Result<Extra, String> {
    Extra::from_variable(ExtraKind::Header, text)
}

fn secret_query(text: &str) -> Result<Extra, String> {
    Extra::from_variable(ExtraKind::Query, text)
}

impl Common {
    /// What is wrong with the folder of --config; `None` where it can be used, or made.
    pub(in crate::cli) fn misused_folder(&self) -> Option<String> {
        let path = self
            .config
            .as_deref()
            .filter(|path| path.exists() && !path.is_dir())?;
        Some(format!(
            "--config must be a folder, but {} is a file: name the folder that contains it",
            path.display()
        ))
    }

    pub(in crate::cli) fn options(&self) -> Options {
        Options {
            config: self.config.clone(),
            simulated_kubectl: None,
        }
    }

    /// The file of --ca.
    pub(in crate::cli) fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// Whether the flags describe an environment, or change one.
    pub(in crate::cli) fn is_ad_hoc(&self) -> bool {
        self.api.is_some()
            || self.key_env.is_some()
            || self.key_header.is_some()
            || !self.extras.is_empty()
            || self.ca.is_some()
            || self.insecure
            || self.client_cert.is_some()
            || self.client_key.is_some()
            || self.has_cluster()
    }

    fn has_cluster(&self) -> bool {
        self.kubeconfig.is_some()
            || self.context.is_some()
            || self.namespace.is_some()
            || self.kubectl.is_some()
    }

    /// Whether the environment comes from the settings.
    pub(in crate::cli) fn needs_settings(&self) -> bool {
        !self.demo && (self.env.is_some() || !self.is_ad_hoc())
    }

    /// The environment of this name.
    pub(in crate::cli) fn named<'a>(
        &self,
        settings: &'a Settings,
        name: &str,
    ) -> Result<&'a Environment, Ended> {
        settings.by_name(name).ok_or_else(|| {
            let names: Vec<&str> = settings
                .environments
                .iter()
                .map(|env| env.name.as_str())
                .collect();
            Ended::Misused(format!(
                "there is no environment named {name:?}; there are: {}",
                names.join(", ")
            ))
        })
    }

    /// The environment that is meant: a named one, or the selected one, changed by the flags; a new one when
    /// the flags alone describe it.
    pub(in crate::cli) fn environment(&self, settings: &Settings) -> Result<Environment, Ended> {
        let mut env = match &self.env {
            _ if self.demo => Environment::demo(),
            Some(name) => self.named(settings, name)?.clone(),
            None if self.is_ad_hoc() => {
                Environment::blank(EnvId::ad_hoc(), "given on the command line")
            }
            None => settings.current().clone(),
        };
        if !self.is_ad_hoc() {
            return Ok(env);
        }
        if env.demo {
            return Err(Ended::Misused(
                "the demo's addresses are its own: leave out --api and the like".to_owned(),
            ));
        }
        if let Some(text) = &self.api {
            let api =
                &ApiAddress::parse(text).map_err(|why| Ended::Misused(format!("--api: {why}")))?;
            // A key is for the API it was given for: it does not follow to another address.
            if env.api.as_ref() != Some(api) {
                env.key = KeyPlace::None;
                env.key_header = None;
                env.extras.retain(|extra| !extra.is_secret());
            }
            env.api = Some(api.clone());
        }
        let usual = self.api.is_some()
            && env.key == KeyPlace::None
            && std::env::var_os(KEY_VARIABLE).is_some();
        match &self.key_env {
            Some(name) => env.key = KeyPlace::Variable(name.clone()),
            None if usual => env.key = KeyPlace::Variable(KEY_VARIABLE.to_owned()),
            None => {}
        }
        env.key_header = self.key_header.clone().or(env.key_header);
        for extra in self.extras.read()? {
            // A flag comes in place of what the environment has of that name.
            env.extras.retain(|old| old.slot() != extra.slot());
            env.extras.push(extra);
        }
        env.ca_file = self.ca.clone().or(env.ca_file);
        env.accept_invalid_certs |= self.insecure;
        if self.client_cert.is_some() {
            env.client_key = None;
        }
        env.client_cert = self.client_cert.clone().or(env.client_cert);
        env.client_key = self.client_key.clone().or(env.client_key);
        if env.client_key.is_some() && env.client_cert.is_none() {
            return Err(Ended::Misused(
                "--client-key needs a --client-cert".to_owned(),
            ));
        }
        if self.has_cluster() {
            let cluster = env.cluster.take().unwrap_or_default();
            env.cluster = Some(ClusterAccess {
                kubectl: self.kubectl.clone().or(cluster.kubectl),
                kubeconfig: self.kubeconfig.clone().or(cluster.kubeconfig),
                context: self.context.clone().or(cluster.context),
                namespace: self.namespace.clone().unwrap_or(cluster.namespace),
            });
        }
        Ok(env)
    }
}

fn read_namespace(text: &str) -> Result<String, &'static str> {
    check_namespace(text).map(|()| text.to_owned())
}

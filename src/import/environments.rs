//! Reads environments from SambaWiz's `app-config.json`, from a kubeconfig's contexts, and from another Batida's
//! settings.
//!
//! A problem with one environment does not keep the others from being added.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::domain::encoding;
use crate::domain::environment::{
    ApiAddress, ClusterAccess, EnvId, Environment, KeyPlace, check_namespace,
};
use crate::domain::failure::Failure;
/// The limit for environment files.
pub const MAX_FILE_BYTES: usize = 4 << 20;

const SUPPORTED_FILES: &str = "Batida imports environments from SambaWiz's app-config.json, a \
     kubeconfig, or \
                     another Batida's settings.toml";

/// The kind of a file, recognized by its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// SambaWiz's `app-config.json`.
    SambaWiz,
    /// A kubeconfig, in YAML or JSON.
    Kubeconfig,
    /// Another Batida's `settings.toml`.
    Settings,
}

impl Source {
    /// The name of the format for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::SambaWiz => "SambaWiz's app-config.json",
            Self::Kubeconfig => "a kubeconfig",
            Self::Settings => "another Batida's settings",
        }
    }
}

/// An environment that could be added.
// `SecretString` hides the key in `Debug`.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The environment as it would be added, with a new id.
    pub env: Environment,
    /// The API key, if the file has one.
    pub key: Option<SecretString>,
    /// Why it cannot be added.
    pub wrong: Option<String>,
    /// Why it is not selected by default.
    pub doubt: Option<String>,
    /// Settings that are missing or were skipped.
    pub remarks: Vec<String>,
}

impl Offer {
    /// An environment without a key and without remarks.
    pub fn of(env: Environment) -> Self {
        Self {
            env,
            key: None,
            wrong: None,
            doubt: None,
            remarks: Vec::new(),
        }
    }
}

/// Recognizes the kind of a file. `name` is its name, for messages.
///
/// # Errors
/// When the file is too large, or its kind is unknown.
pub fn source_of(name: &str, bytes: &[u8]) -> Result<Source, Failure> {
    if bytes.len() > MAX_FILE_BYTES {
        let why = format!(
            "{name} is larger than {} MiB, the limit for environment files",
            MAX_FILE_BYTES >> 20
        );
        return Err(Failure::new(why, SUPPORTED_FILES));
    }
    let text = encoding::text(bytes).map_err(|why| {
        Failure::new(
            format!("{name} is not readable text: it is {}", why.what),
            SUPPORTED_FILES,
        )
    })?;
    let text = &*text;
    if text.trim().is_empty() {
        return Err(Failure::new(format!("{name} is empty"), SUPPORTED_FILES));
    }
    if let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) {
        return match (
            fields.contains_key("kubeconfigs"),
            fields.contains_key("contexts"),
        ) {
            (true, _) => Ok(Source::SambaWiz),
            (false, true) => Ok(Source::Kubeconfig),
            (false, false) => Err(Failure::new(
                format!("{name} is JSON, but not a file that Batida recognizes"),
                SUPPORTED_FILES,
            )),
        };
    }
    // kubectl parses the YAML later; a rough check is enough here.
    let is_set = |key: &str| {
        text.lines().any(|line| {
            line.strip_prefix(key)
                .is_some_and(|rest| rest.trim_start().starts_with('='))
        })
    };
    if is_set("version") && !has_key(text, "clusters") && !has_key(text, "contexts") {
        return Ok(Source::Settings);
    }
    let kinds = text.lines().filter(|line| has_key(line, "kind"));
    if has_key(text, "contexts")
        || has_key(text, "clusters")
        || kinds.clone().any(|line| line.contains("Config"))
    {
        return Ok(Source::Kubeconfig);
    }
    if text.trim_start().starts_with('{') {
        return Err(Failure::new(
            format!("{name} is not valid JSON, or is truncated"),
            SUPPORTED_FILES,
        ));
    }
    Err(Failure::new(
        format!("{name} is not a file that Batida recognizes"),
        SUPPORTED_FILES,
    ))
}

/// Whether a YAML text has this key: indented, quoted or within braces.
fn has_key(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let begins =
            before.is_none_or(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '{' | ',' | '-'));
        let after = text[at + name.len()..].trim_start_matches(['"', '\'', ' ', '\t']);
        begins && after.starts_with(':')
    })
}

/// The number of documents in a YAML file. kubectl reads only the first.
pub fn documents(bytes: &[u8]) -> usize {
    let Ok(text) = encoding::text(bytes) else {
        return 1;
    };
    let mut documents = 1;
    let mut filled = false;
    for line in text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
    {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            documents += usize::from(filled);
            filled = false;
        } else {
            filled = true;
        }
    }
    documents - usize::from(!filled && documents > 1)
}

/// Reads SambaWiz's `app-config.json`. Its paths are relative to `folder`, where it is.
///
/// # Errors
/// When the file is not valid JSON or has no environments.
pub fn read_sambawiz(name: &str, bytes: &[u8], folder: &Path) -> Result<Vec<Offer>, Failure> {
    let text = encoding::text(bytes).map_err(|why| {
        Failure::new(
            format!("{name} is not readable text: it is {}", why.what),
            SUPPORTED_FILES,
        )
    })?;
    let parsed: Value = serde_json::from_str(&text).map_err(|why| {
        Failure::new(
            format!("{name} is not valid JSON, or is truncated"),
            SUPPORTED_FILES,
        )
        .with_details(why.to_string())
    })?;
    let Some(entries) = parsed["kubeconfigs"]
        .as_object()
        .filter(|entries| !entries.is_empty())
    else {
        let advice = "SambaWiz keeps environments under \"kubeconfigs\". Check that this is its \
             app-config.json";
        return Err(Failure::new(format!("{name} has no environments"), advice));
    };
    Ok(entries
        .iter()
        .map(|(env, entry)| of_sambawiz(env, entry, folder))
        .collect())
}

fn of_sambawiz(name: &str, entry: &Value, folder: &Path) -> Offer {
    let mut offer = Offer::of(Environment::blank(EnvId::fresh(), name.trim()));
    let Some(fields) = entry.as_object() else {
        offer.wrong = Some("its entry is not an object".to_owned());
        return offer;
    };
    match text_of(fields, "file") {
        Some(file) => {
            let namespace = text_of(fields, "namespace").unwrap_or("default").to_owned();
            let kubeconfig = Some(resolved(folder, file));
            offer.env.cluster = Some(ClusterAccess {
                kubeconfig,
                namespace,
                ..ClusterAccess::default()
            });
        }
        None => offer
            .remarks
            .push("it has no kubeconfig, so it has no cluster".to_owned()),
    }
    match text_of(fields, "apiDomain").map(ApiAddress::parse) {
        Some(Ok(api)) => offer.env.api = Some(api),
        Some(Err(why)) => offer
            .remarks
            .push(format!("its API domain was skipped: {why}")),
        None => offer.remarks.push("it has no API domain".to_owned()),
    }
    // The key store checks whether it is a valid key.
    offer.key = text_of(fields, "apiKey").map(|key| SecretString::from(key.to_owned()));
    // A key without a host could be sent to a wrong one.
    if offer.env.api.is_none() && offer.key.take().is_some() {
        offer
            .remarks
            .push("its key was skipped, too: enter both in Environments".to_owned());
    }
    checked(offer)
}

fn text_of<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields
        .get(name)?
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// Keeps a leading `~/`, which is expanded when the file is opened.
fn resolved(folder: &Path, file: &str) -> PathBuf {
    if file.starts_with("~/") {
        PathBuf::from(file)
    } else {
        folder.join(file)
    }
}

/// Reads the output of `kubectl config view -o json` for the kubeconfig at `path`: one environment per context.
///
/// # Errors
/// When the output is not JSON or has no contexts.
pub fn read_contexts(json: &[u8], path: &Path) -> Result<Vec<Offer>, Failure> {
    let shown = path.display();
    let parsed: Value = serde_json::from_slice(json).map_err(|why| {
        Failure::new(
            format!("kubectl's output for {shown} is not valid JSON"),
            "Check that the configured program is kubectl",
        )
        .with_details(why.to_string())
    })?;
    let contexts = parsed["contexts"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let offers: Vec<Offer> = contexts
        .iter()
        .filter_map(|context| of_context(context, path))
        .collect();
    if offers.is_empty() {
        return Err(Failure::new(
            format!("{shown} has no contexts"),
            "Check that it is the right kubeconfig",
        ));
    }
    Ok(offers)
}

fn of_context(context: &Value, path: &Path) -> Option<Offer> {
    let name = context["name"].as_str().filter(|name| !name.is_empty())?;
    let namespace = context["context"]["namespace"]
        .as_str()
        .filter(|it| !it.is_empty());
    let mut offer = Offer::of(Environment::blank(EnvId::fresh(), name));
    if namespace.is_none() {
        offer
            .remarks
            .push("its context has no namespace: enter the one that SambaStack runs in".to_owned());
    }
    offer.env.cluster = Some(ClusterAccess {
        kubeconfig: Some(path.to_owned()),
        context: Some(name.to_owned()),
        namespace: namespace.unwrap_or("default").to_owned(),
        kubectl: None,
    });
    Some(checked(offer))
}

/// Environments of another Batida. The file may come from anywhere, so keys, certificate settings and the path of
/// kubectl are skipped.
pub fn of_settings(environments: Vec<Environment>) -> Vec<Offer> {
    let offer = |env: Environment| {
        let mut offer = Offer::of(Environment {
            id: EnvId::fresh(),
            ..env
        });
        match &offer.env.key {
            KeyPlace::None => {}
            // The variable may hold any of the user's secrets, which would be sent to this host.
            KeyPlace::Variable(name) => {
                let host = offer.env.api.as_ref().map_or("its API", ApiAddress::host);
                let doubt = format!(
                    "the value of ${name} would be sent to {host}: select it only if that is the \
                     key for this host"
                );
                offer.doubt = Some(doubt);
            }
            KeyPlace::Keychain | KeyPlace::SettingsFile => {
                offer.env.key = KeyPlace::Keychain;
                offer
                    .remarks
                    .push("its key was not imported: enter it in Environments".to_owned());
            }
        }
        if std::mem::take(&mut offer.env.accept_invalid_certs) {
            let remark =
                "it accepted any certificate, which was skipped: certificates are verified";
            offer.remarks.push(remark.to_owned());
        }
        if let Some(path) = offer.env.ca_file.take() {
            let remark = format!(
                "its CA file {} was skipped: set it in Environments",
                path.display()
            );
            offer.remarks.push(remark);
        }
        offer.env.client_key = None;
        if let Some(path) = offer.env.client_cert.take() {
            let remark = format!(
                "its client certificate {} was skipped: set it in Environments",
                path.display()
            );
            offer.remarks.push(remark);
        }
        let program = offer
            .env
            .cluster
            .as_mut()
            .and_then(|cluster| cluster.kubectl.take());
        if let Some(path) = program {
            let remark = format!(
                "its kubectl {} was skipped: kubectl from PATH is used",
                path.display()
            );
            offer.remarks.push(remark);
        }
        checked(offer)
    };
    environments
        .into_iter()
        .filter(|env| !env.demo)
        .map(offer)
        .collect()
}

fn checked(mut offer: Offer) -> Offer {
    let Environment {
        name, api, cluster, ..
    } = &offer.env;
    let namespace = cluster
        .as_ref()
        .filter(|cluster| !cluster.namespace.is_empty())
        .and_then(|cluster| check_namespace(&cluster.namespace).err());
    offer.wrong = match namespace {
        _ if name.trim().is_empty() => Some("it has no name".to_owned()),
        Some(why) => Some(format!("its namespace is not valid: {why}")),
        None if api.is_none() && cluster.is_none() => {
            Some("it has neither a cluster nor an API".to_owned())
        }
        None => None,
    };
    offer
}

#[cfg(test)]
mod tests;

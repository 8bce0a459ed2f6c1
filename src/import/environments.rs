//! Environments out of other files: SambaWiz's `app-config.json`, a kubeconfig's contexts.
//!
//! What is wrong with one of them is said of that one; the others can be taken all the same.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::domain::encoding;
use crate::domain::environment::{
    ApiAddress, ClusterAccess, EnvId, Environment, KeyPlace, check_namespace,
};
use crate::domain::failure::Failure;

/// A larger file is none of these.
pub const MOST_BYTES: usize = 4 << 20;

const KNOWN: &str = "Batida takes environments from SambaWiz's app-config.json, from a kubeconfig, and from another \
                     Batida's settings.toml";

/// What a file is, by what is in it.
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
    /// As people say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SambaWiz => "SambaWiz's app-config.json",
            Self::Kubeconfig => "a kubeconfig",
            Self::Settings => "another Batida's settings",
        }
    }
}

/// An environment that could be added.
// No key is ever shown: `SecretString` hides it.
#[derive(Debug, Clone)]
pub struct Offer {
    /// As it would be added, under an id of its own.
    pub env: Environment,
    /// Its API key, where the file holds one.
    pub key: Option<SecretString>,
    /// Why it cannot be added, in words; `None` when it can.
    pub wrong: Option<String>,
    /// Why it is added only if somebody says so, in words; `None` when nothing speaks against it.
    pub doubt: Option<String>,
    /// What is left out or looks odd, in words.
    pub remarks: Vec<String>,
}

impl Offer {
    /// Of an environment with nothing to remark.
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

/// What a file seems to be. `name` is the file's, for what is said about it.
///
/// # Errors
/// When it is none that is known.
pub fn source_of(name: &str, bytes: &[u8]) -> Result<Source, Failure> {
    if bytes.len() > MOST_BYTES {
        let why = format!(
            "{name} has more than {} MiB, so it is none of the files that are known",
            MOST_BYTES >> 20
        );
        return Err(Failure::new(why, KNOWN));
    }
    let text = encoding::text(bytes).map_err(|why| {
        Failure::new(
            format!("{name} is not text that can be read: it is {}", why.what),
            KNOWN,
        )
    })?;
    let text = &*text;
    if text.trim().is_empty() {
        return Err(Failure::new(format!("{name} is empty"), KNOWN));
    }
    if let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) {
        return match (
            fields.contains_key("kubeconfigs"),
            fields.contains_key("contexts"),
        ) {
            (true, _) => Ok(Source::SambaWiz),
            (false, true) => Ok(Source::Kubeconfig),
            (false, false) => Err(Failure::new(
                format!("{name} is JSON of something else"),
                KNOWN,
            )),
        };
    }
    // A whole YAML reader is kubectl's business: whatever could be a kubeconfig is given to it.
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
            format!("{name} is no JSON, or is cut off"),
            KNOWN,
        ));
    }
    Err(Failure::new(
        format!("{name} is none of the files that are known"),
        KNOWN,
    ))
}

/// Whether a YAML text has a key of this name, in whatever style: indented, quoted, or within braces.
fn has_key(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let begins =
            before.is_none_or(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '{' | ',' | '-'));
        let after = text[at + name.len()..].trim_start_matches(['"', '\'', ' ', '\t']);
        begins && after.starts_with(':')
    })
}

/// How many documents a YAML file has. kubectl reads the first.
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

/// Reads SambaWiz's `app-config.json`, which is in `folder`: its paths are relative to that.
///
/// # Errors
/// When it holds no environments.
pub fn read_sambawiz(name: &str, bytes: &[u8], folder: &Path) -> Result<Vec<Offer>, Failure> {
    let text = encoding::text(bytes).map_err(|why| {
        Failure::new(
            format!("{name} is not text that can be read: it is {}", why.what),
            KNOWN,
        )
    })?;
    let parsed: Value = serde_json::from_str(&text).map_err(|why| {
        Failure::new(format!("{name} is no JSON, or is cut off"), KNOWN)
            .with_details(why.to_string())
    })?;
    let Some(entries) = parsed["kubeconfigs"]
        .as_object()
        .filter(|entries| !entries.is_empty())
    else {
        let advice =
            "SambaWiz keeps them under \"kubeconfigs\": is this its file, and are there any?";
        return Err(Failure::new(
            format!("{name} holds no environments"),
            advice,
        ));
    };
    Ok(entries
        .iter()
        .map(|(env, entry)| of_sambawiz(env, entry, folder))
        .collect())
}

fn of_sambawiz(name: &str, entry: &Value, folder: &Path) -> Offer {
    let mut offer = Offer::of(Environment::blank(EnvId::fresh(), name.trim()));
    let Some(fields) = entry.as_object() else {
        offer.wrong = Some("its entry is no object".to_owned());
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
            .push("it names no kubeconfig, so it has no cluster".to_owned()),
    }
    match text_of(fields, "apiDomain").map(ApiAddress::parse) {
        Some(Ok(api)) => offer.env.api = Some(api),
        Some(Err(why)) => offer
            .remarks
            .push(format!("its API domain is left out: {why}")),
        None => offer.remarks.push("it has no API domain yet".to_owned()),
    }
    // Whether it can be a key is seen where it is kept.
    offer.key = text_of(fields, "apiKey").map(|key| SecretString::from(key.to_owned()));
    // A key that belongs to no host could end up at any.
    if offer.env.api.is_none() && offer.key.take().is_some() {
        offer
            .remarks
            .push("its key is left out with it: type both on Home".to_owned());
    }
    judged(offer)
}

/// A text that is not empty.
fn text_of<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields
        .get(name)?
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// A leading `~/` is expanded where the path is used.
fn resolved(folder: &Path, file: &str) -> PathBuf {
    if file.starts_with("~/") {
        PathBuf::from(file)
    } else {
        folder.join(file)
    }
}

/// Reads what `kubectl config view -o json` says of the kubeconfig at `path`: an environment each context.
///
/// # Errors
/// When it has no contexts.
pub fn read_contexts(json: &[u8], path: &Path) -> Result<Vec<Offer>, Failure> {
    let shown = path.display();
    let parsed: Value = serde_json::from_slice(json).map_err(|why| {
        Failure::new(
            format!("kubectl's answer to {shown} cannot be understood"),
            "Check that the program is kubectl",
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
            format!("{shown} holds no contexts"),
            "Is it the right kubeconfig?",
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
            .push("its context names no namespace: set the one SambaStack runs in".to_owned());
    }
    offer.env.cluster = Some(ClusterAccess {
        kubeconfig: Some(path.to_owned()),
        context: Some(name.to_owned()),
        namespace: namespace.unwrap_or("default").to_owned(),
        kubectl: None,
    });
    Some(judged(offer))
}

/// Another Batida's environments. Their keys are not taken along, nor is what would run a program or take a
/// certificate that nobody has looked at: the file may come from anywhere.
pub fn of_settings(environments: Vec<Environment>) -> Vec<Offer> {
    let offer = |env: Environment| {
        let mut offer = Offer::of(Environment {
            id: EnvId::fresh(),
            ..env
        });
        match &offer.env.key {
            KeyPlace::None => {}
            // Any secret of the user's may be in it, and would be sent there; in the usual one surely is one.
            KeyPlace::Variable(name) => {
                let host = offer.env.api.as_ref().map_or("its API", ApiAddress::host);
                let doubt = format!(
                    "what is in ${name} would be sent to {host}: tick it only if it is that key"
                );
                offer.doubt = Some(doubt);
            }
            KeyPlace::Keychain | KeyPlace::SettingsFile => {
                offer.env.key = KeyPlace::Keychain;
                offer
                    .remarks
                    .push("its key is not taken along: type it on Home".to_owned());
            }
        }
        if std::mem::take(&mut offer.env.accept_invalid_certs) {
            let told = "it trusted any certificate, which is left out: certificates are checked";
            offer.remarks.push(told.to_owned());
        }
        if let Some(path) = offer.env.ca_file.take() {
            let told = format!(
                "it trusted the authorities in {}, which is left out: set it on Home",
                path.display()
            );
            offer.remarks.push(told);
        }
        offer.env.client_key = None;
        if let Some(path) = offer.env.client_cert.take() {
            let told = format!(
                "its client certificate {} is left out: set it on Home",
                path.display()
            );
            offer.remarks.push(told);
        }
        let program = offer
            .env
            .cluster
            .as_mut()
            .and_then(|cluster| cluster.kubectl.take());
        if let Some(path) = program {
            let told = format!(
                "its program {} is left out: kubectl is looked for in PATH",
                path.display()
            );
            offer.remarks.push(told);
        }
        judged(offer)
    };
    environments
        .into_iter()
        .filter(|env| !env.demo)
        .map(offer)
        .collect()
}

fn judged(mut offer: Offer) -> Offer {
    let Environment {
        name, api, cluster, ..
    } = &offer.env;
    let namespace = cluster
        .as_ref()
        .filter(|cluster| !cluster.namespace.is_empty())
        .and_then(|cluster| check_namespace(&cluster.namespace).err());
    offer.wrong = match namespace {
        _ if name.trim().is_empty() => Some("it has no name".to_owned()),
        Some(why) => Some(format!("its namespace makes no sense: {why}")),
        None if api.is_none() && cluster.is_none() => {
            Some("it has neither a cluster nor an API".to_owned())
        }
        None => None,
    };
    offer
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    use super::*;

    fn sambawiz(value: &Value) -> Result<Vec<Offer>, Failure> {
        read_sambawiz(
            "app-config.json",
            value.to_string().as_bytes(),
            Path::new("/home/me/sambawiz"),
        )
    }

    #[test]
    fn sambawiz_environments_are_read_with_paths_relative_to_their_file() {
        let offers = sambawiz(&json!({"currentKubeconfig": "prod", "kubeconfigs": {
            "prod": {"file": "kubeconfigs/prod.yaml", "namespace": "sambastack", "uiDomain": "https://ui.example.com/",
                "apiDomain": "https://api.example.com/", "apiKey": "sk-secret-1234"},
            "bare": {"file": "/etc/kube/bare.yaml", "apiKey": ""},
            "odd": {"file": "~/x.yaml", "namespace": "Not_One", "apiDomain": "ftp://x"},
            "nothing": {}, "text": "hm",
        }})).unwrap();
        let [prod, bare, odd, nothing, text] = offers.as_slice() else {
            panic!("{offers:?}")
        };
        let cluster = prod.env.cluster.as_ref().unwrap();
        assert_eq!(
            cluster.kubeconfig.as_deref(),
            Some(Path::new("/home/me/sambawiz/kubeconfigs/prod.yaml"))
        );
        assert_eq!(
            (prod.env.name.as_str(), cluster.namespace.as_str()),
            ("prod", "sambastack")
        );
        assert_eq!(
            prod.env.api.as_ref().unwrap().root(),
            "https://api.example.com"
        );
        assert_eq!(prod.key.as_ref().unwrap().expose_secret(), "sk-secret-1234");
        assert!(prod.wrong.is_none() && prod.remarks.is_empty(), "{prod:?}");
        assert!(
            !format!("{prod:?}").contains("sk-secret"),
            "a key is never shown"
        );
        assert_eq!(bare.env.cluster.as_ref().unwrap().namespace, "default");
        assert_eq!(
            (bare.key.is_none(), bare.remarks.as_slice()),
            (true, ["it has no API domain yet".to_owned()].as_slice())
        );
        assert!(
            odd.wrong.as_ref().unwrap().contains("namespace")
                && odd.remarks[0].contains("API domain")
        );
        assert_eq!(
            nothing.wrong.as_deref(),
            Some("it has neither a cluster nor an API")
        );
        assert_eq!(text.wrong.as_deref(), Some("its entry is no object"));
    }

    #[test]
    fn each_context_is_an_environment_of_its_name() {
        let json = json!({"contexts": [
            {"name": "east-admin", "context": {"cluster": "east", "namespace": "sambastack"}},
            {"name": "west", "context": {"cluster": "west"}}, {"name": ""}, 5,
        ]});
        let offers = read_contexts(json.to_string().as_bytes(), Path::new("/kube")).unwrap();
        assert_eq!(offers.len(), 2);
        let access = offers[0].env.cluster.as_ref().unwrap();
        assert_eq!(
            (access.context.as_deref(), access.namespace.as_str()),
            (Some("east-admin"), "sambastack")
        );
        assert_eq!(access.kubeconfig.as_deref(), Some(Path::new("/kube")));
        assert!(offers[1].remarks[0].contains("no namespace"));
        assert!(
            read_contexts(b"{}", Path::new("/kube"))
                .unwrap_err()
                .summary
                .contains("/kube holds no contexts")
        );
    }

    #[test]
    fn a_file_is_known_by_what_is_in_it() {
        for (text, source) in [
            ("{\"kubeconfigs\":{}}", Some(Source::SambaWiz)),
            ("\u{feff}{\"kubeconfigs\":{}}", Some(Source::SambaWiz)),
            (
                "{\"kind\":\"Config\",\"contexts\":[]}",
                Some(Source::Kubeconfig),
            ),
            (
                "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n",
                Some(Source::Kubeconfig),
            ),
            ("version = 1\n\n[[environments]]\n", Some(Source::Settings)),
            // In all the styles that kubectl reads.
            (
                "# mine\n---\nkind: Config\ncontexts :\n  - name: a\n",
                Some(Source::Kubeconfig),
            ),
            ("  \"clusters\" :\n  - name: a\n", Some(Source::Kubeconfig)),
            (
                "{kind: Config, contexts: [{name: a}]}",
                Some(Source::Kubeconfig),
            ),
            ("apiVersion: v1\nkind: Config\n", Some(Source::Kubeconfig)),
            ("x: &c\n- name: a\ncontexts: *c\n", Some(Source::Kubeconfig)),
            ("kind: Deployment\nmetadata: {}\n", None),
            ("{\"a\":1}", None),
            ("{\"kubeconfigs\":", None),
            ("hello", None),
            (" \n", None),
        ] {
            assert_eq!(source_of("f", text.as_bytes()).ok(), source, "{text}");
        }
        assert!(
            source_of("f", b"\xe9\xff")
                .unwrap_err()
                .summary
                .contains("not text")
        );
        assert!(source_of("f", &vec![b'x'; MOST_BYTES + 1]).is_err());
    }

    #[test]
    fn a_kubeconfig_in_utf16_is_known_and_its_documents_are_counted() {
        let text = "apiVersion: v1\nkind: Config\ncontexts: []\n";
        let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            std::iter::once(0xfeff)
                .chain(text.encode_utf16())
                .flat_map(bytes)
                .collect()
        };
        for bytes in [utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)] {
            assert_eq!(source_of("f", &bytes).ok(), Some(Source::Kubeconfig));
        }
        for (documents_of, n) in [
            (text.to_owned(), 1),
            (format!("---\n{text}"), 1),
            (format!("# a\n---\n{text}---\n"), 1),
            (format!("{text}---\n{text}--- \n{text}"), 3),
        ] {
            assert_eq!(documents(documents_of.as_bytes()), n, "{documents_of}");
        }
    }

    #[test]
    fn keys_of_another_batida_stay_there() {
        let env = |key| Environment {
            key,
            api: ApiAddress::parse("a.example").ok(),
            ..Environment::blank(EnvId("x".to_owned()), "a")
        };
        let variable = KeyPlace::Variable("K".to_owned());
        let offers = of_settings(vec![
            env(KeyPlace::SettingsFile),
            env(variable.clone()),
            Environment::demo(),
        ]);
        assert_eq!(offers.len(), 2);
        assert_eq!(
            (&offers[0].env.key, &offers[1].env.key),
            (&KeyPlace::Keychain, &variable)
        );
        assert!(
            offers
                .iter()
                .all(|offer| offer.key.is_none() && offer.env.id.0 != "x")
        );
        assert!(
            offers[0].doubt.is_none() && offers[1].doubt.as_ref().unwrap().contains("$K"),
            "{offers:?}"
        );
    }

    #[test]
    fn what_could_do_harm_is_left_out_or_said() {
        let kubectl = Some(PathBuf::from("/tmp/evil"));
        let usual = KeyPlace::Variable(crate::domain::environment::KEY_VARIABLE.to_owned());
        let env = Environment {
            key: usual.clone(),
            api: ApiAddress::parse("evil.example").ok(),
            accept_invalid_certs: true,
            ca_file: Some(PathBuf::from("/tmp/ca.pem")),
            client_cert: Some(PathBuf::from("/tmp/me.pem")),
            client_key: Some(PathBuf::from("/tmp/me.key")),
            cluster: Some(ClusterAccess {
                kubectl,
                ..ClusterAccess::default()
            }),
            ..Environment::blank(EnvId("x".to_owned()), "a")
        };
        let [offer] = of_settings(vec![env]).try_into().unwrap();
        assert!(!offer.env.accept_invalid_certs);
        assert_eq!(offer.env.cluster.as_ref().unwrap().kubectl, None);
        assert_eq!((&offer.env.key, &offer.env.ca_file), (&usual, &None));
        assert_eq!(
            (&offer.env.client_cert, &offer.env.client_key),
            (&None, &None)
        );
        let doubt = offer.doubt.expect("the usual variable holds a key, too");
        assert!(
            doubt.contains("$SAMBANOVA_API_KEY") && doubt.contains("evil.example"),
            "{doubt}"
        );
        for word in ["any certificate", "/tmp/evil", "/tmp/ca.pem", "/tmp/me.pem"] {
            assert!(
                offer.remarks.iter().any(|remark| remark.contains(word)),
                "{word}: {:?}",
                offer.remarks
            );
        }
    }

    #[test]
    fn a_key_without_an_api_is_left_out_and_that_is_said() {
        for api in [json!(null), json!("ftp://x")] {
            let entry = json!({"file": "a", "apiDomain": api, "apiKey": "sk-secret-1234"});
            let offers = sambawiz(&json!({"kubeconfigs": {"a": entry}})).unwrap();
            assert!(offers[0].key.is_none());
            assert!(
                offers[0].remarks[1].contains("key is left out"),
                "{:?}",
                offers[0].remarks
            );
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("kubeconfigs".to_owned()),
            Just("file".to_owned()),
            Just("namespace".to_owned()),
            Just("apiDomain".to_owned()),
            Just("apiKey".to_owned()),
            Just("contexts".to_owned()),
            Just("context".to_owned()),
            Just("name".to_owned()),
            ".{0,6}",
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_file_makes_the_readers_panic(value in any_json(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = value.to_string();
            for bytes in [text.as_bytes(), bytes.as_slice()] {
                let _ = source_of("f", bytes);
                let _ = read_sambawiz("f", bytes, Path::new("/x"));
                let _ = read_contexts(bytes, Path::new("/x"));
            }
        }
    }
}

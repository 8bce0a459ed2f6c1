//! kubectl's twin: answers Batida's questions, and those of SambaStack's handbook, from a made-up cluster.
//!
//! Its answers go through the same subprocess and the same parsing as kubectl's.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::sambastack::pods::{CACHE, DEFAULT_GROUP, cache_pod, group_pod};
use crate::sambastack::read::read;
use crate::sambastack::status::{Columns, columns};

/// The namespace that the made-up cluster fills.
pub const NAMESPACE: &str = "sambastack";
const CONTEXT: &str = "demo";
/// What installed the made-up SambaStack.
const CHART: &str = "sambastack-2.3.2";
const SERVER: &str = "https://demo.invalid:6443";
const VERSION: &str = "v1.33.0-demo";
/// Nothing ever changes in the made-up cluster.
const LIST_VERSION: &str = "1";
const SINCE: &str = "2026-11-02T08:00:00Z";
const NOT_FOUND: &str =
    "Error from server (NotFound): the server could not find the requested resource";

/// What the twin prints, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TwinAnswer {
    /// For standard output.
    pub stdout: Vec<u8>,
    /// For standard error.
    pub stderr: String,
    /// 0, or 1 as kubectl's.
    pub code: i32,
}

impl TwinAnswer {
    fn said(stdout: impl Into<Vec<u8>>) -> Self {
        Self {
            stdout: stdout.into(),
            ..Self::default()
        }
    }

    fn json(value: &Value) -> Self {
        Self::said(format!("{value:#}\n"))
    }

    fn failed(stderr: impl Into<String>) -> Self {
        Self {
            stderr: stderr.into() + "\n",
            code: 1,
            ..Self::default()
        }
    }
}

/// Answers as kubectl would; `args` do not hold the program's name.
pub fn answer(args: &[OsString]) -> TwinAnswer {
    let args: Vec<String> = args
        .iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let question = match Question::parse(&args) {
        Ok(question) => question,
        Err(trouble) => return TwinAnswer::failed(trouble),
    };
    let words: Vec<&str> = question.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["config", rest @ ..] => config(&question, rest),
        ["version"] => version(&question),
        _ if question
            .context
            .as_deref()
            .is_some_and(|context| context != CONTEXT) =>
        {
            let context = question.context.unwrap_or_default();
            TwinAnswer::failed(format!(
                "Error in configuration: context was not found for specified context: {context}"
            ))
        }
        ["auth", "can-i", ..] => TwinAnswer::said("yes\n"),
        ["get"] if question.raw.is_some() => raw(question.raw.as_deref().unwrap_or_default()),
        ["describe", "pod" | "pods", name] => describe(&question, name),
        ["get", "deployments.apps,configmaps"]
            if question.output.starts_with("custom-columns=CHART:") =>
        {
            TwinAnswer::said(format!("{CHART}\n<none>\n"))
        }
        ["logs", pod] => match log_of(&question, pod) {
            Some(lines) => TwinAnswer::said(lines.join("\n") + "\n"),
            None => TwinAnswer::failed(format!(
                "Error from server (NotFound): pods \"{pod}\" not found"
            )),
        },
        ["get", resource, names @ ..] => get(&question, resource, names),
        ["get"] => TwinAnswer::failed("error: Required resource not specified."),
        [] => TwinAnswer::said("kubectl's twin: the demo's cluster\n"),
        [other, ..] => TwinAnswer::failed(format!(
            "error: unknown command \"{other}\" for \"kubectl\""
        )),
    }
}

/// A watch, as the twin follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwinWatch {
    /// What is printed at once, a line each.
    pub first: Vec<String>,
    /// What is printed each minute: that nothing has changed.
    pub bookmark: String,
    /// For how long.
    pub lasts: Duration,
}

/// Whether kubectl would follow something, and what it would print; `None` where [`answer`] says it all.
pub fn watch(args: &[OsString]) -> Option<TwinWatch> {
    let args: Vec<String> = args
        .iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let question = Question::parse(&args).ok()?;
    let words: Vec<&str> = question.words.iter().map(String::as_str).collect();
    if let (["logs", pod], true) = (words.as_slice(), question.follow) {
        return log_of(&question, pod).map(|first| TwinWatch {
            first,
            bookmark: "health check: ok".to_owned(),
            lasts: Duration::from_secs(86_400),
        });
    }
    let raw = question.raw?;
    let (path, query) = raw.split_once('?')?;
    let parameter = |name: &str| {
        query.split('&').find_map(|part| {
            part.strip_prefix(name)?
                .strip_prefix('=')
                .map(str::to_owned)
        })
    };
    if !matches!(parameter("watch").as_deref(), Some("true" | "1")) {
        return None;
    }
    let (before, plural) = path.trim_end_matches('/').rsplit_once('/')?;
    let (_, namespace) = before.rsplit_once('/')?;
    let kind = KINDS.iter().find(|kind| kind.plural == plural)?;
    let line = |event: &str, object: Value| json!({"type": event, "object": object}).to_string();
    let version = parameter("resourceVersion").unwrap_or_default();
    let mut lasts = Duration::from_secs(
        parameter("timeoutSeconds")
            .and_then(|it| it.parse().ok())
            .unwrap_or(1_800),
    );
    let first = match version.as_str() {
        LIST_VERSION => Vec::new(),
        "" | "0" => kind
            .items(namespace)
            .into_iter()
            .map(|item| line("ADDED", item))
            .collect(),
        _ => {
            lasts = Duration::ZERO;
            let message = format!("too old resource version: {version} ({LIST_VERSION})");
            vec![line(
                "ERROR",
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": "Expired", "code": 410}),
            )]
        }
    };
    let object = json!({"kind": kind.kind, "apiVersion": kind.api_version(), "metadata": {"resourceVersion": LIST_VERSION}});
    Some(TwinWatch {
        first,
        bookmark: line("BOOKMARK", object),
        lasts,
    })
}

/// A command line taken apart: flags may stand anywhere.
#[derive(Debug, Default)]
struct Question {
    words: Vec<String>,
    namespace: Option<String>,
    context: Option<String>,
    output: String,
    raw: Option<String>,
    container: Option<String>,
    follow: bool,
    previous: bool,
    minify: bool,
    client: bool,
}

impl Question {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut question = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (flag, value) = split_flag(arg);
            let mut value = || {
                let value = value.map(str::to_owned).or_else(|| args.next().cloned());
                value.ok_or_else(|| format!("error: flag needs an argument: {flag}"))
            };
            match flag {
                "-n" | "--namespace" => question.namespace = Some(value()?),
                "--context" => question.context = Some(value()?),
                "-o" | "--output" => question.output = value()?,
                "--raw" => question.raw = Some(value()?),
                "--kubeconfig" | "--request-timeout" | "--cache-dir" => drop(value()?),
                "-l" | "--selector" => drop(value()?),
                "--no-headers" => {}
                "-c" | "--container" => question.container = Some(value()?),
                "--tail" => drop(value()?),
                "-f" | "--follow" => question.follow = true,
                "--previous" => question.previous = true,
                "--minify" => question.minify = true,
                "--client" => question.client = true,
                flag if flag.starts_with('-') => {
                    return Err(format!("error: unknown flag: {flag}"));
                }
                _ => question.words.push(arg.clone()),
            }
        }
        Ok(question)
    }

    fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(NAMESPACE)
    }
}

/// `--flag=value`, `-nvalue`, `-n=value`, or the flag alone.
fn split_flag(arg: &str) -> (&str, Option<&str>) {
    if arg.starts_with("--") {
        return arg
            .split_once('=')
            .map_or((arg, None), |(flag, value)| (flag, Some(value)));
    }
    match (arg.starts_with('-'), arg.get(..2), arg.get(2..)) {
        (true, Some(flag), Some(value)) if !value.is_empty() => {
            (flag, Some(value.strip_prefix('=').unwrap_or(value)))
        }
        _ => (arg, None),
    }
}

fn config(question: &Question, rest: &[&str]) -> TwinAnswer {
    let known = question
        .context
        .as_deref()
        .is_none_or(|context| context == CONTEXT);
    match rest {
        ["view"] if question.minify && !known => {
            let context = question.context.as_deref().unwrap_or_default();
            TwinAnswer::failed(format!("error: cannot locate context {context}"))
        }
        ["view"] => TwinAnswer::json(&json!({
            "kind": "Config",
            "apiVersion": "v1",
            "preferences": {},
            "clusters": [{"name": CONTEXT, "cluster": {"server": SERVER}}],
            "users": [{"name": CONTEXT, "user": {}}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": NAMESPACE}}],
            "current-context": CONTEXT,
        })),
        ["current-context"] | ["get-contexts"] => TwinAnswer::said(format!("{CONTEXT}\n")),
        _ => TwinAnswer::failed("error: unknown config command"),
    }
}

fn version(question: &Question) -> TwinAnswer {
    let version =
        json!({"major": "1", "minor": "33", "gitVersion": VERSION, "platform": "linux/amd64"});
    if question.output != "json" {
        return TwinAnswer::said(format!("Client Version: {VERSION}\n"));
    }
    let mut answer = json!({"clientVersion": version});
    if !question.client {
        answer["serverVersion"] = version;
    }
    TwinAnswer::json(&answer)
}

/// `get --raw PATH`
fn raw(path: &str) -> TwinAnswer {
    let path = path.split('?').next().unwrap_or(path).trim_end_matches('/');
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["version"] => {
            TwinAnswer::json(&json!({"major": "1", "minor": "33", "gitVersion": VERSION}))
        }
        ["livez" | "readyz" | "healthz"] => TwinAnswer::said("ok"),
        ["api", "v1", "namespaces", namespace] if *namespace == NAMESPACE => TwinAnswer::json(
            &json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": namespace}, "status": {"phase": "Active"}}),
        ),
        ["api", "v1", "namespaces", namespace] => TwinAnswer::failed(format!(
            "Error from server (NotFound): namespaces \"{namespace}\" not found"
        )),
        ["api", "v1", "namespaces", NAMESPACE, "events"] => TwinAnswer::json(&happened()),
        ["api", "v1", "namespaces", namespace, "pods", rest @ ..] => {
            raw_list(&PODS, namespace, rest)
        }
        ["apis", "apps", "v1", "namespaces", NAMESPACE, "deployments"] => {
            let labels = json!({"helm.sh/chart": CHART, "app.kubernetes.io/managed-by": "Helm"});
            let operator = json!({"metadata": {"name": "sambastack-operator", "labels": labels}});
            TwinAnswer::json(
                &json!({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {}, "items": [operator]}),
            )
        }
        ["apis", "sambanova.ai", "v1alpha1"] => TwinAnswer::json(&discovery()),
        [
            "apis",
            "sambanova.ai",
            "v1alpha1",
            "namespaces",
            namespace,
            plural,
            rest @ ..,
        ] => {
            match KINDS
                .iter()
                .find(|kind| kind.plural == *plural && kind.is_sambanova())
            {
                Some(kind) => raw_list(kind, namespace, rest),
                None => TwinAnswer::failed(NOT_FOUND),
            }
        }
        _ => TwinAnswer::failed(NOT_FOUND),
    }
}

fn raw_list(kind: &Kind, namespace: &str, rest: &[&str]) -> TwinAnswer {
    let items = kind.items(namespace);
    match rest {
        [] => TwinAnswer::said(
            json!({"apiVersion": kind.api_version(), "kind": format!("{}List", kind.kind), "metadata": {"resourceVersion": LIST_VERSION}, "items": items})
                .to_string(),
        ),
        [name] => match items.iter().find(|item| item["metadata"]["name"] == *name) {
            Some(item) => TwinAnswer::said(item.to_string()),
            None => kind.not_found(name),
        },
        _ => TwinAnswer::failed(NOT_FOUND),
    }
}

/// `get RESOURCE [NAME…]`
fn get(question: &Question, resource: &str, names: &[&str]) -> TwinAnswer {
    let short = resource.strip_suffix(".sambanova.ai").unwrap_or(resource);
    let short = short.strip_suffix(".v1alpha1").unwrap_or(short);
    let Some(kind) = KINDS.iter().find(|kind| kind.is_called(short)) else {
        return TwinAnswer::failed(format!(
            "error: the server doesn't have a resource type \"{resource}\""
        ));
    };
    let namespace = question.namespace();
    let all = kind.items(namespace);
    let mut items = Vec::new();
    for name in names {
        match all.iter().find(|item| item["metadata"]["name"] == *name) {
            Some(item) => items.push(item.clone()),
            None => return kind.not_found(name),
        }
    }
    match (question.output.as_str(), names) {
        ("json", [_]) => TwinAnswer::json(&items[0]),
        ("json", _) => {
            let items = if names.is_empty() { all } else { items };
            TwinAnswer::json(
                &json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}),
            )
        }
        ("" | "wide" | "name", _) => {
            let items = if names.is_empty() { all } else { items };
            if items.is_empty() {
                let stderr = format!("No resources found in {namespace} namespace.\n");
                return TwinAnswer {
                    stderr,
                    ..TwinAnswer::default()
                };
            }
            TwinAnswer::said(kind.table(&items, question.output == "name"))
        }
        (other, _) => TwinAnswer::failed(format!(
            "error: unable to match a printer suitable for the output format \"{other}\", allowed formats are: json,name,wide"
        )),
    }
}

/// The command that Home's checks advise.
fn describe(question: &Question, name: &str) -> TwinAnswer {
    let found = pods()
        .into_iter()
        .find(|pod| pod["metadata"]["name"] == name);
    let Some(pod) = found.filter(|_| question.namespace() == NAMESPACE) else {
        return TwinAnswer::failed(format!(
            "Error from server (NotFound): pods \"{name}\" not found"
        ));
    };
    let status = &pod["status"];
    let phase = status["phase"].as_str().unwrap_or("Unknown");
    let mut lines = vec![
        format!("Name:             {name}"),
        format!("Namespace:        {NAMESPACE}"),
        format!("Status:           {phase}"),
    ];
    for (title, list) in [
        ("Init Containers", "initContainerStatuses"),
        ("Containers", "containerStatuses"),
        ("Conditions", "conditions"),
    ] {
        let entries = status[list]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if !entries.is_empty() {
            lines.push(format!("{title}:"));
            lines.extend(entries.iter().map(|entry| format!("  {entry}")));
        }
    }
    TwinAnswer::said(lines.join("\n") + "\n")
}

/// What has happened in the made-up cluster.
fn happened() -> Value {
    let event = |kind: &str, name: &str, reason: &str, message: &str, count: u32| {
        json!({"involvedObject": {"kind": kind, "name": name}, "type": "Warning", "reason": reason,
            "message": message, "count": count, "lastTimestamp": SINCE})
    };
    let spare = "inf-md-qwen3-spare-cache";
    let quota = format!(
        "create Pod {spare}-0 in StatefulSet {spare} failed error: pods \"{spare}-0\" is forbidden: exceeded \
         quota: team-a, requested: sambanova.ai/rdu=16, used: sambanova.ai/rdu=64, limited: sambanova.ai/rdu=64"
    );
    let items = [
        event("StatefulSet", spare, "FailedCreate", &quota, 31),
        event(
            "Pod",
            "inf-bd-qwen-nightly-cache-0",
            "Failed",
            "Failed to pull image \"cache:nightly\": not found",
            12,
        ),
        event(
            "Pod",
            "inf-md-deepseek-canary-q-default-n-0",
            "BackOff",
            "Back-off restarting failed container inf",
            58,
        ),
    ];
    json!({"kind": "EventList", "apiVersion": "v1", "metadata": {"resourceVersion": LIST_VERSION}, "items": items})
}

/// What a container has written, if its pod has such a container.
fn log_of(question: &Question, pod: &str) -> Option<Vec<String>> {
    let pod = pods()
        .into_iter()
        .find(|it| it["metadata"]["name"] == pod)?;
    let statuses = ["containerStatuses", "initContainerStatuses"]
        .map(|list| pod["status"][list].as_array().cloned());
    let mut statuses = statuses.into_iter().flatten().flatten();
    let status = match &question.container {
        Some(container) => statuses.find(|status| status["name"] == **container)?,
        None => statuses.next()?,
    };
    let name = status["name"].as_str().unwrap_or_default();
    let mut lines = vec![
        format!("{SINCE} {name}: starting"),
        format!("{SINCE} {name}: reading the checkpoint"),
    ];
    lines.push(match (question.previous, status["ready"] == true) {
        (true, _) => format!("{SINCE} {name}: out of memory"),
        (false, true) => format!("{SINCE} {name}: ready"),
        (false, false) => format!("{SINCE} {name}: waiting"),
    });
    Some(lines)
}

fn discovery() -> Value {
    let resources: Vec<Value> = KINDS
        .iter()
        .filter(|kind| kind.is_sambanova())
        .map(|kind| {
            json!({"name": kind.plural, "singularName": kind.singular, "namespaced": true, "kind": kind.kind,
                "verbs": ["get", "list", "watch"]})
        })
        .collect();
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "sambanova.ai/v1alpha1", "resources": resources})
}

/// A kind that the made-up cluster knows.
struct Kind {
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    items: fn() -> Vec<Value>,
}

const PODS: Kind = Kind {
    kind: "Pod",
    plural: "pods",
    singular: "pod",
    items: pods,
};
const KINDS: [Kind; 8] = [
    Kind {
        kind: "BundleDeployment",
        plural: "bundledeployments",
        singular: "bundledeployment",
        items: bundle_deployments,
    },
    Kind {
        kind: "Bundle",
        plural: "bundles",
        singular: "bundle",
        items: bundles,
    },
    Kind {
        kind: "ModelDeployment",
        plural: "modeldeployments",
        singular: "modeldeployment",
        items: model_deployments,
    },
    Kind {
        kind: "ModelBundle",
        plural: "modelbundles",
        singular: "modelbundle",
        items: model_bundles,
    },
    Kind {
        kind: "BundleTemplate",
        plural: "bundletemplates",
        singular: "bundletemplate",
        items: bundle_templates,
    },
    Kind {
        kind: "ModelProfile",
        plural: "modelprofiles",
        singular: "modelprofile",
        items: model_profiles,
    },
    Kind {
        kind: "Model",
        plural: "models",
        singular: "model",
        items: models,
    },
    PODS,
];

impl Kind {
    fn is_sambanova(&self) -> bool {
        self.kind != PODS.kind
    }

    fn is_called(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        name == self.plural || name == self.singular || (name == "po" && !self.is_sambanova())
    }

    fn api_version(&self) -> &'static str {
        if self.is_sambanova() {
            "sambanova.ai/v1alpha1"
        } else {
            "v1"
        }
    }

    fn full_name(&self) -> String {
        if self.is_sambanova() {
            format!("{}.sambanova.ai", self.plural)
        } else {
            self.plural.to_owned()
        }
    }

    fn not_found(&self, name: &str) -> TwinAnswer {
        TwinAnswer::failed(format!(
            "Error from server (NotFound): {} \"{name}\" not found",
            self.full_name()
        ))
    }

    /// By name, as the API server lists them.
    fn items(&self, namespace: &str) -> Vec<Value> {
        if namespace != NAMESPACE {
            return Vec::new();
        }
        let mut items = (self.items)();
        for item in &mut items {
            item["apiVersion"] = self.api_version().into();
            item["kind"] = self.kind.into();
            item["metadata"]["namespace"] = NAMESPACE.into();
            item["metadata"]["creationTimestamp"] = SINCE.into();
        }
        items.sort_by_key(|item| {
            item["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        });
        items
    }

    fn table(&self, items: &[Value], names_only: bool) -> String {
        let name = |item: &Value| {
            item["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        if names_only {
            let prefix = if self.is_sambanova() {
                format!("{}.sambanova.ai", self.singular)
            } else {
                self.singular.to_owned()
            };
            return items
                .iter()
                .map(|item| format!("{prefix}/{}\n", name(item)))
                .collect();
        }
        let rows: Vec<[String; 4]> = items.iter().map(|item| self.row(item)).collect();
        let mut table = String::new();
        let header = if self.is_sambanova() {
            ["AGE", "", "", ""]
        } else {
            ["READY", "STATUS", "RESTARTS", "AGE"]
        };
        // Writing into a String cannot fail.
        writeln!(
            table,
            "{:<64}{:<8}{:<18}{:<11}{}",
            "NAME", header[0], header[1], header[2], header[3]
        )
        .ok();
        for (item, [a, b, c, d]) in items.iter().zip(rows) {
            writeln!(table, "{:<64}{a:<8}{b:<18}{c:<11}{d}", name(item)).ok();
        }
        table
    }

    fn row(&self, item: &Value) -> [String; 4] {
        let age = "21d".to_owned();
        if self.is_sambanova() {
            return [age, String::new(), String::new(), String::new()];
        }
        let Columns {
            ready,
            containers,
            status,
            restarts,
        } = columns(&read(&item.to_string()));
        [
            format!("{ready}/{containers}"),
            status,
            restarts.to_string(),
            age,
        ]
    }
}

/// How the pods of a made-up deployment are.
#[derive(Clone, Copy)]
enum Plight {
    Fine,
    OneOfTwo,
    NoImage,
    Crashing,
    NoNode,
    Preparing,
    NotThere,
    Leaving,
}

/// Deployments of the old generation: name, bundle, plight.
const OLD: [(&str, &str, Plight); 6] = [
    ("bd-gpt-oss-llama70b", "b-gpt-oss-llama70b", Plight::Fine),
    (
        "bd-llama-4-maverick-17b-128e-instruct-alcf",
        "b-llama-4-maverick",
        Plight::Fine,
    ),
    ("bd-minimax", "b-minimax", Plight::NotThere),
    ("bd-qwen-nightly", "b-qwen-nightly", Plight::NoImage),
    ("bd-retrieval", "b-retrieval", Plight::Fine),
    ("bd-whisper-old", "b-whisper", Plight::Leaving),
];

/// Bundles of the old generation: name, models, and why it is refused.
const BUNDLES: [(&str, &[&str], Option<&str>); 6] = [
    (
        "b-gpt-oss-llama70b",
        &["gpt-oss-120b", "Meta-Llama-3.3-70B-Instruct"],
        None,
    ),
    (
        "b-llama-4-maverick",
        &["Llama-4-Maverick-17B-128E-Instruct"],
        None,
    ),
    (
        "b-minimax",
        &["MiniMax-M2.7"],
        Some("checkpoint MINIMAX_M2_7_CKPT: no such object in gs://example-bucket"),
    ),
    ("b-qwen-nightly", &["Qwen3-32B"], None),
    ("b-retrieval", &["E5-Mistral-7B-Instruct"], None),
    ("b-whisper", &["Whisper-Large-v3"], None),
];

/// Deployments of the new generation: name, bundle or else a model of its own, plight.
const NEW: [(&str, Result<&str, &str>, Plight); 7] = [
    (
        "md-deepseek-canary",
        Err("deepseek-r1-0528"),
        Plight::Crashing,
    ),
    ("md-deepseek-r1", Ok("mb-deepseek-r1"), Plight::Fine),
    ("md-gemma-vision", Err("gemma-4-31b-it"), Plight::OneOfTwo),
    (
        "md-gpt-oss-long-context",
        Err("gpt-oss-120b"),
        Plight::Preparing,
    ),
    (
        "md-llama70b-speculative",
        Ok("mb-llama70b-speculative"),
        Plight::NoNode,
    ),
    ("md-qwen3", Err("qwen3-32b"), Plight::Fine),
    ("md-qwen3-spare", Err("qwen3-32b"), Plight::NotThere),
];

/// Models of the new generation: resource, serving name, capabilities.
const MODELS: [(&str, &str, &[&str]); 7] = [
    ("deepseek-r1-0528", "DeepSeek-R1-0528", &["text"]),
    (
        "e5-mistral-7b-instruct",
        "E5-Mistral-7B-Instruct",
        &["embeddings"],
    ),
    ("gemma-4-31b-it", "gemma-4-31B-it", &["text", "vision"]),
    ("gpt-oss-120b", "gpt-oss-120b", &["text"]),
    (
        "meta-llama-3-2-1b-instruct",
        "Meta-Llama-3.2-1B-Instruct",
        &["text"],
    ),
    (
        "meta-llama-3-3-70b-instruct",
        "Meta-Llama-3.3-70B-Instruct",
        &["text"],
    ),
    ("qwen3-32b", "Qwen3-32B", &["text"]),
];

fn bundle_deployments() -> Vec<Value> {
    OLD.iter()
        .map(|(name, bundle, plight)| {
            let spec = json!({"bundle": bundle, "groups": groups(*plight), "engineConfig": {"startupTimeout": 7200}});
            json!({"metadata": deployment_metadata(name, *plight), "spec": spec})
        })
        .collect()
}

fn bundles() -> Vec<Value> {
    BUNDLES
        .iter()
        .map(|(name, models, refused)| {
            let models: serde_json::Map<String, Value> =
                models.iter().map(|model| ((*model).to_owned(), json!({"template": model}))).collect();
            let spec = json!({"template": template_of(name), "models": models});
            json!({"metadata": {"name": name}, "spec": spec, "status": {"conditions": [valid(*refused)], "legalizerInfo": legalizer(*refused)}})
        })
        .collect()
}

/// `b-x` is made after `bt-x`.
fn template_of(bundle: &str) -> String {
    bundle.replacen("b-", "bt-", 1)
}

/// What the program that fits models into a node's memory says of a bundle.
fn legalizer(refused: Option<&str>) -> Value {
    let (status, errors) = match refused {
        Some(why) => ("failed", vec![why]),
        None => ("ok", Vec::new()),
    };
    let utilization = json!({"ddr": 0.62, "hbm_resident": 0.81, "host": 0.17});
    json!({"status": status, "errors": errors, "warnings": [], "utilization": utilization})
}

/// How the models of a bundle can be run.
fn bundle_templates() -> Vec<Value> {
    let expert = |model: &str, context: &str, sizes: &[u32]| {
        let pef = format!("{}-{context}:1", model.to_lowercase());
        json!({"configs": [{"pef": pef, "dynamic_dims": {"batch_size": {"values": sizes}}}]})
    };
    BUNDLES
        .iter()
        .map(|(bundle, models, _)| {
            let experts = |model: &str| {
                json!({"experts": {"4k": expert(model, "4k", &[1, 2, 4, 8]), "16k": expert(model, "16k", &[1, 2, 4]), "128k": expert(model, "128k", &[1])}})
            };
            let models: serde_json::Map<String, Value> =
                models.iter().map(|model| ((*model).to_owned(), experts(model))).collect();
            json!({"metadata": {"name": template_of(bundle)}, "spec": {"models": models}})
        })
        .collect()
}

/// The same for models of the new generation.
fn model_profiles() -> Vec<Value> {
    MODELS
        .iter()
        .map(|(model, _, capabilities)| {
            let sizes = |sizes: &[u32]| json!({"batch_sizes": sizes});
            let batching = match capabilities.first() {
                Some(&"embeddings") => json!({"4k": sizes(&[1, 4, 8, 16, 32])}),
                _ => json!({"8k": sizes(&[2, 4, 6, 8]), "32k": sizes(&[2, 4, 6, 8]), "128k": sizes(&[2])}),
            };
            let spec = json!({"features": ["continuous_batching"], "batchingConfigs": {"all": batching}});
            json!({"metadata": {"name": format!("{model}-p1")}, "spec": spec})
        })
        .collect()
}

fn valid(refused: Option<&str>) -> Value {
    match refused {
        Some(why) => {
            json!({"type": "Valid", "status": "False", "reason": "ValidationFailed", "message": why})
        }
        None => {
            json!({"type": "Valid", "status": "True", "reason": "ValidationSucceeded", "message": "ok"})
        }
    }
}

fn model_deployments() -> Vec<Value> {
    NEW.iter()
        .map(|(name, serves, plight)| {
            let mut spec =
                json!({"groups": groups(*plight), "engineConfig": {"startupTimeout": 7200}});
            match serves {
                Ok(bundle) => spec["bundle"] = (*bundle).into(),
                Err(model) => spec["models"] = json!({"modelConfigs": [model_config(model)]}),
            }
            json!({"metadata": deployment_metadata(name, *plight), "spec": spec})
        })
        .collect()
}

fn model_config(model: &str) -> Value {
    json!({"model": format!("{model}:1"), "profile": format!("{model}-p1")})
}

fn model_bundles() -> Vec<Value> {
    // A small model that drafts for a large one: nobody can chat with it.
    let draft = json!({"model": "meta-llama-3-2-1b-instruct:1", "profile": "draft", "modelSettings": {"routable": false}});
    ["deepseek-r1-0528", "meta-llama-3-3-70b-instruct"]
        .into_iter()
        .zip(["mb-deepseek-r1", "mb-llama70b-speculative"])
        .map(|(model, name)| {
            let pairs = json!([{"draft": "meta-llama-3-2-1b-instruct", "target": model}]);
            let spec = json!({"modelConfigs": [draft, model_config(model)], "specDecodingPairs": pairs});
            json!({"metadata": {"name": name}, "spec": spec, "status": {"conditions": [valid(None)]}})
        })
        .collect()
}

fn models() -> Vec<Value> {
    MODELS
        .iter()
        .map(|(name, serving_name, capabilities)| {
            let traits = json!({"capabilities": capabilities});
            json!({"metadata": {"name": name}, "spec": {"name": serving_name, "metadata": traits}})
        })
        .collect()
}

fn groups(plight: Plight) -> Value {
    let replicas = if matches!(plight, Plight::OneOfTwo) {
        2
    } else {
        1
    };
    json!([{"name": DEFAULT_GROUP, "minReplicas": replicas, "qosList": ["free"]}])
}

fn deployment_metadata(name: &str, plight: Plight) -> Value {
    match plight {
        Plight::Leaving => {
            json!({"name": name, "deletionTimestamp": SINCE, "finalizers": ["sambanova.ai/teardown"]})
        }
        _ => json!({"name": name}),
    }
}

fn pods() -> Vec<Value> {
    let old = OLD.iter().map(|(name, _, plight)| (*name, *plight));
    let new = NEW.iter().map(|(name, _, plight)| (*name, *plight));
    old.chain(new)
        .flat_map(|(name, plight)| pods_of(name, plight))
        .collect()
}

fn pods_of(deployment: &str, plight: Plight) -> Vec<Value> {
    let cache = || pod(&cache_pod(deployment, "0"), &[(CACHE, RUNNING)]);
    let main = |tail: &str, inf: Status| {
        pod(
            &group_pod(deployment, DEFAULT_GROUP, "n", tail),
            &[("inf", inf), ("proxy", RUNNING)],
        )
    };
    match plight {
        Plight::NotThere => Vec::new(),
        Plight::Fine => vec![cache(), main("0", RUNNING)],
        Plight::OneOfTwo => vec![
            cache(),
            main("0", RUNNING),
            main("1", || waiting("ImagePullBackOff", 0)),
        ],
        Plight::NoImage => {
            vec![
                pod(
                    &cache_pod(deployment, "0"),
                    &[(CACHE, || waiting("ImagePullBackOff", 0))],
                ),
                main("0", RUNNING),
            ]
        }
        Plight::Crashing => vec![cache(), main("0", crashing)],
        Plight::Preparing => {
            let name = group_pod(deployment, DEFAULT_GROUP, "n", "0");
            let preparing: Status = || waiting("PodInitializing", 0);
            let mut preparing = pod(&name, &[("inf", preparing), ("proxy", preparing)]);
            preparing["status"]["initContainerStatuses"] = json!([{"name": "fetch-checkpoint", "ready": false, "state": {"running": {"startedAt": SINCE}}}]);
            vec![cache(), preparing]
        }
        Plight::NoNode => {
            let mut unscheduled = main("0", RUNNING);
            unscheduled["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
                "reason": "Unschedulable", "message": "0/4 nodes are available: 4 Insufficient sambanova.ai/rdu."}]});
            vec![cache(), unscheduled]
        }
        Plight::Leaving => {
            let mut pods = vec![cache(), main("0", RUNNING)];
            for pod in &mut pods {
                pod["metadata"]["deletionTimestamp"] = SINCE.into();
            }
            pods
        }
    }
}

/// Makes the status of a container.
type Status = fn() -> Value;

const RUNNING: Status =
    || json!({"ready": true, "restartCount": 0, "state": {"running": {"startedAt": SINCE}}});

fn waiting(reason: &str, restarts: u32) -> Value {
    json!({"ready": false, "restartCount": restarts, "state": {"waiting": {"reason": reason}}})
}

fn crashing() -> Value {
    let mut status = waiting("CrashLoopBackOff", 7);
    status["lastState"] = json!({"terminated": {"reason": "OOMKilled", "exitCode": 137}});
    status
}

fn pod(name: &str, containers: &[(&str, Status)]) -> Value {
    let specs: Vec<Value> = containers
        .iter()
        .map(|(name, _)| json!({"name": name}))
        .collect();
    let statuses: Vec<Value> = containers
        .iter()
        .map(|(name, status)| {
            let mut status = status();
            status["name"] = (*name).into();
            status
        })
        .collect();
    let pending = statuses
        .iter()
        .all(|status| status["state"]["running"].is_null());
    let phase = if pending { "Pending" } else { "Running" };
    json!({
        "metadata": {"name": name},
        "spec": {"containers": specs},
        "status": {"phase": phase, "containerStatuses": statuses},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> TwinAnswer {
        answer(
            &line
                .split_whitespace()
                .map(OsString::from)
                .collect::<Vec<_>>(),
        )
    }

    fn ask_json(line: &str) -> Value {
        let answer = ask(line);
        assert_eq!(answer.code, 0, "{line}: {}", answer.stderr);
        serde_json::from_slice(&answer.stdout).unwrap()
    }

    #[test]
    fn the_handbooks_questions_are_answered() {
        let list = ask_json("-n sambastack get bundledeployment -o json");
        assert_eq!(list["items"].as_array().unwrap().len(), OLD.len());
        let one = ask_json("get bundledeployment bd-retrieval -n sambastack -o json");
        assert_eq!(one["spec"]["bundle"], "b-retrieval");
        let bundle = ask_json("get bundle b-retrieval --namespace=sambastack -o=json");
        assert!(bundle["spec"]["models"]["E5-Mistral-7B-Instruct"].is_object());
        let table = String::from_utf8(ask("-nsambastack get pods").stdout).unwrap();
        let row = table
            .lines()
            .find(|line| line.starts_with("inf-bd-qwen-nightly-cache-0 "))
            .unwrap();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>()[1..],
            ["0/1", "ImagePullBackOff", "0", "21d"]
        );
        assert!(table.contains("inf-bd-llama-4-maverick-17b-128-f0968391-q-default-n-0"));
    }

    #[test]
    fn what_is_not_there_is_refused_as_kubectl_refuses_it() {
        for (line, stderr) in [
            (
                "get nope",
                "error: the server doesn't have a resource type \"nope\"\n",
            ),
            (
                "get bundle nope -o json",
                "Error from server (NotFound): bundles.sambanova.ai \"nope\" not found\n",
            ),
            (
                "get pods --context prod",
                "Error in configuration: context was not found for specified context: prod\n",
            ),
            (
                "get --raw /apis/nope",
                "Error from server (NotFound): the server could not find the requested resource\n",
            ),
            (
                "get --raw /api/v1/namespaces/x",
                "Error from server (NotFound): namespaces \"x\" not found\n",
            ),
            ("frob", "error: unknown command \"frob\" for \"kubectl\"\n"),
            ("get pods -n", "error: flag needs an argument: -n\n"),
            ("get --frob", "error: unknown flag: --frob\n"),
        ] {
            assert_eq!(
                ask(line),
                TwinAnswer {
                    stderr: stderr.to_owned(),
                    code: 1,
                    ..TwinAnswer::default()
                },
                "{line}"
            );
        }
        let empty = ask("-n elsewhere get pods");
        assert_eq!(
            (empty.code, empty.stderr.as_str()),
            (0, "No resources found in elsewhere namespace.\n")
        );
    }

    #[test]
    fn configuration_and_versions_are_told() {
        assert_eq!(
            ask_json("config view -o json --minify")["clusters"][0]["cluster"]["server"],
            SERVER
        );
        assert_eq!(ask("config get-contexts -o name").stdout, b"demo\n");
        assert_eq!(
            ask_json("version --client -o json")["clientVersion"]["gitVersion"],
            VERSION
        );
        assert_eq!(
            ask_json("get --raw /version --request-timeout 5s")["gitVersion"],
            VERSION
        );
        assert_eq!(ask("auth can-i list pods").code, 0);
    }

    #[test]
    fn a_watch_goes_on_from_the_list_and_refuses_any_other_version() {
        let watching = |query: &str| {
            let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?{query}");
            watch(&["get".into(), "--raw".into(), path.into()])
        };
        let from = |version: &str| {
            watching(&format!(
                "watch=true&resourceVersion={version}&timeoutSeconds=9"
            ))
            .unwrap()
        };
        assert_eq!(
            (from("1").first.len(), from("1").lasts),
            (0, Duration::from_secs(9))
        );
        assert_eq!(from("0").first.len(), pods().len());
        assert!(from("77").first[0].contains("\"code\":410") && from("77").lasts.is_zero());
        assert_eq!(watching("limit=5"), None);
        assert_eq!(watch(&["get".into(), "pods".into()]), None);
    }
}

//! A simulated kubectl for a made-up cluster. It answers the commands that Batida runs and those of SambaStack's
//! handbook.
//!
//! Batida starts it as a subprocess and parses its output like kubectl's.

mod kinds;
mod metrics;
mod objects;

use std::ffi::OsString;
use std::time::Duration;

use serde_json::{Value, json};

use self::kinds::{DemoKind, KINDS, PODS, discovery};
pub use self::metrics::DEMO_API;
use self::objects::{LIST_VERSION, SINCE, happened, pods};

/// The namespace that the made-up cluster fills.
pub const NAMESPACE: &str = "sambastack";
const CONTEXT: &str = "demo";
/// The Helm chart of the made-up SambaStack.
const CHART: &str = "sambastack-2.3.2";
const SERVER: &str = "https://demo.invalid:6443";
const VERSION: &str = "v1.33.0-demo";
const NOT_FOUND: &str =
    "Error from server (NotFound): the server could not find the requested resource";

/// The output and the exit code of the simulated kubectl.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KubectlOutput {
    /// For standard output.
    pub stdout: Vec<u8>,
    /// For standard error.
    pub stderr: String,
    /// 0, or 1 for errors, like kubectl's.
    pub code: i32,
}

impl KubectlOutput {
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

/// Runs a command. `args`: without the program's name.
pub fn answer(args: &[OsString]) -> KubectlOutput {
    let args: Vec<String> = args
        .iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let command = match CommandLine::parse(&args) {
        Ok(command) => command,
        Err(trouble) => return KubectlOutput::failed(trouble),
    };
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["config", rest @ ..] => config(&command, rest),
        ["version"] => version(&command),
        _ if command
            .context
            .as_deref()
            .is_some_and(|context| context != CONTEXT) =>
        {
            let context = command.context.unwrap_or_default();
            KubectlOutput::failed(format!(
                "Error in configuration: context was not found for specified context: {context}"
            ))
        }
        ["auth", "can-i", ..] => KubectlOutput::said("yes\n"),
        ["get"] if command.raw.is_some() => raw(command.raw.as_deref().unwrap_or_default()),
        ["describe", "pod" | "pods", name] => describe(&command, name),
        ["get", "deployments.apps,configmaps"]
            if command.output.starts_with("custom-columns=CHART:") =>
        {
            KubectlOutput::said(format!("{CHART}\n<none>\n"))
        }
        ["logs", pod] => match log_of(&command, pod) {
            Some(lines) => KubectlOutput::said(lines.join("\n") + "\n"),
            None => KubectlOutput::failed(format!(
                "Error from server (NotFound): pods \"{pod}\" not found"
            )),
        },
        ["get", resource, names @ ..] => get(&command, resource, names),
        ["get"] => KubectlOutput::failed("error: Required resource not specified."),
        [] => KubectlOutput::said("simulated kubectl: the demo cluster\n"),
        [other, ..] => KubectlOutput::failed(format!(
            "error: unknown command \"{other}\" for \"kubectl\""
        )),
    }
}

/// The output of a command that keeps running, such as a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubectlStream {
    /// Lines to print at once.
    pub first: Vec<String>,
    /// The line to print every minute to say that nothing has changed.
    pub bookmark: String,
    /// How long to keep running.
    pub lasts: Duration,
}

/// The output of a command that keeps running; `None` if [`answer`] handles the command.
pub fn watch(args: &[OsString]) -> Option<KubectlStream> {
    let args: Vec<String> = args
        .iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let command = CommandLine::parse(&args).ok()?;
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    if let (["logs", pod], true) = (words.as_slice(), command.follow) {
        return log_of(&command, pod).map(|first| KubectlStream {
            first,
            bookmark: "health check: ok".to_owned(),
            lasts: Duration::from_secs(86_400),
        });
    }
    let raw = command.raw?;
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
    Some(KubectlStream {
        first,
        bookmark: line("BOOKMARK", object),
        lasts,
    })
}

/// A parsed command line. Flags may be anywhere.
#[derive(Debug, Default)]
struct CommandLine {
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

impl CommandLine {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut command = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (flag, value) = split_flag(arg);
            let mut value = || {
                let value = value.map(str::to_owned).or_else(|| args.next().cloned());
                value.ok_or_else(|| format!("error: flag needs an argument: {flag}"))
            };
            match flag {
                "-n" | "--namespace" => command.namespace = Some(value()?),
                "--context" => command.context = Some(value()?),
                "-o" | "--output" => command.output = value()?,
                "--raw" => command.raw = Some(value()?),
                "--kubeconfig" | "--request-timeout" | "--cache-dir" => drop(value()?),
                "-l" | "--selector" => drop(value()?),
                "--no-headers" => {}
                "-c" | "--container" => command.container = Some(value()?),
                "--tail" => drop(value()?),
                "-f" | "--follow" => command.follow = true,
                "--previous" => command.previous = true,
                "--minify" => command.minify = true,
                "--client" => command.client = true,
                flag if flag.starts_with('-') => {
                    return Err(format!("error: unknown flag: {flag}"));
                }
                _ => command.words.push(arg.clone()),
            }
        }
        Ok(command)
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

fn config(command: &CommandLine, rest: &[&str]) -> KubectlOutput {
    let known = command
        .context
        .as_deref()
        .is_none_or(|context| context == CONTEXT);
    match rest {
        ["view"] if command.minify && !known => {
            let context = command.context.as_deref().unwrap_or_default();
            KubectlOutput::failed(format!("error: cannot locate context {context}"))
        }
        ["view"] => KubectlOutput::json(&json!({
            "kind": "Config",
            "apiVersion": "v1",
            "preferences": {},
            "clusters": [{"name": CONTEXT, "cluster": {"server": SERVER}}],
            "users": [{"name": CONTEXT, "user": {}}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": NAMESPACE}}],
            "current-context": CONTEXT,
        })),
        ["current-context"] | ["get-contexts"] => KubectlOutput::said(format!("{CONTEXT}\n")),
        _ => KubectlOutput::failed("error: unknown config command"),
    }
}

fn version(command: &CommandLine) -> KubectlOutput {
    let version =
        json!({"major": "1", "minor": "33", "gitVersion": VERSION, "platform": "linux/amd64"});
    if command.output != "json" {
        return KubectlOutput::said(format!("Client Version: {VERSION}\n"));
    }
    let mut answer = json!({"clientVersion": version});
    if !command.client {
        answer["serverVersion"] = version;
    }
    KubectlOutput::json(&answer)
}

/// `get --raw PATH`
fn raw(path: &str) -> KubectlOutput {
    let path = path.split('?').next().unwrap_or(path).trim_end_matches('/');
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["version"] => {
            KubectlOutput::json(&json!({"major": "1", "minor": "33", "gitVersion": VERSION}))
        }
        ["livez" | "readyz" | "healthz"] => KubectlOutput::said("ok"),
        ["api", "v1", "namespaces", namespace] if *namespace == NAMESPACE => KubectlOutput::json(
            &json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": namespace}, "status": {"phase": "Active"}}),
        ),
        ["api", "v1", "namespaces", namespace] => KubectlOutput::failed(format!(
            "Error from server (NotFound): namespaces \"{namespace}\" not found"
        )),
        ["api", "v1", "namespaces", NAMESPACE, "events"] => KubectlOutput::json(&happened()),
        [
            "api",
            "v1",
            "namespaces",
            NAMESPACE,
            "pods",
            pod,
            "proxy",
            "metrics",
        ] => metrics::page(pod),
        ["api", "v1", "namespaces", namespace, "pods", rest @ ..] => {
            raw_list(&PODS, namespace, rest)
        }
        ["apis", "apps", "v1", "namespaces", NAMESPACE, "deployments"] => {
            let labels = json!({"helm.sh/chart": CHART, "app.kubernetes.io/managed-by": "Helm"});
            let operator = json!({"metadata": {"name": "sambastack-operator", "labels": labels}});
            KubectlOutput::json(
                &json!({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": {}, "items": [operator]}),
            )
        }
        ["apis", "sambanova.ai", "v1alpha1"] => KubectlOutput::json(&discovery()),
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
                None => KubectlOutput::failed(NOT_FOUND),
            }
        }
        _ => KubectlOutput::failed(NOT_FOUND),
    }
}

fn raw_list(kind: &DemoKind, namespace: &str, rest: &[&str]) -> KubectlOutput {
    let items = kind.items(namespace);
    match rest {
        [] => KubectlOutput::said(
            json!({"apiVersion": kind.api_version(), "kind": format!("{}List", kind.kind), "metadata": {"resourceVersion": LIST_VERSION}, "items": items})
                .to_string(),
        ),
        [name] => match items.iter().find(|item| item["metadata"]["name"] == *name) {
            Some(item) => KubectlOutput::said(item.to_string()),
            None => kind.not_found(name),
        },
        _ => KubectlOutput::failed(NOT_FOUND),
    }
}

/// `get RESOURCE [NAME…]`
fn get(command: &CommandLine, resource: &str, names: &[&str]) -> KubectlOutput {
    let short = resource.strip_suffix(".sambanova.ai").unwrap_or(resource);
    let short = short.strip_suffix(".v1alpha1").unwrap_or(short);
    let Some(kind) = KINDS.iter().find(|kind| kind.is_called(short)) else {
        return KubectlOutput::failed(format!(
            "error: the server doesn't have a resource type \"{resource}\""
        ));
    };
    let namespace = command.namespace();
    let all = kind.items(namespace);
    let mut items = Vec::new();
    for name in names {
        match all.iter().find(|item| item["metadata"]["name"] == *name) {
            Some(item) => items.push(item.clone()),
            None => return kind.not_found(name),
        }
    }
    match (command.output.as_str(), names) {
        ("json", [_]) => KubectlOutput::json(&items[0]),
        ("json", _) => {
            let items = if names.is_empty() { all } else { items };
            KubectlOutput::json(
                &json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}),
            )
        }
        ("" | "wide" | "name", _) => {
            let items = if names.is_empty() { all } else { items };
            if items.is_empty() {
                let stderr = format!("No resources found in {namespace} namespace.\n");
                return KubectlOutput {
                    stderr,
                    ..KubectlOutput::default()
                };
            }
            KubectlOutput::said(kind.table(&items, command.output == "name"))
        }
        (other, _) => KubectlOutput::failed(format!(
            "error: unable to match a printer suitable for the output format \"{other}\", allowed formats are: json,name,wide"
        )),
    }
}

/// `describe pod`, which Batida's checks recommend.
fn describe(command: &CommandLine, name: &str) -> KubectlOutput {
    let found = pods()
        .into_iter()
        .find(|pod| pod["metadata"]["name"] == name);
    let Some(pod) = found.filter(|_| command.namespace() == NAMESPACE) else {
        return KubectlOutput::failed(format!(
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
    KubectlOutput::said(lines.join("\n") + "\n")
}

/// The log of a container; `None` if the pod or the container does not exist.
fn log_of(command: &CommandLine, pod: &str) -> Option<Vec<String>> {
    let pod = pods()
        .into_iter()
        .find(|it| it["metadata"]["name"] == pod)?;
    let statuses = ["containerStatuses", "initContainerStatuses"]
        .map(|list| pod["status"][list].as_array().cloned());
    let mut statuses = statuses.into_iter().flatten().flatten();
    let status = match &command.container {
        Some(container) => statuses.find(|status| status["name"] == **container)?,
        None => statuses.next()?,
    };
    let name = status["name"].as_str().unwrap_or_default();
    let mut lines = vec![
        format!("{SINCE} {name}: starting"),
        format!("{SINCE} {name}: reading the checkpoint"),
    ];
    lines.push(match (command.previous, status["ready"] == true) {
        (true, _) => format!("{SINCE} {name}: out of memory"),
        (false, true) => format!("{SINCE} {name}: ready"),
        (false, false) => format!("{SINCE} {name}: waiting"),
    });
    Some(lines)
}

#[cfg(test)]
mod tests;

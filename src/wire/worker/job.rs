//! The Kubernetes objects that run workers in a cluster: an Indexed Job, and a Secret with the API key that belongs to it,
//! so that whatever deletes the Job (its time to live, too) deletes both.
//!
//! The pods pass the PodSecurity standard "restricted", mount no ServiceAccount token and need no right of their own.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/job/>

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::environment::KEY_VARIABLE;

/// The container's name.
pub const CONTAINER: &str = "worker";
/// The key in the Secret.
const KEY: &str = "key";
/// What a Job and its pods are kept for after their end, in s: its logs say what went wrong.
const KEPT_S: u64 = 3_600;

/// What this user must be allowed to do for workers in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// e.g. `create`
    pub verb: &'static str,
    /// The API group; empty for the core's.
    pub group: &'static str,
    /// e.g. `pods`
    pub resource: &'static str,
    /// e.g. `attach`; empty for the resource itself.
    pub subresource: &'static str,
    /// What it is for.
    pub why: &'static str,
    /// It works without, less well.
    pub is_optional: bool,
}

impl Right {
    const fn of(
        verb: &'static str,
        (group, resource, subresource): (&'static str, &'static str, &'static str),
        why: &'static str,
    ) -> Self {
        Self {
            verb,
            group,
            resource,
            subresource,
            why,
            is_optional: false,
        }
    }

    /// As `kubectl auth can-i` takes it: `jobs.batch`.
    pub fn kind(&self) -> String {
        match self.group {
            "" => self.resource.to_owned(),
            group => format!("{}.{group}", self.resource),
        }
    }

    /// `pods/attach`
    pub fn told(&self) -> String {
        match self.subresource {
            "" => self.resource.to_owned(),
            sub => format!("{}/{sub}", self.resource),
        }
    }
}

const JOBS: (&str, &str, &str) = ("batch", "jobs", "");
const PODS: (&str, &str, &str) = ("", "pods", "");
const ATTACH: (&str, &str, &str) = ("", "pods", "attach");

/// All of them, and nothing else: no Secret is read, and nothing is changed.
pub const RIGHTS: [Right; 8] = [
    Right::of("create", JOBS, "starts the workers"),
    Right::of("delete", JOBS, "removes them at the end"),
    Right::of("create", ("", "secrets", ""), "hands them the API key"),
    Right::of("list", PODS, "tells how far they are"),
    Right::of("get", PODS, "finds them to attach"),
    Right::of("create", ATTACH, "hears what they measure"),
    // WebSockets ask for `get` before Kubernetes 1.35.
    Right::of("get", ATTACH, "the same, before Kubernetes 1.35"),
    Right {
        is_optional: true,
        ..Right::of(
            "list",
            ("networking.k8s.io", "ingresses", ""),
            "finds the way past the ingress, and its limit",
        )
    },
];

/// A Role with these rights, as YAML, for an administrator.
pub fn role(namespace: &str) -> String {
    let mut rules: Vec<(&Right, Vec<&str>)> = Vec::new();
    for right in &RIGHTS {
        let same = |(of, _): &&mut (&Right, Vec<&str>)| {
            of.group == right.group && of.told() == right.told()
        };
        match rules.iter_mut().find(same) {
            Some((_, verbs)) => verbs.push(right.verb),
            None => rules.push((right, vec![right.verb])),
        }
    }
    let rule = |(right, verbs): (&Right, Vec<&str>)| {
        let (group, told, verbs) = (right.group, right.told(), verbs.join(", "));
        format!("- {{apiGroups: [\"{group}\"], resources: [{told}], verbs: [{verbs}]}}\n")
    };
    let rules: String = rules.into_iter().map(rule).collect();
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: batida-workers\n  namespace: {namespace}\nrules:\n{rules}"
    )
}

/// The workers of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerJob {
    /// Names the session in the objects' names, in lower-case letters and digits.
    pub run: String,
    /// Where they are created.
    pub namespace: String,
    /// Of the container, with `batida` as its entrypoint.
    pub image: String,
    /// How many pods.
    pub workers: u32,
    /// Processors of each, as Kubernetes writes them.
    pub cpu: String,
    /// Memory of each, likewise.
    pub memory: String,
    /// A Secret with the registry's credentials.
    pub pull_secret: Option<String>,
    /// Whether they need the API key.
    pub has_key: bool,
    /// They end after so many seconds, whatever happens.
    pub deadline_s: u64,
}

impl WorkerJob {
    /// The name of the Job and of its Secret.
    pub fn name(&self) -> String {
        format!("batida-{}", self.run)
    }

    /// What selects its pods.
    pub fn selector(&self) -> String {
        format!("batida/run={}", self.run)
    }

    /// The path of the namespace's Jobs.
    pub fn jobs_path(&self) -> String {
        format!("/apis/batch/v1/namespaces/{}/jobs", self.namespace)
    }

    /// The path of the Job, for its deletion with all that belongs to it.
    pub fn deletion_path(&self) -> String {
        format!(
            "{}/{}?propagationPolicy=Background",
            self.jobs_path(),
            self.name()
        )
    }

    /// The path of the namespace's Secrets.
    pub fn secrets_path(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.namespace)
    }

    /// The path that lists its pods.
    pub fn pods_path(&self) -> String {
        let selector = self.selector().replace('/', "%2F").replace('=', "%3D");
        format!(
            "/api/v1/namespaces/{}/pods?labelSelector={selector}",
            self.namespace
        )
    }

    fn labels(&self) -> Value {
        json!({
            "app.kubernetes.io/name": "batida",
            "app.kubernetes.io/component": CONTAINER,
            "batida/run": self.run,
        })
    }

    /// The Job.
    pub fn job(&self) -> Value {
        let mut pod_labels = self.labels();
        // A service mesh would be measured with it.
        pod_labels["sidecar.istio.io/inject"] = json!("false");
        let mut job = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": { "name": self.name(), "namespace": self.namespace, "labels": self.labels() },
            "spec": {
                "completionMode": "Indexed",
                "completions": self.workers,
                "parallelism": self.workers,
                // A worker that ended cannot join the level that it was lost in.
                "backoffLimit": 0,
                "activeDeadlineSeconds": self.deadline_s,
                "ttlSecondsAfterFinished": KEPT_S,
                "template": {
                    "metadata": {
                        "labels": pod_labels,
                        "annotations": {
                            "linkerd.io/inject": "disabled",
                            "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                        },
                    },
                    "spec": self.pod(),
                },
            },
        });
        if let Some(name) = &self.pull_secret {
            job["spec"]["template"]["spec"]["imagePullSecrets"] = json!([{ "name": name }]);
        }
        job
    }

    fn pod(&self) -> Value {
        let field = |path: &str| json!({ "fieldRef": { "fieldPath": path } });
        let mut env = vec![
            json!({ "name": "BATIDA_NODE", "valueFrom": field("spec.nodeName") }),
            json!({ "name": "BATIDA_POD", "valueFrom": field("metadata.name") }),
        ];
        if self.has_key {
            let key = json!({ "secretKeyRef": { "name": self.name(), "key": KEY } });
            env.push(json!({ "name": KEY_VARIABLE, "valueFrom": key }));
        }
        let resources = json!({ "cpu": self.cpu, "memory": self.memory });
        json!({
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 15,
            // Names with dots are asked for as they are, not in every search domain first.
            "dnsConfig": { "options": [{ "name": "ndots", "value": "1" }] },
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65_532,
                "runAsGroup": 65_532,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "topologySpreadConstraints": [{
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": { "matchLabels": { "batida/run": self.run } },
            }],
            "containers": [{
                "name": CONTAINER,
                "image": self.image,
                "args": ["worker"],
                "stdin": true,
                "env": env,
                // Whole processors that are guaranteed are pinned where the node's CPU manager is static.
                "resources": { "requests": resources.clone(), "limits": resources },
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                },
                "volumeMounts": [{ "name": "tmp", "mountPath": "/tmp" }],
            }],
            "volumes": [{ "name": "tmp", "emptyDir": { "sizeLimit": "64Mi" } }],
        })
    }

    /// The Secret with the key, which goes with the Job of this uid.
    pub fn secret(&self, uid: &str, key: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.name(),
                "namespace": self.namespace,
                "labels": self.labels(),
                "ownerReferences": [{
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": self.name(),
                    "uid": uid,
                    "controller": false,
                    "blockOwnerDeletion": false,
                }],
            },
            "stringData": { KEY: key },
        })
    }
}

/// The uid of an object that was created.
pub fn uid(created: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Created {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        uid: String,
    }
    let created: Created = serde_json::from_slice(created).ok()?;
    Some(created.metadata.uid)
}

/// A pod of a Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerPod {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: PodState,
}

/// How far a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodState {
    /// It does not run yet; why, as far as the cluster says it.
    Waiting(String),
    /// Its container runs.
    Running,
    /// It has ended, in words.
    Ended(String),
}

/// The pods of a list as kubectl prints it, by their names. `None` where it is no such list.
pub fn pods(list: &[u8]) -> Option<Vec<WorkerPod>> {
    let list: Value = serde_json::from_slice(list).ok()?;
    let mut pods: Vec<WorkerPod> = list["items"]
        .as_array()?
        .iter()
        .filter_map(|pod| {
            Some(WorkerPod {
                name: pod["metadata"]["name"].as_str()?.to_owned(),
                state: state(&pod["status"]),
            })
        })
        .collect();
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    Some(pods)
}

fn state(status: &Value) -> PodState {
    let said = |of: &Value| {
        let words = [&of["reason"], &of["message"]].map(|it| it.as_str().unwrap_or_default());
        let words: Vec<&str> = words.into_iter().filter(|it| !it.is_empty()).collect();
        words.join(": ")
    };
    let container = &status["containerStatuses"][0]["state"];
    let ended = &container["terminated"];
    let phase = status["phase"].as_str().unwrap_or_default();
    if ended.is_object() || matches!(phase, "Failed" | "Succeeded") {
        let code = ended["exitCode"].as_i64();
        let code = code.map_or_else(String::new, |code| format!("exit code {code}"));
        let parts = [said(status), said(ended), code];
        let parts: Vec<String> = parts.into_iter().filter(|it| !it.is_empty()).collect();
        return PodState::Ended(parts.join(", "));
    }
    if container["running"].is_object() {
        return PodState::Running;
    }
    let conditions = status["conditions"].as_array();
    let unmet = conditions
        .into_iter()
        .flatten()
        .find(|it| it["status"] == "False");
    let why = match (said(&container["waiting"]), unmet.map(said)) {
        (waiting, _) if !waiting.is_empty() => waiting,
        (_, Some(unmet)) if !unmet.is_empty() => unmet,
        _ => phase.to_owned(),
    };
    PodState::Waiting(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> WorkerJob {
        WorkerJob {
            run: "7f3k2".to_owned(),
            namespace: "load".to_owned(),
            image: "registry.example/batida:0.1.0".to_owned(),
            workers: 4,
            cpu: "2".to_owned(),
            memory: "512Mi".to_owned(),
            pull_secret: Some("regcred".to_owned()),
            has_key: true,
            deadline_s: 4_500,
        }
    }

    #[test]
    fn the_objects_end_by_themselves_and_hold_the_key_in_one_place() {
        let (made, secret) = (job().job(), job().secret("u-1", "top-secret"));
        let text = made.to_string();
        assert!(!text.contains("top-secret"));
        let spec = &made["spec"];
        assert_eq!(
            (&spec["completions"], &spec["completionMode"]),
            (&json!(4), &json!("Indexed"))
        );
        assert_eq!(spec["activeDeadlineSeconds"], 4_500);
        assert!(spec["ttlSecondsAfterFinished"].is_u64());
        let pod = &spec["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        let container = &pod["containers"][0];
        // PodSecurity "restricted".
        assert_eq!(
            container["securityContext"]["allowPrivilegeEscalation"],
            false
        );
        assert_eq!(
            container["securityContext"]["capabilities"]["drop"],
            json!(["ALL"])
        );
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"],
            "RuntimeDefault"
        );
        assert_eq!(
            container["resources"]["requests"], container["resources"]["limits"],
            "guaranteed"
        );
        let env = container["env"].to_string();
        assert!(env.contains(r#"{"name":"SAMBANOVA_API_KEY","valueFrom":{"secretKeyRef":{"name":"batida-7f3k2","key":"key"}}}"#), "{env}");
        assert_eq!(secret["metadata"]["ownerReferences"][0]["uid"], "u-1");
        assert_eq!(secret["stringData"]["key"], "top-secret");
        let keyless = WorkerJob {
            has_key: false,
            ..job()
        };
        assert!(!keyless.job().to_string().contains("secretKeyRef"));
        assert_eq!(
            job().pods_path(),
            "/api/v1/namespaces/load/pods?labelSelector=batida%2Frun%3D7f3k2"
        );
    }

    #[test]
    fn the_role_holds_the_rights_and_no_more() {
        assert_eq!(
            role("load"),
            r#"apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: batida-workers
  namespace: load
rules:
- {apiGroups: ["batch"], resources: [jobs], verbs: [create, delete]}
- {apiGroups: [""], resources: [secrets], verbs: [create]}
- {apiGroups: [""], resources: [pods], verbs: [list, get]}
- {apiGroups: [""], resources: [pods/attach], verbs: [create, get]}
- {apiGroups: ["networking.k8s.io"], resources: [ingresses], verbs: [list]}
"#
        );
    }

    #[test]
    fn a_pod_that_does_not_run_says_why() {
        let of = |status: Value| state(&status);
        let waiting = |words: &str| PodState::Waiting(words.to_owned());
        for (status, expected) in [
            (json!({"phase": "Pending"}), waiting("Pending")),
            (
                json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/3 nodes are available"}]}),
                waiting("Unschedulable: 0/3 nodes are available"),
            ),
            (
                json!({"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}]}),
                waiting("ErrImagePull: not found"),
            ),
            (
                json!({"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}),
                PodState::Running,
            ),
            (
                json!({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]}),
                PodState::Ended("OOMKilled, exit code 137".to_owned()),
            ),
            (
                json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
                PodState::Ended("Evicted: low on memory".to_owned()),
            ),
        ] {
            assert_eq!(of(status.clone()), expected, "{status}");
        }
    }
}

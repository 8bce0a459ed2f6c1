//! The kinds of resource that the made-up cluster has, and how kubectl prints them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::objects::{
    SINCE, bundle_deployments, bundle_templates, bundles, model_bundles, model_deployments,
    model_profiles, models, pods,
};
use super::{KubectlOutput, NAMESPACE};
use crate::sambastack::read::read;
use crate::sambastack::status::{Columns, columns};

pub(super) fn discovery() -> Value {
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

/// A kind of resource that the made-up cluster has.
pub(super) struct DemoKind {
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    singular: &'static str,
    items: fn() -> Vec<Value>,
}

pub(super) const PODS: DemoKind = DemoKind {
    kind: "Pod",
    plural: "pods",
    singular: "pod",
    items: pods,
};
pub(super) const KINDS: [DemoKind; 8] = [
    DemoKind {
        kind: "BundleDeployment",
        plural: "bundledeployments",
        singular: "bundledeployment",
        items: bundle_deployments,
    },
    DemoKind {
        kind: "Bundle",
        plural: "bundles",
        singular: "bundle",
        items: bundles,
    },
    DemoKind {
        kind: "ModelDeployment",
        plural: "modeldeployments",
        singular: "modeldeployment",
        items: model_deployments,
    },
    DemoKind {
        kind: "ModelBundle",
        plural: "modelbundles",
        singular: "modelbundle",
        items: model_bundles,
    },
    DemoKind {
        kind: "BundleTemplate",
        plural: "bundletemplates",
        singular: "bundletemplate",
        items: bundle_templates,
    },
    DemoKind {
        kind: "ModelProfile",
        plural: "modelprofiles",
        singular: "modelprofile",
        items: model_profiles,
    },
    DemoKind {
        kind: "Model",
        plural: "models",
        singular: "model",
        items: models,
    },
    PODS,
];

impl DemoKind {
    pub(super) fn is_sambanova(&self) -> bool {
        self.kind != PODS.kind
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        name == self.plural || name == self.singular || (name == "po" && !self.is_sambanova())
    }

    pub(super) fn api_version(&self) -> &'static str {
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

    pub(super) fn not_found(&self, name: &str) -> KubectlOutput {
        KubectlOutput::failed(format!(
            "Error from server (NotFound): {} \"{name}\" not found",
            self.full_name()
        ))
    }

    /// The objects of the kind, sorted by name like the API server's.
    pub(super) fn items(&self, namespace: &str) -> Vec<Value> {
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

    pub(super) fn table(&self, items: &[Value], names_only: bool) -> String {
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

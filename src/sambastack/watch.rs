//! Applies the changes that a watch reports to lists that were loaded before.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lists::{Listed, Lists};
use super::read::{self, AnyObject, read};
use super::resources::{Bundle, BundleDeployment, Model, ModelBundle, ModelDeployment, Pod};

/// A kind of resource that Batida lists and watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the kinds'")]
pub enum ResourceKind {
    Pods,
    BundleDeployments,
    Bundles,
    ModelDeployments,
    ModelBundles,
    Models,
}

impl ResourceKind {
    /// All of them; the longest list first.
    pub const ALL: [Self; 6] = [
        Self::Pods,
        Self::BundleDeployments,
        Self::Bundles,
        Self::ModelDeployments,
        Self::ModelBundles,
        Self::Models,
    ];

    /// The name in the API server's paths.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::BundleDeployments => "bundledeployments",
            Self::Bundles => "bundles",
            Self::ModelDeployments => "modeldeployments",
            Self::ModelBundles => "modelbundles",
            Self::Models => "models",
        }
    }
}

/// The listed objects of one kind.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are the kinds'")]
pub enum AnyListed {
    Pods(Listed<Pod>),
    BundleDeployments(Listed<BundleDeployment>),
    Bundles(Listed<Bundle>),
    ModelDeployments(Listed<ModelDeployment>),
    ModelBundles(Listed<ModelBundle>),
    Models(Listed<Model>),
}

/// An object of any kind.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are the kinds'")]
pub enum KubeObject {
    Pod(Box<Pod>),
    BundleDeployment(Box<BundleDeployment>),
    Bundle(Box<Bundle>),
    ModelDeployment(Box<ModelDeployment>),
    ModelBundle(Box<ModelBundle>),
    Model(Box<Model>),
}

/// One line of a watch.
#[derive(Debug, Clone)]
pub enum WatchChange {
    /// An object is new or has changed.
    Put(KubeObject),
    /// An object is gone.
    Gone(ResourceKind, String),
    /// Nothing changed up to the version that comes with it.
    Bookmark,
}

/// Why a line of a watch is not a change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The version that was watched from is too old (410): list again.
    #[error("the version to watch from has expired")]
    Expired,
    /// The server ends the watch for another reason.
    #[error("the API server ended the watch: {0}")]
    Refused(String),
    /// The line cannot be parsed.
    #[error("a line of the watch cannot be read: {0}")]
    Unreadable(String),
}

/// Parses a line of a watch. Also returns the version after the change.
pub fn read_line(kind: ResourceKind, line: &[u8]) -> Result<(WatchChange, String), WatchError> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(rename = "type")]
        kind: String,
        #[serde(borrow)]
        object: &'a RawValue,
    }
    let unreadable = |error: serde_json::Error| WatchError::Unreadable(error.to_string());
    let line: Line<'_> = serde_json::from_slice(line).map_err(unreadable)?;
    let object = line.object.get();
    let change = match line.kind.as_str() {
        "ADDED" | "MODIFIED" => read_object(kind, object),
        "DELETED" => WatchChange::Gone(kind, read::<AnyObject>(object).metadata.name),
        "BOOKMARK" => WatchChange::Bookmark,
        "ERROR" => return Err(refusal(object)),
        other => {
            return Err(WatchError::Unreadable(format!(
                "an event of type {other:?}"
            )));
        }
    };
    Ok((change, read::<AnyObject>(object).metadata.resource_version))
}

fn read_object(kind: ResourceKind, object: &str) -> WatchChange {
    WatchChange::Put(match kind {
        ResourceKind::Pods => KubeObject::Pod(Box::new(read(object))),
        ResourceKind::BundleDeployments => KubeObject::BundleDeployment(Box::new(read(object))),
        ResourceKind::Bundles => KubeObject::Bundle(Box::new(read(object))),
        ResourceKind::ModelDeployments => KubeObject::ModelDeployment(Box::new(read(object))),
        ResourceKind::ModelBundles => KubeObject::ModelBundle(Box::new(read(object))),
        ResourceKind::Models => KubeObject::Model(Box::new(read(object))),
    })
}

fn refusal(status: &str) -> WatchError {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Status {
        code: Option<i64>,
        reason: Option<String>,
        message: Option<String>,
    }
    let Status {
        code,
        reason,
        message,
    } = serde_json::from_str(status).unwrap_or_default();
    let reason = reason.unwrap_or_default();
    if code == Some(410) || reason == "Expired" || reason == "Gone" {
        return WatchError::Expired;
    }
    WatchError::Refused(
        message
            .filter(|message| !message.is_empty())
            .unwrap_or(reason),
    )
}

impl Lists {
    /// Applies a change.
    pub fn fold(&mut self, change: WatchChange) {
        match change {
            WatchChange::Put(object) => match object {
                KubeObject::Pod(pod) => put(&mut self.pods, *pod),
                KubeObject::BundleDeployment(deployment) => {
                    put(&mut self.bundle_deployments, *deployment)
                }
                KubeObject::Bundle(bundle) => put(&mut self.bundles, *bundle),
                KubeObject::ModelDeployment(deployment) => {
                    put(&mut self.model_deployments, *deployment)
                }
                KubeObject::ModelBundle(bundle) => put(&mut self.model_bundles, *bundle),
                KubeObject::Model(model) => put(&mut self.models, *model),
            },
            WatchChange::Gone(kind, name) => match kind {
                ResourceKind::Pods => remove(&mut self.pods, &name),
                ResourceKind::BundleDeployments => remove(&mut self.bundle_deployments, &name),
                ResourceKind::Bundles => remove(&mut self.bundles, &name),
                ResourceKind::ModelDeployments => remove(&mut self.model_deployments, &name),
                ResourceKind::ModelBundles => remove(&mut self.model_bundles, &name),
                ResourceKind::Models => remove(&mut self.models, &name),
            },
            WatchChange::Bookmark => {}
        }
    }

    /// Replaces the list of one kind.
    pub fn replace(&mut self, listed: AnyListed) {
        match listed {
            AnyListed::Pods(listed) => self.pods = listed,
            AnyListed::BundleDeployments(listed) => self.bundle_deployments = listed,
            AnyListed::Bundles(listed) => self.bundles = listed,
            AnyListed::ModelDeployments(listed) => self.model_deployments = listed,
            AnyListed::ModelBundles(listed) => self.model_bundles = listed,
            AnyListed::Models(listed) => self.models = listed,
        }
    }
}

fn put<T: read::Object>(listed: &mut Listed<T>, object: T) {
    let Listed::Present(items) = listed else {
        *listed = Listed::Present(vec![object]);
        return;
    };
    match items
        .iter_mut()
        .find(|item| item.meta().name == object.meta().name)
    {
        Some(old) => *old = object,
        None => items.push(object),
    }
}

fn remove<T: read::Object>(listed: &mut Listed<T>, name: &str) {
    if let Listed::Present(items) = listed {
        items.retain(|item| item.meta().name != name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sambastack::models::view;

    #[test]
    fn the_recorded_watch_folds_into_what_listing_gives() {
        let lines = include_str!("../../tests/fixtures/k8s/watch-bundledeployments.jsonl");
        let mut lists = Lists::default();
        let mut version = String::new();
        for line in lines.lines().filter(|line| !line.is_empty()) {
            let (change, now) =
                read_line(ResourceKind::BundleDeployments, line.as_bytes()).unwrap();
            lists.fold(change);
            version = now;
        }
        assert!(!version.is_empty());
        let listed: Vec<BundleDeployment> = crate::sambastack::read::parse_list(include_bytes!(
            "../../tests/fixtures/k8s/bundledeployments.json"
        ))
        .unwrap();
        let listed = Lists {
            bundle_deployments: Listed::Present(listed),
            ..Lists::default()
        };
        assert_eq!(view(&lists), view(&listed));
    }

    #[test]
    fn an_object_that_cannot_be_read_does_not_end_the_watch() {
        let mut lists = Lists::default();
        let mut tell = |line: &str| {
            let (change, version) =
                read_line(ResourceKind::BundleDeployments, line.as_bytes()).unwrap();
            lists.fold(change);
            let told = lists.bundle_deployments.items().iter();
            let told: Vec<_> = told
                .map(|it| format!("{} {:?}", it.metadata.name, it.metadata.unreadable))
                .collect();
            (told.join(", "), version)
        };
        let good = r#"{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"1"},"spec":{"bundle":"b"}}}"#;
        assert_eq!(tell(good).0, "a []");
        let odd = r#"{"type":"ADDED","object":{"metadata":{"name":"o","resourceVersion":"2"},"spec":{"groups":[{"minReplicas":-1}]}}}"#;
        let told = "a [], o [\"spec.groups[0].minReplicas is -1, not a whole number from 0\"]";
        assert_eq!(tell(odd), (told.to_owned(), "2".to_owned()));
        let gone = r#"{"type":"DELETED","object":{"metadata":{"name":"o","resourceVersion":"3"},"spec":[]}}"#;
        assert_eq!(tell(gone), ("a []".to_owned(), "3".to_owned()));
        let nameless = r#"{"type":"ADDED","object":{"metadata":null}}"#;
        assert_eq!(tell(nameless), ("a [],  []".to_owned(), String::new()));
    }

    #[test]
    fn an_expired_version_is_told_apart() {
        let line = include_str!("../../tests/fixtures/k8s/watch-expired.jsonl")
            .lines()
            .next()
            .unwrap();
        assert_eq!(
            read_line(ResourceKind::Pods, line.as_bytes()).unwrap_err(),
            WatchError::Expired
        );
        let other = br#"{"type":"ERROR","object":{"message":"etcd is gone","code":500}}"#;
        assert_eq!(
            read_line(ResourceKind::Pods, other).unwrap_err(),
            WatchError::Refused("etcd is gone".to_owned())
        );
        assert!(matches!(
            read_line(ResourceKind::Pods, b"<html>"),
            Err(WatchError::Unreadable(_))
        ));
    }

    #[test]
    fn objects_come_change_and_go() {
        let mut lists = Lists::default();
        let mut tell = |line: &str| {
            let (change, version) = read_line(ResourceKind::Models, line.as_bytes()).unwrap();
            lists.fold(change);
            let names: Vec<_> = lists
                .models
                .items()
                .iter()
                .map(|model| model.spec.name.clone())
                .collect();
            (names.join(" "), version)
        };
        let put = |kind: &str, name: &str, serving: &str, version: u32| {
            format!(
                r#"{{"type":"{kind}","object":{{"metadata":{{"name":"{name}","resourceVersion":"{version}"}},"spec":{{"name":"{serving}"}}}}}}"#
            )
        };
        assert_eq!(
            tell(&put("ADDED", "a", "A", 1)),
            ("A".to_owned(), "1".to_owned())
        );
        assert_eq!(tell(&put("ADDED", "b", "B", 2)).0, "A B");
        assert_eq!(tell(&put("MODIFIED", "a", "A2", 3)).0, "A2 B");
        assert_eq!(
            tell(&put("DELETED", "b", "B", 4)),
            ("A2".to_owned(), "4".to_owned())
        );
        let bookmark =
            r#"{"type":"BOOKMARK","object":{"kind":"Model","metadata":{"resourceVersion":"9"}}}"#;
        assert_eq!(tell(bookmark), ("A2".to_owned(), "9".to_owned()));
    }
}

//! What a watch tells, folded into the lists that were taken before.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::models::{Listed, Lists};
use super::read::{self, AnyObject, read};
use super::resources::{Bundle, BundleDeployment, Model, ModelBundle, ModelDeployment, Pod};

/// A kind that a look at the cluster asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the kinds'")]
pub enum Kind {
    Pods,
    BundleDeployments,
    Bundles,
    ModelDeployments,
    ModelBundles,
    Models,
}

impl Kind {
    /// All of them; the longest list first.
    pub const ALL: [Self; 6] = [
        Self::Pods,
        Self::BundleDeployments,
        Self::Bundles,
        Self::ModelDeployments,
        Self::ModelBundles,
        Self::Models,
    ];

    /// As the API server's paths have it.
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

/// The objects of one kind, as listing gave them.
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
pub enum Object {
    Pod(Box<Pod>),
    BundleDeployment(Box<BundleDeployment>),
    Bundle(Box<Bundle>),
    ModelDeployment(Box<ModelDeployment>),
    ModelBundle(Box<ModelBundle>),
    Model(Box<Model>),
}

/// One line of a watch.
#[derive(Debug, Clone)]
pub enum Change {
    /// An object is new or has changed.
    Put(Object),
    /// An object is gone.
    Gone(Kind, String),
    /// Nothing changed up to the version that comes with it.
    Bookmark,
}

/// Why a line of a watch is no change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The version that was watched from is too old (410): list again.
    #[error("the version to watch from has expired")]
    Expired,
    /// The server ends the watch for another reason.
    #[error("the API server ended the watch: {0}")]
    Refused(String),
    /// It cannot be read.
    #[error("a line of the watch cannot be read: {0}")]
    Unreadable(String),
}

/// Reads a line of a watch, and the version that it leads to.
pub fn read_line(kind: Kind, line: &[u8]) -> Result<(Change, String), WatchError> {
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
        "DELETED" => Change::Gone(kind, read::<AnyObject>(object).metadata.name),
        "BOOKMARK" => Change::Bookmark,
        "ERROR" => return Err(refusal(object)),
        other => {
            return Err(WatchError::Unreadable(format!(
                "an event of type {other:?}"
            )));
        }
    };
    Ok((change, read::<AnyObject>(object).metadata.resource_version))
}

fn read_object(kind: Kind, object: &str) -> Change {
    Change::Put(match kind {
        Kind::Pods => Object::Pod(Box::new(read(object))),
        Kind::BundleDeployments => Object::BundleDeployment(Box::new(read(object))),
        Kind::Bundles => Object::Bundle(Box::new(read(object))),
        Kind::ModelDeployments => Object::ModelDeployment(Box::new(read(object))),
        Kind::ModelBundles => Object::ModelBundle(Box::new(read(object))),
        Kind::Models => Object::Model(Box::new(read(object))),
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
    /// Folds a change in.
    pub fn fold(&mut self, change: Change) {
        match change {
            Change::Put(object) => match object {
                Object::Pod(pod) => put(&mut self.pods, *pod),
                Object::BundleDeployment(deployment) => {
                    put(&mut self.bundle_deployments, *deployment)
                }
                Object::Bundle(bundle) => put(&mut self.bundles, *bundle),
                Object::ModelDeployment(deployment) => {
                    put(&mut self.model_deployments, *deployment)
                }
                Object::ModelBundle(bundle) => put(&mut self.model_bundles, *bundle),
                Object::Model(model) => put(&mut self.models, *model),
            },
            Change::Gone(kind, name) => match kind {
                Kind::Pods => remove(&mut self.pods, &name),
                Kind::BundleDeployments => remove(&mut self.bundle_deployments, &name),
                Kind::Bundles => remove(&mut self.bundles, &name),
                Kind::ModelDeployments => remove(&mut self.model_deployments, &name),
                Kind::ModelBundles => remove(&mut self.model_bundles, &name),
                Kind::Models => remove(&mut self.models, &name),
            },
            Change::Bookmark => {}
        }
    }

    /// Takes a kind as it was listed anew.
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
            let (change, now) = read_line(Kind::BundleDeployments, line.as_bytes()).unwrap();
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
            let (change, version) = read_line(Kind::BundleDeployments, line.as_bytes()).unwrap();
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
            read_line(Kind::Pods, line.as_bytes()).unwrap_err(),
            WatchError::Expired
        );
        let other = br#"{"type":"ERROR","object":{"message":"etcd is gone","code":500}}"#;
        assert_eq!(
            read_line(Kind::Pods, other).unwrap_err(),
            WatchError::Refused("etcd is gone".to_owned())
        );
        assert!(matches!(
            read_line(Kind::Pods, b"<html>"),
            Err(WatchError::Unreadable(_))
        ));
    }

    #[test]
    fn objects_come_change_and_go() {
        let mut lists = Lists::default();
        let mut tell = |line: &str| {
            let (change, version) = read_line(Kind::Models, line.as_bytes()).unwrap();
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

//! Kubernetes events about a deployment's objects.

use serde::Deserialize;

use super::pods::Matcher;
use super::read::{self, ListError, parse_list};
use super::resources::Meta;
use super::status::moment;
use crate::domain::deployment::{ClusterEvent, Deployment};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    #[serde(deserialize_with = "super::resources::map")]
    metadata: Meta,
    involved_object: Option<Object>,
    reason: Option<String>,
    message: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    count: Option<u32>,
    last_timestamp: Option<String>,
    event_time: Option<String>,
    series: Option<Series>,
}

/// How often an event was seen, as newer reporters write it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Series {
    count: Option<u32>,
    last_observed_time: Option<String>,
}

impl read::Object for Event {
    fn meta(&self) -> &Meta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.metadata
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Object {
    kind: Option<String>,
    name: Option<String>,
}

/// Reads a namespace's events as `kubectl get --raw` prints them, newest first.
pub fn read(answer: &[u8]) -> Result<Vec<ClusterEvent>, ListError> {
    let mut events: Vec<ClusterEvent> = parse_list::<Event>(answer)?
        .into_iter()
        .map(brief)
        .collect();
    events.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.object.cmp(&b.object)));
    Ok(events)
}

fn brief(event: Event) -> ClusterEvent {
    let Event {
        metadata,
        involved_object,
        reason,
        message,
        kind,
        count,
        last_timestamp,
        event_time,
        series,
    } = event;
    let object = involved_object.unwrap_or_default();
    let series = series.unwrap_or_default();
    let times = [
        last_timestamp,
        series.last_observed_time,
        event_time,
        metadata.creation_timestamp,
    ];
    let mut message = message.unwrap_or_default().trim().to_owned();
    if !metadata.unreadable.is_empty() {
        message += &format!(
            " (the event cannot be read in full: {})",
            metadata.unreadable.join(", ")
        );
    }
    ClusterEvent {
        at: times.iter().find_map(|text| moment(text.as_deref())),
        warning: kind.as_deref() == Some("Warning"),
        reason: reason.unwrap_or_default(),
        kind: object.kind.unwrap_or_default(),
        object: object.name.unwrap_or_default(),
        message: message.trim().to_owned(),
        count: count.or(series.count).unwrap_or(1).max(1),
    }
}

/// The events of a deployment: of itself, its pods, their controllers, and their volume claims.
pub fn of_deployment<'a>(
    events: &'a [ClusterEvent],
    deployment: &Deployment,
) -> Vec<&'a ClusterEvent> {
    let mut matcher = Matcher::new([(deployment.name.as_str(), [].as_slice())]);
    let mut is_pod = |name: &str| !matcher.owners(name).is_empty();
    let mut theirs = |event: &&ClusterEvent| match event.kind.as_str() {
        "Pod" => is_pod(&event.object),
        // Claims are named `<volume>-<pod>`.
        "PersistentVolumeClaim" => {
            deployment
                .pods
                .iter()
                .any(|pod| event.object.ends_with(&format!("-{}", pod.name)))
                || event
                    .object
                    .find("-inf-")
                    .is_some_and(|at| is_pod(&event.object[at + 1..]))
        }
        // A StatefulSet is named like its pods without the ordinal; a ReplicaSet like a pod with a hash.
        _ => {
            event.object == deployment.name
                || is_pod(&event.object)
                || is_pod(&format!("{}-0", event.object))
        }
    };
    events.iter().filter(|event| theirs(event)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sambastack::lists::{Listed, Lists};
    use crate::sambastack::models::view;

    #[test]
    fn events_are_read_newest_first_and_told_apart_by_their_objects() {
        let answer = br#"{"kind":"EventList","items":[
            {"involvedObject":{"kind":"Pod","name":"inf-d-cache-0"},"type":"Warning","reason":"Failed","message":"pull failed\n",
             "count":7,"lastTimestamp":"2026-11-23T08:00:00Z"},
            {"involvedObject":{"kind":"StatefulSet","name":"inf-d-cache"},"type":"Warning","reason":"FailedCreate",
             "message":"exceeded quota: team","eventTime":"2026-11-23T09:00:00.123456Z","lastTimestamp":null},
            {"involvedObject":{"kind":"Pod","name":"inf-d-2-cache-0"},"type":"Normal","reason":"Pulled"},
            {"involvedObject":null},
            {"involvedObject":{"kind":"ReplicaSet","name":"inf-d-q-default-n-7d9f8c6b5"},"type":"Warning","reason":"FailedCreate",
             "message":"denied","lastTimestamp":"2026-11-23T07:00:00Z","count":"many"},
            {"involvedObject":{"kind":"PersistentVolumeClaim","name":"data-inf-d-cache-0"},"type":"Warning",
             "reason":"ProvisioningFailed","message":"no class","series":{"count":3,"lastObservedTime":"2026-11-23T06:00:00.000000Z"}},
            {"involvedObject":{"kind":"ModelDeployment","name":"d"},"type":"Warning","reason":"Invalid","message":"no"},
            {"metadata":[],"involvedObject":[1],"message":"odd"},
            null
        ]}"#;
        let events = read(answer).unwrap();
        assert_eq!(events.len(), 9);
        let deployments = serde_json::from_str(r#"[{"metadata":{"name":"d"}}]"#).unwrap();
        let lists = Lists {
            bundle_deployments: Listed::Present(deployments),
            ..Lists::default()
        };
        let own = of_deployment(&events, &view(&lists).deployments[0])
            .into_iter()
            .cloned()
            .collect::<Vec<_>>();
        let told: Vec<_> = own
            .iter()
            .map(|it| (it.reason.as_str(), it.count, it.message.as_str()))
            .collect();
        let unreadable = "denied (the event cannot be read in full: count is the text \"many\", not a whole number from 0)";
        assert_eq!(
            told,
            [
                ("FailedCreate", 1, "exceeded quota: team"),
                ("Failed", 7, "pull failed"),
                ("FailedCreate", 1, unreadable),
                ("ProvisioningFailed", 3, "no class"),
                ("Invalid", 1, "no"),
            ]
        );
        assert!(own.iter().all(|event| event.warning));
    }
}

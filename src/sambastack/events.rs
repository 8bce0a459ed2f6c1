//! What Kubernetes says has happened to a deployment's objects.

use serde::Deserialize;

use super::pods::{DEFAULT_GROUP, cache_pod, group_pod, moment};
use super::resources::{ListError, Meta, parse_list};
use crate::domain::deployment::{ClusterEvent, Deployment};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    metadata: Option<Meta>,
    involved_object: Option<Object>,
    reason: Option<String>,
    message: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    count: Option<u32>,
    last_timestamp: Option<String>,
    event_time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Object {
    kind: Option<String>,
    name: Option<String>,
}

/// Reads a namespace's events as `kubectl get --raw` prints them, newest first.
pub fn read(answer: &[u8]) -> Result<Vec<ClusterEvent>, ListError> {
    let mut events: Vec<ClusterEvent> = parse_list::<Event>(answer)?.into_iter().map(brief).collect();
    events.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.object.cmp(&b.object)));
    Ok(events)
}

fn brief(event: Event) -> ClusterEvent {
    let Event { metadata, involved_object, reason, message, kind, count, last_timestamp, event_time } = event;
    let object = involved_object.unwrap_or_default();
    let made = metadata.and_then(|metadata| metadata.creation_timestamp);
    let at = [last_timestamp, event_time, made].iter().find_map(|text| moment(text.as_deref()));
    ClusterEvent {
        at,
        warning: kind.as_deref() == Some("Warning"),
        reason: reason.unwrap_or_default(),
        kind: object.kind.unwrap_or_default(),
        object: object.name.unwrap_or_default(),
        message: message.unwrap_or_default().trim().to_owned(),
        count: count.unwrap_or(1).max(1),
    }
}

/// Those of a deployment: of itself, of its pods, and of what makes its pods.
pub fn of_deployment<'a>(events: &'a [ClusterEvent], deployment: &Deployment) -> Vec<&'a ClusterEvent> {
    let name = &deployment.name;
    let usual = [cache_pod(name, "0"), group_pod(name, DEFAULT_GROUP, "n", "0")];
    let pods: Vec<&str> =
        deployment.pods.iter().map(|pod| pod.name.as_str()).chain(usual.iter().map(String::as_str)).collect();
    let makers: Vec<&str> =
        pods.iter().filter_map(|pod| pod.rsplit_once('-')).map(|(maker, _)| maker).collect();
    let theirs = |it: &&ClusterEvent| {
        it.object == *name || pods.contains(&it.object.as_str()) || makers.contains(&it.object.as_str())
    };
    events.iter().filter(theirs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sambastack::models::{Listed, Lists, view};

    #[test]
    fn events_are_read_newest_first_and_told_apart_by_their_objects() {
        let answer = br#"{"kind":"EventList","items":[
            {"involvedObject":{"kind":"Pod","name":"inf-d-cache-0"},"type":"Warning","reason":"Failed","message":"pull failed\n",
             "count":7,"lastTimestamp":"2026-11-23T08:00:00Z"},
            {"involvedObject":{"kind":"StatefulSet","name":"inf-d-cache"},"type":"Warning","reason":"FailedCreate",
             "message":"exceeded quota: team","eventTime":"2026-11-23T09:00:00.123456Z","lastTimestamp":null},
            {"involvedObject":{"kind":"Pod","name":"inf-d-2-cache-0"},"type":"Normal","reason":"Pulled"},
            {"involvedObject":null}
        ]}"#;
        let events = read(answer).unwrap();
        assert_eq!(events.len(), 4);
        let deployments = serde_json::from_str(r#"[{"metadata":{"name":"d"}}]"#).unwrap();
        let lists = Lists { bundle_deployments: Listed::Present(deployments), ..Lists::default() };
        let own =
            of_deployment(&events, &view(&lists).deployments[0]).into_iter().cloned().collect::<Vec<_>>();
        let told: Vec<_> = own.iter().map(|it| (it.reason.as_str(), it.count, it.message.as_str())).collect();
        assert_eq!(told, [("FailedCreate", 1, "exceeded quota: team"), ("Failed", 7, "pull failed")]);
        assert!(own.iter().all(|event| event.warning));
    }
}

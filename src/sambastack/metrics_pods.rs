//! Which pods publish metrics, from a list of pods: by Prometheus' annotations, or a port that is named `metrics`.

use std::collections::HashMap;

use serde::Deserialize;

use super::pods::Matcher;

/// A pod with a page of metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsPod {
    /// Its name.
    pub name: String,
    /// The port of the page.
    pub port: u16,
    /// The page's path, with its leading slash.
    path: String,
    /// The page is behind TLS.
    is_secure: bool,
}

#[derive(Deserialize)]
struct PodList {
    #[serde(default)]
    items: Vec<Pod>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Pod {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    annotations: Option<HashMap<String, String>>,
    deletion_timestamp: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    containers: Vec<Container>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Container {
    ports: Option<Vec<Port>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Port {
    name: String,
    container_port: u16,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    phase: String,
}

/// The running pods of these deployments, or of any without a name, and of the inference router, that publish metrics:
/// the router's first. `None` when the text is no list of pods.
pub fn find(list: &[u8], deployments: &[String]) -> Option<Vec<MetricsPod>> {
    let PodList { items } = serde_json::from_slice(list).ok()?;
    let mut matcher = Matcher::new(deployments.iter().map(|name| (name.as_str(), &[][..])));
    let mut found = Vec::new();
    for pod in items {
        let name = &pod.metadata.name;
        let is_router = name.contains("router");
        let is_meant = is_router
            || if deployments.is_empty() {
                name.starts_with("inf-")
            } else {
                !matcher.owners(name).is_empty()
            };
        let is_running = pod.status.phase == "Running" && pod.metadata.deletion_timestamp.is_none();
        if is_meant && is_running {
            found.extend(pod.page().map(|page| (!is_router, page)));
        }
    }
    found.sort_by(|(a, one), (b, other)| (a, &one.name).cmp(&(b, &other.name)));
    Some(found.into_iter().map(|(_, pod)| pod).collect())
}

impl Pod {
    fn page(&self) -> Option<MetricsPod> {
        let annotations = self.metadata.annotations.as_ref();
        let said = |key: &str| {
            annotations?
                .get(&format!("prometheus.io/{key}"))
                .map(|text| text.trim())
        };
        if said("scrape") == Some("false") {
            return None;
        }
        let mut ports = self
            .spec
            .containers
            .iter()
            .flat_map(|container| container.ports.iter().flatten());
        let named = ports
            .find(|port| port.name == "metrics")
            .map(|port| port.container_port);
        let port = said("port").and_then(|port| port.parse().ok()).or(named)?;
        let path = said("path").unwrap_or("/metrics").trim_start_matches('/');
        Some(MetricsPod {
            name: self.metadata.name.clone(),
            port,
            path: format!("/{path}"),
            is_secure: said("scheme") == Some("https"),
        })
    }
}

impl MetricsPod {
    /// The path of its page at the API server, which forwards it.
    pub fn proxy_path(&self, namespace: &str) -> String {
        let Self {
            name,
            port,
            path,
            is_secure,
        } = self;
        let scheme = if *is_secure { "https:" } else { "" };
        format!("/api/v1/namespaces/{namespace}/pods/{scheme}{name}:{port}/proxy{path}")
    }

    /// `pod NAME, port 9090`
    pub fn told(&self) -> String {
        format!("pod {}, port {}", self.name, self.port)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, annotations: Value, ports: Value) -> Value {
        json!({"metadata": {"name": name, "annotations": annotations}, "spec": {"containers": [{}, {"ports": ports}]},
            "status": {"phase": "Running"}})
    }

    fn named(list: &[Value], deployments: &[&str]) -> Vec<String> {
        let list = json!({"items": list}).to_string();
        let deployments: Vec<String> = deployments.iter().map(|name| (*name).to_owned()).collect();
        let found = find(list.as_bytes(), &deployments).expect("a list");
        found.iter().map(|pod| pod.proxy_path("ns")).collect()
    }

    #[test]
    fn annotations_and_named_ports_tell_the_page() {
        let metrics = json!([{"name": "http", "containerPort": 8000}, {"name": "metrics", "containerPort": 9090}]);
        let port = json!({"prometheus.io/port": "8001", "prometheus.io/path": "stats/prometheus"});
        let tls = json!({"prometheus.io/port": "443", "prometheus.io/scheme": "https"});
        let no = json!({"prometheus.io/scrape": "false", "prometheus.io/port": "9"});
        let mut gone = pod("inf-md-a-q-default-n-4", port.clone(), json!([]));
        gone["metadata"]["deletionTimestamp"] = "2026-11-02T08:00:00Z".into();
        let pods = [
            pod("inf-md-a-q-default-n-0", json!(null), metrics.clone()),
            pod("inf-md-a-q-default-n-1", port.clone(), metrics.clone()),
            pod("inf-md-a-q-default-n-2", no, metrics.clone()),
            pod(
                "inf-md-a-q-default-n-3",
                json!({}),
                json!([{"name": "http", "containerPort": 8000}]),
            ),
            gone,
            pod("inf-md-a-2-q-default-n-0", port.clone(), json!(null)),
            pod("inference-router-7d9", tls, json!(null)),
            pod("postgres-0", port, json!(null)),
        ];
        let a = [
            "/api/v1/namespaces/ns/pods/https:inference-router-7d9:443/proxy/metrics",
            "/api/v1/namespaces/ns/pods/inf-md-a-q-default-n-0:9090/proxy/metrics",
            "/api/v1/namespaces/ns/pods/inf-md-a-q-default-n-1:8001/proxy/stats/prometheus",
        ];
        assert_eq!(named(&pods, &["md-a"]), a);
        assert_eq!(named(&pods, &[]).len(), 4);
        assert_eq!(find(b"<html>", &[]), None);
        assert_eq!(find(b"{}", &[]), Some(Vec::new()));
    }
}

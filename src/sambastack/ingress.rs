//! The ingress before an API: which one it is, and what it lets through.
//!
//! SambaStack's chart sets nginx's `limit_req zone=240_req_min_header burst=360 nodelay` in a snippet; ingress-nginx has
//! annotations of its own (`limit-rpm`, `limit-rps`, with a burst of five times that unless `limit-burst-multiplier` says
//! otherwise; <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#rate-limiting>).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::run::IngressLimit;

#[derive(Deserialize)]
struct List {
    items: Vec<Ingress>,
}

#[derive(Deserialize)]
struct Ingress {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
struct Spec {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    http: Option<Http>,
}

#[derive(Deserialize)]
struct Http {
    #[serde(default)]
    paths: Vec<Path>,
}

#[derive(Deserialize)]
struct Path {
    backend: Backend,
}

#[derive(Deserialize)]
struct Backend {
    service: Option<Service>,
}

#[derive(Deserialize)]
struct Service {
    name: String,
    port: Option<Port>,
}

#[derive(Deserialize)]
struct Port {
    number: Option<u16>,
}

/// Where the ingress that serves `host` sends requests to, as it is reached inside the cluster: `gateway.sambastack.svc:8080`,
/// plain HTTP. `None` where none does, or it says the port by a name or speaks TLS to its service.
pub fn service(list: &[u8], host: &str) -> Option<String> {
    let list: List = serde_json::from_slice(list).ok()?;
    let mut serving = list.items.iter().filter(|it| it.serves(host));
    serving.find_map(Ingress::service)
}

/// The limit of the ingress that serves `host` (without a port), in a list of ingresses as kubectl prints it. `None` where none does
/// or it has no limit.
pub fn limit(list: &[u8], host: &str) -> Option<IngressLimit> {
    let list: List = serde_json::from_slice(list).ok()?;
    let serving = list.items.iter().filter(|it| it.serves(host));
    serving.filter_map(Ingress::limit).min_by(|a, b| {
        let rate = |it: &IngressLimit| it.per_minute.unwrap_or(f64::INFINITY);
        rate(a).total_cmp(&rate(b))
    })
}

impl Ingress {
    fn serves(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let mut hosts = self
            .spec
            .rules
            .iter()
            .filter_map(|rule| rule.host.as_deref());
        hosts.any(|it| {
            let it = it.to_ascii_lowercase();
            // A wildcard stands for one label.
            let wild = || Some((it.strip_prefix('*')?, host.split_once('.')?.1));
            it == host
                || wild().is_some_and(|(rest, domain)| rest.strip_prefix('.') == Some(domain))
        })
    }

    fn service(&self) -> Option<String> {
        let protocol = self
            .metadata
            .annotations
            .get("nginx.ingress.kubernetes.io/backend-protocol");
        if protocol.is_some_and(|it| !it.eq_ignore_ascii_case("HTTP")) {
            return None;
        }
        let paths = self
            .spec
            .rules
            .iter()
            .flat_map(|rule| &rule.http)
            .flat_map(|http| &http.paths);
        let mut services = paths.filter_map(|path| path.backend.service.as_ref());
        services.find_map(|service| {
            let port = service.port.as_ref()?.number?;
            Some(format!(
                "{}.{}.svc:{port}",
                service.name, self.metadata.namespace
            ))
        })
    }

    fn limit(&self) -> Option<IngressLimit> {
        let name = match self.metadata.namespace.as_str() {
            "" => self.metadata.name.clone(),
            namespace => format!("{namespace}/{}", self.metadata.name),
        };
        let annotations = &self.metadata.annotations;
        let snippet = annotations.values().find_map(|value| of_snippet(value));
        let (per_minute, burst, rule) = snippet.or_else(|| of_annotations(annotations))?;
        Some(IngressLimit {
            name,
            per_minute,
            burst,
            rule,
        })
    }
}

type Limit = (Option<f64>, Option<u64>, String);

/// nginx's directive in a snippet.
fn of_snippet(text: &str) -> Option<Limit> {
    let at = text.find("limit_req ")?;
    let rule = text[at..].split([';', '\n']).next()?.trim();
    let value = |name: &str| {
        let mut words = rule.split_whitespace();
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let per_minute = value("zone").and_then(rate_in_name);
    // nginx refuses at once without a burst.
    let burst = Some(value("burst").and_then(|it| it.parse().ok()).unwrap_or(0));
    Some((per_minute, burst, rule.to_owned()))
}

/// `240_req_min_header`: requests a minute, as zones are named after their rate.
fn rate_in_name(zone: &str) -> Option<f64> {
    let zone = zone.to_ascii_lowercase();
    let at = zone.find(|c: char| c.is_ascii_digit())?;
    let digits = zone[at..].find(|c: char| !c.is_ascii_digit())?;
    let n: f64 = zone[at..at + digits].parse().ok()?;
    let rest = zone[at + digits..].trim_start_matches(['_', '-']);
    let rest = rest
        .strip_prefix("req")
        .or_else(|| rest.strip_prefix('r'))?;
    let unit = rest
        .trim_start_matches(['_', '-', 's'])
        .trim_start_matches("per_");
    match unit.chars().next() {
        Some('m') => Some(n),
        _ if rest.trim_start_matches(['_', '-']).starts_with("sec") => Some(n * 60.0),
        _ => None,
    }
}

fn of_annotations(annotations: &BTreeMap<String, String>) -> Option<Limit> {
    let value = |name: &str| -> Option<f64> {
        let text = annotations.get(&format!("nginx.ingress.kubernetes.io/{name}"))?;
        text.trim().parse().ok().filter(|n: &f64| *n > 0.0)
    };
    let times = value("limit-burst-multiplier").unwrap_or(5.0);
    let [minute, second] = [("limit-rpm", 1.0), ("limit-rps", 60.0)].map(|(name, minutes)| {
        let n = value(name)?;
        Some((
            Some(n * minutes),
            Some((n * times) as u64),
            format!("{name}: {n}"),
        ))
    });
    match (minute, second) {
        (Some(a), Some(b)) => Some(if a.0 <= b.0 { a } else { b }),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(host: &str, annotations: &str) -> Vec<u8> {
        format!(
            r#"{{"items":[{{"metadata":{{"name":"other","namespace":"x"}},"spec":{{"rules":[{{"host":"other.example.com"}},{{}}]}}}},
            {{"metadata":{{"name":"gateway","namespace":"sambastack","annotations":{annotations}}},
              "spec":{{"rules":[{{"host":"{host}","http":{{}}}}]}}}}]}}"#
        )
        .into_bytes()
    }

    #[test]
    fn the_limit_is_that_of_the_ingress_that_serves_the_host() {
        let snippet = r#"{"nginx.ingress.kubernetes.io/configuration-snippet":
            "more_set_headers \"A: b\";\nlimit_req zone=240_req_min_header burst=360 nodelay;\nproxy_x y;"}"#;
        let found = limit(&list("api.example.com", snippet), "API.example.com").expect("a limit");
        assert_eq!(
            found,
            IngressLimit {
                name: "sambastack/gateway".to_owned(),
                per_minute: Some(240.0),
                burst: Some(360),
                rule: "limit_req zone=240_req_min_header burst=360 nodelay".to_owned(),
            }
        );
        assert_eq!(
            limit(&list("api.example.com", snippet), "other.example.com"),
            None
        );
        assert!(limit(&list("*.example.com", snippet), "api.example.com").is_some());
        assert_eq!(
            limit(&list("*.example.com", snippet), "a.b.example.com"),
            None
        );
        assert_eq!(
            limit(&list("api.example.com", "{}"), "api.example.com"),
            None
        );
        assert_eq!(
            limit(b"Error from server (Forbidden)", "api.example.com"),
            None
        );
    }

    #[test]
    fn its_service_is_reached_inside_the_cluster() {
        let of = |annotations: &str, port: &str| {
            let list = format!(
                r#"{{"items":[{{"metadata":{{"name":"g","namespace":"sambastack","annotations":{annotations}}},"spec":{{"rules":[
                {{"host":"a.b","http":{{"paths":[{{"path":"/","backend":{{"service":{{"name":"gateway","port":{port}}}}}}}]}}}}]}}}}]}}"#
            );
            service(list.as_bytes(), "a.b")
        };
        let found = Some("gateway.sambastack.svc:8080".to_owned());
        assert_eq!(of("{}", r#"{"number":8080}"#), found);
        let protocol =
            |it: &str| format!(r#"{{"nginx.ingress.kubernetes.io/backend-protocol":"{it}"}}"#);
        assert_eq!(of(&protocol("HTTP"), r#"{"number":8080}"#), found);
        assert_eq!(of(&protocol("HTTPS"), r#"{"number":8443}"#), None);
        assert_eq!(of("{}", r#"{"name":"http"}"#), None);
    }

    #[test]
    fn annotations_of_ingress_nginx_limit_as_well() {
        for (annotations, per_minute, burst) in [
            (
                r#"{"nginx.ingress.kubernetes.io/limit-rpm":"120"}"#,
                120.0,
                600,
            ),
            (
                r#"{"nginx.ingress.kubernetes.io/limit-rps":"3","nginx.ingress.kubernetes.io/limit-burst-multiplier":"2"}"#,
                180.0,
                6,
            ),
            (
                r#"{"nginx.ingress.kubernetes.io/limit-rps":"3","nginx.ingress.kubernetes.io/limit-rpm":"60"}"#,
                60.0,
                300,
            ),
        ] {
            let found = limit(&list("a.b", annotations), "a.b").expect("a limit");
            assert_eq!(
                (found.per_minute, found.burst),
                (Some(per_minute), Some(burst)),
                "{annotations}"
            );
        }
    }

    #[test]
    fn zones_are_named_after_their_rate_or_say_nothing() {
        for (zone, per_minute) in [
            ("240_req_min_header", Some(240.0)),
            ("5_req_sec", Some(300.0)),
            ("ip_100_reqs_per_min", Some(100.0)),
            ("100r_m", Some(100.0)),
            ("one", None),
            ("zone7", None),
            ("7", None),
            ("10m_zone", None),
        ] {
            assert_eq!(rate_in_name(zone), per_minute, "{zone}");
        }
    }
}

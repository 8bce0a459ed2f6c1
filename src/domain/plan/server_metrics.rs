//! Where the server's own metrics are read from while a session runs.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::environment::looks_secret;

/// Where the server's own metrics are read from, once a second beside the requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MetricsSource {
    /// `/metrics` of the API; without it, pods of the deployment and the router, where the environment has a cluster.
    #[default]
    Auto,
    /// The pods alone, through kubectl.
    Pods,
    /// This address alone. The key is sent to the API's own host only.
    Url(String),
    /// Nowhere, and the network is not timed either: only requests reach the server.
    Off,
}

impl MetricsSource {
    /// Whether it is what a plan begins with.
    pub fn is_auto(&self) -> bool {
        *self == Self::Auto
    }

    /// Reads `auto`, `pods`, `off` or an address.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" | "auto" => return Ok(Self::Auto),
            "pods" => return Ok(Self::Pods),
            "off" | "none" => return Ok(Self::Off),
            _ => {}
        }
        let text = text.trim();
        let url = Url::parse(text).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(url) = url else {
            return Err(format!(
                "{text:?} is none of auto, pods and off, and no address such as http://host:8000/metrics"
            ));
        };
        // A plan is shown and stored in the clear.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "leave out the user name and password: a plan is shown in the clear".to_owned(),
            );
        }
        if let Some((name, _)) = url.query_pairs().find(|(name, _)| looks_secret(name)) {
            return Err(format!("leave out {name}=…: a plan is shown in the clear"));
        }
        Ok(Self::Url(text.to_owned()))
    }
}

impl std::fmt::Display for MetricsSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Pods => "pods",
            Self::Off => "off",
            Self::Url(url) => url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_as_it_is_written() {
        let url = "https://pods.example.com:9000/metrics?job=a";
        for text in ["auto", "pods", "off", url] {
            assert_eq!(
                MetricsSource::parse(text)
                    .map(|it| it.to_string())
                    .as_deref(),
                Ok(text)
            );
        }
        assert_eq!(MetricsSource::parse(" "), Ok(MetricsSource::Auto));
        for text in [
            "yes",
            "host:9000",
            "ftp://a/metrics",
            "http://u:p@a/metrics",
            "http://a/metrics?token=1",
        ] {
            assert!(MetricsSource::parse(text).is_err(), "{text}");
        }
    }
}

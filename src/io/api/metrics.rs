//! A page of metrics that is read again and again, on a connection of its own.

use std::time::Duration;

use url::Url;

use super::{Api, Trust, faults};
use crate::domain::failure::{Advice, Failure};
use crate::io::access::quote;
use crate::io::http1::{Ask, Dialer, HttpConnection, Response, Unpacker};
use crate::io::proxy::proxy_for;
use crate::io::tls;
use crate::protocol::ActivityKind;
use crate::wire::fault::RequestInfo;

/// More of a page is not read.
pub const MAX_PAGE_BYTES: usize = 5 << 20;
/// From dialing to the last byte.
const PAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// A page of metrics.
#[derive(Debug)]
pub struct MetricsPage {
    api: Api,
    dialer: Dialer,
    /// It may contain secrets.
    url: String,
    shown: String,
    /// The command that reads it, until it is told once.
    line: Option<String>,
    connection: Option<HttpConnection>,
}

impl Api {
    /// Where this API's metrics may be: beside its version, and at the root of its host.
    pub fn metrics_addresses(&self) -> Vec<String> {
        let base = self.address.base();
        let beside = base.strip_suffix("/v1").unwrap_or(base);
        let mut all = vec![format!("{beside}/metrics")];
        let origin = Url::parse(base).map(|url| url.origin().ascii_serialization());
        all.extend(origin.map(|origin| format!("{origin}/metrics")));
        all.dedup();
        all
    }

    /// A page of metrics. The key, the extra headers and the client certificate go to the API's own host alone. Reads
    /// certificate files for another host.
    ///
    /// # Errors
    /// When the address, a certificate file or a proxy's setting is not valid.
    pub fn metrics_page(&self, url: &str) -> Result<MetricsPage, Failure> {
        let origin = |url: &str| Url::parse(url).map(|url| url.origin()).ok();
        let is_own = origin(url).is_some() && origin(url) == origin(self.address.base());
        let (dialer, whole, line) = if is_own {
            (
                self.dialer.clone(),
                self.access.url(url),
                self.curl(url, "", None),
            )
        } else {
            let trust = Trust {
                client: None,
                ..self.trust.clone()
            };
            let proxy = proxy_for(url)?;
            let shown = proxy.as_ref().map(|proxy| proxy.shown.as_str());
            let wanted = [Some(url), shown]
                .into_iter()
                .flatten()
                .any(|url| url.starts_with("https://"));
            let dialer = Dialer::new(url, &[], &tls::open(&trust, wanted)?, proxy)?;
            (dialer, url.to_owned(), format!("curl -sS {}", quote(url)))
        };
        if Url::parse(url).is_err() {
            let advice = Advice::from("Check --server-metrics".to_owned());
            return Err(Failure::new(
                format!("{url} is not a valid address"),
                advice,
            ));
        }
        Ok(MetricsPage {
            api: self.clone(),
            dialer,
            url: whole,
            shown: url.split('?').next().unwrap_or_default().to_owned(),
            line: Some(line),
            connection: None,
        })
    }
}

impl MetricsPage {
    /// Its address, without the query.
    pub fn address(&self) -> &str {
        &self.shown
    }

    /// Reads it whole. The first time it is an activity.
    ///
    /// # Errors
    /// Why not, in a few words: `HTTP 404`.
    pub async fn read(&mut self) -> Result<String, String> {
        let line = self.line.take();
        let recording = line.map(|line| self.api.recorder.begin(ActivityKind::Http, line));
        let outcome = tokio::time::timeout(PAGE_TIMEOUT, self.fetch())
            .await
            .unwrap_or_else(|_| Err(format!("no response within {} s", PAGE_TIMEOUT.as_secs())));
        if let Some(recording) = recording {
            match &outcome {
                Ok(_) => recording.end(true, "HTTP 200, read once a second from now on"),
                Err(why) => recording.end(false, why.clone()),
            }
        }
        outcome
    }

    async fn fetch(&mut self) -> Result<String, String> {
        let request = self.dialer.compose(&Ask {
            method: "GET",
            url: &self.url,
            accept: "text/plain",
            body: None,
        });
        let idle = self
            .connection
            .take()
            .and_then(|mut connection| connection.is_usable().then_some(connection));
        let again = match idle {
            // The server may have closed it at this very moment.
            Some(connection) => connection.open(&request).await.ok(),
            None => None,
        };
        let response = match again {
            Some(response) => response,
            None => {
                let opened = async { self.dialer.dial().await?.open(&request).await };
                opened.await.map_err(|error| self.words(&error))?
            }
        };
        match response.head.status {
            200..300 => self.body(response).await,
            status => Err(format!("HTTP {status}")),
        }
    }

    async fn body(&mut self, mut response: Response) -> Result<String, String> {
        let mut body = Vec::new();
        let mut unpacker = Unpacker::of(&response.head);
        while let Some((_, bytes)) = response.next().await.map_err(|error| self.words(&error))? {
            let bytes = unpacker
                .take(&bytes)
                .map_err(|_| "it cannot be unpacked".to_owned())?;
            body.extend_from_slice(&bytes);
            if body.len() > MAX_PAGE_BYTES {
                return Err(format!(
                    "the page is longer than {} MiB",
                    MAX_PAGE_BYTES >> 20
                ));
            }
        }
        unpacker
            .finish()
            .map_err(|_| "it cannot be unpacked".to_owned())?;
        self.connection = response.into_connection();
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    fn words(&self, error: &crate::io::http1::WireError) -> String {
        let host = self
            .shown
            .split("://")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        let asked = RequestInfo {
            host: host.unwrap_or_default(),
            ..RequestInfo::default()
        };
        let failure = faults::of_wire(error, &asked).failure;
        self.api.access.redactor().clean_failure(failure).summary
    }
}

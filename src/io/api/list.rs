//! The model list, requested with reqwest since it is not measured.
//!
//! If that fails, [`Api::reach`] requests it again: it has clearer errors, and reads responses that reqwest does not.

use std::time::{Duration, Instant};

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue,
};
use secrecy::ExposeSecret as _;

use super::{Access, Api, MAX_BODY_BYTES, Models, SHORT_TIMEOUT, end};
use crate::domain::units;
use crate::io::tls::Tls;
use crate::protocol::ActivityKind;
use crate::wire::fault::{Endpoint, Fault, HttpResponse, RequestInfo};
use crate::wire::openai;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client with the environment's headers and trust; `None` if reqwest does not support them.
pub(super) fn client(access: &Access, tls: &Tls) -> Option<reqwest::Client> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in access.lines() {
        let mut value = HeaderValue::from_str(value.expose_secret()).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    reqwest::Client::builder()
        .user_agent(concat!("batida/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .tls_backend_preconfigured(tls.config.as_ref().clone())
        .http1_only()
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(SHORT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
        .ok()
}

/// A whole response.
struct ListResponse {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Api {
    /// Requests the routed models (`GET /v1/models`). The list is public, so success does not prove the key.
    ///
    /// # Errors
    /// Any connection failure or refusal.
    pub async fn models(&self) -> Result<Models, Fault> {
        let Some(client) = &self.plain else {
            return self.reach().await;
        };
        let url = self.address.models();
        let asked = RequestInfo {
            what: Endpoint::Models,
            ..self.asked("", &[])
        };
        let recording = self
            .recorder
            .begin(ActivityKind::Http, self.curl(&url, "", None));
        let (url, sent) = (self.access.url(&url), Instant::now());
        let got = get(client, &url).await;
        let refused = got.as_ref().filter(|got| !(200..300).contains(&got.status));
        let ids = got
            .as_ref()
            .filter(|_| refused.is_none())
            .and_then(|got| openai::read_models(&self.clean(&got.body)).ok());
        let outcome = match (refused, ids) {
            (Some(got), _) => Err(self.refusal(got, &url, &asked)),
            (None, Some(ids)) => {
                let (took, connect, clock_skew, certificate) = (sent.elapsed(), None, None, None);
                Ok(Models {
                    ids,
                    took,
                    connect,
                    clock_skew,
                    certificate,
                })
            }
            (None, None) => {
                recording.end(false, "no readable response; requested again");
                return self.reach().await;
            }
        };
        end(recording, &outcome, |models| {
            format!("HTTP 200, {}", units::counted(models.ids.len(), "model"))
        });
        outcome
    }

    fn refusal(&self, got: &ListResponse, url: &str, asked: &RequestInfo<'_>) -> Fault {
        let redactor = self.access.redactor();
        let text = |name: &str| {
            let value = got
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())?;
            Some(redactor.clean(value).into_owned())
        };
        let (content_type, location) = (text("content-type").unwrap_or_default(), text("location"));
        let (retry_after, date) = (text("retry-after"), text("date"));
        let reply = HttpResponse {
            status: got.status,
            body: &redactor.clean(&got.body),
            content_type: &content_type.to_ascii_lowercase(),
            retry_after: retry_after.as_deref(),
            date: date.as_deref(),
            location: location.as_deref(),
            ..HttpResponse::default()
        };
        self.refused(&reply, url, asked)
    }
}

/// `None` if the request fails, or the response is too long or compressed.
async fn get(client: &reqwest::Client, url: &str) -> Option<ListResponse> {
    let mut response = client.get(url).send().await.ok()?;
    if response.headers().contains_key(CONTENT_ENCODING) {
        return None;
    }
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await.ok()? {
        body.extend_from_slice(&bytes);
        if body.len() > MAX_BODY_BYTES {
            return None;
        }
    }
    Some(ListResponse {
        status,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

//! A client for OpenAI-compatible APIs. Measured requests (chats, probes, embeddings, checks) use [`super::http1`], which
//! timestamps each read. The model list is not measured and uses reqwest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::access::Access;
use super::activity::{Recorder, Recording};
use super::http1::{ACCEPT_CHAT, Ask, Dialer, Pool, Response, WireError};
use super::proxy::{Proxy, proxy_for};
use super::tls;
use crate::domain::conversation::ChatRequest;
use crate::domain::dialect::Dialect;
use crate::domain::embedding::{EmbedRequest, Embedded};
use crate::domain::environment::ApiAddress;
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::plan::PlanEndpoint;
use crate::domain::units;
use crate::protocol::ActivityKind;
use crate::snippet;
use crate::wire::certificate::Certificate;
use crate::wire::embeddings;
use crate::wire::fault::{self, Endpoint, Fault, HttpResponse, RequestInfo, TransportError};
use crate::wire::openai;

mod curl;
mod dialects;
mod endpoint;
mod faults;
mod head;
mod list;
mod metrics;
mod stream;
mod whole;

pub use self::dialects::Dialects;
use self::head::Head;
pub use self::metrics::{MAX_PAGE_BYTES, MetricsPage};
pub use self::stream::ChatStream;
use self::whole::{WholeRequest, WholeResponse};
pub use super::tls::{ClientCertificate, Trust};

/// The ingress closes a connection after this time without data.
pub const SILENCE: Duration = Duration::from_secs(600);
/// Embedding is fast, unless the model has to be loaded first.
const EMBED_TIMEOUT: Duration = Duration::from_secs(120);
/// For requests that run no model.
const SHORT_TIMEOUT: Duration = Duration::from_secs(20);
/// Limit of a response that is not streamed.
const MAX_BODY_BYTES: usize = 32 << 20;

/// An API with its key. Cheap to clone; clones share the idle connections.
#[derive(Debug, Clone)]
pub struct Api {
    /// For the model list; `None` with a proxy, since only [`super::http1`] supports every kind.
    plain: Option<reqwest::Client>,
    dialer: Dialer,
    pool: Arc<Pool>,
    proxy: Option<Arc<Proxy>>,
    address: ApiAddress,
    access: Access,
    trust: Trust,
    dialects: Dialects,
    recorder: Recorder,
    /// The environment has a cluster, which failures may refer to.
    beside_cluster: bool,
    /// What [`Self::chat`] and the requests of [`Self::dialer`] are sent to.
    endpoint: PlanEndpoint,
}

/// The routed models, and facts about the connection.
#[derive(Debug, Clone)]
pub struct Models {
    /// The model ids, sorted.
    pub ids: Vec<String>,
    /// From sending to the last byte.
    pub took: Duration,
    /// The time for opening a connection, if one was opened.
    pub connect: Option<Duration>,
    /// How far the server's `Date` is ahead of this machine's clock, in whole seconds.
    pub clock_skew: Option<i64>,
    /// The server's certificate, with TLS.
    pub certificate: Option<Certificate>,
}

impl Api {
    /// Does not open a connection.
    ///
    /// # Errors
    /// When a certificate file cannot be read, the system has no trusted certificates, or an environment variable sets
    /// a proxy that is not valid.
    pub fn new(
        address: ApiAddress,
        access: Access,
        trust: Trust,
        recorder: Recorder,
    ) -> Result<Self, Failure> {
        let url = address.chat();
        let proxy = if address.is_loopback() {
            None
        } else {
            proxy_for(&url)?
        };
        let secure = |shown: &str| shown.starts_with("https://");
        let wanted = secure(&url) || proxy.as_ref().is_some_and(|proxy| secure(&proxy.shown));
        let tls = tls::open(&trust, wanted)?;
        let dialer = Dialer::new(&access.url(&url), &access.lines(), &tls, proxy.clone())?;
        let plain = if proxy.is_none() {
            list::client(&access, &tls)
        } else {
            None
        };
        let (pool, proxy) = (Arc::default(), proxy.map(Arc::new));
        let dialects = Dialects::default();
        Ok(Self {
            plain,
            dialer,
            pool,
            proxy,
            address,
            access,
            trust,
            dialects,
            recorder,
            beside_cluster: false,
            endpoint: PlanEndpoint::Chat,
        })
    }

    /// Adds what earlier refusals have shown about the servers.
    #[must_use]
    pub fn with_dialects(self, dialects: Dialects) -> Self {
        Self { dialects, ..self }
    }

    /// Sets whether the environment has a cluster, so that failures can advise to check its pods.
    #[must_use]
    pub fn beside_cluster(self, has_cluster: bool) -> Self {
        Self {
            beside_cluster: has_cluster,
            ..self
        }
    }
    /// Whether the environment has a cluster; see [`Self::beside_cluster`].
    pub fn is_beside_cluster(&self) -> bool {
        self.beside_cluster
    }

    /// Opens connections for benchmarks.
    pub fn dialer(&self) -> Dialer {
        self.dialer.clone()
    }

    /// The proxy, without its credentials, e.g. `http://proxy.corp:3128`.
    pub fn proxy(&self) -> Option<&str> {
        self.proxy.as_ref().map(|proxy| proxy.shown.as_str())
    }
    /// The address without extra query parameters.
    pub fn address(&self) -> &ApiAddress {
        &self.address
    }

    /// The key that requests carry.
    pub(crate) fn key(&self) -> Option<&SecretString> {
        self.access.key()
    }

    /// Whether requests carry a key.
    pub fn has_key(&self) -> bool {
        self.access.has_key()
    }

    /// What the servers do not support, by model.
    pub fn dialects(&self) -> &Dialects {
        &self.dialects
    }

    /// Learns from a refusal, with a note in Activity. Returns whether it is new.
    pub fn learn(&self, model: &str, refused: Dialect) -> bool {
        let notes = self.dialects.learn(model, refused);
        notes
            .iter()
            .for_each(|note| self.recorder.note(format!("{model}: {note}")));
        !notes.is_empty()
    }

    /// Requests the routed models (`GET /v1/models`). The list is public, so success does not prove the key.
    ///
    /// # Errors
    /// Any connection failure or refusal.
    pub async fn reach(&self) -> Result<Models, Fault> {
        let url = self.address.models();
        let whole_url = self.access.url(&url);
        let asking = WholeRequest {
            asked: RequestInfo {
                what: Endpoint::Models,
                ..self.asked("", &[])
            },
            line: self.curl(&url, "", None),
            ask: Ask {
                method: "GET",
                url: &whole_url,
                accept: "application/json",
                body: None,
            },
            limit: SHORT_TIMEOUT,
            what: "a model list",
        };
        let read = |got: &WholeResponse| {
            let &WholeResponse {
                took,
                connect,
                clock_skew,
                ..
            } = got;
            let ids = openai::read_models(&self.clean(&got.body))?;
            Ok(Models {
                ids,
                took,
                connect,
                clock_skew,
                certificate: got.certificate.clone(),
            })
        };
        self.whole(asking, read, |models| {
            units::counted(models.ids.len(), "model")
        })
        .await
    }

    /// Sends a chat request and returns when the head of a successful response was received.
    ///
    /// `known` are the routed models, to suggest a name after a misspelled one.
    ///
    /// # Errors
    /// Any connection failure or refusal.
    pub async fn chat(
        &self,
        request: &ChatRequest,
        dialect: Dialect,
        known: &[String],
    ) -> Result<ChatStream, Fault> {
        let set = openai::set_names(&request.params, false);
        let asked = RequestInfo {
            set: &set,
            ..self.asked(&request.model, known)
        };
        let url = self.endpoint_url();
        let body = self.body(request, dialect);
        let recording = {
            // With images, the command would have megabytes.
            let line = match snippet::body_in_words(request, true, dialect) {
                Some(words) => {
                    let line = self.curl_head(&url, curl::NO_BUFFER, true);
                    format!("printf %s {words} | {line} --data-binary @-")
                }
                None => self.curl(&url, curl::NO_BUFFER, Some(&body)),
            };
            self.recorder.begin(ActivityKind::Http, line)
        };
        let url = self.access.url(&url);
        let ask = Ask {
            method: "POST",
            url: &url,
            accept: ACCEPT_CHAT,
            body: Some(&body),
        };
        match self.send(&ask, SILENCE, &asked).await {
            Ok(opened) => Ok(ChatStream::new(self.clone(), opened, recording)),
            Err(fault) => {
                end(recording, &Err::<(), _>(fault.clone()), |()| String::new());
                Err(fault)
            }
        }
    }

    /// Requests embeddings (`POST /v1/embeddings`) within two minutes. `known` are the routed models, to suggest a name
    /// after a misspelled one.
    ///
    /// # Errors
    /// Any connection failure or refusal, or when the number of vectors differs from that of texts.
    pub async fn embed(&self, request: &EmbedRequest, known: &[String]) -> Result<Embedded, Fault> {
        let url = self.address.embeddings();
        let body = embeddings::body(request).to_string();
        let whole_url = self.access.url(&url);
        let asking = WholeRequest {
            asked: RequestInfo {
                what: Endpoint::Embeddings,
                ..self.asked(&request.model, known)
            },
            line: self.curl(&url, "", Some(&body)),
            ask: Ask {
                method: "POST",
                url: &whole_url,
                accept: "application/json",
                body: Some(&body),
            },
            limit: EMBED_TIMEOUT,
            what: "embeddings",
        };
        let read = |got: &WholeResponse| {
            let (vectors, prompt_tokens) = embeddings::read(&got.body)?;
            let (sent, came) = (request.input.len(), vectors.len());
            if sent != came {
                return Err(format!("it has {came} vectors for {sent} texts"));
            }
            Ok(Embedded {
                vectors,
                prompt_tokens,
                took: got.took,
                connect: got.connect,
            })
        };
        self.whole(asking, read, |embedded| {
            units::counted(embedded.vectors.len(), "vector")
        })
        .await
    }

    /// The context of a request, for failure messages.
    pub fn asked<'a>(&'a self, model: &'a str, known: &'a [String]) -> RequestInfo<'a> {
        let host = self.address.host();
        let plain = self.address.root().starts_with("http://");
        let cluster = self.beside_cluster;
        let had_key = self.has_key();
        RequestInfo {
            host,
            model,
            known,
            had_key,
            cluster,
            proxy: self.proxy(),
            proxy_login: self.proxy.as_ref().is_some_and(|proxy| proxy.has_login()),
            plain,
            what: self.asked_endpoint(),
            ..RequestInfo::default()
        }
    }

    /// Sends a request and waits for the head of a successful response.
    ///
    /// If the server had closed an idle connection, the request is sent once more on a new one, provided that the
    /// server has not received it in full or that it is a GET.
    async fn send(
        &self,
        ask: &Ask<'_>,
        limit: Duration,
        asked: &RequestInfo<'_>,
    ) -> Result<Opened, Fault> {
        let request = self.dialer.compose(ask);
        let sent = Instant::now();
        let sending = async {
            let mut reconnected = false;
            if let Some(waiting) = self.pool.take() {
                match waiting.open(&request).await {
                    Err(WireError::Stale(_)) => reconnected = true,
                    Err(WireError::Broken(_)) if ask.method == "GET" => reconnected = true,
                    outcome => return outcome.map(|response| (response, None, false)),
                }
            }
            let began = Instant::now();
            let connection = self.dialer.dial().await?;
            let connect = Some(began.elapsed());
            connection
                .open(&request)
                .await
                .map(|response| (response, connect, reconnected))
        };
        let (response, connect, reconnected) = match tokio::time::timeout(limit, sending).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Err(self.shown(faults::of_wire(&error, asked))),
            Err(_) => {
                return Err(
                    self.shown(TransportError::NoHead(limit).into_fault(asked, String::new()))
                );
            }
        };
        // What opened a connection for it counts from before that.
        let sent = if connect.is_none() {
            response.sent_at
        } else {
            sent
        };
        if (200..300).contains(&response.head.status) {
            return Ok(Opened {
                sent,
                connect,
                reconnected,
                response,
            });
        }
        let head = Head::of(&response.head, self.access.redactor());
        // If the body cannot be read, the status has to do.
        let body = self.read_start(response).await;
        let body = self.access.redactor().clean(&body);
        Err(self.refused(&head.reply(&body), ask.url, asked))
    }

    /// Explains a refusal. The body must not contain secrets.
    fn refused(&self, reply: &HttpResponse<'_>, url: &str, asked: &RequestInfo<'_>) -> Fault {
        let mut fault = fault::from_reply(reply, asked);
        if fault.class == FaultClass::NotAnApi {
            // The base URL may be wrong, so show it, without the query, which may contain a secret.
            let url = url.split('?').next().unwrap_or_default();
            fault.failure.details = format!("Requested: {url}\n{}", fault.failure.details);
        }
        self.shown(fault)
    }

    /// Returns the connection of a completed response to the pool.
    fn keep(&self, response: Response) {
        if let Some(connection) = response.into_connection() {
            self.pool.put(connection);
        }
    }

    /// Removes secrets from a text of the server, which may repeat them.
    pub fn clean(&self, text: &str) -> String {
        self.access.redactor().clean(text).into_owned()
    }

    /// Removes secrets from all strings and names of some JSON.
    pub fn clean_json(&self, value: serde_json::Value) -> serde_json::Value {
        self.access.redactor().clean_json(value)
    }

    /// Adds the proxy to a failure, and removes secrets.
    fn shown(&self, fault: Fault) -> Fault {
        Fault {
            failure: self.shown_failure(fault.failure),
            ..fault
        }
    }

    fn shown_failure(&self, failure: Failure) -> Failure {
        // A server may repeat secrets in its error message.
        let mut failure = self.access.redactor().clean_failure(failure);
        if let Some(proxy) = self
            .proxy()
            .filter(|proxy| !failure.summary.contains(proxy))
        {
            failure.summary = format!("{} (through the proxy {proxy})", failure.summary);
        }
        failure
    }
}

/// A suffix for the activity record.
const RECONNECTED: &str = ", reconnected";

/// A successful response whose head was received.
struct Opened {
    /// Just before the request was sent.
    sent: Instant,
    /// How long connecting took; `None` on an idle connection.
    connect: Option<Duration>,
    /// The server had closed the first connection.
    reconnected: bool,
    response: Response,
}

fn end<T>(recording: Recording, outcome: &Result<T, Fault>, good: impl Fn(&T) -> String) {
    match outcome {
        Ok(value) => recording.end(true, good(value)),
        Err(Fault {
            status: Some(status),
            ..
        }) => recording.end(false, format!("HTTP {status}")),
        Err(fault) => recording.end(false, fault.failure.summary.clone()),
    }
}

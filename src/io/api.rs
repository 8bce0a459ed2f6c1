//! The door to an OpenAI-compatible API. What is measured (chats, probes, embeddings, checks) goes over
//! [`super::http1`], which stamps each read; the model list, of which nothing is measured, over reqwest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::access::{Access, quote};
use super::activity::{Recorder, Recording};
use super::http1::{ACCEPT_CHAT, Ask, Dialer, Pool, Response, Unpacker, WireError};
use super::proxy::{Proxy, proxy_for};
use super::tls;
use crate::domain::conversation::ChatRequest;
use crate::domain::dialect::Dialect;
use crate::domain::embedding::{EmbedRequest, Embedded};
use crate::domain::environment::ApiAddress;
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::units;
use crate::protocol::ActivityKind;
use crate::snippet;
use crate::wire::certificate::Certificate;
use crate::wire::embeddings;
use crate::wire::fault::{self, Endpoint, Fault, HttpResponse, RequestInfo, TransportError};
use crate::wire::openai;

mod dialects;
mod faults;
mod list;
mod stream;

pub use self::dialects::Dialects;
pub use self::stream::ChatStream;
use self::stream::Head;
pub use super::tls::{ClientCertificate, Trust};

/// The ingress closes after as long without data; no model is slower than that.
pub const SILENCE: Duration = Duration::from_secs(600);
/// A model that embeds is done at once, unless it is loaded first.
const EMBED: Duration = Duration::from_secs(120);
/// For requests that no model has to think about.
const SHORT: Duration = Duration::from_secs(20);
/// How long the body of a refusal is waited for.
const REFUSAL: Duration = Duration::from_secs(5);
/// Of an error's body.
const MOST_ERROR: usize = 64 << 10;
/// Of a model list, or of an answer that was not streamed.
const MOST_WHOLE: usize = 32 << 20;

/// Linux takes no argument beyond 128 KiB; what the shell itself prints may be longer.
const MOST_ARGUMENT: usize = 100 << 10;

/// An API with its key. Cheap to clone; keeps its connections.
#[derive(Debug, Clone)]
pub struct Api {
    /// For the model list; `None` behind a proxy, since [`super::http1`] knows every kind of them.
    plain: Option<reqwest::Client>,
    dialer: Dialer,
    pool: Arc<Pool>,
    proxy: Option<Arc<Proxy>>,
    address: ApiAddress,
    access: Access,
    trust: Trust,
    dialects: Dialects,
    recorder: Recorder,
    /// The environment has a cluster too, for advice.
    beside_cluster: bool,
}

/// The routed models, and what was seen on the way.
#[derive(Debug, Clone)]
pub struct Models {
    /// Their ids, sorted.
    pub ids: Vec<String>,
    /// From sending to the last byte.
    pub took: Duration,
    /// Of it opening a connection.
    pub connect: Option<Duration>,
    /// How far the server's `Date` is ahead of this machine's clock, in whole seconds.
    pub clock_skew: Option<i64>,
    /// The certificate that the server showed, where there is TLS.
    pub certificate: Option<Certificate>,
}

impl Api {
    /// Opens no connection yet.
    ///
    /// # Errors
    /// When a certificate's file cannot be read, the system has no certificates to trust, or a variable names a proxy
    /// that cannot be used.
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
        })
    }

    /// With what was learned of its servers' refusals earlier, and to be kept.
    #[must_use]
    pub fn with_dialects(self, dialects: Dialects) -> Self {
        Self { dialects, ..self }
    }

    /// Whether the environment has a cluster whose pods may be looked at: failures advise so.
    #[must_use]
    pub fn beside_cluster(self, has_cluster: bool) -> Self {
        Self {
            beside_cluster: has_cluster,
            ..self
        }
    }

    /// As [`Self::beside_cluster`] set it.
    pub fn is_beside_cluster(&self) -> bool {
        self.beside_cluster
    }

    /// Opens connections for measuring.
    pub fn dialer(&self) -> Dialer {
        self.dialer.clone()
    }

    /// The proxy on the way, without its credentials, e.g. `http://proxy.corp:3128`.
    pub fn proxy(&self) -> Option<&str> {
        self.proxy.as_ref().map(|proxy| proxy.shown.as_str())
    }

    /// Where it is.
    pub fn address(&self) -> &ApiAddress {
        &self.address
    }

    /// Whether requests carry a key.
    pub fn has_key(&self) -> bool {
        self.access.has_key()
    }

    /// What the servers of its models were found not to take.
    pub fn dialects(&self) -> &Dialects {
        &self.dialects
    }

    /// Learns from a refusal, and says so in Activity. False when nothing in it is new.
    pub fn learn(&self, model: &str, refused: Dialect) -> bool {
        let notes = self.dialects.learn(model, refused);
        notes
            .iter()
            .for_each(|note| self.recorder.note(format!("{model}: {note}")));
        !notes.is_empty()
    }

    /// The names that are routed now (`GET /v1/models`), with what was seen on the way. Public: it proves no key.
    ///
    /// # Errors
    /// As everything that HTTP can do wrong.
    pub async fn reach(&self) -> Result<Models, Fault> {
        let url = self.address.models();
        let whole_url = self.access.url(&url);
        let asking = Whole {
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
            limit: SHORT,
            what: "a model list",
        };
        let read = |got: &Got| {
            let &Got {
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

    /// Sends a chat request and returns when the head of a successful answer is there.
    ///
    /// `known` are the routed names, for a "did you mean".
    ///
    /// # Errors
    /// As everything that HTTP can do wrong, and every refusal of the server.
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
        let url = self.address.chat();
        let body = openai::chat_body_in(request, true, dialect).to_string();
        let recording = {
            // Pictures would make a line of megabytes.
            let line = match snippet::body_in_words(request, true, dialect) {
                Some(words) => {
                    let line = self.curl_head(&url, AS_IT_COMES, true);
                    format!("printf %s {words} | {line} --data-binary @-")
                }
                None => self.curl(&url, AS_IT_COMES, Some(&body)),
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

    /// Makes embeddings (`POST /v1/embeddings`); waits two minutes at most. `known` are the routed names, for a
    /// "did you mean".
    ///
    /// # Errors
    /// As everything that HTTP can do wrong, every refusal of the server, and when what it sends are not as many vectors
    /// as there are texts.
    pub async fn embed(&self, request: &EmbedRequest, known: &[String]) -> Result<Embedded, Fault> {
        let url = self.address.embeddings();
        let body = embeddings::body(request).to_string();
        let whole_url = self.access.url(&url);
        let asking = Whole {
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
            limit: EMBED,
            what: "embeddings",
        };
        let read = |got: &Got| {
            let (vectors, prompt_tokens) = embeddings::read(&got.body)?;
            let (sent, came) = (request.input.len(), vectors.len());
            if sent != came {
                return Err(format!("{came} vectors came for {sent} texts"));
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

    /// Sends a request and reads its answer whole. `told`: what came, for the activity record.
    async fn whole<T>(
        &self,
        asking: Whole<'_>,
        read: impl FnOnce(&Got) -> Result<T, String>,
        told: impl Fn(&T) -> String,
    ) -> Result<T, Fault> {
        let Whole {
            asked,
            line,
            ask,
            limit,
            what,
        } = asking;
        let recording = self.recorder.begin(ActivityKind::Http, line);
        let mut reconnected = "";
        let outcome = async {
            let opened = self.send(&ask, limit, &asked).await?;
            if opened.reconnected {
                reconnected = RECONNECTED;
            }
            let Opened {
                sent,
                connect,
                response,
                ..
            } = opened;
            let certificate = response.connection().peer_certificate();
            let certificate = certificate.and_then(|shown| Certificate::read(shown));
            let head = Head::of(&response.head, self.access.redactor());
            let left = limit.saturating_sub(sent.elapsed());
            let reading = self.read_whole(response, &asked);
            let body = tokio::time::timeout(left, reading)
                .await
                .unwrap_or_else(|_| {
                    Err(TransportError::ReadTimeout(limit).into_fault(&asked, String::new()))
                })?;
            let clock_skew = head.clock_skew();
            let got = Got {
                body,
                took: sent.elapsed(),
                connect,
                clock_skew,
                certificate,
            };
            read(&got).map_err(|why| {
                // Before anything of it is cut off.
                let body = self.access.redactor().clean(&got.body);
                let mut fault = fault::not_an_answer(&head.reply(&body), &asked);
                if fault.status == Some(200) && !got.body.trim_start().starts_with('<') {
                    fault.failure.summary =
                        format!("{} sent {what} that cannot be read: {why}", asked.host);
                }
                fault
            })
        };
        let outcome = outcome.await.map_err(|fault| self.told(fault));
        end(recording, &outcome, |value| {
            format!("HTTP 200, {}{reconnected}", told(value))
        });
        outcome
    }

    /// What is asked of whom, for the words of a failure.
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
            plain,
            ..RequestInfo::default()
        }
    }

    /// Sends a request and waits for the head of a success.
    ///
    /// A connection that waited may have been closed by the server: the request is then sent once more on a new
    /// one, where it is certain that the server has not received it in full, or asks for something that may be asked
    /// twice.
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
            Ok(Err(error)) => return Err(self.told(faults::of_wire(&error, asked))),
            Err(_) => {
                return Err(
                    self.told(TransportError::ReadTimeout(limit).into_fault(asked, String::new()))
                );
            }
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
        // The status tells enough when the body cannot be read.
        let body = self.read_start(response).await;
        let body = self.access.redactor().clean(&body);
        Err(self.refused(&head.reply(&body), ask.url, asked))
    }

    /// A refusal in words. The body must be clean of secrets.
    fn refused(&self, reply: &HttpResponse<'_>, url: &str, asked: &RequestInfo<'_>) -> Fault {
        let mut fault = fault::from_reply(reply, asked);
        if fault.class == FaultClass::NotAnApi {
            // The base URL may have been meant otherwise. Without the query: it may hold a secret.
            let url = url.split('?').next().unwrap_or_default();
            fault.failure.details = format!("Asked: {url}\n{}", fault.failure.details);
        }
        self.told(fault)
    }

    async fn read_start(&self, mut response: Response) -> String {
        let mut body = Vec::new();
        let mut unpacker = Unpacker::of(&response.head);
        let read = async {
            while let Ok(Some((_, bytes))) = response.next().await {
                match unpacker.as_mut().map(|unpacker| unpacker.take(&bytes)) {
                    None => body.extend_from_slice(&bytes),
                    Some(Ok(bytes)) => body.extend_from_slice(&bytes),
                    Some(Err(_)) => break,
                }
                if body.len() > MOST_ERROR {
                    break;
                }
            }
        };
        // Whatever came by then is shown.
        let _ = tokio::time::timeout(REFUSAL, read).await;
        body.truncate(MOST_ERROR);
        self.keep(response);
        String::from_utf8_lossy(&body).into_owned()
    }

    async fn read_whole(
        &self,
        mut response: Response,
        asked: &RequestInfo<'_>,
    ) -> Result<String, Fault> {
        let mut body = Vec::new();
        let mut unpacker = Unpacker::of(&response.head);
        while let Some((_, bytes)) = response
            .next()
            .await
            .map_err(|error| faults::of_wire(&error, asked))?
        {
            match &mut unpacker {
                None => body.extend_from_slice(&bytes),
                Some(unpacker) => {
                    let bytes = unpacker
                        .take(&bytes)
                        .map_err(|why| faults::of_compressed(&why, asked))?;
                    body.extend_from_slice(&bytes);
                }
            }
            if body.len() > MOST_WHOLE {
                let reply = fault::HttpResponse {
                    status: 200,
                    ..fault::HttpResponse::default()
                };
                return Err(fault::not_an_answer(&reply, asked));
            }
        }
        self.keep(response);
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Keeps the connection of a response that was read to its end.
    fn keep(&self, response: Response) {
        if let Some(connection) = response.into_connection() {
            self.pool.put(connection);
        }
    }

    /// A text of the server's without secrets: it may repeat them anywhere.
    pub fn clean(&self, text: &str) -> String {
        self.access.redactor().clean(text).into_owned()
    }

    /// A failure as it may be shown: it names the proxy on the way, and holds no key.
    fn told(&self, fault: Fault) -> Fault {
        Fault {
            failure: self.told_failure(fault.failure),
            ..fault
        }
    }

    fn told_failure(&self, failure: Failure) -> Failure {
        // A server may repeat secrets in its error.
        let mut failure = self.access.redactor().clean_failure(failure);
        if let Some(proxy) = self
            .proxy()
            .filter(|proxy| !failure.summary.contains(proxy))
        {
            failure.summary = format!("{} (through the proxy {proxy})", failure.summary);
        }
        failure
    }

    /// The same request for a shell; secrets are variables. `flags` are curl's, e.g. [`AS_IT_COMES`].
    fn curl(&self, url: &str, flags: &str, body: Option<&str>) -> String {
        let line = self.curl_head(url, flags, body.is_some());
        let Some(body) = body else { return line };
        if body.len() > MOST_ARGUMENT {
            return format!("printf %s {} | {line} --data-binary @-", quote(body));
        }
        format!("{line} --data-raw {}", quote(body))
    }

    /// All of it but the body.
    fn curl_head(&self, url: &str, flags: &str, has_body: bool) -> String {
        let mut line = String::from("curl -sS");
        if let Some(path) = &self.trust.ca_file {
            line = format!("{line} --cacert {}", quote(&path.to_string_lossy()));
        }
        if self.trust.accept_invalid_certs {
            line.push_str(" -k");
        }
        if let Some(ClientCertificate { certificate, key }) = &self.trust.client {
            line = format!("{line} --cert {}", quote(&certificate.to_string_lossy()));
            if let Some(key) = key {
                line = format!("{line} --key {}", quote(&key.to_string_lossy()));
            }
        }
        if let Some(proxy) = self.proxy() {
            line = format!("{line} -x {}", quote(proxy));
        }
        line = format!(
            "{line}{flags} {}{}",
            self.access.shell_url(url),
            self.access.curl_headers()
        );
        if has_body {
            line.push_str(" -H 'Content-Type: application/json'");
        }
        line
    }
}

/// Shows a streamed answer as it comes.
const AS_IT_COMES: &str = " -N";

/// For the record of activities.
const RECONNECTED: &str = ", reconnected";

/// A request whose answer is read whole.
struct Whole<'a> {
    asked: RequestInfo<'a>,
    /// The same for a shell.
    line: String,
    ask: Ask<'a>,
    /// From sending to the last byte.
    limit: Duration,
    /// What it should answer, e.g. `a model list`.
    what: &'static str,
}

/// A success whose head is there.
struct Opened {
    /// Just before the request was sent.
    sent: Instant,
    /// How long connecting took; `None` on a connection that was open.
    connect: Option<Duration>,
    /// The server had closed the first connection.
    reconnected: bool,
    response: Response,
}

/// Such an answer, and what was seen on the way; see [`Models`].
struct Got {
    body: String,
    took: Duration,
    connect: Option<Duration>,
    clock_skew: Option<i64>,
    certificate: Option<Certificate>,
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

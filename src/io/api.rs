//! The door to an OpenAI-compatible API: HTTP through reqwest, stamped as bytes arrive.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};

use self::connect::ConnectClock;
use super::access::{Access, quote};
use super::activity::{Recorder, Recording};
use super::files;
use crate::domain::conversation::ChatRequest;
use crate::domain::dialect::Dialect;
use crate::domain::embedding::{EmbedRequest, Embedded};
use crate::domain::environment::ApiAddress;
use crate::domain::failure::{Advice, Failure, FaultClass};
use crate::domain::redact::Redactor;
use crate::domain::units;
use crate::protocol::ActivityKind;
use crate::snippet;
use crate::wire::certificate::Certificate;
use crate::wire::embeddings;
use crate::wire::fault::{self, Asked, Fault, Reply, Transport, What};
use crate::wire::openai;

pub use self::dialects::Dialects;

mod dialects;
mod measured;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The ingress closes after as long without data; no model is slower than that.
const READ_TIMEOUT: Duration = Duration::from_secs(600);
/// A model that embeds is done at once, unless it is loaded first.
const EMBED: Duration = Duration::from_secs(120);
/// For requests that no model has to think about.
const SHORT: Duration = Duration::from_secs(20);
/// Of an error's body.
const MOST_ERROR: usize = 64 << 10;
/// Of a model list, or of an answer that was not streamed.
const MOST_WHOLE: usize = 32 << 20;

/// All authorities that a system trusts take a quarter of a MiB.
const MOST_CERTIFICATES: u64 = 16 << 20;

/// Linux takes no argument beyond 128 KiB; what the shell itself prints may be longer.
const MOST_ARGUMENT: usize = 100 << 10;

/// How certificates are judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// PEM certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Trust any.
    pub accept_invalid_certs: bool,
}

/// An API with its key. Cheap to clone; keeps its connections.
#[derive(Debug, Clone)]
pub struct Api {
    client: reqwest::Client,
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
    /// When the CA file cannot be read, or the system has no certificates to trust.
    pub fn new(
        address: ApiAddress,
        access: Access,
        trust: Trust,
        recorder: Recorder,
    ) -> Result<Self, Failure> {
        // Fails only when another was installed before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("batida/", env!("CARGO_PKG_VERSION")))
            .tcp_nodelay(true)
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connector_layer(ConnectClock)
            .tls_info(true)
            .tls_danger_accept_invalid_certs(trust.accept_invalid_certs);
        if address.is_loopback() {
            builder = builder.no_proxy();
        }
        builder = if !address.is_secure() {
            // No certificate is looked at, so a machine without any must not fail here.
            builder.tls_certs_only([])
        } else if let Some(path) = &trust.ca_file {
            builder.tls_certs_merge(read_certificates(path)?)
        } else {
            builder
        };
        let client = builder.build().map_err(|error| match &trust.ca_file {
            Some(path) if is_bad_certificate(&error) => no_certificate(path, chain(&error)),
            _ => Failure::new("This machine has no certificate authorities to trust", no_authorities())
                .with_details(chain(&error)),
        })?;
        let dialects = Dialects::default();
        Ok(Self { client, address, access, trust, dialects, recorder, beside_cluster: false })
    }

    /// Whether the environment has a cluster whose pods may be looked at: failures advise so.
    #[must_use]
    pub fn beside_cluster(self, has_cluster: bool) -> Self {
        Self { beside_cluster: has_cluster, ..self }
    }

    /// As [`Self::beside_cluster`] set it.
    pub fn is_beside_cluster(&self) -> bool {
        self.beside_cluster
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
        notes.iter().for_each(|note| self.recorder.note(format!("{model}: {note}")));
        !notes.is_empty()
    }

    /// The names that are routed now (`GET /v1/models`). Public: it proves no key.
    ///
    /// # Errors
    /// As everything that HTTP can do wrong.
    pub async fn models(&self) -> Result<Models, Fault> {
        let url = self.address.models();
        let asking = Whole {
            asked: Asked { what: What::Models, ..self.asked("", &[]) },
            line: self.curl(&url, "", None),
            request: self.client.get(self.access.url(&url)).headers(self.access.header_map()).timeout(SHORT),
            what: "a model list",
        };
        let read = |got: &Got| {
            let &Got { took, connect, clock_skew, .. } = got;
            let ids = openai::read_models(&got.body)?;
            Ok(Models { ids, took, connect, clock_skew, certificate: got.certificate.clone() })
        };
        self.whole(asking, read, |models| units::counted(models.ids.len(), "model")).await
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
        let asked = Asked { set: &set, ..self.asked(&request.model, known) };
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
        let request = self.post(&url, "text/event-stream, application/json", body);
        match self.send(request, &asked).await {
            Ok((sent, response, connect)) => Ok(ChatStream {
                sent,
                head_at: Instant::now(),
                connect,
                head: Head::of(&response, self.access.redactor()),
                response,
                redactor: self.access.redactor().clone(),
                host: self.address.host().to_owned(),
                recording: Some(recording),
            }),
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
        let asking = Whole {
            asked: Asked { what: What::Embeddings, ..self.asked(&request.model, known) },
            line: self.curl(&url, "", Some(&body)),
            request: self.post(&url, "application/json", body).timeout(EMBED),
            what: "embeddings",
        };
        let read = |got: &Got| {
            let (vectors, prompt_tokens) = embeddings::read(&got.body)?;
            let (sent, came) = (request.input.len(), vectors.len());
            if sent != came {
                return Err(format!("{came} vectors came for {sent} texts"));
            }
            Ok(Embedded { vectors, prompt_tokens, took: got.took, connect: got.connect })
        };
        self.whole(asking, read, |embedded| units::counted(embedded.vectors.len(), "vector")).await
    }

    /// Sends a request and reads its answer whole. `told`: what came, for the activity record.
    async fn whole<T>(
        &self,
        asking: Whole<'_>,
        read: impl FnOnce(&Got) -> Result<T, String>,
        told: impl Fn(&T) -> String,
    ) -> Result<T, Fault> {
        let Whole { asked, line, request, what } = asking;
        let recording = self.recorder.begin(ActivityKind::Http, line);
        let outcome = async {
            let (sent, response, connect) = self.send(request, &asked).await?;
            let clock_skew = clock_skew(response.headers());
            let shown = response.extensions().get::<reqwest::tls::TlsInfo>();
            let certificate = shown.and_then(|tls| Certificate::read(tls.peer_certificate()?));
            let head = Head::of(&response, self.access.redactor());
            let body = self.read_whole(response, MOST_WHOLE, &asked).await?;
            let got = Got { body, took: sent.elapsed(), connect, clock_skew, certificate };
            read(&got).map_err(|why| {
                // Before anything of it is cut off.
                let body = self.access.redactor().clean(&got.body);
                let mut fault = fault::not_an_answer(&head.reply(&body), &asked);
                if fault.status == Some(200) && !got.body.trim_start().starts_with('<') {
                    fault.failure.summary = format!("{} sent {what} that cannot be read: {why}", asked.host);
                }
                fault
            })
        };
        let outcome = outcome.await.map_err(|fault: Fault| self.redact(fault));
        end(recording, &outcome, |value| format!("HTTP 200, {}", told(value)));
        outcome
    }

    /// What is asked of this API, so that words for a failure can name it.
    pub fn asked<'a>(&'a self, model: &'a str, known: &'a [String]) -> Asked<'a> {
        Asked {
            host: self.address.host(),
            model,
            known,
            had_key: self.has_key(),
            cluster: self.beside_cluster,
            ..Asked::default()
        }
    }

    fn post(&self, url: &str, accept: &'static str, body: String) -> reqwest::RequestBuilder {
        let request = self.client.post(self.access.url(url)).headers(self.access.header_map());
        request.header(CONTENT_TYPE, "application/json").header(ACCEPT, accept).body(body)
    }

    /// When it was sent, the answer if it is a success, and how long connecting took if that was needed.
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        asked: &Asked<'_>,
    ) -> Result<(Instant, reqwest::Response, Option<Duration>), Fault> {
        let sent = Instant::now();
        let (response, connect) = connect::timed(request.send()).await;
        // The error may name the address, and that a secret parameter.
        let response = response.map_err(|error| self.redact(transport_fault(&error, asked)))?;
        if response.status().is_success() {
            return Ok((sent, response, connect));
        }
        let head = Head::of(&response, self.access.redactor());
        // Without the query: it may hold a secret.
        let mut url = response.url().clone();
        url.set_query(None);
        // The status tells enough when the body cannot be read.
        let body = self.read_start(response).await;
        let body = self.access.redactor().clean(&body);
        let mut fault = fault::from_reply(&head.reply(&body), asked);
        if fault.class == FaultClass::NotAnApi {
            // The base URL may have been meant otherwise.
            fault.failure.details = format!("Asked: {url}\n{}", fault.failure.details);
        }
        Err(self.redact(fault))
    }

    fn redact(&self, fault: Fault) -> Fault {
        Fault { failure: self.access.redactor().clean_failure(fault.failure), ..fault }
    }

    async fn read_start(&self, mut response: reqwest::Response) -> String {
        let mut body = Vec::new();
        let read = async {
            while let Ok(Some(bytes)) = response.chunk().await {
                body.extend_from_slice(&bytes);
                if body.len() > MOST_ERROR {
                    break;
                }
            }
        };
        // Whatever came by then is shown.
        let _ = tokio::time::timeout(Duration::from_secs(5), read).await;
        body.truncate(MOST_ERROR);
        String::from_utf8_lossy(&body).into_owned()
    }

    async fn read_whole(
        &self,
        mut response: reqwest::Response,
        most: usize,
        asked: &Asked<'_>,
    ) -> Result<String, Fault> {
        let mut body = Vec::new();
        while let Some(bytes) = response.chunk().await.map_err(|error| transport_fault(&error, asked))? {
            body.extend_from_slice(&bytes);
            if body.len() > most {
                let reply = Reply { status: 200, ..Reply::default() };
                return Err(fault::not_an_answer(&reply, asked));
            }
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
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
        line = format!("{line}{flags} {}{}", self.access.shell_url(url), self.access.curl_headers());
        if has_body {
            line.push_str(" -H 'Content-Type: application/json'");
        }
        line
    }
}

/// Shows a streamed answer as it comes.
const AS_IT_COMES: &str = " -N";

/// A request whose answer is read whole.
struct Whole<'a> {
    asked: Asked<'a>,
    /// The same for a shell.
    line: String,
    request: reqwest::RequestBuilder,
    /// What it should answer, e.g. `a model list`.
    what: &'static str,
}

/// Such an answer, and what was seen on the way; see [`Models`].
struct Got {
    body: String,
    took: Duration,
    connect: Option<Duration>,
    clock_skew: Option<i64>,
    certificate: Option<Certificate>,
}

/// A chat's answer as it arrives.
#[derive(Debug)]
pub struct ChatStream {
    /// Just before the request was sent.
    pub sent: Instant,
    /// When the answer's head was there.
    pub head_at: Instant,
    /// How long connecting took, if that was needed.
    pub connect: Option<Duration>,
    head: Head,
    response: reqwest::Response,
    redactor: Redactor,
    host: String,
    recording: Option<Recording>,
}

impl ChatStream {
    /// `x-ratelimit-*` headers, name and value.
    pub fn rate_limit(&self) -> &[(String, String)] {
        &self.head.rate_limit
    }

    /// The next bytes and when they arrived; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks or nothing comes for ten minutes. Do not ask again after one.
    pub async fn next(&mut self) -> Result<Option<(Instant, impl AsRef<[u8]> + use<>)>, Fault> {
        let chunk = self.response.chunk().await;
        let at = Instant::now();
        match chunk {
            Ok(Some(bytes)) => Ok(Some((at, bytes))),
            Ok(None) => Ok(None),
            Err(error) => {
                let fault = transport_fault(&error, &Asked { host: &self.host, ..Asked::default() });
                Err(Fault { failure: self.redact(fault.failure), ..fault })
            }
        }
    }

    /// A 200 whose body is neither events nor a completion.
    pub fn not_an_answer(&self, body: &str, asked: &Asked<'_>) -> Fault {
        fault::not_an_answer(&self.head.reply(&self.redactor.clean(body)), asked)
    }

    /// A 200 whose body is an error.
    pub fn refused(&self, body: &str, asked: &Asked<'_>) -> Fault {
        fault::from_reply(&self.head.reply(&self.redactor.clean(body)), asked)
    }

    /// An error that was sent amid the stream.
    pub fn broken(&self, error: serde_json::Value, asked: &Asked<'_>) -> Fault {
        fault::from_stream(&self.redactor.clean_json(error), asked)
    }

    /// Takes the secrets out of a failure: a server may repeat them.
    pub fn redact(&self, failure: Failure) -> Failure {
        self.redactor.clean_failure(failure)
    }

    /// Writes down how it ended. Dropped without, it was stopped.
    pub fn close(&mut self, ok: bool, outcome: impl Into<String>) {
        if let Some(recording) = self.recording.take() {
            recording.end(ok, outcome);
        }
    }
}

/// What outlives the response of an answer's head.
#[derive(Debug, Clone)]
struct Head {
    status: u16,
    content_type: String,
    retry_after: Option<String>,
    date: Option<String>,
    rate_limit: Vec<(String, String)>,
}

impl Head {
    fn of(response: &reqwest::Response, redactor: &Redactor) -> Self {
        let headers = response.headers();
        let text = |name: &str| Some(redactor.clean(headers.get(name)?.to_str().ok()?).into_owned());
        let rate_limit = headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-ratelimit-"))
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            // A server that echoes the key is not repeated.
            .filter(|(_, value)| !redactor.finds_in(value))
            .collect();
        Self {
            status: response.status().as_u16(),
            content_type: text("content-type").unwrap_or_default().to_ascii_lowercase(),
            retry_after: text("retry-after"),
            date: text("date"),
            rate_limit,
        }
    }

    fn reply<'a>(&'a self, body: &'a str) -> Reply<'a> {
        Reply {
            status: self.status,
            content_type: &self.content_type,
            retry_after: self.retry_after.as_deref(),
            date: self.date.as_deref(),
            rate_limit: &self.rate_limit,
            body,
        }
    }
}

fn end<T>(recording: Recording, outcome: &Result<T, Fault>, good: impl Fn(&T) -> String) {
    match outcome {
        Ok(value) => recording.end(true, good(value)),
        Err(Fault { status: Some(status), .. }) => recording.end(false, format!("HTTP {status}")),
        Err(fault) => recording.end(false, fault.failure.summary.clone()),
    }
}

fn clock_skew(headers: &HeaderMap) -> Option<i64> {
    let date = headers.get("date")?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(theirs.as_second() - jiff::Timestamp::now().as_second())
}

fn read_certificates(path: &std::path::Path) -> Result<Vec<reqwest::Certificate>, Failure> {
    let shown = path.display();
    let pem = files::read_now(path, MOST_CERTIFICATES).map_err(|unread| {
        Failure::new(
            format!("The CA certificate file {shown} cannot be read: {}", unread.why()),
            Advice::by_face("Check its path on Home", "Check the path of --ca, or of the environment"),
        )
    })?;
    let certificates =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| no_certificate(path, chain(&error)))?;
    if certificates.is_empty() {
        return Err(no_certificate(path, String::new()));
    }
    Ok(certificates)
}

fn no_authorities() -> Advice {
    Advice::by_face(
        "Install the package ca-certificates, or give the environment a CA certificate file on Home",
        "Install the package ca-certificates, or give a CA certificate file with --ca",
    )
}

fn no_certificate(path: &std::path::Path, details: String) -> Failure {
    let summary = format!("{} holds no certificate that can be read", path.display());
    let advice = "It must be a PEM file: one or more blocks that start with -----BEGIN CERTIFICATE-----";
    Failure::new(summary, advice).with_details(details)
}

/// PEM is taken apart at once, what is in it only when the client is built.
fn is_bad_certificate(error: &reqwest::Error) -> bool {
    let is_bad = |cause: &(dyn StdError + 'static)| {
        matches!(cause.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
    };
    causes(error).any(is_bad)
}

/// Finds out what went wrong below HTTP from the chain of errors that reqwest wraps.
fn transport_fault(error: &reqwest::Error, asked: &Asked<'_>) -> Fault {
    let details = chain(error);
    // A read time-out also says that decoding failed: ask for the time-out first.
    let kind = if error.is_timeout() {
        if error.is_connect() { Transport::ConnectTimeout } else { Transport::ReadTimeout(read_limit(error)) }
    } else {
        causes(error).find_map(|cause| transport_of(cause, error.is_connect())).unwrap_or(Transport::Broken)
    };
    kind.into_fault(asked, details)
}

/// A request for the model list has the short limit, embeddings a longer one, a chat the longest.
fn read_limit(error: &reqwest::Error) -> Duration {
    match error.url() {
        Some(url) if url.path().ends_with("/models") => SHORT,
        Some(url) if url.path().ends_with("/embeddings") => EMBED,
        _ => READ_TIMEOUT,
    }
}

fn transport_of(cause: &(dyn StdError + 'static), connecting: bool) -> Option<Transport> {
    use std::io::ErrorKind;
    if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls_trouble(tls));
    }
    if let Some(io) = cause.downcast_ref::<std::io::Error>() {
        return match io.kind() {
            ErrorKind::ConnectionRefused => Some(Transport::Refused),
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown => {
                Some(Transport::Unreachable)
            }
            ErrorKind::TimedOut => Some(Transport::ConnectTimeout),
            ErrorKind::UnexpectedEof if connecting => Some(Transport::NotTls),
            _ => None,
        };
    }
    let text = cause.to_string();
    if text.contains("dns error") || text.contains("failed to lookup address") {
        return Some(Transport::HostUnknown);
    }
    if text.contains("invalid HTTP version parsed") || text.contains("invalid HTTP status-code") {
        return Some(Transport::NotHttp);
    }
    None
}

fn tls_trouble(error: &rustls::Error) -> Transport {
    use rustls::CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer | Bad::BadSignature => Transport::UnknownIssuer,
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => Transport::WrongName,
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                Transport::Expired
            }
            _ => Transport::OtherTls,
        },
        rustls::Error::InvalidMessage(_) => Transport::NotTls,
        _ => Transport::OtherTls,
    }
}

/// The error and its causes; what an `io::Error` wraps is one of them.
fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let first: &'a (dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |error| {
        let error: &'a (dyn StdError + 'static) = *error;
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

fn chain(error: &reqwest::Error) -> String {
    let mut lines: Vec<String> = causes(error).map(ToString::to_string).collect();
    lines.dedup();
    lines.join(": ")
}

/// Notes how long opening a connection took, for the request that waited for it.
mod connect {
    use std::cell::Cell;
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::{Duration, Instant};

    tokio::task_local! {
        static TOOK: Cell<Option<Duration>>;
    }

    /// Runs a request and tells how long it spent opening a connection; `None` on a warm one.
    pub(super) async fn timed<T>(request: impl Future<Output = T>) -> (T, Option<Duration>) {
        TOOK.scope(Cell::new(None), async {
            let out = request.await;
            (out, TOOK.with(Cell::get))
        })
        .await
    }

    /// The layer around reqwest's connector.
    #[derive(Debug, Clone, Copy)]
    pub(super) struct ConnectClock;

    impl<S> tower_layer::Layer<S> for ConnectClock {
        type Service = Clocked<S>;

        fn layer(&self, inner: S) -> Clocked<S> {
            Clocked { inner }
        }
    }

    #[derive(Debug, Clone)]
    pub(super) struct Clocked<S> {
        inner: S,
    }

    impl<S, R> tower_service::Service<R> for Clocked<S>
    where
        S: tower_service::Service<R>,
        S::Future: Send + 'static,
    {
        type Response = S::Response;
        type Error = S::Error;
        type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            self.inner.poll_ready(cx)
        }

        fn call(&mut self, target: R) -> Self::Future {
            let began = Instant::now();
            let connecting = self.inner.call(target);
            Box::pin(async move {
                let connected = connecting.await;
                // Fails when the pool connects for nobody in particular: then nobody waited.
                let _ = TOOK.try_with(|took| took.set(Some(began.elapsed())));
                connected
            })
        }
    }
}

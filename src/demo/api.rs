//! An OpenAI-like server on loopback, with simulated models of different speed and temper.
//!
//! Its figures in `usage` are its own clock's, as SambaStack's are.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::form::{Form, invalid};
use super::script::{Lengths, Script};
use super::sight::{self, Sight};
use crate::domain::conversation::{Message, Role, ToolCall};
use crate::domain::environment::ApiAddress;

mod embeddings;

/// The key that the demo takes. No secret: it opens nothing but the demo.
pub const DEMO_KEY: &str = "demo-key";

/// What a demo server is made of.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// 0 for any free one.
    pub port: u16,
    /// The same seed gives the same answers at the same pace.
    pub seed: u64,
    /// Its models.
    pub models: Vec<DemoModel>,
    /// Keep what was received, for tests.
    pub keep_received: bool,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 1,
            models: DemoModel::all(),
            keep_received: false,
        }
    }
}

/// A simulated model.
#[derive(Debug, Clone)]
pub struct DemoModel {
    /// Its serving name.
    pub name: String,
    /// From the request to the first token.
    pub ttft: Duration,
    /// From a token to the next.
    pub per_token: Duration,
    /// How far both stray, as a share: 0.1 is ± 10 %.
    pub jitter: f64,
    /// Whether and how it thinks.
    pub thinks: Thinks,
    /// Whether it can see pictures. The demo's cluster says so, too.
    pub vision: bool,
    /// What is special about it.
    pub quirk: Quirk,
}

/// Whether and how a model shows its reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinks {
    /// Not at all.
    No,
    /// In `delta.reasoning`.
    Reasoning,
    /// In `delta.reasoning_content`.
    ReasoningContent,
    /// Inline, between `<think>` and `</think>`.
    Inline,
}

/// What is special about a simulated model.
#[derive(Debug, Clone, PartialEq)]
pub enum Quirk {
    /// Nothing.
    None,
    /// The first request, and one after a minute's rest, waits this long for the model to be loaded.
    ColdStart(Duration),
    /// Each so-many-th request is answered with 429.
    RateLimited {
        /// 3: the third, the sixth…
        every: u32,
    },
    /// It makes embeddings and does not chat.
    Embeds,
    /// An answer with this status and body instead; for tests.
    Refuses {
        /// The HTTP status.
        status: u16,
        /// `Content-Type`
        content_type: &'static str,
        /// The body.
        body: &'static str,
        /// `Retry-After`
        retry_after: Option<&'static str>,
    },
    /// An error inside the stream after some tokens; for tests.
    FailsMidway,
    /// The connection breaks after some tokens; for tests.
    DropsMidway,
    /// The stream ends cleanly after some tokens, without finish reason and `[DONE]`; for tests.
    EndsMidway,
    /// Nothing ever comes after the head; for tests.
    HangsAfterHead,
    /// Nothing ever comes; for tests.
    Hangs,
    /// The whole answer in one JSON although a stream was asked for; for tests.
    IgnoresStream,
    /// Text, and no `usage`; for tests.
    NoUsage,
    /// No text at all, and this finish reason; for tests.
    Empty(&'static str),
    /// Only reasoning, cut for length; for tests.
    OnlyThinks,
    /// The error repeats the key that was sent; for tests.
    EchoesKey,
    /// JSON is asked for, and other JSON comes; for tests.
    Disobeys,
    /// JSON is asked for, and comes in a code fence among words; for tests.
    Fences,
}

impl DemoModel {
    fn new(name: &str, ttft_ms: u64, tokens_per_sec: f64, thinks: Thinks, quirk: Quirk) -> Self {
        Self {
            name: name.to_owned(),
            ttft: Duration::from_millis(ttft_ms),
            per_token: Duration::from_secs_f64(1.0 / tokens_per_sec),
            jitter: 0.15,
            thinks,
            vision: false,
            quirk,
        }
    }

    /// The same, and it can see pictures.
    #[must_use]
    pub fn with_vision(self) -> Self {
        Self {
            vision: true,
            ..self
        }
    }

    /// The demo's own.
    pub fn all() -> Vec<Self> {
        vec![
            Self::new(
                "Meta-Llama-3.3-70B-Instruct",
                140,
                310.0,
                Thinks::No,
                Quirk::None,
            ),
            Self::new("gpt-oss-120b", 88, 480.0, Thinks::Reasoning, Quirk::None),
            Self::new("DeepSeek-R1-0528", 210, 190.0, Thinks::Inline, Quirk::None),
            Self::new(
                "Qwen3-32B",
                160,
                260.0,
                Thinks::No,
                Quirk::ColdStart(Duration::from_millis(2_500)),
            ),
            Self::new(
                "gemma-4-31B-it",
                110,
                220.0,
                Thinks::No,
                Quirk::RateLimited { every: 3 },
            )
            .with_vision(),
            Self::new(
                "E5-Mistral-7B-Instruct",
                30,
                1_000.0,
                Thinks::No,
                Quirk::Embeds,
            ),
        ]
    }

    /// A fast one with this name and quirk, for tests and benches.
    pub fn quick(name: &str, quirk: Quirk) -> Self {
        Self {
            jitter: 0.0,
            ..Self::new(name, 5, 1_000.0, Thinks::No, quirk)
        }
    }
}

/// A request that the demo received.
#[derive(Debug, Clone)]
pub struct Received {
    /// `Authorization`
    pub authorization: Option<String>,
    /// `Content-Type`
    pub content_type: Option<String>,
    /// The body.
    pub body: Value,
    /// The client went away before the answer was complete.
    pub aborted: Arc<std::sync::atomic::AtomicBool>,
}

/// A running demo. Dropped, it stops.
#[derive(Debug)]
pub struct DemoServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Shared {
    options: DemoOptions,
    uses: Mutex<HashMap<String, Use>>,
    received: Mutex<Vec<Received>>,
    started: jiff::Timestamp,
}

/// How often a model was asked, and when last.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    times: u32,
    last: Option<Instant>,
}

impl DemoServer {
    /// Starts on 127.0.0.1, on the current tokio runtime.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(options: DemoOptions) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            options,
            uses: Mutex::default(),
            received: Mutex::default(),
            started: jiff::Timestamp::now(),
        });
        let app = Router::new()
            .route("/v1/models", get(list_models))
            .route("/v1/chat/completions", post(chat))
            .route("/v1/embeddings", post(embeddings::make))
            .fallback(|| async { error(404, "not_found", "Not found") })
            .layer(axum::extract::DefaultBodyLimit::max(25 << 20))
            .with_state(Arc::clone(&shared));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            use axum::serve::ListenerExt as _;
            let listener = listener.tap_io(|socket| {
                // Without it a token waits for the one before to be acknowledged.
                let _ = socket.set_nodelay(true);
            });
            tokio::select! {
                () = stopped.cancelled() => {}
                _ = axum::serve(listener, app).into_future() => {}
            }
        });
        Ok(Self {
            address,
            shared,
            _stop: stop.drop_guard(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> ApiAddress {
        ApiAddress::parse(&format!("http://{}", self.address))
            .unwrap_or_else(|error| unreachable!("a socket address is an API address: {error}"))
    }

    /// What it received, oldest first; empty unless asked to keep it.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().clone()
    }
}

async fn list_models(State(shared): State<Arc<Shared>>) -> Response {
    let created = shared.started.as_second();
    let data: Vec<Value> = shared
        .options
        .models
        .iter()
        .map(|model| json!({"id": model.name, "object": "model", "created": created, "owned_by": "batida-demo"}))
        .collect();
    axum::Json(json!({"object": "list", "data": data})).into_response()
}

#[derive(Deserialize)]
struct Ask {
    model: String,
    messages: Vec<AskMessage>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stream_options: Value,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<i64>,
    #[serde(default)]
    stop: Value,
    #[serde(default)]
    ignore_eos: bool,
    seed: Option<i64>,
    #[serde(default)]
    chat_template_kwargs: Value,
    #[serde(default)]
    response_format: Value,
    #[serde(default)]
    tools: Value,
    #[serde(default)]
    tool_choice: Value,
}

#[derive(Deserialize)]
struct AskMessage {
    role: Role,
    /// A text, a list of parts, or nothing.
    #[serde(default)]
    content: Value,
    #[serde(default)]
    tool_call_id: Option<String>,
    #[serde(default)]
    tool_calls: Vec<Value>,
}

impl AskMessage {
    fn read(&self) -> Message {
        let text = match &self.content {
            Value::Array(parts) => parts
                .iter()
                .filter_map(|part| part.get("text").and_then(Value::as_str))
                .collect(),
            content => content.as_str().unwrap_or_default().to_owned(),
        };
        let text_of =
            |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let call = |call: &Value| ToolCall {
            id: text_of(call.get("id")),
            name: text_of(call.pointer("/function/name")),
            arguments: text_of(call.pointer("/function/arguments")),
        };
        let calls = self.tool_calls.iter().map(call).collect();
        Message {
            call_id: self.tool_call_id.clone(),
            calls,
            ..Message::new(self.role, text)
        }
    }
}

async fn chat(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let came = Instant::now();
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let authorization = text(header::AUTHORIZATION);
    let aborted = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let json: Value = match serde_json::from_slice(&body) {
        Ok(json) => json,
        Err(why) => return error(400, "invalid_json", &format!("The body is no JSON: {why}")),
    };
    if shared.options.keep_received {
        let aborted = Arc::clone(&aborted);
        shared.received.lock().push(Received {
            authorization: authorization.clone(),
            content_type: text(header::CONTENT_TYPE),
            body: json.clone(),
            aborted,
        });
    }
    if authorization.as_deref() != Some(&format!("Bearer {DEMO_KEY}")) {
        return error(401, "invalid_api_key", "Invalid API key");
    }
    let ask: Ask = match serde_json::from_value(json) {
        Ok(ask) => ask,
        Err(why) => return error(400, "invalid_request", &why.to_string()),
    };
    if let Some(refusal) = check(&ask) {
        return refusal;
    }
    let form = match Form::read(&ask.response_format, &ask.tools, &ask.tool_choice) {
        Ok(form) => form,
        Err((param, why)) => return invalid(param, &why),
    };
    let Some(model) = shared
        .options
        .models
        .iter()
        .find(|model| model.name == ask.model)
    else {
        return error(
            404,
            "model_not_found",
            &format!("Model {} not found", ask.model),
        );
    };
    let before = {
        let mut uses = shared.uses.lock();
        let entry = uses.entry(model.name.clone()).or_default();
        let before = *entry;
        *entry = Use {
            times: before.times + 1,
            last: Some(came),
        };
        before
    };
    match &model.quirk {
        Quirk::RateLimited { every } if (before.times + 1).is_multiple_of(*every) => {
            let mut refusal = error(
                429,
                "rate_limit_exceeded",
                "Rate limit exceeded (simulated: each third request)",
            );
            let headers = refusal.headers_mut();
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            headers.insert(
                "x-ratelimit-limit-requests",
                header::HeaderValue::from_static("240"),
            );
            headers.insert(
                "x-ratelimit-remaining-requests",
                header::HeaderValue::from_static("0"),
            );
            return refusal;
        }
        Quirk::Embeds => {
            return error(
                400,
                "invalid_value",
                "This model makes embeddings: it cannot chat",
            );
        }
        Quirk::Refuses {
            status,
            content_type,
            body,
            retry_after,
        } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut refusal =
                (status, [(header::CONTENT_TYPE, *content_type)], *body).into_response();
            if let Some(text) = retry_after {
                refusal
                    .headers_mut()
                    .insert(header::RETRY_AFTER, header::HeaderValue::from_static(text));
            }
            return refusal;
        }
        Quirk::EchoesKey => {
            let echoed = authorization.unwrap_or_default();
            return error(400, "invalid_value", &format!("cannot work with {echoed}"));
        }
        Quirk::Hangs => {
            let _gone = Gone(aborted);
            return std::future::pending().await;
        }
        _ => {}
    }
    let looking = Instant::now();
    let sights = match see(model, &ask).await {
        Ok(sights) => sights,
        Err(refusal) => return *refusal,
    };
    let looked = if sights.is_empty() {
        Duration::ZERO
    } else {
        looking.elapsed()
    };
    let rested = before
        .last
        .is_none_or(|last| came.duration_since(last) > Duration::from_secs(60));
    let extra = match model.quirk {
        Quirk::ColdStart(extra) if rested => extra,
        _ => Duration::ZERO,
    };
    // A picture is looked at before the first token is thought of.
    let extra = extra + looked;
    Answer::new(&shared, model, (&ask, &form, &sights), came, extra, aborted)
        .respond(ask.stream)
        .await
}

/// Looks at the pictures of the last message; a model that sees none refuses them in any.
async fn see(model: &DemoModel, ask: &Ask) -> Result<Vec<Sight>, Box<Response>> {
    let refused = |why: &str| Box::new(error(400, "invalid_value", why));
    if !model.vision
        && ask
            .messages
            .iter()
            .any(|message| sight::addresses(&message.content).next().is_some())
    {
        return Err(refused(&format!(
            "{} does not support image input",
            model.name
        )));
    }
    let last = ask
        .messages
        .iter()
        .rfind(|message| message.role == Role::User);
    let addresses: Vec<String> = last
        .into_iter()
        .flat_map(|message| sight::addresses(&message.content))
        .map(str::to_owned)
        .collect();
    if addresses.is_empty() {
        return Ok(Vec::new());
    }
    let looking = tokio::task::spawn_blocking(move || {
        addresses
            .iter()
            .map(|address| sight::look(address))
            .collect::<Result<Vec<_>, _>>()
    });
    match looking.await {
        Ok(Ok(sights)) => Ok(sights),
        Ok(Err(why)) => Err(refused(&why)),
        Err(_) => Err(refused("the image could not be looked at")),
    }
}

/// Notes that the client went away before anything was answered.
struct Gone(Arc<std::sync::atomic::AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Refuses what SambaStack would refuse.
fn check(ask: &Ask) -> Option<Response> {
    if ask.messages.is_empty() {
        return Some(invalid("messages", "messages must not be empty"));
    }
    if ask.temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)) {
        return Some(invalid(
            "temperature",
            "temperature must be between 0 and 2",
        ));
    }
    if ask.top_p.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
        return Some(invalid("top_p", "top_p must be between 0 and 1"));
    }
    if ask.top_k.is_some_and(|k| !(1..=100).contains(&k)) {
        return Some(invalid("top_k", "top_k must be between 1 and 100"));
    }
    if ask.max_tokens == Some(0) {
        return Some(invalid("max_tokens", "max_tokens must be at least 1"));
    }
    uncalled(&ask.messages).map(|why| invalid("messages", &why))
}

/// Each call has its result right behind it, and each result its call.
fn uncalled(messages: &[AskMessage]) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    for message in messages {
        if message.role == Role::Tool {
            let id = message.tool_call_id.as_deref().unwrap_or_default();
            let Some(at) = open.iter().position(|called| *called == id) else {
                return Some(format!(
                    "a tool message answers {id:?}, which was not called"
                ));
            };
            open.remove(at);
            continue;
        }
        if let Some(id) = open.first() {
            return Some(format!("the tool call {id:?} has no tool message"));
        }
        open = message
            .tool_calls
            .iter()
            .filter_map(|call| call.get("id").and_then(Value::as_str))
            .collect();
    }
    open.first()
        .map(|id| format!("the tool call {id:?} has no tool message"))
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status.is_server_error() {
        "server_error"
    } else {
        "invalid_request_error"
    };
    let body = json!({
        "error": {"message": message, "type": kind, "param": null, "code": code},
        "request_id": "demo",
    });
    (status, axum::Json(body)).into_response()
}

/// What the next write of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Role,
    Token(usize),
    Finish,
    Usage,
    Done,
    Break,
    End,
}

struct Answer {
    id: String,
    model: String,
    script: Script,
    thinks: Thinks,
    quirk: Quirk,
    came: tokio::time::Instant,
    extra: Duration,
    include_usage: bool,
    aborted: Arc<std::sync::atomic::AtomicBool>,
    first: Option<Duration>,
    step: Step,
}

/// Notes that nobody read to the end.
impl Drop for Answer {
    fn drop(&mut self) {
        if self.step != Step::End {
            self.aborted
                .store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

impl Answer {
    fn new(
        shared: &Shared,
        model: &DemoModel,
        (ask, form, sights): (&Ask, &Form, &[Sight]),
        came: Instant,
        extra: Duration,
        aborted: Arc<std::sync::atomic::AtomicBool>,
    ) -> Self {
        let wants_thinking =
            ask.chat_template_kwargs.get("enable_thinking") != Some(&Value::Bool(false));
        let lengths = Lengths {
            max_tokens: ask
                .max_tokens
                .or(ask.max_completion_tokens)
                .map(|n| n.min(1_000_000) as usize),
            ignore_eos: ask.ignore_eos,
            thinking: model.thinks != Thinks::No && wants_thinking,
            stop: match &ask.stop {
                Value::String(stop) => vec![stop.clone()],
                Value::Array(list) => list
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
                _ => Vec::new(),
            },
            first: sight::told(sights),
        };
        let seed = shared.options.seed ^ ask.seed.unwrap_or(0).cast_unsigned();
        let messages: Vec<Message> = ask.messages.iter().map(AskMessage::read).collect();
        let mut script = Script::write(seed, model, &messages, form, lengths);
        script.prompt_tokens += sights.iter().map(Sight::tokens).sum::<u64>();
        match model.quirk {
            Quirk::Empty(_) => {
                script.answer.clear();
                script.due.truncate(script.reasoning.len());
            }
            Quirk::OnlyThinks => {
                script.reasoning = std::mem::take(&mut script.answer);
                script.cut = true;
            }
            _ => {}
        }
        Self {
            id: format!("demo-{:08x}", script.due.len()),
            model: model.name.clone(),
            script,
            thinks: if model.quirk == Quirk::OnlyThinks {
                Thinks::Reasoning
            } else {
                model.thinks
            },
            quirk: model.quirk.clone(),
            came: came.into(),
            extra,
            include_usage: ask.stream_options.get("include_usage") == Some(&Value::Bool(true)),
            aborted,
            first: None,
            step: Step::Role,
        }
    }

    async fn respond(mut self, stream: bool) -> Response {
        if !stream || self.quirk == Quirk::IgnoresStream {
            if let Some(last) = self.script.due.last() {
                tokio::time::sleep_until(self.came + self.extra + *last).await;
            }
            self.first = self.script.due.first().map(|first| self.extra + *first);
            self.step = Step::End;
            return axum::Json(self.whole()).into_response();
        }
        let body = stream::unfold(self, |mut answer| async move {
            let bytes = answer.next().await?;
            Some((bytes, answer))
        })
        .map(|bytes| bytes.ok_or("simulated break").map(Bytes::from));
        let headers = [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-cache"),
        ];
        (headers, Body::from_stream(body)).into_response()
    }

    /// The next write, once it is due; `Some(None)` breaks the connection.
    async fn next(&mut self) -> Option<Option<String>> {
        let count = self.script.due.len();
        let midway = count / 2;
        match self.step {
            Step::Role => {
                self.step = Step::Token(0);
                let delta = json!({"role": "assistant", "content": ""});
                Some(Some(self.event(&delta, None)))
            }
            Step::Token(_) if self.quirk == Quirk::HangsAfterHead => std::future::pending().await,
            Step::Token(at) if at >= midway && self.quirk == Quirk::FailsMidway => {
                self.step = Step::End;
                let error = json!({"error": {"message": "the engine died (simulated)", "type": "server_error", "code": "internal_error"}});
                Some(Some(format!("data: {error}\n\n")))
            }
            Step::Token(at) if at >= midway && self.quirk == Quirk::DropsMidway => {
                self.step = Step::Break;
                Some(None)
            }
            Step::Token(at) if at >= midway && self.quirk == Quirk::EndsMidway => {
                self.step = Step::End;
                None
            }
            Step::Token(at) if at < count => Some(Some(self.tokens(at).await)),
            Step::Token(_) => {
                self.step = Step::Finish;
                self.finish()
            }
            Step::Finish if self.include_usage && self.quirk != Quirk::NoUsage => {
                self.step = Step::Usage;
                let usage = json!({"choices": [], "id": self.id, "model": self.model, "object": "chat.completion.chunk", "usage": self.usage()});
                Some(Some(format!("data: {usage}\n\n")))
            }
            Step::Finish | Step::Usage => {
                self.step = Step::Done;
                Some(Some("data: [DONE]\n\n".to_owned()))
            }
            Step::Done | Step::Break => {
                self.step = Step::End;
                None
            }
            Step::End => None,
        }
    }

    fn finish(&mut self) -> Option<Option<String>> {
        let reason = match self.quirk {
            Quirk::Empty(reason) => reason,
            _ if self.script.cut => "length",
            _ if !self.script.calls.is_empty() => "tool_calls",
            _ => "stop",
        };
        Some(Some(self.event(&json!({"content": ""}), Some(reason))))
    }

    /// Waits for the token at `at` and writes it with all that are due by then: the timer ticks in
    /// milliseconds, and a fast model writes several tokens in one.
    async fn tokens(&mut self, at: usize) -> String {
        tokio::time::sleep_until(self.came + self.extra + self.script.due[at]).await;
        let now = self.came.elapsed();
        self.first.get_or_insert(now);
        let mut text = String::new();
        let mut next = at;
        while next < self.script.due.len()
            && (next == at || self.extra + self.script.due[next] <= now)
        {
            text.push_str(&self.token(next));
            next += 1;
        }
        self.step = Step::Token(next);
        text
    }

    fn token(&self, at: usize) -> String {
        let thoughts = self.script.reasoning.len();
        let mut delta = serde_json::Map::new();
        if at < thoughts {
            let text = &self.script.reasoning[at];
            let (name, text) = match self.thinks {
                Thinks::ReasoningContent => ("reasoning_content", text.clone()),
                Thinks::Inline if at == 0 => ("content", format!("<think>\n{text}")),
                Thinks::Inline if at + 1 == thoughts => {
                    ("content", format!("{text}\n</think>\n\n"))
                }
                Thinks::Inline => ("content", text.clone()),
                Thinks::Reasoning | Thinks::No => ("reasoning", text.clone()),
            };
            delta.insert(name.to_owned(), Value::String(text));
        } else if let Some(call) = self.call_at(at - thoughts) {
            delta.insert("tool_calls".to_owned(), json!([call]));
        } else {
            delta.insert(
                "content".to_owned(),
                Value::String(self.script.answer[at - thoughts].clone()),
            );
        }
        self.event(&Value::Object(delta), None)
    }

    /// The piece of a call that the answer's token at `at` is.
    fn call_at(&self, at: usize) -> Option<Value> {
        let mut before = 0;
        for (index, call) in self.script.calls.iter().enumerate() {
            let arguments = &self.script.answer[at];
            if at == before {
                let function = json!({"name": call.name, "arguments": arguments});
                return Some(
                    json!({"index": index, "id": call.id, "type": "function", "function": function}),
                );
            }
            before += call.tokens;
            if at < before {
                return Some(json!({"index": index, "function": {"arguments": arguments}}));
            }
        }
        None
    }

    fn event(&self, delta: &Value, finish_reason: Option<&str>) -> String {
        let chunk = json!({
            "choices": [{"delta": delta, "index": 0, "finish_reason": finish_reason, "logprobs": null}],
            "created": jiff::Timestamp::now().as_millisecond() as f64 / 1e3,
            "id": self.id,
            "model": self.model,
            "object": "chat.completion.chunk",
        });
        format!("data: {chunk}\n\n")
    }

    fn usage(&self) -> Value {
        let total = self.came.elapsed().as_secs_f64();
        let first = self.first.unwrap_or_default().as_secs_f64();
        let tokens = self.script.due.len();
        let after_first =
            (tokens > 1 && total > first).then(|| (tokens - 1) as f64 / (total - first));
        json!({
            "prompt_tokens": self.script.prompt_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens": tokens,
            "completion_tokens_details": {"reasoning_tokens": self.script.reasoning.len()},
            "total_tokens": self.script.prompt_tokens + tokens as u64,
            "completion_tokens_after_first_per_sec": after_first,
            "completion_tokens_per_sec": (total > 0.0).then(|| tokens as f64 / total),
            "time_to_first_token": self.first.map(|first| first.as_secs_f64()),
            "total_latency": total,
            "is_last_response": true,
        })
    }

    fn whole(&self) -> Value {
        let reasoning = self.script.reasoning.concat();
        let answer = self.script.answer.concat();
        let mut message = json!({"role": "assistant", "content": answer});
        let mut rest = self.script.answer.as_slice();
        let mut calls: Vec<Value> = Vec::new();
        for call in self.script.calls.iter().filter(|call| call.tokens > 0) {
            let (arguments, behind) = rest.split_at(call.tokens.min(rest.len()));
            rest = behind;
            let function = json!({"name": call.name, "arguments": arguments.concat()});
            calls.push(json!({"id": call.id, "type": "function", "function": function}));
        }
        let called = !calls.is_empty();
        if called {
            message["content"] = Value::Null;
            message["tool_calls"] = json!(calls);
        }
        let reason = match called {
            _ if self.script.cut => "length",
            true => "tool_calls",
            false => "stop",
        };
        if !reasoning.is_empty() {
            match self.thinks {
                Thinks::Inline => {
                    let answer = if called { "" } else { &answer };
                    message["content"] =
                        json!(format!("<think>\n{reasoning}\n</think>\n\n{answer}"))
                }
                Thinks::ReasoningContent => message["reasoning_content"] = json!(reasoning),
                Thinks::Reasoning | Thinks::No => message["reasoning"] = json!(reasoning),
            }
        }
        json!({
            "choices": [{"message": message, "index": 0, "finish_reason": reason}],
            "created": jiff::Timestamp::now().as_second(),
            "id": self.id,
            "model": self.model,
            "object": "chat.completion",
            "usage": self.usage(),
        })
    }
}

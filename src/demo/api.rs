//! An OpenAI-compatible server on the loopback interface, with simulated models of different speed and behaviour.
//!
//! Like SambaStack, it reports times by its own clock in `usage`.

mod answer;
mod embeddings;
mod metrics;
mod request;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::answer::ScriptedAnswer;
use self::metrics::Queue;
use self::request::{ChatBody, check};
use super::form::{OutputFormat, invalid};
pub use super::model::{DemoModel, Quirk, Thinks};
use super::sight::{self, ImageSummary};
use crate::domain::conversation::Role;
use crate::domain::environment::ApiAddress;

/// The demo's API key. It is not a secret: it only gives access to the demo.
pub const DEMO_KEY: &str = "demo-key";

/// The configuration of a demo server.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// The port; 0 for any free one.
    pub port: u16,
    /// The same seed gives the same answers at the same pace.
    pub seed: u64,
    /// Its models.
    pub models: Vec<DemoModel>,
    /// Whether to keep the received requests, for tests.
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
    pub aborted: Arc<AtomicBool>,
}

/// A running demo server. It stops when dropped.
#[derive(Debug)]
pub struct DemoServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Shared {
    options: DemoOptions,
    uses: Mutex<HashMap<String, ModelUse>>,
    received: Mutex<Vec<Received>>,
    /// One for each model, in their order.
    queues: Vec<Arc<Queue>>,
    started: jiff::Timestamp,
}

/// How many requests a model has had, and when the last one came.
#[derive(Debug, Clone, Copy, Default)]
struct ModelUse {
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
        let queues = options
            .models
            .iter()
            .map(|model| Arc::new(Queue::of(model)));
        let shared = Arc::new(Shared {
            queues: queues.collect(),
            options,
            uses: Mutex::default(),
            received: Mutex::default(),
            started: jiff::Timestamp::now(),
        });
        let app = Router::new()
            .route("/metrics", get(metrics::page))
            .route("/v1/models", get(list_models))
            .route("/v1/chat/completions", post(chat))
            .route("/v1/completions", post(complete))
            .route("/v1/embeddings", post(embeddings::make))
            .fallback(|| async { error(404, "not_found", "Not found") })
            .layer(axum::extract::DefaultBodyLimit::max(25 << 20))
            .with_state(Arc::clone(&shared));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            use axum::serve::ListenerExt as _;
            let listener = listener.tap_io(|socket| {
                // Otherwise a token waits until the one before is acknowledged.
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

    /// The host and port where it listens.
    pub fn socket(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens.
    pub fn address(&self) -> ApiAddress {
        ApiAddress::parse(&format!("http://{}", self.address))
            .unwrap_or_else(|error| unreachable!("a socket address is an API address: {error}"))
    }

    /// The received requests, oldest first; empty unless `keep_received` is set.
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

/// A request whose body is JSON and whose key is right.
struct Authorized {
    body: Value,
    authorization: String,
    aborted: Arc<AtomicBool>,
}

/// Checks and notes a request, whichever path it asks for.
fn receive(
    shared: &Shared,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Authorized, Box<Response>> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let authorization = text(header::AUTHORIZATION);
    let body: Value = serde_json::from_slice(body).map_err(|why| {
        let message = format!("The body is not valid JSON: {why}");
        Box::new(error(400, "invalid_json", &message))
    })?;
    let aborted = Arc::new(AtomicBool::new(false));
    if shared.options.keep_received {
        shared.received.lock().push(Received {
            authorization: authorization.clone(),
            content_type: text(header::CONTENT_TYPE),
            body: body.clone(),
            aborted: Arc::clone(&aborted),
        });
    }
    let authorization = authorization
        .filter(|sent| *sent == format!("Bearer {DEMO_KEY}"))
        .ok_or_else(|| Box::new(error(401, "invalid_api_key", "Invalid API key")))?;
    Ok(Authorized {
        body,
        authorization,
        aborted,
    })
}

impl Shared {
    fn model(&self, name: &str) -> Result<(&DemoModel, &Arc<Queue>), Box<Response>> {
        let mut models = self.options.models.iter().zip(&self.queues);
        models.find(|(model, _)| model.name == name).ok_or_else(|| {
            let message = format!("Model {name} not found");
            Box::new(error(404, "model_not_found", &message))
        })
    }

    /// Counts a request for the model. Returns its use before this one.
    fn note_use(&self, model: &DemoModel, came: Instant) -> ModelUse {
        let mut uses = self.uses.lock();
        let entry = uses.entry(model.name.clone()).or_default();
        let before = *entry;
        *entry = ModelUse {
            times: before.times + 1,
            last: Some(came),
        };
        before
    }
}

async fn chat(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let asked = receive(&shared, &headers, &body).and_then(|received| {
        let ask = ChatBody::read(received.body.clone())?;
        Ok((received, ask))
    });
    answer_chat(&shared, asked)
        .await
        .unwrap_or_else(|refusal| *refusal)
}

/// The older completions: the same answers, without reasoning, to a prompt.
async fn complete(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let asked = receive(&shared, &headers, &body).and_then(|received| {
        let ask = ChatBody::of_prompt(received.body.clone())?;
        Ok((received, ask))
    });
    answer_chat(&shared, asked)
        .await
        .unwrap_or_else(|refusal| *refusal)
}

async fn answer_chat(
    shared: &Shared,
    asked: Result<(Authorized, ChatBody), Box<Response>>,
) -> Result<Response, Box<Response>> {
    let came = Instant::now();
    let (
        Authorized {
            authorization,
            aborted,
            ..
        },
        ask,
    ) = asked?;
    if let Some(refusal) = check(&ask) {
        return Err(Box::new(refusal));
    }
    let form = OutputFormat::read(&ask.response_format, &ask.tools, &ask.tool_choice)
        .map_err(|(param, why)| Box::new(invalid(param, &why)))?;
    let (model, queue) = shared.model(&ask.model)?;
    let before = shared.note_use(model, came);
    if model.quirk == Quirk::Hangs {
        let _gone = AbortFlag(aborted);
        return std::future::pending().await;
    }
    if let Some(refusal) = refusal(&model.quirk, before, &authorization) {
        return Err(Box::new(refusal));
    }
    let looking = Instant::now();
    let sights = see(model, &ask).await?;
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
    let place = queue.enter(came).await;
    // A real model processes the images before its first token too.
    let extra = extra + looked + place.waited;
    let answer = ScriptedAnswer::new(shared, model, (&ask, &form, &sights), came, extra, aborted);
    Ok(answer.at(place).respond(ask.stream).await)
}

/// The error response of a model that refuses this request, by its quirk.
fn refusal(quirk: &Quirk, before: ModelUse, authorization: &str) -> Option<Response> {
    Some(match quirk {
        Quirk::RateLimited { every } if (before.times + 1).is_multiple_of(*every) => {
            let mut refusal = error(
                429,
                "rate_limit_exceeded",
                "Rate limit exceeded (simulated: every third request)",
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
            refusal
        }
        Quirk::Embeds => error(
            400,
            "invalid_value",
            "This model creates embeddings and cannot chat",
        ),
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
            refusal
        }
        Quirk::EchoesKey => error(
            400,
            "invalid_value",
            &format!("cannot work with {authorization}"),
        ),
        _ => return None,
    })
}

/// Decodes the images of the last user message. A model without vision refuses images in any message.
async fn see(model: &DemoModel, ask: &ChatBody) -> Result<Vec<ImageSummary>, Box<Response>> {
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
        Err(_) => Err(refused("the image could not be read")),
    }
}

/// Dropped when the client closes the connection before a response: sets the flag.
struct AbortFlag(Arc<AtomicBool>);

impl Drop for AbortFlag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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

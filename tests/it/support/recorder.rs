//! A server that answers every chat the same and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// What the answer says, streamed or not.
pub(crate) const ANSWER: &str = "Olá, \"mundo\" 🎉";

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Serves until it is dropped.
pub(crate) struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Recorded>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Listens on a port of its own.
    pub(crate) fn start() -> Self {
        let seen = Arc::<Mutex<Vec<Recorded>>>::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let app = axum::Router::new().route("/v1/chat/completions", post(chat)).with_state(Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
                tell.send(listener.local_addr().expect("an address")).expect("someone waits");
                tokio::select! {
                    served = axum::serve(listener, app) => served.expect("serves"),
                    _ = stopped => {}
                }
            });
        });
        let address = told.recv().expect("it listens");
        Self { address, seen, stop: Some(stop), thread: Some(thread) }
    }

    /// The root that an environment would have.
    pub(crate) fn root(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What arrived since the last time.
    pub(crate) fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.seen.lock().expect("not poisoned"))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there has already been printed.
            let _ = thread.join();
        }
    }
}

async fn chat(State(seen): State<Arc<Mutex<Vec<Recorded>>>>, headers: HeaderMap, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).expect("a JSON body");
    let stream = body["stream"] == true;
    let model = body["model"].clone();
    seen.lock().expect("not poisoned").push(Recorded { headers, body });

    let usage = json!({ "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10 });
    if !stream {
        return Json(json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": model, "usage": usage,
            "choices": [{
                "index": 0, "finish_reason": "stop", "logprobs": null,
                "message": { "role": "assistant", "content": ANSWER },
            }],
        }))
        .into_response();
    }
    let chunk = |choices: Value, usage: &Value| {
        let mut chunk = json!({
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices,
        });
        if !usage.is_null() {
            chunk["usage"] = usage.clone();
        }
        format!("data: {chunk}\n\n")
    };
    let part = |delta: Value, reason: Value| json!([{ "index": 0, "delta": delta, "finish_reason": reason }]);
    let (head, tail) = ANSWER.split_at("Olá".len());
    let text = [
        chunk(part(json!({ "role": "assistant", "content": "" }), Value::Null), &Value::Null),
        chunk(part(json!({ "content": head }), Value::Null), &Value::Null),
        chunk(part(json!({ "content": tail }), Value::Null), &Value::Null),
        chunk(part(json!({ "content": "" }), json!("stop")), &Value::Null),
        chunk(json!([]), &usage),
        "data: [DONE]\n\n".to_owned(),
    ];
    ([(CONTENT_TYPE, "text/event-stream")], text.concat()).into_response()
}

//! A small HTTP/1.1 server that a test scripts: it decides every byte, every pause and how a connection ends.
//!
//! For servers that Batida meets in the field. Blocking, a thread per connection, on the loopback only.

#![allow(dead_code, reason = "a kit: each test takes what it needs")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// A request as the server read it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query as written in the request line.
    pub(crate) target: String,
    /// Names in lower case, in the order received.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Counts the server's connections from 0.
    pub(crate) connection: usize,
    /// Counts the requests of its connection from 0.
    pub(crate) nth: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The `model` of the body.
    pub(crate) fn model(&self) -> String {
        self.json()["model"].as_str().unwrap_or_default().to_owned()
    }
}

/// What becomes of a connection after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    KeepOpen,
    Close,
}

/// Writes a response. Errors are ignored: a client may leave at any time.
pub(crate) struct Reply<'a>(&'a mut TcpStream);

impl Reply<'_> {
    /// These bytes and no others.
    pub(crate) fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.write_all(bytes.as_ref());
        let _ = self.0.flush();
    }

    pub(crate) fn pause(&self, time: Duration) {
        thread::sleep(time);
    }

    /// A whole response with its length.
    pub(crate) fn full(&mut self, status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let length = body.len().to_string();
        let mut all = vec![("content-length", length.as_str())];
        all.extend_from_slice(headers);
        let mut response = head(status, &all).into_bytes();
        response.extend_from_slice(body);
        self.raw(response);
    }

    pub(crate) fn json(&mut self, status: u16, body: &Value) {
        self.full(
            status,
            &[("content-type", "application/json")],
            body.to_string(),
        );
    }

    /// Begins a chunked event stream.
    pub(crate) fn stream(&mut self) {
        self.raw(head(
            200,
            &[
                ("content-type", "text/event-stream"),
                ("transfer-encoding", "chunked"),
            ],
        ));
    }

    /// One chunk of a chunked body.
    pub(crate) fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.raw(chunk);
    }

    /// One event in a chunk of its own.
    pub(crate) fn event(&mut self, data: &Value) {
        self.chunk(format!("data: {data}\n\n"));
    }

    /// One chunk of an answer, without a finish reason.
    pub(crate) fn text(&mut self, text: &str) {
        self.event(&delta(&json!({"content": text}), &Value::Null));
    }

    /// The finish reason `stop`, `[DONE]` and the body's end.
    pub(crate) fn done(&mut self) {
        self.event(&delta(&json!({}), &json!("stop")));
        self.chunk("data: [DONE]\n\n");
        self.end();
    }

    /// The last chunk of a chunked body.
    pub(crate) fn end(&mut self) {
        self.raw("0\r\n\r\n");
    }

    /// A good streamed answer.
    pub(crate) fn answer(&mut self, pieces: &[&str]) {
        self.stream();
        for piece in pieces {
            self.text(piece);
        }
        self.done();
    }

    /// Waits until the next request begins to arrive and leaves it unread: with [`Then::Close`] the connection is
    /// then closed before that request was received.
    pub(crate) fn wait_for_next(&mut self) {
        let _ = self.0.peek(&mut [0; 1]);
    }

    /// Ends the server's side, then reads and drops what the client still sends until it ends its own.
    pub(crate) fn close_in_good_order(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write);
        while matches!(self.0.read(&mut [0; 1 << 10]), Ok(n) if n > 0) {}
    }

    /// Ends the connection both ways, as llama.cpp does before it closes one.
    pub(crate) fn shut(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }

    /// Closes the connection with a reset instead of an end.
    pub(crate) fn reset(&self) {
        let _ = rustix::net::sockopt::set_socket_linger(&*self.0, Some(Duration::ZERO));
    }
}

/// A `chat.completion.chunk` with this delta.
pub(crate) fn delta(delta: &Value, finish_reason: &Value) -> Value {
    json!({
        "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    })
}

fn head(status: u16, headers: &[(&str, &str)]) -> String {
    let mut head = format!("HTTP/1.1 {status} Status\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

/// The server; it ends when this is dropped.
pub(crate) struct ScriptedServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    over: Arc<AtomicBool>,
}

impl ScriptedServer {
    /// `script` answers each request.
    pub(crate) fn start(
        script: impl Fn(&Request, &mut Reply<'_>) -> Then + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let server = Self {
            address,
            requests: Arc::default(),
            over: Arc::default(),
        };
        let (requests, over, script) = (
            server.requests.clone(),
            server.over.clone(),
            Arc::new(script),
        );
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let (requests, script) = (requests.clone(), script.clone());
                thread::spawn(move || {
                    let _ = stream.set_nodelay(true);
                    let mut ahead = Vec::new();
                    for nth in 0.. {
                        let Some(request) = read(&mut stream, &mut ahead, connection, nth) else {
                            break;
                        };
                        requests
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(request.clone());
                        if script(&request, &mut Reply(&mut stream)) == Then::Close {
                            break;
                        }
                    }
                });
            }
        });
        server
    }

    /// For `--api`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        if let Ok(stream) = TcpStream::connect(self.address) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// The next request; `None` when the client has gone or sends something else.
fn read(
    stream: &mut TcpStream,
    ahead: &mut Vec<u8>,
    connection: usize,
    nth: usize,
) -> Option<Request> {
    let mut more = |bytes: &mut Vec<u8>| {
        let mut buffer = [0; 64 << 10];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(n) => {
                    bytes.extend_from_slice(&buffer[..n]);
                    return Some(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    };
    let head_end = loop {
        if let Some(at) = ahead.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        more(ahead)?;
    };
    let head = String::from_utf8_lossy(&ahead[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0_usize);
    let body_at = head_end + 4;
    while ahead.len() < body_at + length {
        more(ahead)?;
    }
    let body = String::from_utf8_lossy(&ahead[body_at..body_at + length]).into_owned();
    ahead.drain(..body_at + length);
    Some(Request {
        method,
        target,
        headers,
        body,
        connection,
        nth,
    })
}

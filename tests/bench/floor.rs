//! A bare reader of streams, the least that a client can do: sockets and line ends, no HTTP and no JSON.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What it does.
#[derive(Debug, Clone)]
pub(crate) struct Floor {
    pub(crate) server: SocketAddr,
    /// Streams at once, each with the next request as soon as the one before is answered.
    pub(crate) concurrency: usize,
    /// Of all streams together.
    pub(crate) requests: usize,
    /// The first ones, which are told apart.
    pub(crate) warmup: usize,
    pub(crate) tokens: usize,
    /// It is the floor no more: it reads the JSON of each event, as other clients do.
    pub(crate) parses: bool,
    /// Where the rows go: `request_id,ttft_ms,latency_ms,phase,gaps_ms`, the gaps between tokens with spaces between
    /// them; nowhere when empty.
    pub(crate) csv: PathBuf,
}

impl Floor {
    /// As the arguments of a process.
    pub(crate) fn args(&self) -> Vec<String> {
        let Self {
            server,
            concurrency,
            requests,
            warmup,
            tokens,
            parses,
            csv,
        } = self;
        let csv = csv.display().to_string();
        let numbers = [concurrency, requests, warmup, tokens].map(|n| n.to_string());
        [
            vec![server.to_string()],
            numbers.to_vec(),
            vec![parses.to_string(), csv],
        ]
        .concat()
    }

    /// From what [`Floor::args`] gave.
    pub(crate) fn parse(args: &[String]) -> Option<Self> {
        let [server, concurrency, requests, warmup, tokens, parses, csv] = args else {
            return None;
        };
        Some(Self {
            server: server.parse().ok()?,
            concurrency: concurrency.parse().ok()?,
            requests: requests.parse().ok()?,
            warmup: warmup.parse().ok()?,
            tokens: tokens.parse().ok()?,
            parses: parses.parse().ok()?,
            csv: csv.into(),
        })
    }

    /// Runs to the end and writes the rows.
    pub(crate) fn run(&self) -> std::io::Result<()> {
        let rows = RefCell::new(Vec::with_capacity(self.requests));
        let next = Cell::new(0);
        let shared = Rc::new((self.clone(), rows, next));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let local = tokio::task::LocalSet::new();
        runtime.block_on(local.run_until(async {
            let streams: Vec<_> = (0..self.concurrency)
                .map(|_| {
                    let shared = Rc::clone(&shared);
                    tokio::task::spawn_local(async move {
                        stream(&shared.0, &shared.1, &shared.2).await
                    })
                })
                .collect();
            for stream in streams {
                stream.await??;
            }
            std::io::Result::Ok(())
        }))?;
        if self.csv.as_os_str().is_empty() {
            return Ok(());
        }
        let mut file = std::io::BufWriter::new(std::fs::File::create(&self.csv)?);
        writeln!(file, "request_id,ttft_ms,latency_ms,phase,gaps_ms")?;
        for Row {
            id,
            ttft,
            latency,
            gaps,
        } in shared.1.borrow().iter()
        {
            let phase = if *id < self.warmup {
                "warmup"
            } else {
                "measured"
            };
            let gaps: Vec<String> = gaps.iter().map(|gap| format!("{gap:.4}")).collect();
            let gaps = gaps.join(" ");
            writeln!(file, "floor-{id},{ttft:.4},{latency:.4},{phase},{gaps}")?;
        }
        file.flush()
    }
}

struct Row {
    id: usize,
    ttft: f64,
    latency: f64,
    /// Between the tokens.
    gaps: Vec<f64>,
}

async fn stream(
    floor: &Floor,
    rows: &RefCell<Vec<Row>>,
    next: &Cell<usize>,
) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(floor.server).await?;
    socket.set_nodelay(true)?;
    let prompt = "Say something about clocks. ".repeat(6);
    let body = format!(
        r#"{{"model":"exact","stream":true,"max_tokens":{},"messages":[{{"role":"user","content":"{prompt}"}}]}}"#,
        floor.tokens
    );
    let mut request = String::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let id = next.get();
        if id == floor.requests {
            return Ok(());
        }
        next.set(id + 1);
        request.clear();
        // Writing to a text cannot fail.
        let _ = write!(
            request,
            "POST /v1/chat/completions HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             X-Request-Id: floor-{id}\r\nContent-Length: {}\r\n\r\n{body}",
            floor.server,
            body.len()
        );
        let sent = Instant::now();
        socket.write_all(request.as_bytes()).await?;
        let mut tokens = Vec::new();
        let (first, done) = answer(&mut socket, &mut buffer, floor, &mut tokens).await?;
        let ms = |at: Instant| (at - sent).as_secs_f64() * 1e3;
        rows.borrow_mut().push(Row {
            id,
            ttft: ms(first),
            latency: ms(done),
            gaps: tokens
                .windows(2)
                .map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3)
                .collect(),
        });
    }
}

/// What other clients read of an event.
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "reading it is what is measured")]
struct Chunk<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    created: f64,
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
    usage: Option<serde_json::Value>,
}

/// See [`Chunk`].
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "reading it is what is measured")]
struct Choice<'a> {
    index: u32,
    #[serde(borrow)]
    delta: Delta<'a>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

/// See [`Chunk`].
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "reading it is what is measured")]
struct Delta<'a> {
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reasoning: Option<Cow<'a, str>>,
}

/// When the second line with data came, the first token's, and when the last did. `tokens` is told when each token
/// came where rows are wanted: a line each, behind the role's.
async fn answer(
    socket: &mut TcpStream,
    buffer: &mut [u8],
    floor: &Floor,
    tokens: &mut Vec<Instant>,
) -> std::io::Result<(Instant, Instant)> {
    let keeps = !floor.csv.as_os_str().is_empty();
    let (mut first, mut done) = (None, None);
    let (mut data, mut kept) = (0, 0);
    loop {
        let read = socket.read(&mut buffer[kept..]).await?;
        let now = Instant::now();
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let end = kept + read;
        let mut begin = 0;
        for newline in memchr::memchr_iter(b'\n', &buffer[..end]) {
            let line = &buffer[begin..newline];
            begin = newline + 1;
            if line.starts_with(b"data: [DONE]") {
                done = Some(now);
            } else if let Some(json) = line.strip_prefix(b"data:") {
                data += 1;
                if floor.parses {
                    black_box(serde_json::from_slice::<Chunk<'_>>(json)?);
                }
                if data == 2 {
                    first = Some(now);
                }
                if keeps && data > 1 && data <= floor.tokens + 1 {
                    tokens.push(now);
                }
            }
        }
        // The last chunk has no length, and ends the answer.
        if buffer[..end].ends_with(b"\r\n0\r\n\r\n")
            && let (Some(first), Some(done)) = (first, done)
        {
            return Ok((first, done));
        }
        buffer.copy_within(begin..end, 0);
        kept = end - begin;
    }
}

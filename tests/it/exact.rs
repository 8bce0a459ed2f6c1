//! The demo's exact server: what it sends, and the times it keeps of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use batida::demo::exact::{ExactOptions, ExactServer};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Nothing here may take longer, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(30);

fn quick() -> ExactOptions {
    let (ttft, per_token) = (Duration::from_millis(20), Duration::from_millis(3));
    ExactOptions {
        ttft,
        per_token,
        tokens: 5,
        ..ExactOptions::default()
    }
}

fn start(options: ExactOptions) -> ExactServer {
    ExactServer::start(options).expect("it listens")
}

fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec * 1_000_000_000 + time.tv_nsec).cast_unsigned()
}

/// A connection that reads line by line.
struct Client(BufReader<TcpStream>);

/// An answer, and when each of its tokens was seen.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    events: Vec<Value>,
    seen: Vec<u64>,
}

impl Client {
    fn open(server: &ExactServer) -> Self {
        let address = server
            .address()
            .root()
            .trim_start_matches("http://")
            .to_owned();
        let socket = TcpStream::connect(address).expect("it listens");
        socket
            .set_read_timeout(Some(LIMIT))
            .expect("a time is taken");
        Self(BufReader::new(socket))
    }

    fn send(&mut self, text: &str) {
        self.0
            .get_mut()
            .write_all(text.as_bytes())
            .expect("it takes it");
    }

    fn ask(&mut self, id: &str, body: Value) {
        self.send(&chat(id, &body));
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it answers in time");
        line.trim_end().to_owned()
    }

    fn head(&mut self) -> (u16, String) {
        let mut head = String::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            head = head + &line.to_lowercase() + "\n";
        }
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (
            status.unwrap_or_else(|| panic!("no status in {head:?}")),
            head,
        )
    }

    /// A stream to its very end.
    fn stream(&mut self) -> Answer {
        let (status, head) = self.head();
        let mut answer = Answer {
            status,
            head,
            events: Vec::new(),
            seen: Vec::new(),
        };
        loop {
            let line = self.line();
            match line.strip_prefix("data: ") {
                Some("[DONE]") => {}
                Some(data) => {
                    let event: Value = serde_json::from_str(data).expect("an event is JSON");
                    let text = event["choices"][0]["delta"]["content"].as_str();
                    if text.is_some_and(|text| !text.is_empty()) {
                        answer.seen.push(now());
                    }
                    answer.events.push(event);
                }
                None if line == "0" => break,
                None => {}
            }
        }
        assert_eq!(self.line(), "");
        answer
    }

    /// An answer with a length.
    fn body(&mut self) -> (u16, String, String) {
        let (status, head) = self.head();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![
            0;
            length
                .and_then(|length| length.parse().ok())
                .expect("a length")
        ];
        self.0.read_exact(&mut body).expect("the whole body comes");
        (status, head, String::from_utf8(body).expect("text"))
    }

    /// What the server kept until now.
    fn times(&mut self) -> Vec<Value> {
        self.send("GET /times HTTP/1.1\r\n\r\n");
        let (status, head, body) = self.body();
        assert_eq!(status, 200);
        assert!(head.contains("x-times-lost: 0"), "{head}");
        body.lines()
            .map(|line| serde_json::from_str(line).expect("a line is JSON"))
            .collect()
    }
}

fn chat(id: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nX-Request-Id: {id}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn hello() -> Value {
    json!({"model": "any", "stream": true, "messages": [{"role": "user", "content": "Hello there"}]})
}

fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

#[track_caller]
fn ns(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no time"))
}

#[test]
fn the_times_it_keeps_agree_with_what_a_client_sees() {
    let server = start(ExactOptions {
        all_times: true,
        ..quick()
    });
    let mut client = Client::open(&server);
    let sent = now();
    client.ask("a-7", hello());
    let answer = client.stream();
    let times = client.times();
    let [times] = &times[..] else {
        panic!("{times:?}")
    };
    assert_eq!((&times["id"], &times["tokens"]), (&json!("a-7"), &json!(5)));
    let (received, done) = (ns(&times["received_ns"]), ns(&times["done_ns"]));
    let written: Vec<u64> = times["written_ns"]
        .as_array()
        .expect("a list")
        .iter()
        .map(ns)
        .collect();
    assert_eq!((written.len(), answer.seen.len()), (5, 5));
    assert!(sent <= received);
    for (at, written) in written.iter().enumerate() {
        assert!(
            *written >= received + 20_000_000 + 3_000_000 * at as u64,
            "token {at} is not early"
        );
    }
    for (at, seen) in answer.seen.iter().enumerate() {
        assert!(
            *seen >= sent + 20_000_000 + 3_000_000 * at as u64,
            "nobody sees token {at} earlier"
        );
        // A write may be seen before it returns, but not before the one before it has returned.
        assert!(at == 0 || written[at - 1] <= *seen, "token {at}");
    }
    assert!(written.is_sorted() && written[4] <= done && done <= now());
    // What it tells the client is the same.
    let usage = &answer.events.last().expect("events")["usage"];
    let told = usage["time_to_first_token"].as_f64().expect("it tells") * 1e9;
    assert!(
        (told - (written[0] - received) as f64).abs() < 2.0,
        "{told}: {times}"
    );
    assert!(
        usage["total_latency"].as_f64().expect("it tells") * 1e9 <= (done - received) as f64 + 2.0
    );
}

#[test]
fn only_the_first_and_the_last_token_are_kept_by_default() {
    let server = start(quick());
    let mut client = Client::open(&server);
    client.ask("a", hello());
    client.stream();
    client.ask("b", with(hello(), "max_tokens", 1));
    client.stream();
    let kept: Vec<usize> = client
        .times()
        .iter()
        .map(|times| times["written_ns"].as_array().map_or(0, Vec::len))
        .collect();
    assert_eq!(kept, [2, 1]);
}

#[test]
fn an_answer_has_as_many_tokens_as_were_asked_for() {
    let server = start(quick());
    let mut client = Client::open(&server);
    for (body, tokens, reason) in [
        (hello(), 5, "stop"),
        (with(hello(), "max_tokens", 9), 9, "length"),
        (with(hello(), "max_completion_tokens", 2), 2, "length"),
    ] {
        client.ask("a", body);
        let answer = client.stream();
        assert_eq!(answer.status, 200);
        assert!(
            answer.head.contains("content-type: text/event-stream"),
            "{}",
            answer.head
        );
        // The role, the tokens, the reason, the usage.
        assert_eq!(
            (answer.seen.len(), answer.events.len()),
            (tokens, tokens + 3)
        );
        let [role, .., finish, usage] = &answer.events[..] else {
            panic!("{answer:?}")
        };
        assert_eq!(
            role["choices"][0]["delta"],
            json!({"role": "assistant", "content": ""})
        );
        assert_eq!(finish["choices"][0]["finish_reason"], reason);
        // Hello, there: a token each, and four around them.
        assert_eq!(usage["usage"]["prompt_tokens"], 2 + 4);
        assert_eq!(usage["usage"]["completion_tokens"], tokens);
        assert_eq!(usage["usage"]["total_tokens"], tokens + 6);
    }
}

#[test]
fn an_answer_comes_whole_when_no_stream_was_asked_for() {
    let server = start(quick());
    let mut client = Client::open(&server);
    client.ask("w", with(hello(), "stream", false));
    let (status, _, body) = client.body();
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (status, &body["usage"]["completion_tokens"]),
        (200, &json!(5))
    );
    let text = body["choices"][0]["message"]["content"]
        .as_str()
        .expect("a text");
    assert_eq!(text.split_whitespace().count(), 5);
    let times = client.times();
    let whole = 20_000_000 + 4 * 3_000_000;
    assert!(
        ns(&times[0]["done_ns"]) >= ns(&times[0]["received_ns"]) + whole,
        "{times:?}"
    );
}

#[test]
fn one_write_is_one_write() {
    let server = start(ExactOptions {
        one_write: true,
        ..quick()
    });
    let mut client = Client::open(&server);
    client.ask("one", hello());
    let mut bytes = vec![0; 64 << 10];
    let length = client.0.get_mut().read(&mut bytes).expect("it answers");
    let text = std::str::from_utf8(&bytes[..length]).expect("text");
    assert!(
        text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"),
        "{text}"
    );
    assert_eq!(text.matches("data: {").count(), 5 + 3);
    let times = client.times();
    let written = times[0]["written_ns"].as_array().expect("a list");
    assert_eq!(written, &[times[0]["done_ns"].clone()]);
    assert!(ns(&written[0]) >= ns(&times[0]["received_ns"]) + 20_000_000);
    // The same bytes as when each token is a write.
    client.ask("two", hello());
    assert_eq!(client.stream().seen.len(), 5);
}

#[test]
fn a_connection_serves_one_request_after_another() {
    let server = start(quick());
    let mut client = Client::open(&server);
    // The second before the first is answered, and in two parts.
    let (first, second) = (
        chat("1", &hello()),
        chat("2", &with(hello(), "max_tokens", 2)),
    );
    let (head, rest) = second.split_at(second.len() - 9);
    client.send(&(first + head));
    assert_eq!(client.stream().seen.len(), 5);
    client.send(rest);
    assert_eq!(client.stream().seen.len(), 2);
    let ids = |times: Vec<Value>| {
        times
            .iter()
            .map(|times| times["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(client.times()), ["1", "2"]);
    assert_eq!(client.times(), [] as [Value; 0], "they were forgotten");
    client.ask("3", hello());
    client.stream();
    client.send("DELETE /times HTTP/1.1\r\n\r\n");
    assert_eq!(client.body().0, 204);
    assert_eq!(client.times(), [] as [Value; 0], "they were forgotten");
    client.send("GET /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n");
    let (status, _, body) = client.body();
    assert_eq!(status, 200);
    assert!(body.contains(r#""id":"exact""#), "{body}");
    assert_eq!(client.line(), "", "it was asked to close");
}

#[test]
fn a_client_that_waits_to_send_its_body_is_told_to() {
    let server = start(quick());
    let mut client = Client::open(&server);
    let ask = chat("e", &hello()).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    let (head, body) = ask.split_at(ask.find("{").expect("a body"));
    client.send(head);
    assert_eq!(client.head().0, 100);
    client.send(body);
    assert_eq!(client.stream().seen.len(), 5);
}

#[test]
fn nonsense_is_refused_and_harms_nobody() {
    let server = start(quick());
    let mut good = Client::open(&server);
    good.ask("good", hello());
    for (text, status) in [
        ("\u{7f}\u{1}nonsense\r\n\r\n".to_owned(), 400),
        ("GET /elsewhere HTTP/1.1\r\n\r\n".to_owned(), 404),
        (chat("x", &json!({"messages": []})), 400),
        (chat("x", &with(hello(), "max_tokens", 0)), 400),
        (chat("x", &json!("text")), 400),
    ] {
        let mut client = Client::open(&server);
        client.send(&text);
        let (refused, _, body) = client.body();
        assert_eq!(refused, status, "{text}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert!(
            !body["error"]["message"]
                .as_str()
                .expect("a sentence")
                .is_empty()
        );
    }
    // One that says nothing, and one that leaves in the middle of a word.
    let silent = Client::open(&server);
    Client::open(&server).send("POST /v1/chat/comp");
    assert_eq!(good.stream().seen.len(), 5);
    drop(silent);
    good.ask("again", hello());
    assert_eq!(good.stream().seen.len(), 5);
}

#[test]
fn an_answer_that_nobody_reads_to_the_end_has_no_end() {
    let server = start(ExactOptions {
        tokens: 100_000,
        ..quick()
    });
    let mut client = Client::open(&server);
    client.ask("left", hello());
    while !client.line().contains(" time") {}
    drop(client);
    let deadline = std::time::Instant::now() + LIMIT;
    let mut other = Client::open(&server);
    let times = loop {
        assert!(
            std::time::Instant::now() < deadline,
            "it does not see that the client left"
        );
        let times = other.times();
        if !times.is_empty() {
            break times;
        }
    };
    assert_eq!(
        (&times[0]["id"], &times[0]["done_ns"]),
        (&json!("left"), &Value::Null)
    );
}

#[test]
fn hundreds_of_streams_are_each_served_in_full() {
    let server = start(quick());
    // More than the open files that a process is usually allowed.
    let mut clients: Vec<Client> = (0..600).map(|_| Client::open(&server)).collect();
    for (id, client) in clients.iter_mut().enumerate() {
        client.ask(&id.to_string(), hello());
    }
    for client in &mut clients {
        assert_eq!(client.stream().seen.len(), 5);
    }
    let mut ids: Vec<usize> = clients[0]
        .times()
        .iter()
        .map(|times| {
            times["id"]
                .as_str()
                .and_then(|id| id.parse().ok())
                .expect("a number")
        })
        .collect();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..600));
}

#[test]
fn a_core_that_does_not_exist_is_refused() {
    let refused = ExactServer::start(ExactOptions {
        core: Some(1_000),
        ..quick()
    })
    .map(drop);
    assert_eq!(refused.is_err(), cfg!(target_os = "linux"), "{refused:?}");
}

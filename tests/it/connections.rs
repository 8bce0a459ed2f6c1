//! How connections begin and end: servers that close early, late or never, compress, or speak something else.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};

use crate::support::batida::{finish, start};
use crate::support::scripted::{Reply, Request, ScriptedServer, Then, delta};
use crate::support::shell::{Shell, check_words};

fn models(reply: &mut Reply<'_>) {
    reply.json(200, &json!({"object": "list", "data": [{"id": "m"}]}));
}

/// Answers everything well.
fn good(request: &Request, reply: &mut Reply<'_>) {
    if request.method == "GET" {
        models(reply)
    } else {
        reply.answer(&["It ", "works", "."])
    }
}

fn requests(report: &Value) -> &Value {
    &report["levels"][0]["requests"]
}

#[test]
fn a_connection_that_was_closed_before_its_request_came_is_opened_again_and_counted() {
    // As llama.cpp does: it says keep-alive, and closes behind each response. Here just as the next request comes.
    let server = ScriptedServer::start(|request, reply| {
        good(request, reply);
        reply.wait_for_next();
        Then::Close
    });
    let shell = Shell::new();
    let (said, report) = shell.bench(&server.url(), 20, &["--csv", "rows.csv"]);
    let counts = requests(&report);
    assert_eq!(
        (said.code, &counts["ok"], &counts["failed"]),
        (Some(0), &json!(20), &json!(0)),
        "{said:?}"
    );
    // The second meets the closed connection. For a while after that, each goes over one of its own.
    let reconnected = counts["reconnected"].as_u64().expect("a count") as usize;
    assert!((1..=3).contains(&reconnected), "{reconnected}");
    let notes = report["levels"][0]["notes"].to_string();
    check_words(&notes, &["sent again on a new connection"]);
    let rows = std::fs::read_to_string(shell.path("rows.csv")).expect("written");
    let column = rows
        .lines()
        .next()
        .expect("a head")
        .split(',')
        .position(|name| name == "reconnected");
    let cell = |line: &str| {
        line.split(',')
            .nth(column.expect("a column"))
            .map(str::to_owned)
    };
    assert_eq!(
        rows.lines()
            .skip(1)
            .filter_map(cell)
            .filter(|cell| cell == "1")
            .count(),
        reconnected
    );
    // None was received twice: those that were closed had not been read.
    assert_eq!(
        server
            .requests()
            .iter()
            .filter(|request| request.method == "POST")
            .count(),
        20
    );

    // Chat asks for the models first, on the connection that is then closed.
    let said = shell.run(&server.url(), &["chat", "Hello"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "It works.\n"),
        "{said:?}"
    );
    let said = shell.run(&server.url(), &["check", "--json"]);
    check_words(&said.out, &["one-token chat on m"]);
}

#[test]
fn a_server_that_closes_idle_connections_costs_no_request() {
    let server = ScriptedServer::start(|request, reply| {
        good(request, reply);
        reply.pause(Duration::from_micros(200));
        reply.shut();
        Then::Close
    });
    let (said, report) = Shell::new().bench(&server.url(), 200, &["--concurrency", "4"]);
    let counts = requests(&report);
    assert_eq!(
        (&counts["ok"], &counts["failed"]),
        (&json!(200), &json!(0)),
        "{said:?}"
    );
    assert_eq!(server.requests().len(), 200);
}

#[test]
fn a_close_that_crosses_the_next_request_is_no_failure_though_no_reset_tells() {
    // As llama.cpp's server closes: it ends its side, reads what still arrives, drops it and closes.
    for pause in [0, 100, 300] {
        let server = ScriptedServer::start(move |request, reply| {
            good(request, reply);
            reply.pause(Duration::from_micros(pause));
            reply.close_in_good_order();
            Then::Close
        });
        let (said, report) = Shell::new().bench(&server.url(), 200, &[]);
        let counts = requests(&report);
        assert_eq!(
            (&counts["ok"], &counts["failed"]),
            (&json!(200), &json!(0)),
            "{said:?}"
        );
    }
}

#[test]
fn what_may_have_been_received_is_not_repeated_again_and_again() {
    // It reads the second request of each connection in full, then closes: as fast as one that closes when idle.
    let server = ScriptedServer::start(|request, reply| {
        if request.nth == 1 {
            return Then::Close;
        }
        good(request, reply);
        Then::KeepOpen
    });
    let (_, report) = Shell::new().bench(&server.url(), 20, &[]);
    let counts = requests(&report);
    let count = |name: &str| counts[name].as_u64().expect("a count");
    // It may have crossed with a close. That is not tried again and again: each request gets its own connection then.
    let doubtful = count("reconnected") + count("failed");
    assert!((1..=3).contains(&doubtful), "{doubtful}");
    assert_eq!(
        server.requests().len() as u64,
        20 + count("reconnected"),
        "each that was sent again was received twice"
    );
    check_words(
        &report["levels"][0]["notes"].to_string(),
        &["the server may have received some of them twice"],
    );
}

#[test]
fn an_idle_connection_that_is_ended_with_408_is_opened_again() {
    // As HAProxy does; just as the next request comes.
    let server = ScriptedServer::start(|request, reply| {
        good(request, reply);
        reply.wait_for_next();
        reply.full(408, &[("connection", "close")], "");
        reply.close_in_good_order();
        Then::Close
    });
    let (said, report) = Shell::new().bench(&server.url(), 20, &[]);
    let counts = requests(&report);
    assert_eq!(
        (&counts["ok"], &counts["failed"], &counts["reconnected"]),
        (&json!(20), &json!(0), &json!(19)),
        "{said:?}"
    );
}

#[test]
fn a_408_that_answers_a_request_is_the_servers_failure() {
    let server = ScriptedServer::start(|request, reply| {
        if request.nth == 1 {
            reply.pause(Duration::from_millis(150));
            reply.full(408, &[("connection", "close")], "");
            return Then::Close;
        }
        good(request, reply);
        Then::KeepOpen
    });
    let (said, report) = Shell::new().bench(&server.url(), 4, &[]);
    let counts = requests(&report);
    assert_eq!(
        (&counts["ok"], &counts["failed"], &counts["reconnected"]),
        (&json!(2), &json!(2), &json!(0)),
        "{said:?}"
    );
}

#[test]
fn a_request_that_was_received_and_got_no_response_is_a_failure_and_is_not_sent_again() {
    for pause in [100, 200] {
        // The second request of each connection is read in full; then the server goes.
        let server = ScriptedServer::start(move |request, reply| {
            if request.nth == 1 {
                reply.pause(Duration::from_millis(pause));
                return Then::Close;
            }
            good(request, reply);
            Then::KeepOpen
        });
        let shell = Shell::new();
        let (said, report) = shell.bench(&server.url(), 10, &[]);
        let counts = requests(&report);
        assert_eq!(
            (&counts["ok"], &counts["failed"]),
            (&json!(5), &json!(5)),
            "{said:?}"
        );
        assert_eq!(
            (&counts["reconnected"], &counts["errors"][0]["kind"]),
            (&json!(0), &json!("dropped"))
        );
        check_words(
            &counts["errors"].to_string(),
            &["closed the connection without sending a response"],
        );
        assert_eq!(server.requests().len(), 10, "none was sent twice");
    }
}

#[test]
fn a_reset_after_a_while_is_a_failure() {
    let server = ScriptedServer::start(|request, reply| {
        if request.nth == 1 {
            reply.pause(Duration::from_millis(150));
            reply.reset();
            return Then::Close;
        }
        good(request, reply);
        Then::KeepOpen
    });
    let (_, report) = Shell::new().bench(&server.url(), 4, &[]);
    let counts = requests(&report);
    assert_eq!(
        (&counts["failed"], &counts["reconnected"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn what_a_server_says_of_its_connections_is_heeded() {
    for (said, connections) in [
        ("HTTP/1.1 200 OK\r\nConnection: close, x\r\n", 6),
        (
            "HTTP/1.1 200 OK\r\nconnection: x\r\nConnection: Close\r\n",
            6,
        ),
        ("HTTP/1.0 200 OK\r\n", 6),
        ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", 1),
        ("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\n", 6),
        ("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\n", 1),
        (
            "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n",
            1,
        ),
    ] {
        let body = format!(
            "data: {}\n\n",
            delta(&json!({"content": "Hi"}), &json!("stop"))
        );
        let server = ScriptedServer::start(move |_, reply| {
            reply.raw(format!(
                "{said}content-length: {}\r\n\r\n{body}",
                body.len()
            ));
            Then::KeepOpen
        });
        let (told, report) = Shell::new().bench(&server.url(), 6, &[]);
        assert_eq!(requests(&report)["ok"], json!(6), "{said:?} {told:?}");
        let used = server
            .requests()
            .iter()
            .map(|request| request.connection)
            .max()
            .map(|last| last + 1);
        assert_eq!(used, Some(connections), "{said:?}");
    }
}

#[test]
fn a_refusal_before_the_whole_request_was_sent_is_heard() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = std::io::Read::read(&mut stream, &mut [0; 200]);
            let _ = stream.write_all(
                b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    let shell = Shell::new();
    std::fs::write(shell.path("long.txt"), "word ".repeat(380_000)).expect("written");
    let said = shell.run(
        &url,
        &["chat", "--model", "m", "--attach", "long.txt", "Hello"],
    );
    assert_eq!(said.code, Some(1));
    check_words(&said.err, &["413"]);
}

#[test]
fn an_answer_that_is_compressed_unasked_is_read_streamed_and_whole() {
    for coding in ["gzip", "deflate"] {
        let server = ScriptedServer::start(move |request, reply| {
            let packed = |text: &str| {
                if coding == "gzip" {
                    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
                    writer.write_all(text.as_bytes()).expect("to memory");
                    writer.finish().expect("to memory")
                } else {
                    let mut writer = ZlibEncoder::new(Vec::new(), Compression::default());
                    writer.write_all(text.as_bytes()).expect("to memory");
                    writer.finish().expect("to memory")
                }
            };
            let headers = [
                ("content-encoding", coding),
                ("content-type", "application/json"),
            ];
            match (request.method.as_str(), request.model().as_str()) {
                ("GET", _) => reply.full(200, &headers, packed(r#"{"data": [{"id": "m"}]}"#)),
                (_, "refused") => {
                    reply.full(
                        400,
                        &headers,
                        packed(r#"{"error": {"message": "no such thing here"}}"#),
                    );
                }
                _ => {
                    // Flushed after each event, as a proxy does that streams.
                    reply.raw(format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: \
                         {coding}\r\n\
                         transfer-encoding: chunked\r\n\r\n"
                    ));
                    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
                    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
                    let writer: &mut dyn std::io::Write = if coding == "gzip" {
                        &mut gzip
                    } else {
                        &mut zlib
                    };
                    let pieces = ["It ", "works", "."]
                        .map(|text| delta(&json!({"content": text}), &Value::Null));
                    let mut events: Vec<String> = pieces
                        .iter()
                        .map(|piece| format!("data: {piece}\n\n"))
                        .collect();
                    events.push(format!("data: {}\n\n", delta(&json!({}), &json!("stop"))));
                    events.push("data: [DONE]\n\n".to_owned());
                    for event in events {
                        writer.write_all(event.as_bytes()).expect("to memory");
                        writer.flush().expect("to memory");
                    }
                    let all = if coding == "gzip" {
                        gzip.finish()
                    } else {
                        zlib.finish()
                    };
                    for piece in all.expect("to memory").chunks(40) {
                        reply.chunk(piece);
                        reply.pause(Duration::from_millis(2));
                    }
                    reply.end();
                }
            }
            Then::KeepOpen
        });
        let shell = Shell::new();
        let said = shell.run(&server.url(), &["chat", "Hello"]);
        assert_eq!(
            (said.code, said.out.as_str()),
            (Some(0), "It works.\n"),
            "{said:?}"
        );
        let (said, report) = shell.bench(&server.url(), 3, &[]);
        assert_eq!(requests(&report)["ok"], json!(3), "{said:?}");
        let said = shell.run(&server.url(), &["chat", "--model", "refused", "Hello"]);
        check_words(&said.err, &["no such thing here"]);
        assert!(
            server
                .requests()
                .iter()
                .all(|request| request.header("accept-encoding") == Some("identity"))
        );
    }
}

#[test]
fn a_body_that_only_says_to_be_gzip_is_read_and_a_damaged_one_is_a_failure() {
    let server = ScriptedServer::start(move |request, reply| {
        let headers = [
            ("content-encoding", "gzip"),
            ("content-type", "application/json"),
        ];
        match (request.method.as_str(), request.model().as_str()) {
            ("GET", _) => reply.full(200, &headers, r#"{"data": [{"id": "m"}]}"#),
            (_, "refused") => {
                reply.full(
                    400,
                    &headers,
                    r#"{"error": {"message": "no such thing here"}}"#,
                );
            }
            (_, model) => {
                let text = format!(
                    "data: {}\n\ndata: [DONE]\n\n",
                    delta(&json!({"content": "It works."}), &json!("stop"))
                );
                let mut writer = GzEncoder::new(Vec::new(), Compression::default());
                writer.write_all(text.as_bytes()).expect("to memory");
                let mut packed = writer.finish().expect("to memory");
                if model == "unmarked" {
                    reply.full(200, &[("content-type", "text/event-stream")], packed);
                    return Then::KeepOpen;
                }
                let sum = packed.len() - 8;
                packed[sum] ^= 1;
                reply.full(
                    200,
                    &[
                        ("content-encoding", "gzip"),
                        ("content-type", "text/event-stream"),
                    ],
                    packed,
                );
            }
        }
        Then::KeepOpen
    });
    let shell = Shell::new();
    let said = shell.run(&server.url(), &["models"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = shell.run(&server.url(), &["chat", "--model", "refused", "Hello"]);
    check_words(&said.err, &["no such thing here"]);
    let said = shell.run(&server.url(), &["chat", "--model", "unmarked", "Hello"]);
    assert_eq!(
        (said.code, said.out.trim()),
        (Some(0), "It works."),
        "{said:?}"
    );
    let said = shell.run(&server.url(), &["chat", "Hello"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    check_words(
        &said.err,
        &["is compressed (gzip), and it cannot be decompressed"],
    );
    let (_, report) = shell.bench(&server.url(), 2, &[]);
    assert_eq!(requests(&report)["failed"], json!(2), "{report}");
}

#[test]
fn a_compression_that_is_not_read_is_named() {
    for coding in ["br", "zstd"] {
        let server = ScriptedServer::start(move |request, reply| {
            if request.method == "GET" {
                models(reply);
            } else {
                let headers = [
                    ("content-encoding", coding),
                    ("content-type", "text/event-stream"),
                ];
                reply.full(200, &headers, b"\x28\xb5\x2f\xfd\x04\x00\x1b\x07");
            }
            Then::KeepOpen
        });
        let shell = Shell::new();
        let said = shell.run(&server.url(), &["chat", "Hello"]);
        assert_eq!(said.code, Some(1));
        check_words(
            &said.err,
            &["is compressed", coding, "Turn off compression"],
        );
        let (_, report) = shell.bench(&server.url(), 2, &[]);
        check_words(
            &requests(&report)["errors"].to_string(),
            &["is compressed", coding],
        );
    }
}

#[test]
fn a_server_that_speaks_another_protocol_is_named() {
    // HTTP/2's first frame; TLS's alert; a greeting of something else.
    let frame = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64".to_vec();
    for (answer, words) in [
        (frame, ["speaks only HTTP/2", "HTTP/1.1"]),
        (
            b"\x15\x03\x01\x00\x02\x02\x46".to_vec(),
            ["speaks TLS on this port", "Enter https://127.0.0.1:"],
        ),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            ["is not HTTP", "Check the port"],
        ),
    ] {
        let server = ScriptedServer::start(move |_, reply| {
            reply.raw(&answer);
            Then::Close
        });
        let shell = Shell::new();
        let said = shell.run(&server.url(), &["chat", "--model", "m", "Hello"]);
        assert_eq!(said.code, Some(1));
        check_words(&said.err, &words);
        let (_, report) = shell.bench(&server.url(), 1, &[]);
        check_words(&requests(&report)["errors"].to_string(), &words[..1]);
    }
}

#[test]
fn a_redirect_says_where_to_and_what_to_type() {
    let server = ScriptedServer::start(|request, reply| {
        let to = format!(
            "https://{}{}",
            request.header("host").unwrap_or_default(),
            request.target
        );
        reply.full(301, &[("location", &to)], "");
        Then::KeepOpen
    });
    let shell = Shell::new();
    let said = shell.run(&server.url(), &["chat", "--model", "m", "Hello"]);
    let https = server.url().replace("http:", "https:");
    check_words(
        &said.err,
        &[
            &format!("redirects to {https}/v1/chat/completions"),
            &format!("Enter {https} as"),
        ],
    );
    let said = shell.run(&server.url(), &["check"]);
    check_words(
        &said.out,
        &[
            &format!("redirects to {https}/v1/models"),
            &format!("Enter {https} as"),
        ],
    );
}

#[test]
fn an_answer_that_does_not_end_is_given_up_in_time() {
    let server = ScriptedServer::start(|request, reply| {
        if request.method == "GET" {
            models(reply);
            return Then::KeepOpen;
        }
        reply.stream();
        for _ in 0..200 {
            reply.text("so ");
            reply.pause(Duration::from_millis(50));
        }
        Then::Close
    });
    let began = Instant::now();
    let said = Shell::new().run(&server.url(), &["chat", "--timeout", "700ms", "Hello"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    check_words(&said.out, &["so so"]);
    check_words(&said.err, &["did not complete the response within 700 ms"]);
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn comments_that_keep_a_connection_open_are_no_data() {
    use batida::domain::conversation::{ChatRequest, Message, Params, Role};
    use batida::domain::environment::{ApiAddress, EnvId};
    use batida::engine::chat::{Limits, run_within};
    use batida::io::access::Access;
    use batida::io::activity::Recorder;
    use batida::io::api::{Api, Trust};
    use batida::protocol::ChatEnding;

    let server = ScriptedServer::start(|_, reply| {
        reply.stream();
        reply.text("Wait");
        for _ in 0..25 {
            for keeps in [
                ": keep-alive",
                "event: ping\ndata: {\"type\": \"ping\"}",
                "data: {\"choices\": []}",
            ] {
                reply.chunk(format!("{keeps}\n\n"));
                reply.pause(Duration::from_millis(50));
            }
            reply.event(&delta(&json!({"content": ""}), &serde_json::Value::Null));
            reply.pause(Duration::from_millis(50));
        }
        Then::Close
    });
    let address = ApiAddress::parse(&server.url()).expect("an address");
    let recorder = Recorder::silent(EnvId::ad_hoc());
    let api = Api::new(address, Access::default(), Trust::default(), recorder).expect("an API");
    let request = ChatRequest {
        model: "m".to_owned(),
        messages: vec![Message::new(Role::User, "Hello")],
        params: Params::default(),
    };
    let limits = Limits {
        silence: Duration::from_millis(400),
        ..Limits::default()
    };
    let began = Instant::now();
    let mut heard = String::new();
    let report = run_within(
        &api,
        &request,
        &[],
        &tokio_util::sync::CancellationToken::new(),
        limits,
        |news| {
            heard.push_str(&news.answer);
        },
    )
    .await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(heard, "Wait", "what came is kept");
    let ChatEnding::Failed(failure) = report.ending else {
        panic!("{report:?}")
    };
    check_words(&failure.summary, &["sent nothing for 400 ms"]);
}

#[test]
fn a_response_that_is_kept_open_behind_its_end_costs_no_time() {
    static ENDS: AtomicBool = AtomicBool::new(false);
    let server = ScriptedServer::start(|_, reply| {
        reply.stream();
        reply.text("Hi");
        reply.event(&delta(&json!({}), &json!("stop")));
        reply.chunk("data: [DONE]\n\n");
        while !ENDS.load(Ordering::Relaxed) {
            reply.pause(Duration::from_millis(20));
        }
        Then::Close
    });
    let began = Instant::now();
    let (said, report) = Shell::new().bench(&server.url(), 40, &[]);
    let took = began.elapsed();
    ENDS.store(true, Ordering::Relaxed);
    assert_eq!(requests(&report)["ok"], json!(40), "{said:?}");
    // A quarter of a second for the first, and no more than a few ms for each other.
    assert!(
        report["levels"][0]["took_s"]
            .as_f64()
            .is_some_and(|took| took < 8.0),
        "{took:?}"
    );
}

#[test]
fn a_stream_that_is_kept_open_without_done_is_told() {
    let server = ScriptedServer::start(|_, reply| {
        reply.stream();
        reply.text("Hi");
        reply.event(&delta(&json!({}), &json!("stop")));
        reply.event(&json!({"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 1}}));
        // Longer than any wait for [DONE] behind an answer with its usage.
        reply.wait_for_next();
        Then::Close
    });
    let (said, report) = Shell::new().bench(&server.url(), 2, &[]);
    let counts = requests(&report);
    assert_eq!(counts["ok"], json!(2), "{said:?}");
    check_words(
        &report["levels"][0]["notes"].to_string(),
        &["longer than their answers on average", "[DONE]"],
    );
}

#[test]
fn an_error_in_place_of_the_model_list_is_told_and_fails_the_check() {
    for (body, words) in [
        (json!({"detail": "Not authenticated"}), "Not authenticated"),
        (json!({"error": {"message": "boom"}}), "boom"),
    ] {
        let server = ScriptedServer::start(move |_, reply| {
            reply.json(200, &body);
            Then::KeepOpen
        });
        let shell = Shell::new();
        for args in [&["models"][..], &["chat", "Hello"], &["check"]] {
            let said = shell.run(&server.url(), args);
            assert_eq!(said.code, Some(1), "{args:?}: {said:?}");
            check_words(&format!("{}{}", said.out, said.err), &[words]);
        }
    }
}

#[test]
fn heads_and_bodies_that_are_odd_are_said_to_be_that() {
    let ok = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
    for (raw, words) in [
        (ok(&"x: y\r\n".repeat(300)), "it has more than 256 headers"),
        (
            ok(&format!("x: {}\r\n", "y".repeat(140_000))),
            "it is longer than 64 KiB",
        ),
        (
            ok("content-length: 5\r\ncontent-length: 7\r\n"),
            "two Content-Length headers that differ",
        ),
        (ok("content-length: x\r\n"), "not a number of bytes"),
        (ok("content length: 5\r\n"), "a header name is not valid"),
        (
            ok("content-length: 0\r\n"),
            "sent an empty response (HTTP 200)",
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            "sent an empty response (HTTP 204)",
        ),
        (
            "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
            "nothing has changed (HTTP 304)",
        ),
        (
            "HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "The server gave no reason",
        ),
    ] {
        let server = ScriptedServer::start(move |_, reply| {
            reply.raw(&raw);
            Then::Close
        });
        let shell = Shell::new();
        let said = shell.run(&server.url(), &["chat", "--model", "m", "Hello"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        check_words(&said.err, &[words]);
        assert!(!said.err.contains("is not HTTP"), "{said:?}");
        if !words.contains("reason") {
            let (_, report) = shell.bench(&server.url(), 1, &[]);
            check_words(&requests(&report)["errors"].to_string(), &[words]);
        }
    }
    // A header over several lines is one.
    let server = ScriptedServer::start(|request, reply| {
        if request.method == "GET" {
            models(reply);
        } else {
            let event = format!(
                "data: {}\n\ndata: [DONE]\n\n",
                delta(&json!({"content": "Hi"}), &json!("stop"))
            );
            reply.raw(format!(
                "HTTP/1.1 200 OK\r\nx-long: a,\r\n  b\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{event}",
                event.len()
            ));
        }
        Then::KeepOpen
    });
    let said = Shell::new().run(&server.url(), &["chat", "Hello"]);
    assert_eq!((said.code, said.out.trim()), (Some(0), "Hi"), "{said:?}");
}

#[test]
fn a_head_that_does_not_end_is_no_silence() {
    let server = ScriptedServer::start(|_, reply| {
        reply.raw("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nx: ");
        reply.wait_for_next();
        Then::Close
    });
    let (_, report) = Shell::new().bench(&server.url(), 1, &["--timeout", "1s"]);
    check_words(
        &requests(&report)["errors"].to_string(),
        &["sent no response within 1.00 s"],
    );
}

#[test]
fn a_time_limit_in_the_middle_of_fitting_prompts_is_no_silence() {
    let server = ScriptedServer::start(|request, reply| {
        if request.method == "GET" {
            models(reply);
            return Then::KeepOpen;
        }
        reply.stream();
        reply.text("Hi");
        reply.wait_for_next();
        Then::Close
    });
    let args = [
        "bench",
        "--model",
        "m",
        "--concurrency",
        "1",
        "--requests",
        "1",
        "--warmup",
        "0",
        "--input-tokens",
        "20",
        "--timeout",
        "1s",
        "--max-error-share",
        "none",
        "--json",
        "--quiet",
    ];
    let said = Shell::new().run(&server.url(), &args);
    let all = format!("{}{}", said.out, said.err);
    check_words(&all, &["did not complete the response within 1.00 s"]);
    assert!(!all.contains("sent no response"), "{said:?}");
}

#[test]
fn bytes_behind_a_compressed_answer_cost_nothing_of_it() {
    let server = ScriptedServer::start(|request, reply| {
        if request.method == "GET" {
            models(reply);
            return Then::KeepOpen;
        }
        let text = format!(
            "data: {}\n\ndata: [DONE]\n\n",
            delta(&json!({"content": "It works."}), &json!("stop"))
        );
        let mut writer = GzEncoder::new(Vec::new(), Compression::default());
        writer.write_all(text.as_bytes()).expect("to memory");
        let mut packed = writer.finish().expect("to memory");
        packed.extend_from_slice(b"\r\n");
        let headers = [
            ("content-encoding", "gzip"),
            ("content-type", "text/event-stream"),
        ];
        reply.full(200, &headers, packed);
        Then::KeepOpen
    });
    let shell = Shell::new();
    let said = shell.run(&server.url(), &["chat", "Hello"]);
    assert_eq!(
        (said.code, said.out.trim()),
        (Some(0), "It works."),
        "{said:?}"
    );
    let (said, report) = shell.bench(&server.url(), 2, &[]);
    assert_eq!(requests(&report)["ok"], json!(2), "{said:?}");
}

#[test]
fn a_file_limit_is_named_before_a_level_starts() {
    let server = ScriptedServer::start(|request, reply| {
        good(request, reply);
        Then::KeepOpen
    });
    let shell = Shell::new();
    let limited = |limit: u32, args: &str| {
        let command = shell.command(&server.url(), &[]);
        let program = command.get_program().to_owned();
        let mut sh = crate::support::programs::quiet("sh");
        let line = format!(
            "ulimit -n {limit}; exec \"$0\" bench --model m --prompts prompts.txt --json --quiet \
             --warmup 0 \
             --requests 200 --max-error-share none --max-level-error-share 100% {args} --api {} \
             --config config",
            server.url()
        );
        sh.args(["-c", &line])
            .arg(program)
            .env("HOME", shell.home())
            .current_dir(shell.home());
        sh.stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        drop(command);
        finish(start(&mut sh))
    };
    let said = limited(256, "--concurrency 300");
    assert_eq!(said.code, Some(1), "{said:?}");
    check_words(
        &said.out,
        &[
            "300 connections at once need about",
            "allows this process 256",
            "ulimit",
        ],
    );
    assert!(server.requests().is_empty(), "nothing was sent");
    let said = limited(256, "--concurrency 20");
    assert_eq!(said.code, Some(0), "{said:?}");
}

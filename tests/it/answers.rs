//! What counts as an answer: the real `chat` and the real `bench` against small servers that answer oddly. Both must
//! come to the same verdict.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::batida::{Said, finish, program, start};
use crate::support::scripted::{Reply, Request, ScriptedServer, Then, delta};

/// What both commands found at a server.
struct Verdict {
    chat: Value,
    chat_code: Option<i32>,
    /// The only level.
    bench: Value,
}

fn run(server: &ScriptedServer, model: &str, args: &[&str]) -> Said {
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = program(dir.path());
    let (name, rest) = args.split_first().expect("a command");
    command.arg(name).args([
        "--api",
        &server.url(),
        "--key-env",
        "KEY",
        "--model",
        model,
        "--config",
        "config",
    ]);
    command.env("KEY", "no-secret-key").args(rest);
    finish(start(&mut command))
}

/// Asks `model` in a chat and in a benchmark of three requests.
#[track_caller]
fn judge(server: &ScriptedServer, model: &str) -> Verdict {
    let said = run(server, model, &["chat", "Hi", "--json"]);
    let chat = serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {said:?}"));
    let bench = [
        "bench",
        "--json",
        "--requests",
        "3",
        "--warmup",
        "0",
        "--input-tokens",
        "0",
        "--prompts",
        "p.txt",
    ];
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("p.txt"), "Hi\nWho are you?\nBye\n").expect("written");
    let mut command = program(dir.path());
    command
        .args(&bench[..6])
        .args(["--prompts", "p.txt", "--output-tokens", "40"]);
    command.args([
        "--api",
        &server.url(),
        "--key-env",
        "KEY",
        "--model",
        model,
        "--config",
        "config",
    ]);
    let ran = finish(start(command.env("KEY", "no-secret-key")));
    let report: Value =
        serde_json::from_str(&ran.out).unwrap_or_else(|why| panic!("{why}: {ran:?}"));
    Verdict {
        chat,
        chat_code: said.code,
        bench: report["levels"][0].clone(),
    }
}

impl Verdict {
    /// Both found a good answer, with this text.
    #[track_caller]
    fn check_good(&self, reasoning: &str, answer: &str) {
        let Self {
            chat,
            chat_code,
            bench,
        } = self;
        assert_eq!(
            (&chat["ending"], *chat_code),
            (&json!("finished"), Some(0)),
            "{chat}"
        );
        let told = |name: &str| chat[name].as_str().unwrap_or_default().trim().to_owned();
        assert_eq!(
            (told("reasoning").as_str(), told("answer").as_str()),
            (reasoning, answer)
        );
        assert_eq!(
            (&bench["requests"]["ok"], &bench["requests"]["failed"]),
            (&json!(3), &json!(0)),
            "{bench}"
        );
    }

    /// Both found a failure of this kind, after this much of the answer.
    #[track_caller]
    fn check_failed(&self, kind: &str, answer: &str) {
        let Self {
            chat,
            chat_code,
            bench,
        } = self;
        assert_eq!(
            (&chat["ending"], *chat_code),
            (&json!("failed"), Some(1)),
            "{chat}"
        );
        assert_eq!(chat["answer"].as_str(), Some(answer), "{chat}");
        assert_eq!(
            (&bench["requests"]["ok"], &bench["requests"]["failed"]),
            (&json!(0), &json!(3)),
            "{bench}"
        );
        assert_eq!(
            bench["requests"]["errors"][0]["kind"],
            json!(kind),
            "{bench}"
        );
    }

    fn notes(&self) -> String {
        self.bench["notes"].to_string()
    }
}

/// A server whose models answer each in their way.
fn serve(script: impl Fn(&str, &mut Reply<'_>) -> Then + Send + Sync + 'static) -> ScriptedServer {
    ScriptedServer::start(move |request: &Request, reply: &mut Reply<'_>| {
        if request.method == "GET" {
            reply.json(200, &json!({"object": "list", "data": []}));
            return Then::KeepOpen;
        }
        script(&request.model(), reply)
    })
}

fn word(text: &str, finish: &Value) -> Value {
    delta(&json!({"content": text}), finish)
}

fn usage(prompt: u64, completion: u64) -> Value {
    json!({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}})
}

fn done(reply: &mut Reply<'_>) -> Then {
    reply.chunk("data: [DONE]\n\n");
    reply.end();
    Then::KeepOpen
}

fn short() -> Duration {
    Duration::from_millis(20)
}

#[test]
fn an_empty_finish_reason_is_none() {
    let server = serve(|mode, reply| {
        reply.stream();
        for n in 0..6 {
            if n == 3 && mode == "cut" {
                reply.end();
                return Then::Close;
            }
            if n == 3 && mode == "reset" {
                return Then::Close;
            }
            reply.pause(if n == 3 && mode == "slow" {
                Duration::from_secs(7)
            } else {
                short()
            });
            reply.event(&word(&format!("w{n} "), &json!("")));
        }
        reply.event(&delta(&json!({}), &json!("stop")));
        reply.event(&usage(9, 6));
        done(reply)
    });
    judge(&server, "plain").check_good("", "w0 w1 w2 w3 w4 w5");
    judge(&server, "cut").check_failed("dropped", "w0 w1 w2 ");
    judge(&server, "reset").check_failed("dropped", "w0 w1 w2 ");
    let slow = run(&server, "slow", &["chat", "Hi"]);
    assert_eq!(
        (slow.code, slow.out.as_str()),
        (Some(0), "w0 w1 w2 w3 w4 w5 \n"),
        "{slow:?}"
    );
}

#[test]
fn stop_with_every_chunk_ends_nothing() {
    let server = serve(|mode, reply| {
        reply.stream();
        for thought in ["Think", "ing"] {
            reply.event(&delta(
                &json!({"reasoning_content": thought}),
                &json!("stop"),
            ));
        }
        reply.pause(if mode == "pause" {
            Duration::from_secs(7)
        } else {
            short()
        });
        for text in ["The ", "answer"] {
            reply.event(&word(text, &json!("stop")));
            reply.pause(short());
        }
        if mode == "cut" {
            reply.end();
            return Then::Close;
        }
        done(reply)
    });
    judge(&server, "quick").check_good("Thinking", "The answer");
    judge(&server, "cut").check_failed("dropped", "The answer");
    let paused = run(&server, "pause", &["chat", "Hi"]);
    assert_eq!(
        (paused.code, paused.out.as_str()),
        (Some(0), "The answer\n"),
        "{paused:?}"
    );
}

#[test]
fn a_stream_that_stays_open_behind_its_end_is_over_soon() {
    let server = serve(|_, reply| {
        reply.stream();
        for text in ["a ", "b ", "c"] {
            reply.event(&word(text, &Value::Null));
            reply.pause(short());
        }
        reply.event(&delta(&json!({}), &json!("stop")));
        reply.event(&usage(9, 3));
        reply.pause(Duration::from_secs(20));
        Then::Close
    });
    let verdict = judge(&server, "m");
    verdict.check_good("", "a b c");
    assert!(
        verdict.bench["took_s"]
            .as_f64()
            .is_some_and(|took| took < 16.0),
        "{}",
        verdict.bench["took_s"]
    );
    assert_eq!(verdict.chat["kept_open"], json!(true));
    let told = run(&server, "m", &["chat", "Hi", "--quiet"]);
    assert!(
        told.code == Some(0) && told.err.contains("kept the response open after its end"),
        "{told:?}"
    );
    let latency = verdict.chat["figures"]["latency_ms"]
        .as_f64()
        .expect("it ended");
    assert!(latency < 900.0, "it ended when its usage came: {latency}");
}

#[test]
fn a_gateway_that_runs_tools_is_heard_to_its_end() {
    let server = serve(|_, reply| {
        reply.stream();
        reply.event(&word("Let me look. ", &Value::Null));
        reply.event(&delta(&json!({}), &json!("tool_calls")));
        reply.event(&usage(9, 3));
        // Longer than `[DONE]` is waited for after a usage.
        reply.pause(Duration::from_millis(3_500));
        for text in ["It ", "rains."] {
            reply.event(&word(text, &Value::Null));
            reply.pause(short());
        }
        reply.event(&delta(&json!({}), &json!("stop")));
        reply.event(&usage(9, 9));
        done(reply)
    });
    let verdict = judge(&server, "m");
    verdict.check_good("", "Let me look. It rains.");
    assert_eq!(
        (
            &verdict.chat["figures"]["tokens"],
            &verdict.chat["kept_open"]
        ),
        (&json!(9), &json!(false))
    );
}

#[test]
fn text_in_odd_fields_and_places_is_read_or_fails_the_answer() {
    let server = serve(|mode, reply| {
        reply.stream();
        reply.event(&word("one ", &Value::Null));
        reply.pause(short());
        let two = word("two ", &Value::Null);
        match mode {
            "upper" => reply.chunk(format!("DATA : {two}\n\n")),
            "part" => reply.event(&word_of(
                &json!([{"type": "output_text", "output_text": "two "}]),
            )),
            "glued" => reply.chunk(format!("1f4data: {two}\n\n")),
            "token" => reply.event(&json!({"token": {"text": "two "}})),
            "choice" => {
                let mut other = two;
                other["choices"][0]["index"] = json!(1);
                reply.event(&other);
            }
            _ => reply.event(&word_of(&json!({"foo": "two "}))),
        }
        reply.pause(short());
        reply.event(&word("three", &Value::Null));
        reply.event(&delta(&json!({}), &json!("stop")));
        done(reply)
    });
    for read in ["upper", "part"] {
        judge(&server, read).check_good("", "one two three");
    }
    for fails in ["glued", "token", "choice", "object"] {
        judge(&server, fails).check_failed("unreadable", "one ");
    }
}

fn word_of(content: &Value) -> Value {
    delta(&json!({"content": content}), &Value::Null)
}

#[test]
fn a_finish_reason_is_a_failure_or_is_told() {
    let server = serve(|reason, reply| {
        reply.stream();
        for text in ["half ", "an answer"] {
            reply.event(&word(text, &Value::Null));
            reply.pause(short());
        }
        reply.event(&delta(&json!({}), &json!(reason)));
        done(reply)
    });
    for reason in ["gpu_out_of_memory", "killed"] {
        judge(&server, reason).check_failed("server", "half an answer");
    }
    judge(&server, "odd").check_good("", "half an answer");
    let told = run(&server, "odd", &["chat", "Hi", "--quiet"]);
    assert!(
        told.code == Some(0) && told.err.contains("unknown finish reason \"odd\""),
        "{told:?}"
    );
}

#[test]
fn a_long_name_of_the_model_that_answered_is_cut() {
    let name = "x".repeat(70_000);
    let server = serve(move |_, reply| {
        reply.stream();
        for text in ["one ", "two"] {
            let mut chunk = word(text, &Value::Null);
            chunk["model"] = json!(name);
            reply.event(&chunk);
            reply.pause(short());
        }
        reply.event(&delta(&json!({}), &json!("stop")));
        done(reply)
    });
    let told = run(&server, "m", &["chat", "Hi"]);
    assert!(told.err.contains("answered, not m"), "{}", told.err.len());
    assert!(told.err.len() < 2_000, "{}", told.err.len());
    let report = judge(&server, "m").bench["answered_by"].to_string();
    assert!(
        report.contains("xxx") && report.len() < 1_000,
        "{}",
        report.len()
    );
}

#[test]
fn an_error_within_a_success_is_a_failure() {
    let server = serve(|mode, reply| {
        match mode {
            "whole" => reply.json(200, &json!({"error": {"message": "engine died"}})),
            "list" => reply.json(200, &json!([{"error": {"message": "engine died"}}])),
            "detail" => reply.json(200, &json!({"detail": "engine died"})),
            _ => {
                reply.stream();
                reply.text("half ");
                match mode {
                    "object" => reply.event(&json!({"error": {"message": "engine died"}})),
                    "amid-list" => reply.event(&json!([{"error": {"message": "engine died"}}])),
                    "bare" => reply.event(&json!({"code": 500, "message": "engine died"})),
                    "exception" => reply.event(&json!({"exception": "engine died"})),
                    "named" => reply.chunk("event: abort\ndata: \"engine died\"\n\n"),
                    "line" => reply.chunk("{\"error\": \"engine died\"}\n\n"),
                    "reason" => reply.event(&delta(&json!({}), &json!("error"))),
                    _ => reply.chunk("<html><body>502 Bad Gateway</body></html>\n\n"),
                }
                reply.text("more");
                return done(reply);
            }
        }
        Then::KeepOpen
    });
    for whole in ["whole", "list", "detail"] {
        let verdict = judge(&server, whole);
        verdict.check_failed("server", "");
    }
    for amid in ["object", "amid-list", "bare", "line", "exception", "named"] {
        let verdict = judge(&server, amid);
        verdict.check_failed("server", "half ");
        let summary = verdict.chat["failure"].to_string();
        assert!(summary.contains("engine died"), "{amid}: {summary}");
    }
    judge(&server, "reason").check_failed("server", "half ");
    judge(&server, "html").check_failed("unreadable", "half ");
}

#[test]
fn an_answer_without_text_is_no_success() {
    let server = serve(|mode, reply| {
        reply.stream();
        match mode {
            "call" => reply.event(&delta(
                &json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}),
                &Value::Null,
            )),
            "refusal" => {
                for text in ["I'm sorry, ", "I can't."] {
                    reply.event(&delta(&json!({"content": null, "refusal": text}), &Value::Null));
                    reply.pause(short());
                }
            }
            _ => {}
        }
        reply.event(&delta(&json!({}), &json!("stop")));
        reply.event(&usage(9, 4));
        done(reply)
    });
    let empty = judge(&server, "empty");
    empty.check_failed("no_text", "");
    assert_eq!(empty.bench["requests"]["without_text"], json!(3));
    assert!(
        empty.notes().contains("3 answers without text"),
        "{}",
        empty.notes()
    );
    let told = run(&server, "empty", &["chat", "Hi"]);
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""), "{told:?}");
    assert!(told.err.contains("the model sent no text"), "{told:?}");
    judge(&server, "call").check_good("", "");
    let refusal = judge(&server, "refusal");
    refusal.check_good("", "I'm sorry, I can't.");
    assert_eq!(refusal.bench["ttft_ms"]["count"], json!(3));
}

#[test]
fn usage_of_zeros_is_not_believed() {
    let server = serve(|mode, reply| {
        reply.stream();
        for n in 0..8 {
            reply.event(&word(&format!("w{n} "), &Value::Null));
            // On a busy machine shorter pauses arrive as one.
            reply.pause(Duration::from_millis(30));
        }
        let mut end = delta(&json!({}), &json!("stop"));
        if mode == "late" {
            end["usage"] = usage(11, 8)["usage"].clone();
        }
        reply.event(&end);
        reply.event(&match mode {
            "huge" => json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 10_000_000_000_000_000_000_u64}}),
            "groq" => json!({"choices": [], "x_groq": {"usage": {"prompt_tokens": 11, "completion_tokens": 8}}}),
            _ => usage(0, 0),
        });
        done(reply)
    });
    for (mode, source, prompt) in [
        ("late", "usage", json!(11)),
        ("zero", "chunks", Value::Null),
        ("huge", "chunks", json!(9)),
        ("groq", "usage", json!(11)),
    ] {
        let verdict = judge(&server, mode);
        let figures = &verdict.chat["figures"];
        assert_eq!(
            (&figures["tokens"], &figures["tokens_counted_by"]),
            (&json!(8), &json!(source)),
            "{mode}"
        );
        assert_eq!(figures["prompt_tokens"], prompt, "{mode}");
        let speed = figures["tokens_per_sec"].as_f64().expect("it has one");
        assert!(speed < 300.0, "{mode}: {speed}");
        assert_eq!(
            (
                &verdict.bench["tokens_from"],
                &verdict.bench["output_tokens"]["max"]
            ),
            (&json!(source), &json!(8.0))
        );
    }
}

#[test]
fn an_answer_in_one_piece_has_no_speed() {
    let server = serve(|mode, reply| {
        if mode == "whole" {
            let message = json!({"role": "assistant", "content": "one two three four"});
            let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 40}});
            reply.json(200, &body);
            return Then::KeepOpen;
        }
        reply.stream();
        reply.pause(short());
        let words = (0..40).map(|n| format!("data: {}\n\n", word(&format!("w{n} "), &Value::Null)));
        reply.chunk(words.collect::<String>());
        // A late end is no slow model.
        reply.pause(Duration::from_millis(100));
        reply.event(&delta(&json!({}), &json!("stop")));
        reply.event(&usage(9, 40));
        done(reply)
    });
    for mode in ["buffered", "whole"] {
        let Verdict { chat, bench, .. } = judge(&server, mode);
        let figures = &chat["figures"];
        for name in ["tokens_per_sec", "tpot_ms", "itl_mean_ms"] {
            assert_eq!(figures[name], Value::Null, "{mode} {name}");
        }
        assert_eq!(
            (&figures["arrived_at_once"], &figures["tokens"]),
            (&json!(true), &json!(40)),
            "{mode}"
        );
        for name in ["itl_ms", "tpot_ms", "user_tokens_per_s"] {
            assert_eq!(bench[name]["count"], json!(0), "{mode} {name}");
        }
        assert_eq!(bench["at_once"], json!(3), "{mode}");
        let notes = bench["notes"].to_string();
        assert!(
            notes.contains("3 of 3 answers arrived all at once; a proxy may be buffering"),
            "{mode}: {notes}"
        );
    }
    let told = run(&server, "buffered", &["chat", "Hi"]);
    assert!(
        told.err
            .contains("arrived all at once; a proxy may be buffering"),
        "{told:?}"
    );
    assert!(told.err.contains("– tok/s"), "{told:?}");
}

#[test]
fn the_model_that_answered_is_said_and_credited() {
    let server = serve(|mode, reply| {
        reply.stream();
        let model = if mode == "same" {
            "provider/SAME-2026-01-31"
        } else {
            "other-model"
        };
        for text in ["a ", "b"] {
            let mut event = word(text, &Value::Null);
            event["model"] = json!(model);
            reply.event(&event);
            reply.pause(short());
        }
        reply.event(&usage(9, 2));
        done(reply)
    });
    let same = judge(&server, "same");
    assert_eq!(
        (&same.chat["answered_by"], &same.bench["answered_by"]),
        (&Value::Null, &json!([]))
    );
    let other = judge(&server, "asked");
    assert_eq!(
        (&other.chat["model"], &other.chat["answered_by"]),
        (&json!("asked"), &json!("other-model"))
    );
    assert_eq!(
        other.bench["answered_by"],
        json!([{"model": "other-model", "answers": 3}])
    );
    assert!(
        other
            .notes()
            .contains("3 of 3 answers came from other-model, not from asked"),
        "{}",
        other.notes()
    );
    let told = run(&server, "asked", &["chat", "Hi"]);
    assert!(
        told.err.contains("other-model answered, not asked") && told.err.contains("other-model: "),
        "{told:?}"
    );
}

#[test]
fn events_parted_by_one_line_feed_are_an_answer() {
    let server = serve(|mode, reply| {
        reply.stream();
        let line = |value: &Value| format!("data: {value}\n");
        for text in ["It ", "really ", "works."] {
            let event = line(&word(text, &Value::Null));
            reply.chunk(if mode == "tail" {
                format!("{event}\n")
            } else {
                event
            });
            reply.pause(short());
        }
        reply.chunk(line(&delta(&json!({}), &json!("stop"))));
        reply.chunk(line(&usage(7, 3)));
        done(reply)
    });
    for mode in ["all", "tail"] {
        let verdict = judge(&server, mode);
        verdict.check_good("", "It really works.");
        let figures = &verdict.chat["figures"];
        assert_eq!(
            (&figures["tokens"], &figures["arrived_at_once"]),
            (&json!(3), &json!(false)),
            "{mode}"
        );
    }
}

#[test]
fn content_in_parts_and_reasoning_that_only_closes_are_read() {
    let server = serve(|mode, reply| {
        let think = |text: &str| json!([{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]);
        if mode == "whole" {
            let content = json!([think("A capital.")[0], {"type": "text", "text": "Lisbon."}]);
            reply.json(
                200,
                &json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": content},
                "finish_reason": "stop"}], "usage": {"prompt_tokens": 11, "completion_tokens": 9}}),
            );
            return Then::KeepOpen;
        }
        reply.stream();
        if mode == "closed" {
            for text in ["A ", "capital.\n", "</think>", "\n\n", "Lis", "bon."] {
                reply.text(text);
                reply.pause(short());
            }
        } else {
            for text in ["A ", "capital."] {
                reply.event(&delta(&json!({"content": think(text)}), &Value::Null));
                reply.pause(short());
            }
            reply.pause(Duration::from_millis(200));
            for text in ["Lis", "bon."] {
                reply.event(&delta(
                    &json!({"content": [{"type": "text", "text": text}]}),
                    &Value::Null,
                ));
                reply.pause(short());
            }
        }
        reply.event(&delta(&json!({}), &json!("stop")));
        done(reply)
    });
    for mode in ["whole", "listed", "closed"] {
        judge(&server, mode).check_good("A capital.", "Lisbon.");
    }
    let figures = judge(&server, "listed").chat["figures"].clone();
    let [ttft, first] =
        ["ttft_ms", "first_answer_ms"].map(|name| figures[name].as_f64().expect("known"));
    assert!(first - ttft > 200.0, "thinking counts: {ttft} {first}");
}

#[test]
fn an_error_in_a_field_of_its_own_and_a_server_that_gave_up_are_failures() {
    let server = serve(|model, reply| {
        reply.stream();
        reply.text("Hello ");
        match model {
            "field" => reply.chunk("error: {\"message\": \"out of memory\", \"code\": 500}\n\n"),
            _ => reply.event(&word("", &json!("timeout"))),
        }
        reply.chunk("data: [DONE]\n\n");
        reply.end();
        Then::KeepOpen
    });
    for model in ["field", "gave-up"] {
        let verdict = judge(&server, model);
        assert_eq!(
            (verdict.chat_code, &verdict.bench["requests"]["failed"]),
            (Some(1), &json!(3)),
            "{model}"
        );
    }
}

#[test]
fn a_key_that_a_server_repeats_in_names_is_not_shown() {
    let server = ScriptedServer::start(|request, reply| {
        if request.method == "GET" {
            reply.json(
                200,
                &json!({"data": [{"id": "m"}, {"id": "x-no-secret-key"}]}),
            );
            return Then::KeepOpen;
        }
        reply.stream();
        let mut event = delta(&json!({"content": "Hi"}), &json!("stop"));
        event["model"] = json!("gw/no-secret-key");
        reply.event(&event);
        reply.chunk("data: [DONE]\n\n");
        reply.end();
        Then::KeepOpen
    });
    let coded = ScriptedServer::start(|_, reply| {
        reply.full(200, &[("content-encoding", "No-Secret-Key")], "{}");
        Then::KeepOpen
    });
    let odd_reason = ScriptedServer::start(|_, reply| {
        reply.stream();
        reply.event(&delta(
            &json!({"content": "Hi"}),
            &json!("refused no-secret-key"),
        ));
        reply.chunk("data: [DONE]\n\n");
        reply.end();
        Then::KeepOpen
    });
    for (server, args) in [
        (&server, ["chat", "Hi", "--json"]),
        (&coded, ["chat", "Hi", "--json"]),
        (&odd_reason, ["chat", "Hi", "--json"]),
    ] {
        let said = run(server, "m", &args);
        assert!(
            !(said.out + &said.err)
                .to_lowercase()
                .contains("no-secret-key")
        );
    }
    let verdict = judge(&server, "m");
    assert!(!(verdict.chat.to_string() + &verdict.bench.to_string()).contains("no-secret-key"));
}

/// What was reasoned is no answer to the question that a chat asked; a benchmark measures its tokens all the same.
#[test]
fn reasoning_alone_is_no_answer_of_a_chat_and_is_measured_by_a_benchmark() {
    let server = ScriptedServer::start(|request, reply| {
        if request.method == "GET" {
            reply.json(200, &json!({"data": [{"id": "length"}, {"id": "stop"}]}));
        } else {
            reply.stream();
            for thought in ["Let ", "me ", "think"] {
                reply.event(&delta(&json!({"reasoning_content": thought}), &Value::Null));
            }
            reply.event(&delta(&json!({}), &json!(request.model())));
            reply.chunk("data: [DONE]\n\n");
            reply.end();
        }
        Then::KeepOpen
    });
    for (model, words) in [
        ("length", "all the tokens went into reasoning"),
        ("stop", "the model only reasoned"),
    ] {
        let Verdict {
            chat,
            chat_code,
            bench,
        } = judge(&server, model);
        assert_eq!(
            (&chat["ending"], chat_code),
            (&json!("failed"), Some(1)),
            "{chat}"
        );
        assert_eq!(chat["reasoning"], json!("Let me think"), "{chat}");
        assert!(
            chat["failure"]["summary"]
                .as_str()
                .is_some_and(|told| told.contains(words)),
            "{chat}"
        );
        assert_eq!(
            (&bench["requests"]["ok"], &bench["requests"]["failed"]),
            (&json!(3), &json!(0)),
            "{bench}"
        );
        assert!(
            bench["notes"]
                .to_string()
                .contains("3 answers held reasoning and no answer"),
            "{bench}"
        );
        let said = run(&server, model, &["chat", "Hi"]);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
        assert!(said.err.contains(words), "{said:?}");
    }
}

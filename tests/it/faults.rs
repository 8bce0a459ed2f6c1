//! What the real program says of servers that refuse, in their own dialects, and of odd model lists.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use batida::domain::redact::Redactor;
use serde_json::{Value, json};

use crate::support::batida::{Said, finish, program, start};
use crate::support::scripted::{Reply, Request, ScriptedServer, Then, delta};

struct Batida(tempfile::TempDir);

impl Batida {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// Runs it on this API, with the environment's only key.
    fn run(&self, api: &str, args: &[&str]) -> Said {
        let mut command = program(self.0.path());
        command
            .args(args)
            .args(["--api", api, "--key-env", "MY_KEY"])
            .env("MY_KEY", "sk-0123456789");
        command.arg("--config").arg(self.0.path().join("config"));
        finish(start(&mut command))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn list(reply: &mut Reply<'_>, names: &[&str]) {
    let data: Vec<Value> = names
        .iter()
        .map(|name| json!({"id": name, "object": "model"}))
        .collect();
    reply.json(200, &json!({"object": "list", "data": data}));
}

/// Lists these models; `answer` has the chats.
fn server(
    names: &'static [&'static str],
    answer: impl Fn(&Request, &mut Reply<'_>) + Send + Sync + 'static,
) -> ScriptedServer {
    ScriptedServer::start(move |request, reply| {
        if request.method == "GET" {
            list(reply, names)
        } else {
            answer(request, reply)
        }
        Then::KeepOpen
    })
}

#[track_caller]
fn sees(said: &Said, words: &[&str]) {
    for words in words {
        assert!(
            said.err.contains(words) || said.out.contains(words),
            "no {words:?} in {said:#?}"
        );
    }
}

#[track_caller]
fn lacks(said: &Said, words: &[&str]) {
    for words in words {
        assert!(
            !said.err.contains(words) && !said.out.contains(words),
            "{words:?} in {said:#?}"
        );
    }
}

fn googles(request: &Request, reply: &mut Reply<'_>) {
    let (code, status, message) = match request.model().as_str() {
        "quota" => (
            429,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota. Please retry in 37.5s.",
        ),
        "param" => (
            400,
            "INVALID_ARGUMENT",
            "Invalid JSON payload received. Unknown name \"top_k\": Cannot find field.",
        ),
        "gemma-y" => (
            404,
            "NOT_FOUND",
            "models/gemma-y is not found for API version v1main",
        ),
        _ => (
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
        ),
    };
    reply.json(
        code,
        &json!([{"error": {"code": code, "message": message, "status": status}}]),
    );
}

#[test]
fn errors_in_a_list_are_told_in_the_servers_own_sentence() {
    let server = server(&["key", "quota", "param", "gemma-x"], googles);
    let batida = Batida::new();
    let chat = |model: &str, more: &[&str]| {
        let said = batida.run(
            &server.url(),
            &[&["chat", "--model", model], more, &["Hi"]].concat(),
        );
        assert_eq!(said.code, Some(1), "{said:?}");
        said
    };
    let key = chat("key", &[]);
    sees(
        &key,
        &["The API rejected the key, HTTP 400: API key not valid. Please pass a valid API key"],
    );
    lacks(&key, &["clear the parameter", "in Environments"]);
    sees(
        &chat("quota", &[]),
        &["Please retry in 37.5s", "try again in 37.5 s"],
    );
    let unset = chat("param", &[]);
    sees(&unset, &["Unknown name \"top_k\""]);
    lacks(&unset, &["Change or"]);
    sees(
        &chat("param", &["--top-k", "4"]),
        &["Change or remove --top-k"],
    );
    sees(
        &chat("gemma-y", &[]),
        &[
            "does not serve a model named gemma-y",
            "Did you mean gemma-x?",
        ],
    );
}

#[test]
fn the_benchmarks_errors_are_in_the_servers_own_sentence_everywhere() {
    let server = server(&["m"], |_, reply| {
        reply.json(500, &json!({"error": {"message": "injected"}}))
    });
    let batida = Batida::new();
    let csv = batida.path().join("rows.csv");
    let args = [
        "bench",
        "--model",
        "m",
        "--requests",
        "8",
        "--max-error-share",
        "none",
        "--prompts",
        "p.txt",
    ];
    fs::write(batida.path().join("p.txt"), "one\ntwo\n").expect("written");
    let said = batida.run(&server.url(), &[&args[..], &["--csv", "rows.csv"]].concat());
    assert_eq!(said.code, Some(1), "{said:?}");
    sees(
        &said,
        &["8 × server: The server failed, HTTP 500: injected"],
    );
    let rows = fs::read_to_string(csv).expect("written");
    assert_eq!(
        rows.matches("HTTP 500: injected").count(),
        12,
        "4 warm-ups and 8 requests:\n{rows}"
    );
    lacks(&said, &["pods", "SambaStack", "Activity"]);
}

#[test]
fn model_lists_are_listed_in_their_shapes() {
    let server = ScriptedServer::start(|request, reply| {
        let kind = request
            .target
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        match (request.method.as_str(), kind.as_str()) {
            ("POST", _) => reply.answer(&["It ", "works."]),
            (_, "null") => reply.json(200, &json!({"object": "list", "data": null})),
            (_, "named") => reply.json(
                200,
                &json!({"models": [{"name": "command-x"}, {"name": "embed-x"}]}),
            ),
            (_, "array") => reply.json(200, &json!([{"id": "llama-x"}, {"id": "embed-y"}])),
            (_, "numbers") => reply.json(
                200,
                &json!({"data": [{"id": 7, "name": "seven"}, {"id": "ok"}]}),
            ),
            _ => reply.json(404, &json!({"detail": "Not Found"})),
        }
        Then::KeepOpen
    });
    let batida = Batida::new();
    let run = |kind: &str, args: &[&str]| batida.run(&format!("{}/{kind}", server.url()), args);
    sees(&run("named", &["models"]), &["command-x", "embed-x"]);
    sees(&run("array", &["models"]), &["llama-x", "embed-y"]);
    sees(&run("numbers", &["models"]), &["7 ", "ok"]);
    let none = run("null", &["models"]);
    assert_eq!(none.code, Some(0), "{none:?}");
    sees(&none, &["The API lists no models"]);
    let chat = run("none", &["chat", "--model", "any", "Hi"]);
    assert_eq!(
        (chat.code, chat.out.trim()),
        (Some(0), "It works."),
        "{chat:?}"
    );
    let check = run("none", &["check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    sees(
        &check,
        &[
            "has no list of models at this address, HTTP 404: Not Found",
            "one-token chat",
        ],
    );
    lacks(&check, &["no chat completions API", "unreachable"]);
    sees(
        &run("none", &["models"]),
        &["has no list of models at this address"],
    );
}

#[test]
fn a_list_of_200_000_models_is_printed_at_once() {
    let names: Vec<Value> = (0..200_000)
        .map(|n| json!({"id": format!("model-{n}")}))
        .collect();
    let long = "x".repeat(70_000);
    let body = json!({"data": [{"id": long}, {"id": long}], "models": names}).to_string();
    let many = json!({"data": names}).to_string();
    let server = ScriptedServer::start(move |request, reply| {
        let body = if request.target.starts_with("/long") {
            &body
        } else {
            &many
        };
        reply.full(200, &[("content-type", "application/json")], body);
        Then::KeepOpen
    });
    let batida = Batida::new();
    let said = batida.run(&server.url(), &["models"]);
    assert_eq!((said.code, said.out.lines().count()), (Some(0), 200_001));
    let said = batida.run(&format!("{}/long", server.url()), &["models"]);
    assert_eq!((said.code, said.out.lines().count()), (Some(0), 2));
    assert!(said.out.lines().all(|line| line.len() < 71_000));
}

#[test]
fn a_server_that_answers_is_reached_whatever_it_answers() {
    for (status, body, words) in [
        (
            401,
            "Unauthorized",
            "bad      API key not accepted: The API rejected the key, HTTP 401: Unauthorized",
        ),
        (
            503,
            "no healthy upstream",
            "under maintenance, HTTP 503: no healthy upstream",
        ),
    ] {
        let server = ScriptedServer::start(move |_, reply| {
            reply.full(status, &[("content-type", "text/plain")], body);
            Then::KeepOpen
        });
        let said = Batida::new().run(&server.url(), &["check"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        sees(&said, &[words]);
        lacks(&said, &["unreachable", "in Environments", "pods"]);
    }
}

#[test]
fn neither_list_nor_chat_is_no_api() {
    let server = ScriptedServer::start(|_, reply| {
        reply.json(404, &json!({"detail": "Not Found"}));
        Then::KeepOpen
    });
    let said = Batida::new().run(&server.url(), &["check"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    sees(
        &said,
        &["has no chat completions API at this address, HTTP 404: Not Found"],
    );
}

/// Words of the last message.
fn words(request: &Request) -> usize {
    let body = request.json();
    let content = body["messages"]
        .as_array()
        .and_then(|all| all.last())
        .map(|last| last["content"].clone());
    content
        .unwrap_or_default()
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .count()
}

/// An answer whose prompt tokens are its words and 9 more.
fn counted(request: &Request, reply: &mut Reply<'_>) {
    reply.stream();
    reply.text("one ");
    reply.text("two");
    let usage = json!({"prompt_tokens": words(request) + 9, "completion_tokens": 2});
    reply.event(&json!({"choices": [], "usage": usage}));
    reply.done();
}

#[test]
fn a_time_out_amid_the_answer_says_how_much_had_come_and_its_row_has_an_end() {
    let server = server(&["m"], |_, reply| {
        reply.stream();
        for text in ["one ", "two ", "three "] {
            reply.text(text);
        }
        reply.pause(Duration::from_secs(4));
    });
    let batida = Batida::new();
    fs::write(batida.path().join("p.txt"), "one\ntwo\n").expect("written");
    let args = [
        "bench",
        "--model",
        "m",
        "--requests",
        "2",
        "--warmup",
        "0",
        "--timeout",
        "1s",
        "--prompts",
        "p.txt",
    ];
    let said = batida.run(
        &server.url(),
        &[&args[..], &["--csv", "r.csv", "--gaps", "g.csv"]].concat(),
    );
    sees(
        &said,
        &["The timeout of 1.00 s was reached during the response (3 chunks of text received)"],
    );
    lacks(&said, &["sent nothing"]);
    let rows = fs::read_to_string(batida.path().join("r.csv")).expect("written");
    let names: Vec<&str> = rows.lines().next().expect("a head").split(',').collect();
    assert_eq!(names.last(), Some(&"ended_s"));
    for row in rows.lines().skip(1) {
        let ended: f64 = row
            .rsplit(',')
            .next()
            .and_then(|cell| cell.parse().ok())
            .expect(row);
        assert!(ended >= 1.0, "{row}");
    }
    let gaps = fs::read_to_string(batida.path().join("g.csv")).expect("written");
    assert_eq!(
        gaps.lines().next(),
        Some("request_id,level,label,model,phase,chunk,at_s,gap_ms")
    );
    assert_eq!(gaps.lines().count(), 1 + 2 * 3, "{gaps}");
}

#[test]
fn fitting_prompts_survives_a_dropped_connection_and_a_failing_server() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = ScriptedServer::start(move |request, reply| {
        if request.method == "GET" {
            list(reply, &["m"]);
            return Then::KeepOpen;
        }
        match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => {
                reply.reset();
                return Then::Close;
            }
            2 | 3 => reply.json(500, &json!({"error": {"message": "injected"}})),
            _ => counted(request, reply),
        }
        Then::KeepOpen
    });
    let batida = Batida::new();
    let args = [
        "bench",
        "--model",
        "m",
        "--requests",
        "4",
        "--warmup",
        "0",
        "--input-tokens",
        "50",
        "--json",
    ];
    let said = batida.run(&server.url(), &args);
    assert_eq!(said.code, Some(0), "{said:?}");
    let report: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(report["calibrations"][0]["overhead_tokens"], json!(9.0));
    assert_eq!(report["levels"][0]["prompt_tokens"]["p50"], json!(50.0));
}

#[test]
fn fitting_prompts_does_not_say_that_nothing_was_sent_by_a_server_that_streams() {
    let server = server(&["m"], |_, reply| {
        reply.stream();
        for _ in 0..12 {
            reply.text("word ");
            reply.pause(Duration::from_millis(200));
        }
    });
    let args = [
        "bench",
        "--model",
        "m",
        "--requests",
        "1",
        "--warmup",
        "0",
        "--input-tokens",
        "50",
        "--timeout",
        "1s",
        "--json",
    ];
    let said = Batida::new().run(&server.url(), &args);
    assert!(
        said.out
            .contains("did not complete the response within 1.00 s"),
        "{said:?}"
    );
    lacks(&said, &["sent nothing"]);
}

#[test]
fn a_server_that_always_fails_is_measured_and_told() {
    let server = server(&["m"], |_, reply| {
        reply.json(500, &json!({"error": {"message": "injected"}}))
    });
    let args = [
        "bench",
        "--model",
        "m",
        "--requests",
        "6",
        "--warmup",
        "0",
        "--max-error-share",
        "none",
    ];
    let said = Batida::new().run(&server.url(), &args);
    assert_eq!(said.code, Some(1), "{said:?}");
    sees(
        &said,
        &[
            "6 × server: The server failed, HTTP 500: injected",
            "prompts were not fitted",
        ],
    );
}

#[test]
fn a_small_context_is_fitted_and_one_that_is_too_small_is_told() {
    let server = server(&["m"], |request, reply| {
        if words(request) + 9 > 100 {
            let message = "the request exceeds the available context size (100 tokens)";
            let error =
                json!({"code": 400, "message": message, "type": "exceed_context_size_error"});
            return reply.json(400, &json!({"error": error}));
        }
        counted(request, reply);
    });
    let batida = Batida::new();
    let bench = |tokens: &str| {
        let args = [
            "bench",
            "--model",
            "m",
            "--requests",
            "4",
            "--warmup",
            "0",
            "--json",
            "--input-tokens",
            tokens,
        ];
        batida.run(&server.url(), &args)
    };
    let fits = bench("60");
    assert_eq!(fits.code, Some(0), "{fits:?}");
    let report: Value = serde_json::from_str(&fits.out).expect("JSON");
    assert_eq!(report["levels"][0]["prompt_tokens"]["p50"], json!(60.0));
    let long = bench("500");
    assert_eq!(long.code, Some(1), "{long:?}");
    sees(
        &long,
        &[
            "Prompts of 500 tokens could not be fitted to the model's tokenizer",
            "exceeds the available context size",
        ],
    );
}

#[test]
fn flags_of_other_tools_are_answered_with_ours() {
    for (flag, ours) in [
        ("--request-rate", "--rate R"),
        ("--max-tokens", "--output-tokens L"),
        ("--num-prompts", "--requests N"),
    ] {
        let said = Batida::new().run("http://127.0.0.1:1", &["bench", flag, "4"]);
        assert_eq!(said.code, Some(2), "{said:?}");
        sees(&said, &[ours]);
    }
}

/// What a face shows is composed for it: texts that name a place of the window are written where both faces are.
#[test]
fn places_of_the_window_are_named_for_the_window_alone() {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("it is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if !path.ends_with("src/ui") && !path.ends_with("src/state") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                let text = text
                    .split("#[cfg(test)]")
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                for (at, _) in text.match_indices("Activity drawer") {
                    let line = &text[text[..at].rfind('\n').map_or(0, |n| n + 1)..at];
                    let before: String = text[..at].chars().rev().take(160).collect();
                    let by_face: String = "by_face".chars().rev().collect();
                    if !line.trim_start().starts_with("//") && !before.contains(&by_face) {
                        found.push(format!("{}: {line}", path.display()));
                    }
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    // `Advice::rerun_kubectl` is where it is said for all.
    found.retain(|place| !place.contains("domain/failure.rs"));
    assert_eq!(
        found, [""; 0],
        "say it with Advice::by_face or Advice::rerun_kubectl"
    );
}

#[test]
fn an_api_without_a_list_of_models_gets_fitting_advice() {
    let server = ScriptedServer::start(|_, reply| {
        reply.full(404, &[("content-type", "text/plain")], "404 page not found");
        Then::KeepOpen
    });
    let said = Batida::new().run(&server.url(), &["models"]);
    assert_eq!(said.code, Some(1));
    sees(
        &said,
        &[
            "has no list of models at this address",
            "name a model with --model",
        ],
    );
    lacks(&said, &["not the web page's"]);
}

#[test]
fn a_benchmark_of_an_unknown_model_says_which_may_be_meant() {
    let server = server(&["gpt-oss-120b"], |request, reply| {
        let message = format!("The model `{}` does not exist.", request.model());
        reply.json(
            404,
            &json!({"error": {"message": message, "code": "model_not_found"}}),
        );
    });
    let batida = Batida::new();
    fs::write(batida.path().join("p.txt"), "Hi\n").expect("written");
    let args = [
        "bench",
        "--model",
        "gpt-oss-12b",
        "--requests",
        "2",
        "--warmup",
        "0",
        "--prompts",
        "p.txt",
    ];
    let said = batida.run(&server.url(), &args);
    assert_eq!(said.code, Some(1));
    sees(
        &said,
        &["does not route gpt-oss-12b. Did you mean gpt-oss-120b?"],
    );
}

#[test]
fn a_key_that_a_model_repeats_is_shown_by_the_chat_and_kept_nowhere() {
    let server = server(&["m"], |request, reply| {
        let key = request
            .header("authorization")
            .expect("a key")
            .replace("Bearer ", "");
        reply.stream();
        for text in ["Your key is ", &key, "."] {
            reply.event(&delta(&json!({"content": text}), &Value::Null));
        }
        let call = json!({"index": 0, "id": key, "function": {"name": "f", "arguments": "{}"}});
        reply.event(&delta(&json!({"tool_calls": [call]}), &Value::Null));
        reply.event(&delta(&json!({}), &json!("tool_calls")));
        reply.chunk("data: [DONE]\n\n");
        reply.end();
    });
    let batida = Batida::new();
    fs::write(batida.path().join("p.txt"), "Hi\n").expect("written");
    fs::create_dir_all(batida.path().join("config")).expect("a folder");
    let settings = "version = 1\n\n[history]\nbench_texts = true\n";
    fs::write(batida.path().join("config/settings.toml"), settings).expect("written");
    let said = batida.run(
        &server.url(),
        &["chat", "--model", "m", "Is it sk-0123456789?"],
    );
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "Your key is sk-0123456789.\n"),
        "{said:?}"
    );
    let args = [
        "bench",
        "--model",
        "m",
        "--requests",
        "2",
        "--warmup",
        "0",
        "--prompts",
        "p.txt",
    ];
    let said = batida.run(&server.url(), &args);
    assert_eq!(said.code, Some(0), "{said:?}");
    let list = batida.run(&server.url(), &["history", "list", "--json"]);
    let list: Value = serde_json::from_str(&list.out).expect("JSON");
    let ids: Vec<&str> = list["sessions"]
        .as_array()
        .expect("sessions")
        .iter()
        .filter_map(|it| it["id"].as_str())
        .collect();
    assert_eq!(ids.len(), 2, "{list}");
    let mut dots = 0;
    for id in ids {
        for file in ["x.json", "x.csv", "x.md", "x.html"] {
            let said = batida.run(&server.url(), &["history", "export", id, "--out", file]);
            assert_eq!(said.code, Some(0), "{said:?}");
            let text = fs::read_to_string(batida.path().join(file)).expect("written");
            assert!(!text.contains("sk-01234"), "{file} of {id}: {text}");
            dots += text.matches("Your key is ••••.").count();
        }
    }
    assert!(dots >= 4, "the answers were kept: {dots}");
    for file in fs::read_dir(batida.path().join("config")).expect("a folder") {
        let bytes = fs::read(file.expect("an entry").path()).expect("read");
        assert!(!bytes.windows(13).any(|part| part == b"sk-0123456789"));
    }
}

/// At four times as long for each doubling of the text this would take hours.
#[test]
fn the_time_to_look_for_a_key_is_linear_in_the_text() {
    let redactor = Redactor::new(["sk-ssssssssssssssssssssssssssssss"]);
    for piece in [
        "\\",
        r"\n",
        "s\n",
        "s",
        "s***",
        "%25",
        "&amp;",
        "\n",
        "sk-\u{200b}",
        "xX",
    ] {
        let text = piece.repeat((1 << 19) / piece.len());
        let began = Instant::now();
        let _ = redactor.clean(&text);
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{piece:?}: {:?}",
            began.elapsed()
        );
    }
}

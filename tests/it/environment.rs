//! What an environment says of its API: the base URL, extra headers and query parameters, the key's header, what a
//! server was found not to take. The real program against servers of every kind.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::batida::{Said, finish, program, start};
use crate::support::scripted::{Reply, Request, ScriptedServer, Then};

const KEY: &str = "sk-real-123456";
const GATEWAY: &str = "gateway-secret-9876";

fn command(home: &Path, server: &ScriptedServer, base: &str, args: &[&str]) -> Command {
    let mut command = program(home);
    command
        .args(args)
        .args(["--api", &format!("{}{base}", server.url())]);
    command.args(["--key-env", "MY_KEY"]).env("MY_KEY", KEY);
    command
}

fn run(server: &ScriptedServer, base: &str, args: &[&str]) -> Said {
    let dir = tempfile::tempdir().expect("a folder");
    finish(start(&mut command(dir.path(), server, base, args)))
}

#[track_caller]
fn check_works(said: &Said) {
    assert_eq!(
        (said.code, said.out.trim_end()),
        (Some(0), "It works."),
        "{said:?}"
    );
}

/// Answers at these paths alone.
fn server_at(base: &'static str) -> ScriptedServer {
    ScriptedServer::start(move |request: &Request, reply: &mut Reply<'_>| {
        let path = request.target.split('?').next().unwrap_or_default();
        match path.strip_prefix(base) {
            Some("/chat/completions") => reply.answer(&["It ", "works."]),
            Some("/models") => reply.json(200, &json!({"data": [{"id": "m"}]})),
            _ => reply.json(
                404,
                &json!({"status": 404, "error": "Not Found", "path": request.target}),
            ),
        }
        Then::KeepOpen
    })
}

#[test]
fn a_base_url_with_its_own_version_is_reached_as_written() {
    for (base, written) in [
        (
            "/api/paas/v4",
            &[
                "/api/paas/v4",
                "/api/paas/v4/",
                "/api/paas/v4/chat/completions",
            ][..],
        ),
        (
            "/v1beta/openai",
            &["/v1beta/openai/", "/v1beta/openai/models"],
        ),
        ("/api", &["/api/chat/completions"]),
        (
            "/client/v4/accounts/0a1b/ai/v1",
            &["/client/v4/accounts/0a1b/ai/v1"],
        ),
        ("/serving-endpoints", &["/serving-endpoints"]),
        ("/v1", &["", "/", "/v1/"]),
    ] {
        let server = server_at(base);
        for written in written {
            check_works(&run(
                &server,
                written,
                &["chat", "-q", "--model", "m", "Hi"],
            ));
            let models = run(&server, written, &["models"]);
            assert_eq!(models.code, Some(0), "{written}: {models:?}");
        }
        let bench = run(
            &server,
            written[0],
            &[
                "bench",
                "-q",
                "--model",
                "m",
                "--requests",
                "3",
                "--concurrency",
                "1",
                "--no-history",
                "--json",
            ],
        );
        assert_eq!(bench.code, Some(0), "{bench:?}");
        let report: Value = serde_json::from_str(&bench.out).expect("JSON");
        assert_eq!(report["levels"][0]["requests"]["ok"], 3, "{report}");
    }
}

#[test]
fn an_address_without_an_api_is_told_as_it_was_asked() {
    let server = server_at("/api/paas/v4");
    let said = run(&server, "/paas", &["chat", "--model", "m", "Hi"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("/paas/v1/chat/completions"), "{said:?}");
}

#[test]
fn azure_is_asked_with_its_query_and_its_header() {
    let server = ScriptedServer::start(|request, reply| {
        let good = request.target
            == "/openai/deployments/d/chat/completions?api-version=2024-10-21"
            && request.header("api-key") == Some(KEY)
            && request.header("authorization").is_none();
        match good {
            true => reply.answer(&["It ", "works."]),
            false => reply.json(
                401,
                &json!({"error": {"code": "401", "message": "Access denied"}}),
            ),
        }
        Then::KeepOpen
    });
    let base = "/openai/deployments/d/chat/completions?api-version=2024-10-21";
    check_works(&run(&server, base, &["chat", "-q", "--model", "m", "Hi"]));
    let bench = [
        "bench",
        "-q",
        "--model",
        "m",
        "--requests",
        "3",
        "--concurrency",
        "1",
        "--no-history",
        "--json",
    ];
    let said = run(
        &server,
        "/openai/deployments/d",
        &[&bench[..], &["--query", "api-version=2024-10-21"]].concat(),
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = run(
        &server,
        "/v1",
        &["chat", "--model", "m", "--key-header", "x-api-key", "Hi"],
    );
    assert_eq!(said.code, Some(1));
    let last = server.requests().pop().expect("a request");
    assert_eq!(
        (last.header("x-api-key"), last.header("authorization")),
        (Some(KEY), None)
    );
}

#[test]
fn extra_headers_and_parameters_go_with_every_request_and_stay_secret() {
    // It repeats all it was sent, in several forms.
    let server = ScriptedServer::start(|request, reply| {
        let echoed = format!(
            "{}{:?}{:?}",
            "x".repeat(290),
            request.headers,
            request.target
        );
        reply.json(
            400,
            &json!({"error": {"message": echoed, "param": request.target}}),
        );
        Then::KeepOpen
    });
    let dir = tempfile::tempdir().expect("a folder");
    let extras = [
        "--header",
        "X-Team: blue",
        "--header-env",
        "X-Gateway-Token=GW",
        "--query-env",
        "sig=SIG",
    ];
    for args in [
        &["chat", "--model", "m", "Hi"][..],
        &["chat", "--json", "--model", "m", "Hi"],
        &["models"],
        &["check"],
        &[
            "bench",
            "--model",
            "m",
            "--requests",
            "2",
            "--concurrency",
            "1",
            "--input-tokens",
            "64",
            "--json",
        ],
    ] {
        let mut command = command(dir.path(), &server, "/v1?region=eu", args);
        command
            .args(extras)
            .env("GW", GATEWAY)
            .env("SIG", "sig+secret/54321=");
        let said = finish(start(&mut command));
        let all = format!("{}{}", said.out, said.err);
        for secret in [
            KEY,
            GATEWAY,
            "gateway-se",
            "sk-real-1",
            "sig+secret",
            "sig%2Bsecret",
        ] {
            assert!(!all.contains(secret), "{secret} is in {all}");
        }
    }
    for request in server.requests() {
        // The server's metrics stand beside the API: they have its secrets, and not the query of its address.
        let query = match request.target.starts_with("/metrics") {
            true => "?sig=sig%2Bsecret%2F54321%3D",
            false => "?region=eu&sig=sig%2Bsecret%2F54321%3D",
        };
        assert!(request.target.contains(query), "{}", request.target);
        assert_eq!(
            (request.header("x-team"), request.header("x-gateway-token")),
            (Some("blue"), Some(GATEWAY))
        );
        assert_eq!(
            request.header("authorization"),
            Some(format!("Bearer {KEY}").as_str())
        );
    }
    let kept = walk(dir.path());
    assert!(
        !kept.is_empty()
            && kept
                .iter()
                .all(|bytes| !contains(bytes, GATEWAY) && !contains(bytes, KEY))
    );
}

fn walk(dir: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(dir)
        .expect("it can be read")
        .map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => walk(&path),
            false => vec![std::fs::read(path).expect("it can be read")],
        })
        .collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
    let server = server_at("/v1");
    for (args, base) in [
        (&["--header", "Authorization: Bearer sk-secret-1"][..], ""),
        (&["--header", "X-Api-Key: sk-secret-1"], ""),
        (&["--query", "key=sk-secret-1"], ""),
        (&[], "/v1?api-key=sk-secret-1"),
    ] {
        let said = run(
            &server,
            base,
            &[&["chat", "--model", "m", "Hi"], args].concat(),
        );
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(!said.err.contains("sk-secret-1"), "{said:?}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn what_is_pasted_along_with_a_key_is_left_out_with_a_note() {
    let server = ScriptedServer::start(|request, reply| {
        match request.header("authorization") == Some("Bearer sk-real-123456") {
            true => reply.answer(&["It works."]),
            false => reply.json(
                401,
                &json!({"error": {"message": "Incorrect API key provided."}}),
            ),
        }
        Then::KeepOpen
    });
    let dir = tempfile::tempdir().expect("a folder");
    for key in [
        "Bearer sk-real-123456",
        "\"sk-real-123456\"",
        "Authorization: Bearer 'sk-real-123456'\n",
    ] {
        let mut command = command(dir.path(), &server, "", &["chat", "--model", "m", "Hi"]);
        let said = finish(start(command.env("MY_KEY", key)));
        check_works(&said);
        assert!(
            said.err.contains("note: Left out around the API key: ") && !said.err.contains(KEY),
            "{said:?}"
        );
    }
}

/// Refuses a body that has one of these fields, in this form.
fn strict(
    refuse: impl Fn(&Value) -> Option<(u16, Value)> + Send + Sync + 'static,
) -> ScriptedServer {
    ScriptedServer::start(move |request, reply| {
        if request.method == "GET" {
            reply.json(200, &json!({"data": [{"id": "m"}]}));
            return Then::KeepOpen;
        }
        match refuse(&request.json()) {
            Some((status, body)) => reply.json(status, &body),
            None => reply.answer(&["It ", "works."]),
        }
        Then::KeepOpen
    })
}

/// The bodies of all chats.
fn chats(server: &ScriptedServer) -> Vec<Value> {
    let requests = server.requests();
    requests
        .iter()
        .filter(|request| request.method == "POST")
        .map(Request::json)
        .collect()
}

fn forbids_stream_options(body: &Value) -> Option<(u16, Value)> {
    let detail = json!([{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"],
        "msg": "Extra inputs are not permitted", "input": true}]);
    body.get("stream_options")?;
    Some(match body["model"].as_str() {
        Some("list") => (
            422,
            json!({"object": "Error", "detail": detail, "message": detail, "code": 3001}),
        ),
        Some("plain") => (400, json!({"error": "unknown field `stream_options`"})),
        Some("inside") => (
            200,
            json!({"error": {"code": 400, "message": "Unknown name \"stream_options\""}}),
        ),
        _ => (
            422,
            json!({"object": "error", "message": {"detail": detail}, "param": null}),
        ),
    })
}

fn forbids_max_tokens(body: &Value) -> Option<(u16, Value)> {
    body.get("max_tokens")?;
    Some((
        400,
        json!({"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this \
        model. Use 'max_completion_tokens' instead.", "type": "invalid_request_error", "param": "max_tokens",
        "code": "unsupported_parameter"}}),
    ))
}

fn forbids_ignore_eos(body: &Value) -> Option<(u16, Value)> {
    body.get("ignore_eos")?;
    Some((
        400,
        json!({"error": {"message": "Unrecognized request argument supplied: ignore_eos"}}),
    ))
}

#[test]
fn a_chat_is_sent_again_without_what_was_refused() {
    for model in ["object", "list", "plain", "inside"] {
        let server = strict(forbids_stream_options);
        let said = run(&server, "", &["chat", "--model", model, "Hi"]);
        check_works(&said);
        assert!(said.err.contains("refuses stream_options"), "{said:?}");
        assert_eq!(chats(&server).len(), 2);
    }
    let server = strict(|body| forbids_stream_options(body).or_else(|| forbids_max_tokens(body)));
    check_works(&run(
        &server,
        "",
        &["chat", "-q", "--model", "m", "--max-tokens", "7", "Hi"],
    ));
    let bodies = chats(&server);
    assert_eq!(bodies.len(), 3);
    assert_eq!(
        (
            bodies[2].get("max_tokens"),
            &bodies[2]["max_completion_tokens"]
        ),
        (None, &json!(7))
    );
}

#[test]
fn what_a_server_refused_is_remembered_by_the_next_start() {
    let home = tempfile::tempdir().expect("a folder");
    let server = strict(forbids_stream_options);
    for (nth, sent) in [(1, 2), (2, 3), (3, 4)] {
        let said = finish(start(&mut command(
            home.path(),
            &server,
            "",
            &["chat", "--model", "m", "Hi"],
        )));
        check_works(&said);
        assert_eq!(
            (
                chats(&server).len(),
                said.err.contains("refuses stream_options")
            ),
            (sent, nth == 1),
            "{said:?}"
        );
    }
    // Another model's server may be another one.
    check_works(&finish(start(&mut command(
        home.path(),
        &server,
        "",
        &["chat", "--model", "other", "Hi"],
    ))));
    assert_eq!(chats(&server).len(), 6);
}

/// A server in trouble may quote the request, and what it says of a field may be untrue the next time.
#[test]
fn nothing_is_learned_from_a_quoted_request_nor_from_a_refusal_whose_remedy_failed() {
    let home = tempfile::tempdir().expect("a folder");
    let chat = |server: &ScriptedServer| {
        let args = ["chat", "--model", "m", "Hi"];
        finish(start(&mut command(home.path(), server, "", &args)))
    };
    let asked = AtomicUsize::new(0);
    let quoting = strict(move |body| {
        let first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        first.then(|| {
            (
                400,
                json!({"error": {"message": format!("in trouble: {body}")}}),
            )
        })
    });
    assert_eq!(chat(&quoting).code, Some(1));
    check_works(&chat(&quoting));
    let bodies = chats(&quoting);
    assert_eq!(bodies.len(), 2);
    assert!(
        bodies
            .iter()
            .all(|body| body.get("stream_options").is_some())
    );

    let asked = AtomicUsize::new(0);
    let moody = strict(move |body| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => forbids_stream_options(body),
        1 => Some((503, json!({"error": {"message": "restarting"}}))),
        _ => None,
    });
    assert_eq!(chat(&moody).code, Some(1));
    check_works(&chat(&moody));
    assert!(
        chats(&moody)[2].get("stream_options").is_some(),
        "the refusal was not kept"
    );
}

#[test]
fn what_is_refused_all_the_same_fails_with_the_servers_sentence() {
    let server = strict(|body| {
        let named = if body.get("stream_options").is_some() {
            "stream_options"
        } else {
            "model"
        };
        Some((
            400,
            json!({"error": {"message": format!("unknown field {named}, sorry")}}),
        ))
    });
    let said = run(&server, "", &["chat", "--model", "m", "Hi"]);
    assert_eq!((said.code, chats(&server).len()), (Some(1), 2), "{said:?}");
    assert!(said.err.contains("unknown field model, sorry"), "{said:?}");
}

#[test]
fn a_benchmark_learns_it_at_once_and_burns_no_requests() {
    let prompts = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(prompts.path(), "One\nTwo\nThree\n").expect("written");
    let file = prompts.path().to_str().expect("text");
    for (load, warmup, prompts) in [
        (
            &["--concurrency", "4"][..],
            "4",
            &["--input-tokens", "64"][..],
        ),
        // No calibration and no warm-up: the first requests learn it.
        (&["--concurrency", "4"], "0", &["--prompts", file]),
        (
            &["--rate", "200", "--max-in-flight", "8"],
            "0",
            &["--prompts", file],
        ),
        (
            &["--concurrency", "2"],
            "0",
            &["--prompts", file, "--turns", "1"],
        ),
    ] {
        let server = strict(|body| {
            forbids_stream_options(body)
                .or_else(|| forbids_max_tokens(body))
                .or_else(|| forbids_ignore_eos(body))
        });
        let args = [
            "bench",
            "--model",
            "m",
            "--requests",
            "40",
            "--ignore-eos",
            "--no-history",
            "--json",
        ];
        let args = [&args[..], load, prompts, &["--warmup", warmup]].concat();
        let said = run(&server, "", &args);
        assert_eq!(said.code, Some(0), "{said:?}");
        let report: Value = serde_json::from_str(&said.out).expect("JSON");
        let level = &report["levels"][0];
        assert_eq!(
            (&level["requests"]["ok"], &level["requests"]["failed"]),
            (&json!(40), &json!(0)),
            "{level}"
        );
        let notes = level["notes"].to_string();
        for note in ["stream_options", "max_completion_tokens", "ignore_eos"] {
            assert!(
                notes.contains(note) && said.err.contains(note),
                "{note} is not in {notes}\n{}",
                said.err
            );
        }
        let requests = server.requests();
        let refused = requests.iter().filter(|request| {
            let body = request.json();
            ["stream_options", "max_tokens", "ignore_eos"]
                .iter()
                .any(|name| body.get(name).is_some())
        });
        // Each that was in flight when the first was refused, three times at most.
        assert!(
            refused.count() <= 3 * 8 + 3,
            "too many of the same refusals"
        );
    }
}

#[test]
fn kubectl_is_given_no_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a folder");
    let kubectl = dir.path().join("kubectl");
    let seen = dir.path().join("seen");
    std::fs::write(
        &kubectl,
        format!("#!/bin/sh\nenv >> {}\nexit 1\n", seen.display()),
    )
    .expect("written");
    std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o755))
        .expect("made a program");
    let server = server_at("/v1");
    let mut command = command(
        dir.path(),
        &server,
        "",
        &["check", "--header-env", "X-Gateway-Token=GW"],
    );
    command
        .arg("--kubectl")
        .arg(&kubectl)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .env("GW", GATEWAY)
        .env("SAMBANOVA_API_KEY", "sk-of-another-host")
        .env("KEPT", "yes");
    drop(finish(start(&mut command)));
    let seen = std::fs::read_to_string(seen).expect("kubectl was run");
    assert!(seen.contains("KEPT=yes"), "{seen}");
    for secret in [KEY, GATEWAY, "sk-of-another-host"] {
        assert!(!seen.contains(secret), "{secret} is in {seen}");
    }
}

#[test]
fn absurd_waits_are_not_believed() {
    for wait in [
        "18446744073709549568",
        "1e300",
        "99999999999999999999999",
        "inf",
    ] {
        let server = ScriptedServer::start(move |_, reply| {
            let headers = [("content-type", "application/json"), ("retry-after", wait)];
            reply.full(429, &headers, r#"{"error":{"message":"slow down"}}"#);
            Then::KeepOpen
        });
        let said = run(&server, "", &["chat", "--json", "--model", "m", "Hi"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        let told: Value = serde_json::from_str(&said.out).expect("JSON");
        assert_eq!(told["failure"]["retry_after_ms"], Value::Null, "{told}");
    }
    let server = server_at("/v1");
    let said = run(
        &server,
        "",
        &["bench", "--model", "m", "--timeout", "9999999999h"],
    );
    assert!(
        said.code == Some(2) && said.err.contains("longer than a year"),
        "{said:?}"
    );
}

//! One chat from sending to its figures, against the demo with every quirk it has.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use batida::demo::api::{DEMO_KEY, DemoModel, DemoServer, Quirk, Thinks};
use batida::domain::conversation::{Message, Role, Tool, ToolResult};
use batida::domain::environment::{ApiAddress, EnvId};
use batida::engine::chat;
use batida::io::access::Access;
use batida::io::activity::Recorder;
use batida::io::api::{Api, Trust};
use batida::metrics::timeline::TokenSource;
use batida::protocol::{ChatEnding, Failure, FinishReason};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::client::{Client, MODEL, Told, demo, quick, request};
use crate::support::tls::{Tls, acceptor};

async fn told_by(quirk: Quirk) -> Told {
    let server = demo(quick(quirk)).await;
    Client::of(&server).chat(&request("Hi")).await
}

#[track_caller]
fn check_words(failure: &Failure, words: &str) {
    let told = failure.to_string();
    assert!(
        told.contains(words),
        "{words:?} is not in {told:?} ({:?})",
        failure.details
    );
}

/// Waits until the demo has what `ready` wants to see.
async fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let began = Instant::now();
    while !ready() {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{what} did not happen"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn until_aborted(server: &DemoServer) {
    until("the abort", || {
        server
            .received()
            .iter()
            .any(|it| it.aborted.load(Ordering::Relaxed))
    })
    .await;
}

#[tokio::test]
async fn the_figures_are_those_of_the_script() {
    let model = DemoModel {
        ttft: Duration::from_millis(60),
        per_token: Duration::from_millis(2),
        ..quick(Quirk::None)
    };
    let server = demo(model).await;
    let told = Client::of(&server).chat(&request("Write 50 tokens")).await;
    told.check_finished(FinishReason::Stop);
    let figures = told.report().figures;
    let tokens = figures.tokens.expect("counted");
    assert_eq!((tokens.n, tokens.source), (50, TokenSource::Usage));
    let (ttft, latency) = (
        figures.ttft.expect("text came"),
        figures.latency.expect("it ended"),
    );
    assert!(ttft >= Duration::from_millis(60), "{ttft:?}");
    assert!(
        latency >= Duration::from_millis(60 + 49 * 2) && latency <= told.took,
        "{latency:?}"
    );
    assert_eq!(figures.first_answer, Some(ttft));
    assert!(figures.connect.expect("the first request connects") < ttft);
    let server = figures.server.expect("it says its own");
    assert!(server.ttft.expect("said") <= ttft, "{server:?} {ttft:?}");
    assert!(
        server.latency.expect("said") <= latency,
        "{server:?} {latency:?}"
    );
    let expected = 49.0 / (latency - ttft).as_secs_f64();
    let speed = figures.tokens_per_sec.expect("50 tokens have a speed");
    // It ends at the last token, a little before the answer does.
    assert!(
        speed > expected * 0.999 && speed < expected * 1.2,
        "{speed} {expected}"
    );
    // On a busy machine the first token is read late, and the others catch up.
    assert!(speed <= 500.0 * 1.5, "faster than the model: {speed}");
    assert!(figures.longest_gap >= figures.itl, "{figures:?}");
    assert!(figures.prompt_tokens.is_some_and(|n| n > 0));
}

#[tokio::test]
async fn reasoning_is_told_apart_in_every_form() {
    let mut thoughts = Vec::new();
    for thinks in [Thinks::Reasoning, Thinks::ReasoningContent, Thinks::Inline] {
        let server = demo(DemoModel {
            thinks,
            ..quick(Quirk::None)
        })
        .await;
        let told = Client::of(&server).chat(&request("Hi")).await;
        told.check_finished(FinishReason::Stop);
        assert!(
            told.answer
                .trim_start()
                .starts_with("This is a **simulated answer**"),
            "{thinks:?} {told:?}"
        );
        assert!(
            !format!("{}{}", told.reasoning, told.answer).contains("think>"),
            "{thinks:?} {told:?}"
        );
        let figures = told.report().figures;
        assert!(
            figures.ttft < figures.first_answer,
            "{thinks:?} {figures:?}"
        );
        let reasoning = figures.reasoning.expect("it reasoned");
        assert_eq!(reasoning.tokens.source, TokenSource::Usage);
        assert!(
            reasoning.tokens.n > 10 && reasoning.time > Duration::ZERO,
            "{reasoning:?}"
        );
        thoughts.push(told.reasoning.trim().to_owned());

        let mut plain = request("Hi");
        plain.params.thinking = Some(false);
        let told = Client::of(&server).chat(&plain).await;
        assert_eq!(
            (told.reasoning.as_str(), told.report().figures.reasoning),
            ("", None)
        );
    }
    assert!(
        thoughts[0].starts_with("The user wrote 2 characters") && thoughts[0].ends_with("short.")
    );
    assert!(
        thoughts.iter().all(|text| *text == thoughts[0]),
        "{thoughts:?}"
    );
}

#[tokio::test]
async fn max_tokens_cuts_the_answer() {
    let server = demo(quick(Quirk::None)).await;
    let mut short = request("Hi");
    short.params.max_tokens = Some(7);
    let told = Client::of(&server).chat(&short).await;
    told.check_finished(FinishReason::Length);
    assert_eq!(told.report().figures.tokens.map(|tokens| tokens.n), Some(7));
    assert!(
        "This is a **simulated answer**: `gemma".starts_with(&told.answer[..20]),
        "{}",
        told.answer
    );
}

#[tokio::test]
async fn an_answer_that_only_thinks_has_a_ttft_and_no_first_answer() {
    let told = told_by(Quirk::OnlyThinks).await;
    told.check_finished(FinishReason::Length);
    assert_eq!(told.answer, "");
    assert!(!told.reasoning.is_empty());
    let figures = told.report().figures;
    assert!(
        figures.ttft.is_some() && figures.latency.is_some() && figures.reasoning.is_some(),
        "{figures:?}"
    );
    assert_eq!(figures.first_answer, None);
}

#[tokio::test]
async fn an_empty_answer_keeps_its_reason_and_has_no_ttft() {
    for (said, reason) in [
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("content_filter", FinishReason::ContentFilter),
        ("tool_calls", FinishReason::ToolCalls),
        ("odd", FinishReason::Other(Some("odd".to_owned()))),
    ] {
        let told = told_by(Quirk::Empty(said)).await;
        told.check_finished(reason);
        assert_eq!((told.answer.as_str(), told.advances), ("", 0));
        let figures = told.report().figures;
        assert_eq!(
            (figures.ttft, figures.tokens_per_sec, figures.tpot),
            (None, None, None)
        );
        assert!(figures.latency.is_some());
    }
}

#[tokio::test]
async fn without_usage_chunks_are_counted_and_called_so() {
    let told = told_by(Quirk::NoUsage).await;
    told.check_finished(FinishReason::Stop);
    let figures = told.report().figures;
    let tokens = figures.tokens.expect("counted");
    assert_eq!(
        (tokens.source, tokens.noun()),
        (TokenSource::Chunks, "chunks")
    );
    assert!(tokens.n > 5, "{tokens:?}");
    assert_eq!((figures.server, figures.prompt_tokens), (None, None));
}

#[tokio::test]
async fn a_whole_answer_has_a_latency_and_no_ttft() {
    for thinks in [Thinks::No, Thinks::Reasoning, Thinks::Inline] {
        let server = demo(DemoModel {
            thinks,
            ..quick(Quirk::IgnoresStream)
        })
        .await;
        let told = Client::of(&server).chat(&request("Hi")).await;
        told.check_finished(FinishReason::Stop);
        assert!(
            told.answer
                .trim_start()
                .starts_with("This is a **simulated answer**"),
            "{told:?}"
        );
        assert_eq!(
            told.reasoning.contains("The user wrote"),
            thinks != Thinks::No,
            "{told:?}"
        );
        let figures = told.report().figures;
        assert_eq!(
            (figures.ttft, figures.tokens_per_sec, figures.itl),
            (None, None, None)
        );
        assert!(figures.latency.is_some() && figures.server.is_some());
        assert_eq!(
            figures.tokens.map(|tokens| tokens.source),
            Some(TokenSource::Usage)
        );
    }
}

fn refuses(status: u16, content_type: &'static str, body: &'static str) -> Quirk {
    Quirk::Refuses {
        status,
        content_type,
        body,
        retry_after: None,
    }
}

#[tokio::test]
async fn every_refusal_has_its_sentence() {
    const JSON: &str = "application/json";
    for (status, kind, body, words) in [
        (
            400,
            JSON,
            r#"{"error":{"message":"8192 is the limit","type":"x","param":null,"code":"context_length_exceeded"}}"#,
            "longer than the model's context, HTTP 400: 8192 is the limit. Clear",
        ),
        (
            400,
            JSON,
            r#"{"error":{"message":"at most 2","param":"temperature","code":"invalid_value"},"request_id":"r"}"#,
            "rejected the parameter temperature, HTTP 400: at most 2",
        ),
        (
            401,
            JSON,
            r#"{"error":{"code":"invalid_api_key","message":"no"}}"#,
            "The API rejected the key, HTTP 401: no",
        ),
        (
            401,
            "text/plain",
            "Unauthorized",
            "The API rejected the key, HTTP 401: Unauthorized",
        ),
        (
            400,
            JSON,
            r#"{"error":{"code":"model_not_found","message":"no"}}"#,
            "does not serve a model named gemma-4-31B-it",
        ),
        (
            404,
            JSON,
            r#"{"error":{"code":"model_not_found","message":"no"}}"#,
            "does not serve a model named gemma-4-31B-it",
        ),
        (
            404,
            JSON,
            r#"{"error":"Not found"}"#,
            "has no chat completions API at this address",
        ),
        (
            408,
            JSON,
            r#"{"error":{"code":"request_timeout","message":"late"}}"#,
            "timed out while waiting for the model",
        ),
        (
            410,
            JSON,
            r#"{"error":{"code":"model_deprecated","message":"old"}}"#,
            "is deprecated and no longer",
        ),
        (
            429,
            JSON,
            r#"{"error":{"code":"insufficient_quota","message":"no"}}"#,
            "The quota of this key is used up, HTTP 429: no",
        ),
        (
            429,
            "text/plain",
            "slow down",
            "the rate limit was reached, HTTP 429: slow down",
        ),
        (
            429,
            JSON,
            r#"{"error":{"code":"queue_full","message":"busy"}}"#,
            "not your key's",
        ),
        (
            500,
            JSON,
            r#"{"error":{"message":"cuda","code":"internal"}}"#,
            "The server failed, HTTP 500: cuda. Try again",
        ),
        (503, "text/plain", "", "under maintenance (HTTP 503)"),
        (
            502,
            "text/html",
            "<html><title>502 Bad Gateway</title></html>",
            "could not reach the server behind it, HTTP 502: Bad Gateway",
        ),
        (
            413,
            "text/html",
            "<html><title>413</title></html>",
            "too large",
        ),
        (
            200,
            "text/html",
            "<!doctype html><title>Log in</title>",
            "a web page instead of an API response",
        ),
        (
            200,
            "text/plain",
            "hello",
            "something other than a chat completion",
        ),
        (
            200,
            JSON,
            r#"{"hello": 1}"#,
            "something other than a chat completion",
        ),
        (
            200,
            JSON,
            r#"{"error":{"message":"engine died"}}"#,
            "reported an error: engine died. Try again",
        ),
        (302, "text/plain", "", "redirects to an unnamed address"),
    ] {
        let server = demo(quick(refuses(status, kind, body))).await;
        let client = Client::of(&server);
        let failure = client.failure().await;
        check_words(&failure, words);
        assert!(!failure.advice.is_empty(), "{failure:?}");
        assert!(
            failure.details.contains(body),
            "{status} {body}: {:?}",
            failure.details
        );
        let ending = client
            .activity()
            .pop()
            .and_then(|last| last.ending)
            .expect("written down");
        assert!(!ending.ok, "{ending:?}");
        if status != 200 {
            assert_eq!(ending.outcome, format!("HTTP {status}"));
        }
    }
}

#[tokio::test]
async fn a_rate_limit_says_how_long_to_wait() {
    let quirk = Quirk::Refuses {
        status: 429,
        content_type: "text/plain",
        body: "no",
        retry_after: Some("7"),
    };
    let server = demo(quick(quirk)).await;
    let failure = Client::of(&server).failure().await;
    assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
    check_words(&failure, "try again in 7.00 s");

    let server = demo(quick(Quirk::RateLimited { every: 3 })).await;
    let client = Client::of(&server);
    for _ in 0..2 {
        client
            .chat(&request("Hi"))
            .await
            .check_finished(FinishReason::Stop);
    }
    let failure = client.failure().await;
    assert_eq!(failure.retry_after, Some(Duration::from_secs(1)));
    assert!(
        failure
            .details
            .contains("x-ratelimit-remaining-requests: 0"),
        "{}",
        failure.details
    );
    client
        .chat(&request("Hi"))
        .await
        .check_finished(FinishReason::Stop);
}

#[tokio::test]
async fn what_arrived_before_an_error_is_kept() {
    for (quirk, words) in [
        (
            Quirk::FailsMidway,
            "the engine died (simulated) (mid-stream)",
        ),
        (Quirk::DropsMidway, "The connection to 127.0.0.1"),
        (
            Quirk::EndsMidway,
            "closed the connection before the response was complete",
        ),
    ] {
        let told = told_by(quirk).await;
        check_words(&told.failure(), words);
        assert!(
            told.answer.starts_with("This is a **simulated answer**"),
            "{told:?}"
        );
        let figures = told.report().figures;
        assert_eq!(figures.latency, None, "a cut answer has none");
        assert!(
            figures.ttft.is_some() && figures.tokens.is_some(),
            "{figures:?}"
        );
    }
}

#[tokio::test]
async fn an_error_event_is_an_error_in_every_form() {
    for body in [
        "data: {\"error\":{\"message\":\"engine died\"}}\n\n",
        "event: error\ndata: {\"message\":\"engine died\"}\n\n",
        "event: error\ndata: engine died\n\n",
        "data: {\"error\":\"engine died\"}",
    ] {
        let server = demo(quick(refuses(200, "text/event-stream", body))).await;
        check_words(
            &Client::of(&server).failure().await,
            "engine died (mid-stream)",
        );
    }
}

#[tokio::test]
async fn a_hang_is_ended_by_cancelling_and_the_server_sees_it() {
    for quirk in [Quirk::Hangs, Quirk::HangsAfterHead] {
        let server = demo(quick(quirk)).await;
        let client = Client::of(&server);
        let cancel = CancellationToken::new();
        let question = request("Hi");
        let stop = async {
            until("the request", || !server.received().is_empty()).await;
            cancel.cancel();
            Instant::now()
        };
        let (told, stopped) = tokio::join!(client.chat_until(&question, &cancel, |_| {}), stop);
        assert!(
            stopped.elapsed() < Duration::from_secs(1),
            "{:?}",
            stopped.elapsed()
        );
        assert_eq!(told.report().ending, ChatEnding::Stopped);
        assert_eq!(told.report().figures.latency, None);
        until_aborted(&server).await;
        let ending = client
            .activity()
            .pop()
            .and_then(|last| last.ending)
            .expect("written down");
        assert_eq!((ending.ok, ending.outcome.as_str()), (false, "stopped"));
    }
}

#[tokio::test]
async fn cancelling_amid_the_answer_keeps_what_arrived_and_hangs_up() {
    let server = demo(DemoModel {
        per_token: Duration::from_millis(5),
        ..quick(Quirk::None)
    })
    .await;
    let client = Client::of(&server);
    let cancel = CancellationToken::new();
    let question = request("Write 2000 tokens");
    let mut seen = 0;
    let told = client
        .chat_until(&question, &cancel, |_| {
            seen += 1;
            if seen == 3 {
                cancel.cancel();
            }
        })
        .await;
    assert_eq!(told.report().ending, ChatEnding::Stopped);
    assert!(told.took < Duration::from_secs(5), "{:?}", told.took);
    assert!(!told.answer.is_empty());
    let figures = told.report().figures;
    assert!(
        figures.ttft.is_some() && figures.latency.is_none(),
        "{figures:?}"
    );
    assert!(
        figures
            .tokens
            .is_some_and(|tokens| tokens.source == TokenSource::Chunks),
        "{figures:?}"
    );
    until_aborted(&server).await;
}

#[tokio::test]
async fn cancelled_before_it_began_nothing_is_sent() {
    let server = demo(quick(Quirk::None)).await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let told = Client::of(&server)
        .chat_until(&request("Hi"), &cancel, |_| {})
        .await;
    assert_eq!(told.report().ending, ChatEnding::Stopped);
    assert_eq!(server.received().len(), 0);
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = demo(quick(Quirk::None)).await;
    let client = Client::of(&server);
    assert!(
        client
            .chat(&request("Hi"))
            .await
            .report()
            .figures
            .connect
            .is_some()
    );
    // The end of the first stream is read beside; one turn of it may come too late.
    for _ in 0..10 {
        if client
            .chat(&request("Hi"))
            .await
            .report()
            .figures
            .connect
            .is_none()
        {
            return;
        }
    }
    panic!("every request opened a connection of its own");
}

#[tokio::test]
async fn a_key_that_the_server_echoes_is_told_to_nobody() {
    for quirk in [
        Quirk::EchoesKey,
        refuses(400, "text/plain", "bad: demo-key"),
        refuses(
            200,
            "text/html",
            "<html><title>demo-key</title>demo-key</html>",
        ),
        refuses(200, "text/plain", "demo-key"),
        refuses(
            200,
            "application/json",
            r#"{"error":{"message":"bad: demo-key"}}"#,
        ),
        refuses(
            200,
            "text/event-stream",
            "data: {\"error\":{\"message\":\"bad: demo-key\"}}\n\n",
        ),
        refuses(
            200,
            "text/event-stream",
            "data: {\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"bad: demo-key\"}}\n\n",
        ),
    ] {
        let server = demo(quick(quirk.clone())).await;
        let client = Client::of(&server);
        let failure = client.failure().await;
        assert!(
            format!("{failure:?}").contains("••••"),
            "{quirk:?} {failure:?}"
        );
        for told in [
            format!("{failure:?}"),
            format!("{:?}", client.activity()),
            format!("{:?}", client.api),
        ] {
            assert!(!told.contains(DEMO_KEY), "{quirk:?} {told}");
        }
    }
}

#[tokio::test]
async fn a_wrong_name_is_answered_with_the_right_one() {
    let server = demo(quick(Quirk::None)).await;
    let client = Client::of(&server);
    let known = client.api.models().await.expect("listed").ids;
    let mut wrong = request("Hi");
    wrong.model = "gemma-4-31b-it".to_owned();
    let report = chat::run(
        &client.api,
        &wrong,
        &known,
        &CancellationToken::new(),
        |_| {},
    )
    .await;
    let ChatEnding::Failed(failure) = report.ending else {
        panic!("{report:?}")
    };
    assert_eq!(
        failure.to_string(),
        "The API does not serve a model named gemma-4-31b-it, HTTP 404: Model gemma-4-31b-it not found. Did you mean gemma-4-31B-it?"
    );
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_repeated() {
    let server = demo(quick(Quirk::None)).await;
    let client = Client::with_key(server.address().root(), Trust::default(), "sk-wrong");
    let failure = client.failure().await;
    check_words(
        &failure,
        "The API rejected the key, HTTP 401: Invalid API key",
    );
    assert!(!format!("{failure:?}{:?}", client.activity()).contains("sk-wrong"));
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let failure = Client::new(&format!("http://{address}"), Trust::default())
        .failure()
        .await;
    check_words(
        &failure,
        &format!("Could not reach {address}: connection refused"),
    );
}

/// TLS before a demo, until it is dropped.
pub(crate) struct Front {
    address: SocketAddr,
    dir: tempfile::TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Front {
    pub(crate) async fn start(tls: Tls, server: &DemoServer) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let acceptor = acceptor(tls, dir.path()).expect("TLS was asked for");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let behind = server.address().host().to_owned();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                connections.spawn(async move {
                    // Clients that hang up are what is tested.
                    let Ok(mut front) = acceptor.accept(stream).await else {
                        return;
                    };
                    let Ok(mut back) = TcpStream::connect(behind).await else {
                        return;
                    };
                    let _ = tokio::io::copy_bidirectional(&mut front, &mut back).await;
                });
            }
        });
        Self { address, dir, task }
    }

    /// Trusts what the acceptor wrote as its authority.
    pub(crate) fn trust(&self) -> Trust {
        Trust {
            ca_file: Some(self.dir.path().join("ca.pem")),
            accept_invalid_certs: false,
            client: None,
        }
    }

    pub(crate) fn root(&self) -> String {
        format!("https://{}", self.address)
    }
}

const ANY: Trust = Trust {
    ca_file: None,
    accept_invalid_certs: true,
    client: None,
};

#[tokio::test]
async fn a_ca_file_makes_a_private_authority_trusted() {
    let server = demo(quick(Quirk::None)).await;
    let front = Front::start(Tls::Good, &server).await;
    let client = Client::new(&front.root(), front.trust());
    client
        .chat(&request("Hi"))
        .await
        .check_finished(FinishReason::Stop);
    let line = client.activity()[0].line.clone();
    assert!(line.contains("--cacert") && !line.contains("-k"), "{line}");

    let failure = Client::new(&front.root(), Trust::default()).failure().await;
    check_words(
        &failure,
        "signed by an authority that this machine does not trust",
    );
    check_words(&failure, "CA certificate file in Environments");
}

#[tokio::test]
async fn a_certificate_that_is_no_good_is_named_and_can_be_accepted() {
    let server = demo(quick(Quirk::None)).await;
    for (tls, words) in [
        (
            Tls::UnknownCa,
            "signed by an authority that this machine does not trust",
        ),
        (Tls::WrongName, "is for a different host name"),
        (Tls::Expired, "has expired on 20"),
    ] {
        let front = Front::start(tls, &server).await;
        let failure = Client::new(&front.root(), front.trust()).failure().await;
        check_words(&failure, words);
        assert!(!failure.details.is_empty());
        Client::new(&front.root(), ANY)
            .chat(&request("Hi"))
            .await
            .check_finished(FinishReason::Stop);
    }
    assert_eq!(
        server.received().len(),
        3,
        "no key was sent to those that were not trusted"
    );
}

#[tokio::test]
async fn the_wrong_scheme_is_named() {
    let server = demo(quick(Quirk::None)).await;
    let failure = Client::new(&format!("https://{}", server.address().host()), ANY)
        .failure()
        .await;
    check_words(
        &failure,
        "does not speak TLS on this port. Enter http://127.0.0.1:",
    );
    let front = Front::start(Tls::Good, &server).await;
    let failure = Client::new(&format!("http://{}", front.address), Trust::default())
        .failure()
        .await;
    check_words(
        &failure,
        "speaks TLS on this port, but plain HTTP was sent. Enter https://127.0.0.1:",
    );
}

/// A plain port whose server waits for a request line does not answer a handshake at all.
#[tokio::test]
async fn a_server_that_does_not_answer_a_handshake_is_not_called_a_firewall() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = silent.local_addr().expect("an address");
    let failure = Client::new(&format!("https://{host}"), ANY).failure().await;
    check_words(
        &failure,
        &format!(
            "accepted the connection but did not answer the TLS handshake. The port may not speak TLS: try http://{host}"
        ),
    );
}

#[tokio::test]
async fn a_ca_file_that_is_none_is_told_before_anything_is_sent() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("ca.pem");
    let open = || {
        let trust = Trust {
            ca_file: Some(path.clone()),
            accept_invalid_certs: false,
            client: None,
        };
        let address = ApiAddress::parse("https://localhost:1").expect("an address");
        Api::new(
            address,
            Access::default(),
            trust,
            Recorder::silent(EnvId::ad_hoc()),
        )
        .map(drop)
    };
    check_words(&open().expect_err("no file"), "could not be read");
    for text in [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        std::fs::write(&path, text).expect("written");
        check_words(
            &open().expect_err("no certificate"),
            "contains no readable certificate",
        );
    }
}

#[tokio::test]
async fn progress_is_paced_however_fast_the_model() {
    let model = DemoModel {
        per_token: Duration::from_micros(200),
        ..quick(Quirk::None)
    };
    let server = demo(model).await;
    let told = Client::of(&server)
        .chat(&request("Write 5000 tokens"))
        .await;
    told.check_finished(FinishReason::Stop);
    assert_eq!(
        told.report().figures.tokens.map(|tokens| tokens.n),
        Some(5_000)
    );
    // One at the first words, one at the end.
    let most = told.took.as_secs_f64() * 31.0 + 2.0;
    assert!(
        f64::from(told.advances) <= most,
        "{} in {:?}",
        told.advances,
        told.took
    );
    assert!(
        told.advances > 5,
        "{} in {:?}: it does not stream",
        told.advances,
        told.took
    );
}

#[tokio::test]
async fn the_model_list_comes_with_what_was_seen_on_the_way() {
    let server = demo(quick(Quirk::None)).await;
    let client = Client::of(&server);
    let models = client.api.models().await.expect("listed");
    assert_eq!(models.ids, [MODEL]);
    let models = client.api.reach().await.expect("listed");
    assert_eq!(models.ids, [MODEL]);
    assert!(
        models.clock_skew.is_some_and(|skew| skew.abs() <= 2),
        "{models:?}"
    );
    assert!(
        models.connect.is_some_and(|connect| connect <= models.took),
        "{models:?}"
    );
    let ending = client
        .activity()
        .pop()
        .and_then(|last| last.ending)
        .expect("written down");
    assert_eq!(
        (ending.ok, ending.outcome.as_str()),
        (true, "HTTP 200, 1 model")
    );
}

#[tokio::test]
async fn functions_are_called_streamed_or_not_and_their_results_answered() {
    let tool = Tool {
        name: "get_weather".to_owned(),
        parameters: r#"{"type":"object","properties":{"city":{"type":"string"}}}"#.to_owned(),
        ..Tool::default()
    };
    let mut asked = request("How is the weather in Paris?");
    asked.params.tools = vec![tool];
    for quirk in [Quirk::None, Quirk::IgnoresStream] {
        let server = demo(quick(quirk.clone())).await;
        let told = Client::of(&server).chat(&asked).await;
        let [call] = told.calls.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!(
            (call.name.as_str(), call.arguments.as_str()),
            ("get_weather", r#"{"city":"Paris"}"#)
        );
        assert_eq!(
            told.report().ending,
            ChatEnding::Finished {
                reason: FinishReason::ToolCalls
            }
        );
        assert_eq!(told.answer, "");
        let figures = &told.report().figures;
        assert!(
            figures.tokens.is_some_and(|tokens| tokens.n > 1),
            "{figures:?}"
        );
        // Who does not stream has no first token.
        assert_eq!(figures.ttft.is_some(), quirk == Quirk::None);
        let mut more = asked.clone();
        more.messages.push(Message {
            calls: vec![call.clone()],
            ..Message::new(Role::Assistant, "")
        });
        let told = Client::of(&server).chat(&more).await;
        assert!(
            told.failure().to_string().contains("no tool message"),
            "a call needs its result"
        );
        let result = ToolResult {
            id: call.id.clone(),
            name: call.name.clone(),
            content: "rain".to_owned(),
        };
        more.messages.push(Message::result(&result));
        let told = Client::of(&server).chat(&more).await;
        assert!(
            told.calls.is_empty() && told.answer.contains("`get_weather` returned rain"),
            "{told:?}"
        );
    }
}

//! Error responses and the failures that they become.

mod dialects;

use serde_json::json;

use super::*;

fn known() -> Vec<String> {
    ["gemma-4-31B-it", "Meta-Llama-3.3-70B-Instruct"]
        .map(str::to_owned)
        .to_vec()
}

#[track_caller]
fn check_fault(status: u16, body: &str, class: FaultClass, words: &str) {
    let known = known();
    let asked = RequestInfo {
        host: "api.example.com",
        model: "gemma-4-31b-it",
        known: &known,
        had_key: true,
        set: &["temperature", "max_tokens"],
        ..RequestInfo::default()
    };
    let reply = HttpResponse {
        status,
        body,
        retry_after: Some("7"),
        ..HttpResponse::default()
    };
    let fault = from_reply(&reply, &asked);
    assert_eq!(fault.class, class, "{body}");
    let told = fault.failure.to_string();
    assert!(told.contains(words), "{words:?} is not in {told:?}");
}

#[test]
fn the_code_decides_before_the_status() {
    check_fault(
        400,
        r#"{"error":{"message":"x","code":"model_not_found"}}"#,
        FaultClass::ModelNotFound,
        "Did you mean gemma-4-31B-it?",
    );
    check_fault(
        404,
        r#"{"error":{"message":"no such model","code":"model_not_found"}}"#,
        FaultClass::ModelNotFound,
        "does not serve a model named gemma-4-31b-it",
    );
    check_fault(
        429,
        r#"{"error":{"code":"queue_full","message":"busy"}}"#,
        FaultClass::QueueFull,
        "not your key's",
    );
    check_fault(
        429,
        r#"{"error":{"code":"insufficient_quota","message":"no"}}"#,
        FaultClass::RateLimited,
        "The quota of this key is used up, HTTP 429: no",
    );
    check_fault(
        400,
        r#"{"error":{"code":"context_length_exceeded","message":"131072 is the limit."}}"#,
        FaultClass::BadRequest,
        "131072 is the limit. Clear the conversation",
    );
    check_fault(
        410,
        r#"{"error":{"code":"model_deprecated"}}"#,
        FaultClass::ModelNotFound,
        "deprecated",
    );
}

#[test]
fn refusals_of_a_request_have_their_class() {
    for (body, class, words) in [
        (
            r#"{"error":{"message":"Invalid content type. image_url is only supported by certain models."}}"#,
            FaultClass::BadRequest,
            "This model does not accept images",
        ),
        (
            r#"{"message":"too many tokens: size limit exceeded by 3000 tokens. Try using shorter or fewer inputs"}"#,
            FaultClass::BadRequest,
            "longer than the model's context",
        ),
        (
            r#"{"error":{"message":"The model `m` has been decommissioned and is no longer supported.","code":"model_decommissioned"}}"#,
            FaultClass::ModelNotFound,
            "no longer served",
        ),
        (
            r#"{"message":"Too many tokens, please wait before trying again."}"#,
            FaultClass::BadRequest,
            "rejected the request",
        ),
    ] {
        check_fault(400, body, class, words);
    }
}

#[test]
fn every_row_of_the_table_has_its_sentence() {
    check_fault(
        400,
        r#"{"error":{"message":"must be at most 2","param":"temperature","code":"invalid_value"}}"#,
        FaultClass::BadRequest,
        "rejected the parameter temperature, HTTP 400: must be at most 2",
    );
    check_fault(
        401,
        r#"{"error":"Unauthorized"}"#,
        FaultClass::KeyRefused,
        "The API rejected the key, HTTP 401: Unauthorized",
    );
    check_fault(401, "", FaultClass::KeyRefused, "rejected the key");
    check_fault(
        408,
        r#"{"error":{"code":"request_timeout"}}"#,
        FaultClass::Timeout,
        "timed out while waiting",
    );
    check_fault(
        429,
        "slow down",
        FaultClass::RateLimited,
        "try again in 7.00 s",
    );
    check_fault(
        500,
        r#"{"error":{"message":"cuda"}}"#,
        FaultClass::Server,
        "cuda",
    );
    check_fault(503, "", FaultClass::Server, "maintenance");
    check_fault(
        505,
        "HTTP Version Not Supported",
        FaultClass::NotAnApi,
        "requires a protocol other than HTTP/1.1 (HTTP 505)",
    );
    check_fault(
        404,
        r#"{"error":"Not found"}"#,
        FaultClass::NotAnApi,
        "api.example.com has no chat completions API",
    );
    check_fault(413, "", FaultClass::BadRequest, "too large (HTTP 413)");
    check_fault(
        302,
        "",
        FaultClass::NotAnApi,
        "redirects to an unnamed address",
    );
    check_fault(
        422,
        r#"{"detail":"model is required"}"#,
        FaultClass::BadRequest,
        "model is required",
    );
}

#[test]
fn html_is_named_as_what_it_is() {
    check_fault(
        502,
        "<html><head><title>502 Bad Gateway</title></head></html>",
        FaultClass::Server,
        "could not reach the server behind it, HTTP 502: Bad Gateway",
    );
    check_fault(
        200,
        "<!DOCTYPE html><title>Log in</title>",
        FaultClass::NotAnApi,
        "a web page instead of an API response",
    );
    check_fault(413, "<html>413</html>", FaultClass::BadRequest, "too large");
    check_fault(
        504,
        "<html><head><title>504 Gateway Time-out</title></head><body><hr><center>nginx/1.25.3</center></body></html>",
        FaultClass::Timeout,
        "The gateway (nginx) timed out waiting for the server behind it, HTTP 504: Gateway Time-out",
    );
    check_fault(
        403,
        "<h1>Access <b>denied</b></h1>",
        FaultClass::KeyRefused,
        "forbids",
    );
}

#[test]
fn retry_after_may_be_a_date() {
    let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
    assert_eq!(
        read_retry_after("Wed, 21 Oct 2026 07:28:30 GMT", date),
        Some(Duration::from_secs(30))
    );
    assert_eq!(
        read_retry_after("Wed, 21 Oct 2026 07:27:30 GMT", date),
        None
    );
    assert_eq!(read_retry_after("3", None), Some(Duration::from_secs(3)));
    for text in [
        "-3",
        "nan",
        "inf",
        "1e300",
        "18446744073709549568",
        "31700000",
    ] {
        assert_eq!(read_retry_after(text, None), None, "{text}");
    }
    assert_eq!(
        read_retry_after("Wed, 21 Oct 9026 07:28:30 GMT", date),
        None
    );
    assert_eq!(read_retry_after("soon", date), None);
}

#[test]
fn an_error_amid_the_stream_is_an_error() {
    let error = serde_json::json!({"error": {"message": "engine died", "code": "internal_error"}});
    let fault = from_stream(&error, &RequestInfo::default());
    assert_eq!(fault.class, FaultClass::Server);
    assert_eq!(
        fault.failure.summary,
        "The server reported an error: engine died (mid-stream)"
    );
}

#[test]
fn far_names_are_not_suggested() {
    assert_eq!(nearest("whisper", &known()), None);
    assert_eq!(
        nearest("meta-llama-3-3-70b-instruct", &known()),
        Some("Meta-Llama-3.3-70B-Instruct")
    );
}

#[test]
fn a_wait_in_words_counts_where_no_header_tells_one() {
    let body = json!([{"error": {"code": 429, "message": "Please retry in 37.5s.", "status": "RESOURCE_EXHAUSTED"}}]);
    let reply = HttpResponse {
        status: 429,
        body: &body.to_string(),
        ..HttpResponse::default()
    };
    let fault = from_reply(
        &reply,
        &RequestInfo {
            had_key: true,
            ..RequestInfo::default()
        },
    );
    assert_eq!(
        fault.failure.retry_after,
        Some(Duration::from_millis(37_500))
    );
    assert_eq!(
        fault.failure.advice,
        "The server asks you to try again in 37.5 s"
    );
}

fn advice(status: u16, body: &Value, set: &[&'static str]) -> [String; 2] {
    let reply = HttpResponse {
        status,
        body: &body.to_string(),
        ..HttpResponse::default()
    };
    let asked = RequestInfo {
        host: "h",
        model: "m",
        had_key: true,
        set,
        ..RequestInfo::default()
    };
    let failure = from_reply(&reply, &asked).failure;
    [
        failure.advice.clone(),
        failure.advice_on_command_line().to_owned(),
    ]
}

#[test]
fn only_a_parameter_that_the_user_set_and_the_server_names_is_to_be_changed() {
    let named = json!({"error": {"message": "Unknown name \"top_k\"", "param": null}});
    let [window, line] = advice(400, &named, &["top_k"]);
    assert_eq!(window, "Change or clear the parameter top_k and try again");
    assert_eq!(line, "Change or remove --top-k and try again");
    for (body, set) in [(&named, "temperature"), (&json!({"error": "no"}), "top_k")] {
        assert_eq!(
            advice(400, body, &[set]),
            [
                "See the details for the server's full response",
                "The server's full response is below"
            ]
        );
    }
    let by_param = json!({"error": {"message": "must be at most 2", "param": "temperature"}});
    assert!(advice(400, &by_param, &["temperature"])[0].contains("temperature"));
    let own = json!({"detail": [{"loc": ["body", "stream_options", "include_usage"], "msg": "Extra inputs are not permitted"}]});
    let [window, _] = advice(422, &own, &["temperature"]);
    assert!(window.starts_with("Batida adds stream_options"), "{window}");
}

#[test]
fn advice_fits_the_place() {
    let every = |cluster: bool| -> Vec<Failure> {
        let asked = |had_key| RequestInfo {
            host: "h",
            model: "m",
            had_key,
            cluster,
            ..RequestInfo::default()
        };
        let statuses = [
            302, 400, 401, 402, 403, 404, 405, 408, 410, 413, 418, 422, 429, 500, 502, 503, 504,
            529,
        ];
        let pages = [
            "",
            "<html><title>x</title></html>",
            "no",
            r#"{"error":{"message":"the model m is not found"}}"#,
        ];
        let mut all: Vec<Failure> = Vec::new();
        for (status, body) in statuses
            .into_iter()
            .flat_map(|status| pages.map(|body| (status, body)))
        {
            let reply = HttpResponse {
                status,
                body,
                ..HttpResponse::default()
            };
            all.extend([true, false].map(|key| from_reply(&reply, &asked(key)).failure));
        }
        all.push(cut(&asked(true), "").failure);
        all.push(not_an_answer(&HttpResponse::default(), &asked(true)).failure);
        all.extend(
            every_transport().map(|kind| kind.into_fault(&asked(true), String::new()).failure),
        );
        all
    };
    for failure in every(false) {
        for words in ["pod", "ingress", "SambaStack", "kubectl"] {
            let told = format!("{failure} {}", failure.told_on_command_line());
            assert!(!told.contains(words), "{words}: {told}");
        }
    }
    for failure in every(false).into_iter().chain(every(true)) {
        for words in ["Environments", "drawer", "API domain"] {
            // The name of the thing itself is the same everywhere.
            let line = failure
                .advice_on_command_line()
                .replace("as the API domain", "")
                .replace("in the API domain", "")
                .replace("of the API domain", "");
            assert!(!line.contains(words), "{words}: {line}");
        }
    }
    assert!(
        every(true)
            .iter()
            .any(|failure| failure.advice.contains("pods"))
    );
}

fn every_transport() -> impl Iterator<Item = TransportError> {
    [
        TransportError::HostUnknown,
        TransportError::Refused,
        TransportError::Unreachable,
        TransportError::ConnectTimeout,
        TransportError::ReadTimeout(Duration::from_secs(1)),
        TransportError::UnknownIssuer,
        TransportError::WrongName(vec!["a.example".to_owned()]),
        TransportError::Expired(None),
        TransportError::NotValidYet(None),
        TransportError::UnsupportedKey("an RSA key of 1024 bits".to_owned()),
        TransportError::NothingInCommon,
        TransportError::NoHead(Duration::from_secs(1)),
        TransportError::BadHead("it is too long".to_owned()),
        TransportError::ProxyLogin,
        TransportError::Socks4Ipv6,
        TransportError::NotTls,
        TransportError::OtherTls,
        TransportError::NotHttp,
        TransportError::Broken,
    ]
    .into_iter()
}

#[test]
fn a_short_name_within_other_words_is_not_the_model() {
    let fault = |model: &str, known: &[String]| {
        let reply = HttpResponse {
            status: 400,
            body: r#"{"message":["temperature must be a number","x should not exist"],"error":"Bad Request"}"#,
            ..HttpResponse::default()
        };
        let asked = RequestInfo {
            model,
            known,
            ..RequestInfo::default()
        };
        from_reply(&reply, &asked)
    };
    assert_eq!(fault("m", &[]).class, FaultClass::BadRequest);
    let unknown = fault("x", &[]);
    assert_eq!(unknown.class, FaultClass::ModelNotFound);
    // A model of the server's own list is not said to be unknown.
    let listed = fault("x", &["x".to_owned()]).failure.to_string();
    assert!(
        listed.starts_with("The API lists the model x, but does not serve it"),
        "{listed}"
    );
    assert!(!listed.contains("The API serves"), "{listed}");
}

#[test]
fn a_wrong_name_is_compared_in_bounded_time() {
    let long = "x".repeat(70_000);
    let many: Vec<String> = (0..200_000)
        .map(|n| format!("model-{n}-{}", "y".repeat(60)))
        .collect();
    // Comparing them by edit distance would take minutes.
    assert_eq!(nearest(&long, std::slice::from_ref(&long)), None);
    let _ = nearest("model-7-yyyyyyyyyyyyy", &many);
    assert_eq!(
        nearest(
            "MODEL-199999-yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
            &many
        ),
        Some(many[199_999].as_str())
    );
}

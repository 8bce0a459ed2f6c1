//! Every way to say no, and what is told of it.

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
    let asked = Asked {
        host: "api.example.com",
        model: "gemma-4-31b-it",
        known: &known,
        had_key: true,
        set: &["temperature", "max_tokens"],
        ..Asked::default()
    };
    let reply = Reply {
        status,
        body,
        retry_after: Some("7"),
        ..Reply::default()
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
        "does not route a model named gemma-4-31b-it",
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
fn every_row_of_the_table_has_its_sentence() {
    check_fault(
        400,
        r#"{"error":{"message":"must be at most 2","param":"temperature","code":"invalid_value"}}"#,
        FaultClass::BadRequest,
        "refused the parameter temperature, HTTP 400: must be at most 2",
    );
    check_fault(
        401,
        r#"{"error":"Unauthorized"}"#,
        FaultClass::KeyRefused,
        "The API key was refused, HTTP 401: Unauthorized",
    );
    check_fault(401, "", FaultClass::KeyRefused, "refused");
    check_fault(
        408,
        r#"{"error":{"code":"request_timeout"}}"#,
        FaultClass::Timeout,
        "gave up waiting",
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
        404,
        r#"{"error":"Not found"}"#,
        FaultClass::NotAnApi,
        "api.example.com has no chat completions API",
    );
    check_fault(413, "", FaultClass::BadRequest, "too large (HTTP 413)");
    check_fault(302, "", FaultClass::NotAnApi, "points elsewhere");
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
        "reached no server behind it, HTTP 502: Bad Gateway",
    );
    check_fault(
        200,
        "<!DOCTYPE html><title>Log in</title>",
        FaultClass::NotAnApi,
        "a web page instead of the API",
    );
    check_fault(413, "<html>413</html>", FaultClass::BadRequest, "too large");
    check_fault(
        504,
        "<html><head><title>504 Gateway Time-out</title></head><body><hr><center>nginx/1.25.3</center></body></html>",
        FaultClass::Timeout,
        "The gateway (nginx) waited for the server behind it and gave up, HTTP 504: Gateway Time-out",
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
    let fault = from_stream(&error, &Asked::default());
    assert_eq!(fault.class, FaultClass::Server);
    assert_eq!(
        fault.failure.summary,
        "The server reported an error: engine died, amid the answer"
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

/// What servers really send, by who sends it.
#[test]
fn every_dialect_is_told_for_what_it_is() {
    use FaultClass::{
        BadRequest, KeyRefused, ModelNotFound, NotAnApi, QueueFull, RateLimited, Server,
    };
    for (status, body, class, words) in [
        // llama.cpp
        (
            400,
            json!({"error": {"code": 400, "message": "the request exceeds the available context size (4096 tokens), try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 4096}}),
            BadRequest,
            "longer than the model's context, HTTP 400: the request exceeds the available context size (4096 tokens)",
        ),
        (
            503,
            json!({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}),
            Server,
            "is loading the model, HTTP 503: Loading model",
        ),
        (
            401,
            json!({"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}}),
            KeyRefused,
            "key was refused, HTTP 401: Invalid API Key",
        ),
        (
            500,
            json!({"error": {"code": 500, "message": "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj", "type": "server_error"}}),
            BadRequest,
            "takes no pictures, HTTP 500: image input is not supported",
        ),
        // vLLM, old and new
        (
            400,
            json!({"object": "error", "message": "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens", "type": "BadRequestError", "param": null, "code": 400}),
            BadRequest,
            "longer than the model's context, HTTP 400: This model's maximum",
        ),
        (
            404,
            json!({"error": {"message": "The model `gemma-4-31b-it` does not exist.", "type": "NotFoundError", "param": null, "code": 404}}),
            ModelNotFound,
            "does not exist. Did you mean gemma-4-31B-it?",
        ),
        (
            400,
            json!({"object": "error", "message": "gemma-4-31b-it is not a multimodal model", "type": "BadRequestError", "code": 400}),
            BadRequest,
            "takes no pictures",
        ),
        (
            400,
            json!({"object": "error", "message": "At most 0 image(s) may be provided in one prompt.", "type": "BadRequestError", "code": 400}),
            BadRequest,
            "takes no pictures",
        ),
        // SGLang
        (
            400,
            json!({"object": "error", "message": "The input (9000 tokens) is longer than the model's context length (4096 tokens).", "type": "BadRequestError", "param": null, "code": 400}),
            BadRequest,
            "longer than the model's context,",
        ),
        // LiteLLM
        (
            400,
            json!({"error": {"message": "litellm.ContextWindowExceededError: litellm.BadRequestError: OpenAIException - too long", "type": null, "param": null, "code": "400"}}),
            BadRequest,
            "litellm.ContextWindowExceededError",
        ),
        (
            400,
            json!({"error": {"message": "/chat/completions: Invalid model name passed in model=gemma-4-31b-it. Call `/v1/models` to view available models for your key.", "type": "invalid_request_error", "param": "None", "code": "400"}}),
            ModelNotFound,
            "Did you mean gemma-4-31B-it?",
        ),
        (
            401,
            json!({"error": {"message": "Authentication Error, LiteLLM Virtual Key expected.", "type": "auth_error", "param": "None", "code": "401"}}),
            KeyRefused,
            "Virtual Key expected",
        ),
        (
            400,
            json!({"error": {"message": "Budget has been exceeded! Current cost: 2, Max budget: 1", "type": "budget_exceeded", "code": "400"}}),
            RateLimited,
            "quota of this key is used up, HTTP 400: Budget",
        ),
        // Google
        (
            400,
            json!([{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}]),
            KeyRefused,
            "HTTP 400: API key not valid. Please pass a valid API key",
        ),
        (
            429,
            json!([{"error": {"code": 429, "message": "You exceeded your current quota. Please retry in 37.5s.", "status": "RESOURCE_EXHAUSTED"}}]),
            RateLimited,
            "Please retry in 37.5s",
        ),
        (
            400,
            json!([{"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name \"top_k\": Cannot find field.", "status": "INVALID_ARGUMENT"}}]),
            BadRequest,
            "Unknown name \"top_k\"",
        ),
        (
            404,
            json!([{"error": {"code": 404, "message": "models/gemma-4-31b-it is not found for API version v1main", "status": "NOT_FOUND"}}]),
            ModelNotFound,
            "v1main. Did you mean gemma-4-31B-it?",
        ),
        (
            400,
            json!([{"error": {"code": 400, "message": "The input token count (9000) exceeds the maximum number of tokens allowed (4096).", "status": "INVALID_ARGUMENT"}}]),
            BadRequest,
            "longer than the model's context",
        ),
        // Ollama
        (
            404,
            json!({"error": {"message": "model \"gemma-4-31b-it\" not found, try pulling it first", "type": "api_error", "param": null, "code": null}}),
            ModelNotFound,
            "try pulling it first",
        ),
        (
            404,
            json!({"error": "model 'gemma-4-31b-it' not found"}),
            ModelNotFound,
            "HTTP 404: model 'gemma-4-31b-it' not found",
        ),
        (
            500,
            json!({"error": {"message": "this model is missing data required for image input", "type": "api_error"}}),
            BadRequest,
            "takes no pictures",
        ),
        (
            503,
            json!({"error": "server busy, please try again. maximum pending requests exceeded"}),
            QueueFull,
            "maximum pending requests exceeded",
        ),
        // TGI, Hugging Face
        (
            422,
            json!({"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 9000 `inputs` tokens", "error_type": "validation"}),
            BadRequest,
            "longer than the model's context",
        ),
        (
            422,
            json!({"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 1200", "error_type": "validation"}),
            BadRequest,
            "longer than the model's context",
        ),
        // LM Studio
        (
            400,
            json!({"error": "Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input"}),
            BadRequest,
            "longer than the model's context",
        ),
        (
            429,
            json!({"error": "Model is overloaded", "error_type": "overloaded"}),
            QueueFull,
            "HTTP 429: Model is overloaded",
        ),
        (
            503,
            json!({"error": "Model gemma is currently loading", "estimated_time": 20.0}),
            Server,
            "is loading the model",
        ),
        // FastAPI
        (
            422,
            json!({"detail": [{"loc": ["body", "top_z"], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}]}),
            BadRequest,
            "HTTP 422: top_z: Extra inputs are not permitted",
        ),
        (
            404,
            json!({"detail": "Not Found"}),
            NotAnApi,
            "no chat completions API at this address, HTTP 404: Not Found",
        ),
        // Mistral, Groq, DeepSeek, OpenRouter
        (
            400,
            json!({"object": "error", "message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length", "type": "invalid_request_error", "code": 3051}),
            BadRequest,
            "longer than the model's context",
        ),
        (
            404,
            json!({"error": {"message": "The model `gemma-4-31b-it` does not exist or you do not have access to it.", "type": "invalid_request_error", "code": "model_not_found"}}),
            ModelNotFound,
            "Did you mean",
        ),
        (
            429,
            json!({"error": {"message": "Rate limit reached for model on tokens per minute. Please try again in 7.66s.", "type": "tokens", "code": "rate_limit_exceeded"}}),
            RateLimited,
            "the rate limit was reached, HTTP 429: Rate limit reached",
        ),
        (
            402,
            json!({"error": {"message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error"}}),
            RateLimited,
            "quota of this key is used up, HTTP 402: Insufficient Balance",
        ),
        (
            404,
            json!({"error": {"message": "No endpoints found that support image input", "code": 404}}),
            BadRequest,
            "takes no pictures",
        ),
        (
            422,
            json!({"error": {"message": "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `image_url`, expected `text`"}}),
            BadRequest,
            "takes no pictures",
        ),
        // Azure
        (
            404,
            json!({"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}}),
            ModelNotFound,
            "The API deployment for this resource does not exist",
        ),
        (
            400,
            json!({"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", "param": "prompt", "code": "content_filter", "status": 400}}),
            BadRequest,
            "content filter refused the request",
        ),
        (
            401,
            json!({"statusCode": 401, "message": "Access denied due to invalid subscription key or wrong API endpoint."}),
            KeyRefused,
            "invalid subscription key",
        ),
        (
            429,
            json!({"error": {"code": "429", "message": "Requests have exceeded token rate limit. Please retry after 20 seconds."}}),
            RateLimited,
            "retry after 20 seconds",
        ),
    ] {
        check_fault(status, &body.to_string(), class, words);
    }
    check_fault(
        503,
        "upstream connect error or disconnect/reset before headers",
        Server,
        "upstream connect error",
    );
    check_fault(
        403,
        "RBAC: access denied",
        KeyRefused,
        "forbids this request, HTTP 403: RBAC: access denied",
    );
    check_fault(404, "404 page not found\n", NotAnApi, "404 page not found");
    check_fault(
        500,
        r#"{"error":{"message":"injected"}}"#,
        Server,
        "HTTP 500: injected",
    );
    check_fault(500, "injected", Server, "HTTP 500: injected");
}

#[test]
fn what_only_resembles_is_not_taken_for_it() {
    use FaultClass::{BadRequest, Server};
    for (status, said, class, words) in [
        (
            400,
            "Invalid image: the file is broken",
            BadRequest,
            "The server refused the request, HTTP 400: Invalid image",
        ),
        (
            400,
            "temperature must not exceed 2",
            BadRequest,
            "The server refused the request",
        ),
        (
            500,
            "The model crashed",
            Server,
            "The server failed, HTTP 500: The model crashed",
        ),
        (
            400,
            "tool schema not found",
            BadRequest,
            "The server refused the request",
        ),
    ] {
        check_fault(
            status,
            &json!({"error": {"message": said}}).to_string(),
            class,
            words,
        );
    }
}

#[test]
fn a_wait_in_words_counts_where_no_header_tells_one() {
    let body = json!([{"error": {"code": 429, "message": "Please retry in 37.5s.", "status": "RESOURCE_EXHAUSTED"}}]);
    let reply = Reply {
        status: 429,
        body: &body.to_string(),
        ..Reply::default()
    };
    let fault = from_reply(
        &reply,
        &Asked {
            had_key: true,
            ..Asked::default()
        },
    );
    assert_eq!(
        fault.failure.retry_after,
        Some(Duration::from_millis(37_500))
    );
    assert_eq!(fault.failure.advice, "The server says: try again in 37.5 s");
}

fn advice(status: u16, body: &Value, set: &[&'static str]) -> [String; 2] {
    let reply = Reply {
        status,
        body: &body.to_string(),
        ..Reply::default()
    };
    let asked = Asked {
        host: "h",
        model: "m",
        had_key: true,
        set,
        ..Asked::default()
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
    assert_eq!(line, "Change or leave out --top-k and try again");
    for (body, set) in [(&named, "temperature"), (&json!({"error": "no"}), "top_k")] {
        assert_eq!(
            advice(400, body, &[set]),
            [
                "The details have the server's whole answer",
                "The server's whole answer is below"
            ]
        );
    }
    let by_param = json!({"error": {"message": "must be at most 2", "param": "temperature"}});
    assert!(advice(400, &by_param, &["temperature"])[0].contains("temperature"));
    let own = json!({"detail": [{"loc": ["body", "stream_options", "include_usage"], "msg": "Extra inputs are not permitted"}]});
    let [window, _] = advice(422, &own, &["temperature"]);
    assert!(
        window.starts_with("Batida sends stream_options by itself"),
        "{window}"
    );
}

#[test]
fn advice_fits_the_place() {
    let every = |cluster: bool| -> Vec<Failure> {
        let asked = |had_key| Asked {
            host: "h",
            model: "m",
            had_key,
            cluster,
            ..Asked::default()
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
            let reply = Reply {
                status,
                body,
                ..Reply::default()
            };
            all.extend([true, false].map(|key| from_reply(&reply, &asked(key)).failure));
        }
        all.push(cut(&asked(true), "").failure);
        all.push(not_an_answer(&Reply::default(), &asked(true)).failure);
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
        for words in ["Home", "drawer", "API domain"] {
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

fn every_transport() -> impl Iterator<Item = Transport> {
    [
        Transport::HostUnknown,
        Transport::Refused,
        Transport::Unreachable,
        Transport::ConnectTimeout,
        Transport::ReadTimeout(Duration::from_secs(1)),
        Transport::UnknownIssuer,
        Transport::WrongName,
        Transport::Expired,
        Transport::NotTls,
        Transport::OtherTls,
        Transport::NotHttp,
        Transport::Broken,
    ]
    .into_iter()
}

#[test]
fn a_wrong_name_is_compared_in_bounded_time() {
    let long = "x".repeat(70_000);
    let many: Vec<String> = (0..200_000)
        .map(|n| format!("model-{n}-{}", "y".repeat(60)))
        .collect();
    // It would take minutes by likeness.
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

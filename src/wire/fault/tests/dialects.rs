//! Error bodies that servers and gateways really send.

use serde_json::json;

use super::*;

use FaultClass::{BadRequest, KeyRefused, ModelNotFound, NotAnApi, QueueFull, RateLimited, Server};

/// Status and body, the class that they mean, and words of the failure.
type Case = (u16, Value, FaultClass, &'static str);

#[track_caller]
fn check_all(cases: impl IntoIterator<Item = Case>) {
    for (status, body, class, words) in cases {
        check_fault(status, &body.to_string(), class, words);
    }
}

#[test]
fn llama_cpp_vllm_and_sglang_are_understood() {
    check_all([
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
            "rejected the key, HTTP 401: Invalid API Key",
        ),
        (
            500,
            json!({"error": {"code": 500, "message": "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj", "type": "server_error"}}),
            BadRequest,
            "does not accept images, HTTP 500: image input is not supported",
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
            "does not accept images",
        ),
        (
            400,
            json!({"object": "error", "message": "At most 0 image(s) may be provided in one prompt.", "type": "BadRequestError", "code": 400}),
            BadRequest,
            "does not accept images",
        ),
        // SGLang
        (
            400,
            json!({"object": "error", "message": "The input (9000 tokens) is longer than the model's context length (4096 tokens).", "type": "BadRequestError", "param": null, "code": 400}),
            BadRequest,
            "longer than the model's context,",
        ),
    ]);
}

#[test]
fn litellm_and_google_are_understood() {
    check_all([
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
    ]);
}

#[test]
fn ollama_tgi_lm_studio_and_fastapi_are_understood() {
    check_all([
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
            "does not accept images",
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
    ]);
}

#[test]
fn hosted_apis_and_azure_are_understood() {
    check_all([
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
            "does not accept images",
        ),
        (
            422,
            json!({"error": {"message": "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `image_url`, expected `text`"}}),
            BadRequest,
            "does not accept images",
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
    ]);
}

#[test]
fn plain_text_of_proxies_is_understood() {
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
    for (status, said, class, words) in [
        (
            400,
            "Invalid image: the file is broken",
            BadRequest,
            "The server rejected the request, HTTP 400: Invalid image",
        ),
        (
            400,
            "temperature must not exceed 2",
            BadRequest,
            "The server rejected the request",
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
            "The server rejected the request",
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

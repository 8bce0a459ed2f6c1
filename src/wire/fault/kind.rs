//! The kind of an error: by the machine words of its body, else by its sentence, else by the status.

use super::body::ErrorBody;

/// The subject of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// The key is wrong, or missing.
    Key,
    /// The key may not do this.
    Forbidden,
    /// The API does not route that name.
    Model,
    /// The API routed that name once, and no longer does.
    ModelGone,
    /// The prompt does not fit the model's context.
    Context,
    /// The model does not accept images.
    Images,
    /// A content filter refused the prompt.
    Filter,
    /// The key's quota or credit is used up.
    Quota,
    /// Too many requests for the key.
    Rate,
    /// Too many requests in flight for the server.
    Queue,
    /// The server gave up waiting.
    Timeout,
    /// The model is being loaded.
    Loading,
    /// None of these: the status decides.
    Other,
}

impl ErrorKind {
    /// `model`: the requested name, empty where the request names none.
    pub(super) fn of(status: u16, body: &ErrorBody, model: &str) -> Self {
        let said = body.said.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let refused = matches!(status, 0 | 400..=599);
        Self::by_code(status, body)
            .or_else(|| (refused && is_context(&says)).then_some(Self::Context))
            .or_else(|| (refused && is_images(&says)).then_some(Self::Images))
            .or_else(|| (refused && is_filter(&says)).then_some(Self::Filter))
            .or_else(|| is_key(status, &says).then_some(Self::Key))
            .or_else(|| (refused && is_gone(&says)).then_some(Self::ModelGone))
            .or_else(|| is_model(status, &said, model).then_some(Self::Model))
            .or_else(|| is_quota(status, &says).then_some(Self::Quota))
            .or_else(|| is_queue(&says).then_some(Self::Queue))
            .or_else(|| {
                (says(&["loading model"]) || says(&["currently loading"])).then_some(Self::Loading)
            })
            .unwrap_or(match status {
                401 => Self::Key,
                402 => Self::Quota,
                403 => Self::Forbidden,
                408 | 504 => Self::Timeout,
                410 => Self::ModelGone,
                429 => Self::Rate,
                529 => Self::Queue,
                _ => Self::Other,
            })
    }

    fn by_code(status: u16, body: &ErrorBody) -> Option<Self> {
        // "unavailable" means loading only where the sentence says so.
        let loading = body.said.to_lowercase().contains("load");
        let found = CODES
            .iter()
            .find(|(_, codes)| body.has_code(codes))
            .map(|(kind, _)| *kind);
        found.filter(|kind| match kind {
            Self::Loading => loading,
            // LiteLLM and others use "authentication" for some 500s too.
            Self::Key => status < 500,
            _ => true,
        })
    }
}

/// The machine words of error bodies, in snake case.
const CODES: [(ErrorKind, &[&str]); 11] = [
    (
        ErrorKind::Key,
        &[
            "invalid_api_key",
            "api_key_invalid",
            "authentication_error",
            "unauthenticated",
            "token_not_found_in_db",
            "expired_key",
        ],
    ),
    (
        ErrorKind::Model,
        &[
            "model_not_found",
            "deployment_not_found",
            "endpoint_not_found",
            "unknown_model",
            "model_not_exist",
        ],
    ),
    (
        ErrorKind::ModelGone,
        &["model_deprecated", "model_decommissioned"],
    ),
    (
        ErrorKind::Context,
        &[
            "context_length_exceeded",
            "exceed_context_size_error",
            "context_window_exceeded_error",
            "context_limit_exceeded",
            "string_above_max_length",
        ],
    ),
    (
        ErrorKind::Filter,
        &[
            "content_filter",
            "content_policy_violation",
            "content_policy_violation_error",
            "responsible_aipolicy_violation",
            "responsible_ai_policy_violation",
            "prohibited_content",
            "content_filtered",
        ],
    ),
    (
        ErrorKind::Quota,
        &[
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            "budget_exceeded",
            "insufficient_balance",
            "credit_limit_exceeded",
        ],
    ),
    (
        ErrorKind::Queue,
        &[
            "queue_full",
            "overloaded",
            "overloaded_error",
            "server_overloaded",
            "engine_overloaded",
        ],
    ),
    (
        ErrorKind::Rate,
        &[
            "rate_limit_exceeded",
            "rate_limit_error",
            "rate_limit_reached",
            "too_many_requests",
        ],
    ),
    (
        ErrorKind::Timeout,
        &["request_timeout", "deadline_exceeded"],
    ),
    (
        ErrorKind::Forbidden,
        &[
            "permission_denied",
            "permission_error",
            "key_model_access_denied",
            "team_model_access_denied",
        ],
    ),
    (ErrorKind::Loading, &["unavailable_error"]),
];

fn is_context(says: &impl Fn(&[&str]) -> bool) -> bool {
    let place = says(&[
        "context length",
        "context size",
        "context window",
        "maximum context",
        "context limit",
        "max_model_len",
        "maximum model length",
        "maximum sequence length",
        "max sequence length",
        "max_seq_len",
    ]);
    let over = says(&[
        "exceed",
        "longer",
        "larger",
        "too l",
        "greater",
        "maximum",
        "reduce",
        "requested",
        "limit",
        "more than",
        // LM Studio: "the model is loaded with context length of only 4096 tokens, which is not enough".
        "not enough",
        "overflow",
    ]);
    (place && over)
        || says(&[
            "prompt is too long",
            "input is too long",
            "prompt too long",
            "reduce the length of the messages",
            "reduce the length of the input",
            "`inputs` tokens + `max_new_tokens` must be",
            // TGI: "`inputs` must have less than 1024 tokens. Given: 1200".
            "`inputs` must have less than",
            "exceeds the maximum number of tokens",
            "too many input tokens",
            "too many tokens in",
            // Cohere; Bedrock's "Too many tokens, please wait" is a rate limit.
            "too many tokens: size limit exceeded",
        ])
}

fn is_gone(says: &impl Fn(&[&str]) -> bool) -> bool {
    says(&["model"])
        && says(&[
            "decommissioned",
            "has been deprecated",
            "has been retired",
            "has been shut down",
            "has been sunset",
        ])
}

fn is_images(says: &impl Fn(&[&str]) -> bool) -> bool {
    says(&[
        "image",
        "picture",
        "vision",
        "multimodal",
        "multi-modal",
        "mmproj",
    ]) && says(&[
        "not support",
        "unsupported",
        "does not accept",
        "doesn't support",
        "no endpoints found",
        "not a multimodal",
        "not multimodal",
        "not a vision",
        "missing data required for image",
        "unknown variant `image_url`",
        "at most 0 image",
        "only text",
        "text-only",
        "text only",
        "no vision",
        "only supported by",
    ])
}

fn is_filter(says: &impl Fn(&[&str]) -> bool) -> bool {
    says(&[
        "content management policy",
        "content filter",
        "content_filter",
        "content policy",
        "flagged by",
        "flagged as",
        "safety filter",
        "blocked by guardrail",
        "guardrail",
        "inappropriate content",
    ])
}

fn is_key(status: u16, says: &impl Fn(&[&str]) -> bool) -> bool {
    matches!(status, 0 | 400..=403)
        && says(&[
            "api key not valid",
            "invalid api key",
            "invalid api_key",
            "invalid x-api-key",
            "incorrect api key",
            "api key is invalid",
            "api key provided is invalid",
            "no api key",
            "missing api key",
            "api key is missing",
            "api key is required",
            "api key required",
            "api key expired",
            "invalid subscription key",
            "invalid token",
            "invalid authentication",
            "authentication error",
            "no cookie auth",
            "not authenticated",
            "unauthorized",
        ])
}

fn is_model(status: u16, said: &str, model: &str) -> bool {
    if model.is_empty() || !matches!(status, 0 | 400 | 404 | 422 | 500 | 503) {
        return false;
    }
    let unknown = [
        "not found",
        "does not exist",
        "doesn't exist",
        "not exist",
        "no such model",
        "unknown model",
        "not a valid model",
        "invalid model",
        "no model",
        "not deployed",
        "isn't available",
        "is not available",
        "not available",
        "not supported for",
        "no endpoints found for",
        "could not find",
        "cannot find",
        "not served",
        "not loaded",
        "not recognized",
        "unable to find",
    ];
    // A short name is part of other words: `m` of "must not exist".
    let model = model.to_lowercase();
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let named = said.match_indices(&*model).any(|(at, _)| {
        edge(said[..at].chars().next_back()) && edge(said[at + model.len()..].chars().next())
    });
    let names = said.contains("model") || said.contains("deployment") || named;
    // Other statuses are seldom about the name, so the sentence must contain it.
    let sure = matches!(status, 404) || named || said.contains("invalid model");
    names && sure && unknown.iter().any(|words| said.contains(words))
}

fn is_quota(status: u16, says: &impl Fn(&[&str]) -> bool) -> bool {
    says(&[
        "insufficient balance",
        "credit balance",
        "budget has been exceeded",
        "exceeded budget",
        "more credits",
        "out of credits",
        "insufficient credits",
        "billing",
    ]) || status == 429 && says(&["quota"])
}

fn is_queue(says: &impl Fn(&[&str]) -> bool) -> bool {
    says(&[
        "model is overloaded",
        "queue is full",
        "queue full",
        "maximum pending requests",
        "server is overloaded",
        "too many pending requests",
    ])
}

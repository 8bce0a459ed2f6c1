//! The demo's simulated models.

use std::time::Duration;

/// A simulated model.
#[derive(Debug, Clone)]
pub struct DemoModel {
    /// Its serving name.
    pub name: String,
    /// Time from the request to the first token.
    pub ttft: Duration,
    /// Time between two tokens.
    pub per_token: Duration,
    /// The variation of both times as a fraction: 0.1 is ± 10 %.
    pub jitter: f64,
    /// Whether and how it thinks.
    pub thinks: Thinks,
    /// Whether it accepts images. The demo's cluster lists the same capability.
    pub vision: bool,
    /// How it deviates from a normal model.
    pub quirk: Quirk,
}

/// Whether and how a model shows its reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinks {
    /// Not at all.
    No,
    /// In `delta.reasoning`.
    Reasoning,
    /// In `delta.reasoning_content`.
    ReasoningContent,
    /// Inline, between `<think>` and `</think>`.
    Inline,
}

/// How a simulated model deviates from a normal one.
#[derive(Debug, Clone, PartialEq)]
pub enum Quirk {
    /// Nothing.
    None,
    /// The first request, and one after a minute without requests, waits this long for the model to load.
    ColdStart(Duration),
    /// Every nth request gets a 429.
    RateLimited {
        /// 3: the third, the sixth…
        every: u32,
    },
    /// It creates embeddings and cannot chat.
    Embeds,
    /// Answers so many requests at once; the others wait in the order in which they came. For tests.
    Slots(usize),
    /// Responds with this status and body; for tests.
    Refuses {
        /// The HTTP status.
        status: u16,
        /// `Content-Type`
        content_type: &'static str,
        /// The body.
        body: &'static str,
        /// `Retry-After`
        retry_after: Option<&'static str>,
    },
    /// An error inside the stream after some tokens; for tests.
    FailsMidway,
    /// The connection is reset after some tokens; for tests.
    DropsMidway,
    /// The stream ends cleanly after some tokens, without finish reason and `[DONE]`; for tests.
    EndsMidway,
    /// Nothing follows the response's head; for tests.
    HangsAfterHead,
    /// Never responds; for tests.
    Hangs,
    /// Sends one JSON document although a stream was requested; for tests.
    IgnoresStream,
    /// Text, and no `usage`; for tests.
    NoUsage,
    /// No text at all, and this finish reason; for tests.
    Empty(&'static str),
    /// Only reasoning, cut for length; for tests.
    OnlyThinks,
    /// The error repeats the key that was sent; for tests.
    EchoesKey,
    /// Ignores the requested JSON schema; for tests.
    Disobeys,
    /// Wraps the requested JSON in a code fence with words around it; for tests.
    Fences,
}

impl DemoModel {
    fn new(name: &str, ttft_ms: u64, tokens_per_sec: f64, thinks: Thinks, quirk: Quirk) -> Self {
        Self {
            name: name.to_owned(),
            ttft: Duration::from_millis(ttft_ms),
            per_token: Duration::from_secs_f64(1.0 / tokens_per_sec),
            jitter: 0.15,
            thinks,
            vision: false,
            quirk,
        }
    }

    /// This model with support for images.
    #[must_use]
    pub fn with_vision(self) -> Self {
        Self {
            vision: true,
            ..self
        }
    }

    /// The models of the built-in demo.
    pub fn all() -> Vec<Self> {
        vec![
            Self::new(
                "Meta-Llama-3.3-70B-Instruct",
                140,
                310.0,
                Thinks::No,
                Quirk::None,
            ),
            Self::new("gpt-oss-120b", 88, 480.0, Thinks::Reasoning, Quirk::None),
            Self::new("DeepSeek-R1-0528", 210, 190.0, Thinks::Inline, Quirk::None),
            Self::new(
                "Qwen3-32B",
                160,
                260.0,
                Thinks::No,
                Quirk::ColdStart(Duration::from_millis(2_500)),
            ),
            Self::new(
                "gemma-4-31B-it",
                110,
                220.0,
                Thinks::No,
                Quirk::RateLimited { every: 3 },
            )
            .with_vision(),
            Self::new(
                "E5-Mistral-7B-Instruct",
                30,
                1_000.0,
                Thinks::No,
                Quirk::Embeds,
            ),
        ]
    }

    /// A fast one with this name and quirk, for tests and benches.
    pub fn quick(name: &str, quirk: Quirk) -> Self {
        Self {
            jitter: 0.0,
            ..Self::new(name, 5, 1_000.0, Thinks::No, quirk)
        }
    }
}

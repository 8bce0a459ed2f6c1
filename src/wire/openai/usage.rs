//! Token counts and the server's own figures, wherever a chunk holds them.
//!
//! They may be in OpenAI's `usage`, with the additions of SambaStack, Groq and DeepSeek, in `x_groq` and similar
//! members, in a choice's `usage`, in llama.cpp's `timings` or in Cerebras's `time_info`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::units;
use crate::metrics::timeline::{ServerFigures, Usage};

/// Higher token counts are ignored: no model handles that many.
const MAX_TOKENS: f64 = 1e8;
/// Longer durations are ignored.
const MAX_SECONDS: f64 = 30.0 * 86_400.0;
/// Higher speeds for one user, in tokens per second, are ignored.
const MAX_RATE: f64 = 1e7;

/// `usage` as the API documentation describes it. Values that cannot be counts are dropped.
#[derive(Deserialize, Default)]
pub(super) struct StrictUsage {
    prompt_tokens: Option<f64>,
    completion_tokens: Option<f64>,
    prompt_tokens_details: Option<StrictDetails>,
    completion_tokens_details: Option<StrictDetails>,
    time_to_first_token: Option<f64>,
    total_latency: Option<f64>,
    completion_tokens_after_first_per_sec: Option<f64>,
    completion_tokens_per_sec: Option<f64>,
    acceptance_rate: Option<f64>,
    /// As the Responses API and Anthropic call them.
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
    /// DeepSeek's.
    prompt_cache_hit_tokens: Option<f64>,
    /// Groq's and Cerebras's, in seconds.
    queue_time: Option<f64>,
    prompt_time: Option<f64>,
    completion_time: Option<f64>,
    total_time: Option<f64>,
}

#[derive(Deserialize, Default)]
pub(super) struct StrictDetails {
    cached_tokens: Option<f64>,
    reasoning_tokens: Option<f64>,
}

impl From<StrictUsage> for Usage {
    fn from(usage: StrictUsage) -> Self {
        let details =
            |details: Option<StrictDetails>| details.map(|d| (d.cached_tokens, d.reasoning_tokens));
        let cached = details(usage.prompt_tokens_details).and_then(|(cached, _)| cached);
        let reasoning =
            details(usage.completion_tokens_details).and_then(|(_, reasoning)| reasoning);
        let completion = usage
            .completion_tokens
            .or(usage.output_tokens)
            .and_then(count);
        let queued = usage.queue_time.filter(|s| *s >= 0.0).unwrap_or(0.0);
        let generated = usage.completion_time.filter(|s| *s > 0.0);
        let own_rate = completion
            .filter(|n| *n > 1)
            .zip(generated)
            .map(|(n, took)| n as f64 / took);
        Self {
            // Every prompt has tokens, so a zero means that the server did not count them.
            prompt_tokens: usage
                .prompt_tokens
                .or(usage.input_tokens)
                .and_then(count)
                .filter(|n| *n > 0),
            cached_tokens: cached.or(usage.prompt_cache_hit_tokens).and_then(count),
            completion_tokens: completion,
            reasoning_tokens: reasoning.and_then(count),
            server: ServerFigures {
                ttft: usage
                    .time_to_first_token
                    .or(usage.prompt_time.map(|s| s + queued))
                    .and_then(seconds),
                latency: usage
                    .total_latency
                    .or(usage.total_time.map(|s| s + queued))
                    .and_then(seconds),
                after_first_per_sec: usage
                    .completion_tokens_after_first_per_sec
                    .or(own_rate)
                    .and_then(speed),
                per_sec: usage.completion_tokens_per_sec.and_then(speed),
                acceptance_rate: usage.acceptance_rate.and_then(rate),
            },
        }
    }
}

fn count(value: f64) -> Option<u64> {
    (0.0..=MAX_TOKENS).contains(&value).then_some(value as u64)
}

/// No time and no speed is zero: the server did not measure it.
fn seconds(value: f64) -> Option<Duration> {
    let is_possible = value > 0.0 && value <= MAX_SECONDS;
    units::checked_seconds(value).filter(|_| is_possible)
}

fn speed(value: f64) -> Option<f64> {
    rate(value).filter(|speed| *speed > 0.0)
}

fn rate(value: f64) -> Option<f64> {
    (0.0..=MAX_RATE).contains(&value).then_some(value)
}

/// The token counts and times in a chunk; `None` if there are none.
pub(super) fn read(chunk: &Map<String, Value>, choice: Option<&Value>) -> Option<Usage> {
    let mut found = StrictUsage::default();
    let mut any = false;
    let mut look = |value: Option<&Value>, fill: fn(&mut StrictUsage, &Map<String, Value>)| {
        if let Some(object) = value.and_then(Value::as_object) {
            any = true;
            fill(&mut found, object);
        }
    };
    look(chunk.get("usage"), fill_usage);
    look(choice.and_then(|choice| choice.get("usage")), fill_usage);
    for (_, vendor) in chunk.iter().filter(|(name, _)| name.starts_with("x_")) {
        look(vendor.get("usage"), fill_usage);
        look(vendor.get("time_info"), fill_usage);
    }
    look(chunk.get("time_info"), fill_usage);
    look(chunk.get("timings"), fill_timings);
    any.then(|| found.into())
}

/// Sets a field unless it is known already.
fn fill(known: &mut Option<f64>, value: Option<f64>) {
    *known = known.or(value);
}

fn fill_usage(usage: &mut StrictUsage, object: &Map<String, Value>) {
    let number = |name: &str| object.get(name).and_then(read_number);
    let details = |names: [&str; 2]| {
        let object = names
            .iter()
            .find_map(|name| object.get(*name))
            .filter(|details| details.is_object())?;
        let number = |name: &str| object.get(name).and_then(read_number);
        Some(StrictDetails {
            cached_tokens: number("cached_tokens"),
            reasoning_tokens: number("reasoning_tokens"),
        })
    };
    let StrictUsage {
        prompt_tokens,
        completion_tokens,
        prompt_tokens_details,
        completion_tokens_details,
        time_to_first_token,
        total_latency,
        completion_tokens_after_first_per_sec,
        completion_tokens_per_sec,
        acceptance_rate,
        input_tokens,
        output_tokens,
        prompt_cache_hit_tokens,
        queue_time,
        prompt_time,
        completion_time,
        total_time,
    } = usage;
    for (known, name) in [
        (prompt_tokens, "prompt_tokens"),
        (completion_tokens, "completion_tokens"),
        (time_to_first_token, "time_to_first_token"),
        (total_latency, "total_latency"),
        (
            completion_tokens_after_first_per_sec,
            "completion_tokens_after_first_per_sec",
        ),
        (completion_tokens_per_sec, "completion_tokens_per_sec"),
        (acceptance_rate, "acceptance_rate"),
        (input_tokens, "input_tokens"),
        (output_tokens, "output_tokens"),
        (prompt_cache_hit_tokens, "prompt_cache_hit_tokens"),
        (queue_time, "queue_time"),
        (prompt_time, "prompt_time"),
        (completion_time, "completion_time"),
        (total_time, "total_time"),
    ] {
        fill(known, number(name));
    }
    if prompt_tokens_details.is_none() {
        *prompt_tokens_details = details(["prompt_tokens_details", "input_tokens_details"]);
    }
    if completion_tokens_details.is_none() {
        *completion_tokens_details =
            details(["completion_tokens_details", "output_tokens_details"]);
    }
}

/// llama.cpp's: the prompt's and the answer's tokens, each with its milliseconds.
fn fill_timings(usage: &mut StrictUsage, object: &Map<String, Value>) {
    let number = |name: &str| object.get(name).and_then(read_number).filter(|n| *n >= 0.0);
    let cached = number("cache_n");
    let read = number("prompt_n").map(|n| n + cached.unwrap_or(0.0));
    fill(&mut usage.prompt_tokens, read);
    fill(&mut usage.prompt_cache_hit_tokens, cached);
    fill(&mut usage.completion_tokens, number("predicted_n"));
    let (prompt, predicted) = (number("prompt_ms"), number("predicted_ms"));
    fill(&mut usage.time_to_first_token, prompt.map(|ms| ms / 1e3));
    fill(
        &mut usage.total_latency,
        prompt.zip(predicted).map(|(a, b)| (a + b) / 1e3),
    );
    fill(
        &mut usage.completion_tokens_after_first_per_sec,
        number("predicted_per_second"),
    );
}

/// A finite number, also when it was sent as a string.
fn read_number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())
        .filter(|n| n.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::openai::Chunk;

    fn usage(json: &str) -> Usage {
        Chunk::parse(json).expect("reads").usage.expect("has usage")
    }

    #[test]
    fn usage_is_read_wherever_it_stands() {
        let counts = r#"{"prompt_tokens":9,"completion_tokens":5}"#;
        for json in [
            format!(r#"{{"choices":[],"usage":{counts}}}"#),
            format!(r#"{{"choices":[{{"delta":{{}},"usage":{counts},"finish_reason":"stop"}}]}}"#),
            format!(
                r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"}}],"x_groq":{{"id":"r","usage":{counts}}}}}"#
            ),
            format!(r#"{{"choices":[],"usage":null,"x_vendor":{{"usage":{counts}}}}}"#),
            r#"{"choices":[],"usage":{"input_tokens":9,"output_tokens":5}}"#.to_owned(),
            r#"{"choices":[],"usage":{"prompt_tokens":"9","completion_tokens":"5"}}"#.to_owned(),
            r#"{"choices":[],"timings":{"prompt_n":7,"cache_n":2,"predicted_n":5}}"#.to_owned(),
        ] {
            let usage = usage(&json);
            assert_eq!(
                (usage.prompt_tokens, usage.completion_tokens),
                (Some(9), Some(5)),
                "{json}"
            );
        }
    }

    #[test]
    fn other_servers_times_are_the_servers() {
        let llama = usage(
            r#"{"choices":[],"timings":{"prompt_n":9,"prompt_ms":40,"predicted_n":5,"predicted_ms":100,"predicted_per_second":50}}"#,
        );
        let ms = |d: Option<Duration>| d.map(|d| d.as_millis());
        assert_eq!(
            (ms(llama.server.ttft), ms(llama.server.latency)),
            (Some(40), Some(140))
        );
        assert_eq!(llama.server.after_first_per_sec, Some(50.0));
        for json in [
            r#"{"choices":[],"x_groq":{"usage":{"queue_time":0.01,"prompt_time":0.03,"completion_time":0.1,"total_time":0.13,"prompt_tokens":9,"completion_tokens":5}}}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5},"time_info":{"queue_time":0.01,"prompt_time":0.03,"completion_time":0.1,"total_time":0.13}}"#,
        ] {
            let server = usage(json).server;
            assert_eq!(
                (ms(server.ttft), ms(server.latency)),
                (Some(40), Some(140)),
                "{json}"
            );
            assert_eq!(server.after_first_per_sec, Some(50.0), "{json}");
        }
    }

    #[test]
    fn times_and_speeds_of_zero_are_unknown() {
        let zeros = usage(
            r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"time_to_first_token":0,"total_latency":0,"completion_tokens_per_sec":0,"completion_tokens_after_first_per_sec":0,"acceptance_rate":0}}"#,
        );
        let only_rate = ServerFigures {
            acceptance_rate: Some(0.0),
            ..ServerFigures::default()
        };
        assert_eq!(zeros.server, only_rate);
    }

    #[test]
    fn counts_that_cannot_be_are_none() {
        for odd in [
            "10000000000000000000",
            "-1",
            "1e300",
            "\"many\"",
            "null",
            "[]",
            "true",
        ] {
            let usage = usage(&format!(
                r#"{{"choices":[],"usage":{{"prompt_tokens":{odd},"completion_tokens":{odd},"total_latency":{odd},"completion_tokens_per_sec":{odd},"total_tokens":1}}}}"#
            ));
            assert_eq!(
                (usage.prompt_tokens, usage.completion_tokens),
                (None, None),
                "{odd}"
            );
            assert_eq!(usage.server, ServerFigures::default(), "{odd}");
        }
        let whole = usage(r#"{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":1.5}}"#);
        assert_eq!(
            (whole.prompt_tokens, whole.completion_tokens),
            (None, Some(1)),
            "a prompt has tokens"
        );
    }
}

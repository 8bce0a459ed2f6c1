//! The tokens of a simulated answer and when each is due. The same seed, model and messages give the same script.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::form::{OutputFormat, ScriptedCall, ScriptedReply};
use super::model::DemoModel;
use crate::domain::conversation::{Message, Role};
use crate::domain::random::Random;

/// An answer as tokens, each with the time at which it is due.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Script {
    pub(super) reasoning: Vec<String>,
    pub(super) answer: Vec<String>,
    /// When each token is due, measured from the request; reasoning first, never decreasing.
    pub(super) due: Vec<Duration>,
    pub(super) prompt_tokens: u64,
    /// Whether `max_tokens` cut the answer off.
    pub(super) cut: bool,
    /// The function calls that the answer consists of; empty for text.
    pub(super) calls: Vec<ScriptedCall>,
}

/// The limits on the answer's length, and its beginning.
#[derive(Debug, Clone, Default)]
pub(super) struct AnswerLimits {
    pub(super) max_tokens: Option<usize>,
    /// Go on until `max_tokens`.
    pub(super) ignore_eos: bool,
    pub(super) thinking: bool,
    /// Sequences that end the answer and are not part of it.
    pub(super) stop: Vec<String>,
    /// The beginning of the answer.
    pub(super) first: String,
}

impl Script {
    pub(super) fn write(
        seed: u64,
        model: &DemoModel,
        messages: &[Message],
        form: &OutputFormat,
        lengths: AnswerLimits,
    ) -> Self {
        let mut random = random(seed, &model.name, messages);
        let prompt = messages
            .iter()
            .rev()
            .find(|message| message.role == Role::User)
            .map_or("", |message| message.content.as_str());
        let thoughts = if lengths.thinking {
            thoughts(prompt)
        } else {
            String::new()
        };
        let mut reasoning = tokens(&thoughts);
        let (mut answer, calls) = match (
            form.reply(messages, &model.quirk, &mut random),
            wished_tokens(prompt),
        ) {
            (Some(ScriptedReply::Calls(called)), _) => call_tokens(called, &mut random),
            (Some(ScriptedReply::Json(text) | ScriptedReply::Words(text)), _) => {
                (tokens(&text), Vec::new())
            }
            (None, Some(n)) => (lorem(&mut random, n), Vec::new()),
            (None, None) => {
                let words = reply(model, prompt, messages.len(), &mut random);
                (tokens(&(lengths.first + &words)), Vec::new())
            }
        };
        let in_words = calls.is_empty();
        if let (true, Some(most)) = (lengths.ignore_eos && in_words, lengths.max_tokens) {
            while reasoning.len() + answer.len() < most {
                answer.extend(lorem(&mut random, most - reasoning.len() - answer.len()));
            }
        }
        if let Some(at) = lengths
            .stop
            .iter()
            .filter(|stop| !stop.is_empty() && in_words)
            .filter_map(|stop| answer.concat().find(stop.as_str()))
            .min()
        {
            truncate_to(&mut answer, at);
        }
        let mut cut = false;
        if let Some(most) = lengths.max_tokens {
            cut = reasoning.len() + answer.len() > most;
            reasoning.truncate(most);
            answer.truncate(most - reasoning.len());
        }
        let prompt_tokens = prompt_tokens(messages.iter().map(|message| message.content.as_str()));
        let mut at = model.ttft.mul_f64(random.around(model.jitter));
        let due = (0..reasoning.len() + answer.len())
            .map(|_| {
                let due = at;
                at += model.per_token.mul_f64(random.around(model.jitter));
                due
            })
            .collect();
        Self {
            reasoning,
            answer,
            due,
            prompt_tokens,
            cut,
            calls,
        }
    }
}

/// The tokens of function calls, and which call has how many of them.
fn call_tokens(
    called: Vec<(String, serde_json::Value)>,
    random: &mut Random,
) -> (Vec<String>, Vec<ScriptedCall>) {
    let (mut pieces, mut calls) = (Vec::new(), Vec::new());
    for (name, arguments) in called {
        let id = format!("call_{:08x}", random.bits() >> 32);
        // The name comes first, without any of the arguments.
        let arguments = tokens(&arguments.to_string());
        calls.push(ScriptedCall {
            id,
            name,
            tokens: arguments.len() + 1,
        });
        pieces.push(String::new());
        pieces.extend(arguments);
    }
    (pieces, calls)
}

/// Truncates the text that the tokens spell to its first `bytes`.
fn truncate_to(tokens: &mut Vec<String>, bytes: usize) {
    let mut left = bytes;
    tokens.retain_mut(|token| {
        token.truncate(left.min(token.len()));
        left -= token.len();
        !token.is_empty()
    });
}

/// A prompt with "2000 tokens" requests an answer of that length.
fn wished_tokens(prompt: &str) -> Option<usize> {
    let mut words = prompt.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let follows = words.peek().is_some_and(|next| next.starts_with("token"));
        if let (true, Ok(n)) = (follows, word.replace([',', '_'], "").parse::<usize>()) {
            return Some(n.clamp(1, 200_000));
        }
    }
    None
}

/// For a message's role and delimiters.
pub(super) const TOKENS_AROUND: u32 = 4;

/// The number of prompt tokens: those of each message and [`TOKENS_AROUND`].
pub(super) fn prompt_tokens<'a>(contents: impl Iterator<Item = &'a str>) -> u64 {
    contents
        .map(|content| count_tokens(content) + u64::from(TOKENS_AROUND))
        .sum()
}

/// How many [`tokens`] gives.
fn count_tokens(text: &str) -> u64 {
    let (mut count, mut length, mut after_space) = (0, 0, false);
    for c in text.chars() {
        let space = c.is_whitespace();
        if length > 0 && ((space && !after_space) || length >= MAX_TOKEN_CHARS) {
            count += 1;
            length = 0;
        }
        length += 1;
        after_space = space;
    }
    count + u64::from(length > 0)
}

/// Characters of the longest token.
const MAX_TOKEN_CHARS: usize = 7;

/// Words with the space before them; long ones in parts, as tokenizers do.
fn tokens(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut current = String::new();
    for c in text.chars() {
        let breaks = c.is_whitespace() && !current.ends_with(char::is_whitespace);
        if breaks || current.chars().count() >= MAX_TOKEN_CHARS {
            out.push(std::mem::take(&mut current));
        }
        current.push(c);
    }
    out.push(current);
    out.retain(|token| !token.is_empty());
    out
}

fn thoughts(prompt: &str) -> String {
    format!(
        "The user wrote {} characters. This is a demo, so there is nothing to work out; a real model would \
         now weigh what was meant, plan the answer and check it. I will say plainly that I am simulated, \
         show what an answer can hold, and keep it short.",
        prompt.chars().count()
    )
}

fn reply(model: &DemoModel, prompt: &str, messages: usize, random: &mut Random) -> String {
    let asked: String = prompt
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(120)
        .collect();
    let lower = prompt.to_lowercase();
    let mut parts = vec![format!(
        "This is a **simulated answer**: `{}` is played by Batida's built-in demo, and no model wrote this. \
         Its timing is scripted, but what you see is measured for real, over HTTP.",
        model.name
    )];
    if !asked.is_empty() {
        parts.push(format!(
            "You asked: *{}*",
            asked.replace(['*', '_', '`'], " ").trim()
        ));
    }
    if lower.contains("code") || lower.contains("python") || lower.contains("rust") {
        parts.push(CODE.to_owned());
    }
    if lower.contains("table") || lower.contains("compare") {
        parts.push(TABLE.to_owned());
    }
    if lower.contains("list") || lower.contains("steps") {
        parts.push(LIST.to_owned());
    }
    if parts.len() < 3 {
        parts.push(NOTES[random.below(NOTES.len())].to_owned());
    }
    if messages > 2 {
        parts.push(format!(
            "*(The request carried {messages} messages: the whole conversation is sent each time.)*"
        ));
    }
    parts.join("\n\n")
}

const NOTES: [&str; 4] = [
    "**Time to first token** is the delay between sending a request and receiving the first generated \
     token. It is what a reader feels as responsiveness, and it grows with the prompt's length and with queueing.",
    "**Inter-token latency** is the gap between two chunks of the stream. A chunk may hold several tokens, \
     so the time per output token, (last token − first token) / (tokens − 1), is the steadier figure.",
    "**Tokens per second** counts from the first token on. A model that starts late and then writes fast \
     can have a high speed and still feel slow: look at both charts.",
    "**Throughput** and **speed per user** pull against each other: the more requests a server answers at \
     once, the slower each of them gets. Where the curve bends is the load to run at.",
];

const CODE: &str = "A few lines of code:\n\n```python\nfrom openai import OpenAI\n\nclient = \
     OpenAI(base_url=\"https://api.example.com/v1\")\nstream = client.chat.completions.create(\n    \
     model=\"gpt-oss-120b\",\n    messages=[{\"role\": \"user\", \"content\": \"Hello\"}],\n    stream=True,\n)\nfor \
     chunk in stream:\n    if chunk.choices:\n        print(chunk.choices[0].delta.content or \"\", end=\"\")\n```";

const TABLE: &str = "| figure | from | to |\n|---|---|---|\n| TTFT | request sent | first chunk with text |\n| \
     latency | request sent | end of the answer |\n| inter-token latency | one chunk | the next |";

const LIST: &str = "1. Pick a deployment that is ready.\n2. Pick one of its models.\n3. Ask something, and read:\n   - \
     tokens per second,\n   - time to first token,\n   - total latency.";

/// Filler of exactly `n` tokens, in sentences and paragraphs.
fn lorem(random: &mut Random, n: usize) -> Vec<String> {
    const WORDS: [&str; 24] = [
        "a",
        "simulated",
        "model",
        "writes",
        "plain",
        "words",
        "that",
        "mean",
        "nothing",
        "so",
        "one",
        "can",
        "watch",
        "tokens",
        "arrive",
        "while",
        "charts",
        "and",
        "figures",
        "are",
        "drawn",
        "from",
        "real",
        "time",
    ];
    (0..n)
        .map(|i| {
            let word = WORDS[random.below(WORDS.len())];
            match i {
                0 => word.to_owned(),
                i if i % 120 == 0 => format!(".\n\n{word}"),
                i if i % 15 == 0 => format!(". {word}"),
                _ => format!(" {word}"),
            }
        })
        .collect()
}

/// The same seed, model and messages give the same numbers.
fn random(seed: u64, model: &str, messages: &[Message]) -> Random {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(model);
    for message in messages {
        hash.update(message.content.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    Random::new(
        digest
            .iter()
            .take(8)
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(prompt: &str) -> Vec<Message> {
        vec![Message::new(Role::User, prompt)]
    }

    #[test]
    fn the_same_seed_gives_the_same_script() {
        let model = &DemoModel::all()[0];
        let write = |seed, prompt| {
            Script::write(
                seed,
                model,
                &ask(prompt),
                &OutputFormat::default(),
                AnswerLimits::default(),
            )
        };
        assert_eq!(write(1, "hello"), write(1, "hello"));
        assert_ne!(write(1, "hello").due, write(2, "hello").due);
        assert_ne!(write(1, "hello").due, write(1, "hallo").due);
    }

    #[test]
    fn lengths_are_kept() {
        let model = &DemoModel::all()[0];
        let most = |n, ignore_eos| AnswerLimits {
            max_tokens: Some(n),
            ignore_eos,
            thinking: true,
            ..AnswerLimits::default()
        };
        let script = Script::write(
            1,
            model,
            &ask("hi"),
            &OutputFormat::default(),
            most(5, false),
        );
        assert_eq!(
            (script.reasoning.len() + script.answer.len(), script.cut),
            (5, true)
        );
        let script = Script::write(
            1,
            model,
            &ask("hi"),
            &OutputFormat::default(),
            most(900, true),
        );
        assert_eq!(
            (script.reasoning.len() + script.answer.len(), script.cut),
            (900, false)
        );
        let stop = vec!["answer".to_owned()];
        let script = Script::write(
            1,
            model,
            &ask("hi"),
            &OutputFormat::default(),
            AnswerLimits {
                stop,
                ..AnswerLimits::default()
            },
        );
        assert_eq!(script.answer.concat(), "This is a **simulated ");
        let script = Script::write(
            1,
            model,
            &ask("write 2,000 tokens"),
            &OutputFormat::default(),
            AnswerLimits::default(),
        );
        assert_eq!(script.answer.len(), 2_000);
    }

    #[test]
    fn tokens_join_to_the_text() {
        for text in [
            "",
            " ",
            "a",
            "a bc  d\n\ne",
            "incomprehensibilities ünïcödé",
            "          x          ",
        ] {
            assert_eq!(tokens(text).concat(), text);
            assert_eq!(tokens(text).len() as u64, count_tokens(text), "{text:?}");
        }
    }

    #[test]
    fn every_answer_says_that_it_is_simulated() {
        for model in DemoModel::all() {
            let script = Script::write(
                1,
                &model,
                &ask("hello"),
                &OutputFormat::default(),
                AnswerLimits::default(),
            );
            assert!(
                script.answer.concat().contains("simulated answer"),
                "{}",
                model.name
            );
        }
    }

    #[test]
    fn made_up_prompts_have_the_length_that_was_asked() {
        use crate::domain::plan::{Lengths, Plan, Prompts};
        use crate::prompts::{PromptSource, fit::Calibrator};

        let count =
            |messages: &[Message]| prompt_tokens(messages.iter().map(|m| m.content.as_str()));
        for target in [16, 32, 256, 2_000] {
            let input_tokens = Lengths::Fixed(target);
            let prompts = Prompts::Synthetic {
                input_tokens,
                prefix_tokens: target / 3,
            };
            let plan = Plan {
                prompts,
                ..Plan::default()
            };
            let mut calibrator = Calibrator::new(&plan.prompts, 1);
            while let Some(probe) = calibrator.next() {
                calibrator.learn(count(&probe));
            }
            let (fit, requests) = calibrator.finish().expect("fits");
            assert_eq!(requests, 4);
            let source = PromptSource::new(&plan, None, Some(fit)).expect("a source");
            for index in 0..50 {
                assert_eq!(count(&source.draft(index).turns[0]), u64::from(target));
            }
        }
    }
}

//! What is sent to the model, and how long its answers may be.

use std::path::PathBuf;

use super::values::{ON, maybe, number, optional, put, switched};
use super::{Compare, FieldSpec, row};
use crate::domain::plan::{Field, HangUps, Images, Lengths, PlanEndpoint, Prompts, ThinkTime};
use crate::domain::run::known::Unknown;
use crate::domain::units::count;

const PROMPTS: &str = "Prompts and answers";
/// The largest seed that every reader of JSON keeps to the last digit.
const MAX_SEED: u64 = (1 << 53) - 1;

pub(super) const FIELDS: &[FieldSpec] = &[
    row(Field::Endpoint, "endpoint")
        .flag("endpoint", "NAME", PROMPTS)
        .help(
            "Send requests to this endpoint: chat, completions (the prompt without a chat template) or embeddings (latency \
             and input tokens/s alone, since nothing is streamed) [default: chat]",
        )
        .form("", "chat", "")
        .keys(&[("endpoint", "text", "completions or embeddings; left out for chat")])
        .part(Unknown::Prompts)
        .compare(Compare::Warn)
        .one(|plan| Some(plan.endpoint.name().to_owned()))
        .set(|plan, text| {
            plan.endpoint = PlanEndpoint::parse(text)?;
            if !plan.endpoint.streams() {
                plan.output_tokens = None;
            }
            Ok(())
        }),
    row(Field::Prompts, "prompts").part(Unknown::Prompts).compare(Compare::Warn).one(|plan| {
        Some(match plan.prompts {
            Prompts::Synthetic { .. } => "synthetic".to_owned(),
            Prompts::File(_) => "from a file".to_owned(),
        })
    }),
    row(Field::InputTokens, "input tokens")
        .flag("input-tokens", "L", PROMPTS)
        .help(
            "Generate prompts of L tokens, as the server counts them: 1000, 500-1500 or 1000±200 \
             [default: 256]",
        )
        .form("256", "256", "")
        .keys(&[(
            "prompts.synthetic.input_tokens",
            "text",
            "tokens of each prompt: 1000, 500-1500 or 1000±200",
        )])
        .part(Unknown::Prompts)
        .compare(Compare::Warn)
        .one(|plan| match &plan.prompts {
            Prompts::Synthetic { input_tokens, .. } => Some(input_tokens.to_string()),
            Prompts::File(_) => None,
        })
        .set(|plan, text| {
            let prompts = |input_tokens| Prompts::Synthetic { input_tokens, prefix_tokens: 0 };
            put(&mut plan.prompts, Lengths::parse(text).map(prompts))
        }),
    row(Field::PrefixTokens, "shared prefix tokens")
        .flag("prefix-tokens", "N", PROMPTS)
        .help(
            "Begin all generated prompts with the same N tokens, to measure prompt caches [default: \
             0]",
        )
        .form("0", "0", "")
        .keys(&[("prompts.synthetic.prefix_tokens", "count", "of them the same in all prompts")])
        .part(Unknown::Prompts)
        .compare(Compare::Warn)
        .one(|plan| match &plan.prompts {
            Prompts::Synthetic { prefix_tokens, .. } => Some(prefix_tokens.to_string()),
            Prompts::File(_) => None,
        })
        .set(|plan, text| match &mut plan.prompts {
            Prompts::Synthetic { prefix_tokens, .. } => {
                put(prefix_tokens, maybe(text, number).map(Option::unwrap_or_default))
            }
            Prompts::File(_) => Err("use it without --prompts".to_owned()),
        }),
    row(Field::PromptsFile, "prompts file")
        .flag("prompts", "FILE", PROMPTS)
        .conflicts(&["input-tokens", "prefix-tokens"])
        .help(
            "Read prompts from a file: JSONL, OpenAI batch, ShareGPT JSON, CSV with a column \
             \"prompt\", or one per line",
        )
        .form("/path/to/prompts.jsonl", "", "")
        .keys(&[("prompts.file", "text", "or the file that the prompts are from")])
        .part(Unknown::Prompts)
        .compare(Compare::Warn)
        .one(|plan| match &plan.prompts {
            Prompts::Synthetic { .. } => None,
            Prompts::File(file) => Some(file.display().to_string()),
        })
        .set(|plan, text| {
            plan.prompts = Prompts::File(PathBuf::from(text));
            if text.is_empty() { Err("choose a file of prompts".to_owned()) } else { Ok(()) }
        }),
    row(Field::Images, "images")
        .flag("images", "N@WxH", PROMPTS)
        .help(
            "Send N images of W x H pixels with each chat request, e.g. 2@512x512: JPEG, made up before the request is due, \
             no two alike",
        )
        .form("none", "", "")
        .keys(&[("images", "text", "images of each request, N@WxH; left out where there are none")])
        .part(Unknown::Prompts)
        .compare(Compare::Warn)
        .one(|plan| optional(plan.images))
        .set(|plan, text| put(&mut plan.images, maybe(text, Images::parse))),
    row(Field::Turns, "turns")
        .flag("turns", "N", PROMPTS)
        .help("Hold conversations of N turns; each request carries the messages before it [default: 1]")
        .form("1", "", "")
        .keys(&[("turns", "count", "of each conversation")])
        .part(Unknown::Turns)
        .compare(Compare::Warn)
        .one(|plan| Some(plan.turns.to_string()))
        .set(|plan, text| put(&mut plan.turns, maybe(text, number).map(|turns| turns.unwrap_or(1)))),
    row(Field::Think, "think time")
        .flag("think", "TIME", PROMPTS)
        .help("Wait this long between an answer and the next turn, as a reader would: 2s, 1s-3s or 2s±1s")
        .form("none", "", "s")
        .keys(&[("think", "text", "between turns: 2s, 1s-3s or 2s±1s; left out where clients do not wait")])
        .part(Unknown::Turns)
        .compare(Compare::Warn)
        .one(|plan| optional(plan.think))
        .set(|plan, text| put(&mut plan.think, maybe(text, ThinkTime::parse))),
    row(Field::HangUps, "clients that hang up")
        .flag("cancel", "SHARE@TIME", PROMPTS)
        .help(
            "Close the connection of this share of the requests after this time, e.g. 10%@500ms; they are in no figure \
             of time",
        )
        .form("none", "", "")
        .keys(&[("hang_ups", "text", "share of the clients that hang up, and when: 10%@500ms; left out where none does")])
        .part(Unknown::Turns)
        .compare(Compare::Warn)
        .one(|plan| optional(plan.hang_ups))
        .set(|plan, text| put(&mut plan.hang_ups, maybe(text, HangUps::parse))),
    row(Field::OutputTokens, "output tokens")
        .flag("output-tokens", "L|none", PROMPTS)
        .help(
            "Limit answers to L tokens (max_tokens): 128, 64-256 or 128±20; none leaves it to the \
             server [default: 128]",
        )
        .form("server's limit", "128", "")
        .keys(&[("output_tokens", "text", "max_tokens, written as input_tokens; null: the server's limit")])
        .part(Unknown::OutputTokens)
        .compare(Compare::Warn)
        .one(|plan| optional(plan.output_tokens))
        .set(|plan, text| put(&mut plan.output_tokens, maybe(text, Lengths::parse))),
    row(Field::IgnoreEos, "ignore EOS")
        .flag("ignore-eos", "", PROMPTS)
        .help(
            "Ask the server to generate all of max_tokens (ignore_eos), where the deployment allows \
             it",
        )
        .keys(&[("ignore_eos", "flag", "the server was asked to generate all of max_tokens")])
        .part(Unknown::IgnoreEos)
        .compare(Compare::Warn)
        .one(|plan| switched(plan.ignore_eos))
        .set(|plan, text| put(&mut plan.ignore_eos, Ok(text == ON))),
    row(Field::Seed, "seed")
        .flag("seed", "N", PROMPTS)
        .help(
            "Repeat the prompts and the arrival times of the session whose report has this seed \
             [default: random]",
        )
        .form("random", "", "")
        .keys(&[("seed", "count", "null: drawn at random, see seed above")])
        .one(|plan| optional(plan.seed))
        .set(|plan, text| match maybe(text, number::<u64>)? {
            Some(seed) if seed > MAX_SEED => Err(format!("at most {}", count(MAX_SEED))),
            seed => put(&mut plan.seed, Ok(seed)),
        }),
];

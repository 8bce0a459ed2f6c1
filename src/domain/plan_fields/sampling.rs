//! Sampling parameters.

use super::values::{ON, maybe, optional, put};
use super::{Compare, FieldSpec, row};
use crate::domain::extra_body::{self, HELP as EXTRA_BODY_HELP};
use crate::domain::plan::Field;
use crate::domain::run::known::Unknown;

const SAMPLING: &str = "Sampling";
/// As the command line calls them.
const SAMPLING_SENT: &str = "Sampling (sent only when set)";

pub(super) const FIELDS: &[FieldSpec] = &[
    row(Field::Temperature, "temperature")
        .flag("temperature", "", SAMPLING)
        .keys(&[(
            "params",
            "object",
            "sampling parameters, each null unless it was set",
        )])
        .part(Unknown::Params)
        .compare(Compare::List)
        .one(|plan| optional(plan.params.temperature)),
    row(Field::TopP, "top_p")
        .flag("top-p", "", SAMPLING)
        .part(Unknown::Params)
        .compare(Compare::List)
        .one(|plan| optional(plan.params.top_p)),
    row(Field::TopK, "top_k")
        .flag("top-k", "", SAMPLING)
        .part(Unknown::Params)
        .compare(Compare::List)
        .one(|plan| optional(plan.params.top_k)),
    row(Field::Stop, "stop sequences")
        .flag("stop", "", SAMPLING)
        .part(Unknown::Params)
        .compare(Compare::Warn)
        .each(|plan| plan.params.stop.clone()),
    row(Field::SamplingSeed, "sampling seed")
        .flag("sampling-seed", "", SAMPLING)
        .part(Unknown::Params)
        .one(|plan| optional(plan.params.seed)),
    row(Field::ReasoningEffort, "reasoning effort")
        .flag("reasoning-effort", "", SAMPLING)
        .part(Unknown::Params)
        .compare(Compare::Warn)
        .one(|plan| optional(plan.params.reasoning_effort.map(|effort| effort.as_str()))),
    row(Field::Thinking, "thinking")
        .flag("thinking", "ON", SAMPLING)
        .part(Unknown::Params)
        .compare(Compare::Warn)
        .one(|plan| optional(plan.params.thinking.map(|on| if on { ON } else { "off" }))),
    row(Field::ExtraBody, "extra body fields")
        .flag("extra-body", "JSON", SAMPLING_SENT)
        .help(EXTRA_BODY_HELP)
        .form("{\"min_p\": 0.1}", "", "")
        .part(Unknown::Params)
        .compare(Compare::Warn)
        .one(|plan| Some(plan.params.extra_body.clone()))
        .set(|plan, text| {
            let text = maybe(text, |text| extra_body::read(text).map(|_| text.to_owned()));
            put(
                &mut plan.params.extra_body,
                text.map(Option::unwrap_or_default),
            )
        }),
];

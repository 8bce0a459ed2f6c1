//! What can be set in a plan, described once. The form, the flags of `batida bench`, "Copy as command", reports,
//! comparisons and the text of `batida bench --schema` all read [`FIELDS`].

mod limits;
mod load;
mod prompts;
#[cfg(test)]
pub(crate) mod samples;
mod sampling;
mod values;

use std::sync::LazyLock;

pub use self::values::ON;
use self::values::{maybe, optional, put};
use super::plan::{Field, MetricsSource, Objectives, Plan, Price};
use super::run::BenchReport;
use super::run::known::{UNKNOWN, Unknown};

/// A field of a plan.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Which one.
    pub field: Field,
    /// In the middle of a sentence, e.g. `requests per level`.
    pub title: &'static str,
    /// The flag without its dashes; empty where no flag sets it.
    pub flag: &'static str,
    /// How the help names the flag's value; empty for a switch.
    pub value: &'static str,
    /// What the flag means without a value; empty where it needs one.
    pub missing: &'static str,
    /// The part of the help that lists the flag.
    pub heading: &'static str,
    /// The flag's help: what it does, in which unit, its default, an example.
    pub help: &'static str,
    /// Flags that cannot be used with it.
    pub conflicts: &'static [&'static str],
    /// What the form shows where nothing is typed.
    pub hint: &'static str,
    /// What the form begins with where the plan has no such field.
    pub start: &'static str,
    /// The unit of a bare number in the form: `s`, `%` or none.
    pub unit: &'static str,
    /// Whether it holds several values with commas between them.
    pub list: bool,
    /// Its keys in the JSON of a plan, with type and meaning; an empty meaning is the title.
    pub keys: &'static [(&'static str, &'static str, &'static str)],
    /// The part of an imported report that it belongs to.
    pub part: Option<Unknown>,
    /// What a comparison makes of two values.
    pub compare: Compare,
    /// How it is read off a plan.
    pub get: Get,
    /// How the form and the command line put it into a plan, in the order of [`FIELDS`]. `None` where another
    /// part of the program reads it.
    pub set: Option<Set>,
}

/// Puts a text into a plan, or says what is wrong with it. An empty text and `none` leave an optional field unset.
pub type Set = fn(&mut Plan, &str) -> Result<(), String>;

/// How a field is read off a plan.
#[derive(Debug, Clone, Copy)]
pub enum Get {
    /// A text as its flag takes it, `on` for a switch; empty where it is not set, `None` where a plan of this kind has
    /// no such field.
    One(fn(&Plan) -> Option<String>),
    /// Several texts, with a flag for each.
    Each(fn(&Plan) -> Vec<String>),
}

/// What a comparison makes of two values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// Nothing.
    Skip,
    /// A difference is listed.
    List,
    /// A difference makes the figures incomparable.
    Warn,
}

impl Field {
    /// Its description.
    pub fn spec(self) -> &'static FieldSpec {
        let mut all = FIELDS.iter();
        all.find(|spec| spec.field == self).unwrap_or(&FIELDS[0])
    }
}

impl FieldSpec {
    /// As a label: `Requests per level`.
    pub fn label(&self) -> String {
        sentence(self.title)
    }

    /// As people read it; empty where it is not set, `None` where a plan of this kind has no such field.
    pub fn words(&self, plan: &Plan) -> Option<String> {
        match self.get {
            Get::One(get) => get(plan).map(|text| self.spaced(&text)),
            Get::Each(get) => Some(
                get(plan)
                    .iter()
                    .map(|text| format!("{text:?}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        }
    }

    /// A list with spaces after its commas.
    pub fn spaced(&self, text: &str) -> String {
        if self.list {
            text.replace(',', ", ")
        } else {
            text.to_owned()
        }
    }
}

const GOALS: &str = "Goals";
const BESIDE: &str = "Beside the run";
const MODELS: &str = "Models";

const MODEL_FIELDS: &[FieldSpec] = &[
    row(Field::Model, "model")
        .flag("model", "", MODELS)
        .keys(&[("targets[].model", "text", "the model's serving name")])
        .each(|plan| {
            plan.targets
                .iter()
                .map(|target| target.model.clone())
                .collect()
        }),
    row(Field::Deployment, "deployment")
        .flag("deployment", "", MODELS)
        .keys(&[(
            "targets[].deployment",
            "text",
            "the deployment it belongs to; for people",
        )])
        .each(|plan| {
            let name =
                |deployment: &Option<String>| deployment.clone().unwrap_or_else(|| "-".to_owned());
            let mut names: Vec<String> = plan
                .targets
                .iter()
                .map(|target| name(&target.deployment))
                .collect();
            if names.iter().all(|name| *name == names[0]) {
                names.truncate(1);
            }
            if names == ["-"] { Vec::new() } else { names }
        }),
];

const GOAL_FIELDS: &[FieldSpec] = &[
    row(Field::Goodput, "goodput objectives")
        .flag("goodput", "LIMITS", GOALS)
        .help(
            "Count requests that meet all of these limits as goodput, e.g. ttft=500ms,itl=15ms; also \
             tpot and latency",
        )
        .form("ttft=500ms, itl=15ms", "", "")
        .list()
        .keys(&[
            ("objectives.ttft", "number", "ms; objectives that were not set are left out"),
            ("objectives.itl", "number", "ms"),
            ("objectives.tpot", "number", "ms"),
            ("objectives.latency", "number", "ms"),
        ])
        .part(Unknown::Objectives)
        .compare(Compare::List)
        .one(|plan| Some(plan.objectives.to_string()))
        .set(|plan, text| {
            put(&mut plan.objectives, maybe(text, Objectives::parse).map(Option::unwrap_or_default))
        }),
    row(Field::Price, "price")
        .flag("price", "PRICES", GOALS)
        .help(
            "Compute what a million output tokens cost at each level: prices per million tokens (in=0.60,out=1.20, \
             cached=0.30 for cached prompts), or of the deployment per hour (hour=42.5)",
        )
        .form("in=0.60, out=1.20", "", "")
        .list()
        .keys(&[("price", "text", "in, cached, out: of a million tokens; hour: of an hour; left out where not given")])
        .part(Unknown::Objectives)
        .compare(Compare::List)
        .one(|plan| optional(plan.price))
        .set(|plan, text| put(&mut plan.price, maybe(text, Price::parse))),
    row(Field::ServerMetrics, "server metrics")
        .flag("server-metrics", "SOURCE", BESIDE)
        .help(
            "Read the server's own metrics (queue, running requests, cache) once a second: auto for /metrics of the \
             API or of its pods, pods, an address, or off, which also opens no connection to time the network \
             [default: auto]",
        )
        .form("auto", "", "")
        .keys(&[
            (
                "server_metrics",
                "text",
                "where the server's metrics are read: pods, off or an address; left out for auto",
            ),
            ("server_metrics.url", "text", "this address"),
        ])
        .one(|plan| optional(Some(&plan.server_metrics).filter(|source| !source.is_auto())))
        .set(|plan, text| put(&mut plan.server_metrics, MetricsSource::parse(text))),
    row(Field::Tags, "tags")
        .flag("tag", "", "")
        .form("a, b", "", "")
        .keys(&[("tags", "list", "the user's own words")])
        .each(|plan| plan.tags.clone()),
];

/// A row with only its field and its title; the methods below add the rest.
const fn row(field: Field, title: &'static str) -> FieldSpec {
    FieldSpec {
        field,
        title,
        flag: "",
        value: "",
        missing: "",
        heading: "",
        help: "",
        conflicts: &[],
        hint: "",
        start: "",
        unit: "",
        list: false,
        keys: &[],
        part: None,
        compare: Compare::Skip,
        get: Get::One(|_| None),
        set: None,
    }
}

/// Builder methods, each named after the field that it sets.
impl FieldSpec {
    const fn flag(self, flag: &'static str, value: &'static str, heading: &'static str) -> Self {
        Self {
            flag,
            value,
            heading,
            ..self
        }
    }

    const fn without_value(self, missing: &'static str) -> Self {
        Self { missing, ..self }
    }

    const fn conflicts(self, conflicts: &'static [&'static str]) -> Self {
        Self { conflicts, ..self }
    }

    const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    const fn form(self, hint: &'static str, start: &'static str, unit: &'static str) -> Self {
        Self {
            hint,
            start,
            unit,
            ..self
        }
    }

    const fn list(self) -> Self {
        Self { list: true, ..self }
    }

    const fn keys(self, keys: &'static [(&'static str, &'static str, &'static str)]) -> Self {
        Self { keys, ..self }
    }

    const fn part(self, part: Unknown) -> Self {
        Self {
            part: Some(part),
            ..self
        }
    }

    const fn compare(self, compare: Compare) -> Self {
        Self { compare, ..self }
    }

    const fn one(self, get: fn(&Plan) -> Option<String>) -> Self {
        Self {
            get: Get::One(get),
            ..self
        }
    }

    const fn each(self, get: fn(&Plan) -> Vec<String>) -> Self {
        Self {
            get: Get::Each(get),
            ..self
        }
    }

    const fn set(self, set: Set) -> Self {
        Self {
            set: Some(set),
            ..self
        }
    }
}

/// Every field, in the order in which flags and the form set them: a field may change the default of a later one.
pub static FIELDS: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| {
    let parts = [
        MODEL_FIELDS,
        load::FIELDS,
        limits::FIELDS,
        prompts::FIELDS,
        sampling::FIELDS,
        GOAL_FIELDS,
    ];
    parts.into_iter().flatten().copied().collect()
});

/// What a report for people says of its plan: a label and a value for all that is set, and what is not known.
pub fn facts(report: &BenchReport) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut unknown: Vec<String> = Vec::new();
    for spec in FIELDS.iter() {
        if let Some(part) = spec.part.filter(|part| !report.knows(*part)) {
            if !unknown.contains(&part.name()) {
                unknown.push(part.name());
            }
            continue;
        }
        let words = match spec.field {
            // Reports tell these apart from the plan.
            Field::Model | Field::Deployment | Field::Tags => None,
            // A trace may have prompts and lengths of its own, which stand before the plan's.
            Field::Prompts => report.prompts_told(),
            Field::InputTokens | Field::PrefixTokens | Field::PromptsFile | Field::Images => None,
            Field::Endpoint => report.endpoint_told().map(str::to_owned),
            Field::OutputTokens => report.answers_told(),
            Field::Trace => spec.words(&report.plan).map(|file| match &report.trace {
                Some(trace) => format!("{file}: {}", trace.told()),
                None => file,
            }),
            // The seed that was drawn.
            Field::Seed => report.seed().map(|seed| seed.to_string()),
            Field::Goodput => spec
                .words(&report.plan)
                .map(|limits| limits.replace('=', " ≤ ")),
            _ => spec.words(&report.plan),
        };
        match words {
            Some(words) if words == UNKNOWN => unknown.push(spec.title.to_owned()),
            Some(words) if !words.is_empty() => facts.push((spec.label(), words)),
            _ => {}
        }
    }
    if !unknown.is_empty() {
        facts.push((sentence(UNKNOWN), unknown.join(", ")));
    }
    facts
}

/// The plan's part of `batida bench --schema`: a line for each key.
pub fn schema() -> String {
    let mut out = "\nTHE PLAN, each key after plan.\n".to_owned();
    for spec in FIELDS.iter() {
        for (key, kind, meaning) in spec.keys {
            let meaning = if meaning.is_empty() {
                spec.title
            } else {
                meaning
            };
            out.push_str(&format!("  plan.{key:<33} {kind:<8} {meaning}\n"));
        }
    }
    out
}

/// With its first letter in upper case.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;

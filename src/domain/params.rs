//! The sampling parameters of a chat. Each is declared once, in [`PARAMETERS`]: the request's body, the form, the flags
//! of the command line, "Copy as command", the comparison of benchmarks and View code all walk that table.

use serde::{Deserialize, Serialize};

use super::chat_options::{AnswerFormat, Effort, Tool};

/// Sampling parameters. Only what is `Some` is sent, so that the server's defaults stay the server's.
///
/// Each field but `format`, `tools` and `extra_body`, which have forms of their own, has its row in [`PARAMETERS`]; a test checks
/// that they match.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Params {
    /// `max_tokens`, from 1.
    pub max_tokens: Option<u32>,
    /// `temperature`, 0 to 2.
    pub temperature: Option<f64>,
    /// `top_p`, 0 to 1.
    pub top_p: Option<f64>,
    /// `top_k`, 1 to 100.
    pub top_k: Option<u32>,
    /// `stop`: sequences that end the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// `seed`.
    pub seed: Option<i64>,
    /// `reasoning_effort`.
    pub reasoning_effort: Option<Effort>,
    /// `chat_template_kwargs.enable_thinking`.
    pub thinking: Option<bool>,
    /// `response_format`.
    pub format: Option<AnswerFormat>,
    /// Further fields of the body: a JSON object as the user typed it, empty for none. Nothing is sent of what
    /// [`super::extra_body::read`] refuses.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub extra_body: String,
    /// `tools`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
}

impl Params {
    /// How many of them the user set.
    pub fn count_set(&self) -> usize {
        let own = [
            self.format.is_some(),
            self.tools.iter().any(|tool| !tool.off),
            !self.extra_body.trim().is_empty(),
        ];
        let set = PARAMETERS
            .iter()
            .map(|parameter| parameter.value(self).is_some());
        set.chain(own).filter(|set| *set).count()
    }
}

/// What a parameter is set to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ParamValue {
    /// A number.
    Number(f64),
    /// A whole number.
    Whole(i64),
    /// One of several words.
    Word(&'static str),
    /// On or off.
    Switch(bool),
    /// Texts; never none.
    Texts(Vec<String>),
}

impl ParamValue {
    /// Whether JSON can hold it: JSON has neither infinite numbers nor NaN.
    pub fn can_be_sent(&self) -> bool {
        !matches!(self, Self::Number(number) if !number.is_finite())
    }

    /// As the command line writes it, one for each time that the flag is given.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Number(number) => vec![number.to_string()],
            Self::Whole(number) => vec![number.to_string()],
            Self::Word(word) => vec![(*word).to_owned()],
            Self::Switch(on) => vec![if *on { "on" } else { "off" }.to_owned()],
            Self::Texts(texts) => texts.clone(),
        }
    }
}

/// Which values a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParamKind {
    /// A number.
    Number {
        /// The least and the most.
        range: (f64, f64),
        /// The form's first value.
        first: f64,
        /// How much dragging by a pixel changes it.
        step: f64,
    },
    /// A whole number.
    Whole {
        /// The least and the most on the command line.
        range: (i64, i64),
        /// The most in the form; lower, since a drag can go too far.
        form_most: i64,
        /// The form's first value.
        first: i64,
        /// How much dragging by a pixel changes it.
        step: f64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// On or off.
    Switch,
    /// Texts, in the form one a line.
    Texts,
}

/// A parameter of a chat.
#[derive(Debug)]
pub struct Parameter {
    /// Its name in the request's body and in the settings.
    pub key: &'static str,
    /// Its name in `chat_template_kwargs`, for what stands there and not in the body itself.
    pub template_option: Option<&'static str>,
    /// The form's label.
    pub title: &'static str,
    /// The flag of `batida chat`, without its dashes.
    pub flag: &'static str,
    /// The flag of `batida bench`; `None` where the plan states it in another way.
    pub bench_flag: Option<&'static str>,
    /// The flag's value in the help.
    pub value_name: &'static str,
    /// The flag's help.
    pub help: &'static str,
    /// Which values it takes.
    pub kind: ParamKind,
    /// What a comparison of benchmarks calls it, and whether runs that differ in it did different work; `None` where
    /// it is not compared.
    pub compared: Option<(&'static str, bool)>,
    /// Whether OpenAI's Python package takes it as an argument; else it goes into `extra_body`.
    pub in_openai_package: bool,
    get: fn(&Params) -> Option<ParamValue>,
    set: fn(&mut Params, Option<ParamValue>),
}

impl Parameter {
    /// What it is set to; `None` where it is not.
    pub fn value(&self, params: &Params) -> Option<ParamValue> {
        (self.get)(params)
    }

    /// Sets it, or with `None` leaves it to the server. A value of another kind leaves it to the server, too.
    pub fn set(&self, params: &mut Params, value: Option<ParamValue>) {
        (self.set)(params, value);
    }

    /// Its name in the body of a request.
    pub fn body_key(&self) -> &'static str {
        if self.template_option.is_some() {
            TEMPLATE_OPTIONS
        } else {
            self.key
        }
    }
}

/// The field of a body that holds the options of the model's chat template.
pub const TEMPLATE_OPTIONS: &str = "chat_template_kwargs";

/// How a field is read and written as a [`ParamValue`].
macro_rules! field {
    (Number, $field:ident) => {
        (
            |params| params.$field.map(ParamValue::Number),
            |params, value| {
                params.$field = match value {
                    Some(ParamValue::Number(number)) => Some(number),
                    _ => None,
                }
            },
        )
    };
    (Whole, $field:ident) => {
        (
            |params| params.$field.map(|number| ParamValue::Whole(number.into())),
            |params, value| {
                params.$field = match value {
                    Some(ParamValue::Whole(number)) => number.try_into().ok(),
                    _ => None,
                }
            },
        )
    };
}

type Access = (
    fn(&Params) -> Option<ParamValue>,
    fn(&mut Params, Option<ParamValue>),
);

const MAX_TOKENS: Access = field!(Whole, max_tokens);
const TEMPERATURE: Access = field!(Number, temperature);
const TOP_P: Access = field!(Number, top_p);
const TOP_K: Access = field!(Whole, top_k);
const SEED: Access = field!(Whole, seed);

/// All of them, in the order in which they are sent.
pub const PARAMETERS: &[Parameter] = &[
    Parameter {
        key: "max_tokens",
        template_option: None,
        title: "Max tokens",
        flag: "max-tokens",
        bench_flag: None,
        value_name: "N",
        help: "Generate at most N tokens (max_tokens), e.g. 200",
        kind: ParamKind::Whole {
            range: (1, 4_294_967_295),
            form_most: 1_000_000,
            first: 1_024,
            step: 8.0,
        },
        compared: None,
        in_openai_package: true,
        get: MAX_TOKENS.0,
        set: MAX_TOKENS.1,
    },
    Parameter {
        key: "temperature",
        template_option: None,
        title: "Temperature",
        flag: "temperature",
        bench_flag: Some("temperature"),
        value_name: "T",
        help: "Sample at this temperature, 0 to 2, e.g. 0.7",
        kind: ParamKind::Number {
            range: (0.0, 2.0),
            first: 0.7,
            step: 0.01,
        },
        compared: Some(("temperature", false)),
        in_openai_package: true,
        get: TEMPERATURE.0,
        set: TEMPERATURE.1,
    },
    Parameter {
        key: "top_p",
        template_option: None,
        title: "Top p",
        flag: "top-p",
        bench_flag: Some("top-p"),
        value_name: "P",
        help: "Sample from the tokens that make up this probability (top_p), 0 to 1, e.g. 0.9",
        kind: ParamKind::Number {
            range: (0.0, 1.0),
            first: 0.95,
            step: 0.005,
        },
        compared: Some(("top_p", false)),
        in_openai_package: true,
        get: TOP_P.0,
        set: TOP_P.1,
    },
    Parameter {
        key: "top_k",
        template_option: None,
        title: "Top k",
        flag: "top-k",
        bench_flag: Some("top-k"),
        value_name: "K",
        help: "Sample from the K most likely tokens (top_k), 1 to 100, e.g. 40",
        kind: ParamKind::Whole {
            range: (1, 100),
            form_most: 100,
            first: 40,
            step: 0.5,
        },
        compared: Some(("top_k", false)),
        in_openai_package: false,
        get: TOP_K.0,
        set: TOP_K.1,
    },
    Parameter {
        key: "stop",
        template_option: None,
        title: "Stop sequences",
        flag: "stop",
        bench_flag: Some("stop"),
        value_name: "TEXT",
        help: "End the answer at this text; can be repeated",
        kind: ParamKind::Texts,
        compared: Some(("stop", true)),
        in_openai_package: true,
        get: |params| (!params.stop.is_empty()).then(|| ParamValue::Texts(params.stop.clone())),
        set: |params, value| {
            params.stop = match value {
                Some(ParamValue::Texts(texts)) => texts,
                _ => Vec::new(),
            }
        },
    },
    Parameter {
        key: "seed",
        template_option: None,
        title: "Seed",
        flag: "seed",
        // The plan's own seed, of prompts and arrivals, has the usual name.
        bench_flag: Some("sampling-seed"),
        value_name: "N",
        help: "Send this sampling seed to the server, e.g. 42",
        kind: ParamKind::Whole {
            range: (i64::MIN, i64::MAX),
            form_most: i64::MAX,
            first: 42,
            step: 1.0,
        },
        compared: None,
        in_openai_package: true,
        get: SEED.0,
        set: SEED.1,
    },
    Parameter {
        key: "reasoning_effort",
        template_option: None,
        title: "Reasoning effort",
        flag: "reasoning-effort",
        bench_flag: Some("reasoning-effort"),
        value_name: "LEVEL",
        help: "Set how much a reasoning model thinks",
        kind: ParamKind::Word(&Effort::WORDS),
        compared: Some(("reasoning effort", true)),
        in_openai_package: true,
        get: |params| {
            params
                .reasoning_effort
                .map(|effort| ParamValue::Word(effort.as_str()))
        },
        set: |params, value| {
            params.reasoning_effort = match value {
                Some(ParamValue::Word(word)) => Effort::ALL
                    .into_iter()
                    .find(|effort| effort.as_str() == word),
                _ => None,
            }
        },
    },
    Parameter {
        key: "thinking",
        template_option: Some("enable_thinking"),
        title: "Thinking",
        flag: "thinking",
        bench_flag: Some("thinking"),
        value_name: "ON",
        help: "Switch thinking on or off, for a model that can do both",
        kind: ParamKind::Switch,
        compared: Some(("thinking", true)),
        in_openai_package: false,
        get: |params| params.thinking.map(ParamValue::Switch),
        set: |params, value| {
            params.thinking = match value {
                Some(ParamValue::Switch(on)) => Some(on),
                _ => None,
            }
        },
    },
];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A value that the form could give.
    fn some_value(kind: ParamKind) -> ParamValue {
        match kind {
            ParamKind::Number { first, .. } => ParamValue::Number(first),
            ParamKind::Whole { first, .. } => ParamValue::Whole(first),
            ParamKind::Word(words) => ParamValue::Word(words[0]),
            ParamKind::Switch => ParamValue::Switch(false),
            ParamKind::Texts => ParamValue::Texts(vec!["END".to_owned()]),
        }
    }

    /// With every parameter of the table set.
    pub(crate) fn all_set() -> Params {
        let mut params = Params::default();
        for parameter in PARAMETERS {
            parameter.set(&mut params, Some(some_value(parameter.kind)));
        }
        params
    }

    #[test]
    fn every_field_has_its_row_and_every_row_its_field() {
        let all = all_set();
        assert_eq!(all.count_set(), PARAMETERS.len());
        let fields = serde_json::to_value(&all).expect("it is JSON");
        let unset: Vec<&String> = fields
            .as_object()
            .expect("an object")
            .iter()
            .filter_map(|(name, value)| value.is_null().then_some(name))
            .collect();
        // Tools are left out while there are none. All others are set by their row.
        assert_eq!(unset, ["format"], "a field without a row in PARAMETERS");
        for parameter in PARAMETERS {
            assert!(
                fields.get(parameter.key).is_some(),
                "{} is kept under another name",
                parameter.key
            );
            let mut one = Params::default();
            let value = some_value(parameter.kind);
            parameter.set(&mut one, Some(value.clone()));
            assert_eq!(
                (parameter.value(&one), one.count_set()),
                (Some(value), 1),
                "{}",
                parameter.key
            );
            parameter.set(&mut one, None);
            assert_eq!(one, Params::default(), "{}", parameter.key);
        }
    }
}

//! What a benchmark session is to do. Built by the page's form and by `batida bench` alike.

mod clients;
mod endpoint;
mod estimate;
mod find;
mod lengths;
mod load;
mod objectives;
mod price;
mod server_metrics;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::clients::{HangUps, ThinkTime};
pub use self::endpoint::{Images, PlanEndpoint};
pub use self::estimate::{Caution, Estimate, Speed};
pub use self::find::{Bound, DEFAULT_SHARE, DEFAULT_UP_TO, Find, Limit, LimitFigure, Raise};
pub use self::lengths::Lengths;
pub use self::load::{Arrivals, GAMMA_SHAPES, LevelLoad, Load, TimeUnit};
pub use self::objectives::Objectives;
pub use self::price::{Answered, Price};
pub use self::server_metrics::MetricsSource;
use super::conversation::Params;

/// A benchmark session: each target in turn, and for each target each level of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// What is loaded, one after the other. Never empty in a plan that [`Plan::problems`] finds sound.
    pub targets: Vec<Target>,
    /// How requests are sent.
    pub load: Load,
    /// When a level ends.
    pub level_ends: Ends,
    /// When the whole session ends.
    pub session_ends: Ends,
    /// How often all of it is run, one round after the other, so that what changes with time meets every load alike.
    #[serde(skip_serializing_if = "is_once")]
    pub repeat: u32,
    /// Between two rounds nothing is sent for this long.
    #[serde(
        with = "super::units::as_seconds",
        skip_serializing_if = "Duration::is_zero"
    )]
    pub cool_down: Duration,
    /// Requests before each level and at each switch of the model, left out of the figures.
    pub warmup: u32,
    /// Over how long the clients of a level begin, or its rate rises; zero for at once.
    #[serde(with = "super::units::as_seconds")]
    pub ramp_up: Duration,
    /// What requests are sent to.
    #[serde(skip_serializing_if = "PlanEndpoint::is_chat")]
    pub endpoint: PlanEndpoint,
    /// What is said.
    pub prompts: Prompts,
    /// Images in each request; `None` for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<Images>,
    /// Turns of each conversation; 1 sends single requests.
    pub turns: u32,
    /// How long a client thinks between an answer and its next turn; `None`: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub think: Option<ThinkTime>,
    /// Clients that hang up; `None`: all wait for their answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hang_ups: Option<HangUps>,
    /// `max_tokens` of each request; `None` leaves it to the server.
    pub output_tokens: Option<Lengths>,
    /// Asks the server to go on to `max_tokens` (`ignore_eos`), where the deployment allows it.
    pub ignore_eos: bool,
    /// Sampling parameters; `max_tokens` is taken from `output_tokens`.
    pub params: Params,
    /// A request that takes longer is an error.
    #[serde(with = "super::units::as_seconds")]
    pub timeout: Duration,
    /// What a request must meet to count as goodput.
    pub objectives: Objectives,
    /// What tokens cost; `None` where the user does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Where the server's own metrics are read from meanwhile.
    #[serde(skip_serializing_if = "MetricsSource::is_auto")]
    pub server_metrics: MetricsSource,
    /// A rate goes on although its requests come faster than they are answered; else its level ends as saturated.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_saturated: bool,
    /// The same seed sends the same prompts at the same moments. `None` draws another for each session, so that a
    /// second run finds none of its prompts in the server's cache; its report says which.
    pub seed: Option<u64>,
    /// The user's own words, kept with the figures.
    pub tags: Vec<String>,
}

fn is_once(repeat: &u32) -> bool {
    *repeat == 1
}

/// A model to be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The deployment it belongs to; for people, since the API only knows the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// Its serving name.
    pub model: String,
}

/// When a level or a session ends: at the first of these that comes true.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ends {
    /// So many measured requests were sent.
    pub requests: Option<u64>,
    /// So much time has passed; no new request is sent then, those in flight are waited for.
    #[serde(with = "super::units::as_seconds_or_none")]
    pub after: Option<Duration>,
    /// This share of the measured requests failed (0 to 1), or more, of at least 20.
    pub error_share: Option<f64>,
}

/// What is said to the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Prompts {
    /// Made up, unique in each request from its first word.
    Synthetic {
        /// Tokens of each prompt as the server counts them, chat template and prefix included.
        input_tokens: Lengths,
        /// Tokens at the beginning that all requests share, to measure prompt caches; 0 for none.
        prefix_tokens: u32,
    },
    /// From a file: JSONL with `prompt` or `messages`, ShareGPT JSON, or plain text with a prompt per line. See
    /// [`crate::prompts::files`].
    File(PathBuf),
}

/// One level: a target under one load.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Counts the session's levels from 0.
    pub index: usize,
    /// Counts the plan's rounds from 0.
    pub run: u32,
    /// Which of the plan's targets.
    pub target: usize,
    /// The load.
    pub load: LevelLoad,
}

/// Something in a plan that cannot work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub field: Field,
    /// What and what would work, e.g. `at least one request a level`.
    pub text: String,
}

/// The fields of a plan; [`super::plan_fields::FIELDS`] describes each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "described in FIELDS")]
pub enum Field {
    Model,
    Deployment,
    Load,
    Concurrency,
    Sweep,
    Find,
    And,
    AtLeast,
    FindBy,
    UpTo,
    Rate,
    Max,
    Trace,
    Arrivals,
    Poisson,
    TraceUnit,
    MaxInFlight,
    KeepSaturated,
    RampUp,
    Warmup,
    LevelTime,
    LevelRequests,
    LevelErrors,
    SessionTime,
    SessionRequests,
    SessionErrors,
    Repeat,
    CoolDown,
    Timeout,
    Endpoint,
    Prompts,
    InputTokens,
    PrefixTokens,
    PromptsFile,
    Images,
    Turns,
    Think,
    HangUps,
    OutputTokens,
    IgnoreEos,
    Seed,
    Temperature,
    TopP,
    TopK,
    Stop,
    SamplingSeed,
    ReasoningEffort,
    Thinking,
    ExtraBody,
    Goodput,
    Price,
    ServerMetrics,
    Tags,
}

/// More clients than any one machine of ours drives.
pub const MOST_CLIENTS: u32 = 20_000;
/// Requests per second.
pub const MOST_RATE: f64 = 100_000.0;
/// Runs of a plan: more say nothing more of how they vary.
const MOST_RUNS: u32 = 100;
/// Tokens of a prompt or an answer.
pub const MOST_TOKENS: u32 = 1_000_000;

impl Default for Plan {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            load: Load::Concurrency(vec![1, 2, 4, 8, 16]),
            level_ends: Ends {
                requests: Some(100),
                after: None,
                error_share: None,
            },
            session_ends: Ends {
                requests: None,
                after: Some(Duration::from_secs(600)),
                error_share: Some(0.05),
            },
            repeat: 1,
            cool_down: Duration::ZERO,
            warmup: 4,
            ramp_up: Duration::ZERO,
            endpoint: PlanEndpoint::Chat,
            prompts: Prompts::default(),
            images: None,
            turns: 1,
            think: None,
            hang_ups: None,
            output_tokens: Some(Lengths::Fixed(128)),
            ignore_eos: false,
            params: Params::default(),
            timeout: Duration::from_secs(600),
            objectives: Objectives::default(),
            price: None,
            server_metrics: MetricsSource::Auto,
            keep_saturated: false,
            seed: None,
            tags: Vec::new(),
        }
    }
}

impl Default for Prompts {
    fn default() -> Self {
        Self::Synthetic {
            input_tokens: Lengths::Fixed(256),
            prefix_tokens: 0,
        }
    }
}

impl Plan {
    /// The levels in the order in which they are run; none for a search, whose next level depends on the last.
    pub fn levels(&self) -> Vec<Level> {
        let loads = self.load.levels();
        let mut levels = Vec::new();
        for run in 0..self.repeat.min(MOST_RUNS) {
            for target in 0..self.targets.len() {
                levels.extend(loads.iter().map(|load| (run, target, *load)));
            }
        }
        let numbered = levels.into_iter().enumerate();
        numbered
            .map(|(index, (run, target, load))| Level {
                index,
                run,
                target,
                load,
            })
            .collect()
    }

    /// Everything that cannot work. Empty for a sound plan.
    pub fn problems(&self) -> Vec<Problem> {
        let mut out = Vec::new();
        let mut say = |field, text: &str| {
            out.push(Problem {
                field,
                text: text.to_owned(),
            })
        };
        if self.targets.is_empty() {
            say(Field::Model, "choose at least one model");
        }
        self.load.check(&mut say);
        let endless = self.level_ends.is_open() && self.session_ends.is_open();
        if endless && !matches!(self.load, Load::Trace { .. } | Load::Find(_)) {
            say(
                Field::LevelRequests,
                "set when a level ends: a number of requests, or a time",
            );
        } else if self.level_ends.is_open() && self.levels().len() > 1 {
            say(
                Field::LevelRequests,
                "several levels each need an end: a number of requests, or a time",
            );
        }
        let level = [Field::LevelRequests, Field::LevelTime, Field::LevelErrors];
        self.level_ends.check(level, &mut say);
        let session = [
            Field::SessionRequests,
            Field::SessionTime,
            Field::SessionErrors,
        ];
        self.session_ends.check(session, &mut say);
        self.client_problems(&mut say);
        if self.ramp_up > Duration::from_secs(3_600) {
            say(Field::RampUp, "at most an hour");
        }
        if let Prompts::Synthetic {
            input_tokens,
            prefix_tokens,
        } = &self.prompts
        {
            input_tokens.check(&mut |text| say(Field::InputTokens, text));
            if *prefix_tokens >= input_tokens.least() && *prefix_tokens > 0 {
                say(
                    Field::PrefixTokens,
                    "the shared prefix must be shorter than the shortest prompt",
                );
            }
        }
        if !(1..=1_000).contains(&self.turns) {
            say(Field::Turns, "a conversation has 1 to 1,000 turns");
        }
        match &self.output_tokens {
            Some(lengths) => lengths.check(&mut |text| say(Field::OutputTokens, text)),
            None if self.ignore_eos => {
                say(
                    Field::OutputTokens,
                    "without a limit, answers that ignore EOS never end",
                );
            }
            None => {}
        }
        if self.timeout < Duration::from_millis(10) || self.timeout > Duration::from_secs(86_400) {
            say(
                Field::Timeout,
                "a request timeout is at least 10 ms and at most a day",
            );
        }
        if self
            .objectives
            .all()
            .iter()
            .flatten()
            .any(Duration::is_zero)
        {
            say(Field::Goodput, "no request meets an objective of zero");
        }
        out
    }
}

impl Plan {
    /// What of its rounds, its clients and its endpoint cannot work.
    fn client_problems(&self, say: &mut impl FnMut(Field, &str)) {
        self.endpoint_problems(say);
        if !(1..=MOST_RUNS).contains(&self.repeat) {
            say(Field::Repeat, "a plan is run 1 to 100 times");
        }
        if self.repeat > 1 && self.load.find().is_some() {
            say(Field::Repeat, "a search for the highest load is run once");
        }
        if self.cool_down > Duration::from_secs(3_600) {
            say(Field::CoolDown, "at most an hour");
        }
        if self.think.is_some() && self.turns == 1 {
            say(
                Field::Think,
                "clients think between turns: a conversation needs at least 2",
            );
        }
        if let Some(problem) = self.hang_ups.and_then(HangUps::problem) {
            say(Field::HangUps, problem);
        }
    }
}

/// A share of errors is no share before so many requests.
const LEAST_FOR_SHARE: u64 = 20;

impl Ends {
    /// Whether the share of errors that ends it is reached.
    pub fn too_many_failed(&self, failed: u64, ended: u64) -> bool {
        // A quotient, so that 3 of 30 is the very 0.1 that was asked for.
        self.error_share.is_some_and(|share| {
            // One failure in the first 20 would be the usual 5 %.
            let enough = ended > LEAST_FOR_SHARE || ended == LEAST_FOR_SHARE && failed > 1;
            enough && failed as f64 / ended as f64 >= share
        })
    }

    /// Whether only failures end it.
    pub fn is_open(&self) -> bool {
        self.requests.is_none() && self.after.is_none()
    }

    fn check(&self, [requests, time, errors]: [Field; 3], say: &mut impl FnMut(Field, &str)) {
        if self.requests == Some(0) {
            say(requests, "at least one request");
        }
        if self
            .after
            .is_some_and(|after| after < Duration::from_millis(10))
        {
            say(time, "at least 10 ms");
        }
        if self
            .after
            .is_some_and(|after| after > Duration::from_secs(31_536_000))
        {
            say(time, "at most a year");
        }
        if self
            .error_share
            .is_some_and(|share| !(share > 0.0 && share <= 1.0))
        {
            say(errors, "a share of errors is more than 0 and at most 100 %");
        }
    }
}

#[cfg(test)]
mod tests;

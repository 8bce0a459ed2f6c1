//! What a benchmark session is to do. Built by the page's form and by `batida bench` alike.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    /// Requests before each level and at each switch of the model, left out of the figures.
    pub warmup: u32,
    /// Over how long the clients of a level begin, or its rate rises; zero for at once.
    #[serde(with = "super::units::as_seconds")]
    pub ramp_up: Duration,
    /// What is said.
    pub prompts: Prompts,
    /// Turns of each conversation; 1 sends single requests.
    pub turns: u32,
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
    /// The same seed sends the same prompts at the same moments. `None` draws another for each session, so that a
    /// second run finds none of its prompts in the server's cache; its report says which.
    pub seed: Option<u64>,
    /// The user's own words, kept with the figures.
    pub tags: Vec<String>,
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

/// How requests are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Load {
    /// Closed loop: so many clients, each sends its next request when its answer is there. A level each;
    /// several make a sweep.
    Concurrency(Vec<u32>),
    /// Open loop: so many requests per second, whether or not earlier ones have been answered. A level each.
    Rate {
        /// Requests per second.
        per_sec: Vec<f64>,
        /// How they are spaced.
        arrivals: Arrivals,
        /// At most so many in flight; a request that is due then waits, and the wait counts.
        most_in_flight: Option<u32>,
    },
    /// As fast as possible: every request is due at once, with at most so many in flight.
    Max {
        /// In flight at most; 0 where an imported file says no limit.
        in_flight: u32,
    },
    /// Replays a trace: JSONL or CSV with a send time per request.
    Trace {
        /// The file.
        file: PathBuf,
        /// At most so many in flight.
        most_in_flight: Option<u32>,
        /// The unit of its times; `None` reads it off the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<TimeUnit>,
    },
    /// A load that an imported file does not say. It cannot be run.
    Unknown,
}

/// The unit of the times of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl TimeUnit {
    /// All of them, the longest first.
    pub const ALL: [Self; 4] = [Self::S, Self::Ms, Self::Us, Self::Ns];

    /// As it is written: `s`, `ms`, `us`, `ns`.
    pub fn name(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::Ms => "ms",
            Self::Us => "us",
            Self::Ns => "ns",
        }
    }

    /// One of them in seconds.
    pub fn seconds(self) -> f64 {
        match self {
            Self::S => 1.0,
            Self::Ms => 1e-3,
            Self::Us => 1e-6,
            Self::Ns => 1e-9,
        }
    }

    /// Reads `s`, `ms`, `us` and `ns`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL
            .into_iter()
            .find(|unit| unit.name() == text || (text == "µs" && *unit == Self::Us));
        found.ok_or_else(|| format!("{text:?} is not a unit of time: write s, ms, us or ns"))
    }
}

/// How the requests of a rate are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Evenly.
    Constant,
    /// At random, as independent users would (exponential gaps, seeded).
    Poisson,
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

/// A length in tokens, fixed or drawn anew for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Lengths {
    /// `1000`
    Fixed(u32),
    /// `500-1500`: any of these, all as likely.
    Uniform {
        /// The shortest.
        least: u32,
        /// The longest.
        most: u32,
    },
    /// `1000±200` (or `1000+-200`): normally distributed, cut at 1.
    Normal {
        /// The mean.
        mean: u32,
        /// The standard deviation.
        deviation: u32,
    },
}

/// What a request must meet; it counts as goodput when it meets all that are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objectives {
    /// Time to first token.
    #[serde(
        with = "super::units::as_ms_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub ttft: Option<Duration>,
    /// The request's mean inter-token latency.
    #[serde(
        with = "super::units::as_ms_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub itl: Option<Duration>,
    /// Time per output token.
    #[serde(
        with = "super::units::as_ms_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub tpot: Option<Duration>,
    /// Due to end of answer.
    #[serde(
        with = "super::units::as_ms_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub latency: Option<Duration>,
}

/// One level: a target under one load.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Counts the session's levels from 0.
    pub index: usize,
    /// Which of the plan's targets.
    pub target: usize,
    /// The load.
    pub load: LevelLoad,
}

/// The load of one level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LevelLoad {
    /// Closed loop with so many clients.
    Concurrency(u32),
    /// Open loop.
    Rate {
        /// Requests per second.
        per_sec: f64,
        /// How they are spaced.
        arrivals: Arrivals,
        /// At most so many in flight.
        most_in_flight: Option<u32>,
    },
    /// As fast as possible.
    Max {
        /// In flight at most; 0 where an imported file says no limit.
        in_flight: u32,
    },
    /// A trace.
    Trace {
        /// At most so many in flight.
        most_in_flight: Option<u32>,
    },
    /// A load that an imported file does not say.
    Unknown,
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
    Rate,
    Max,
    Trace,
    Poisson,
    TraceUnit,
    MaxInFlight,
    RampUp,
    Warmup,
    LevelTime,
    LevelRequests,
    LevelErrors,
    SessionTime,
    SessionRequests,
    SessionErrors,
    Timeout,
    Prompts,
    InputTokens,
    PrefixTokens,
    PromptsFile,
    Turns,
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
    Goodput,
    Tags,
}

/// More clients than any one machine of ours drives.
pub const MOST_CLIENTS: u32 = 20_000;
/// Requests per second.
pub const MOST_RATE: f64 = 100_000.0;
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
            warmup: 4,
            ramp_up: Duration::ZERO,
            prompts: Prompts::default(),
            turns: 1,
            output_tokens: Some(Lengths::Fixed(128)),
            ignore_eos: false,
            params: Params::default(),
            timeout: Duration::from_secs(600),
            objectives: Objectives::default(),
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
    /// The levels in the order in which they are run.
    pub fn levels(&self) -> Vec<Level> {
        let loads = self.load.levels();
        let pairs = (0..self.targets.len())
            .flat_map(|target| loads.iter().map(move |load| (target, *load)));
        pairs
            .enumerate()
            .map(|(index, (target, load))| Level {
                index,
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
        if endless && !matches!(self.load, Load::Trace { .. }) {
            say(
                Field::LevelRequests,
                "set when a level ends: a number of requests, or a time",
            );
        } else if self.level_ends.is_open() && self.targets.len() * self.load.levels().len() > 1 {
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

impl Load {
    /// One for each level.
    pub fn levels(&self) -> Vec<LevelLoad> {
        match self {
            Self::Concurrency(clients) => clients
                .iter()
                .copied()
                .map(LevelLoad::Concurrency)
                .collect(),
            Self::Rate {
                per_sec,
                arrivals,
                most_in_flight,
            } => per_sec
                .iter()
                .map(|rate| LevelLoad::Rate {
                    per_sec: *rate,
                    arrivals: *arrivals,
                    most_in_flight: *most_in_flight,
                })
                .collect(),
            Self::Max { in_flight } => vec![LevelLoad::Max {
                in_flight: *in_flight,
            }],
            Self::Trace { most_in_flight, .. } => {
                vec![LevelLoad::Trace {
                    most_in_flight: *most_in_flight,
                }]
            }
            Self::Unknown => vec![LevelLoad::Unknown],
        }
    }

    /// The sweep `1, 2, 4 …` up to `most`, which ends it also when it is no power of two.
    pub fn sweep(most: u32) -> Self {
        let mut clients: Vec<u32> = std::iter::successors(Some(1u32), |n| n.checked_mul(2))
            .take_while(|n| *n < most)
            .collect();
        clients.push(most.max(1));
        Self::Concurrency(clients)
    }

    fn check(&self, say: &mut impl FnMut(Field, &str)) {
        let clients = 1..=MOST_CLIENTS;
        match self {
            Self::Concurrency(list) if list.is_empty() => {
                say(
                    Field::Concurrency,
                    "type the number of clients, e.g. 1, 4, 16",
                );
            }
            Self::Concurrency(list) if !list.iter().all(|n| clients.contains(n)) => {
                say(Field::Concurrency, "a level has 1 to 20,000 clients");
            }
            Self::Rate { per_sec, .. } if per_sec.is_empty() => {
                say(Field::Rate, "type the requests per second, e.g. 2, 4");
            }
            Self::Rate { per_sec, .. }
                if !per_sec.iter().all(|r| *r >= 0.001 && *r <= MOST_RATE) =>
            {
                say(
                    Field::Rate,
                    "a rate is 0.001 to 100,000 requests per second",
                );
            }
            Self::Rate {
                most_in_flight: Some(0),
                ..
            }
            | Self::Trace {
                most_in_flight: Some(0),
                ..
            } => {
                say(Field::MaxInFlight, "with 0 in flight nothing is sent");
            }
            Self::Max { in_flight } if !clients.contains(in_flight) => {
                say(Field::Max, "1 to 20,000 requests in flight");
            }
            Self::Trace { file, .. } if file.as_os_str().is_empty() => {
                say(Field::Trace, "choose a trace file");
            }
            Self::Unknown => say(
                Field::Load,
                "the imported file does not say its load: choose one",
            ),
            _ => {}
        }
    }
}

impl LevelLoad {
    /// `c=16`, `4/s`, `max`, `trace`, `unknown`.
    pub fn label(&self) -> String {
        match self {
            Self::Concurrency(clients) => format!("c={clients}"),
            Self::Rate { per_sec, .. } => format!("{per_sec}/s"),
            Self::Max { .. } => "max".to_owned(),
            Self::Trace { .. } => "trace".to_owned(),
            Self::Unknown => super::units::UNKNOWN.to_owned(),
        }
    }

    /// Whether requests have a moment when they are due, from which everything is measured.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Rate { .. } | Self::Trace { .. })
    }

    /// How many clients or requests in flight at most; `None` without a cap.
    pub fn most_in_flight(&self) -> Option<u32> {
        match self {
            Self::Max { in_flight: 0 } | Self::Unknown => None,
            Self::Concurrency(n) | Self::Max { in_flight: n } => Some(*n),
            Self::Rate { most_in_flight, .. } | Self::Trace { most_in_flight } => *most_in_flight,
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

impl Lengths {
    /// The shortest that can be drawn.
    pub fn least(&self) -> u32 {
        match self {
            Self::Fixed(n) => *n,
            Self::Uniform { least, .. } => *least,
            Self::Normal { .. } => 1,
        }
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Fixed(n) | Self::Normal { mean: n, .. } => f64::from(*n),
            Self::Uniform { least, most } => f64::midpoint(f64::from(*least), f64::from(*most)),
        }
    }

    /// Reads `1000`, `500-1500` and `1000±200` (or `1000+-200`).
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().replace([',', ' '], "");
        let number = |text: &str| {
            text.parse::<u32>().map_err(|_| {
                format!("{text:?} is not a number of tokens: write 1000, 500-1500 or 1000±200")
            })
        };
        let lengths = if let Some((mean, deviation)) =
            text.split_once('±').or_else(|| text.split_once("+-"))
        {
            Self::Normal {
                mean: number(mean)?,
                deviation: number(deviation)?,
            }
        } else if let Some((least, most)) = text.split_once('-') {
            Self::Uniform {
                least: number(least)?,
                most: number(most)?,
            }
        } else {
            Self::Fixed(number(&text)?)
        };
        let mut problem = None;
        lengths.check(&mut |text| problem = Some(text.to_owned()));
        problem.map_or(Ok(lengths), Err)
    }

    fn check(self, say: &mut impl FnMut(&str)) {
        let (least, most) = match self {
            Self::Fixed(n) => (n, n),
            Self::Uniform { least, most } => (least, most),
            Self::Normal { mean, deviation } => (mean, mean.max(deviation)),
        };
        if least == 0 {
            say("at least one token");
        } else if most > MOST_TOKENS {
            say("at most 1,000,000 tokens");
        } else if least > most {
            say("the shortest length comes first");
        }
    }
}

impl std::fmt::Display for Lengths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(n) => write!(f, "{n}"),
            Self::Uniform { least, most } => write!(f, "{least}-{most}"),
            Self::Normal { mean, deviation } => write!(f, "{mean}±{deviation}"),
        }
    }
}

impl TryFrom<String> for Lengths {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Lengths> for String {
    fn from(lengths: Lengths) -> Self {
        lengths.to_string()
    }
}

impl Objectives {
    /// TTFT, ITL, TPOT and latency.
    pub fn all(&self) -> [Option<Duration>; 4] {
        [self.ttft, self.itl, self.tpot, self.latency]
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.all().iter().all(Option::is_none)
    }

    /// Reads `ttft=500ms,itl=15ms`; spaces, `≤` and `<=` are as good as `=` and `,`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut out = Self::default();
        let text = text
            .to_lowercase()
            .replace(['≤', ':'], "=")
            .replace("<=", "=")
            .replace('<', "=");
        for part in text
            .split([',', ';', '\n'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} is not an objective: write ttft=500ms"))?;
            let value = super::units::read_duration(value.trim())?;
            match name.trim() {
                "ttft" => out.ttft = Some(value),
                "itl" => out.itl = Some(value),
                "tpot" => out.tpot = Some(value),
                "latency" => out.latency = Some(value),
                other => {
                    return Err(format!(
                        "{other:?} is not an objective: there are ttft, itl, tpot and latency"
                    ));
                }
            }
        }
        Ok(out)
    }
}

impl std::fmt::Display for Objectives {
    /// As [`Objectives::parse`] reads it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = ["ttft", "itl", "tpot", "latency"];
        let set = names
            .iter()
            .zip(self.all())
            .filter_map(|(name, value)| Some((name, value?)));
        for (i, (name, value)) in set.enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{name}={}", super::units::write_duration(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Plan {
        Plan {
            targets: vec![Target {
                deployment: None,
                model: "m".to_owned(),
            }],
            ..Plan::default()
        }
    }

    #[test]
    fn the_default_plan_only_lacks_a_model() {
        assert_eq!(sound().problems(), []);
        let fields: Vec<Field> = Plan::default()
            .problems()
            .iter()
            .map(|problem| problem.field)
            .collect();
        assert_eq!(fields, [Field::Model]);
    }

    #[test]
    fn a_sweep_doubles_up_to_its_end() {
        assert_eq!(Load::sweep(1), Load::Concurrency(vec![1]));
        assert_eq!(Load::sweep(16), Load::Concurrency(vec![1, 2, 4, 8, 16]));
        assert_eq!(Load::sweep(20), Load::Concurrency(vec![1, 2, 4, 8, 16, 20]));
        assert_eq!(
            Load::sweep(u32::MAX).levels().last().map(LevelLoad::label),
            Some(format!("c={}", u32::MAX))
        );
    }

    #[test]
    fn every_target_runs_every_level() {
        let mut plan = sound();
        plan.targets.push(Target {
            deployment: Some("d".to_owned()),
            model: "n".to_owned(),
        });
        plan.load = Load::Concurrency(vec![1, 4]);
        let levels: Vec<_> = plan
            .levels()
            .iter()
            .map(|l| (l.index, l.target, l.load.label()))
            .collect();
        let label = str::to_owned;
        assert_eq!(
            levels,
            [
                (0, 0, label("c=1")),
                (1, 0, label("c=4")),
                (2, 1, label("c=1")),
                (3, 1, label("c=4"))
            ]
        );
    }

    #[test]
    fn lengths_are_read_as_they_are_written() {
        for text in ["1000", "500-1500", "1000±200"] {
            assert_eq!(
                Lengths::parse(text).map(|lengths| lengths.to_string()),
                Ok(text.to_owned())
            );
        }
        assert_eq!(
            Lengths::parse(" 1,000 +- 20"),
            Ok(Lengths::Normal {
                mean: 1_000,
                deviation: 20
            })
        );
        for text in ["", "0", "9-5", "x", "-5", "2000000", "1.5"] {
            assert!(Lengths::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn objectives_are_read_as_they_are_written() {
        let read = Objectives::parse("TTFT ≤ 500 ms, itl=15ms,latency<=2s").expect("reads");
        assert_eq!(read.ttft, Some(Duration::from_millis(500)));
        assert_eq!(read.to_string(), "ttft=500ms,itl=15ms,latency=2s");
        assert_eq!(Objectives::parse(&read.to_string()), Ok(read));
        assert!(Objectives::parse("speed=3s").is_err_and(|why| why.contains("tpot")));
        assert!(Objectives::parse("ttft").is_err());
        assert_eq!(Objectives::parse(""), Ok(Objectives::default()));
    }

    #[test]
    fn a_plan_comes_back_from_json_as_it_was() {
        let plan = Plan {
            objectives: Objectives::parse("ttft=500ms").expect("reads"),
            load: Load::Rate {
                per_sec: vec![0.5],
                arrivals: Arrivals::Poisson,
                most_in_flight: Some(9),
            },
            ramp_up: Duration::from_millis(1_500),
            ..sound()
        };
        let json = serde_json::to_string(&plan).expect("writes");
        assert_eq!(serde_json::from_str::<Plan>(&json).expect("reads"), plan);
    }

    #[test]
    fn a_share_of_errors_ends_from_its_limit_on_up_to_all() {
        let ends = |share: f64| Ends {
            error_share: Some(share),
            ..Ends::default()
        };
        assert!(ends(0.1).too_many_failed(3, 30) && !ends(0.1).too_many_failed(2, 30));
        assert!(ends(1.0).too_many_failed(20, 20) && !ends(1.0).too_many_failed(19, 20));
        assert!(
            !ends(0.05).too_many_failed(19, 19),
            "19 are no ground for a share"
        );
        assert!(
            !ends(0.05).too_many_failed(1, 20),
            "nor is one failure in them"
        );
        assert!(
            ends(0.01).too_many_failed(1, 100),
            "it is what was asked for"
        );
        assert!(
            !Ends::default().too_many_failed(20, 20),
            "nobody asked for it"
        );
    }
}

//! What a report knows of how it was made, and what it does not: a file of another program says less than a session
//! of our own. All that writes a report for people asks here, so that nothing is said that the file did not say.

mod sent;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BenchReport, LevelReport, Machine};
use crate::domain::plan::{Load, Plan, Prompts};
use crate::domain::units::{self, counted};

/// What is said where nothing is known.
pub use crate::domain::units::UNKNOWN;

pub use self::sent::ImagesBrief;

/// A part of a report that an imported file did not say. The report's JSON has `null` there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as the keys of a report and its plan")]
pub enum Unknown {
    StartedAt,
    TookS,
    LevelEnds,
    SessionEnds,
    Warmup,
    RampUp,
    Prompts,
    Turns,
    OutputTokens,
    IgnoreEos,
    Params,
    Timeout,
    Objectives,
}

impl Unknown {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::StartedAt,
        Self::TookS,
        Self::LevelEnds,
        Self::SessionEnds,
        Self::Warmup,
        Self::RampUp,
        Self::Prompts,
        Self::Turns,
        Self::OutputTokens,
        Self::IgnoreEos,
        Self::Params,
        Self::Timeout,
        Self::Objectives,
    ];

    /// In words: `level ends`.
    pub fn name(self) -> String {
        self.place().1.replace('_', " ")
    }

    /// Where it stands in a report: whether in its plan, and under which key.
    fn place(self) -> (bool, &'static str) {
        match self {
            Self::StartedAt => (false, "started_at"),
            Self::TookS => (false, "took_s"),
            Self::LevelEnds => (true, "level_ends"),
            Self::SessionEnds => (true, "session_ends"),
            Self::Warmup => (true, "warmup"),
            Self::RampUp => (true, "ramp_up"),
            Self::Prompts => (true, "prompts"),
            Self::Turns => (true, "turns"),
            Self::OutputTokens => (true, "output_tokens"),
            Self::IgnoreEos => (true, "ignore_eos"),
            Self::Params => (true, "params"),
            Self::Timeout => (true, "timeout"),
            Self::Objectives => (true, "objectives"),
        }
    }
}

/// A beginning that a file said. Imports without a date begin at the beginning of time.
pub fn moment(at: Timestamp) -> Option<Timestamp> {
    (at != Timestamp::UNIX_EPOCH).then_some(at)
}

/// Serde: [`moment`].
///
/// # Errors
/// As the format's.
pub(in crate::domain) fn moment_or_null<S: serde::Serializer>(
    at: &Timestamp,
    out: S,
) -> Result<S::Ok, S::Error> {
    moment(*at).serialize(out)
}

impl BenchReport {
    /// Whether this part of it was said. Of our own sessions everything was.
    pub fn knows(&self, part: Unknown) -> bool {
        match (&self.source, part) {
            (None, _) => true,
            (Some(_), Unknown::StartedAt) => moment(self.started_at).is_some(),
            // Imports of Batida 0.1 do not say what they do not know, and were never told any of these.
            (Some(_), _) if self.unknown.is_empty() => false,
            (Some(_), _) => !self.unknown.contains(&part),
        }
    }

    fn plan_if(&self, part: Unknown) -> Option<&Plan> {
        self.knows(part).then_some(&self.plan)
    }

    /// Warm-up requests of each level.
    pub fn warmups(&self) -> Option<u32> {
        self.plan_if(Unknown::Warmup).map(|plan| plan.warmup)
    }

    /// What is to be known of a session before it starts: whether it would measure the ingress, and of its files what is replayed over what time, what is left out,
    /// and whether prompts will be said again.
    pub fn told_before(&self) -> Vec<String> {
        let mut out = Vec::new();
        out.extend(
            self.ingress
                .as_ref()
                .and_then(|limit| limit.told_of(&self.plan)),
        );
        if let (Load::Trace { file, .. }, Some(trace)) = (&self.plan.load, &self.trace) {
            out.push(format!("trace {}: {}", file.display(), trace.told()));
            out.extend(trace.why_left_out.clone());
        }
        if let (Prompts::File(path), Some(file)) = (&self.plan.prompts, &self.prompts_file) {
            let n = counted(
                usize::try_from(file.prompts).unwrap_or(usize::MAX),
                "prompt",
            );
            let planned = self
                .planned_requests()
                .filter(|planned| *planned > file.prompts);
            let again = planned.map(|planned| {
                format!(
                    " for {} requests: they are used again, and later requests may be answered from the server's cache",
                    units::count(planned)
                )
            });
            out.push(format!(
                "prompts {}: {n}{}",
                path.display(),
                again.unwrap_or_default()
            ));
            out.extend(file.why_left_out.clone());
        }
        out
    }

    /// Requests, or conversations, that the session will send with its file's prompts, warm-ups included, where that
    /// is settled before.
    fn planned_requests(&self) -> Option<u64> {
        let levels = (self.plan.targets.len() * self.plan.load.levels().len()) as u64;
        let each = match &self.trace {
            Some(trace) if self.plan.level_ends.after.is_none() => Some(trace.prompts.planned),
            _ => self.plan.level_ends.requests,
        };
        let turns = u64::from(self.plan.turns.max(1));
        let warmups = u64::from(self.plan.warmup).saturating_mul(levels);
        let measured = each?.div_ceil(turns).saturating_mul(levels);
        let most = self.plan.session_ends.requests.unwrap_or(u64::MAX);
        Some(measured.min(most).saturating_add(warmups.div_ceil(turns)))
    }

    /// How long it took, in seconds.
    pub fn took(&self) -> Option<f64> {
        self.knows(Unknown::TookS).then_some(self.took_s)
    }

    /// The program that measured, with its version.
    pub fn measured_by(&self) -> String {
        match &self.source {
            Some(source) => format!("{source}, imported by Batida {}", self.batida),
            None => format!("Batida {}", self.batida),
        }
    }
}

impl Machine {
    /// `linux x86_64, 8 cores, 1 measuring thread`, as far as it is known.
    pub fn told(&self) -> Option<String> {
        let system = self.system.clone();
        let cores = self.cores.map(|n| counted(n, "core"));
        let lanes = self.lanes.map(|n| counted(n, "measuring thread"));
        let parts: Vec<String> = [system, cores, lanes].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

// ---- files of a session -------------------------------------------------------------------------------

/// What was replayed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceBrief {
    /// The requests of the file.
    pub requests: u64,
    /// From the first request to the last, in seconds.
    pub span_s: f64,
    /// The unit of the file's times: `s`, `ms`, `us`, `ns` or `date`.
    pub unit: String,
    /// Whether the user said the unit; else it was read off the file.
    pub unit_given: bool,
    /// Entries that were left out.
    pub left_out: u64,
    /// Which, and why, in words.
    pub why_left_out: Option<String>,
    /// What its requests said.
    pub prompts: TracePrompts,
}

/// What the requests of a trace say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TracePrompts {
    /// Requests with words of their own.
    pub own: u64,
    /// Requests with made-up words of a given length.
    pub lengths: u64,
    /// Of them with blocks shared between requests (`hash_ids`).
    pub blocks: u64,
    /// The shortest and the longest of these lengths, in tokens.
    pub least: u32,
    /// See `least`.
    pub most: u32,
    /// Requests that say what the plan says.
    pub planned: u64,
    /// Requests with a `max_tokens` of their own.
    pub limits: u64,
}

impl TracePrompts {
    fn told(&self, file: &str) -> String {
        let lengths = (self.lengths > 0).then(|| {
            let span = if self.least == self.most {
                self.least.to_string()
            } else {
                format!("{}-{}", self.least, self.most)
            };
            let shared = if self.blocks > 0 {
                ", prefix blocks shared as its hash_ids say"
            } else {
                ""
            };
            format!("synthetic, {span} tokens as {file} says{shared}")
        });
        let own = (self.own > 0).then(|| format!("{} from {file}", units::count(self.own)));
        let parts: Vec<String> = own.into_iter().chain(lengths).collect();
        parts.join(" and ")
    }
}

impl TraceBrief {
    /// `5 requests over 3.2 s (1.6/s), times in seconds`
    pub fn told(&self) -> String {
        let spread = self.span_s > 0.0 && self.requests > 1;
        let rate = self.requests as f64 / self.span_s;
        let span = match spread {
            true => format!("{} ({}/s)", span(self.span_s), two_digits(rate)),
            false => "0 s, all at once".to_owned(),
        };
        let unit = match self.unit.as_str() {
            "s" => "in seconds",
            "ms" => "in milliseconds",
            "us" => "in microseconds",
            "ns" => "in nanoseconds",
            _ => "as dates",
        };
        let given = if self.unit_given {
            ", as asked for"
        } else {
            ""
        };
        let requests = counted(
            usize::try_from(self.requests).unwrap_or(usize::MAX),
            "request",
        );
        format!("{requests} over {span}, times {unit}{given}")
    }
}

/// `3.2 ms`, `3.2 s`, `59 min`, `2.5 h`, `7 days`
fn span(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1.0 => (s * 1e3, "ms"),
        s if s < 120.0 => (s, "s"),
        s if s < 7_200.0 => (s / 60.0, "min"),
        s if s < 172_800.0 => (s / 3_600.0, "h"),
        s => (s / 86_400.0, "days"),
    };
    format!("{} {unit}", (value * 1e2).round() / 1e2)
}

/// As few digits as tell a rate: `1.6`, `0.012`, `35`, `1,240`.
fn two_digits(value: f64) -> String {
    if value >= 9.95 {
        return units::count(value.round() as u64);
    }
    let scale = 10f64.powi(1 - value.log10().floor() as i32);
    format!("{}", (value * scale).round() / scale)
}

/// A prompts file that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptsBrief {
    /// Its prompts or conversations that can be sent.
    pub prompts: u64,
    /// Entries that were left out.
    pub left_out: u64,
    /// Which, and why, in words.
    pub why_left_out: Option<String>,
    /// Requests of the session, warm-ups included, that said what an earlier one had said, since the file had no
    /// more prompts.
    pub repeated: u64,
}

impl PromptsBrief {
    fn told(&self) -> String {
        let counted = |n: u64, noun| counted(usize::try_from(n).unwrap_or(usize::MAX), noun);
        let n = counted(self.prompts, "prompt");
        let left_out = match self.left_out {
            0 => String::new(),
            1 => ", 1 entry left out".to_owned(),
            n => format!(", {} entries left out", units::count(n)),
        };
        let repeated = match self.repeated {
            0 => String::new(),
            n => format!(
                ", {} repeated one: the server may have had it in its cache",
                counted(n, "request")
            ),
        };
        format!("{n}{left_out}{repeated}")
    }
}

// ---- as JSON ------------------------------------------------------------------------------------------

/// What nobody knows is `null` in the JSON, whatever stands in its place here.
impl Serialize for BenchReport {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if self.unknown.is_empty() {
            return Self::serialize(self, out);
        }
        let mut value = Self::serialize(self, serde_json::value::Serializer)
            .map_err(serde::ser::Error::custom)?;
        for part in &self.unknown {
            let (in_plan, key) = part.place();
            let place = if in_plan {
                value.get_mut("plan")
            } else {
                Some(&mut value)
            };
            if let Some(there) = place.and_then(|place| place.get_mut(key)) {
                *there = serde_json::Value::Null;
            }
        }
        value.serialize(out)
    }
}

/// Null as the type's default: what an import does not know.
///
/// # Errors
/// As the type's.
pub(in crate::domain) fn null_is_default<
    'de,
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// Imports of Batida 0.1 have an empty name and no cores where nothing is known.
///
/// # Errors
/// As the type's.
pub(in crate::domain) fn empty_is_none<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default + PartialEq,
{
    Ok(Option::<T>::deserialize(from)?.filter(|value| *value != T::default()))
}

/// A plan, where a part that nobody knows is null.
///
/// # Errors
/// As a plan's.
pub(in crate::domain) fn plan<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Plan, D::Error> {
    let mut keys = serde_json::Map::deserialize(from)?;
    for key in Unknown::ALL
        .iter()
        .map(|part| part.place())
        .filter_map(|(in_plan, key)| in_plan.then_some(key))
    {
        // `null` is a value of its own there: the server's limit.
        if key != "output_tokens" && keys.get(key).is_some_and(serde_json::Value::is_null) {
            keys.remove(key);
        }
    }
    Plan::deserialize(serde_json::Value::Object(keys)).map_err(serde::de::Error::custom)
}

impl<'de> Deserialize<'de> for BenchReport {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::deserialize(from)
    }
}

impl Serialize for LevelReport {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, out)
    }
}

/// Imports of Batida 0.1 have zeros where a level's times, or its most requests in flight, are not known.
impl<'de> Deserialize<'de> for LevelReport {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut level = Self::deserialize(from)?;
        // No request ends in no time, or without having been in flight.
        if level.requests.ended > 0 {
            level.took_s = level.took_s.filter(|took| *took > 0.0);
            level.concurrency.most = level.concurrency.most.filter(|most| *most > 0);
            let is_timed = level.steady_s.is_some();
            level.began_s = level.began_s.filter(|began| *began > 0.0 || is_timed);
        }
        Ok(level)
    }
}

//! A search for the highest load at which requests meet limits: what is asked for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Arrivals, Field, LevelLoad, MOST_CLIENTS, MOST_RATE};
use crate::domain::units;

/// The share of requests that must meet limits without a percentile, where none is given.
pub const DEFAULT_SHARE: f64 = 0.95;
/// The highest load that is tried where none is given: clients, or requests per second.
pub const DEFAULT_UP_TO: f64 = 1_024.0;
/// The lowest rate that is tried.
const LEAST_RATE: f64 = 0.125;

/// A search for the highest load at which requests meet limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// What requests must meet, all of them; never empty in a sound plan.
    pub limits: Vec<Limit>,
    /// The share of requests that must meet all limits that name no percentile, 0 to 1; `None` for 95 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// What is raised.
    pub by: Raise,
    /// The highest load that is tried; `None` for [`DEFAULT_UP_TO`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<f64>,
    /// How the requests of a rate are spaced.
    #[serde(default = "constant", skip_serializing_if = "is_constant")]
    pub arrivals: Arrivals,
    /// Of a rate: at most so many in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_in_flight: Option<u32>,
}

fn constant() -> Arrivals {
    Arrivals::Constant
}

fn is_constant(arrivals: &Arrivals) -> bool {
    *arrivals == Arrivals::Constant
}

/// What a search raises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Raise {
    /// The number of clients; each sends its next request when its previous one finishes.
    #[default]
    Concurrency,
    /// The requests per second.
    Rate,
}

impl Raise {
    /// As it is written: `concurrency`, `rate`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Concurrency => "concurrency",
            Self::Rate => "rate",
        }
    }

    /// Reads `concurrency` and `rate`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "concurrency" => Ok(Self::Concurrency),
            "rate" => Ok(Self::Rate),
            other => Err(format!(
                "{other:?} cannot be raised: write concurrency or rate"
            )),
        }
    }

    /// A load in words: `48 clients`, `1 client`, `12.5 requests/s`.
    pub fn told(self, load: f64) -> String {
        match self {
            Self::Concurrency => units::counted(load.round() as usize, "client"),
            Self::Rate => format!("{load} requests/s"),
        }
    }

    /// A load without its noun: `48`, `12.5`.
    pub fn number(self, load: f64) -> String {
        match self {
            Self::Concurrency => units::count(load.round() as u64),
            Self::Rate => load.to_string(),
        }
    }
}

/// What the figures of requests must be below, or above.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Limit {
    /// Of which figure.
    pub figure: LimitFigure,
    /// With a percentile, its share in thousandths: 950 for `p95`.
    pub per_mille: Option<u16>,
    /// What the figure must be.
    pub bound: Bound,
}

/// What a figure must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Shorter than this.
    Below(Duration),
    /// More per second than this.
    Above(f64),
}

/// The figures of a request that a search can test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitFigure {
    /// Time to first token.
    Ttft,
    /// The same to the first text of the answer proper.
    FirstAnswer,
    /// With a percentile every gap between chunks; without one the request's mean gap.
    Itl,
    /// Time per output token.
    Tpot,
    /// Due or sent to the end of the answer.
    Latency,
    /// Tokens per second as the user sees them.
    UserSpeed,
}

impl LimitFigure {
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Ttft, "ttft", "TTFT"),
        (Self::FirstAnswer, "first_answer", "time to first answer"),
        (Self::Itl, "itl", "ITL"),
        (Self::Tpot, "tpot", "TPOT"),
        (Self::Latency, "latency", "latency"),
        (Self::UserSpeed, "user_tokens_per_s", "per-user speed"),
    ];

    fn names(self) -> (&'static str, &'static str) {
        let mut all = Self::ALL.iter();
        all.find(|(figure, ..)| *figure == self)
            .map_or(("", ""), |(_, key, title)| (key, title))
    }
}

impl Limit {
    /// The share of requests (of gaps, for `itl_p99`) that must meet it, 0 to 1; `without` where it names no percentile.
    pub fn share(&self, without: f64) -> f64 {
        match (self.per_mille, self.bound) {
            (None, _) => without,
            (Some(per_mille), Bound::Below(_)) => f64::from(per_mille) / 1e3,
            // 95 % are faster than the 5th percentile.
            (Some(per_mille), Bound::Above(_)) => 1.0 - f64::from(per_mille) / 1e3,
        }
    }

    /// Reads `ttft_p95<800ms`, `itl_p99 < 50 ms`, `ttft<800ms` and `user_tokens_per_s_p5>30`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let no = || {
            format!(
                "{text:?} is not a limit: write ttft_p95<800ms, itl_p99<50ms, latency<5s or user_tokens_per_s_p5>30"
            )
        };
        let lower = text.trim().to_lowercase();
        let at = lower.find(['<', '>', '≤', '≥']).ok_or_else(no)?;
        let (name, rest) = lower.split_at(at);
        let is_below = rest.starts_with(['<', '≤']);
        let value = rest.trim_start_matches(['<', '>', '≤', '≥', '=']).trim();
        let name = name.trim();
        let (figure, per_mille) = split_name(name).ok_or_else(|| unknown(name))??;
        let is_speed = figure == LimitFigure::UserSpeed;
        if is_speed == is_below {
            let (sign, what) = if is_speed {
                (">", "speed")
            } else {
                ("<", "time")
            };
            return Err(format!(
                "{text:?}: a limit of a {what} is written with {sign}"
            ));
        }
        let bound = if is_speed {
            let number: f64 = value.parse().map_err(|_| no())?;
            if !(number.is_finite() && number > 0.0) {
                return Err(no());
            }
            Bound::Above(number)
        } else {
            Bound::Below(units::read_duration(value)?)
        };
        if bound == Bound::Below(Duration::ZERO) {
            return Err("no request meets a limit of zero".to_owned());
        }
        Ok(Self {
            figure,
            per_mille,
            bound,
        })
    }

    /// For people: `TTFT p95 < 800 ms`.
    pub fn words(&self) -> String {
        let (_, title) = self.figure.names();
        let percentile = self.per_mille.map(|it| format!(" {}", percentile(it, '.')));
        let bound = match self.bound {
            Bound::Below(time) => {
                let text = units::write_duration(time);
                let unit = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
                format!("< {} {}", &text[..unit], &text[unit..])
            }
            Bound::Above(speed) => format!("> {speed} tok/s"),
        };
        format!("{title}{} {bound}", percentile.unwrap_or_default())
    }
}

/// The figure and the percentile of `ttft_p95`; `None` of an unknown name.
fn split_name(name: &str) -> Option<Result<(LimitFigure, Option<u16>), String>> {
    let all = LimitFigure::ALL.iter();
    let found = all.filter_map(|(figure, key, _)| Some((*figure, name.strip_prefix(key)?)));
    // `itl` begins no other key, yet the longest match is the right one should one come.
    let (figure, rest) = found.min_by_key(|(_, rest)| rest.len())?;
    if rest.is_empty() {
        return Some(Ok((figure, None)));
    }
    let digits = rest.strip_prefix("_p")?.replace('_', ".");
    let per_mille = digits.parse::<f64>().ok().map(|it| it * 10.0);
    let whole = per_mille.filter(|it| (it - it.round()).abs() < 1e-6 && (1.0..=999.0).contains(it));
    Some(match whole {
        Some(per_mille) => Ok((figure, Some(per_mille.round() as u16))),
        None => Err(format!(
            "{name:?}: a percentile is p0.1 to p99.9, e.g. ttft_p95"
        )),
    })
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = LimitFigure::ALL.iter().map(|(_, key, _)| *key).collect();
    let why = if name.ends_with("_mean") || name.ends_with("_max") {
        ". A search tests the share of requests that meet a limit, so it takes percentiles: ttft_p50, ttft_p95"
    } else {
        ""
    };
    format!(
        "{name:?} cannot be searched for: there are {}, each with a percentile such as _p95 or without{why}",
        names.join(", ")
    )
}

fn percentile(per_mille: u16, point: char) -> String {
    match (per_mille / 10, per_mille % 10) {
        (whole, 0) => format!("p{whole}"),
        (whole, tenth) => format!("p{whole}{point}{tenth}"),
    }
}

impl fmt::Display for Limit {
    /// As [`Limit::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.figure.names().0)?;
        if let Some(per_mille) = self.per_mille {
            write!(f, "_{}", percentile(per_mille, '_'))?;
        }
        match self.bound {
            Bound::Below(time) => write!(f, "<{}", units::write_duration(time)),
            Bound::Above(speed) => write!(f, ">{speed}"),
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.to_string()
    }
}

impl Find {
    /// A search for this.
    pub fn of(limits: Vec<Limit>) -> Self {
        Self {
            limits,
            at_least: None,
            by: Raise::Concurrency,
            up_to: None,
            arrivals: Arrivals::Constant,
            most_in_flight: None,
        }
    }

    /// The share that limits without a percentile must be met by.
    pub fn share(&self) -> f64 {
        self.at_least.unwrap_or(DEFAULT_SHARE)
    }

    /// The load that is tried first.
    pub fn first(&self) -> f64 {
        self.highest().min(1.0)
    }

    /// The least load that is tried.
    pub fn least(&self) -> f64 {
        match self.by {
            Raise::Concurrency => 1.0,
            Raise::Rate => LEAST_RATE.min(self.highest()),
        }
    }

    /// The highest load that is tried.
    pub fn highest(&self) -> f64 {
        let up_to = self.up_to.unwrap_or(DEFAULT_UP_TO);
        match self.by {
            Raise::Concurrency => up_to.floor().max(1.0),
            Raise::Rate => up_to,
        }
    }

    /// A level at this load.
    pub fn level(&self, load: f64) -> LevelLoad {
        match self.by {
            Raise::Concurrency => LevelLoad::Concurrency(load.round() as u32),
            Raise::Rate => LevelLoad::Rate {
                per_sec: load,
                arrivals: self.arrivals,
                most_in_flight: self.most_in_flight,
            },
        }
    }

    /// What must be met, in words: `TTFT p95 < 800 ms and ITL p99 < 50 ms`; limits without a percentile with their
    /// share: `TTFT < 800 ms for 95 % of requests`.
    pub fn words(&self) -> String {
        let named = self.limits.iter().filter(|limit| limit.per_mille.is_some());
        let mut parts: Vec<String> = named.map(Limit::words).collect();
        let others = self.limits.iter().filter(|limit| limit.per_mille.is_none());
        let others: Vec<String> = others.map(Limit::words).collect();
        if !others.is_empty() {
            let share = units::write_share(self.share()).replace('%', " %");
            parts.push(format!("{} for {share} of requests", others.join(" and ")));
        }
        parts.join(" and ")
    }

    pub(super) fn check(&self, say: &mut impl FnMut(Field, &str)) {
        if self.limits.is_empty() {
            say(
                Field::Find,
                "type what requests must meet, e.g. ttft_p95<800ms",
            );
        }
        let is_share = |share: f64| share > 0.0 && share < 1.0;
        if self.at_least.is_some_and(|share| !is_share(share)) {
            say(
                Field::AtLeast,
                "a share of requests is more than 0 and less than 100 %",
            );
        } else if self.at_least.is_some()
            && !self.limits.is_empty()
            && self.limits.iter().all(|limit| limit.per_mille.is_some())
        {
            say(
                Field::AtLeast,
                "every limit names a percentile, which is its share: leave this out, or write ttft<800ms",
            );
        }
        match (self.by, self.up_to) {
            (Raise::Concurrency, Some(up_to))
                if !(1.0..=f64::from(MOST_CLIENTS)).contains(&up_to) =>
            {
                say(Field::UpTo, "a level has 1 to 20,000 clients");
            }
            (Raise::Rate, Some(up_to)) if !(0.001..=MOST_RATE).contains(&up_to) => {
                say(
                    Field::UpTo,
                    "a rate is 0.001 to 100,000 requests per second",
                );
            }
            _ => {}
        }
        if self.most_in_flight == Some(0) {
            say(Field::MaxInFlight, "with 0 in flight nothing is sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_says_which_share_of_requests_must_meet_it() {
        let read = |text: &str| Limit::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        for (text, canonical, words, share) in [
            (
                "ttft_p95<800ms",
                "ttft_p95<800ms",
                "TTFT p95 < 800 ms",
                0.95,
            ),
            (
                "TTFT_p99.9 <= 1.5 s",
                "ttft_p99_9<1.5s",
                "TTFT p99.9 < 1.5 s",
                0.999,
            ),
            ("itl_p99<50ms", "itl_p99<50ms", "ITL p99 < 50 ms", 0.99),
            ("latency<5s", "latency<5s", "latency < 5 s", 0.9),
            (
                "user_tokens_per_s_p5>30",
                "user_tokens_per_s_p5>30",
                "per-user speed p5 > 30 tok/s",
                0.95,
            ),
        ] {
            let limit = read(text);
            assert_eq!(
                (limit.to_string().as_str(), limit.words().as_str()),
                (canonical, words)
            );
            assert!((limit.share(0.9) - share).abs() < 1e-9, "{text}");
            assert_eq!(read(&limit.to_string()), limit);
        }
    }

    #[test]
    fn what_cannot_be_tested_by_requests_is_refused_in_words() {
        for (text, words) in [
            ("ttft_mean<800ms", "takes percentiles"),
            ("output_tokens_per_s>900", "cannot be searched for"),
            ("ttft_p95>800ms", "written with <"),
            ("user_tokens_per_s_p5<3", "written with >"),
            ("ttft_p100<3s", "p0.1 to p99.9"),
            ("ttft_p95", "is not a limit"),
            ("ttft_p95<800", "is not a time"),
            ("ttft<0s", "zero"),
        ] {
            let why = Limit::parse(text).expect_err(text);
            assert!(why.contains(words), "{text}: {why}");
        }
    }

    #[test]
    fn limits_without_a_percentile_are_told_with_their_share() {
        let find = Find {
            at_least: Some(0.9),
            ..Find::of(
                ["ttft_p99<2s", "ttft<800ms", "itl<50ms"]
                    .map(|text| Limit::parse(text).expect(text))
                    .into(),
            )
        };
        assert_eq!(
            find.words(),
            "TTFT p99 < 2 s and TTFT < 800 ms and ITL < 50 ms for 90 % of requests"
        );
    }
}

//! Conditions on a report's figures, as `--fail-if 'ttft_p99>800ms'` takes them.

use std::fmt::Display;

use super::figures::{self, Metric, Unit};
use super::run::{BenchReport, Calibration, LevelReport};
use super::units::{in_percent, ms, read_duration, read_share};

/// A condition that a report must not meet: `FIGURE>VALUE`, on every level.
#[derive(Debug, Clone)]
pub struct Condition {
    /// As it was written.
    pub text: String,
    figure: Figure,
    op: Op,
    value: f64,
    unit: Unit,
}

/// How a condition fared at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The level's place in the report; `None` for a figure of the whole session.
    pub level: Option<usize>,
    /// `None`: it did not come true.
    pub crossing: Option<Crossing>,
}

/// A condition that came true, or whose figure is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    /// In a sentence, e.g. `ttft_p99>800ms: it is 912 ms at c=16 of gpt-oss-120b`.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Over,
    AtLeast,
    Under,
    AtMost,
}

#[derive(Debug, Clone, Copy)]
enum Figure {
    Level(&'static Metric),
    /// Of the whole session, each with its place.
    Session(fn(&BenchReport) -> Places),
}

/// Values, and in words where each is from.
type Places = Vec<(String, Option<f64>)>;

type SessionOf = (&'static str, Unit, fn(&BenchReport) -> Places);

const SESSIONS: &[SessionOf] = &[
    ("switch_ttft", Unit::Ms, |r| {
        r.switches
            .iter()
            .map(|switch| (format!("the switch to {}", switch.model), switch.ttft_ms))
            .collect()
    }),
    ("session_took", Unit::Ms, |r| {
        vec![("the session's end".to_owned(), Some(r.took_s * 1e3))]
    }),
    ("calibration_overhead_tokens", Unit::Number, |r| {
        calibrations(r, |c| c.overhead_tokens)
    }),
    ("calibration_tokens_per_word", Unit::Number, |r| {
        calibrations(r, |c| c.tokens_per_word)
    }),
    ("calibration_requests", Unit::Number, |r| {
        calibrations(r, |c| c.requests.into())
    }),
];

fn calibrations(report: &BenchReport, read: fn(&Calibration) -> f64) -> Places {
    report
        .calibrations
        .iter()
        .map(|it| (format!("the prompts of {}", it.model), Some(read(it))))
        .collect()
}

impl Condition {
    /// Reads `ttft_p99>800ms`, `goodput < 95%`, `errors>=1`.
    ///
    /// # Errors
    /// What it should look like, and which figures there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let no = || {
            format!("{text:?} is not a condition: write ttft_p99>800ms, goodput<95% or errors>0")
        };
        let at = text.find(['<', '>']).ok_or_else(no)?;
        let (name, rest) = text.split_at(at);
        let (op, value) = if let Some(rest) = rest.strip_prefix(">=") {
            (Op::AtLeast, rest)
        } else if let Some(rest) = rest.strip_prefix("<=") {
            (Op::AtMost, rest)
        } else if let Some(rest) = rest.strip_prefix('>') {
            (Op::Over, rest)
        } else {
            (Op::Under, &rest[1..])
        };
        let name = name.trim();
        let (figure, unit) =
            find(name).ok_or_else(|| format!("there is no figure {name:?}. {}", all()))?;
        let value = read(unit, value.trim()).ok_or_else(no)?;
        Ok(Self {
            text: text.trim().to_owned(),
            figure,
            op,
            value,
            unit,
        })
    }

    /// Where it came true. A figure that is not known counts as a failure: nobody could vouch for it.
    pub fn crossings(&self, report: &BenchReport) -> Vec<Crossing> {
        let outcomes = self.outcomes(report).into_iter();
        outcomes.filter_map(|outcome| outcome.crossing).collect()
    }

    /// How it fared at each level, or in the session.
    pub fn outcomes(&self, report: &BenchReport) -> Vec<Outcome> {
        let is_of_levels = matches!(self.figure, Figure::Level(_));
        let values: Places = match self.figure {
            Figure::Session(read) => read(report),
            Figure::Level(metric) => {
                let at = |level: &LevelReport| (level.place(), metric.value(level));
                report.levels.iter().map(at).collect()
            }
        };
        if values.is_empty() {
            let text = format!("{}: it is not known, nothing was measured", self.text);
            return vec![Outcome {
                level: None,
                crossing: Some(Crossing { text }),
            }];
        }
        let crossed = |(place, value): &(String, Option<f64>)| match value {
            None => Some(format!("{}: it is not known at {place}", self.text)),
            Some(value) if self.holds(*value) => Some(format!(
                "{}: it is {} at {place}",
                self.text,
                write(self.unit, *value)
            )),
            Some(_) => None,
        };
        let outcomes = values.iter().enumerate().map(|(at, value)| Outcome {
            level: is_of_levels.then_some(at),
            crossing: crossed(value).map(|text| Crossing { text }),
        });
        outcomes.collect()
    }

    fn holds(&self, value: f64) -> bool {
        match self.op {
            Op::Over => value > self.value,
            Op::AtLeast => value >= self.value,
            Op::Under => value < self.value,
            Op::AtMost => value <= self.value,
        }
    }
}

/// A value of this unit, as a condition writes it.
fn read(unit: Unit, text: &str) -> Option<f64> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    match unit {
        Unit::Ms => number(text).or_else(|| read_duration(text).ok().map(ms)),
        Unit::Share => read_share(text).ok().filter(|share| share.is_finite()),
        Unit::TokensPerS | Unit::RequestsPerS | Unit::Count | Unit::Number => number(text),
    }
}

/// With more digits than a table has: a value that crossed its limit must not read as the limit.
fn write(unit: Unit, value: f64) -> String {
    let trimmed = |value: f64| {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match unit {
        Unit::Ms => format!("{} ms", trimmed(value)),
        Unit::Share => in_percent(&trimmed(value * 100.0)),
        Unit::TokensPerS | Unit::RequestsPerS | Unit::Count | Unit::Number => trimmed(value),
    }
}

fn find(name: &str) -> Option<(Figure, Unit)> {
    if let Some((_, unit, read)) = SESSIONS.iter().find(|(known, ..)| *known == name) {
        return Some((Figure::Session(*read), *unit));
    }
    figures::find(name).map(|metric| (Figure::Level(metric), metric.unit))
}

/// All the figures there are, in two sentences.
fn all() -> String {
    let sessions: Vec<&str> = SESSIONS.iter().map(|(name, ..)| *name).collect();
    format!(
        "There are {}, {}",
        sessions.join(", "),
        figures::keys_told()
    )
}

impl Display for Crossing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::FaultClass;
    use crate::domain::figures::METRICS;

    #[test]
    fn every_figure_has_its_name() {
        for name in [
            "ttft_p99",
            "latency_p99_9",
            "latency_p99.9",
            "user_tokens_per_s_p5",
            "switch_ttft",
        ] {
            assert!(Condition::parse(&format!("{name}>1")).is_ok(), "{name}");
        }
        let session = SESSIONS.iter().map(|(name, ..)| *name);
        for name in METRICS
            .iter()
            .map(|metric| metric.key.as_str())
            .chain(session)
        {
            assert!(Condition::parse(&format!("{name} < 1")).is_ok(), "{name}");
        }
        assert!(Condition::parse("speed>1").is_err_and(|why| why.contains("concurrency_reached")));
        assert!(Condition::parse("errors_of_taste>1").is_err_and(|why| why.contains("queue_full")));
        for text in [
            "ttft_p99",
            "ttft_p99=3",
            "ttft_p99>",
            "ttft_p99>fast",
            "errors>5%",
            "ttft_p42>1",
            "",
        ] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_class_of_errors_is_a_kind() {
        // A new class does not compile until it is named here, and fails until it is in the list.
        let place = |class: FaultClass| match class {
            FaultClass::HostUnknown => 0,
            FaultClass::Unreachable => 1,
            FaultClass::Tls => 2,
            FaultClass::Timeout => 3,
            FaultClass::Dropped => 4,
            FaultClass::ThisMachine => 5,
            FaultClass::Proxy => 6,
            FaultClass::KeyRefused => 7,
            FaultClass::ModelNotFound => 8,
            FaultClass::BadRequest => 9,
            FaultClass::RateLimited => 10,
            FaultClass::IngressLimited => 11,
            FaultClass::QueueFull => 12,
            FaultClass::Server => 13,
            FaultClass::NotAnApi => 14,
            FaultClass::Unreadable => 15,
            FaultClass::NoText => 16,
            FaultClass::Cancelled => 17,
        };
        assert_eq!(FaultClass::ALL.map(place), std::array::from_fn(|n| n));
    }

    #[test]
    fn values_are_read_in_the_unit_of_the_figure() {
        let value = |text| Condition::parse(text).map(|condition| condition.value);
        assert_eq!(value("ttft_p99>800ms"), Ok(800.0));
        assert_eq!(value("ttft_p99 >= 1.5 s"), Ok(1_500.0));
        assert_eq!(value("ttft_p99>800"), Ok(800.0));
        assert_eq!(value("goodput<95%"), Ok(0.95));
        assert_eq!(value("ttft_count<9"), Ok(9.0));
    }
}

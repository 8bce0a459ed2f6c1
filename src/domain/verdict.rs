//! Conditions on a report's figures, as `--fail-if 'ttft_p99>800ms'` takes them.

use std::fmt::Display;

use super::failure::FaultClass;
use super::run::{BenchReport, Calibration, LevelReport, Rate, Stats};
use super::units::{ms, read_duration};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Ms,
    Share,
    Plain,
}

#[derive(Debug, Clone, Copy)]
enum Figure {
    Stat(
        fn(&LevelReport) -> Option<&Stats>,
        fn(&Stats) -> Option<f64>,
    ),
    Level(fn(&LevelReport) -> Option<f64>),
    /// Failures of a kind.
    Errors(&'static str),
    /// Requests that missed an objective.
    Missed(&'static str),
    /// Of the whole session, each with its place.
    Session(fn(&BenchReport) -> Places),
}

/// Values, and in words where each is from.
type Places = Vec<(String, Option<f64>)>;

type StatsOf = (&'static str, Unit, fn(&LevelReport) -> Option<&Stats>);
type ValueOf = (&'static str, fn(&Stats) -> Option<f64>);
type LevelOf = (&'static str, Unit, fn(&LevelReport) -> Option<f64>);
type SessionOf = (&'static str, Unit, fn(&BenchReport) -> Places);

const STATS: &[StatsOf] = &[
    ("ttft", Unit::Ms, |l| Some(&l.ttft_ms)),
    ("first_answer", Unit::Ms, |l| Some(&l.first_answer_ms)),
    ("itl", Unit::Ms, |l| Some(&l.itl_ms)),
    ("tpot", Unit::Ms, |l| Some(&l.tpot_ms)),
    ("latency", Unit::Ms, |l| Some(&l.latency_ms)),
    ("connect", Unit::Ms, |l| Some(&l.connect_ms)),
    ("late", Unit::Ms, |l| Some(&l.late_ms)),
    ("user_tokens_per_s", Unit::Plain, |l| {
        Some(&l.user_tokens_per_s)
    }),
    ("prompt_tokens", Unit::Plain, |l| Some(&l.prompt_tokens)),
    ("cached_tokens", Unit::Plain, |l| Some(&l.cached_tokens)),
    ("output_tokens", Unit::Plain, |l| Some(&l.output_tokens)),
    ("reasoning_tokens", Unit::Plain, |l| {
        Some(&l.reasoning_tokens)
    }),
    ("server_ttft", Unit::Ms, |l| {
        l.server.as_ref().map(|server| &server.ttft_ms)
    }),
    ("server_latency", Unit::Ms, |l| {
        l.server.as_ref().map(|server| &server.latency_ms)
    }),
    ("server_tokens_per_s", Unit::Plain, |l| {
        l.server.as_ref().map(|server| &server.tokens_per_s)
    }),
    ("timer_late", Unit::Ms, |l| Some(&l.watch.timer_late_ms)),
    ("read_late", Unit::Ms, |l| Some(&l.watch.read_late_ms)),
    ("left_late", Unit::Ms, |l| Some(&l.watch.left_late_ms)),
];

const VALUES: &[ValueOf] = &[
    ("mean", |s| s.mean),
    ("sd", |s| s.sd),
    ("min", |s| s.min),
    ("p1", |s| s.p1),
    ("p5", |s| s.p5),
    ("p10", |s| s.p10),
    ("p25", |s| s.p25),
    ("p50", |s| s.p50),
    ("p75", |s| s.p75),
    ("p90", |s| s.p90),
    ("p95", |s| s.p95),
    ("p99", |s| s.p99),
    ("p99_9", |s| s.p99_9),
    ("max", |s| s.max),
    ("count", |s| Some(s.count as f64)),
    ("p50_low", |s| low(s.p50_ci)),
    ("p50_high", |s| high(s.p50_ci)),
    ("p95_low", |s| low(s.p95_ci)),
    ("p95_high", |s| high(s.p95_ci)),
    ("p99_low", |s| low(s.p99_ci)),
    ("p99_high", |s| high(s.p99_ci)),
];

const LEVELS: &[LevelOf] = &[
    ("output_tokens_per_s", Unit::Plain, |l| {
        mean(l.throughput.output_tokens_per_s)
    }),
    ("output_tokens_per_s_low", Unit::Plain, |l| {
        low(l.throughput.output_tokens_per_s?.ci)
    }),
    ("output_tokens_per_s_high", Unit::Plain, |l| {
        high(l.throughput.output_tokens_per_s?.ci)
    }),
    ("total_tokens_per_s", Unit::Plain, |l| {
        mean(l.throughput.total_tokens_per_s)
    }),
    ("total_tokens_per_s_low", Unit::Plain, |l| {
        low(l.throughput.total_tokens_per_s?.ci)
    }),
    ("total_tokens_per_s_high", Unit::Plain, |l| {
        high(l.throughput.total_tokens_per_s?.ci)
    }),
    ("requests_per_s", Unit::Plain, |l| {
        mean(l.throughput.requests_per_s)
    }),
    ("requests_per_s_low", Unit::Plain, |l| {
        low(l.throughput.requests_per_s?.ci)
    }),
    ("requests_per_s_high", Unit::Plain, |l| {
        high(l.throughput.requests_per_s?.ci)
    }),
    ("goodput", Unit::Share, |l| l.goodput.as_ref()?.share),
    ("goodput_met", Unit::Plain, |l| {
        Some(l.goodput.as_ref()?.met as f64)
    }),
    ("goodput_missed", Unit::Plain, |l| {
        Some(l.goodput.as_ref()?.missed as f64)
    }),
    ("goodput_requests_per_s", Unit::Plain, |l| {
        l.goodput.as_ref()?.requests_per_s
    }),
    ("requests", Unit::Plain, |l| Some(l.requests.ended as f64)),
    ("ok", Unit::Plain, |l| Some(l.requests.ok as f64)),
    ("errors", Unit::Plain, |l| Some(l.requests.failed as f64)),
    ("error_share", Unit::Share, |l| {
        (l.requests.ended > 0).then(|| l.requests.failed as f64 / l.requests.ended as f64)
    }),
    ("without_text", Unit::Plain, |l| {
        Some(l.requests.without_text as f64)
    }),
    ("at_once", Unit::Plain, |l| Some(l.at_once as f64)),
    ("tokens_per_chunk", Unit::Plain, |l| l.tokens_per_chunk),
    ("aborted", Unit::Plain, |l| Some(l.requests.aborted as f64)),
    ("unsent", Unit::Plain, |l| Some(l.requests.unsent as f64)),
    ("warmup", Unit::Plain, |l| Some(l.requests.warmup as f64)),
    ("reconnected", Unit::Plain, |l| {
        Some(l.requests.reconnected as f64)
    }),
    ("warmup_failed", Unit::Plain, |l| {
        Some(l.requests.warmup_failed as f64)
    }),
    ("rate_limited", Unit::Plain, |l| {
        Some(l.limits.rate_limited as f64)
    }),
    ("ingress_limited", Unit::Plain, |l| {
        Some(l.limits.ingress as f64)
    }),
    ("queue_full", Unit::Plain, |l| {
        Some(l.limits.queue_full as f64)
    }),
    ("concurrency_asked", Unit::Plain, |l| {
        l.concurrency.asked.map(f64::from)
    }),
    ("concurrency_reached", Unit::Plain, |l| {
        l.concurrency.reached
    }),
    ("concurrency_most", Unit::Plain, |l| {
        Some(f64::from(l.concurrency.most))
    }),
    ("server_ttft_difference", Unit::Ms, |l| {
        l.server.as_ref()?.ttft_p50_difference_ms
    }),
    ("server_latency_difference", Unit::Ms, |l| {
        l.server.as_ref()?.latency_p50_difference_ms
    }),
    ("server_tokens_per_s_difference", Unit::Plain, |l| {
        l.server.as_ref()?.tokens_per_s_p50_difference
    }),
    ("busiest_lane", Unit::Share, |l| l.watch.busiest_lane),
    ("process_cores", Unit::Plain, |l| l.watch.process_cores),
    ("machine_busy", Unit::Share, |l| l.watch.machine_busy),
    ("late_requests", Unit::Plain, |l| {
        Some(l.watch.late_requests as f64)
    }),
    ("doubts", Unit::Plain, |l| Some(l.watch.doubts.len() as f64)),
    ("began", Unit::Ms, |l| Some(l.began_s * 1e3)),
    ("took", Unit::Ms, |l| Some(l.took_s * 1e3)),
    ("steady_from", Unit::Ms, |l| {
        low(l.steady_s).map(|s| s * 1e3)
    }),
    ("steady_to", Unit::Ms, |l| high(l.steady_s).map(|s| s * 1e3)),
];

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
    ("calibration_overhead_tokens", Unit::Plain, |r| {
        calibrations(r, |c| c.overhead_tokens)
    }),
    ("calibration_tokens_per_word", Unit::Plain, |r| {
        calibrations(r, |c| c.tokens_per_word)
    }),
    ("calibration_requests", Unit::Plain, |r| {
        calibrations(r, |c| c.requests.into())
    }),
];

/// Before the kind of an error, as the report names it.
const ERRORS: &str = "errors_";
/// Before the name of an objective.
const MISSED: &str = "goodput_missed_";
const OBJECTIVES: [&str; 4] = ["ttft", "itl", "tpot", "latency"];

/// As reports name them.
fn error_kinds() -> impl Iterator<Item = &'static str> {
    FaultClass::ALL
        .into_iter()
        .map(FaultClass::name)
        .chain(["other"])
}

fn calibrations(report: &BenchReport, read: fn(&Calibration) -> f64) -> Places {
    report
        .calibrations
        .iter()
        .map(|it| (format!("the prompts of {}", it.model), Some(read(it))))
        .collect()
}

fn low(ends: Option<[f64; 2]>) -> Option<f64> {
    ends.map(|[low, _]| low)
}

fn high(ends: Option<[f64; 2]>) -> Option<f64> {
    ends.map(|[_, high]| high)
}

fn mean(rate: Option<Rate>) -> Option<f64> {
    rate.map(|rate| rate.mean)
}

impl Condition {
    /// Reads `ttft_p99>800ms`, `goodput < 95%`, `errors>=1`.
    ///
    /// # Errors
    /// What it should look like, and which figures there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let no = || {
            format!("{text:?} is no condition: write e.g. ttft_p99>800ms, goodput<95% or errors>0")
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
            find(name).ok_or_else(|| format!("there is no figure {name:?}. {}", figures()))?;
        let value = unit.read(value.trim()).ok_or_else(no)?;
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
        let values: Places = match self.figure {
            Figure::Session(read) => read(report),
            Figure::Stat(..) | Figure::Level(_) | Figure::Errors(_) | Figure::Missed(_) => {
                let at = |level: &LevelReport| {
                    (
                        format!("{} of {}", level.label, level.model),
                        self.figure.of(level),
                    )
                };
                report.levels.iter().map(at).collect()
            }
        };
        if values.is_empty() {
            return vec![Crossing {
                text: format!("{}: it is not known, nothing was measured", self.text),
            }];
        }
        let crossed = |(place, value): &(String, Option<f64>)| match value {
            None => Some(format!("{}: it is not known at {place}", self.text)),
            Some(value) if self.holds(*value) => Some(format!(
                "{}: it is {} at {place}",
                self.text,
                self.unit.write(*value)
            )),
            Some(_) => None,
        };
        values
            .iter()
            .filter_map(crossed)
            .map(|text| Crossing { text })
            .collect()
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

impl Figure {
    fn of(self, level: &LevelReport) -> Option<f64> {
        match self {
            Self::Stat(stats, value) => value(stats(level)?),
            Self::Level(value) => value(level),
            Self::Errors(kind) => {
                let of_kind = level
                    .requests
                    .errors
                    .iter()
                    .filter(|error| error.kind == kind);
                Some(of_kind.map(|error| error.count as f64).sum())
            }
            Self::Missed(objective) => {
                let missed = &level.goodput.as_ref()?.missed_by;
                missed
                    .iter()
                    .find(|(name, _)| name == objective)
                    .map(|(_, n)| *n as f64)
            }
            Self::Session(_) => None,
        }
    }
}

impl Unit {
    fn read(self, text: &str) -> Option<f64> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        match self {
            Self::Ms => number(text).or_else(|| read_duration(text).ok().map(ms)),
            Self::Share => match text.strip_suffix('%') {
                Some(percent) => Some(number(percent)? / 100.0),
                None => number(text),
            },
            Self::Plain => number(text),
        }
    }

    fn write(self, value: f64) -> String {
        let trimmed = |value: f64| {
            let text = format!("{value:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match self {
            Self::Ms => format!("{} ms", trimmed(value)),
            Self::Share => format!("{} %", trimmed(value * 100.0)),
            Self::Plain => trimmed(value),
        }
    }
}

fn find(name: &str) -> Option<(Figure, Unit)> {
    if let Some((_, unit, read)) = SESSIONS.iter().find(|(known, ..)| *known == name) {
        return Some((Figure::Session(*read), *unit));
    }
    if let Some(kind) = name
        .strip_prefix(ERRORS)
        .and_then(|kind| error_kinds().find(|known| *known == kind))
    {
        return Some((Figure::Errors(kind), Unit::Plain));
    }
    if let Some(objective) = name
        .strip_prefix(MISSED)
        .and_then(|name| OBJECTIVES.into_iter().find(|it| *it == name))
    {
        return Some((Figure::Missed(objective), Unit::Plain));
    }
    if let Some((_, unit, value)) = LEVELS.iter().find(|(known, ..)| *known == name) {
        return Some((Figure::Level(*value), *unit));
    }
    let name = name.replace("p99.9", "p99_9");
    STATS.iter().find_map(|(stat, unit, stats)| {
        let field = name.strip_prefix(stat)?.strip_prefix('_')?;
        let (field, value) = VALUES.iter().find(|(known, _)| *known == field)?;
        let unit = if *field == "count" {
            Unit::Plain
        } else {
            *unit
        };
        Some((Figure::Stat(*stats, *value), unit))
    })
}

/// A level's figure by its name, `ttft_p99`, in the unit in which conditions are read: ms, shares, or plain.
/// `None` where it is absent, or no figure of a level.
pub fn value(name: &str, level: &LevelReport) -> Option<f64> {
    find(name)?.0.of(level)
}

/// All the figures there are, in two sentences.
pub fn figures() -> String {
    let list = |names: &mut dyn Iterator<Item = &'static str>| names.collect::<Vec<_>>().join(", ");
    format!(
        "There are {}, {}; {MISSED} with one of {}; {ERRORS} with one of {}; and each of {} with one of _{}",
        list(&mut LEVELS.iter().map(|(name, ..)| *name)),
        list(&mut SESSIONS.iter().map(|(name, ..)| *name)),
        OBJECTIVES.join(", "),
        list(&mut error_kinds()),
        list(&mut STATS.iter().map(|(name, ..)| *name)),
        VALUES
            .iter()
            .map(|(name, _)| name.to_string())
            .collect::<Vec<_>>()
            .join(", _"),
    )
}

/// The names of all figures of a level, each of which [`value`] reads.
pub fn names() -> Vec<String> {
    let stats = STATS
        .iter()
        .flat_map(|(stat, ..)| VALUES.iter().map(move |(of, _)| format!("{stat}_{of}")));
    let levels = LEVELS.iter().map(|(name, ..)| (*name).to_owned());
    let errors = error_kinds().map(|kind| format!("{ERRORS}{kind}"));
    let missed = OBJECTIVES.map(|objective| format!("{MISSED}{objective}"));
    levels.chain(missed).chain(errors).chain(stats).collect()
}

impl Display for Crossing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for name in names()
            .into_iter()
            .chain(SESSIONS.iter().map(|(name, ..)| (*name).to_owned()))
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

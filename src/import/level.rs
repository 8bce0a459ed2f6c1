//! Levels and sessions of what a file holds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::File;
use super::sound::{LONGEST_REQUEST, MOST_REQUESTS, Odd};
use crate::domain::history::StoredRequest;
use crate::domain::plan::{
    Ends, Lengths, LevelLoad, Load, MOST_CLIENTS, MOST_RATE, MOST_TOKENS, Objectives, Plan,
    Prompts, Target,
};
use crate::domain::run::known::Unknown;
use crate::domain::run::{
    BenchReport, LevelEnd, LevelReport, Machine, SCHEMA, SessionEnd, Stats, Watch,
};
use crate::domain::stats::{P50, P99};
use crate::domain::units;
use crate::metrics::request::RequestRecord;
use crate::metrics::tally::{LevelFrame, Tally};
use crate::metrics::timeline::{Figures, TokenSource, Tokens};

/// A level as a file holds it.
pub(super) struct Found {
    pub(super) model: String,
    pub(super) load: LevelLoad,
    pub(super) report: LevelReport,
    /// In the order in which they were sent; empty where the file does not hold them.
    pub(super) records: Vec<RequestRecord>,
}

/// Seconds, where they are a time at all.
pub(super) fn seconds(n: f64) -> Option<Duration> {
    units::checked_seconds(n).filter(|time| time.as_secs_f64() <= LONGEST_REQUEST)
}

/// Gaps in microseconds; `None` where one is longer than any that we keep, so that not all of them are known.
pub(super) fn in_micros(gaps: &[Duration]) -> Option<Vec<u32>> {
    gaps.iter()
        .map(|gap| u32::try_from(gap.as_micros()).ok())
        .collect()
}

/// The levels in which a request ended. The others are told.
pub(super) fn with_requests(file: &File<'_>, mut found: Vec<Found>) -> Vec<Found> {
    let all = found.len();
    found.retain(|level| (1..=MOST_REQUESTS).contains(&level.report.requests.ended));
    let left_out = all - found.len();
    if left_out > 0 && !found.is_empty() {
        file.tell(format!(
            "{left_out} of the file's {} have no request that ended, as far as it says: left out",
            units::counted(all, "level")
        ));
    }
    found
}

/// Clients of a closed loop, or the most requests in flight.
///
/// # Errors
/// When they are there and cannot be right.
pub(super) fn clients(file: &File<'_>, name: &str, n: Option<f64>) -> Result<Option<u32>, Odd> {
    Ok(file
        .given(name, n, 1.0, f64::from(MOST_CLIENTS))?
        .map(|n| n.round() as u32))
}

/// Requests a second.
///
/// # Errors
/// When they are there and cannot be right.
pub(super) fn per_second(file: &File<'_>, name: &str, n: Option<f64>) -> Result<Option<f64>, Odd> {
    file.given(name, n, 0.001, MOST_RATE)
}

/// Figures of our definitions from what another program saw.
pub(super) fn figures(
    ttft: Option<Duration>,
    latency: Option<Duration>,
    tokens: Option<u64>,
    source: TokenSource,
) -> Figures {
    let tokens = tokens.map(|n| Tokens { n, source });
    let per_token = match (ttft, latency, tokens) {
        (Some(ttft), Some(latency), Some(Tokens { n, .. })) if n > 1 && latency > ttft => {
            Some((latency - ttft).as_secs_f64() / (n - 1) as f64)
        }
        _ => None,
    };
    Figures {
        ttft,
        latency,
        tokens,
        tokens_per_sec: per_token
            .map(|seconds| 1.0 / seconds)
            .filter(|rate| rate.is_finite()),
        tpot: per_token.and_then(units::checked_seconds),
        ..Figures::default()
    }
}

fn frame(
    index: usize,
    model: &str,
    began: Duration,
    now: Duration,
    steady: Option<[Duration; 2]>,
) -> LevelFrame {
    LevelFrame {
        index,
        model: model.to_owned(),
        deployment: None,
        ended: LevelEnd::Requests,
        began,
        now,
        steady,
        pauses: Vec::new(),
        in_flight_since: Vec::new(),
        most_in_flight: 0,
        aborted: 0,
        unsent: 0,
        sending: None,
        rate_limit: Vec::new(),
        watch: Watch::default(),
    }
}

/// A level that nothing is known of.
pub(super) fn blank(model: &str, load: LevelLoad) -> LevelReport {
    let tally = Tally::new(Objectives::default(), load);
    let mut report = tally.report(frame(0, model, Duration::ZERO, Duration::ZERO, None));
    report.notes.clear();
    report.watch = Watch::default();
    report
}

/// A level from what its requests measured. `spans` says how long the text of each came, by index, for those whose
/// gaps are not in the file: their tokens are spread evenly over it, in rates alone.
pub(super) fn measured(
    model: &str,
    load: LevelLoad,
    records: &[RequestRecord],
    spans: &BTreeMap<u64, Duration>,
) -> LevelReport {
    let mut tally = Tally::new(Objectives::default(), load);
    let mut spread = tally.clone();
    for record in records {
        tally.record(record);
        spread.record(&RequestRecord {
            gaps_us: even_gaps(record, spans),
            ..record.clone()
        });
    }
    let began = records
        .iter()
        .map(|record| record.sent)
        .min()
        .unwrap_or_default();
    let ended = records
        .iter()
        .map(|record| record.ended)
        .max()
        .unwrap_or_default();
    // Until the last one left the load did not fall.
    let last = records
        .iter()
        .map(|record| record.sent)
        .max()
        .unwrap_or_default();
    let until = if last.saturating_sub(began) * 4 >= ended.saturating_sub(began) {
        last
    } else {
        ended
    };
    let steady = (until > began).then_some([began, until]);
    let mut report = tally.report(frame(0, model, began, ended, steady));
    report.throughput = spread
        .report(frame(0, model, began, ended, steady))
        .throughput;
    // It was another program that measured: what it saw of itself nobody knows.
    report.watch = Watch::default();
    report
}

fn even_gaps(record: &RequestRecord, spans: &BTreeMap<u64, Duration>) -> Vec<u32> {
    // The readers take no answer of more than MOST_TOKENS, so that this list ends.
    let gaps = record
        .tokens()
        .map_or(0, |tokens| tokens.n)
        .saturating_sub(1);
    let even = || {
        let span = spans
            .get(&record.index)
            .filter(|_| record.gaps_us.is_empty())?;
        let gap = u32::try_from(span.as_micros().checked_div(u128::from(gaps))?).ok()?;
        Some(vec![gap; gaps as usize])
    };
    even().unwrap_or_else(|| record.gaps_us.clone())
}

/// What holds for all sessions of a file.
pub(super) struct Origin {
    /// The program with its version.
    pub(super) source: String,
    pub(super) api: String,
    /// The system of the machine that measured.
    pub(super) machine: Option<String>,
    /// When it began.
    pub(super) began: Option<Timestamp>,
    pub(super) took_s: Option<f64>,
    /// What was asked for, as far as the file says it.
    pub(super) asked: Asked,
    /// The user's own words.
    pub(super) tags: Vec<String>,
    /// Fewer requests than there were to be.
    pub(super) stopped: bool,
}

/// What was asked for, as far as a file says it.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) prompt_tokens: Option<Lengths>,
    pub(super) output_tokens: Option<Lengths>,
    pub(super) seed: Option<u64>,
    pub(super) ends: Ends,
    pub(super) warmup: Option<u32>,
    pub(super) timeout: Option<Duration>,
    pub(super) turns: Option<u32>,
    pub(super) ignore_eos: Option<bool>,
}

/// Of so many tokens, or of so many give or take a deviation; unknown where one of the two cannot be right.
pub(super) fn lengths(
    file: &File<'_>,
    name: &str,
    mean: Option<f64>,
    deviation: Option<f64>,
) -> Option<Lengths> {
    let whole = |n: f64| {
        file.judged(name, n, 0.0, f64::from(MOST_TOKENS))
            .map(|n| n.round() as u32)
    };
    Some(match (whole(mean?)?, whole(deviation.unwrap_or(0.0))?) {
        (0, _) => return None,
        (mean, 0) => Lengths::Fixed(mean),
        (mean, deviation) => Lengths::Normal { mean, deviation },
    })
}

/// Sessions of these levels: one for each kind of load, since a plan has one. Records get their levels and indexes.
pub(super) fn sessions(
    file: &File<'_>,
    origin: &Origin,
    found: Vec<Found>,
) -> Vec<(BenchReport, Vec<StoredRequest>)> {
    let mut kinds: Vec<(u8, Vec<Found>)> = Vec::new();
    for level in found {
        let kind = kind(&level.load);
        match kinds.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, levels)) => levels.push(level),
            None => kinds.push((kind, vec![level])),
        }
    }
    let several = kinds.len() > 1;
    let numbered = kinds.into_iter().enumerate();
    numbered
        .map(|(number, (_, levels))| {
            // In front, so that few letters tell them apart.
            let part = if several {
                format!("{}-", number + 1)
            } else {
                String::new()
            };
            session(format!("i{part}{}", file.hash), origin, levels)
        })
        .collect()
}

fn kind(load: &LevelLoad) -> u8 {
    match load {
        LevelLoad::Concurrency(_) => 0,
        LevelLoad::Rate {
            arrivals: crate::domain::plan::Arrivals::Constant,
            ..
        } => 1,
        LevelLoad::Rate { .. } => 2,
        LevelLoad::Max { .. } => 3,
        LevelLoad::Trace { .. } => 4,
        LevelLoad::Unknown => 5,
    }
}

fn session(id: String, origin: &Origin, found: Vec<Found>) -> (BenchReport, Vec<StoredRequest>) {
    let mut levels = Vec::new();
    let mut requests = Vec::new();
    let mut targets: Vec<Target> = Vec::new();
    let mut loads: Vec<LevelLoad> = Vec::new();
    for (
        index,
        Found {
            model,
            load,
            mut report,
            records,
        },
    ) in found.into_iter().enumerate()
    {
        report.index = index;
        let target = Target {
            deployment: None,
            model: model.clone(),
        };
        if !targets.contains(&target) {
            targets.push(target);
        }
        if !loads.contains(&load) {
            loads.push(load);
        }
        for mut record in records {
            record.level = index;
            record.index = requests.len() as u64;
            requests.push(StoredRequest {
                record,
                model: model.clone(),
                deployment: None,
                said: None,
            });
        }
        levels.push(report);
    }
    let (plan, unknown) = plan(origin, targets, &loads);
    let report = BenchReport {
        schema: SCHEMA.to_owned(),
        batida: env!("CARGO_PKG_VERSION").to_owned(),
        id,
        started_at: origin.began.unwrap_or_default(),
        took_s: origin.took_s.unwrap_or_default(),
        environment: String::new(),
        api: super::address(&origin.api),
        machine: Machine {
            system: origin.machine.clone(),
            ..Machine::default()
        },
        plan,
        trace: None,
        prompts_file: None,
        ended: if origin.stopped {
            SessionEnd::Stopped
        } else {
            SessionEnd::Complete
        },
        levels,
        switches: Vec::new(),
        seed: None,
        calibrations: Vec::new(),
        surroundings: None,
        source: Some(origin.source.clone()),
        unknown,
    };
    (report, requests)
}

/// The plan as far as the file says it, and what it does not say.
fn plan(origin: &Origin, targets: Vec<Target>, loads: &[LevelLoad]) -> (Plan, Vec<Unknown>) {
    let load = match loads.first() {
        None | Some(LevelLoad::Unknown) => Load::Unknown,
        Some(LevelLoad::Concurrency(_)) => {
            Load::Concurrency(loads.iter().filter_map(LevelLoad::most_in_flight).collect())
        }
        Some(LevelLoad::Rate {
            arrivals,
            most_in_flight,
            ..
        }) => Load::Rate {
            per_sec: loads
                .iter()
                .filter_map(|load| match load {
                    LevelLoad::Rate { per_sec, .. } => Some(*per_sec),
                    _ => None,
                })
                .collect(),
            arrivals: *arrivals,
            most_in_flight: *most_in_flight,
        },
        Some(LevelLoad::Max { in_flight }) => Load::Max {
            in_flight: *in_flight,
        },
        Some(LevelLoad::Trace { most_in_flight }) => Load::Trace {
            file: PathBuf::from(super::NOT_SAID),
            most_in_flight: *most_in_flight,
            unit: None,
        },
    };
    let Asked {
        prompt_tokens,
        output_tokens,
        seed,
        ends,
        warmup,
        timeout,
        turns,
        ignore_eos,
    } = origin.asked.clone();
    let unknown = [
        (Unknown::StartedAt, origin.began.is_none()),
        (Unknown::TookS, origin.took_s.is_none()),
        (Unknown::LevelEnds, ends.is_open()),
        (Unknown::SessionEnds, true),
        (Unknown::Warmup, warmup.is_none()),
        (Unknown::RampUp, true),
        (Unknown::Prompts, prompt_tokens.is_none()),
        (Unknown::Turns, turns.is_none()),
        (Unknown::OutputTokens, output_tokens.is_none()),
        (Unknown::IgnoreEos, ignore_eos.is_none()),
        (Unknown::Params, true),
        (Unknown::Timeout, timeout.is_none()),
        (Unknown::Objectives, true),
    ];
    let unknown = unknown
        .into_iter()
        .filter_map(|(part, is)| is.then_some(part))
        .collect();
    // What is unknown has a new plan's values, for whoever runs it again.
    let usual = Plan::default();
    let prompts = prompt_tokens.map(|input_tokens| Prompts::Synthetic {
        input_tokens,
        prefix_tokens: 0,
    });
    let plan = Plan {
        targets,
        load,
        level_ends: if ends.is_open() {
            usual.level_ends
        } else {
            ends
        },
        warmup: warmup.unwrap_or(usual.warmup),
        prompts: prompts.unwrap_or_default(),
        output_tokens: output_tokens.or(usual.output_tokens),
        turns: turns.unwrap_or(usual.turns),
        ignore_eos: ignore_eos.unwrap_or(usual.ignore_eos),
        timeout: timeout.unwrap_or(usual.timeout),
        seed,
        tags: origin.tags.clone(),
        ..usual
    };
    (plan, unknown)
}

/// Aggregates of times that are all zero: of answers that did not stream, or of none. No token comes in no time, so
/// these are no figures.
pub(super) fn if_any_time(stats: Stats) -> Stats {
    let zero = |value: Option<f64>| value.is_none_or(|value| value <= 0.0);
    let none = zero(stats.mean) && zero(stats.at(P50)) && zero(stats.at(P99)) && zero(stats.max);
    if none { Stats::default() } else { stats }
}

//! Builds sessions from imported levels and settings.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::level::ImportedLevel;
use super::{NOT_IN_FILE, SourceFile, address};
use crate::domain::history::StoredRequest;
use crate::domain::plan::{
    Arrivals, Ends, Lengths, LevelLoad, Load, MOST_TOKENS, Plan, Prompts, Target,
};
use crate::domain::run::known::Unknown;
use crate::domain::run::{BenchReport, Machine, SessionEnd};

/// Properties that all sessions of a file share.
pub(super) struct Origin {
    /// The program, with its version if known.
    pub(super) source: String,
    pub(super) api: String,
    /// The operating system of the machine that ran the benchmark.
    pub(super) machine: Option<String>,
    pub(super) began: Option<Timestamp>,
    pub(super) took_s: Option<f64>,
    pub(super) settings: RunSettings,
    pub(super) tags: Vec<String>,
    /// The run ended before it had sent all requests.
    pub(super) stopped: bool,
}

/// The run's settings; `None` where the file does not have them.
#[derive(Debug, Clone, Default)]
pub(super) struct RunSettings {
    pub(super) prompt_tokens: Option<Lengths>,
    pub(super) output_tokens: Option<Lengths>,
    pub(super) seed: Option<u64>,
    pub(super) ends: Ends,
    pub(super) warmup: Option<u32>,
    pub(super) timeout: Option<Duration>,
    pub(super) turns: Option<u32>,
    pub(super) ignore_eos: Option<bool>,
}

/// A fixed or normally distributed number of tokens; `None` if the mean or the deviation is out of range.
pub(super) fn lengths(
    file: &SourceFile<'_>,
    name: &str,
    mean: Option<f64>,
    deviation: Option<f64>,
) -> Option<Lengths> {
    let whole = |n: f64| {
        file.in_range(name, n, 0.0, f64::from(MOST_TOKENS))
            .map(|n| n.round() as u32)
    };
    Some(match (whole(mean?)?, whole(deviation.unwrap_or(0.0))?) {
        (0, _) => return None,
        (mean, 0) => Lengths::Fixed(mean),
        (mean, deviation) => Lengths::Normal { mean, deviation },
    })
}

/// Groups the levels into one session per kind of load, since a plan has one kind. Assigns levels and indexes to the
/// requests.
pub(super) fn sessions(
    file: &SourceFile<'_>,
    origin: &Origin,
    found: Vec<ImportedLevel>,
) -> Vec<(BenchReport, Vec<StoredRequest>)> {
    let mut kinds: Vec<(u8, Vec<ImportedLevel>)> = Vec::new();
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
            // The number comes first, so that ids that are shown shortened still differ.
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
            arrivals: Arrivals::Constant,
            ..
        } => 1,
        LevelLoad::Rate { .. } => 2,
        LevelLoad::Max { .. } => 3,
        LevelLoad::Trace { .. } => 4,
        LevelLoad::Unknown => 5,
    }
}

fn session(
    id: String,
    origin: &Origin,
    found: Vec<ImportedLevel>,
) -> (BenchReport, Vec<StoredRequest>) {
    let mut levels = Vec::new();
    let mut requests = Vec::new();
    let mut targets: Vec<Target> = Vec::new();
    let mut loads: Vec<LevelLoad> = Vec::new();
    for (
        index,
        ImportedLevel {
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
        id,
        started_at: origin.began.unwrap_or_default(),
        took_s: origin.took_s.unwrap_or_default(),
        environment: String::new(),
        api: address(&origin.api),
        machine: Machine {
            system: origin.machine.clone(),
            ..Machine::default()
        },
        plan,
        ended: if origin.stopped {
            SessionEnd::Stopped
        } else {
            SessionEnd::Complete
        },
        levels,
        source: Some(origin.source.clone()),
        unknown,
        ..BenchReport::blank()
    };
    (report, requests)
}

/// The plan, and the parts of it that the file does not contain.
fn plan(origin: &Origin, targets: Vec<Target>, loads: &[LevelLoad]) -> (Plan, Vec<Unknown>) {
    let RunSettings {
        prompt_tokens,
        output_tokens,
        seed,
        ends,
        warmup,
        timeout,
        turns,
        ignore_eos,
    } = origin.settings.clone();
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
    // Unknown settings get the default values, so that the plan can be run.
    let usual = Plan::default();
    let prompts = prompt_tokens.map(|input_tokens| Prompts::Synthetic {
        input_tokens,
        prefix_tokens: 0,
    });
    let plan = Plan {
        targets,
        load: plan_load(loads),
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

/// The load of a plan with these levels, which all have the same kind.
fn plan_load(loads: &[LevelLoad]) -> Load {
    match loads.first() {
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
            file: PathBuf::from(NOT_IN_FILE),
            most_in_flight: *most_in_flight,
            unit: None,
        },
    }
}

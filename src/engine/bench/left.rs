//! About how long a session still takes: what is left of the level under way, and each level that remains by its own load.

use std::time::Duration;

use crate::domain::plan::{LevelLoad, Plan};

/// Warm-ups of an open loop go out so many at a time.
pub(super) const WARMUP_CLIENTS: u32 = 4;

/// The level under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Counts the session's levels from 0.
    pub(super) level: usize,
    /// Measured requests that ended, and how many there will be.
    pub(super) ended: u64,
    pub(super) wanted: Option<u64>,
    /// Since its first measured request, pauses left out; `None` before that.
    pub(super) spent: Option<Duration>,
    /// The mean of the good answers so far, of this level or else of the one before; `None` without any.
    pub(super) answer: Option<Duration>,
}

/// `None` while nobody can know.
pub(super) fn left(plan: &Plan, standing: &Standing) -> Option<Duration> {
    // Which levels a search comes to nobody knows.
    if plan.load.find().is_some() {
        return None;
    }
    let levels = plan.levels();
    let mut sum = of_this(plan, standing)?;
    for level in levels.iter().skip(standing.level + 1) {
        sum = sum.checked_add(of_level(plan, &level.load, standing.answer)?)?;
    }
    Some(sum)
}

fn of_this(plan: &Plan, standing: &Standing) -> Option<Duration> {
    let Some(spent) = standing.spent else {
        // It warms up.
        let levels = plan.levels();
        return of_level(plan, &levels.get(standing.level)?.load, standing.answer);
    };
    let by_time = plan
        .level_ends
        .after
        .map(|after| after.saturating_sub(spent));
    let by_requests = match standing.wanted {
        Some(wanted) if standing.ended > 0 => {
            let more = wanted.saturating_sub(standing.ended) as f64 / standing.ended as f64;
            Duration::try_from_secs_f64(spent.as_secs_f64() * more).ok()
        }
        _ => None,
    };
    sooner(by_time, by_requests)
}

/// A whole level that has not begun.
fn of_level(plan: &Plan, load: &LevelLoad, answer: Option<Duration>) -> Option<Duration> {
    let requests = plan.level_ends.requests;
    let rounds = |requests: u64, at_once: u32| {
        let rounds = requests.div_ceil(u64::from(at_once.max(1)));
        answer?.checked_mul(u32::try_from(rounds).ok()?)
    };
    let warmup = match plan.warmup {
        0 => Some(Duration::ZERO),
        n => rounds(
            n.into(),
            load.most_in_flight().unwrap_or(WARMUP_CLIENTS).min(n),
        ),
    };
    let by_requests = match load {
        LevelLoad::Concurrency(n) | LevelLoad::Max { in_flight: n } => {
            requests.and_then(|requests| rounds(requests, *n))
        }
        LevelLoad::Rate { per_sec, .. } => requests
            .and_then(|requests| Duration::try_from_secs_f64(requests as f64 / per_sec).ok())
            .and_then(|sending| sending.checked_add(answer?)),
        LevelLoad::Trace { .. } | LevelLoad::Unknown => None,
    };
    let after = plan
        .level_ends
        .after
        .map(|after| after + answer.unwrap_or_default());
    sooner(after, by_requests)?.checked_add(warmup.unwrap_or_default() + plan.ramp_up)
}

fn sooner(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::{Ends, Load, Target};

    fn plan(load: Load, requests: Option<u64>, after: Option<Duration>) -> Plan {
        let target = Target {
            deployment: None,
            model: "m".to_owned(),
        };
        let level_ends = Ends {
            requests,
            after,
            ..Ends::default()
        };
        Plan {
            targets: vec![target],
            load,
            level_ends,
            warmup: 0,
            ramp_up: Duration::ZERO,
            ..Plan::default()
        }
    }

    fn seconds(plan: &Plan, level: usize, ended: u64, spent: u64) -> Option<f64> {
        let standing = Standing {
            level,
            ended,
            wanted: plan.level_ends.requests,
            spent: Some(Duration::from_secs(spent)),
            answer: Some(Duration::from_secs(1)),
        };
        left(plan, &standing).map(|left| left.as_secs_f64())
    }

    #[test]
    fn each_level_that_remains_counts_by_its_own_load() {
        // A hundred answers of a second each, one at a time, then ten at a time, then a hundred.
        let closed = plan(Load::Concurrency(vec![1, 10, 100]), Some(100), None);
        assert_eq!(
            seconds(&closed, 0, 50, 50),
            Some(50.0 + 10.0 + 1.0),
            "not twice the 50 s again"
        );
        assert_eq!(seconds(&closed, 1, 50, 5), Some(5.0 + 1.0));
        assert_eq!(seconds(&closed, 2, 100, 1), Some(0.0));
        let timed = plan(
            Load::Concurrency(vec![1, 10]),
            None,
            Some(Duration::from_secs(60)),
        );
        assert_eq!(seconds(&timed, 0, 9, 20), Some(40.0 + 61.0));
        let load = Load::Rate {
            per_sec: vec![1.0, 10.0],
            arrivals: crate::domain::plan::Arrivals::Constant,
            most_in_flight: None,
        };
        assert_eq!(
            seconds(&plan(load, Some(100), None), 0, 50, 50),
            Some(50.0 + 11.0)
        );
    }

    #[test]
    fn nobody_knows_before_the_first_answer() {
        let closed = plan(Load::Concurrency(vec![1, 10]), Some(100), None);
        let standing = Standing {
            level: 0,
            ended: 0,
            wanted: Some(100),
            spent: None,
            answer: None,
        };
        assert_eq!(left(&closed, &standing), None);
    }
}

//! What a plan will take, as far as that can be known before it runs, and what it cannot measure.

use super::{Field, Find, LevelLoad, Load, Plan, Prompts, Target};
use crate::domain::units;
use crate::metrics::search::{Judge, Search};

/// How fast a model answered last, one request at a time or nearly so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Time to first token, in seconds.
    pub ttft_s: f64,
    /// Tokens per second after that, for one user.
    pub tokens_per_s: f64,
}

/// What a session will take. `None` is what nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimate {
    /// Measured requests.
    pub requests: Option<u64>,
    /// Tokens of their prompts.
    pub input_tokens: Option<f64>,
    /// Tokens of their answers, at most.
    pub output_tokens: Option<f64>,
    /// In seconds. Under load, answers take longer than that.
    pub took_s: Option<f64>,
    /// Of a search: the fewest requests with which a probe can meet the limits, and the most it takes.
    pub probe: Option<[u64; 2]>,
}

/// Something that the plan will not measure well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caution {
    /// Where it can be changed.
    pub field: Field,
    /// A sentence: what will happen and what would work.
    pub text: String,
    /// It cannot measure what it says at all.
    pub refused: bool,
}

/// A level whose clients send fewer requests each than this hardly has a steady part: the first and the last of each
/// are on its edges.
const EACH: u64 = 3;

impl Plan {
    /// What it will take, at the speed at which `speed` says that a target answers.
    pub fn estimate(&self, speed: impl Fn(&Target) -> Option<Speed>) -> Estimate {
        let mut sum = Estimate {
            requests: Some(0),
            took_s: Some(0.0),
            ..Estimate::default()
        };
        if let Load::Find(find) = &self.load {
            return self.estimate_search(find);
        }
        for target in &self.targets {
            let answer_s = speed(target).and_then(|speed| self.answer_s(speed));
            for load in self.load.levels() {
                let (requests, took_s) = self.level(&load, answer_s);
                sum.requests = sum.requests.zip(requests).map(|(a, b)| a.saturating_add(b));
                sum.took_s = sum.took_s.zip(took_s).map(|(a, b)| a + b);
            }
        }
        let runs = self.repeat.max(1);
        sum.requests = sum.requests.map(|n| n.saturating_mul(runs.into()));
        let pauses = self.cool_down.as_secs_f64() * f64::from(runs - 1);
        sum.took_s = sum.took_s.map(|took| took * f64::from(runs) + pauses);
        if let (Some(most), Some(requests)) = (self.session_ends.requests, &mut sum.requests) {
            *requests = most.min(*requests);
        }
        let tokens = |each: Option<f64>| Some(each? * sum.requests? as f64);
        // The turns before are part of each prompt, and a file is read only when the session begins.
        sum.input_tokens = match &self.prompts {
            Prompts::Synthetic { input_tokens, .. } if self.turns == 1 => {
                tokens(Some(input_tokens.mean()))
            }
            _ => None,
        };
        sum.output_tokens = tokens(self.output_tokens.map(|lengths| lengths.mean()));
        sum
    }

    /// How many probes there will be, and how long each takes, follows from their verdicts.
    fn estimate_search(&self, find: &Find) -> Estimate {
        let [least, most] = self.probe_sizes(find);
        Estimate {
            probe: Some([least, self.level_ends.requests.unwrap_or(most)]),
            ..Estimate::default()
        }
    }

    /// The fewest requests with which the first probe can meet the limits, and the most that it takes.
    fn probe_sizes(&self, find: &Find) -> [u64; 2] {
        let next = Search::new(find).next(self.ramp_up);
        let judge = next.map(|next| Judge::new(find, next.rules));
        judge.map_or([0, 0], |judge| [judge.least(), judge.most()])
    }

    /// How long an answer takes.
    fn answer_s(&self, speed: Speed) -> Option<f64> {
        let tokens = self.output_tokens?.mean();
        let took = speed.ttft_s + (tokens - 1.0).max(0.0) / speed.tokens_per_s;
        took.is_finite().then_some(took)
    }

    /// The measured requests of a level, and how long it takes with its warm-up.
    fn level(&self, load: &LevelLoad, answer_s: Option<f64>) -> (Option<u64>, Option<f64>) {
        let after = self.level_ends.after.map(|after| after.as_secs_f64());
        let per_s = match load {
            LevelLoad::Rate { per_sec, .. } => Some(*per_sec),
            LevelLoad::Concurrency(n) | LevelLoad::Max { in_flight: n } => {
                answer_s.map(|answer| f64::from(*n) / answer)
            }
            LevelLoad::Trace { .. } | LevelLoad::Unknown => return (None, None),
        };
        let in_time = after
            .zip(per_s)
            .map(|(after, per_s)| (after * per_s) as u64);
        let requests = match (self.level_ends.requests, after) {
            (Some(most), None) => Some(most),
            (Some(most), Some(_)) => in_time.map(|n| n.min(most)),
            (None, _) => in_time,
        };
        let sent_s = requests.zip(per_s).map(|(n, per_s)| n as f64 / per_s);
        let clients = f64::from(load.most_in_flight().unwrap_or(1).max(1));
        let warmup_s = answer_s.map(|answer| (f64::from(self.warmup) / clients).ceil() * answer);
        let took = sent_s.zip(warmup_s).zip(answer_s);
        let took = took.map(|((sent, warmup), last)| sent + warmup + last);
        (requests, took)
    }

    /// Why this plan cannot measure what it says, where that is known before it runs.
    pub fn refusal(&self) -> Option<Caution> {
        let mut all = self.cautions(&Estimate::default()).into_iter();
        all.find(|caution| caution.refused)
    }

    /// What this plan will not measure well, what cannot be measured at all first.
    pub fn cautions(&self, estimate: &Estimate) -> Vec<Caution> {
        let mut all = Vec::new();
        let mut say = |field, refused, text| {
            all.push(Caution {
                field,
                text,
                refused,
            });
        };
        let requests = self.level_ends.requests;
        if let (Load::Find(find), Some(cap)) = (&self.load, requests) {
            let [least, _] = self.probe_sizes(find);
            if cap < least {
                let text = format!(
                    "A probe needs {} requests to meet the limits: with at most {} it can only fail",
                    units::count(least),
                    units::count(cap)
                );
                say(Field::LevelRequests, true, text);
            }
        }
        let closed = self
            .load
            .levels()
            .into_iter()
            .filter(|load| !load.is_open());
        let most = closed.filter_map(|load| Some((load.most_in_flight()?, load.label())));
        if let (Some(requests), Some((clients, label))) = (requests, most.max()) {
            let clients = u64::from(clients);
            let (sent, needed) = (
                units::counted(usize::try_from(requests).unwrap_or(usize::MAX), "request"),
                units::count(clients * EACH),
            );
            if requests > 0 && requests < clients {
                let text = format!(
                    "{label} needs at least {} requests: with {} there are never {} in flight",
                    units::count(clients),
                    units::count(requests),
                    units::count(clients)
                );
                say(Field::LevelRequests, true, text);
            } else if requests > 0 && clients > 1 && requests < clients * EACH {
                let text = format!(
                    "{label} has hardly any steady part with {sent}, so that its throughput is unsure: send {needed} or \
                     more"
                );
                say(Field::LevelRequests, false, text);
            }
        }
        if let Some(after) = self.level_ends.after.filter(|after| *after <= self.ramp_up) {
            let text = format!(
                "The ramp-up takes all of a level's {}: no part is steady, so there is no throughput",
                units::write_duration(after)
            );
            say(Field::RampUp, false, text);
        }
        if let (Some(took), Some(limit)) = (estimate.took_s, self.session_ends.after)
            && took > limit.as_secs_f64()
        {
            let text = format!(
                "The time limit of {} may end the run before all levels: about {} needed",
                units::write_duration(limit),
                units::clock(took)
            );
            say(Field::SessionTime, false, text);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::plan::{Ends, Lengths};

    fn plan(load: Load, requests: Option<u64>, after: Option<u64>) -> Plan {
        Plan {
            targets: vec![Target {
                deployment: None,
                model: "m".to_owned(),
            }],
            load,
            level_ends: Ends {
                requests,
                after: after.map(Duration::from_secs),
                error_share: None,
            },
            output_tokens: Some(Lengths::Fixed(101)),
            warmup: 0,
            ..Plan::default()
        }
    }

    /// 0.5 s to the first token, 1 s for the other hundred.
    fn known(_: &Target) -> Option<Speed> {
        Some(Speed {
            ttft_s: 0.5,
            tokens_per_s: 100.0,
        })
    }

    #[test]
    fn a_run_is_estimated_at_the_last_known_speed() {
        let plan = plan(Load::Concurrency(vec![1, 4]), Some(20), None);
        let estimate = plan.estimate(known);
        // 20 and 5 answers of 1.5 s, and the last of each level.
        assert_eq!(estimate.took_s, Some(30.0 + 7.5 + 3.0));
        assert_eq!(
            (
                estimate.requests,
                estimate.input_tokens,
                estimate.output_tokens
            ),
            (Some(40), Some(40.0 * 256.0), Some(40.0 * 101.0))
        );
        let unknown = plan.estimate(|_| None);
        assert_eq!((unknown.requests, unknown.took_s), (Some(40), None));
    }

    #[test]
    fn a_level_that_ends_with_time_needs_the_speed() {
        let plan = plan(Load::Concurrency(vec![3]), None, Some(30));
        assert_eq!(plan.estimate(known).requests, Some(60));
        assert_eq!(plan.estimate(|_| None), Estimate::default());
        let trace = Load::Trace {
            file: "t".into(),
            most_in_flight: None,
            unit: None,
        };
        assert_eq!(
            self::plan(trace, None, None).estimate(known),
            Estimate::default()
        );
    }

    #[test]
    fn what_cannot_be_measured_is_said_before() {
        let check = |requests, clients: &[u32], expected: &[(Field, bool)]| {
            let plan = plan(Load::Concurrency(clients.to_vec()), Some(requests), None);
            let told = plan.cautions(&Estimate::default());
            let told: Vec<_> = told.iter().map(|it| (it.field, it.refused)).collect();
            assert_eq!(told, expected, "{requests} {clients:?}");
        };
        check(20, &[1, 64], &[(Field::LevelRequests, true)]);
        let refused = plan(Load::Concurrency(vec![1, 64]), Some(20), None).refusal();
        assert_eq!(
            refused.map(|caution| caution.text).as_deref(),
            Some("c=64 needs at least 64 requests: with 20 there are never 64 in flight")
        );
        let unsure = plan(Load::Concurrency(vec![64]), Some(100), None);
        assert_eq!(unsure.refusal(), None, "it is only unsure");
        check(100, &[1, 64], &[(Field::LevelRequests, false)]);
        check(192, &[1, 64], &[]);
        check(1, &[1], &[]);
        let slow = Estimate {
            took_s: Some(700.0),
            ..Estimate::default()
        };
        let plan = plan(Load::Concurrency(vec![1]), Some(9), None);
        let told: Vec<_> = plan.cautions(&slow).into_iter().map(|it| it.text).collect();
        assert_eq!(
            told,
            ["The time limit of 600s may end the run before all levels: about 11:40 needed"]
        );
    }
}

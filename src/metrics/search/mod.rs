//! The search for the highest load at which requests meet limits: it doubles the load until one fails, then bisects.
//!
//! # Which loads are proven
//!
//! A sentence such as "48 clients meet TTFT p95 < 800 ms; 52 do not" stands on two probes, the highest that met the
//! limits and the lowest that did not. Lower loads need no proof of their own, so that on the way up one look at a few
//! requests is enough to go on ([`Verdict::LooksMet`]). Such a load is proven when the sentence would stand on it.
//!
//! # How sure the sentence is
//!
//! It is wrong only if some probe was decided wrongly. The 5 % that it may be wrong are spent over the probes, and each
//! probe's part over its looks ([`judge`]), so that their sum is at most 5 % however long the search takes:
//! 0.5 % for the first looks of all probes (half a thousandth each, of those beyond the eighth half of the one before),
//! 4.5 % for their other looks (an eighth of it for each of six, then half of what is left each).
//!
//! # What is taken for granted
//!
//! A load that fails makes higher ones fail. Where a higher load passes all the same, the search goes on above it and
//! says so.

mod beta;
pub mod judge;
mod limits;
mod share;

use std::time::Duration;

pub use self::judge::{InFlight, Judge, Rules};
pub use self::share::{Unit, counts_as, wilson};
use crate::domain::plan::{Find, Raise, Target};
use crate::domain::run::{Bracket, Found, FoundEnd, LevelReport, Verdict};

/// The sentence may be wrong this often.
pub const ERROR: f64 = 0.05;
/// For the first looks.
const GLANCES: f64 = 0.005;
/// So many probes at most.
const MOST_PROBES: usize = 32;
/// Of undecided loads so many are enough to stop.
const MOST_UNDECIDED: usize = 2;
/// The bracket is closed once its ends differ by so much of the lower one.
const CLOSE: f64 = 0.1;

/// A search under way.
#[derive(Debug, Clone)]
pub struct Search {
    find: Find,
    probes: Vec<(f64, Verdict)>,
    /// Probes that may decide beyond their first look.
    full: u32,
}

/// A probe that is to be run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Next {
    /// At which load: clients, or requests per second.
    pub load: f64,
    /// How it decides.
    pub rules: Rules,
}

impl Search {
    /// A search that has not begun.
    pub fn new(find: &Find) -> Self {
        Self {
            find: find.clone(),
            probes: Vec::new(),
            full: 0,
        }
    }

    /// The next probe; `None` at the end.
    pub fn next(&mut self, ramp_up: Duration) -> Option<Next> {
        if self.probes.len() >= MOST_PROBES {
            return None;
        }
        let (load, glances) = self.next_load()?;
        let by_clients = self.find.by == Raise::Concurrency;
        let number = self.probes.len() as i32;
        let glance_error = GLANCES / 10.0 * 0.5f64.powi((number - 7).max(0));
        let full = self.full as i32;
        let share = if full < 6 {
            0.125
        } else {
            0.25 * 0.5f64.powi(full - 5)
        };
        self.full += 1;
        Some(Next {
            load,
            rules: Rules {
                clients: by_clients.then_some(load.round() as u32),
                ramp_up,
                glances,
                glance_error,
                error: (ERROR - GLANCES) * share,
            },
        })
    }

    /// How the probe at this load ended.
    pub fn record(&mut self, load: f64, verdict: Verdict) {
        if verdict == Verdict::LooksMet {
            // It used its first look only.
            self.full = self.full.saturating_sub(1);
        }
        self.probes.push((load, verdict));
    }

    /// What is known so far.
    pub fn bracket(&self) -> Bracket {
        let meets = self
            .with(&[Verdict::Met, Verdict::LooksMet])
            .fold(None, most);
        let above = |load: &f64| meets.is_none_or(|meets| *load > meets);
        let fails = self
            .with(&[Verdict::NotMet])
            .filter(above)
            .fold(None, least);
        Bracket { meets, fails }
    }

    /// About how many probes are still to come.
    pub fn left(&self) -> usize {
        let Bracket { meets, fails } = self.bracket();
        match (meets, fails) {
            (Some(meets), Some(fails)) => {
                let halvings = ((fails - meets) / self.close_to(meets))
                    .max(1.0)
                    .log2()
                    .ceil();
                halvings as usize
            }
            (Some(meets), None) => {
                4 + (self.find.highest() / meets)
                    .max(1.0)
                    .log2()
                    .ceil()
                    .min(3.0) as usize
            }
            _ => 4,
        }
    }

    /// What was found. `cut`: the session ended before the search did.
    pub fn found(&self, target: &Target, cut: bool) -> Found {
        let Bracket { meets, fails } = self.bracket();
        let proven = meets.filter(|meets| self.verdict(*meets) == Some(Verdict::Met));
        let is_between = |load: &f64| {
            meets.is_none_or(|meets| *load > meets) && fails.is_none_or(|fails| *load < fails)
        };
        let mut undecided: Vec<f64> = self
            .with(&[Verdict::Undecided])
            .filter(is_between)
            .collect();
        let mut exceptions: Vec<f64> = self
            .with(&[Verdict::NotMet])
            .filter(|load| meets.is_some_and(|meets| *load < meets))
            .collect();
        for list in [&mut undecided, &mut exceptions] {
            list.sort_by(f64::total_cmp);
            list.dedup();
        }
        let highest = self.find.highest();
        let ended = match (meets, fails) {
            _ if cut => FoundEnd::Cut,
            (None, Some(fails)) if fails <= self.find.least() => FoundEnd::LeastFails,
            (Some(meets), None) if meets >= highest => FoundEnd::Highest,
            (None, None) | (Some(_), None) => FoundEnd::Undecided,
            _ if undecided.is_empty() => FoundEnd::Closed,
            _ => FoundEnd::Undecided,
        };
        Found {
            model: target.model.clone(),
            deployment: target.deployment.clone(),
            by: self.find.by,
            limits: self.find.words(),
            meets,
            proven: proven.is_some(),
            fails,
            undecided,
            exceptions,
            up_to: highest,
            ended,
            confidence: 1.0 - ERROR,
            meets_level: None,
            fails_level: None,
        }
    }

    /// Loads with one of these verdicts, each with its last.
    fn with<'a>(&'a self, verdicts: &'a [Verdict]) -> impl Iterator<Item = f64> + 'a {
        let loads = self.probes.iter().map(|(load, _)| *load);
        loads.filter(|load| self.verdict(*load).is_some_and(|it| verdicts.contains(&it)))
    }

    /// The last word on a load.
    fn verdict(&self, load: f64) -> Option<Verdict> {
        let mut all = self.probes.iter().rev();
        all.find(|(other, _)| *other == load)
            .map(|(_, verdict)| *verdict)
    }

    /// The load of the next probe, and whether a glance at it is enough.
    fn next_load(&self) -> Option<(f64, bool)> {
        let Bracket { meets, fails } = self.bracket();
        let Some(top) = self.probes.iter().map(|(load, _)| *load).reduce(f64::max) else {
            return Some((self.find.first(), true));
        };
        match (meets, fails) {
            (_, None) if top < self.find.highest() => {
                Some((self.round((top * 2.0).min(self.find.highest())), true))
            }
            (None, None) => None,
            (None, Some(fails)) => self.below(fails),
            (Some(meets), None) => self.unproven(meets),
            (Some(meets), Some(fails)) => {
                self.between(meets, fails).or_else(|| self.unproven(meets))
            }
        }
    }

    /// Nothing met the limits so far.
    fn below(&self, fails: f64) -> Option<(f64, bool)> {
        let least = self.find.least();
        if fails > least {
            let half = self.round(fails / 2.0).max(least);
            // Undecided loads below it are as far as it goes.
            return self.verdict(half).is_none().then_some((half, true));
        }
        // One look above the least load: it may be an exception.
        let above = self.round(least * 2.0);
        let is_known = self.verdict(above).is_some() || above > self.find.highest();
        (!is_known).then_some((above, false))
    }

    /// What the sentence would stand on is proven.
    fn unproven(&self, load: f64) -> Option<(f64, bool)> {
        (self.verdict(load) == Some(Verdict::LooksMet)).then_some((load, false))
    }

    /// The middle of the widest gap of the bracket that is not closed.
    fn between(&self, meets: f64, fails: f64) -> Option<(f64, bool)> {
        let inside = |load: &f64| *load > meets && *load < fails;
        let mut ends: Vec<f64> = self.with(&[Verdict::Undecided]).filter(inside).collect();
        if ends.len() >= MOST_UNDECIDED {
            return None;
        }
        ends.extend([meets, fails]);
        ends.sort_by(f64::total_cmp);
        let close = self.close_to(meets);
        let gaps = ends.windows(2).filter(|gap| gap[1] - gap[0] > close + 1e-9);
        let widest = gaps.max_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0])))?;
        let middle = self.round(f64::midpoint(widest[0], widest[1]));
        self.verdict(middle).is_none().then_some((middle, false))
    }

    /// Ends so near to each other are near enough.
    fn close_to(&self, load: f64) -> f64 {
        match self.find.by {
            Raise::Concurrency => (load * CLOSE).max(1.0),
            Raise::Rate => load * CLOSE,
        }
    }

    /// A number of clients, or a rate of three digits.
    fn round(&self, load: f64) -> f64 {
        if self.find.by == Raise::Concurrency {
            return load.round().max(1.0);
        }
        let digits = (2.0 - load.log10().floor()) as i32;
        let scale = 10f64.powi(digits.abs());
        if digits >= 0 {
            (load * scale).round() / scale
        } else {
            (load / scale).round() * scale
        }
    }
}

/// Fills in the levels that the sentence stands on.
pub fn with_levels(found: &mut Found, levels: &[LevelReport]) {
    for level in levels {
        let load = level.load.amount().map(|(load, _)| load);
        let verdict = level.probe.as_ref().and_then(|probe| probe.verdict);
        match verdict {
            Some(Verdict::Met | Verdict::LooksMet) if load == found.meets => {
                found.meets_level = Some(level.index);
            }
            Some(Verdict::NotMet) if load == found.fails => found.fails_level = Some(level.index),
            _ => {}
        }
    }
}

fn most(so_far: Option<f64>, load: f64) -> Option<f64> {
    Some(so_far.map_or(load, |other| other.max(load)))
}

fn least(so_far: Option<f64>, load: f64) -> Option<f64> {
    Some(so_far.map_or(load, |other| other.min(load)))
}

/// The normal distribution's quantile beyond which `error` lies.
fn upper_z(error: f64) -> f64 {
    let beyond = |z: f64| libm::erfc(z / std::f64::consts::SQRT_2) / 2.0;
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if beyond(middle) > error {
            low = middle
        } else {
            high = middle
        }
    }
    high
}

#[cfg(test)]
mod tests;

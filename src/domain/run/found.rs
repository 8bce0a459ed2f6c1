//! What a search for the highest load found, and what each of its probes saw; in words for every report.

use serde::{Deserialize, Serialize};

use super::LevelReport;
use crate::domain::plan::Raise;
use crate::domain::units;

/// What a probe decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Requests meet the limits at this load.
    Met,
    /// They do not.
    NotMet,
    /// The first look found nothing against it, and the search went on to higher loads. No proof.
    LooksMet,
    /// Its cap was reached before it could be decided.
    Undecided,
}

impl Verdict {
    /// In a word or two.
    pub fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "not met",
            Self::LooksMet => "looks met",
            Self::Undecided => "undecided",
        }
    }
}

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// `None` while it is under way, or where it was stopped.
    pub verdict: Option<Verdict>,
    /// A limit with a percentile each, and the limits without one together.
    pub tests: Vec<ProbeTest>,
    /// Measured requests that the verdict leaves out: the beginning of the level, and what was in flight at its end.
    pub left_out: u64,
}

/// A share that was tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeTest {
    /// The limit in words, e.g. `TTFT p95 < 800 ms`.
    pub limit: String,
    /// The share that must meet it, 0 to 1.
    pub wanted: f64,
    /// The share that did; `None` before any request counted.
    pub share: Option<f64>,
    /// Its 95 % Wilson interval.
    pub interval: Option<[f64; 2]>,
    /// Requests that met it; for `itl_p99` gaps.
    pub met: u64,
    /// Of so many. Failed requests, and those that were due and never sent, did not meet it.
    pub of: u64,
    /// As how many independent ones they count.
    pub counts_as: f64,
}

impl ProbeTest {
    /// `97.8 % of 614 [96.2 %, 98.9 %]`
    pub fn told(&self) -> String {
        let Some(share) = self.share else {
            return "no request yet".to_owned();
        };
        let interval = self.interval.map(|[low, high]| {
            format!(
                ", 95 % interval {} to {}",
                units::percent(low),
                units::percent(high)
            )
        });
        let counts_as = (self.counts_as < 0.9 * self.of as f64).then(|| {
            format!(
                " (they wait for each other and count as {})",
                units::count(self.counts_as as u64)
            )
        });
        format!(
            "{} of {}{}{}",
            units::percent(share),
            units::count(self.of),
            counts_as.unwrap_or_default(),
            interval.unwrap_or_default()
        )
    }
}

impl ProbeReport {
    /// `met: 97.8 % of 614, 95 % interval 96.2 % to 98.9 %, for TTFT p95 < 800 ms`
    pub fn told(&self) -> String {
        let tests = self.tests.iter();
        let tests: Vec<String> = tests
            .map(|test| format!("{} met {}", test.told(), test.limit))
            .collect();
        let verdict = self.verdict.map_or("under way", Verdict::word);
        format!("{verdict}: {}", tests.join("; "))
    }
}

/// Between which loads the highest one lies, as far as a search has come.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bracket {
    /// The highest load that meets the limits.
    pub meets: Option<f64>,
    /// The lowest above it that does not.
    pub fails: Option<f64>,
}

impl Bracket {
    /// `16 meets, 64 does not`
    pub fn told(&self, by: Raise) -> String {
        let meets = self.meets.map(|load| format!("{} meets", by.number(load)));
        let fails = self.fails.map(|load| match self.meets {
            Some(_) => format!("{} does not", by.number(load)),
            None => format!("{} does not meet", by.number(load)),
        });
        let parts: Vec<String> = [meets, fails].into_iter().flatten().collect();
        if parts.is_empty() {
            "nothing decided yet".to_owned()
        } else {
            parts.join(", ")
        }
    }
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundEnd {
    /// The highest load lies between two that are near enough to each other.
    Closed,
    /// The highest load that was to be tried meets the limits.
    Highest,
    /// The least load does not meet them.
    LeastFails,
    /// Probes reached their cap before they could be decided.
    Undecided,
    /// The session ended before the search did.
    Cut,
}

/// What a search found for a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The model's serving name.
    pub model: String,
    /// Its deployment.
    pub deployment: Option<String>,
    /// What was raised.
    pub by: Raise,
    /// What requests had to meet, in words.
    pub limits: String,
    /// The highest load that meets it: clients, or requests per second.
    pub meets: Option<f64>,
    /// Whether that is decided; else only its first look found nothing against it.
    pub proven: bool,
    /// The lowest load above that does not meet it.
    pub fails: Option<f64>,
    /// Loads between them that could not be decided.
    pub undecided: Vec<f64>,
    /// Lower loads that did not meet it although a higher one does.
    pub exceptions: Vec<f64>,
    /// The highest load that was to be tried.
    pub up_to: f64,
    /// How the search ended.
    pub ended: FoundEnd,
    /// How sure the sentence is, 0 to 1.
    pub confidence: f64,
    /// The index of the level that `meets` stands on.
    #[serde(default)]
    pub meets_level: Option<usize>,
    /// The index of the level that `fails` stands on.
    #[serde(default)]
    pub fails_level: Option<usize>,
}

impl Found {
    /// Between which loads the highest one lies.
    pub fn bracket(&self) -> Bracket {
        Bracket {
            meets: self.meets,
            fails: self.fails,
        }
    }

    /// The result in a sentence: `48 clients meet TTFT p95 < 800 ms; 52 do not`.
    pub fn sentence(&self) -> String {
        let (by, limits) = (self.by, &self.limits);
        let verb = |load: f64, one: &'static str, several: &'static str| {
            if by == Raise::Concurrency && load == 1.0 {
                one
            } else {
                several
            }
        };
        let meet = |load: f64| {
            let (seem, meets) = (
                verb(load, "seems to meet", "seem to meet"),
                verb(load, "meets", "meet"),
            );
            let verb = if self.proven { meets } else { seem };
            format!("{} {verb} {limits}", by.told(load))
        };
        let fail = |load: f64| format!("{} {} not", by.number(load), verb(load, "does", "do"));
        let cut = if self.ended == FoundEnd::Cut {
            ", and the search was stopped there"
        } else {
            ""
        };
        match (self.meets, self.fails) {
            (Some(meets), Some(fails)) => format!("{}; {}{cut}", meet(meets), fail(fails)),
            (Some(meets), None) if self.ended == FoundEnd::Highest => {
                format!("{}, the highest load that was tried", meet(meets))
            }
            (Some(meets), None) => format!("{}; no higher load was decided{cut}", meet(meets)),
            (None, Some(fails)) if self.ended == FoundEnd::LeastFails => format!(
                "Even {}, the least load, {} not meet {limits}",
                by.told(fails),
                verb(fails, "does", "do")
            ),
            (None, Some(fails)) => format!(
                "{} {} not meet {limits}; no lower load was decided{cut}",
                by.told(fails),
                verb(fails, "does", "do")
            ),
            (None, None) => format!("No load could be decided for {limits}{cut}"),
        }
    }

    /// How sure that is, and what else is to be known: a sentence each.
    pub fn details(&self, levels: &[LevelReport]) -> Vec<String> {
        let mut out = Vec::new();
        let list = |loads: &[f64]| {
            let loads: Vec<String> = loads.iter().map(|load| self.by.number(*load)).collect();
            loads.join(" and ")
        };
        if !self.undecided.is_empty() {
            out.push(format!(
                "At {} it could not be decided: the share is too near to what is asked for the requests that were sent",
                list(&self.undecided)
            ));
        }
        let stands = self.meets.is_some() || self.fails.is_some();
        if stands && (self.proven || self.meets.is_none()) {
            out.push(format!(
                "The sentence is right with at least {} confidence, over all probes and looks together",
                units::whole_percent(self.confidence)
            ));
        } else if stands {
            out.push(format!(
                "At {} only a first look was taken: no proof",
                self.meets
                    .map(|load| self.by.number(load))
                    .unwrap_or_default()
            ));
        }
        for (load, level) in [
            (self.meets, self.meets_level),
            (self.fails, self.fails_level),
        ] {
            let level = levels.iter().find(|known| Some(known.index) == level);
            let probe = level.and_then(|level| level.probe.as_ref());
            if let (Some(load), Some(probe)) = (load, probe) {
                out.push(format!("At {}, {}", self.by.told(load), probe.told()));
            }
        }
        if !self.exceptions.is_empty() {
            out.push(format!(
                "Not monotone: {} did not meet it although a higher load does. The search takes for granted that a \
                 higher load is never better, so look at the levels",
                list(&self.exceptions)
            ));
        }
        out
    }

    /// The sentence, with its model where there are several.
    pub fn told(&self, several: bool) -> String {
        if several {
            format!("{}: {}", self.model, self.sentence())
        } else {
            self.sentence()
        }
    }

    /// Whether no load is known to meet the limits.
    pub fn has_failed(&self) -> bool {
        self.meets.is_none() && self.ended == FoundEnd::LeastFails
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Found {
        Found {
            model: "m".to_owned(),
            deployment: None,
            by: Raise::Concurrency,
            limits: "TTFT p95 < 800 ms".to_owned(),
            meets: Some(48.0),
            proven: true,
            fails: Some(52.0),
            undecided: Vec::new(),
            exceptions: Vec::new(),
            up_to: 1_024.0,
            ended: FoundEnd::Closed,
            confidence: 0.95,
            meets_level: None,
            fails_level: None,
        }
    }

    #[test]
    fn the_result_is_a_sentence() {
        assert_eq!(
            found().sentence(),
            "48 clients meet TTFT p95 < 800 ms; 52 do not"
        );
        for (change, expected) in [
            (
                Found {
                    ended: FoundEnd::LeastFails,
                    meets: None,
                    fails: Some(1.0),
                    ..found()
                },
                "Even 1 client, the least load, does not meet TTFT p95 < 800 ms",
            ),
            (
                Found {
                    ended: FoundEnd::Highest,
                    meets: Some(64.0),
                    fails: None,
                    ..found()
                },
                "64 clients meet TTFT p95 < 800 ms, the highest load that was tried",
            ),
            (
                Found {
                    ended: FoundEnd::Cut,
                    meets: Some(1.0),
                    fails: Some(8.0),
                    proven: false,
                    ..found()
                },
                "1 client seems to meet TTFT p95 < 800 ms; 8 do not, and the search was stopped there",
            ),
            (
                Found {
                    by: Raise::Rate,
                    meets: Some(12.5),
                    fails: Some(13.3),
                    ..found()
                },
                "12.5 requests/s meet TTFT p95 < 800 ms; 13.3 do not",
            ),
            (
                Found {
                    ended: FoundEnd::Cut,
                    meets: None,
                    fails: None,
                    ..found()
                },
                "No load could be decided for TTFT p95 < 800 ms, and the search was stopped there",
            ),
        ] {
            assert_eq!(change.sentence(), expected);
        }
    }

    #[test]
    fn what_is_unsure_is_said() {
        let odd = Found {
            undecided: vec![50.0],
            exceptions: vec![1.0],
            ..found()
        };
        let told = odd.details(&[]).join("\n");
        for words in [
            "At 50 it could not be decided",
            "95 % confidence",
            "Not monotone: 1",
        ] {
            assert!(told.contains(words), "{told}");
        }
    }
}

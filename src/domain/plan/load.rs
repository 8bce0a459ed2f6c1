//! How requests are sent: at which concurrency or rate, level by level.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Field, Find, MOST_CLIENTS, MOST_RATE};
use crate::domain::units;

/// How requests are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Load {
    /// Closed loop: so many clients, each sends its next request when its answer is there. A level each;
    /// several make a sweep.
    Concurrency(Vec<u32>),
    /// Open loop: so many requests per second, whether or not earlier ones have been answered. A level each.
    Rate {
        /// Requests per second.
        per_sec: Vec<f64>,
        /// How they are spaced.
        arrivals: Arrivals,
        /// At most so many in flight; a request that is due then waits, and the wait counts.
        most_in_flight: Option<u32>,
    },
    /// As fast as possible: every request is due at once, with at most so many in flight.
    Max {
        /// In flight at most; 0 where an imported file says no limit.
        in_flight: u32,
    },
    /// Replays a trace: JSONL or CSV with a send time per request.
    Trace {
        /// The file.
        file: PathBuf,
        /// At most so many in flight.
        most_in_flight: Option<u32>,
        /// The unit of its times; `None` reads it off the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<TimeUnit>,
    },
    /// Searches for the highest load at which requests meet limits: a level a probe.
    Find(Find),
    /// A load that an imported file does not say. It cannot be run.
    Unknown,
}

/// The unit of the times of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl TimeUnit {
    /// All of them, the longest first.
    pub const ALL: [Self; 4] = [Self::S, Self::Ms, Self::Us, Self::Ns];

    /// As it is written: `s`, `ms`, `us`, `ns`.
    pub fn name(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::Ms => "ms",
            Self::Us => "us",
            Self::Ns => "ns",
        }
    }

    /// One of them in seconds.
    pub fn seconds(self) -> f64 {
        match self {
            Self::S => 1.0,
            Self::Ms => 1e-3,
            Self::Us => 1e-6,
            Self::Ns => 1e-9,
        }
    }

    /// Reads `s`, `ms`, `us` and `ns`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL
            .into_iter()
            .find(|unit| unit.name() == text || (text == "µs" && *unit == Self::Us));
        found.ok_or_else(|| format!("{text:?} is not a unit of time: write s, ms, us or ns"))
    }
}

/// How the requests of a rate are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Arrivals {
    /// Evenly.
    Constant,
    /// At random, as independent users would (exponential gaps, seeded).
    Poisson,
    /// At random, with gamma distributed gaps of this shape, above 0: their variance is the mean's square divided by
    /// the shape. Below 1 requests come in bursts, 1 is [`Self::Poisson`], above 1 they come more evenly.
    Gamma(f64),
}

/// The least and the most shape of gamma distributed gaps: below, nearly all requests come at once; above, evenly.
pub const GAMMA_SHAPES: std::ops::RangeInclusive<f64> = 0.01..=1_000.0;

impl Arrivals {
    /// Reads `constant`, `poisson` and `gamma:0.5`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "constant" => return Ok(Self::Constant),
            "poisson" => return Ok(Self::Poisson),
            _ => {}
        }
        let Some(shape) = text.strip_prefix("gamma:") else {
            return Err(format!(
                "{text:?} is not a kind of arrivals: write constant, poisson or gamma:SHAPE"
            ));
        };
        let shape = shape.trim().parse().ok();
        match shape.filter(|shape| GAMMA_SHAPES.contains(shape)) {
            Some(shape) => Ok(Self::Gamma(shape)),
            None => Err("the shape of gamma arrivals is a number from 0.01 to 1,000".to_owned()),
        }
    }
}

impl std::fmt::Display for Arrivals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Poisson => f.write_str("poisson"),
            Self::Gamma(shape) => write!(f, "gamma:{shape}"),
        }
    }
}

impl TryFrom<String> for Arrivals {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Arrivals> for String {
    fn from(arrivals: Arrivals) -> Self {
        arrivals.to_string()
    }
}

/// The load of one level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LevelLoad {
    /// Closed loop with so many clients.
    Concurrency(u32),
    /// Open loop.
    Rate {
        /// Requests per second.
        per_sec: f64,
        /// How they are spaced.
        arrivals: Arrivals,
        /// At most so many in flight.
        most_in_flight: Option<u32>,
    },
    /// As fast as possible.
    Max {
        /// In flight at most; 0 where an imported file says no limit.
        in_flight: u32,
    },
    /// A trace.
    Trace {
        /// At most so many in flight.
        most_in_flight: Option<u32>,
    },
    /// A load that an imported file does not say.
    Unknown,
}

impl Load {
    /// One for each level; none for a search.
    pub fn levels(&self) -> Vec<LevelLoad> {
        match self {
            Self::Concurrency(clients) => clients
                .iter()
                .copied()
                .map(LevelLoad::Concurrency)
                .collect(),
            Self::Rate {
                per_sec,
                arrivals,
                most_in_flight,
            } => per_sec
                .iter()
                .map(|rate| LevelLoad::Rate {
                    per_sec: *rate,
                    arrivals: *arrivals,
                    most_in_flight: *most_in_flight,
                })
                .collect(),
            Self::Max { in_flight } => vec![LevelLoad::Max {
                in_flight: *in_flight,
            }],
            Self::Trace { most_in_flight, .. } => {
                vec![LevelLoad::Trace {
                    most_in_flight: *most_in_flight,
                }]
            }
            Self::Find(_) => Vec::new(),
            Self::Unknown => vec![LevelLoad::Unknown],
        }
    }

    /// The levels, or of a search the highest that it may come to: what connections and threads must suffice for.
    pub fn heaviest(&self) -> Vec<LevelLoad> {
        match self {
            Self::Find(find) => vec![find.level(find.highest())],
            _ => self.levels(),
        }
    }

    /// The search, where it is one.
    pub fn find(&self) -> Option<&Find> {
        match self {
            Self::Find(find) => Some(find),
            _ => None,
        }
    }

    /// The sweep `1, 2, 4 …` up to `most`, which ends it also when it is no power of two.
    pub fn sweep(most: u32) -> Self {
        let mut clients: Vec<u32> = std::iter::successors(Some(1u32), |n| n.checked_mul(2))
            .take_while(|n| *n < most)
            .collect();
        clients.push(most.max(1));
        Self::Concurrency(clients)
    }

    pub(super) fn check(&self, say: &mut impl FnMut(Field, &str)) {
        let clients = 1..=MOST_CLIENTS;
        match self {
            Self::Concurrency(list) if list.is_empty() => {
                say(
                    Field::Concurrency,
                    "type the number of clients, e.g. 1, 4, 16",
                );
            }
            Self::Concurrency(list) if !list.iter().all(|n| clients.contains(n)) => {
                say(Field::Concurrency, "a level has 1 to 20,000 clients");
            }
            Self::Rate { per_sec, .. } if per_sec.is_empty() => {
                say(Field::Rate, "type the requests per second, e.g. 2, 4");
            }
            Self::Rate { per_sec, .. }
                if !per_sec.iter().all(|r| *r >= 0.001 && *r <= MOST_RATE) =>
            {
                say(
                    Field::Rate,
                    "a rate is 0.001 to 100,000 requests per second",
                );
            }
            Self::Rate {
                arrivals: Arrivals::Gamma(shape),
                ..
            } if !GAMMA_SHAPES.contains(shape) => {
                say(
                    Field::Arrivals,
                    "the shape of gamma arrivals is a number from 0.01 to 1,000",
                );
            }
            Self::Rate {
                most_in_flight: Some(0),
                ..
            }
            | Self::Trace {
                most_in_flight: Some(0),
                ..
            } => {
                say(Field::MaxInFlight, "with 0 in flight nothing is sent");
            }
            Self::Max { in_flight } if !clients.contains(in_flight) => {
                say(Field::Max, "1 to 20,000 requests in flight");
            }
            Self::Trace { file, .. } if file.as_os_str().is_empty() => {
                say(Field::Trace, "choose a trace file");
            }
            Self::Find(find) => find.check(say),
            Self::Unknown => say(
                Field::Load,
                "the imported file does not say its load: choose one",
            ),
            _ => {}
        }
    }
}

impl LevelLoad {
    /// `c=16`, `4/s`, `max`, `trace`, `unknown`.
    pub fn label(&self) -> String {
        match self {
            Self::Concurrency(clients) => format!("c={clients}"),
            Self::Rate { per_sec, .. } => format!("{per_sec}/s"),
            Self::Max { .. } => "max".to_owned(),
            Self::Trace { .. } => "trace".to_owned(),
            Self::Unknown => units::UNKNOWN.to_owned(),
        }
    }

    /// Its clients or its requests per second, and whether it is a rate; `None` of other loads.
    pub fn amount(&self) -> Option<(f64, bool)> {
        match self {
            Self::Concurrency(n) => Some((f64::from(*n), false)),
            Self::Rate { per_sec, .. } => Some((*per_sec, true)),
            _ => None,
        }
    }

    /// Whether requests have a moment when they are due, from which everything is measured.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Rate { .. } | Self::Trace { .. })
    }

    /// How many clients or requests in flight at most; `None` without a cap.
    pub fn most_in_flight(&self) -> Option<u32> {
        match self {
            Self::Max { in_flight: 0 } | Self::Unknown => None,
            Self::Concurrency(n) | Self::Max { in_flight: n } => Some(*n),
            Self::Rate { most_in_flight, .. } | Self::Trace { most_in_flight } => *most_in_flight,
        }
    }
}

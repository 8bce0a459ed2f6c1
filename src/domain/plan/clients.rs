//! How clients behave: they think between turns, and some hang up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::random::Random;
use crate::domain::units::{self, read_duration, read_share, write_duration, write_share};

/// Separates the random numbers of hang-ups and of think times from others with the plan's seed.
const HANG_UPS: u64 = 0xCA4C;
const THINK: u64 = 0x7814;

/// Clients that hang up before their answer is complete. Each request is chosen with the same chance, whatever the
/// server does, and is in no figure of time even if its answer came before: else the quickest answers alone would be
/// counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HangUps {
    /// Of all measured requests, above 0 and at most 1.
    pub share: f64,
    /// How long after it was sent.
    pub after: Duration,
}

impl HangUps {
    /// Reads `10%@500ms`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((share, after)) = text.trim().split_once('@') else {
            return Err(format!(
                "{text:?} does not say when clients hang up: write 10%@500ms"
            ));
        };
        let hang_ups = Self {
            share: read_share(share.trim())?,
            after: read_duration(after.trim())?,
        };
        match hang_ups.problem() {
            Some(problem) => Err(problem.to_owned()),
            None => Ok(hang_ups),
        }
    }

    pub(super) fn problem(self) -> Option<&'static str> {
        if !(self.share > 0.0 && self.share <= 1.0) {
            Some("a share of clients that hang up is more than 0 and at most 100 %")
        } else if self.after.is_zero() {
            Some("a client hangs up some time after its request, e.g. 10%@500ms")
        } else {
            None
        }
    }

    /// Whether the request of this index hangs up; the same at every call.
    pub fn chooses(self, seed: u64, index: u64) -> bool {
        Random::at(&[seed, HANG_UPS, index]).unit() < self.share
    }
}

impl std::fmt::Display for HangUps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}@{}",
            write_share(self.share),
            write_duration(self.after)
        )
    }
}

impl TryFrom<String> for HangUps {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<HangUps> for String {
    fn from(hang_ups: HangUps) -> Self {
        hang_ups.to_string()
    }
}

/// How long a client thinks between an answer and its next turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ThinkTime {
    /// `2s`
    Fixed(Duration),
    /// `1s-3s`: any of these, all as likely.
    Uniform {
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
    },
    /// `2s±1s` (or `2s+-1s`): normally distributed, cut at 0.
    Normal {
        /// The mean, before it is cut.
        mean: Duration,
        /// The standard deviation.
        deviation: Duration,
    },
}

impl ThinkTime {
    /// Reads `2s`, `1s-3s` and `2s±1s` (or `2s+-1s`).
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let time = |text: &str| {
            read_duration(text.trim())
                .map_err(|_| format!("{text:?} is not a time: write 2s, 1s-3s or 2s±1s"))
        };
        if let Some((mean, deviation)) = text.split_once('±').or_else(|| text.split_once("+-")) {
            return Ok(Self::Normal {
                mean: time(mean)?,
                deviation: time(deviation)?,
            });
        }
        let Some((least, most)) = text.split_once('-') else {
            return Ok(Self::Fixed(time(text)?));
        };
        let (least, most) = (time(least)?, time(most)?);
        if least > most {
            return Err("the shortest time comes first".to_owned());
        }
        Ok(Self::Uniform { least, most })
    }

    /// About how long.
    pub fn mean(self) -> Duration {
        match self {
            Self::Fixed(time) | Self::Normal { mean: time, .. } => time,
            Self::Uniform { least, most } => (least + most) / 2,
        }
    }

    /// Before the request of this index; the same at every call.
    pub fn before(self, seed: u64, index: u64) -> Duration {
        let mut random = Random::at(&[seed, THINK, index]);
        match self {
            Self::Fixed(time) => time,
            Self::Uniform { least, most } => least + (most - least).mul_f64(random.unit()),
            Self::Normal { mean, deviation } => {
                let drawn = mean.as_secs_f64() + deviation.as_secs_f64() * random.normal();
                units::checked_seconds(drawn.max(0.0)).unwrap_or(units::LONGEST)
            }
        }
    }
}

impl std::fmt::Display for ThinkTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(time) => f.write_str(&write_duration(*time)),
            Self::Uniform { least, most } => {
                write!(f, "{}-{}", write_duration(*least), write_duration(*most))
            }
            Self::Normal { mean, deviation } => {
                write!(
                    f,
                    "{}±{}",
                    write_duration(*mean),
                    write_duration(*deviation)
                )
            }
        }
    }
}

impl TryFrom<String> for ThinkTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<ThinkTime> for String {
    fn from(think: ThinkTime) -> Self {
        think.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hang_ups_are_read_as_they_are_written() {
        let read = HangUps::parse("10% @ 500ms").expect("it reads");
        assert_eq!(
            (read.share, read.after, read.to_string()),
            (0.1, Duration::from_millis(500), "10%@500ms".to_owned())
        );
        for (wrong, why) in [
            ("10%", "when clients hang up"),
            ("0%@1s", "more than 0"),
            ("101%@1s", "at most 100"),
            ("10%@0s", "some time after"),
            ("x@1s", "not a valid share"),
            ("10%@soon", "not a time"),
        ] {
            let told = HangUps::parse(wrong).expect_err(wrong);
            assert!(told.contains(why), "{wrong}: {told}");
        }
    }

    #[test]
    fn each_request_hangs_up_with_the_same_chance() {
        let hang_ups = HangUps::parse("10%@1s").expect("it reads");
        let chosen = (0..10_000)
            .filter(|index| hang_ups.chooses(7, *index))
            .count();
        assert!((900..1_100).contains(&chosen), "{chosen}");
        let all = HangUps::parse("100%@1s").expect("it reads");
        assert!((0..1_000).all(|index| all.chooses(7, index)));
    }

    #[test]
    fn think_times_are_read_as_they_are_written_and_drawn_as_they_say() {
        for text in ["2s", "1s-3s", "2s±1s", "500ms±200ms"] {
            let think = ThinkTime::parse(text).expect(text);
            assert_eq!(think.to_string(), text);
            let n = 4_000;
            let drawn: Duration = (0..n).map(|index| think.before(3, index)).sum();
            let mean = drawn.as_secs_f64() / n as f64 / think.mean().as_secs_f64();
            assert!((mean - 1.0).abs() < 0.03, "{text}: {mean}");
        }
        assert_eq!(ThinkTime::parse("2s+-1s"), ThinkTime::parse("2s±1s"));
        for wrong in ["", "3s-1s", "2", "2s±", "-1s"] {
            assert!(ThinkTime::parse(wrong).is_err(), "{wrong}");
        }
    }
}

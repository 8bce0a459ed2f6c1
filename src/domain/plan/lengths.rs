//! Lengths of prompts and answers.

use serde::{Deserialize, Serialize};

use super::MOST_TOKENS;

/// A length in tokens, fixed or drawn anew for each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Lengths {
    /// `1000`
    Fixed(u32),
    /// `500-1500`: any of these, all as likely.
    Uniform {
        /// The shortest.
        least: u32,
        /// The longest.
        most: u32,
    },
    /// `1000±200` (or `1000+-200`): normally distributed, cut at 1.
    Normal {
        /// The mean.
        mean: u32,
        /// The standard deviation.
        deviation: u32,
    },
}

impl Lengths {
    /// The shortest that can be drawn.
    pub fn least(&self) -> u32 {
        match self {
            Self::Fixed(n) => *n,
            Self::Uniform { least, .. } => *least,
            Self::Normal { .. } => 1,
        }
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Fixed(n) | Self::Normal { mean: n, .. } => f64::from(*n),
            Self::Uniform { least, most } => f64::midpoint(f64::from(*least), f64::from(*most)),
        }
    }

    /// Reads `1000`, `500-1500` and `1000±200` (or `1000+-200`).
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().replace([',', ' '], "");
        let number = |text: &str| {
            text.parse::<u32>().map_err(|_| {
                format!("{text:?} is not a number of tokens: write 1000, 500-1500 or 1000±200")
            })
        };
        let lengths = if let Some((mean, deviation)) =
            text.split_once('±').or_else(|| text.split_once("+-"))
        {
            Self::Normal {
                mean: number(mean)?,
                deviation: number(deviation)?,
            }
        } else if let Some((least, most)) = text.split_once('-') {
            Self::Uniform {
                least: number(least)?,
                most: number(most)?,
            }
        } else {
            Self::Fixed(number(&text)?)
        };
        let mut problem = None;
        lengths.check(&mut |text| problem = Some(text.to_owned()));
        problem.map_or(Ok(lengths), Err)
    }

    pub(super) fn check(self, say: &mut impl FnMut(&str)) {
        let (least, most) = match self {
            Self::Fixed(n) => (n, n),
            Self::Uniform { least, most } => (least, most),
            Self::Normal { mean, deviation } => (mean, mean.max(deviation)),
        };
        if least == 0 {
            say("at least one token");
        } else if most > MOST_TOKENS {
            say("at most 1,000,000 tokens");
        } else if least > most {
            say("the shortest length comes first");
        }
    }
}

impl std::fmt::Display for Lengths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(n) => write!(f, "{n}"),
            Self::Uniform { least, most } => write!(f, "{least}-{most}"),
            Self::Normal { mean, deviation } => write!(f, "{mean}±{deviation}"),
        }
    }
}

impl TryFrom<String> for Lengths {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Lengths> for String {
    fn from(lengths: Lengths) -> Self {
        lengths.to_string()
    }
}

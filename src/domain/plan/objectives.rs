//! What a request must meet to count as goodput.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::units;

/// What a request must meet; it counts as goodput when it meets all that are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objectives {
    /// Time to first token.
    #[serde(
        with = "crate::domain::units::as_ms_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub ttft: Option<Duration>,
    /// The request's mean inter-token latency.
    #[serde(
        with = "crate::domain::units::as_ms_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub itl: Option<Duration>,
    /// Time per output token.
    #[serde(
        with = "crate::domain::units::as_ms_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub tpot: Option<Duration>,
    /// Due to end of answer.
    #[serde(
        with = "crate::domain::units::as_ms_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub latency: Option<Duration>,
}

impl Objectives {
    /// TTFT, ITL, TPOT and latency.
    pub fn all(&self) -> [Option<Duration>; 4] {
        [self.ttft, self.itl, self.tpot, self.latency]
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.all().iter().all(Option::is_none)
    }

    /// Reads `ttft=500ms,itl=15ms`; spaces, `≤` and `<=` are as good as `=` and `,`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut out = Self::default();
        let text = text
            .to_lowercase()
            .replace(['≤', ':'], "=")
            .replace("<=", "=")
            .replace('<', "=");
        for part in text
            .split([',', ';', '\n'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("{part:?} is not an objective: write ttft=500ms"))?;
            let value = units::read_duration(value.trim())?;
            match name.trim() {
                "ttft" => out.ttft = Some(value),
                "itl" => out.itl = Some(value),
                "tpot" => out.tpot = Some(value),
                "latency" => out.latency = Some(value),
                other => {
                    return Err(format!(
                        "{other:?} is not an objective: there are ttft, itl, tpot and latency"
                    ));
                }
            }
        }
        Ok(out)
    }
}

impl std::fmt::Display for Objectives {
    /// As [`Objectives::parse`] reads it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = ["ttft", "itl", "tpot", "latency"];
        let set = names
            .iter()
            .zip(self.all())
            .filter_map(|(name, value)| Some((name, value?)));
        for (i, (name, value)) in set.enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{name}={}", units::write_duration(value))?;
        }
        Ok(())
    }
}

//! A trace: what was sent when, to be sent again.
//!
//! JSONL, an object per request. Other fields (Mooncake's `hash_ids`, for one) are passed over.
//!
//! | field | what it is |
//! |---|---|
//! | `timestamp`, `time_ms` or `at_ms` | when it is sent, in milliseconds from any beginning (`timestamp` as Mooncake's traces have it) |
//! | `time_s`, `at_s` or `at` | the same in seconds |
//! | `prompt` or `messages` | what it says |
//! | `input_length` or `input_tokens` | or: the length of a made-up prompt |
//! | `output_length`, `output_tokens` or `max_tokens` | `max_tokens` |
//!
//! An entry with neither words nor a length says what the plan says.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::files::{self, Line};
use crate::domain::failure::Failure;
use crate::domain::plan::MOST_TOKENS;

/// The entries of a trace in the order of their times. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Trace(Arc<[Entry]>);

#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// From the first entry's.
    at: Duration,
    pub(super) said: Said,
    pub(super) max_tokens: Option<u32>,
}

#[derive(Debug, Clone)]
pub(super) enum Said {
    Own(files::Said),
    OfLength(u32),
    AsPlanned,
}

impl Trace {
    /// Reads a file called `name`. Entries are sorted by time; the first is due at once.
    ///
    /// # Errors
    /// When it holds no entry, or one that cannot be sent: which line, and why.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Failure> {
        let text = files::text_of(name, bytes)?;
        let mut read = files::lines(text)
            .map(|(number, line)| {
                let entry = TraceLine::read(line).map_err(|why| files::bad_line(name, number, &why))?;
                Ok((number, entry))
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        read.sort_by(|(_, (one, _)), (_, (other, _))| one.total_cmp(other));
        let Some(first) = read.first().map(|(_, (at, _))| *at) else {
            return Err(Failure::new(
                format!("{name} holds no requests"),
                "A trace is JSONL with a \"timestamp\" (in milliseconds) in each line",
            ));
        };
        let shifted = read.into_iter().map(|(number, (at, entry))| {
            // Rounded, since sums of binary fractions of seconds are no whole microseconds.
            let micros = ((at - first) * 1e6).round();
            if micros > LONGEST.as_micros() as f64 {
                let why = "it is sent more than a year after the first: is its time in another unit?";
                return Err(files::bad_line(name, number, why));
            }
            Ok(Entry { at: Duration::from_micros(micros as u64), ..entry })
        });
        Ok(Self(shifted.collect::<Result<_, Failure>>()?))
    }

    /// How many requests it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never true: a trace without requests is refused.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// From the first request's moment to the last one's.
    pub fn duration(&self) -> Duration {
        self.0.last().map_or(Duration::ZERO, |entry| entry.at)
    }

    /// When request `at` is due after the first; `None` behind the end.
    pub fn due(&self, at: usize) -> Option<Duration> {
        self.0.get(at).map(|entry| entry.at)
    }

    /// The mean length of the prompts that are to be made up; `None` without such.
    pub fn mean_input_tokens(&self) -> Option<f64> {
        let lengths = self.0.iter().filter_map(|entry| match entry.said {
            Said::OfLength(tokens) => Some(f64::from(tokens)),
            Said::Own(_) | Said::AsPlanned => None,
        });
        let (count, sum) = lengths.fold((0u64, 0.0), |(count, sum), length| (count + 1, sum + length));
        (count > 0).then(|| sum / count as f64)
    }

    /// Whether some of its requests say what the plan says.
    pub fn leaves_words_to_the_plan(&self) -> bool {
        self.0.iter().any(|entry| matches!(entry.said, Said::AsPlanned))
    }

    pub(super) fn entry(&self, index: u64) -> &Entry {
        &self.0[(index % self.0.len() as u64) as usize]
    }
}

const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

#[derive(Debug, Deserialize)]
struct TraceLine<'a> {
    #[serde(alias = "time_ms", alias = "at_ms")]
    timestamp: Option<f64>,
    #[serde(alias = "time_s", alias = "at")]
    at_s: Option<f64>,
    #[serde(alias = "input_tokens")]
    input_length: Option<u32>,
    #[serde(flatten, borrow)]
    line: Line<'a>,
}

impl TraceLine<'_> {
    /// Its time in seconds, and the rest.
    fn read(line: &str) -> Result<(f64, Entry), String> {
        let read: TraceLine<'_> = serde_json::from_str(line).map_err(|why| files::in_line(&why))?;
        let at = match (read.timestamp, read.at_s) {
            (Some(ms), None) => ms / 1e3,
            (None, Some(seconds)) => seconds,
            (Some(_), Some(_)) => return Err("its time is there twice".to_owned()),
            (None, None) => return Err("there is no \"timestamp\" and no \"at\"".to_owned()),
        };
        let max_tokens = read.line.max_tokens();
        let said = match (read.line.said()?, read.input_length) {
            (Some(said), _) => Said::Own(said),
            (None, Some(0)) => return Err("a prompt has at least one token".to_owned()),
            (None, Some(tokens)) if tokens > MOST_TOKENS => {
                return Err("a prompt has at most 1,000,000 tokens".to_owned());
            }
            (None, Some(tokens)) => Said::OfLength(tokens),
            (None, None) => Said::AsPlanned,
        };
        Ok((at, Entry { at: Duration::ZERO, said, max_tokens }))
    }
}

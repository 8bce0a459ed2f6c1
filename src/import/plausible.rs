//! Checks imported values against plausible ranges. An implausible value is dropped with a remark. It is never clamped
//! to the nearest valid one.

use jiff::civil::DateTime;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{at, number};
use crate::domain::units;

/// Requests of a level; bounds sums and statistical tests.
pub(super) const MAX_REQUESTS: u64 = 10_000_000_000;
/// Tokens of a whole run; a JSON number represents every count up to here exactly.
pub(super) const MAX_RUN_TOKENS: u64 = 1_000_000_000_000_000;
pub(super) const MAX_PROMPT_TOKENS: u64 = 100_000_000;
pub(super) const MAX_IN_FLIGHT: f64 = 1e7;
/// Tokens or requests per second.
pub(super) const MAX_PER_SECOND: f64 = 1e12;
/// One week.
pub(super) const MAX_REQUEST_SECONDS: f64 = 604_800.0;
/// About one year.
pub(super) const MAX_RUN_SECONDS: f64 = 3e7;
/// Unix times from 2000 to 2100. Others come from a clock that was not set, or count from the start of a program.
const PLAUSIBLE_TIMES: [f64; 2] = [946_684_800.0, 4_102_444_800.0];

/// Implausible values that the remark lists.
const MAX_NAMED: usize = 5;

/// A value is present but implausible.
pub(super) struct Implausible;

/// The file that is read, and the remarks about it.
pub(super) struct SourceFile<'a> {
    pub(super) name: &'a str,
    /// Becomes part of the session ids, so that importing the same file again gives the same sessions.
    pub(super) hash: String,
    /// Implausible values: the name of each, and the first such value.
    implausible: RefCell<BTreeMap<String, String>>,
    remarks: RefCell<Vec<String>>,
    /// The number of single requests, and how many of them were skipped.
    requests: Cell<[usize; 2]>,
}

impl<'a> SourceFile<'a> {
    pub(super) fn new(name: &'a str, hash: String) -> Self {
        Self {
            name,
            hash,
            implausible: RefCell::default(),
            remarks: RefCell::default(),
            requests: Cell::default(),
        }
    }

    // ---- remarks ------------------------------------------------------------------------------------------

    /// Adds a remark, unless it was added before.
    pub(super) fn add_remark(&self, remark: String) {
        let mut remarks = self.remarks.borrow_mut();
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }

    /// Keeps the requests that could be read, and counts the others.
    pub(super) fn readable<T>(&self, requests: impl Iterator<Item = Option<T>>) -> Vec<T> {
        let [mut all, mut left_out] = self.requests.get();
        let count = |request: &Option<T>| {
            all += 1;
            left_out += usize::from(request.is_none());
        };
        let readable = requests.inspect(count).flatten().collect();
        self.requests.set([all, left_out]);
        readable
    }

    /// Keeps the values that are results of `program`, and adds a remark about the others.
    pub(super) fn results_of<'v>(
        &self,
        values: &'v [Value],
        program: &str,
        is: fn(&Value) -> bool,
    ) -> Vec<&'v Value> {
        let theirs: Vec<&Value> = values.iter().filter(|value| is(value)).collect();
        let others = values.len() - theirs.len();
        if others > 0 {
            let all = units::count(values.len() as u64);
            let others = units::count(others as u64);
            self.add_remark(format!(
                "{others} of the file's {all} values were skipped: they are not results of \
                 {program}"
            ));
        }
        theirs
    }

    pub(super) fn remarks(self) -> Vec<String> {
        let mut remarks = self.remarks.into_inner();
        let [all, left_out] = self.requests.get();
        if left_out > 0 {
            let [left_out, all] = [left_out, all].map(|n| units::count(n as u64));
            remarks.push(format!(
                "{left_out} of the file's {all} requests were skipped: their times or counts are \
                 missing or implausible"
            ));
        }
        let implausible = self.implausible.into_inner();
        if !implausible.is_empty() {
            let named = implausible
                .iter()
                .take(MAX_NAMED)
                .map(|(name, value)| format!("{name} ({value})"));
            let named = named.collect::<Vec<_>>().join(", ");
            let more = if implausible.len() > MAX_NAMED {
                " and others"
            } else {
                ""
            };
            remarks.push(format!(
                "Implausible values in the file were skipped: {named}{more}"
            ));
        }
        remarks
    }

    // ---- values -------------------------------------------------------------------------------------------

    /// Records an implausible value for the remarks.
    pub(super) fn note_implausible(&self, name: &str, value: &str) {
        let mut implausible = self.implausible.borrow_mut();
        implausible
            .entry(name.to_owned())
            .or_insert_with(|| super::short(value));
    }

    /// `n` if it is between `least` and `most`, both included.
    pub(super) fn in_range(&self, name: &str, n: f64, least: f64, most: f64) -> Option<f64> {
        if (least..=most).contains(&n) {
            return Some(n);
        }
        self.note_implausible(name, &format!("{n:?}"));
        None
    }

    /// Like [`Self::in_range`], but tells a missing number from an implausible one.
    ///
    /// # Errors
    /// When the number is out of range.
    pub(super) fn optional_in_range(
        &self,
        name: &str,
        n: Option<f64>,
        least: f64,
        most: f64,
    ) -> Result<Option<f64>, Implausible> {
        n.map(|n| self.in_range(name, n, least, most).ok_or(Implausible))
            .transpose()
    }

    /// The number at a path of keys, between 0 and `most`.
    pub(super) fn amount(&self, value: &Value, path: &[&str], most: f64) -> Option<f64> {
        self.in_range(
            path.last().unwrap_or(&"number"),
            number(value, path)?,
            0.0,
            most,
        )
    }

    /// Like [`Self::amount`], rounded to a whole number.
    pub(super) fn count(&self, value: &Value, path: &[&str], most: u64) -> Option<u64> {
        self.amount(value, path, most as f64)
            .map(|n| n.round() as u64)
    }

    /// A duration between 0 and [`MAX_REQUEST_SECONDS`].
    pub(super) fn duration(&self, name: &str, seconds: f64) -> Option<Duration> {
        self.in_range(name, seconds, 0.0, MAX_REQUEST_SECONDS)
            .and_then(units::checked_seconds)
    }

    /// A Unix time in seconds; zero counts as missing.
    pub(super) fn unix_seconds(&self, value: &Value, path: &[&str]) -> Option<f64> {
        let at = number(value, path).filter(|at| *at != 0.0)?;
        self.in_range(
            path.last().unwrap_or(&"time"),
            at,
            PLAUSIBLE_TIMES[0],
            PLAUSIBLE_TIMES[1],
        )
    }

    /// A Unix time in nanoseconds. As seconds in floating point it would be rounded.
    pub(super) fn unix_nanos(&self, value: &Value, path: &[&str]) -> Option<u64> {
        let at = at(value, path)?;
        let seconds = at.as_f64()? / 1e9;
        self.in_range(
            path.last().unwrap_or(&"time"),
            seconds,
            PLAUSIBLE_TIMES[0],
            PLAUSIBLE_TIMES[1],
        )?;
        at.as_u64()
    }

    pub(super) fn date(&self, value: &Value, path: &[&str]) -> Option<Timestamp> {
        let text = super::text(value, path)?;
        let date = date(text);
        let fits = |at: &Timestamp| {
            (PLAUSIBLE_TIMES[0]..=PLAUSIBLE_TIMES[1]).contains(&(at.as_second() as f64))
        };
        let fitting = date.filter(fits);
        if fitting.is_none() {
            self.note_implausible(path.last().unwrap_or(&"date"), text);
        }
        fitting
    }
}

/// Converts the result of [`SourceFile::unix_seconds`].
pub(super) fn timestamp(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()
}

/// Parses `20261123-140509`, `2026-11-23T14:05:09Z` and `2026-11-23T14:05:09`.
fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let civil = |text: &str| {
        let compact = DateTime::strptime("%Y%m%d-%H%M%S", text).ok();
        compact.or_else(|| text.parse::<DateTime>().ok())
    };
    let at = civil(text)?;
    at.to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|at| at.timestamp())
}

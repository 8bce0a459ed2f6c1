//! What a file says that can be so. A value that cannot be right is unknown: it is left out and told, never moved to the
//! nearest one that could be.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{at, number};
use crate::domain::units;

/// More requests than any level has: sums of them fit, and tests of them end.
pub(super) const MOST_REQUESTS: u64 = 10_000_000_000;
/// More tokens than a whole run has; up to here a JSON number holds every count exactly.
pub(super) const MOST_COUNT: u64 = 1_000_000_000_000_000;
/// More tokens than any prompt has.
pub(super) const MOST_PROMPT: u64 = 100_000_000;
/// More requests than any program has in flight.
pub(super) const MOST_IN_FLIGHT: f64 = 1e7;
/// More than any server does in a second, of tokens or requests.
pub(super) const MOST_PER_SECOND: f64 = 1e12;
/// No request takes longer, in seconds: a week.
pub(super) const LONGEST_REQUEST: f64 = 604_800.0;
/// No run takes longer, in seconds: about a year.
pub(super) const LONGEST_RUN: f64 = 3e7;
/// Moments outside of these years are no moments of a benchmark: clocks that were not set, or counts from a start.
const BENCHMARKS: [f64; 2] = [946_684_800.0, 4_102_444_800.0];

/// So many names of values are told.
const MAX_NAMED: usize = 5;

/// A value that is there and cannot be right.
pub(super) struct Odd;

/// A file that is read, and what is to be told of it.
pub(super) struct File<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Tells it from others: a session that is read again is the same session.
    pub(super) hash: String,
    /// Names of values that cannot be right, each with the first such value.
    odd: RefCell<BTreeMap<String, String>>,
    told: RefCell<Vec<String>>,
    /// Single requests, and those of them that are left out.
    requests: Cell<[usize; 2]>,
}

impl<'a> File<'a> {
    pub(super) fn new(name: &'a str, hash: String) -> Self {
        Self {
            name,
            hash,
            odd: RefCell::default(),
            told: RefCell::default(),
            requests: Cell::default(),
        }
    }

    // ---- what is told -------------------------------------------------------------------------------------

    /// Says something of the file, once.
    pub(super) fn tell(&self, remark: String) {
        let mut told = self.told.borrow_mut();
        if !told.contains(&remark) {
            told.push(remark);
        }
    }

    /// The requests of a list that can be read; the others are counted.
    pub(super) fn sound<T>(&self, requests: impl Iterator<Item = Option<T>>) -> Vec<T> {
        let [mut all, mut left_out] = self.requests.get();
        let count = |request: &Option<T>| {
            all += 1;
            left_out += usize::from(request.is_none());
        };
        let sound = requests.inspect(count).flatten().collect();
        self.requests.set([all, left_out]);
        sound
    }

    /// The values of a file that are a program's; the others are counted.
    pub(super) fn only<'v>(
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
            self.tell(format!(
                "{others} of the file's {all} values are no results of {program}: left out"
            ));
        }
        theirs
    }

    /// All that is to be told.
    pub(super) fn remarks(self) -> Vec<String> {
        let mut told = self.told.into_inner();
        let [all, left_out] = self.requests.get();
        if left_out > 0 {
            let [left_out, all] = [left_out, all].map(|n| units::count(n as u64));
            told.push(format!(
                "{left_out} of {all} requests in the file have times or counts that are missing or cannot be right: \
                 figures of single requests are without them"
            ));
        }
        let odd = self.odd.into_inner();
        if !odd.is_empty() {
            let named = odd
                .iter()
                .take(MAX_NAMED)
                .map(|(name, value)| format!("{name} ({value})"));
            let named = named.collect::<Vec<_>>().join(", ");
            let more = if odd.len() > MAX_NAMED {
                " and others"
            } else {
                ""
            };
            told.push(format!("Values in the file that cannot be right, or are more than Batida holds, are left out: {named}{more}"));
        }
        told
    }

    // ---- values -------------------------------------------------------------------------------------------

    /// Notes a value that cannot be right.
    pub(super) fn is_odd(&self, name: &str, value: &str) {
        let mut odd = self.odd.borrow_mut();
        odd.entry(name.to_owned())
            .or_insert_with(|| super::short(value));
    }

    /// The number, where it can be right.
    pub(super) fn judged(&self, name: &str, n: f64, least: f64, most: f64) -> Option<f64> {
        if (least..=most).contains(&n) {
            return Some(n);
        }
        self.is_odd(name, &format!("{n:?}"));
        None
    }

    /// The same of a number that may be missing.
    ///
    /// # Errors
    /// When it is there and cannot be right: what depends on it is unknown then.
    pub(super) fn given(
        &self,
        name: &str,
        n: Option<f64>,
        least: f64,
        most: f64,
    ) -> Result<Option<f64>, Odd> {
        n.map(|n| self.judged(name, n, least, most).ok_or(Odd))
            .transpose()
    }

    /// A number of at most `most` that is not negative, such as a time or a rate.
    pub(super) fn amount(&self, value: &Value, path: &[&str], most: f64) -> Option<f64> {
        self.judged(
            path.last().unwrap_or(&"a number"),
            number(value, path)?,
            0.0,
            most,
        )
    }

    /// A count of at most `most`.
    pub(super) fn whole(&self, value: &Value, path: &[&str], most: u64) -> Option<u64> {
        self.amount(value, path, most as f64)
            .map(|n| n.round() as u64)
    }

    /// Seconds that a request may take.
    pub(super) fn span(&self, name: &str, seconds: f64) -> Option<Duration> {
        self.judged(name, seconds, 0.0, LONGEST_REQUEST)
            .and_then(units::checked_seconds)
    }

    /// A moment in seconds of Unix time; zero is none.
    pub(super) fn moment(&self, value: &Value, path: &[&str]) -> Option<f64> {
        let at = number(value, path).filter(|at| *at != 0.0)?;
        self.judged(
            path.last().unwrap_or(&"a moment"),
            at,
            BENCHMARKS[0],
            BENCHMARKS[1],
        )
    }

    /// The same in nanoseconds, which a fraction would round.
    pub(super) fn nanos(&self, value: &Value, path: &[&str]) -> Option<u64> {
        let at = at(value, path)?;
        let seconds = at.as_f64()? / 1e9;
        self.judged(
            path.last().unwrap_or(&"a moment"),
            seconds,
            BENCHMARKS[0],
            BENCHMARKS[1],
        )?;
        at.as_u64()
    }

    /// A date as the programs write it.
    pub(super) fn date(&self, value: &Value, path: &[&str]) -> Option<Timestamp> {
        let text = super::text(value, path)?;
        let date = super::vllm::date(text);
        let fits =
            |at: &Timestamp| (BENCHMARKS[0]..=BENCHMARKS[1]).contains(&(at.as_second() as f64));
        let fitting = date.filter(fits);
        if fitting.is_none() {
            self.is_odd(path.last().unwrap_or(&"a date"), text);
        }
        fitting
    }
}

/// A moment of [`File::moment`].
pub(super) fn timestamp(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()
}

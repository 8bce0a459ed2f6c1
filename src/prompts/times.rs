//! The times of a trace: dates, or numbers whose unit is guessed.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde_json::Value;

use super::entry::shown;
use crate::domain::plan::TimeUnit;

/// A time as written in the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Moment {
    /// A number; the unit is known if the column's name contains one.
    Number {
        value: f64,
        /// Written without a decimal point.
        whole: bool,
        unit: Option<TimeUnit>,
    },
    /// A date, in seconds of Unix time.
    Date(f64),
}

/// The unit in which the times were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Units {
    /// `s`, `ms`, `us`, `ns` or `date`.
    pub(super) name: &'static str,
    /// Set by the user.
    pub(super) given: bool,
}

impl Moment {
    /// # Errors
    /// When the value is neither a number nor a date.
    pub(super) fn read(value: &Value, unit: Option<TimeUnit>) -> Result<Self, String> {
        let no_time = || format!("{} is neither a number nor a date", shown(value));
        match value {
            Value::Number(number) => {
                let whole = number.is_i64() || number.is_u64();
                let value = number
                    .as_f64()
                    .filter(|n| n.is_finite())
                    .ok_or_else(no_time)?;
                Ok(Self::Number { value, whole, unit })
            }
            Value::String(text) => {
                let text = text.trim();
                match text.parse::<f64>().ok().filter(|n| n.is_finite()) {
                    Some(value) => Ok(Self::Number {
                        value,
                        whole: text.parse::<i64>().is_ok(),
                        unit,
                    }),
                    None => date(text).map(Self::Date).ok_or_else(no_time),
                }
            }
            _ => Err(no_time()),
        }
    }
}

/// A date with or without a time zone. Azure writes `2023-11-16 18:15:46.6805900`.
fn date(text: &str) -> Option<f64> {
    let zoned = text.parse::<Timestamp>().ok();
    let plain = || {
        let at: DateTime = text.parse().ok()?;
        at.to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|at| at.timestamp())
    };
    let at = zoned.or_else(plain)?;
    Some(at.as_second() as f64 + f64::from(at.subsec_nanosecond()) / 1e9)
}

/// All times in seconds, and their unit. `given`, the user's choice, takes precedence.
pub(super) fn seconds(moments: &[Moment], given: Option<TimeUnit>) -> (Vec<f64>, Units) {
    let guessed = given.unwrap_or_else(|| guess(moments));
    let unit_of = |unit: &Option<TimeUnit>| given.or(*unit).unwrap_or(guessed);
    let seconds = moments.iter().map(|moment| match moment {
        Moment::Date(at) => *at,
        Moment::Number { value, unit, .. } => value * unit_of(unit).seconds(),
    });
    let name = match moments.first() {
        Some(Moment::Date(_)) => "date",
        Some(Moment::Number { unit, .. }) => unit_of(unit).name(),
        None => guessed.name(),
    };
    (
        seconds.collect(),
        Units {
            name,
            given: given.is_some() && name != "date",
        },
    )
}

/// Traces rarely have more requests per second on average.
const MAX_PER_SECOND: f64 = 200.0;
/// Traces rarely have longer gaps between requests on average.
const MAX_GAP_SECONDS: f64 = 30.0;

/// Guesses the unit of numbers: by their size if they look like Unix times, else by their fractions and by the
/// resulting number of requests per second.
fn guess(moments: &[Moment]) -> TimeUnit {
    let open: Vec<(f64, bool)> = moments
        .iter()
        .filter_map(|moment| match moment {
            Moment::Number {
                value,
                whole,
                unit: None,
            } => Some((*value, *whole)),
            _ => None,
        })
        .collect();
    let values = || open.iter().map(|(value, _)| *value);
    let (least, most) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(f64::NEG_INFINITY, f64::max),
    );
    if !(least.is_finite() && most.is_finite()) {
        return TimeUnit::Ms;
    }
    // Unix times from 2001 on.
    match least {
        n if n >= 1e17 => return TimeUnit::Ns,
        n if n >= 1e14 => return TimeUnit::Us,
        n if n >= 1e11 => return TimeUnit::Ms,
        n if n >= 1e9 => return TimeUnit::S,
        _ => {}
    }
    let gap = (most - least) / (open.len().saturating_sub(1).max(1)) as f64;
    if open
        .iter()
        .all(|(value, whole)| *whole || value.fract() == 0.0)
    {
        // Written as `3.0`, they come from fractions.
        let written_whole = open.iter().all(|(_, whole)| *whole);
        let slow_enough = gap * 1e-3 * MAX_PER_SECOND >= 1.0;
        return match written_whole && (slow_enough || gap == 0.0) || gap > MAX_GAP_SECONDS {
            true => TimeUnit::Ms,
            false => TimeUnit::S,
        };
    }
    if gap > MAX_GAP_SECONDS {
        TimeUnit::Ms
    } else {
        TimeUnit::S
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(text: &str) -> &'static str {
        let values: Vec<Value> = serde_json::from_str(text).expect("JSON");
        let moments: Vec<Moment> = values
            .iter()
            .map(|value| Moment::read(value, None).expect("a time"))
            .collect();
        seconds(&moments, None).1.name
    }

    #[test]
    fn the_unit_is_guessed() {
        for (times, should) in [
            // vLLM's and guidellm's examples, and Qwen's trace.
            ("[0.0, 0.8, 1.6, 2.4, 3.2]", "s"),
            ("[0.0, 1.0, 2.0]", "s"),
            ("[61.114, 61.2, 63.9]", "s"),
            ("[1764490000.25, 1764490001.05]", "s"),
            ("[1764490000, 1764490001]", "s"),
            ("[1764490000250, 1764490001050]", "ms"),
            ("[1764490000250000, 1764490001050000]", "us"),
            ("[1764490000250000000, 1764490001050000000]", "ns"),
            // Mooncake's.
            ("[0, 0, 27482, 30535]", "ms"),
            ("[0, 3000, 3000, 6000]", "ms"),
            ("[0, 100, 200]", "ms"),
            ("[0.5, 813.25, 1620.5]", "ms"),
            ("[0, 1, 2, 3]", "s"),
            ("[5, 6, 7]", "s"),
            ("[7]", "ms"),
            (
                "[\"2023-11-16 18:15:46.6805900\", \"2023-11-16T18:15:47Z\"]",
                "date",
            ),
            ("[\"0.5\", \"0.75\"]", "s"),
        ] {
            assert_eq!(unit(times), should, "{times}");
        }
    }

    #[test]
    fn the_given_unit_takes_precedence() {
        let moment = |value| Moment::Number {
            value,
            whole: true,
            unit: None,
        };
        let (seconds, units) = super::seconds(&[moment(0.0), moment(3_000.0)], Some(TimeUnit::S));
        assert_eq!(
            (seconds, units),
            (
                vec![0.0, 3_000.0],
                Units {
                    name: "s",
                    given: true
                }
            )
        );
        let (seconds, _) = super::seconds(&[moment(0.0), moment(3_000.0)], None);
        assert_eq!(seconds, [0.0, 3.0]);
    }

    #[test]
    fn other_values_are_errors() {
        for value in [
            Value::Bool(true),
            Value::from("soon"),
            Value::Null,
            Value::from("NaN"),
        ] {
            assert!(
                Moment::read(&value, None)
                    .is_err_and(|why| why.contains("neither a number nor a date")),
                "{value}"
            );
        }
    }
}

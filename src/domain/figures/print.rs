//! Units of figures, and how they are written.

use crate::domain::stats::Estimate;
use crate::domain::units;

/// A figure's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Tokens per second.
    TokensPerS,
    /// Requests per second.
    RequestsPerS,
    /// A part of a whole, from 0 to 1.
    Share,
    /// A whole number.
    Count,
    /// A number without a unit.
    Number,
}

impl Unit {
    /// Its sign; empty for bare numbers.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Ms => "ms",
            Self::TokensPerS => "tok/s",
            Self::RequestsPerS => "1/s",
            Self::Share => "%",
            Self::Count | Self::Number => "",
        }
    }
}

/// Which way a figure improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the two ways")]
pub enum Better {
    Lower,
    Higher,
}

/// How a figure is written in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Print {
    /// About three digits: `88.0`. The heading says the unit.
    Digits,
    /// A time that may be long, with its unit: `1.32 s`.
    Time,
    /// `12,345`
    Whole,
    /// `16.0`
    Tenth,
    /// `99.5 %`
    Percent,
}

impl Print {
    /// The value alone.
    pub fn value(self, value: Option<f64>) -> String {
        self.estimate(value.into())
    }

    /// The ends of the interval alone, in the unit in which the value is written.
    pub fn interval(self, Estimate { value, ci, .. }: Estimate) -> Option<[String; 2]> {
        let ends = ci?;
        match (self, value) {
            (Self::Time, Some(value)) => {
                let (by, unit) = units::unit_of_time(value);
                let [low, high] = ends.map(|end| units::short(Some(end / by)));
                Some([low, format!("{high} {unit}")])
            }
            _ => Some(ends.map(|end| self.value(Some(end)))),
        }
    }

    /// The value with its interval, where it has one: `88.0 [79.2, 96.8]`.
    pub fn estimate(self, Estimate { value, ci, .. }: Estimate) -> String {
        let Some(known) = value else {
            return units::ABSENT.to_owned();
        };
        match self {
            Self::Digits => units::with_interval(value, ci),
            Self::Time => units::time_with_interval(value, ci),
            Self::Whole => units::count(known.round().max(0.0) as u64),
            Self::Tenth => format!("{known:.1}"),
            Self::Percent => units::percent(known),
        }
    }
}

//! The one table of a level's figures.
//!
//! Tiles, tables, reports, exports, comparisons and conditions read [`METRICS`]. What stands in it is declared in
//! `figures/table.rs`: a distribution names the percentiles that are columns of the tables. The percentiles themselves
//! are declared in [`PERCENTILES`].

mod print;
mod table;

use std::sync::LazyLock;

pub use self::print::{Better, Print, Unit};
use self::table::{COST, INPUT_RATE};
pub use self::table::{
    DISTRIBUTIONS, ERRORS, FIRST_ANSWER, GOODPUT, ITL, LATENCY, OUTPUT_RATE, TPOT, TTFT, USER_SPEED,
};
use super::failure::FaultClass;
use super::run::{LevelReport, Rate, Stats};
use super::stats::{Estimate, PERCENTILES, Percentile};

/// A column of the tables of levels.
#[derive(Debug, Clone)]
pub struct Column {
    /// Columns beside each other with the same group share this heading: `TTFT, ms`. Empty for a column of its own.
    pub group: &'static str,
    /// What stands below the group: `p50`.
    pub name: String,
    /// Where there is no room for all columns, those with the highest rank are left out first.
    pub rank: u8,
}

impl Column {
    /// Its name with its group, in one line: `TTFT p50, ms`.
    pub fn title(&self) -> String {
        let name = &self.name;
        match self.group.split_once(", ") {
            Some((group, unit)) => format!("{group} {name}, {unit}"),
            None => format!("{} {name}", self.group).trim_start().to_owned(),
        }
    }
}

/// A figure that has percentiles.
#[derive(Debug)]
pub struct Distribution {
    /// In keys and conditions: `ttft`.
    pub key: &'static str,
    /// For people: `TTFT`; empty where only conditions ask for it.
    pub title: &'static str,
    /// Of its values.
    pub unit: Unit,
    /// How its values are written.
    pub print: Print,
    /// Which way it improves.
    pub better: Better,
    /// It depends on how tokens are counted: by the server, or as chunks.
    pub counts_tokens: bool,
    /// The percentiles that stand in tables of levels and are compared, each with its [`Column::rank`].
    pub columns: &'static [(Percentile, u8)],
    /// The heading above these columns, with the unit unless each value has it.
    pub group: &'static str,
    /// What a column's name begins with, in front of the percentile.
    pub before: &'static str,
    /// `None` where the server does not send it.
    pub read: fn(&LevelReport) -> Option<&Stats>,
}

impl Distribution {
    /// One that only conditions ask for.
    const fn new(key: &'static str, unit: Unit, read: fn(&LevelReport) -> Option<&Stats>) -> Self {
        let (title, group, before, columns) = ("", "", "", &[]);
        let (print, better, counts_tokens) = (Print::Digits, Better::Lower, false);
        Self {
            key,
            title,
            unit,
            print,
            better,
            counts_tokens,
            columns,
            group,
            before,
            read,
        }
    }

    /// One of its percentiles.
    pub fn at(&self, percentile: Percentile, level: &LevelReport) -> Estimate {
        (self.read)(level).map_or_else(Estimate::default, |stats| stats.estimate(percentile))
    }

    /// Beside its percentiles: `TTFT, ms`, `tok/s user`.
    pub fn heading(&self) -> String {
        format!("{} {}", self.group, self.before)
            .trim_end()
            .to_owned()
    }

    /// Its percentiles that have intervals: `p50 88.0 [79.2, 96.8] · p95 176 [158, 194] · p99 264`.
    pub fn intervals(&self, stats: &Stats) -> String {
        let text = |percentile| {
            format!(
                "{percentile} {}",
                self.print.estimate(stats.estimate(percentile))
            )
        };
        Percentile::all_with_interval()
            .map(text)
            .collect::<Vec<_>>()
            .join(" · ")
    }
}

/// How a metric is read from a level.
#[derive(Debug, Clone)]
pub enum Read {
    /// A percentile.
    Percentile(&'static Distribution, Percentile),
    /// Something else of a distribution.
    Statistic(&'static Distribution, fn(&Stats) -> Option<f64>),
    /// Something per second.
    Rate(fn(&LevelReport) -> Option<Rate>),
    /// A single number.
    Value(fn(&LevelReport) -> Option<f64>),
    /// One end of another's interval: 0 is the lower.
    End(Box<Read>, usize),
    /// Failures of a kind.
    Errors(&'static str),
    /// Requests that missed an objective.
    Missed(&'static str),
}

impl Read {
    fn estimate(&self, level: &LevelReport) -> Estimate {
        let value = match self {
            Self::Percentile(of, percentile) => return of.at(*percentile, level),
            Self::Rate(rate) => return rate(level).into(),
            Self::Statistic(of, statistic) => (of.read)(level).and_then(statistic),
            Self::Value(value) => value(level),
            Self::End(of, end) => of.estimate(level).ci.map(|ci| ci[*end]),
            Self::Errors(kind) => {
                let of_kind = level
                    .requests
                    .errors
                    .iter()
                    .filter(|error| error.kind == *kind);
                Some(of_kind.map(|error| error.count as f64).sum())
            }
            Self::Missed(objective) => {
                let mut missed = level.goodput.iter().flat_map(|goodput| &goodput.missed_by);
                missed
                    .find(|(name, _)| name == objective)
                    .map(|(_, n)| *n as f64)
            }
        };
        value.into()
    }
}

/// One figure of a level.
#[derive(Debug, Clone)]
pub struct Metric {
    /// As `--fail-if` names it: `ttft_p99`.
    pub key: String,
    /// For people, where it stands alone: `TTFT p99, ms`; empty where only conditions ask for it.
    pub title: String,
    /// Of its value.
    pub unit: Unit,
    /// How its value is written.
    pub print: Print,
    /// Which way it improves; `None` where neither is better.
    pub better: Option<Better>,
    /// It depends on how tokens are counted: by the server, or as chunks.
    pub counts_tokens: bool,
    /// Its place in the tables of levels; `None`: it is in none.
    pub column: Option<Column>,
    /// How it is read.
    pub read: Read,
}

impl Metric {
    fn new(key: impl Into<String>, unit: Unit, read: Read) -> Self {
        let print = match unit {
            Unit::Count => Print::Whole,
            Unit::Share => Print::Percent,
            _ => Print::Digits,
        };
        let (key, title, better, counts_tokens, column) =
            (key.into(), String::new(), None, false, None);
        Self {
            key,
            title,
            unit,
            print,
            better,
            counts_tokens,
            column,
            read,
        }
    }

    fn of_percentile(of: &'static Distribution, percentile: Percentile) -> Self {
        let key = format!("{}_{}", of.key, percentile.key());
        let metric = Self::new(key, of.unit, Read::Percentile(of, percentile)).printed(of.print);
        let Some((_, rank)) = of.columns.iter().find(|(known, _)| *known == percentile) else {
            return metric;
        };
        let title = format!("{} {percentile}, {}", of.title, of.unit.sign());
        let metric = metric.shown(
            &title,
            (of.group, &format!("{}{percentile}", of.before)),
            *rank,
        );
        Self {
            counts_tokens: of.counts_tokens,
            ..metric.better(of.better)
        }
    }

    fn titled(self, title: &str) -> Self {
        Self {
            title: title.to_owned(),
            ..self
        }
    }

    fn shown(self, title: &str, (group, name): (&'static str, &str), rank: u8) -> Self {
        Self {
            column: Some(Column {
                group,
                name: name.to_owned(),
                rank,
            }),
            ..self.titled(title)
        }
    }

    fn better(self, better: Better) -> Self {
        Self {
            better: Some(better),
            ..self
        }
    }

    fn printed(self, print: Print) -> Self {
        Self { print, ..self }
    }

    fn counting_tokens(self) -> Self {
        Self {
            counts_tokens: true,
            ..self
        }
    }

    /// Both ends of its interval.
    fn ends(&self) -> impl Iterator<Item = Self> {
        ["low", "high"].into_iter().enumerate().map(|(end, name)| {
            let read = Read::End(Box::new(self.read.clone()), end);
            Self::new(format!("{}_{name}", self.key), self.unit, read)
        })
    }

    /// Its value at a level, with its interval where it has one.
    pub fn estimate(&self, level: &LevelReport) -> Estimate {
        self.read.estimate(level)
    }

    /// Its value at a level.
    pub fn value(&self, level: &LevelReport) -> Option<f64> {
        self.estimate(level).value
    }

    /// Its value at a level, written.
    pub fn text(&self, level: &LevelReport) -> String {
        self.print.value(self.value(level))
    }

    /// The same with what was asked for beside it: `15.8 / 16`.
    pub fn text_beside_plan(&self, level: &LevelReport) -> String {
        let asked = level
            .concurrency
            .asked
            .filter(|_| self.key == table::IN_FLIGHT);
        let asked = asked.map(|asked| format!(" / {asked}")).unwrap_or_default();
        format!("{}{asked}", self.text(level))
    }

    /// The same with its interval instead, where it has one: `88.0 [79.2, 96.8]`.
    pub fn text_with_interval(&self, level: &LevelReport) -> String {
        let estimate = self.estimate(level);
        if estimate.ci.is_some() {
            self.print.estimate(estimate)
        } else {
            self.text_beside_plan(level)
        }
    }
}

/// All metrics of a level. Those that are compared stand in the order in which comparisons list them.
pub static METRICS: LazyLock<Vec<Metric>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for of in DISTRIBUTIONS {
        for percentile in PERCENTILES {
            let metric = Metric::of_percentile(of, *percentile);
            all.extend(metric.ends().filter(|_| percentile.has_interval()));
            all.push(metric);
        }
        for (name, statistic) in table::STATISTICS {
            let unit = if name == "count" {
                Unit::Count
            } else {
                of.unit
            };
            all.push(Metric::new(
                format!("{}_{name}", of.key),
                unit,
                Read::Statistic(of, statistic),
            ));
        }
    }
    for rate in table::rates() {
        all.extend(rate.ends());
        all.push(rate);
    }
    all.extend(table::values());
    all.extend(
        OBJECTIVES.map(|of| Metric::new(format!("{MISSED}{of}"), Unit::Count, Read::Missed(of))),
    );
    all.extend(error_kinds().map(|kind| {
        Metric::new(
            format!("{ERRORS_OF}{kind}"),
            Unit::Count,
            Read::Errors(kind),
        )
    }));
    all
});

/// What stands before the kind of an error, as the report names it.
const ERRORS_OF: &str = "errors_";
/// What stands before the name of an objective.
const MISSED: &str = "goodput_missed_";
const OBJECTIVES: [&str; 4] = ["ttft", "itl", "tpot", "latency"];

/// As reports name them.
fn error_kinds() -> impl Iterator<Item = &'static str> {
    FaultClass::ALL
        .into_iter()
        .map(FaultClass::name)
        .chain(["other"])
}

/// The columns of a table of these levels: what only some plans ask for has none where no level has it.
pub fn columns_of<'a>(
    levels: impl Iterator<Item = &'a LevelReport> + Clone,
) -> Vec<(&'static Metric, &'static Column)> {
    let mut columns = COLUMNS.clone();
    columns.retain(|(metric, _)| {
        let has_value = |level: &LevelReport| metric.value(level).is_some();
        match metric.key.as_str() {
            COST => levels.clone().any(has_value),
            // Beside the output it would say nothing more; of embeddings it is all there is.
            INPUT_RATE => {
                let mut without_output = levels
                    .clone()
                    .filter(|level| level.output_tokens.count == 0);
                without_output.any(has_value)
            }
            _ => true,
        }
    });
    columns
}

/// Every column that a table of levels can have: how many requests first, then how they went.
pub static COLUMNS: LazyLock<Vec<(&Metric, &Column)>> = LazyLock::new(|| {
    let mut columns: Vec<_> = METRICS
        .iter()
        .filter_map(|metric| Some((metric, metric.column.as_ref()?)))
        .collect();
    columns.sort_by_key(|(metric, _)| metric.unit != Unit::Count);
    columns
});

/// The metric of that key, whose percentile may be written with a dot: `ttft_p99.9`.
pub fn find(key: &str) -> Option<&'static Metric> {
    let key = key.replace('.', "_");
    METRICS.iter().find(|metric| metric.key == key)
}

/// The metrics in tables of which higher or lower is better: comparisons use them.
pub fn compared() -> impl Iterator<Item = &'static Metric> {
    METRICS
        .iter()
        .filter(|metric| metric.column.is_some() && metric.better.is_some())
}

/// Those per second.
pub fn rates() -> impl Iterator<Item = &'static Metric> {
    METRICS
        .iter()
        .filter(|metric| matches!(metric.read, Read::Rate(_)))
}

/// The distributions that people are shown with their intervals.
pub fn titled_distributions() -> impl Iterator<Item = &'static Distribution> {
    DISTRIBUTIONS
        .iter()
        .copied()
        .filter(|distribution| !distribution.title.is_empty())
}

/// The distributions that have columns in the tables of levels.
pub fn tabled_distributions() -> impl Iterator<Item = &'static Distribution> {
    DISTRIBUTIONS
        .iter()
        .copied()
        .filter(|distribution| !distribution.columns.is_empty())
}

/// The keys that a condition can name, in words.
pub fn keys_told() -> String {
    let single = |metric: &&Metric| match &metric.read {
        Read::Rate(_) | Read::Value(_) => true,
        Read::End(of, _) => matches!(**of, Read::Rate(_)),
        _ => false,
    };
    let singles: Vec<&str> = METRICS
        .iter()
        .filter(single)
        .map(|metric| metric.key.as_str())
        .collect();
    let distributions: Vec<&str> = DISTRIBUTIONS.iter().map(|of| of.key).collect();
    let of_each = METRICS
        .iter()
        .filter_map(|metric| metric.key.strip_prefix(TTFT.key));
    format!(
        "{}; {MISSED} with one of {}; {ERRORS_OF} with one of {}; and each of {} with one of {}",
        singles.join(", "),
        OBJECTIVES.join(", "),
        error_kinds().collect::<Vec<_>>().join(", "),
        distributions.join(", "),
        of_each.collect::<Vec<_>>().join(", "),
    )
}

#[cfg(test)]
mod tests;

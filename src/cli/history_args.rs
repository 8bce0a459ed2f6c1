//! The arguments and the help of `batida history`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::headings::OUTPUT;
use crate::domain::history::{ExportFormat, HistoryQuery, SessionKind, SortBy};

pub(super) const EXAMPLES: &str = "\
Examples:
  batida history list --model gpt-oss-120b --since 7d
  batida history show last
  batida history export last last~1 --format html --out report.html
  batida history export last --out run.gaps.csv              a row per chunk, with the gap before it
  batida history export last --format md | gh pr comment --body-file -
  batida history import benchmarks.json profile_export.jsonl
  batida history rename c0ffee 'Release notes of 1.4'
  batida history delete --older-than 90d";

pub(super) const DETAILS: &str = "\
ID is the id of a session or the beginning of one, if only one session has it; a tag (the newest session with it); last \
(the newest benchmark) or last~1 (the benchmark before it).

JSON: list prints {\"sessions\": [{id, kind, state, began, ended, title, environment, deployments, models, tags, source, \
release, requests, errors, ttft_p50_ms, itl_p50_ms, peak_tokens_per_s, baseline}], total, bytes, requests}; show prints \
the session as export --format json does; import {\"imported\": [ids], \"remarks\"}; rename {\"renamed\": id}; delete \
{\"deleted\": n}.

Files: in CSV, a text that a spreadsheet would run as a formula (it begins with =, +, -, @, a tab or a line break) gets an \
apostrophe before it; numbers stay numbers. Markdown leaves out HTML and pictures of an answer. Parquet and JSON keep \
every text as it is.";

const ORDER: &str = "Order";

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List sessions, the newest first
    #[command(after_help = "\
Examples:
  batida history list --model gpt-oss-120b --since 7d
  batida history list --kind bench --sort ttft --ascending --limit 10
  batida history list --search 'time zone' --json")]
    List(Box<ListArgs>),
    /// Print a session: the report of a benchmark, or a conversation
    #[command(after_help = "\
Examples:
  batida history show last
  batida history show c0ffee --json")]
    Show {
        /// The session: an id or the beginning of one, a tag, last or last~1
        id: String,
    },
    /// Write sessions to a file: JSON, CSV, Parquet, HTML or Markdown
    #[command(after_help = "\
Examples:
  batida history export last last~1 --out report.html
  batida history export last --out run.gaps.csv              a row per chunk, with the gap before it
  batida history export last --format md | gh pr comment --body-file -")]
    Export(ExportArgs),
    /// Import result files of Batida, guidellm, aiperf, genai-perf, vLLM and SGLang
    #[command(after_help = "\
Examples:
  batida history import report.json
  batida history import benchmarks.json profile_export.jsonl")]
    Import {
        /// The files to import
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Change the title of a session
    #[command(after_help = "\
Examples:
  batida history rename last 'Before the update'
  batida history rename c0ffee 'Release notes of 1.4'")]
    Rename {
        /// The session: an id or the beginning of one, a tag, last or last~1
        id: String,
        /// The new title
        title: String,
    },
    /// Delete sessions permanently
    #[command(after_help = "\
Examples:
  batida history delete c0ffee
  batida history delete --older-than 90d --yes")]
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct ListArgs {
    /// List only sessions of this model
    #[arg(long, short, value_name = "NAME")]
    model: Option<String>,
    /// List only sessions of this deployment
    #[arg(long, short, value_name = "NAME")]
    deployment: Option<String>,
    /// List only sessions of this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// List only sessions with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// List only sessions begun since then: a day (2026-11-23), a moment (2026-11-23T14:05Z) or a time ago (7d)
    #[arg(long, value_name = "WHEN", value_parser = When::read)]
    since: Option<When>,
    /// List only sessions begun before then, in the forms of --since
    #[arg(long, value_name = "WHEN", value_parser = When::read)]
    until: Option<When>,
    /// List only chats, or only benchmarks
    #[arg(long, value_name = "KIND", value_parser = one_of(&SessionKind::NAMES))]
    kind: Option<SessionKind>,
    /// Search for these words in titles, models, deployments, environments, tags and chats; all must occur
    #[arg(
        long,
        value_name = "WORDS",
        default_value = "",
        hide_default_value = true
    )]
    search: String,
    /// Sort by this column, the newest or largest first
    #[arg(long, value_name = "COLUMN", default_value = "began", value_parser = one_of(&SortBy::NAMES))]
    #[arg(help_heading = ORDER)]
    sort: SortBy,
    /// Sort the oldest or smallest first
    #[arg(long, help_heading = ORDER)]
    ascending: bool,
    /// List at most N sessions
    #[arg(long, help_heading = ORDER, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    limit: u64,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The sessions to export
    #[arg(required = true, value_name = "ID")]
    pub(super) ids: Vec<String>,
    /// Write this format [default: by the file name's extension]
    #[arg(long, short, help_heading = OUTPUT, value_name = "FORMAT")]
    format: Option<FormatArg>,
    /// Write to this file; - is standard output
    #[arg(long, short, help_heading = OUTPUT, value_name = "FILE", default_value = "-")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
#[group(id = "which", required = true)]
pub(super) struct DeleteArgs {
    /// The sessions to delete
    #[arg(value_name = "ID", group = "which")]
    pub(super) ids: Vec<String>,
    /// Delete sessions that began longer ago than this, e.g. 30d; baselines are kept
    #[arg(long, value_name = "TIME", value_parser = age, group = "which", conflicts_with = "ids")]
    pub(super) older_than: Option<Duration>,
    /// Do not ask for confirmation
    #[arg(long, short)]
    pub(super) yes: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    Json,
    Csv,
    /// A row per chunk, with the gap before it
    Gaps,
    Parquet,
    Html,
    Md,
}

/// Takes one of these names.
fn one_of<T>(names: &'static [(&'static str, T)]) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    PossibleValuesParser::new(names.iter().map(|(name, _)| *name)).try_map(move |name| {
        let found = names.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| *value).ok_or("no such value")
    })
}

/// A moment, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum When {
    At(Timestamp),
    Ago(Duration),
}

impl When {
    fn read(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        // A day begins where the user is.
        if let Ok(day) = text.parse::<Date>()
            && let Ok(at) = day.to_zoned(TimeZone::system())
        {
            return Ok(Self::At(at.timestamp()));
        }
        age(text.trim_end_matches("ago").trim()).map(Self::Ago).map_err(|_| {
            format!(
                "{text:?} is neither a day such as 2026-11-23, nor a moment, nor a time such as 7d or 12h"
            )
        })
    }

    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(age) => before(now, age),
        }
    }
}

/// So long before; at the beginning of time at most.
pub(super) fn before(now: Timestamp, age: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(age)
        .ok()
        .and_then(|age| now.checked_sub(age).ok())
        .unwrap_or(Timestamp::MIN)
}

/// With days and weeks, of 24 hours each.
fn age(text: &str) -> Result<Duration, String> {
    let read = || {
        let span = jiff::fmt::friendly::SpanParser::new()
            .parse_span(text)
            .ok()?;
        let age = span
            .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
            .ok()?;
        Duration::try_from(age).ok()
    };
    read().ok_or_else(|| format!("{text:?} is not a time: write 30d, 12h or 90m"))
}

impl ListArgs {
    /// What is asked for, as of now.
    pub(super) fn query(&self, now: Timestamp) -> HistoryQuery {
        HistoryQuery {
            text: self.search.clone(),
            kind: self.kind,
            model: self.model.clone(),
            deployment: self.deployment.clone(),
            environment: self.environment.clone(),
            tag: self.tag.clone(),
            since: self.since.map(|when| when.at(now)),
            until: self.until.map(|when| when.at(now)),
            deletable: false,
            sort: self.sort,
            ascending: self.ascending,
            offset: 0,
            limit: self.limit,
        }
    }
}

impl ExportArgs {
    /// As it was said, or by the file's ending.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn format(&self) -> Result<ExportFormat, String> {
        if let Some(format) = self.format {
            return Ok(match format {
                FormatArg::Json => ExportFormat::Json,
                FormatArg::Csv => ExportFormat::Csv,
                FormatArg::Gaps => ExportFormat::Gaps,
                FormatArg::Parquet => ExportFormat::Parquet,
                FormatArg::Html => ExportFormat::Html,
                FormatArg::Md => ExportFormat::Markdown,
            });
        }
        if self.out.to_string_lossy().ends_with(".gaps.csv") {
            return Ok(ExportFormat::Gaps);
        }
        let ending = self
            .out
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default();
        let ending = if ending == "htm" { "html" } else { ending };
        ExportFormat::ALL
            .into_iter()
            .find(|format| format.ending() == ending)
            .ok_or_else(|| "use --format json, csv, gaps, parquet, html or md".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_a_time_or_so_long_ago() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a moment");
        let at = |text: &str| When::read(text).map(|when| when.at(now).to_string());
        assert_eq!(at("7d"), Ok("2026-11-16T12:00:00Z".to_owned()));
        assert_eq!(at("90m ago"), Ok("2026-11-23T10:30:00Z".to_owned()));
        assert_eq!(
            at("2026-11-20T08:00Z"),
            Ok("2026-11-20T08:00:00Z".to_owned())
        );
        assert!(When::read("2026-11-20").is_ok());
        for text in ["", "soon", "2026-13-01", "-3d"] {
            assert!(When::read(text).is_err(), "{text}");
        }
        assert_eq!(before(now, Duration::MAX), Timestamp::MIN);
    }
}

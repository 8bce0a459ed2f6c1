//! What can be typed behind `batida history`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::history::{ExportFormat, HistoryQuery, SessionKind, SortBy};

pub(super) const AFTER: &str = "\
ID is a session's id or a beginning of it that only one has, a tag (the newest session with it), last (the newest \
benchmark), last~1 (the one before it).

With --json: list prints {\"sessions\": [{id, kind, state, began, ended, title, environment, deployments, models, \
tags, source, release, requests, errors, ttft_p50_ms, itl_p50_ms, peak_tokens_per_s, baseline}], total, bytes, \
requests}; show the session as export --format json; import {\"imported\": [ids], \"remarks\"}; rename \
{\"renamed\": id}; delete {\"deleted\": n}.

In CSV a text that a spreadsheet would run as a formula (it begins with =, +, -, @, a tab or a line's end) gets an \
apostrophe before it; numbers stay numbers. Markdown lets no HTML and no pictures of an answer through. Parquet and \
JSON hold every text as it is.

Examples:
  batida history list --model gpt-oss-120b --since 7d
  batida history show last
  batida history export last last~1 --format html --out report.html
  batida history export last --out run.gaps.csv              a row per chunk, with the gap before it
  batida history export last --format md | gh pr comment --body-file -
  batida history import benchmarks.json profile_export.jsonl
  batida history rename c0ffee 'Release notes of 1.4'
  batida history delete --older-than 90d";

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List sessions, the newest first
    List(Box<ListArgs>),
    /// Print a session: a benchmark's report, or a conversation
    Show {
        /// The session
        id: String,
    },
    /// Write sessions as a file that others can read
    Export(ExportArgs),
    /// Keep what result files hold: ours, guidellm's, aiperf's, genai-perf's, vLLM's, SGLang's
    Import {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Give a session another title
    Rename {
        /// The session
        id: String,
        /// What it is called from now on
        title: String,
    },
    /// Delete sessions for good
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only those that asked this model
    #[arg(long, short, value_name = "NAME")]
    model: Option<String>,
    /// Only those that asked this deployment
    #[arg(long, short, value_name = "NAME")]
    deployment: Option<String>,
    /// Only those in this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Only those with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only those begun since then: 2026-11-23, a moment such as 2026-11-23T14:05Z, or 7d ago
    #[arg(long, value_name = "WHEN", value_parser = When::read)]
    since: Option<When>,
    /// Only those begun before then
    #[arg(long, value_name = "WHEN", value_parser = When::read)]
    until: Option<When>,
    /// Only chats, or only benchmarks
    #[arg(long, value_name = "KIND")]
    kind: Option<KindArg>,
    /// Words that must all occur in title, models, deployments, environment or tags, or be said in the chat
    #[arg(
        long,
        value_name = "WORDS",
        default_value = "",
        hide_default_value = true
    )]
    search: String,
    /// The column to sort by
    #[arg(long, value_name = "COLUMN", default_value = "began")]
    sort: SortArg,
    /// The smallest, or the oldest, first
    #[arg(long)]
    ascending: bool,
    /// So many sessions at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    limit: u64,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The sessions
    #[arg(required = true, value_name = "ID")]
    pub(super) ids: Vec<String>,
    /// The format [default: by the file's ending]
    #[arg(long, short, value_name = "FORMAT")]
    format: Option<FormatArg>,
    /// The file; - for standard output
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
#[group(id = "which", required = true)]
pub(super) struct DeleteArgs {
    /// The sessions
    #[arg(value_name = "ID", group = "which")]
    pub(super) ids: Vec<String>,
    /// Those begun longer ago than that, e.g. 30d; baselines are spared
    #[arg(long, value_name = "TIME", value_parser = age, group = "which", conflicts_with = "ids")]
    pub(super) older_than: Option<Duration>,
    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindArg {
    Chat,
    Bench,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SortArg {
    Began,
    Title,
    Deployment,
    Model,
    Requests,
    Ttft,
    Itl,
    Peak,
    Errors,
    Tag,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
    Json,
    Csv,
    /// A row a chunk, with the gap before it
    Gaps,
    Parquet,
    Html,
    Md,
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
    read().ok_or_else(|| format!("{text:?} is no time such as 30d, 12h or 90m"))
}

impl ListArgs {
    /// What is asked for, as of now.
    pub(super) fn query(&self, now: Timestamp) -> HistoryQuery {
        HistoryQuery {
            text: self.search.clone(),
            kind: self.kind.map(|kind| match kind {
                KindArg::Chat => SessionKind::Chat,
                KindArg::Bench => SessionKind::Bench,
            }),
            model: self.model.clone(),
            deployment: self.deployment.clone(),
            environment: self.environment.clone(),
            tag: self.tag.clone(),
            since: self.since.map(|when| when.at(now)),
            until: self.until.map(|when| when.at(now)),
            sort: match self.sort {
                SortArg::Began => SortBy::Began,
                SortArg::Title => SortBy::Title,
                SortArg::Deployment => SortBy::Deployment,
                SortArg::Model => SortBy::Model,
                SortArg::Requests => SortBy::Requests,
                SortArg::Ttft => SortBy::Ttft,
                SortArg::Itl => SortBy::Itl,
                SortArg::Peak => SortBy::Peak,
                SortArg::Errors => SortBy::Errors,
                SortArg::Tag => SortBy::Tag,
            },
            ascending: self.ascending,
            offset: 0,
            limit: self.limit,
        }
    }

    /// Whether all sessions are asked for.
    pub(super) fn is_open(&self) -> bool {
        let Self {
            model,
            deployment,
            environment,
            tag,
            since,
            until,
            kind,
            search,
            ..
        } = self;
        [model, deployment, environment, tag]
            .iter()
            .all(|filter| filter.is_none())
            && since.is_none()
            && until.is_none()
            && kind.is_none()
            && search.is_empty()
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
            .ok_or_else(|| "say --format json, csv, gaps, parquet, html or md".to_owned())
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

//! `batida history`: lists, shows, exports, imports, renames and deletes sessions.

use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::args::Common;
use super::history_args::{Action, DeleteArgs, ExportArgs, HistoryArgs, ListArgs, before};
use super::{Ended, bench_report, out, report};
use crate::domain::failure::Failure;
use crate::domain::history::{
    Deletion, ExportFormat, HistoryPage, HistoryQuery, Imported, SessionBody, SessionId,
    SessionKind, SessionRow, SessionState,
};
use crate::domain::printable::one_line;
use crate::domain::run::known;
use crate::domain::units::{self, ABSENT, counted, short, shorten_middle};
use crate::engine;
use crate::engine::history::{export, read_result_file};
use crate::io::files::{OutFile, cannot_write};
use crate::io::history::Store;

pub(super) async fn run(common: &Common, args: HistoryArgs) -> Result<(), Ended> {
    let dir = engine::history_dir(&common.options())?;
    match args.action {
        Action::List(args) => list(common, &Store::open_to_read(&dir)?, &args),
        Action::Show { id } => show(common, &Store::open_to_read(&dir)?, &id),
        Action::Export(args) => take_along(&Store::open_to_read(&dir)?, &args),
        Action::Import { files } => {
            let mut read = Vec::new();
            // All of them are read before any is kept, so that a wrong one changes nothing.
            for file in &files {
                read.push((file, read_result_file(file).await?));
            }
            let mut kept = Vec::new();
            for (file, imported) in read {
                let ids = writing(&dir, |store| Ok(keep(store, &imported)?))?;
                kept.push((file.display().to_string(), ids, imported));
            }
            told_of_import(common, &kept)
        }
        Action::Rename { id, title } => {
            let id = writing(&dir, |store| {
                let id = store.find(&id)?;
                store.rename(&id, &title)?;
                Ok(id)
            })?;
            if common.json {
                report::json(&json!({ "renamed": id }))?;
            } else {
                report::error_line(&format!("{id} renamed"));
            }
            Ok(())
        }
        Action::Delete(args) => {
            let deleted = writing(&dir, |store| delete(store, &args))?;
            if common.json {
                report::json(&json!({ "deleted": deleted }))?;
            } else {
                report::error_line(&format!("{} deleted", counted(deleted, "session")));
            }
            Ok(())
        }
    }
}

/// Runs `work` on the history. If the file proves damaged, rebuilds it and runs `work` again.
fn writing<T>(dir: &Path, work: impl Fn(&Store) -> Result<T, Ended>) -> Result<T, Ended> {
    let open = || -> Result<Store, Failure> {
        let opened = Store::open(dir)?;
        super::warn(opened.notice);
        Ok(opened.store)
    };
    let store = open()?;
    let done = work(&store);
    if !store.is_broken() {
        return done;
    }
    let rebuilt = store.rebuilt();
    super::warn(Some(store.set_aside(rebuilt)?));
    work(&open()?)
}

// ---- list ---------------------------------------------------------------------------------------------

fn list(common: &Common, store: &Store, args: &ListArgs) -> Result<(), Ended> {
    let query = args.query(Timestamp::now());
    let page = store.list(&query)?;
    if common.json {
        let HistoryPage {
            rows,
            total,
            bytes,
            requests,
            ..
        } = &page;
        report::json(
            &json!({ "sessions": rows, "total": total, "bytes": bytes, "requests": requests }),
        )?;
        return Ok(());
    }
    if page.rows.is_empty() {
        let hint = if query.is_open() {
            "The history is empty: it keeps chats and benchmarks of the window, of `batida chat` and of `batida bench`"
        } else {
            "No session matches; `batida history list` lists all"
        };
        report::error_line(hint);
        return Ok(());
    }
    let room = Room::of(out::width().unwrap_or(usize::MAX));
    let ids: Vec<&str> = page.rows.iter().map(|row| row.id.0.as_str()).collect();
    let length = telling_apart(&ids);
    let lines = page.rows.iter().map(|row| {
        // A session that is not listed may begin alike.
        let found = row
            .id
            .0
            .get(..length)
            .and_then(|short| store.find(short).ok());
        line(
            row,
            if found.as_ref() == Some(&row.id) {
                length
            } else {
                row.id.0.len()
            },
            room,
        )
    });
    report::table(room.head(), lines.collect())?;
    let more = page.total.saturating_sub(page.rows.len() as u64);
    let more = if more > 0 {
        format!("; {} more: --limit", units::count(more))
    } else {
        String::new()
    };
    let size = megabytes(page.bytes);
    let sessions = counted(usize::try_from(page.total).unwrap_or(usize::MAX), "session");
    report::error_line(&format!("{sessions}{more}; the history takes up {size}"));
    Ok(())
}

/// How many letters of the ids tell them apart, eight at least.
fn telling_apart(ids: &[&str]) -> usize {
    let longest = ids.iter().map(|id| id.len()).max().unwrap_or_default();
    let apart = |length: usize| {
        let mut short: Vec<&str> = ids
            .iter()
            .map(|id| id.get(..length).unwrap_or(id))
            .collect();
        short.sort_unstable();
        short.windows(2).all(|pair| pair[0] != pair[1])
    };
    (8..longest)
        .find(|length| apart(*length))
        .unwrap_or(longest)
}

/// How many letters there are for what can be shortened.
#[derive(Clone, Copy)]
struct Room {
    what: usize,
    model: usize,
    tags: usize,
    /// Counts of requests and errors.
    counts: bool,
}

impl Room {
    /// Of a terminal this wide; 80 columns at least.
    fn of(columns: usize) -> Self {
        match columns {
            0..100 => Self {
                what: 19,
                model: 11,
                tags: 6,
                counts: false,
            },
            100..120 => Self {
                what: 20,
                model: 13,
                tags: 6,
                counts: true,
            },
            _ => Self {
                what: 22,
                model: 14,
                tags: 10,
                counts: true,
            },
        }
    }

    fn head(self) -> &'static [&'static str] {
        match self.counts {
            true => &[
                "ID", "BEGAN", "WHAT", "MODEL", "REQUESTS", "ERRORS", "TTFT", "TOK/S", "TAGS",
            ],
            false => &["ID", "BEGAN", "WHAT", "MODEL", "TTFT", "TOK/S", "TAGS"],
        }
    }
}

/// At most 100 columns wide, or 80, unless ids need more to be told apart.
fn line(row: &SessionRow, length: usize, room: Room) -> Vec<String> {
    let mut state = match row.state {
        SessionState::Complete => String::new(),
        state => format!(" ({})", state.word()),
    };
    if row.panes > 1 {
        state.insert_str(0, &format!(" ({} panes)", row.panes));
    }
    let mut tags = row.tags.clone();
    if row.baseline {
        tags.insert(0, "baseline".to_owned());
    }
    tags.extend(row.source.clone());
    let model = match &row.models[..] {
        [] => ABSENT.to_owned(),
        [one] => shorten_middle(&one_line(one), room.model),
        [first, rest @ ..] => format!(
            "{} +{}",
            shorten_middle(&one_line(first), room.model - 3),
            rest.len()
        ),
    };
    let ttft = row
        .ttft_p50_ms
        .map_or(ABSENT.to_owned(), |ms| format!("{} ms", short(Some(ms))));
    let mut cells = vec![
        row.id.0.get(..length).unwrap_or(&row.id.0).to_owned(),
        began(row.began),
        format!(
            "{}{state}",
            shorten_middle(&one_line(&row.title), room.what - state.len())
        ),
        model,
    ];
    if room.counts {
        cells.extend([units::count(row.requests), units::count(row.errors)]);
    }
    let tags = shorten_middle(&one_line(&tags.join(", ")), room.tags);
    cells.extend([ttft, short(row.peak_tokens_per_s), tags]);
    cells
}

/// Where the user is, to the minute; of another year the day alone.
fn began(at: Timestamp) -> String {
    let Some(at) = known::moment(at) else {
        return known::UNKNOWN.to_owned();
    };
    let zone = jiff::tz::TimeZone::system();
    let at = at.to_zoned(zone.clone());
    let this_year = at.year() == Timestamp::now().to_zoned(zone).year();
    at.strftime(if this_year { "%m-%d %H:%M" } else { "%Y-%m-%d" })
        .to_string()
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

// ---- show, export -------------------------------------------------------------------------------------

fn show(common: &Common, store: &Store, id: &str) -> Result<(), Ended> {
    let id = store.find(id)?;
    let session = store.session_without_charts(&id)?;
    match &session.body {
        SessionBody::Bench { report, .. } if !common.json => {
            let mut out = out::stdout();
            out.write_all(bench_report::text(report, &[]).as_bytes())?;
            out.flush()?;
        }
        _ => {
            let format = if common.json {
                ExportFormat::Json
            } else {
                ExportFormat::Markdown
            };
            printed(store, &[id], format, out::content())?;
        }
    }
    Ok(())
}

fn take_along(store: &Store, args: &ExportArgs) -> Result<(), Ended> {
    let format = args.format().map_err(Ended::Misused)?;
    let ids = args
        .ids
        .iter()
        .map(|id| store.find(id))
        .collect::<Result<Vec<_>, _>>()?;
    if args.out.as_os_str() == "-" {
        if format == ExportFormat::Parquet && out::is_terminal() {
            return Err(Ended::Misused(
                "Parquet is binary: write it to a file with --out FILE".to_owned(),
            ));
        }
        return printed(store, &ids, format, out::content());
    }
    let file = OutFile::open(&args.out)?;
    // Either the file cannot be put in its place, or the export says itself what is wrong.
    let mut failed = None;
    let written = file.keep(|out| {
        export(store, &ids, format, out).map_err(|failure| {
            failed = Some(failure);
            std::io::Error::other("it is not whole")
        })
    });
    if let Err(error) = written {
        return Err(failed
            .unwrap_or_else(|| cannot_write(&args.out, &error))
            .into());
    }
    report::error_line(&format!("written: {}", args.out.display()));
    Ok(())
}

fn printed(
    store: &Store,
    ids: &[SessionId],
    format: ExportFormat,
    to: out::Door,
) -> Result<(), Ended> {
    let mut out = BufWriter::new(to);
    let written = export(store, ids, format, &mut out).map_err(Ended::from);
    let written = written.and_then(|()| Ok(out.flush()?));
    // What could not be printed is told once, at the end.
    if out::has_failed() {
        Err(Ended::Told)
    } else {
        written
    }
}

// ---- import, delete -----------------------------------------------------------------------------------

fn keep(store: &Store, imported: &Imported) -> Result<Vec<SessionId>, Failure> {
    imported
        .sessions
        .iter()
        .map(|(report, requests)| store.keep(report, requests))
        .collect()
}

fn told_of_import(
    common: &Common,
    kept: &[(String, Vec<SessionId>, Imported)],
) -> Result<(), Ended> {
    if common.json {
        let ids: Vec<&SessionId> = kept.iter().flat_map(|(_, ids, _)| ids).collect();
        let remarks: Vec<&String> = kept
            .iter()
            .flat_map(|(_, _, imported)| &imported.remarks)
            .collect();
        report::json(&json!({ "imported": ids, "remarks": remarks }))?;
        return Ok(());
    }
    let mut out = out::stdout();
    for (file, ids, imported) in kept {
        for (id, (found, requests)) in ids.iter().zip(&imported.sessions) {
            let what = SessionRow::of(found).title;
            let requests = match requests.len() {
                0 => "without single requests".to_owned(),
                n => counted(n, "request"),
            };
            writeln!(
                out,
                "{id}  {} of {}, {requests}",
                one_line(&what),
                imported.source
            )?;
        }
        for remark in &imported.remarks {
            report::error_line(&format!("{file}: {remark}"));
        }
    }
    out.flush()?;
    Ok(())
}

/// Gives how many there were.
fn delete(store: &Store, args: &DeleteArgs) -> Result<usize, Ended> {
    let (what, number) = match args.older_than {
        Some(age) => {
            let moment = before(Timestamp::now(), age);
            let older = HistoryQuery {
                until: Some(moment),
                deletable: true,
                ..HistoryQuery::default()
            };
            (Deletion::OlderThan(moment), store.list(&older)?.total)
        }
        None => {
            let mut ids = args
                .ids
                .iter()
                .map(|id| store.find(id))
                .collect::<Result<Vec<_>, _>>()?;
            ids.sort();
            ids.dedup();
            let number = ids.len() as u64;
            (Deletion::Sessions(ids), number)
        }
    };
    let named = counted(usize::try_from(number).unwrap_or(usize::MAX), "session");
    if number > 0 && !args.yes && !agreed(store, &what, &named)? {
        return Err(Ended::Told);
    }
    let deleted = if number > 0 { store.delete(&what)? } else { 0 };
    let mut tidying = deleted > 0 && store.tidy(true)?;
    while tidying {
        tidying = store.tidy(false)?;
    }
    Ok(deleted)
}

/// Asks on a terminal; elsewhere nobody could answer.
fn agreed(store: &Store, what: &Deletion, named: &str) -> Result<bool, Ended> {
    if !std::io::stdin().is_terminal() || !out::errors_are_on_a_terminal() {
        return Err(Ended::Misused(format!(
            "{named} would be deleted permanently: add --yes"
        )));
    }
    if let Deletion::Sessions(ids) = what {
        for id in ids {
            let row = store.row(id)?;
            let kind = if row.kind == SessionKind::Chat {
                "chat"
            } else {
                "benchmark"
            };
            report::error_line(&format!(
                "{id}  {}  {kind}: {}",
                began(row.began),
                one_line(&row.title)
            ));
        }
    }
    let spared = if matches!(what, Deletion::OlderThan(_)) {
        " (baselines among them are kept)"
    } else {
        ""
    };
    report::error_text(&format!("Delete {named} permanently{spared}? [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| {
        Failure::new(
            format!("The answer cannot be read: {}", crate::io::why(&error)),
            "Use --yes instead",
        )
    })?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_as_short_as_they_can_be() {
        assert_eq!(telling_apart(&["20261123-abc", "20261123-abd"]), 12);
        assert_eq!(telling_apart(&["0123456789", "9876543210"]), 8);
        assert_eq!(telling_apart(&["same", "same"]), 4);
        assert_eq!(telling_apart(&[]), 0);
    }

    #[test]
    fn a_line_fits_and_moves_no_cursor() {
        let row = SessionRow {
            title: "\u{1b}[2J a very long title that goes on and on and on".to_owned(),
            models: vec![
                "a-model-with-a-name-that-is-long".to_owned(),
                "b".to_owned(),
            ],
            tags: vec!["a tag that is long".to_owned(), "another".to_owned()],
            ttft_p50_ms: Some(89.2),
            peak_tokens_per_s: Some(3_066.0),
            ..crate::export::sample::bench(1.0).row
        };
        for columns in [80, 100] {
            let room = Room::of(columns);
            let cells = line(&row, 8, room);
            let width = |(cell, head): (&String, &&str)| cell.chars().count().max(head.len()) + 2;
            let width: usize = cells.iter().zip(room.head()).map(width).sum::<usize>() - 2;
            assert!(
                width <= columns && !cells.concat().contains('\u{1b}'),
                "{width}: {cells:?}"
            );
            assert_eq!(cells.len(), room.head().len());
        }
    }
}

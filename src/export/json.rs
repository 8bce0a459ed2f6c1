//! JSON: a benchmark as `batida bench --json` prints it, a conversation with its exchanges.

use std::io::Write;

use serde::Serialize;

use super::{Exported, cannot_write};
use crate::domain::failure::Failure;
use crate::domain::history::{Exchange, SessionBody, SessionRow};
use crate::domain::run::{BenchReport, EnvironmentInfo};

/// The version of a conversation's JSON.
pub const CHAT_SCHEMA: &str = "batida.chat/1";

/// A conversation.
#[derive(Serialize)]
struct Chat<'a> {
    schema: &'static str,
    batida: &'static str,
    id: &'a str,
    title: &'a str,
    began: jiff::Timestamp,
    ended: Option<jiff::Timestamp>,
    environment: &'a str,
    tags: &'a [String],
    surroundings: Option<&'a EnvironmentInfo>,
    exchanges: &'a [Exchange],
}

/// A session of either kind.
#[derive(Serialize)]
#[serde(untagged)]
enum Session<'a> {
    Bench(&'a BenchReport),
    Chat(Chat<'a>),
}

pub(super) fn write(sessions: &mut [Exported<'_>], out: &mut dyn Write) -> Result<(), Failure> {
    let list: Vec<Session<'_>> = sessions
        .iter()
        .map(|session| told(session.row, session.body))
        .collect();
    // One alone is no list, so that it is just what `batida bench --out` writes.
    let written = match &list[..] {
        [one] => serde_json::to_writer_pretty(&mut *out, one),
        several => serde_json::to_writer_pretty(&mut *out, several),
    };
    written.map_err(|why| cannot_write(why.into()))?;
    out.write_all(b"\n").map_err(cannot_write)
}

fn told<'a>(row: &'a SessionRow, body: &'a SessionBody) -> Session<'a> {
    match body {
        SessionBody::Bench { report, .. } => Session::Bench(report),
        SessionBody::Chat {
            surroundings,
            exchanges,
        } => Session::Chat(Chat {
            schema: CHAT_SCHEMA,
            batida: env!("CARGO_PKG_VERSION"),
            id: &row.id.0,
            title: &row.title,
            began: row.began,
            ended: row.ended,
            environment: &row.environment,
            tags: &row.tags,
            surroundings: surroundings.as_ref(),
            exchanges,
        }),
    }
}

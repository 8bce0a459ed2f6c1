//! A request as a row, and back. Nothing is lost on the way.

use std::time::Duration;

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Row, params};

use crate::domain::failure::FaultClass;
use crate::domain::history::{Said, StoredRequest};
use crate::domain::plan::Target;
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::metrics::timeline::{Figures, Reasoning, ServerFigures, TokenSource, Tokens};

const INSERT: &str = "INSERT INTO requests (key, number, level, phase, target, due_ns, sent_ns, ended_ns, \
connect_ns, first_byte_ns, ttft_ns, first_answer_ns, latency_ns, tokens, tokens_by_chunks, tokens_per_s, \
tpot_ns, itl_ns, longest_gap_ns, reasoning_tokens, reasoning_by_chunks, reasoning_ns, prompt_tokens, \
cached_tokens, wanted_prompt_tokens, server, server_ttft_ns, server_latency_ns, server_after_first_per_s, \
server_per_s, server_acceptance, chunks, bytes, gaps_us, error, error_class, status, prompt, reasoning, answer, \
at_once, answered_by, reconnected) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42, ?43)";

/// In the order in which [`read`] takes them.
pub(super) const SELECT: &str = "SELECT number, level, phase, target, due_ns, sent_ns, ended_ns, \
connect_ns, first_byte_ns, ttft_ns, first_answer_ns, latency_ns, tokens, tokens_by_chunks, tokens_per_s, \
tpot_ns, itl_ns, longest_gap_ns, reasoning_tokens, reasoning_by_chunks, reasoning_ns, prompt_tokens, \
cached_tokens, wanted_prompt_tokens, server, server_ttft_ns, server_latency_ns, server_after_first_per_s, \
server_per_s, server_acceptance, chunks, bytes, gaps_us, error, error_class, status, prompt, reasoning, answer, \
at_once, answered_by, reconnected FROM requests WHERE key >= ?1 AND key < ?2 ORDER BY key";

/// Writes a request. `place`: its target's.
pub(super) fn insert(
    conn: &Connection,
    key: i64,
    place: i64,
    record: &RequestRecord,
    said: Option<&Said>,
) -> rusqlite::Result<()> {
    let RequestRecord {
        index,
        level,
        phase,
        due,
        sent,
        ended,
        figures,
        first_byte,
        gaps_us,
        chunks,
        bytes,
        wanted_prompt_tokens,
        answered_by,
        reconnected,
        error,
    } = record;
    let server = figures.server.unwrap_or_default();
    conn.prepare_cached(INSERT)?.execute(params![
        key,
        index.cast_signed(),
        *level as i64,
        phase_number(*phase),
        place,
        ns(*due),
        ns(*sent),
        ns(*ended),
        figures.connect.map(ns),
        first_byte.map(ns),
        figures.ttft.map(ns),
        figures.first_answer.map(ns),
        figures.latency.map(ns),
        figures.tokens.map(|tokens| tokens.n.cast_signed()),
        figures.tokens.map(by_chunks),
        figures.tokens_per_sec,
        figures.tpot.map(ns),
        figures.itl.map(ns),
        figures.longest_gap.map(ns),
        figures
            .reasoning
            .map(|reasoning| reasoning.tokens.n.cast_signed()),
        figures
            .reasoning
            .map(|reasoning| by_chunks(reasoning.tokens)),
        figures.reasoning.map(|reasoning| ns(reasoning.time)),
        figures.prompt_tokens.map(u64::cast_signed),
        figures.cached_tokens.map(u64::cast_signed),
        wanted_prompt_tokens,
        figures.server.map(|_| 1),
        server.ttft.map(ns),
        server.latency.map(ns),
        server.after_first_per_sec,
        server.per_sec,
        server.acceptance_rate,
        chunks.cast_signed(),
        bytes.cast_signed(),
        pack(gaps_us),
        error.as_ref().map(|error| &error.text),
        error
            .as_ref()
            .and_then(|error| error.class)
            .map(FaultClass::name),
        error.as_ref().and_then(|error| error.status),
        said.map(|said| &said.prompt),
        said.map(|said| &said.reasoning),
        said.map(|said| &said.answer),
        figures.at_once,
        answered_by,
        reconnected.then_some(1),
    ])?;
    Ok(())
}

/// Reads what [`SELECT`] gave.
pub(super) fn read(row: &Row<'_>, targets: &[(i64, Target)]) -> rusqlite::Result<StoredRequest> {
    let place: i64 = row.get(3)?;
    let target = targets
        .iter()
        .find(|(at, _)| *at == place)
        .map(|(_, target)| target);
    let said = match row.get::<_, Option<String>>(36)? {
        Some(prompt) => Some(Said {
            prompt,
            reasoning: row.get(37)?,
            answer: row.get(38)?,
        }),
        None => None,
    };
    let moment = |column: usize| row.get::<_, i64>(column).map(time);
    let record = RequestRecord {
        index: row.get::<_, i64>(0)?.cast_unsigned(),
        level: row.get::<_, i64>(1)? as usize,
        phase: phase(row.get(2)?).ok_or_else(|| unknown(2))?,
        due: moment(4)?,
        sent: moment(5)?,
        ended: moment(6)?,
        figures: read_figures(row)?,
        first_byte: optional_time(row, 8)?,
        gaps_us: unpack(row.get_ref(32)?.as_blob()?).ok_or_else(|| unknown(32))?,
        chunks: row.get::<_, i64>(30)?.cast_unsigned(),
        bytes: row.get::<_, i64>(31)?.cast_unsigned(),
        wanted_prompt_tokens: row.get(23)?,
        answered_by: row.get(40)?,
        reconnected: row.get::<_, Option<bool>>(41)?.unwrap_or_default(),
        error: read_error(row)?,
    };
    Ok(StoredRequest {
        record,
        model: target
            .map(|target| target.model.clone())
            .unwrap_or_default(),
        deployment: target.and_then(|target| target.deployment.clone()),
        said,
    })
}

fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Duration>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(time))
}

fn optional_count(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
}

/// A count in one column, and what it counts in the next.
fn read_tokens(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Tokens>> {
    let chunks: Option<bool> = row.get(column + 1)?;
    let source = if chunks == Some(true) {
        TokenSource::Chunks
    } else {
        TokenSource::Usage
    };
    Ok(optional_count(row, column)?.map(|n| Tokens { n, source }))
}

fn read_figures(row: &Row<'_>) -> rusqlite::Result<Figures> {
    let time = |column| optional_time(row, column);
    let reasoning = read_tokens(row, 18)?.zip(time(20)?);
    let server = row
        .get::<_, Option<i64>>(24)?
        .is_some()
        .then_some(ServerFigures {
            ttft: time(25)?,
            latency: time(26)?,
            after_first_per_sec: row.get(27)?,
            per_sec: row.get(28)?,
            acceptance_rate: row.get(29)?,
        });
    Ok(Figures {
        connect: time(7)?,
        ttft: time(9)?,
        first_answer: time(10)?,
        latency: time(11)?,
        tokens: read_tokens(row, 12)?,
        tokens_per_sec: row.get(14)?,
        tpot: time(15)?,
        itl: time(16)?,
        longest_gap: time(17)?,
        reasoning: reasoning.map(|(tokens, time)| Reasoning { tokens, time }),
        prompt_tokens: optional_count(row, 21)?,
        cached_tokens: optional_count(row, 22)?,
        server,
        chunks: row.get::<_, i64>(30)?.cast_unsigned(),
        // Not kept: the gaps tell it.
        together: 0,
        at_once: row.get::<_, Option<bool>>(39)?.unwrap_or(false),
    })
}

fn read_error(row: &Row<'_>) -> rusqlite::Result<Option<RequestError>> {
    let Some(text) = row.get::<_, Option<String>>(33)? else {
        return Ok(None);
    };
    Ok(Some(RequestError {
        class: row.get_ref(34)?.as_str_or_null()?.and_then(class_of),
        status: row.get(35)?,
        text,
    }))
}

fn unknown(column: usize) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        Type::Null,
        Box::new(FromSqlError::InvalidType),
    )
}

fn by_chunks(tokens: Tokens) -> bool {
    tokens.source == TokenSource::Chunks
}

fn phase_number(phase: Phase) -> i64 {
    match phase {
        Phase::Measured => 0,
        Phase::Warmup => 1,
        Phase::Switch => 2,
        Phase::HangUp => 3,
    }
}

fn phase(number: i64) -> Option<Phase> {
    [Phase::Measured, Phase::Warmup, Phase::Switch, Phase::HangUp]
        .into_iter()
        .find(|phase| phase_number(*phase) == number)
}

fn class_of(name: &str) -> Option<FaultClass> {
    FaultClass::ALL
        .into_iter()
        .find(|class| class.name() == name)
}

/// 292 years fit.
pub(super) fn ns(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

pub(super) fn time(ns: i64) -> Duration {
    Duration::from_nanos(u64::try_from(ns).unwrap_or(0))
}

/// Seven bits a byte, the lowest first, the eighth says that more follow (LEB128): a gap takes two bytes mostly.
pub(super) fn pack(gaps: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(gaps.len() * 2 + 8);
    for gap in gaps {
        let mut left = *gap;
        while left >= 0x80 {
            bytes.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        bytes.push(left as u8);
    }
    bytes
}

/// `None` when this is no such list.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<u32>> {
    let mut gaps = Vec::with_capacity(bytes.len() / 2 + 1);
    let (mut gap, mut shift) = (0u64, 0);
    for byte in bytes {
        gap |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            gaps.push(u32::try_from(gap).ok()?);
            (gap, shift) = (0, 0);
        } else {
            shift += 7;
            if shift > 28 {
                return None;
            }
        }
    }
    (shift == 0).then_some(gaps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gaps_come_back_as_they_were(gaps in prop::collection::vec(any::<u32>(), 0..200)) {
            prop_assert_eq!(unpack(&pack(&gaps)), Some(gaps));
        }

        #[test]
        fn any_bytes_are_a_list_or_none(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let _ = unpack(&bytes);
        }
    }

    #[test]
    fn a_list_that_is_cut_is_none() {
        assert_eq!(unpack(&[0x80]), None);
        assert_eq!(
            unpack(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            None,
            "more than 32 bits"
        );
        assert_eq!(unpack(&[]), Some(Vec::new()));
    }
}

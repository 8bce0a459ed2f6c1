//! Requests that ended as a stream of bytes, cut into lines: each a length of four bytes (little-endian) and a record in
//! [postcard](https://postcard.jamesmunns.com/wire-format.html)'s form.
//!
//! That form says no names, so that both ends must know the same record: a change of it is another
//! [`PROTOCOL`](super::PROTOCOL).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::domain::history::Said;
use crate::metrics::request::RequestRecord;

/// Bytes of the stream in a line: with base64 and the words around it shorter than
/// [`MAX_ANSWER_BYTES`](super::MAX_ANSWER_BYTES).
pub const PART_BYTES: usize = 5_800;
/// A record that claims to be longer is none: a million gaps have four million bytes.
const MAX_RECORD_BYTES: usize = 256 << 20;

/// A request that ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerRow {
    /// What it came to.
    pub record: RequestRecord,
    /// What was said in it, where that is wanted.
    pub said: Option<Said>,
}

/// Turns records into parts.
#[derive(Debug, Default)]
pub struct RowWriter {
    bytes: Vec<u8>,
}

impl RowWriter {
    /// Adds a record.
    pub fn add(&mut self, row: &WorkerRow) {
        let at = self.bytes.len();
        self.bytes.extend([0; 4]);
        // Cannot fail: a vector grows, and every part of a record can be written.
        if let Ok(bytes) = postcard::to_extend(row, std::mem::take(&mut self.bytes)) {
            self.bytes = bytes;
            let length = (self.bytes.len() - at - 4) as u32;
            self.bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
        }
    }

    /// Bytes that wait to be taken.
    pub fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// All that waits, in parts as they stand in lines.
    pub fn take(&mut self) -> Vec<String> {
        let parts = self.bytes.chunks(PART_BYTES);
        let parts = parts.map(|part| STANDARD.encode(part)).collect();
        self.bytes.clear();
        parts
    }
}

/// Turns parts into records again.
#[derive(Debug, Default)]
pub struct RowReader {
    bytes: Vec<u8>,
    parts: u64,
}

impl RowReader {
    /// Takes the part with this number; gives the records that are complete with it. `None` when it is not the next
    /// one, or no such stream.
    pub fn add(&mut self, seq: u64, base64: &str) -> Option<Vec<WorkerRow>> {
        if seq != self.parts {
            return None;
        }
        self.parts += 1;
        STANDARD.decode_vec(base64, &mut self.bytes).ok()?;
        let mut rows = Vec::new();
        let mut at = 0;
        while let Some(length) = self.bytes.get(at..at + 4) {
            let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
            if length > MAX_RECORD_BYTES {
                return None;
            }
            let Some(record) = self.bytes.get(at + 4..at + 4 + length) else {
                break;
            };
            rows.push(postcard::from_bytes(record).ok()?);
            at += 4 + length;
        }
        self.bytes.drain(..at);
        Some(rows)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::failure::FaultClass;
    use crate::domain::plan::{LevelLoad, Objectives};
    use crate::domain::run::{LevelEnd, LevelReport, Watch};
    use crate::metrics::request::{Phase, RequestError};
    use crate::metrics::tally::{LevelFrame, Tally};
    use crate::metrics::timeline::{Figures, TokenSource, Tokens};
    use crate::wire::worker::MAX_ANSWER_BYTES;

    fn record(
        index: u64,
        sent_ms: u64,
        ttft_ms: u64,
        gaps_us: Vec<u32>,
        fails: bool,
    ) -> RequestRecord {
        let (sent, ttft) = (
            Duration::from_millis(sent_ms),
            Duration::from_millis(ttft_ms),
        );
        let text: Duration = gaps_us
            .iter()
            .map(|us| Duration::from_micros(u64::from(*us)))
            .sum();
        let n = gaps_us.len() as u64 + 1;
        RequestRecord {
            index,
            level: 3,
            phase: if index.is_multiple_of(7) {
                Phase::Warmup
            } else {
                Phase::Measured
            },
            due: sent,
            sent,
            ended: sent + ttft + text,
            figures: Figures {
                ttft: Some(ttft),
                latency: Some(ttft + text),
                tokens: Some(Tokens {
                    n,
                    source: TokenSource::Usage,
                }),
                prompt_tokens: Some(index),
                ..Figures::default()
            },
            first_byte: Some(ttft),
            chunks: n,
            bytes: 100 * n,
            gaps_us,
            wanted_prompt_tokens: Some(9),
            answered_by: None,
            reconnected: index.is_multiple_of(5),
            error: fails.then(|| RequestError {
                class: Some(FaultClass::QueueFull),
                status: Some(503),
                text: "HTTP 503 \u{1f980}".to_owned(),
            }),
        }
    }

    fn any_rows() -> impl Strategy<Value = Vec<(RequestRecord, usize)>> {
        let gaps = prop::collection::vec(0u32..3_000_000, 0..300);
        let one = (0u64..60_000, 1u64..2_000, gaps, 0u8..8, 0usize..7);
        prop::collection::vec(one, 0..40).prop_map(|rows| {
            let rows = rows.into_iter().enumerate();
            rows.map(|(index, (sent, ttft, gaps, kind, shard))| {
                (record(index as u64, sent, ttft, gaps, kind == 0), shard)
            })
            .collect()
        })
    }

    fn report<'a>(records: impl IntoIterator<Item = &'a RequestRecord>) -> LevelReport {
        let mut tally = Tally::new(Objectives::default(), LevelLoad::Concurrency(8));
        records.into_iter().for_each(|it| tally.record(it));
        let ms = Duration::from_millis;
        tally.report(LevelFrame {
            index: 3,
            model: "m".to_owned(),
            deployment: None,
            ended: LevelEnd::Requests,
            began: ms(0),
            now: ms(62_000),
            steady: Some([ms(5_000), ms(40_000)]),
            pauses: Vec::new(),
            in_flight_since: Vec::new(),
            most_in_flight: 0,
            aborted: 0,
            unsent: 0,
            sending: None,
            rate_limit: Vec::new(),
            watch: Watch::default(),
        })
    }

    proptest! {
        #[test]
        fn any_split_of_any_records_merges_to_the_report_of_all_in_one(rows in any_rows()) {
            let mut writers: Vec<RowWriter> = (0..7).map(|_| RowWriter::default()).collect();
            let mut lines = Vec::new();
            let mut seqs = [0u64; 7];
            for (at, (record, shard)) in rows.iter().enumerate() {
                let said = at.is_multiple_of(3).then(|| Said { answer: "yes".to_owned(), ..Said::default() });
                writers[*shard].add(&WorkerRow { record: record.clone(), said });
                if at.is_multiple_of(4) {
                    for part in writers[*shard].take() {
                        lines.push((*shard, seqs[*shard], part));
                        seqs[*shard] += 1;
                    }
                }
            }
            for (shard, writer) in writers.iter_mut().enumerate() {
                prop_assert_eq!(writer.waiting() == 0, writer.bytes.is_empty());
                for part in writer.take() {
                    lines.push((shard, seqs[shard], part));
                    seqs[shard] += 1;
                }
            }
            let mut readers: Vec<RowReader> = (0..7).map(|_| RowReader::default()).collect();
            let mut merged = Vec::new();
            for (shard, seq, part) in &lines {
                prop_assert!(part.len() + 100 < MAX_ANSWER_BYTES);
                let rows = readers[*shard].add(*seq, part).expect("the next part");
                merged.extend(rows.into_iter().map(|row| row.record));
            }
            prop_assert_eq!(report(&merged), report(rows.iter().map(|(record, _)| record)));
            merged.sort_by_key(|record| record.index);
            prop_assert!(merged.iter().eq(rows.iter().map(|(record, _)| record)), "every bit of each");
        }

        #[test]
        fn any_text_is_a_part_or_none(text in ".{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = RowReader::default().add(0, &text);
            let _ = RowReader::default().add(0, &STANDARD.encode(bytes));
        }
    }

    #[test]
    fn a_part_that_is_missing_is_noticed() {
        let mut writer = RowWriter::default();
        writer.add(&WorkerRow {
            record: record(1, 1, 1, vec![7; 9_000], false),
            said: None,
        });
        let parts = writer.take();
        assert!(parts.len() > 1);
        let mut reader = RowReader::default();
        assert_eq!(reader.add(0, &parts[0]), Some(Vec::new()));
        assert_eq!(reader.add(2, &parts[1]), None);
    }

    /// Both ends must know the same record, so that another one is another version of the protocol.
    #[test]
    fn the_form_of_a_record_belongs_to_the_protocol() {
        let mut writer = RowWriter::default();
        let said = Some(Said {
            prompt: "p".to_owned(),
            reasoning: String::new(),
            answer: "a".to_owned(),
        });
        writer.add(&WorkerRow {
            record: record(8, 2, 300, vec![5, 1_000], true),
            said,
        });
        assert_eq!(
            (super::super::PROTOCOL, writer.take().concat().as_str()),
            (
                "batida.worker/1",
                "XAAAAAgDAgCAiXoAgIl6AMj6vZABAAEAgMaGjwEAAQDI8cOPAQEDAAAAAAAAAQgAAAAAAAEAgMaGjwECBegHA6wC\
                 AQkAAAEBDAH3Aw1IVFRQIDUwMyDwn6aAAQFwAAFh"
            )
        );
    }
}

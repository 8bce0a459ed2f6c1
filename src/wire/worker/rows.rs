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

//! Requests that ended, on their way to the coordinator.

use crate::io::worker_pipes::AnswerWriter;
use crate::wire::worker::WorkerAnswer;
use crate::wire::worker::rows::{RowWriter, WorkerRow};

/// What ended, on its way to the coordinator.
#[derive(Default)]
pub(super) struct Rows {
    writer: RowWriter,
    seq: u64,
    /// Requests that ended in the session, and those of them whose rows were left out.
    pub(super) ended: u64,
    pub(super) dropped: u64,
}

impl Rows {
    pub(super) fn add(&mut self, row: &WorkerRow, out: &AnswerWriter) {
        self.ended += 1;
        if out.is_full() {
            self.dropped += 1;
        } else {
            self.writer.add(row);
        }
    }

    pub(super) fn tell(&mut self, out: &mut AnswerWriter) {
        for base64 in self.writer.take() {
            out.tell(&WorkerAnswer::Rows {
                seq: self.seq,
                base64,
            });
            self.seq += 1;
        }
    }

    /// Bytes that wait to be told.
    pub(super) fn waiting(&self) -> usize {
        self.writer.waiting()
    }
}

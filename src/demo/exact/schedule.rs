//! What is due, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::connection::{Answer, Connection, Writing};
use super::times::{Kept, Times};
use super::wire::{self, Ask, Asked, JSON, JSON_LINES, Read, Rendered};
use super::{ExactOptions, now};

/// A part of an answer that is due; by the serial number it is told whether its connection still waits for it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: u64,
    slot: usize,
    serial: u64,
}

/// What all connections share: the answers under way, when their parts are due, and the times of those that ended.
pub(super) struct Schedule {
    options: ExactOptions,
    rendered: Rendered,
    due: BinaryHeap<Reverse<Due>>,
    begun: u64,
    kept: Kept,
}

impl Schedule {
    pub(super) fn new(options: ExactOptions) -> Self {
        Self {
            options,
            rendered: Rendered::new(jiff::Timestamp::now().as_second()),
            due: BinaryHeap::new(),
            begun: 0,
            kept: Kept::default(),
        }
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.due.peek().map(|Reverse(due)| due.at)
    }

    /// Goes on until the connection has to wait; false when it is to be closed.
    pub(super) fn drive(&mut self, connection: &mut Connection, slot: usize) -> bool {
        loop {
            if connection.writing == Writing::Nothing {
                if connection.answer.is_some() || !self.begin(connection, slot) {
                    return true;
                }
                continue;
            }
            match connection.write() {
                None => return false,
                Some(false) => return true,
                Some(true) => {}
            }
            let wrote = std::mem::replace(&mut connection.writing, Writing::Nothing);
            if let Some(answer) = connection.answer.take() {
                connection.answer = self.wrote(wrote, answer, connection, slot);
            }
            if connection.close && connection.answer.is_none() {
                return false;
            }
        }
    }

    /// Begins with the next request; false when none is complete.
    fn begin(&mut self, connection: &mut Connection, slot: usize) -> bool {
        let Connection {
            input,
            output,
            need,
            writing,
            ..
        } = connection;
        if input.len() < *need {
            return false;
        }
        let (asked, used) = match wire::read(input) {
            Read::Part { need: more, waits } => {
                // It is told once, since the next look comes when all is there.
                *need = more;
                if waits {
                    output.extend(b"HTTP/1.1 100 Continue\r\n\r\n");
                    *writing = Writing::Untimed;
                }
                return waits;
            }
            Read::Whole { asked, used, close } => {
                connection.close = close;
                (asked, used)
            }
        };
        input.drain(..used);
        *need = 1;
        match asked {
            Asked::Chat(ask) => {
                connection.answer = Some(self.answer(ask, connection, slot));
                return true;
            }
            Asked::Models => self.rendered.write_models(output),
            Asked::Times => {
                let (lines, lost) = self.kept.take();
                wire::plain(
                    output,
                    200,
                    JSON_LINES,
                    &format!("x-times-lost: {lost}\r\n"),
                    &lines,
                );
            }
            Asked::Forget => {
                self.kept.take();
                wire::plain(output, 204, JSON, "", b"");
            }
            Asked::Refused { status, why } => wire::refusal(output, status, &why),
        }
        *writing = Writing::Untimed;
        true
    }

    fn answer(&mut self, mut ask: Ask, connection: &mut Connection, slot: usize) -> Answer {
        self.begun += 1;
        let times = Times::new(ask.id.take(), connection.came);
        let tokens = ask.tokens.unwrap_or(self.options.tokens).max(1);
        let answer = Answer {
            serial: self.begun,
            ask,
            tokens,
            times,
        };
        if answer.ask.stream && !self.options.one_write {
            connection.output.extend(&self.rendered.opening);
            connection.writing = Writing::Opening;
        } else {
            self.wait(&answer, slot);
        }
        answer
    }

    /// Puts down when the next part of the answer is due.
    fn wait(&mut self, answer: &Answer, slot: usize) {
        let ExactOptions {
            ttft,
            per_token,
            one_write,
            ..
        } = self.options;
        let before = match answer.ask.stream {
            true => answer.times.tokens,
            false if one_write => 0,
            false => answer.tokens - 1,
        };
        let after = nanos(ttft) + nanos(per_token) * u64::from(before);
        let at = answer.times.received_ns + after;
        self.due.push(Reverse(Due {
            at,
            slot,
            serial: answer.serial,
        }));
    }

    /// Makes ready what is due by now, if anything is, and says whose it is.
    pub(super) fn take_due(&mut self, connections: &mut [Option<Connection>]) -> Option<usize> {
        while self.due.peek().is_some_and(|Reverse(due)| due.at <= now()) {
            let Reverse(Due { slot, serial, .. }) = self.due.pop()?;
            // A client that left is no longer waiting for it.
            let waiting = connections[slot].as_mut().and_then(|connection| {
                let answer = connection
                    .answer
                    .as_ref()
                    .filter(|answer| answer.serial == serial)?;
                Some((&mut connection.output, &mut connection.writing, answer))
            });
            let Some((output, writing, answer)) = waiting else {
                continue;
            };
            if answer.ask.embeds {
                self.rendered.write_embedding(output, &answer.told());
                *writing = Writing::All;
            } else if !answer.ask.stream {
                self.rendered.write_whole(output, &answer.told());
                *writing = Writing::All;
            } else if self.options.one_write {
                output.extend(&self.rendered.opening);
                (0..answer.tokens).for_each(|at| output.extend(self.rendered.token(at)));
                self.rendered.write_end(output, &answer.told());
                *writing = Writing::All;
            } else {
                output.extend(self.rendered.token(answer.times.tokens));
                *writing = Writing::Token;
            }
            return Some(slot);
        }
        None
    }

    /// Takes the time of what was written, and says what comes next; `None` when the answer is complete.
    fn wrote(
        &mut self,
        wrote: Writing,
        mut answer: Answer,
        connection: &mut Connection,
        slot: usize,
    ) -> Option<Answer> {
        let at = now();
        match wrote {
            Writing::Nothing | Writing::Untimed => {}
            Writing::Opening => self.wait(&answer, slot),
            Writing::Token => {
                answer.times.wrote(at, self.options.all_times);
                if answer.times.tokens < answer.tokens {
                    self.wait(&answer, slot);
                } else {
                    self.rendered
                        .write_end(&mut connection.output, &answer.told());
                    connection.writing = Writing::End;
                }
            }
            Writing::All | Writing::End => {
                if wrote == Writing::All {
                    answer.times.wrote(at, false);
                    answer.times.tokens = answer.tokens;
                }
                answer.times.done_ns = Some(at);
                self.kept.keep(answer.times);
                return None;
            }
        }
        Some(answer)
    }

    /// Keeps what there is of an answer that nobody waits for any more.
    pub(super) fn leave(&mut self, connection: Connection) {
        if let Some(answer) = connection.answer {
            self.kept.keep(answer.times);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 1_000_000)
}

//! What the exact server keeps of each request, in nanoseconds of the system's monotonic clock.

use std::collections::VecDeque;
use std::io::Write as _;

use serde::Serialize;

/// Requests, and times of tokens; beyond either the oldest go. Each is about 40 MB.
const MOST: usize = 200_000;
/// See [`MOST`].
const MOST_TOKENS: usize = 5_000_000;

/// The moments of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Times {
    /// The request's `x-request-id`.
    pub(super) id: Option<Box<str>>,
    /// Its last byte arrived, by the kernel where it tells; else it was read.
    pub(super) received_ns: u64,
    /// Tokens written.
    pub(super) tokens: u32,
    /// The write of a token returned: the first and the last one's, or every one's.
    pub(super) written_ns: Vec<u64>,
    /// The write of the end returned; `None` when the client left before.
    pub(super) done_ns: Option<u64>,
}

impl Times {
    /// For a request that came at `received_ns`.
    pub(super) fn new(id: Option<Box<str>>, received_ns: u64) -> Self {
        Self {
            id,
            received_ns,
            tokens: 0,
            written_ns: Vec::new(),
            done_ns: None,
        }
    }

    /// Notes that a token was written; only the first and the last are kept unless `all` are.
    pub(super) fn wrote(&mut self, at: u64, all: bool) {
        self.tokens += 1;
        match &mut self.written_ns[..] {
            [_, last] if !all => *last = at,
            _ => self.written_ns.push(at),
        }
    }
}

/// The times kept, oldest first.
#[derive(Debug, Default)]
pub(super) struct Kept {
    list: VecDeque<Times>,
    /// Times of tokens in the list.
    tokens: usize,
    lost: u64,
}

impl Kept {
    /// Keeps one more.
    pub(super) fn keep(&mut self, times: Times) {
        self.tokens += times.written_ns.len();
        self.list.push_back(times);
        while self.list.len() > MOST || self.tokens > MOST_TOKENS {
            let Some(oldest) = self.list.pop_front() else {
                return;
            };
            self.tokens -= oldest.written_ns.len();
            self.lost += 1;
        }
    }

    /// A line of JSON each, and how many were lost before; both are forgotten.
    pub(super) fn take(&mut self) -> (Vec<u8>, u64) {
        self.tokens = 0;
        let mut lines = Vec::with_capacity(self.list.len() * 160);
        for times in self.list.drain(..) {
            // Neither numbers and texts nor a buffer can fail.
            let _ = serde_json::to_writer(&mut lines, &times);
            let _ = lines.write_all(b"\n");
        }
        (lines, std::mem::take(&mut self.lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(id: &str) -> Times {
        Times {
            done_ns: Some(9),
            ..Times::new(Some(id.into()), 1)
        }
    }

    #[test]
    fn the_first_and_the_last_token_are_kept_unless_all_are() {
        for (all, kept) in [(false, vec![2, 5]), (true, vec![2, 3, 4, 5])] {
            let mut times = times("a");
            (2..=5).for_each(|at| times.wrote(at, all));
            assert_eq!((times.written_ns, times.tokens), (kept, 4));
        }
    }

    #[test]
    fn the_oldest_go_and_are_counted() {
        let mut kept = Kept::default();
        (0..MOST + 2).for_each(|n| kept.keep(times(&n.to_string())));
        let (lines, lost) = kept.take();
        let text = String::from_utf8(lines).expect("JSON is text");
        assert_eq!((text.lines().count(), lost), (MOST, 2));
        assert_eq!(
            text.lines().next(),
            Some(r#"{"id":"2","received_ns":1,"tokens":0,"written_ns":[],"done_ns":9}"#)
        );
        assert_eq!(kept.take(), (Vec::new(), 0));
        for _ in 0..3 {
            kept.keep(Times {
                written_ns: vec![7; MOST_TOKENS / 2],
                ..times("long")
            });
        }
        assert_eq!((kept.list.len(), kept.take().1), (2, 1));
    }
}

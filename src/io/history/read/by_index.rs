//! Requests in the order of their numbers, read a few at a time.

use crate::domain::failure::Failure;
use crate::domain::history::StoredRequest;
use crate::domain::plan::Target;
use crate::io::history::{Store, codec};

/// A session's requests, see [`Store::by_index`].
pub struct ByIndex<'a> {
    pub(super) store: &'a Store,
    pub(super) keys: std::vec::IntoIter<i64>,
    pub(super) targets: Vec<(i64, Target)>,
}

impl Iterator for ByIndex<'_> {
    type Item = Result<StoredRequest, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.keys.next()?;
        let reading = || {
            let mut asked = self.store.conn.prepare_cached(codec::SELECT)?;
            asked.query_row([key, key + 1], |row| codec::read(row, &self.targets))
        };
        Some(self.store.asked(reading()))
    }
}

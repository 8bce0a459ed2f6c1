//! Rows of the table in pages, asked for as they are scrolled to. Old rows stay until newer ones are there.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::domain::failure::Failure;
use crate::domain::history::{Facets, HistoryPage, HistoryQuery, SessionId, SessionRow};
use crate::protocol::JobId;

/// Rows that are asked for at once.
pub const PAGE: u64 = 200;
/// More pages are not kept; those farthest from what is seen go first.
const MOST_PAGES: usize = 12;
/// Pages asked for at the same time.
const MOST_ASKED: usize = 3;
/// Rows beyond those that are seen, so that scrolling finds them there.
const AHEAD: u64 = 60;

/// What is known of the rows that match.
#[derive(Debug, Default)]
pub struct Rows {
    pages: BTreeMap<u64, Page>,
    /// Where the sessions of `pages` are: asked for in every frame.
    places: HashMap<SessionId, u64>,
    /// Counts changes of `pages`.
    stamp: u64,
    asked: HashMap<JobId, Asked>,
    /// What the pages are asked with; its offset and limit mean nothing.
    query: HistoryQuery,
    /// Counts changes of the query: rows of another one stand in another order.
    version: u64,
    /// The version that the pages are of.
    shown: u64,
    /// Counts changes of what is stored, and requests to try again.
    generation: u64,
    /// The generation in which asking failed: it is not asked again before the next.
    failed_in: Option<u64>,
    failure: Option<Failure>,
    total: Option<u64>,
    facets: Facets,
    bytes: u64,
    requests: u64,
}

#[derive(Debug)]
struct Page {
    rows: Vec<SessionRow>,
    generation: u64,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    page: u64,
    version: u64,
    generation: u64,
}

impl Rows {
    /// How many sessions match; `None` before the first answer.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The row at this place, when it is there.
    pub fn at(&self, index: u64) -> Option<&SessionRow> {
        self.pages
            .get(&(index / PAGE))?
            .rows
            .get((index % PAGE) as usize)
    }

    /// The rows that are here, in their order.
    pub fn known(&self) -> impl Iterator<Item = &SessionRow> {
        self.pages.values().flat_map(|page| &page.rows)
    }

    /// The row of a session, and its place, when it is among those that are here.
    pub fn find(&self, id: &SessionId) -> Option<(u64, &SessionRow)> {
        let place = *self.places.get(id)?;
        self.at(place).map(|row| (place, row))
    }

    /// Another number whenever a row may have changed: what was made of rows is made anew then.
    pub fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Whether rows are being asked for.
    pub fn is_loading(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Why the last rows did not come.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// What can be filtered by.
    pub fn facets(&self) -> &Facets {
        &self.facets
    }

    /// What the store takes up on disk, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Requests that are kept.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Other rows are wanted, or in another order.
    pub(super) fn ask_for(&mut self, query: HistoryQuery) {
        self.query = query;
        self.version += 1;
        self.failed_in = None;
    }

    /// The same are wanted anew. What is relative to today may have moved.
    pub(super) fn ask_again(&mut self, query: HistoryQuery) {
        self.query = query;
        self.generation += 1;
    }

    /// These rows are seen: what is missing or out of date around them is asked for. `ask` gives the job that brings a
    /// page.
    pub(super) fn want(&mut self, seen: Range<u64>, mut ask: impl FnMut(HistoryQuery) -> JobId) {
        if self.failed_in == Some(self.generation) {
            return;
        }
        let seen = if self.shown == self.version {
            seen
        } else {
            0..1
        };
        let last = self
            .total
            .filter(|_| self.shown == self.version)
            .map_or(0, |total| total.saturating_sub(1));
        let first_page = seen.start.saturating_sub(AHEAD).min(last) / PAGE;
        let last_page = (seen.end + AHEAD).min(last) / PAGE;
        for page in first_page..=last_page {
            let fresh = self.shown == self.version
                && self
                    .pages
                    .get(&page)
                    .is_some_and(|page| page.generation == self.generation);
            let request = Asked {
                page,
                version: self.version,
                generation: self.generation,
            };
            let asked = self.asked.values().any(|asked| {
                (asked.page, asked.version, asked.generation)
                    == (page, request.version, request.generation)
            });
            if fresh || asked || self.asked.len() >= MOST_ASKED {
                continue;
            }
            let query = HistoryQuery {
                offset: page * PAGE,
                limit: PAGE,
                ..self.query.clone()
            };
            self.asked.insert(ask(query), request);
        }
        self.forget(first_page, last_page);
    }

    fn forget(&mut self, first: u64, last: u64) {
        while self.pages.len() > MOST_PAGES {
            let distance = |page: u64| first.saturating_sub(page).max(page.saturating_sub(last));
            let Some(farthest) = self
                .pages
                .keys()
                .copied()
                .max_by_key(|page| distance(*page))
            else {
                return;
            };
            self.pages.remove(&farthest);
            self.places.retain(|_, place| *place / PAGE != farthest);
        }
    }

    /// The version that is shown.
    pub(super) fn shown(&self) -> u64 {
        self.shown
    }

    /// An answer came; gives whether it was to a question of ours.
    pub(super) fn loaded(&mut self, job: JobId, outcome: Result<HistoryPage, Failure>) -> bool {
        let Some(asked) = self.asked.remove(&job) else {
            return false;
        };
        if asked.version != self.version {
            return true;
        }
        match outcome {
            Ok(page) => {
                if self.shown != self.version || self.total.is_none() {
                    self.pages.clear();
                    self.shown = self.version;
                }
                (self.failure, self.failed_in) = (None, None);
                self.total = Some(page.total);
                (self.facets, self.bytes, self.requests) = (page.facets, page.bytes, page.requests);
                self.pages.insert(
                    asked.page,
                    Page {
                        rows: page.rows,
                        generation: asked.generation,
                    },
                );
                // Rows that no longer exist must not be found.
                let pages = page.total.div_ceil(PAGE);
                self.pages.retain(|page, _| *page < pages.max(1));
                self.places.clear();
                for (page, Page { rows, .. }) in &self.pages {
                    let places = (page * PAGE..).zip(rows);
                    self.places
                        .extend(places.map(|(place, row)| (row.id.clone(), place)));
                }
                self.stamp += 1;
            }
            Err(failure) => {
                self.failed_in = Some(self.generation);
                self.failure = Some(failure);
            }
        }
        true
    }

    /// A change that is on its way to the store is shown at once.
    pub(super) fn change(&mut self, id: &SessionId, change: impl Fn(&mut SessionRow)) {
        self.stamp += 1;
        for row in self
            .pages
            .values_mut()
            .flat_map(|page| &mut page.rows)
            .filter(|row| row.id == *id)
        {
            change(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(offset: u64, rows: u64, total: u64) -> HistoryPage {
        let row = |n: u64| super::super::tests::row(&format!("s{n}"));
        HistoryPage {
            rows: (offset..offset + rows).map(row).collect(),
            offset,
            total,
            ..HistoryPage::default()
        }
    }

    /// Wants these rows and answers as a store of `total` sessions would; gives the offsets that were asked for.
    fn scroll(rows: &mut Rows, job: &mut u64, seen: Range<u64>, total: u64) -> Vec<u64> {
        let mut out = Vec::new();
        rows.want(seen, |query| {
            *job += 1;
            out.push((JobId(*job), query));
            JobId(*job)
        });
        let mut offsets = Vec::new();
        for (job, query) in out {
            offsets.push(query.offset);
            let count = query.limit.min(total.saturating_sub(query.offset));
            rows.loaded(job, Ok(page_of(query.offset, count, total)));
        }
        offsets
    }

    #[test]
    fn pages_come_as_they_are_scrolled_to_and_go_again() {
        let (mut rows, mut job) = (Rows::default(), 0);
        assert_eq!(scroll(&mut rows, &mut job, 0..20, 100_000), [0]);
        assert_eq!(
            scroll(&mut rows, &mut job, 0..20, 100_000),
            [0u64; 0],
            "what is here is not asked twice"
        );
        assert_eq!(
            scroll(&mut rows, &mut job, 150..170, 100_000),
            [200],
            "the next page comes before its time"
        );
        for n in 0..40 {
            scroll(&mut rows, &mut job, n * 1_000..n * 1_000 + 20, 100_000);
        }
        assert!(
            rows.pages.len() <= MOST_PAGES + MOST_ASKED,
            "with those that just came"
        );
        assert_eq!(rows.at(39_010).map(|row| row.id.0.as_str()), Some("s39010"));
        assert!(rows.at(10).is_none(), "what is far away was forgotten");
        let place_of = |name: &str| {
            rows.find(&SessionId(name.to_owned()))
                .map(|(place, _)| place)
        };
        assert_eq!((place_of("s39010"), place_of("s10")), (Some(39_010), None));
    }

    #[test]
    fn old_rows_stay_while_new_ones_load() {
        let (mut rows, mut job) = (Rows::default(), 0);
        scroll(&mut rows, &mut job, 0..20, 500);
        rows.ask_for(HistoryQuery {
            text: "x".to_owned(),
            ..HistoryQuery::default()
        });
        rows.want(0..20, |_| JobId(77));
        assert!(rows.at(3).is_some() && rows.is_loading());
        // Another question meanwhile: the answer to the last but one is left aside.
        rows.ask_for(HistoryQuery {
            text: "xy".to_owned(),
            ..HistoryQuery::default()
        });
        assert!(rows.loaded(JobId(77), Ok(page_of(0, 1, 1))));
        assert_eq!(rows.total(), Some(500));
        assert_eq!(scroll(&mut rows, &mut job, 0..20, 2), [0]);
        assert_eq!((rows.total(), rows.at(2)), (Some(2), None));
    }

    #[test]
    fn what_failed_is_asked_again_when_something_changed() {
        let (mut rows, mut job) = (Rows::default(), 100);
        rows.want(0..20, |_| JobId(1));
        rows.loaded(JobId(1), Err(Failure::new("locked", "")));
        assert_eq!(
            rows.failure().map(|why| why.summary.as_str()),
            Some("locked")
        );
        assert_eq!(
            scroll(&mut rows, &mut job, 0..20, 5),
            [0u64; 0],
            "not in every frame"
        );
        rows.ask_again(HistoryQuery::default());
        assert_eq!(scroll(&mut rows, &mut job, 0..20, 5), [0]);
        assert!(rows.failure().is_none());
    }
}

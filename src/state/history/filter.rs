//! Which sessions the History page shows.

use jiff::{SignedDuration, Timestamp};

use crate::domain::history::{HistoryQuery, SortBy};

/// Which sessions are shown: a query whose range of time moves with the day.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// Everything but the range of time.
    pub query: HistoryQuery,
    /// When the sessions began.
    pub range: TimeRange,
}

/// When a session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeRange {
    /// In the last so many days.
    Days(u16),
    /// Whenever.
    #[default]
    All,
    /// From the one moment until before the other, where they are given.
    Between(Option<Timestamp>, Option<Timestamp>),
}

impl Filter {
    /// The query at this moment.
    pub fn at(&self, today: Timestamp) -> HistoryQuery {
        let (since, until) = match self.range {
            TimeRange::All => (None, None),
            TimeRange::Days(days) => (Some(days_before(today, days)), None),
            TimeRange::Between(since, until) => (since, until),
        };
        HistoryQuery {
            text: self.query.text.trim().to_owned(),
            since,
            until,
            ..self.query.clone()
        }
    }

    /// Whether it leaves no session out.
    pub fn is_open(&self) -> bool {
        self.query.is_open() && self.range == TimeRange::All
    }

    /// Sorts by this; by what it is sorted already, the other way round.
    pub fn sort_by(&mut self, sort: SortBy) {
        let query = &mut self.query;
        let same = query.sort == sort;
        // Names begin at A, figures and times with the largest.
        let names = matches!(
            sort,
            SortBy::Title | SortBy::Deployment | SortBy::Model | SortBy::Tag
        );
        query.ascending = if same { !query.ascending } else { names };
        query.sort = sort;
    }

    /// The same sessions in the order of another filter.
    pub fn sorted_as(&self, other: &Self) -> Self {
        let HistoryQuery {
            sort, ascending, ..
        } = other.query;
        Self {
            query: HistoryQuery {
                sort,
                ascending,
                ..self.query.clone()
            },
            range: self.range,
        }
    }
}

/// So many days before a moment; the beginning of time where there are none.
pub fn days_before(moment: Timestamp, days: u16) -> Timestamp {
    moment
        .checked_sub(SignedDuration::from_hours(24 * i64::from(days)))
        .unwrap_or(Timestamp::MIN)
}

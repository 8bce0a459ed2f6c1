//! What could not be read of a damaged file, counted.

use crate::domain::units::counted;

/// How many rows are known to be missing.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Missing {
    pub(super) known: u64,
    /// There may be more of them.
    pub(super) or_more: bool,
}

impl Missing {
    pub(super) fn is_none(self) -> bool {
        self.known == 0 && !self.or_more
    }

    pub(super) fn add(&mut self, other: Self) {
        self.known += other.known;
        self.or_more |= other.or_more;
    }

    /// E.g. "at least 2 sessions"; `None` for none.
    pub(super) fn told(self, what: &str) -> Option<String> {
        match (self.known, self.or_more) {
            (0, false) => None,
            (0, true) => Some(format!("an unknown number of {what}s")),
            (known, more) => Some(format!(
                "{}{}",
                if more { "at least " } else { "" },
                counted(usize::try_from(known).unwrap_or(usize::MAX), what)
            )),
        }
    }
}

//! How near the prompts came to the length that was wanted, and what is said of it.

use super::counted;
use crate::domain::units;

/// A prompt may be so much longer or shorter than asked.
const OFF: f64 = 0.02;

/// How well prompts kept to the length that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PromptFit {
    compared: u64,
    wanted: u64,
    got: u64,
    off: u64,
}

impl PromptFit {
    /// Adds a prompt that the server counted. Nothing when no length was asked for.
    pub fn add(&mut self, wanted: Option<u32>, got: u64) {
        let Some(wanted) = wanted.map(u64::from).filter(|wanted| *wanted > 0) else {
            return;
        };
        self.compared += 1;
        self.wanted += wanted;
        // A server may claim any number.
        self.got = self.got.saturating_add(got);
        self.off += u64::from(got.abs_diff(wanted) as f64 > wanted as f64 * OFF);
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: &Self) {
        let Self {
            compared,
            wanted,
            got,
            off,
        } = other;
        self.compared += compared;
        self.wanted += wanted;
        self.got = self.got.saturating_add(*got);
        self.off += off;
    }
}

pub(super) fn note(prompts: &PromptFit) -> Option<String> {
    let PromptFit {
        compared,
        wanted,
        got,
        off,
    } = *prompts;
    (off > 0).then(|| {
        let by = got as f64 / wanted as f64 - 1.0;
        let longer = if by < 0.0 { "shorter" } else { "longer" };
        format!(
            "{} of {} missed the length asked for by more than {}; all together they were {} {longer}",
            units::count(off),
            counted(compared, "prompt"),
            units::percent(OFF),
            units::percent(by.abs())
        )
    })
}

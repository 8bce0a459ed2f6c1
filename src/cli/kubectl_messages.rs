//! Prints messages of kubectl and its credential plugins while they run, and notes on fields that a server refused, to
//! standard error.

use std::collections::HashMap;

use super::report;
use crate::protocol::{Activity, ActivityKind};
use parking_lot::Mutex;

/// Prints each line once, as soon as it is said; notes unless `silent`.
pub(super) fn printer(silent: bool) -> impl Fn(Activity) + Send + Sync + 'static {
    let said: Mutex<HashMap<u64, Vec<String>>> = Mutex::default();
    move |activity| {
        let mut said = said.lock();
        if activity.kind == ActivityKind::Note {
            if activity.ending.is_some() && !silent {
                report::error_line(&format!("note: {}", activity.line));
            }
            return;
        }
        if activity.ending.is_some() {
            said.remove(&activity.id);
            return;
        }
        for line in news(said.entry(activity.id).or_default(), &activity.words) {
            report::error_line(&format!("kubectl says: {line}"));
        }
    }
}

/// The lines that are new, which are remembered.
fn news(said: &mut Vec<String>, words: &str) -> Vec<String> {
    let lines = words
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty());
    let new: Vec<String> = lines
        .filter(|line| !said.iter().any(|old| old == line))
        .map(str::to_owned)
        .collect();
    said.extend(new.iter().cloned());
    new
}

#[cfg(test)]
mod tests {
    use super::news;

    #[test]
    fn each_line_is_told_once() {
        let mut said = Vec::new();
        assert_eq!(news(&mut said, "log in at x\n"), ["log in at x"]);
        assert!(news(&mut said, "log in at x\n").is_empty());
        assert_eq!(news(&mut said, "log in at x\n\nwaiting\n"), ["waiting"]);
    }
}

//! What is to be known beside a level's figures: errors, measurement warnings and notes, gravest first, each with the
//! figures that it is about.

use super::LevelReport;

/// How grave a remark is, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemarkKind {
    /// Requests failed.
    Error,
    /// The benchmark may have moved a figure itself.
    Warning,
    /// A reader of the figures must know it.
    Note,
    /// It says which figures have no interval, and belongs beside the intervals.
    Interval,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// How grave it is.
    pub kind: RemarkKind,
    /// The figures that it names; of an error [`ERRORS`]. Empty when it is about the whole level.
    pub about: Vec<&'static str>,
    /// A sentence.
    pub text: String,
}

/// What a remark about failed requests is about.
pub const ERRORS: &str = "errors";
/// What a note about missing intervals says.
const INTERVAL: &str = "95 % interval";
/// What sentences call the figures, and words that mean them too.
const FIGURES: [(&str, &[&str]); 6] = [
    ("throughput", &["throughput"]),
    ("tok/s", &["tokens/s", "tok/s"]),
    ("TTFT", &["TTFT"]),
    ("ITL", &["ITL"]),
    ("latency", &["latency"]),
    ("goodput", &["goodput"]),
];

impl LevelReport {
    /// All remarks on this level, gravest first.
    pub fn remarks(&self) -> Vec<Remark> {
        let errors = self.requests.errors.iter().map(|error| Remark {
            kind: RemarkKind::Error,
            about: vec![ERRORS],
            text: error.told(),
        });
        let doubts = self.watch.doubts.iter();
        let doubts = doubts.map(|text| Remark::of(RemarkKind::Warning, text));
        let notes = self.notes.iter().map(|text| {
            let kind = if text.contains(INTERVAL) {
                RemarkKind::Interval
            } else {
                RemarkKind::Note
            };
            Remark::of(kind, text)
        });
        let mut all: Vec<Remark> = errors.chain(doubts).chain(notes).collect();
        // Within a kind the report has what weighs most first.
        all.sort_by_key(|remark| remark.kind);
        all
    }
}

impl Remark {
    fn of(kind: RemarkKind, text: &str) -> Self {
        let named = |(_, words): &&(&str, &[&str])| words.iter().any(|word| text.contains(word));
        let about = FIGURES.iter().filter(named).map(|(name, _)| *name);
        Self {
            kind,
            about: about.collect(),
            text: text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::LevelLoad;
    use crate::domain::run::ErrorCount;

    #[test]
    fn the_gravest_come_first_and_each_names_its_figures() {
        let mut level = LevelReport::blank("m", LevelLoad::Concurrency(4));
        let interval =
            "p95 of TTFT and latency rest on 60 requests: they need 72 for a 95 % interval";
        level.notes = vec![
            interval.to_owned(),
            "prompts were shorter than asked".to_owned(),
        ];
        level.watch.doubts = vec![
            "client read delay up to 66 ms (p99): TTFT and ITL may read that much too long"
                .to_owned(),
        ];
        level.requests.errors = vec![ErrorCount {
            kind: "queue_full".to_owned(),
            count: 2,
            example: "HTTP 503".to_owned(),
        }];
        let told: Vec<_> = level
            .remarks()
            .into_iter()
            .map(|remark| (remark.kind, remark.about.join(" ")))
            .collect();
        let told: Vec<_> = told
            .iter()
            .map(|(kind, about)| (*kind, about.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (RemarkKind::Error, "errors"),
                (RemarkKind::Warning, "TTFT ITL"),
                (RemarkKind::Note, ""),
                (RemarkKind::Interval, "TTFT latency"),
            ]
        );
    }
}

//! What a session found beyond its levels' figures: the result of a search, the knee of a sweep. Every report says it.

use super::knee;
use crate::domain::plan_fields::sentence;
use crate::domain::run::BenchReport;

/// Something that a session found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A sentence.
    pub text: String,
    /// How sure it is, and what else is to be known of it: a sentence each.
    pub details: Vec<String>,
}

/// All of a session, also of one of an earlier version or of another program.
pub fn of(report: &BenchReport) -> Vec<Finding> {
    let several = report.plan.targets.len() > 1;
    let found = report.found.iter().map(|found| Finding {
        text: found.told(several),
        details: found.details(&report.levels),
    });
    let knees = knee::knees(&report.levels).into_iter().map(|knee| {
        let of = if several {
            format!("{}: ", knee.model)
        } else {
            String::new()
        };
        Finding {
            text: sentence(&format!("{of}{}", knee.told())),
            details: Vec::new(),
        }
    });
    found.chain(knees).collect()
}

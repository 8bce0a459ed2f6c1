//! What a search found, and where throughput stops growing.

use super::super::table::line;
use crate::domain::run::BenchReport;
use crate::metrics::findings;

pub(super) fn text(report: &BenchReport) -> String {
    let findings = findings::of(report).into_iter();
    let lines = findings.flat_map(|finding| {
        let details = finding
            .details
            .into_iter()
            .map(|text| line(&format!("  {text}")));
        std::iter::once(line(&finding.text)).chain(details)
    });
    lines.collect()
}

//! The exit code of `batida bench`.

use super::bench_args::BenchArgs;
use super::{Ended, report};
use crate::domain::run::{BenchReport, LevelEnd, Requests, SessionEnd};

/// The exit code that the figures deserve.
pub(super) fn verdict(found: &BenchReport, args: &BenchArgs) -> Result<(), Ended> {
    let mut failed = None;
    match &found.ended {
        SessionEnd::Complete => {}
        SessionEnd::Stopped => failed = Some("the session was stopped".to_owned()),
        SessionEnd::Failed(why) => failed = Some(why.clone()),
        SessionEnd::Errors(why) => {
            failed = Some(format!("the session ended for too many errors: {why}"))
        }
        SessionEnd::Limit(_) => {}
    }
    if let (None, Some(level)) = (
        &failed,
        found
            .levels
            .iter()
            // A probe with many errors only fails.
            .find(|level| level.ended == LevelEnd::Errors && level.probe.is_none()),
    ) {
        let Requests {
            failed: errors,
            ended,
            ..
        } = &level.requests;
        let (label, model) = (&level.label, &level.model);
        failed = Some(format!(
            "{label} of {model} ended for too many errors: {errors} of {ended} requests failed"
        ));
    }
    if failed.is_none() && found.levels.iter().all(|level| level.requests.ok == 0) {
        failed = Some("no request was answered".to_owned());
    }
    let mut crossed = false;
    for found in found.found.iter().filter(|found| found.has_failed()) {
        report::error_line(&format!("batida: --find: {}", found.told(true)));
        crossed = true;
    }
    for crossing in args
        .fail_if
        .iter()
        .flat_map(|condition| condition.crossings(found))
    {
        report::error_line(&format!("batida: --fail-if {crossing}"));
        crossed = true;
    }
    if let Some(why) = failed {
        report::error_line(&format!("batida: {why}"));
        return Err(Ended::Told);
    }
    if crossed {
        return Err(Ended::Crossed);
    }
    let doubted = found
        .levels
        .iter()
        .filter(|level| !level.watch.doubts.is_empty());
    if args.strict && doubted.clone().next().is_some() {
        for level in doubted {
            let (label, doubt) = (&level.label, level.watch.doubts.join("; "));
            report::error_line(&format!(
                "batida: --strict: {label} of {} has a measurement warning: {doubt}",
                level.model
            ));
        }
        return Err(Ended::Doubted);
    }
    Ok(())
}

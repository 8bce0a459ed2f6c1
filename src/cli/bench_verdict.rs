//! What a benchmark's figures deserve: the exit code, and in a GitHub Actions job the annotations.

use super::bench_args::BenchArgs;
use super::{Ended, report};
use crate::domain::run::{BenchReport, LevelReport};

/// Says what is wrong with a session, and gives its exit code.
pub(super) fn told(found: &BenchReport, args: &BenchArgs) -> Result<(), Ended> {
    let failed = found.failed_because();
    let conditions = args.fail_if.iter();
    let crossings: Vec<String> = conditions
        .flat_map(|condition| condition.crossings(found))
        .map(|crossing| crossing.text)
        .collect();
    let unmet: Vec<String> = found
        .found
        .iter()
        .filter(|found| found.has_failed())
        .map(|found| found.told(true))
        .collect();
    let doubted: Vec<&LevelReport> = found
        .levels
        .iter()
        .filter(|level| !level.watch.doubts.is_empty())
        .collect();
    if args.github_summary {
        annotate("error", "Benchmark", failed.iter().cloned());
        annotate("error", "--find", unmet.iter().cloned());
        annotate("error", "--fail-if", crossings.iter().cloned());
        let doubts = doubted.iter().map(|level| warning(level));
        annotate(
            if args.strict { "error" } else { "warning" },
            "Measurement warning",
            doubts,
        );
    }
    for why in &unmet {
        report::error_line(&format!("batida: --find: {why}"));
    }
    for crossing in &crossings {
        report::error_line(&format!("batida: --fail-if {crossing}"));
    }
    if let Some(why) = failed {
        report::error_line(&format!("batida: {why}"));
        return Err(Ended::Told);
    }
    if !crossings.is_empty() || !unmet.is_empty() {
        return Err(Ended::Crossed);
    }
    if args.strict && !doubted.is_empty() {
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

fn warning(level: &LevelReport) -> String {
    format!("{}: {}", level.place(), level.watch.doubts.join("; "))
}

/// Workflow commands, which a runner reads from both outputs. Standard error leaves the other to a report.
fn annotate(kind: &str, title: &str, texts: impl Iterator<Item = String>) {
    for text in texts {
        report::error_line(&annotation(kind, title, &text));
    }
}

/// `::error title=Batida: --fail-if::ttft_p99>800ms: it is 912 ms`. What would end the command is written as GitHub's
/// own toolkit writes it.
fn annotation(kind: &str, title: &str, text: &str) -> String {
    let escaped = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let title = escaped(&format!("Batida: {title}"))
        .replace(':', "%3A")
        .replace(',', "%2C");
    format!("::{kind} title={title}::{}", escaped(text))
}

#[cfg(test)]
mod tests {
    use super::annotation;

    #[test]
    fn an_annotation_is_one_command_whatever_it_says() {
        assert_eq!(
            annotation(
                "error",
                "--fail-if",
                "goodput<95%: it is 90%\nat c=16::warning::x"
            ),
            "::error title=Batida%3A --fail-if::goodput<95%25: it is 90%25%0Aat c=16::warning::x"
        );
    }
}

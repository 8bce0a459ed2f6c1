use quick_junit::Report as Parsed;

use super::*;
use crate::domain::run::SessionEnd;
use crate::export::sample::{self, HOSTILE};

fn condition(text: &str) -> Condition {
    Condition::parse(text).expect("a condition")
}

/// Each case as `suite | name | status: message`.
fn cases(xml: &str) -> Vec<String> {
    let report = Parsed::deserialize_from_str(xml).expect("JUnit's XML");
    let mut lines = Vec::new();
    for suite in &report.test_suites {
        assert_eq!(suite.tests, suite.test_cases.len());
        for case in &suite.test_cases {
            let (status, message) = match &case.status {
                TestCaseStatus::Success { .. } => ("ok", None),
                TestCaseStatus::NonSuccess { message, kind, .. } => (
                    if *kind == NonSuccessKind::Failure {
                        "failure"
                    } else {
                        "error"
                    },
                    message.as_ref(),
                ),
                TestCaseStatus::Skipped { message, .. } => ("skipped", message.as_ref()),
            };
            let message = message
                .map(|text| format!(": {}", text.as_str()))
                .unwrap_or_default();
            assert_eq!(case.classname.as_deref(), Some(suite.name.as_str()));
            lines.push(format!(
                "{} | {} | {status}{message}",
                suite.name.as_str(),
                case.name.as_str()
            ));
        }
    }
    let counted = |wanted: &str| lines.iter().filter(|line| line.contains(wanted)).count();
    assert_eq!(
        (report.tests, report.failures),
        (lines.len(), counted("| failure"))
    );
    assert_eq!(
        (report.errors, report.skipped),
        (counted("| error"), counted("| skipped"))
    );
    lines
}

#[test]
fn each_level_has_a_case_for_each_condition() {
    let sample = sample::bench(1.0);
    let mut report = sample.report().clone();
    report.levels.truncate(2);
    report.levels[1].watch.doubts = vec![format!("timers fired late {HOSTILE}")];
    let conditions = [
        condition("ttft_p50>1ms"),
        condition("errors>999"),
        condition("switch_ttft>9s"),
    ];
    let found = cases(&bench(&report, &conditions, false));
    let suite = "gpt-oss-120b of md-gpt";
    let label = &report.levels[1].label;
    let has = |line: &str| {
        assert!(
            found.iter().any(|known| known.starts_with(line)),
            "{line}: {found:#?}"
        )
    };
    has(&format!("{suite} | {label}: completed | ok"));
    has(&format!(
        "{suite} | {label}: no measurement warning | skipped: timers fired late {HOSTILE}"
    ));
    has(&format!(
        "{suite} | {label}: --fail-if ttft_p50>1ms | failure: ttft_p50>1ms: it is "
    ));
    has(&format!("{suite} | {label}: --fail-if errors>999 | ok"));
    has("session | completed | ok");
    // No model was switched to: nobody could vouch for it, which is exit code 3 as well.
    has("session | --fail-if switch_ttft>9s | failure: ");
    assert_eq!(found.len(), 2 * 5 + 2);
    let strict = cases(&bench(&report, &conditions, true));
    assert!(
        strict
            .iter()
            .any(|line| line.contains("no measurement warning | failure"))
    );
}

#[test]
fn a_session_that_failed_says_so() {
    let sample = sample::bench(1.0);
    let mut report = sample.report().clone();
    report.ended = SessionEnd::Failed("gpt: the model \u{1b}[31mdied\u{0}".to_owned());
    let found = cases(&bench(&report, &[], false));
    assert_eq!(
        found.last().map(String::as_str),
        Some("session | completed | failure: gpt: the model died")
    );
    assert_eq!(
        cases(&broken("no API <key>")),
        ["session | completed | error: no API <key>"]
    );
    report.levels.clear();
    assert_eq!(
        cases(&bench(&report, &[condition("errors>0")], false)).len(),
        2
    );
}

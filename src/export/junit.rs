//! JUnit's XML, which Jenkins, GitLab and others show beside tests: a suite for each model, a case for each level and
//! condition.
//!
//! What fails here is what makes `batida bench` exit with another code than 0. What may be looked at is skipped, with a
//! message.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::words;
use crate::domain::plan_fields;
use crate::domain::run::{BenchReport, LevelReport};
use crate::domain::units;
use crate::domain::verdict::Condition;
use crate::metrics::compare::{Comparison, Row, Verdict, change_text, interval_text, verdict_text};

/// The name of the suite with what is about the whole session.
const SESSION: &str = "session";

/// A session. `strict`: a measurement warning is a failure.
pub fn bench(report: &BenchReport, conditions: &[Condition], strict: bool) -> String {
    let mut out = Report::new(format!("batida bench {}", report.id));
    out.time = units::checked_seconds(report.took_s);
    let mut suites: BTreeMap<usize, (TestSuite, f64)> = BTreeMap::new();
    let mut session = suite(report, SESSION);
    let because = report.failed_because();
    session.add_test_case(case(SESSION, "completed", because.map(Fault::failed)));
    let models = words::by_model(report);
    let model_of = |level: &LevelReport| {
        let has =
            |levels: &Vec<&LevelReport>| levels.iter().any(|other| std::ptr::eq(*other, level));
        models
            .iter()
            .position(|(_, levels)| has(levels))
            .unwrap_or(0)
    };
    for level in &report.levels {
        let at = model_of(level);
        let name = &models[at].0;
        let (suite, took) = suites
            .entry(at)
            .or_insert_with(|| (suite(report, name), 0.0));
        *took += level.took_s.unwrap_or_default();
        for (what, fault) in own_cases(report, level, strict) {
            let mut case = case(name, &format!("{}: {what}", level.label), fault);
            case.time = level.took_s.and_then(units::checked_seconds);
            suite.add_test_case(case);
        }
    }
    for condition in conditions {
        for outcome in condition.outcomes(report) {
            let fault = outcome
                .crossing
                .map(|crossing| Fault::failed(crossing.text));
            let name = format!("--fail-if {}", condition.text);
            match outcome.level.and_then(|at| report.levels.get(at)) {
                Some(level) => {
                    let at = model_of(level);
                    let case = case(&models[at].0, &format!("{}: {name}", level.label), fault);
                    if let Some((suite, _)) = suites.get_mut(&at) {
                        suite.add_test_case(case);
                    }
                }
                None => {
                    session.add_test_case(case(SESSION, &name, fault));
                }
            }
        }
    }
    for (mut suite, took) in suites.into_values() {
        suite.time = units::checked_seconds(took);
        out.add_test_suite(suite);
    }
    out.add_test_suite(session);
    written(&out)
}

/// A session that could not begin.
pub fn broken(why: &str) -> String {
    let mut out = Report::new("batida bench");
    let mut suite = TestSuite::new(SESSION);
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(why);
    let mut case = TestCase::new("completed", status);
    case.set_classname(SESSION);
    suite.add_test_case(case);
    out.add_test_suite(suite);
    written(&out)
}

/// A comparison: a case for each figure. `strict`: a figure that is worse is a failure.
pub fn compare(found: &Comparison, strict: bool) -> String {
    let mut out = Report::new("batida compare");
    for rows in found.rows.chunk_by(|a, b| a.model == b.model) {
        let mut suite = TestSuite::new(rows[0].model.as_str());
        for row in rows {
            suite.add_test_cases(compared(found, row, strict));
        }
        out.add_test_suite(suite);
    }
    if found.rows.is_empty() {
        let mut suite = TestSuite::new("comparison");
        let fault = Fault {
            text: "nothing could be compared".to_owned(),
            fails: strict,
        };
        suite.add_test_case(case("comparison", "comparable", Some(fault)));
        out.add_test_suite(suite);
    }
    written(&out)
}

/// What is wrong with a case.
struct Fault {
    text: String,
    /// Else it is skipped: to be looked at.
    fails: bool,
}

impl Fault {
    fn failed(text: String) -> Self {
        Self { text, fails: true }
    }
}

/// The cases that every level has: it ran, its goodput, its measurement warnings.
fn own_cases(
    report: &BenchReport,
    level: &LevelReport,
    strict: bool,
) -> Vec<(String, Option<Fault>)> {
    let mut cases = vec![(
        "completed".to_owned(),
        level.failed_because().map(Fault::failed),
    )];
    if let Some(goodput) = &level.goodput {
        let (met, all) = (goodput.met, goodput.met + goodput.missed);
        let told = || Fault {
            text: format!(
                "{met} of {all} requests met all of {}",
                report.plan.objectives
            ),
            fails: false,
        };
        let name = format!("--goodput {}", report.plan.objectives);
        cases.push((name, (goodput.missed > 0).then(told)));
    }
    let doubts = &level.watch.doubts;
    let doubted = (!doubts.is_empty()).then(|| Fault {
        text: doubts.join("; "),
        fails: strict,
    });
    cases.push(("no measurement warning".to_owned(), doubted));
    cases
}

fn compared(found: &Comparison, row: &Row, strict: bool) -> Vec<TestCase> {
    let level = if row.level.is_empty() {
        "all"
    } else {
        &row.level
    };
    let cells = row.others.iter().zip(found.labels.iter().skip(1));
    let cases = cells.map(|(cell, label)| {
        let told = |fails| {
            let text = [
                verdict_text(cell).to_owned(),
                change_text(row, cell),
                interval_text(cell),
            ];
            let text = text.into_iter().filter(|part| !part.is_empty());
            Some(Fault {
                text: text.collect::<Vec<_>>().join(", "),
                fails,
            })
        };
        let fault = match cell.verdict {
            Verdict::Worse => told(strict),
            Verdict::Better | Verdict::NoDifference => None,
            _ => told(false),
        };
        case(
            &row.model,
            &format!("{level}: {} in {label}", row.title),
            fault,
        )
    });
    cases.collect()
}

fn case(class: &str, name: &str, fault: Option<Fault>) -> TestCase {
    let status = fault.map_or_else(TestCaseStatus::success, |Fault { text, fails }| {
        let mut status = if fails {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        } else {
            TestCaseStatus::skipped()
        };
        status.set_message(text);
        status
    });
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

/// An empty suite with what was asked for and where it ran.
fn suite(report: &BenchReport, name: &str) -> TestSuite {
    let mut suite = TestSuite::new(name);
    // RFC 3339 with an offset, which is what it holds.
    let began = report
        .started_at
        .strftime("%Y-%m-%dT%H:%M:%S+00:00")
        .to_string();
    suite.timestamp = began.parse().ok();
    let around = words::surroundings(report).into_iter();
    let around = around.map(|(name, value)| (name.to_owned(), value));
    for (name, value) in plan_fields::facts(report).into_iter().chain(around) {
        suite.add_property(Property::new(name, value));
    }
    suite
}

fn written(report: &Report) -> String {
    // Fails only if a writer does, and memory does not.
    report.to_string().unwrap_or_default()
}

#[cfg(test)]
mod tests;

//! The HTML report.

use super::*;
use crate::chart::{Look, levels, svg};
use crate::domain::conversation::{Attached, Attachment, Image};
use crate::domain::history::ExchangeEnding;
use crate::domain::run::{AnsweredBy, SessionEnd};

/// The page is well-formed as XML but for its head, so a parser of ours walks the tags.
#[track_caller]
fn check_page(page: &str) {
    for never in [
        "<script",
        "javascript:",
        "http://",
        "src=",
        "href=",
        "@import",
        "url(",
    ] {
        assert!(!page.contains(never), "{never} is on the page");
    }
    let mut open: Vec<&str> = Vec::new();
    let mut ids: Vec<&str> = Vec::new();
    for tag in page
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split_once('>'))
        .map(|(tag, _)| tag)
    {
        let name = tag.split([' ', '\n']).next().unwrap_or_default();
        ids.extend(
            tag.split_once("id=\"")
                .filter(|(before, _)| before.ends_with(' '))
                .and_then(|(_, rest)| rest.split('"').next()),
        );
        match name.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed), "closes in turn"),
            None if tag.ends_with('/') || matches!(name, "!DOCTYPE" | "meta" | "br") => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, [""; 0], "all is closed");
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "ids are unique");
}

#[test]
fn charts_name_the_model_that_answered() {
    let mut sample = bench(1.0);
    let SessionBody::Bench { report, .. } = &mut sample.body else {
        panic!("a benchmark")
    };
    let level = &mut report.levels[0];
    let answers = level.requests.ok;
    level.answered_by = vec![AnsweredBy {
        model: "fallback".to_owned(),
        answers,
    }];
    let name = level.credited();
    assert!(name.starts_with("fallback (asked: "), "{name}");
    let page = text(&sample, ExportFormat::Html);
    assert!(page.contains(&name), "{name} is on no chart");
}

#[test]
fn a_report_has_its_charts_within_and_nothing_from_elsewhere() {
    let page = text(&bench(1.0), ExportFormat::Html);
    check_page(&page);
    assert_eq!(page.matches("<figure").count(), 5);
    for words in [
        "Sweep 1–64",
        "SambaStack",
        "1.4.0",
        "linux x86_64",
        "release 1.4",
        "c=64",
        "ttft ≤ 400ms",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let charts = page.matches("role=\"img\"").count();
    assert_eq!(
        (
            page.matches("<title id=").count(),
            page.matches("<desc id=").count()
        ),
        (charts, charts)
    );
    assert!(!page.contains("NaN") && !page.contains("inf,"));
}

#[test]
fn what_comes_from_outside_stays_text() {
    for sample in [bench(1.0), chat()] {
        let page = text(&sample, ExportFormat::Html);
        check_page(&page);
        assert!(
            page.contains("&lt;script&gt;alert(&quot;1&quot;)"),
            "{HOSTILE} is shown as text"
        );
    }
}

#[test]
fn a_report_without_an_answer_is_a_page_too() {
    let mut sample = bench(1.0);
    if let SessionBody::Bench { report, traces } = &mut sample.body {
        report.levels.clear();
        traces.points.clear();
    }
    check_page(&text(&sample, ExportFormat::Html));
}

/// Ends a text, an attribute and a comment, and would act on whoever reads the page.
const BREAKER: &str =
    "\" onload=\"x() '></text></title></desc><img src=x onerror=alert(1)><!--&lt;\u{202e}\u{1b}[2J";

/// A benchmark, a conversation and a chart's file in which all that a server or a cluster names is called
/// `name`.
fn pages_about(name: &str) -> [String; 3] {
    let (mut bench, mut chat) = (bench(1.0), chat());
    for row in [&mut bench.row, &mut chat.row] {
        (row.title, row.environment) = (name.to_owned(), name.to_owned());
        (row.models, row.tags) = (vec![name.to_owned()], vec![name.to_owned()]);
        row.source = Some(name.to_owned());
    }
    let SessionBody::Bench { report, .. } = &mut bench.body else {
        panic!("a benchmark")
    };
    let mut json = serde_json::to_value(&*report).expect("JSON").to_string();
    let quoted = serde_json::to_string(name).expect("JSON");
    for named in ["gpt-oss-120b", "md-gpt", "east", "1.4.0", "linux x86_64"] {
        json = json.replace(&format!("{named:?}"), &quoted);
    }
    **report = serde_json::from_str(&json).expect("a report");
    for level in &mut report.levels {
        let answers = level.requests.ok;
        level.notes = vec![name.to_owned()];
        level.watch.doubts = vec![format!("slow: {name}")];
        level.answered_by = vec![AnsweredBy {
            model: name.to_owned(),
            answers,
        }];
        for error in &mut level.requests.errors {
            (error.kind, error.example) = (name.to_owned(), name.to_owned());
        }
    }
    let target = report.plan.targets[0].clone();
    report.plan.targets.push(target);
    report.ended = SessionEnd::Failed(name.to_owned());
    let groups = [0, 1].map(|n| levels::Group {
        name: name.to_owned(),
        look: Look::of(n),
        levels: report.levels.iter().collect(),
    });
    let chart = svg::file(&levels::ttft(&groups, true), name, true);

    let SessionBody::Chat { exchanges, .. } = &mut chat.body else {
        panic!("a conversation")
    };
    for exchange in exchanges.iter_mut() {
        for text in [
            &mut exchange.model,
            &mut exchange.system,
            &mut exchange.prompt,
            &mut exchange.reasoning,
            &mut exchange.answer,
        ] {
            *text = name.to_owned();
        }
        (exchange.deployment, exchange.answered_by) =
            (Some(name.to_owned()), Some(name.to_owned()));
        exchange.ending = ExchangeEnding::Failed(name.to_owned());
        exchange.attachments = [
            Attached::Image(Image::of("image/png", (3, 2), b"pixels")),
            Attached::Text(name.into()),
        ]
        .map(|content| Attachment {
            name: name.to_owned(),
            content,
        })
        .into();
        for call in &mut exchange.calls {
            (call.name, call.arguments) = (name.to_owned(), name.to_owned());
        }
        for result in &mut exchange.results {
            (result.name, result.content) = (name.to_owned(), name.to_owned());
        }
    }
    let [bench, chat] = [bench, chat].map(|sample| text(&sample, ExportFormat::Html));
    [bench, chat, chart]
}

#[test]
fn a_hostile_name_does_no_harm_in_texts_attributes_and_charts() {
    // Each tag with the names of its attributes.
    let tags = |page: &str| -> Vec<String> {
        let tags = page.split('<').skip(1).map(|rest| {
            let (tag, _) = rest.split_once('>').expect("a whole tag");
            tag.split('"').step_by(2).collect()
        });
        tags.collect()
    };
    let shown = "&quot; onload=&quot;x() '&gt;&lt;/text&gt;&lt;/title&gt;&lt;/desc&gt;&lt;img src=x \
                 onerror=alert(1)&gt;&lt;!--&amp;lt;\u{fffd}\u{241b}[2J";
    // A label that finds no room in a chart is left out, so that the harmless name is as long.
    let harmless = "x".repeat(BREAKER.chars().count());
    let pages = pages_about(BREAKER);
    for (plain, hostile) in pages_about(&harmless).iter().zip(&pages) {
        assert_eq!(tags(plain), tags(hostile));
        let times =
            [(plain, &*harmless), (hostile, shown)].map(|(page, name)| page.matches(name).count());
        assert_eq!(times[0], times[1], "it is escaped in each place");
        assert!(!hostile.contains(['\u{202e}', '\u{1b}']), "{hostile}");
    }
    let [bench, chat, chart] = pages;
    for (page, place) in [
        (
            &bench,
            format!(" title=\"at c=64 of {shown} (asked: {shown})\""),
        ),
        (&chat, format!(" alt=\"{shown}\"")),
        (&chart, format!("<g><title>{shown}")),
        (&chart, format!(" y=\"10\">{shown}")),
    ] {
        assert!(page.contains(&place), "{place}: {page}");
    }
}

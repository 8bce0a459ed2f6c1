//! What the commands print. Results go to standard output, everything about them to standard error.

use std::collections::HashSet;
use std::io::{Result, Write as _};
use std::time::Duration;

use serde_json::{Value, json};

use super::out;
use super::table::Table;
use crate::domain::deployment::{ClusterView, Deployment, ServedModel, embeds_by_name};
use crate::domain::environment::ApiAddress;
use crate::domain::failure::Failure;
use crate::domain::printable::{cut, is_printable, one_line};
use crate::domain::units;
use crate::metrics::timeline::{AT_ONCE, Figures, TokenSource};
use crate::protocol::{Check, Verdict};

/// Characters of a message that are printed.
const MAX_MESSAGE: usize = 1_000;
/// Lines of another program's words that are printed, and characters of each.
const MAX_DETAILS: usize = 12;
const MAX_DETAIL: usize = 300;
/// Terminal columns of a check's verdict: each check is printed as it ends, and they line up.
const VERDICT: usize = 8;

/// A line on standard error.
pub(super) fn error_line(text: &str) {
    let mut err = out::stderr();
    // A failure is kept for the program's end, here and below.
    let _ = writeln!(err, "{}", one_line(text)).and_then(|()| err.flush());
}

/// Text on standard error, without a line's end.
pub(super) fn error_text(text: &str) {
    let mut err = out::stderr();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

pub(super) fn failure(failure: &Failure) {
    error_line(&format!("batida: {}", message(&failure.summary)));
    for line in failure
        .advice_on_command_line()
        .lines()
        .filter(|line| !line.is_empty())
    {
        error_line(&format!("  {}", message(line)));
    }
    let lines = || failure.details.trim().lines();
    for line in lines().take(MAX_DETAILS) {
        error_line(&format!("  | {}", cut(line, MAX_DETAIL)));
    }
    let more = lines().count().saturating_sub(MAX_DETAILS);
    if more > 0 {
        error_line(&format!("  | … {}", units::counted(more, "more line")));
    }
}

/// A sentence that may hold a server's or a cluster's words, on one line and of a bounded length.
pub(super) fn message(text: &str) -> String {
    cut(&one_line(text), MAX_MESSAGE).into_owned()
}

/// JSON for programs. What would act on a terminal is escaped, which to a program is the same text.
pub(super) fn json(value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    let mut out = out::stdout();
    writeln!(out, "{}", escaped(&text))?;
    out.flush()
}

/// In JSON such characters stand only within texts.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if c.is_ascii_graphic() || matches!(c, ' ' | '\n') || is_printable(c) {
            text.push(c);
        } else {
            text.extend(
                c.encode_utf16(&mut units)
                    .iter()
                    .map(|unit| format!("\\u{unit:04x}")),
            );
        }
    }
    text
}

pub(super) fn failure_json(failure: &Failure) -> Value {
    json!({
        "summary": failure.summary,
        "advice": failure.advice_on_command_line(),
        "details": failure.details,
        "retry_after_ms": failure.retry_after.map(ms),
    })
}

fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

pub(super) fn deployments(as_json: bool, view: &ClusterView) -> Result<()> {
    if as_json {
        let list = |failures: &[Failure]| failures.iter().map(failure_json).collect::<Vec<Value>>();
        let (warnings, unreadable) = (list(&view.warnings), list(&view.unreadable));
        return json(
            &json!({"deployments": view.deployments, "warnings": warnings, "unreadable": unreadable}),
        );
    }
    for warning in view.warnings.iter().chain(&view.unreadable) {
        failure(warning);
    }
    if view.deployments.is_empty() {
        error_line(view.nothing());
        return Ok(());
    }
    let row = |deployment: &Deployment| {
        let models: Vec<&str> = deployment
            .models
            .iter()
            .map(|model| model.serving_name.as_str())
            .collect();
        vec![
            deployment.name.clone(),
            deployment.state.label().to_owned(),
            deployment.generation.kind().to_owned(),
            models.join(","),
            deployment.reasons(),
        ]
    };
    table(
        &["NAME", "STATE", "KIND", "MODELS", "REASON"],
        view.deployments.iter().map(row).collect(),
    )
}

/// A line of `batida models`.
struct ModelLine<'a> {
    name: &'a str,
    deployment: Option<&'a str>,
    routed: Option<bool>,
    chats: bool,
}

/// A line per model and deployment, then those that only the API knows.
pub(super) fn models(
    as_json: bool,
    view: Option<&ClusterView>,
    routed: Option<&[String]>,
    deployment: Option<&str>,
) -> Result<()> {
    let lines = model_lines(view, routed, deployment);
    if as_json {
        let list: Vec<Value> = lines
            .iter()
            .map(|ModelLine { name, deployment, routed, chats }| {
                json!({"name": name, "deployment": deployment, "routed": routed, "chats": chats})
            })
            .collect();
        return json(&json!({ "models": list }));
    }
    let row = |line: &ModelLine<'_>| {
        let routed = match (line.routed, line.chats) {
            (Some(true), true) => "yes",
            (Some(true), false) => "yes, but it cannot chat",
            (Some(false), _) => "no: deployed, but the API does not list it",
            (None, _) => "unknown",
        };
        vec![
            line.name.to_owned(),
            line.deployment.unwrap_or("-").to_owned(),
            routed.to_owned(),
        ]
    };
    if lines.is_empty() && routed.is_some() {
        error_line("The API lists no models");
    }
    table(
        &["MODEL", "DEPLOYMENT", "ROUTED"],
        lines.iter().map(row).collect(),
    )
}

fn model_lines<'a>(
    view: Option<&'a ClusterView>,
    routed: Option<&'a [String]>,
    deployment: Option<&str>,
) -> Vec<ModelLine<'a>> {
    let is_routed = |model: &ServedModel| {
        routed.map(|ids| {
            ids.iter()
                .any(|id| *id == model.serving_name || model.aliases.contains(id))
        })
    };
    let mut lines: Vec<ModelLine<'_>> = Vec::new();
    for found in view.into_iter().flat_map(|view| &view.deployments) {
        if deployment.is_some_and(|name| name != found.name) {
            continue;
        }
        lines.extend(found.models.iter().map(|model| ModelLine {
            name: &model.serving_name,
            deployment: Some(&found.name),
            routed: is_routed(model),
            chats: model.chats(),
        }));
    }
    let others = if deployment.is_none() {
        routed.unwrap_or_default()
    } else {
        &[]
    };
    let named: HashSet<&str> = lines.iter().map(|line| line.name).collect();
    for id in others {
        if !named.contains(id.as_str()) {
            let chats = !embeds_by_name(id);
            lines.push(ModelLine {
                name: id,
                deployment: None,
                routed: Some(true),
                chats,
            });
        }
    }
    lines
}

/// A table with names over its columns.
pub(super) fn table(head: &[&str], rows: Vec<Vec<String>>) -> Result<()> {
    let mut table = Table::default();
    table.row(head);
    rows.into_iter().for_each(|row| table.row(row));
    let mut out = out::stdout();
    out.write_all(table.text(2).as_bytes())?;
    out.flush()
}

/// The lines under an answer.
pub(super) fn figures(model: &str, figures: &Figures) {
    let absent = || units::ABSENT.to_owned();
    let unit = match figures.tokens.map(|tokens| tokens.source) {
        Some(TokenSource::Chunks) => "chunks/s",
        _ => "tok/s",
    };
    let speed = figures
        .tokens_per_sec
        .map_or_else(absent, |rate| units::rate(rate).value);
    let latency = figures
        .latency
        .map_or_else(absent, |latency| units::seconds(latency).to_string());
    let ttft = figures
        .ttft
        .map_or_else(absent, |ttft| units::duration(ttft).to_string());
    let count = figures
        .tokens
        .map(|t| format!(" · {} {}", units::count(t.n), t.noun()))
        .unwrap_or_default();
    error_line(&format!(
        "{model}: {speed} {unit} · latency {latency} · TTFT {ttft}{count}"
    ));
    if figures.at_once {
        error_line(&format!("no speed: the answer {AT_ONCE}"));
    }
    if let Some(each) = figures.tokens_per_chunk() {
        error_line(&format!(
            "{} chunks, {each:.1} tokens in each on average",
            units::count(figures.chunks)
        ));
    }
    if let Some(share) = figures.share_together() {
        error_line(&format!(
            "{} of the chunks came in one read with the one before: ITL counts their gaps as 0",
            units::whole_percent(share)
        ));
    }
    if let Some(reasoning) = figures.reasoning {
        let (tokens, time) = (reasoning.tokens, units::seconds(reasoning.time));
        error_line(&format!(
            "reasoning: {} {} · {time}",
            units::count(tokens.n),
            tokens.noun()
        ));
    }
    if let Some(server) = figures.server {
        let mut parts = Vec::new();
        parts.extend(
            server
                .after_first_per_sec
                .map(|rate| units::rate(rate).to_string()),
        );
        parts.extend(
            server
                .latency
                .map(|latency| format!("latency {}", units::seconds(latency))),
        );
        parts.extend(
            server
                .ttft
                .map(|ttft| format!("TTFT {}", units::duration(ttft))),
        );
        if !parts.is_empty() {
            error_line(&format!("the server says: {}", parts.join(" · ")));
        }
    }
    if let Some(connect) = figures.connect {
        error_line(&format!(
            "opening the connection took {} of TTFT",
            units::duration(connect)
        ));
    }
}

pub(super) fn figures_json(figures: &Figures) -> Value {
    let server = figures.server.map(|server| {
        json!({
            "ttft_ms": server.ttft.map(ms),
            "latency_ms": server.latency.map(ms),
            "tokens_per_sec_after_first": server.after_first_per_sec,
            "tokens_per_sec": server.per_sec,
            "acceptance_rate": server.acceptance_rate,
        })
    });
    let reasoning = figures.reasoning.map(|reasoning| {
        let tokens = reasoning.tokens;
        json!({"tokens": tokens.n, "counted_by": tokens.source, "time_ms": ms(reasoning.time)})
    });
    json!({
        "ttft_ms": figures.ttft.map(ms),
        "first_answer_ms": figures.first_answer.map(ms),
        "latency_ms": figures.latency.map(ms),
        "tokens_per_sec": figures.tokens_per_sec,
        "tpot_ms": figures.tpot.map(ms),
        "itl_mean_ms": figures.itl.map(ms),
        "longest_gap_ms": figures.longest_gap.map(ms),
        "connect_ms": figures.connect.map(ms),
        "arrived_at_once": figures.at_once,
        "chunks": figures.chunks,
        "tokens": figures.tokens.map(|tokens| tokens.n),
        "tokens_counted_by": figures.tokens.map(|tokens| tokens.source),
        "prompt_tokens": figures.prompt_tokens,
        "cached_tokens": figures.cached_tokens,
        "reasoning": reasoning,
        "server": server,
    })
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Warning => "warning",
        Verdict::Bad => "bad",
        Verdict::Skipped => "skipped",
    }
}

pub(super) fn check(check: &Check) {
    let took = check
        .took
        .map(|took| format!(" ({})", units::duration(took)))
        .unwrap_or_default();
    let mut table = Table::least(&[VERDICT]);
    let (title, finding) = (one_line(&check.title), message(&check.finding));
    table.row([verdict(check.verdict), &format!("{title}: {finding}{took}")]);
    for lines in [check.advice_on_command_line(), &check.command] {
        for line in lines.lines().filter(|line| !line.is_empty()) {
            table.row(["", line]);
        }
    }
    let (mut out, text) = (out::stdout(), table.text(1));
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

pub(super) fn checks_json(checks: &[Check]) -> Result<()> {
    let list: Vec<Value> = checks
        .iter()
        .map(|check| {
            json!({
                "title": check.title,
                "verdict": verdict(check.verdict),
                "finding": check.finding,
                "advice": check.advice_on_command_line(),
                "command": check.command,
                "details": check.details,
                "took_ms": check.took.map(ms),
            })
        })
        .collect();
    json(&json!({ "checks": list }))
}

pub(super) fn demo(
    as_json: bool,
    address: &ApiAddress,
    key: &str,
    models: &[String],
) -> Result<()> {
    if as_json {
        return json(&json!({"url": address.root(), "key": key, "models": models}));
    }
    let mut out = out::stdout();
    writeln!(out, "{}", address.root())?;
    writeln!(out, "key: {key}")?;
    writeln!(out, "models: {}", models.join(", "))?;
    writeln!(out, "Simulated models; Ctrl-C ends it")?;
    out.flush()
}

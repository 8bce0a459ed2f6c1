//! What the commands print. Results go to standard output, everything about them to standard error.

use std::collections::HashSet;
use std::io::{Result, Write as _};
use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::deployment::{ClusterView, Deployment, ServedModel, embeds_by_name};
use crate::domain::environment::ApiAddress;
use crate::domain::failure::Failure;
use crate::domain::units;
use crate::metrics::timeline::{Figures, TokenSource};
use crate::protocol::{Check, Verdict};

/// A line on standard error.
pub(super) fn error_line(text: &str) {
    // Fails only when nobody reads it.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Text on standard error, without a line's end.
pub(super) fn error_text(text: &str) {
    let mut err = std::io::stderr().lock();
    // Fails only when nobody reads it.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

pub(super) fn failure(failure: &Failure) {
    error_line(&format!("batida: {}", failure.summary));
    let advice = failure.advice_on_command_line();
    if !advice.is_empty() {
        error_line(&format!("  {advice}"));
    }
    for line in failure.details.trim().lines().take(12) {
        error_line(&format!("  | {line}"));
    }
}

pub(super) fn json(value: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)
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
        let warnings: Vec<Value> = view.warnings.iter().map(failure_json).collect();
        return json(&json!({ "deployments": view.deployments, "warnings": warnings }));
    }
    for warning in &view.warnings {
        failure(warning);
    }
    if view.deployments.is_empty() {
        error_line("Nothing is deployed in this namespace");
        return Ok(());
    }
    let row = |deployment: &Deployment| {
        let models: Vec<&str> = deployment.models.iter().map(|model| model.serving_name.as_str()).collect();
        let trouble = deployment.models_trouble.as_deref().unwrap_or_default();
        let mut reasons = vec![deployment.reason.as_str(), trouble];
        reasons.retain(|text| !text.is_empty());
        vec![
            deployment.name.clone(),
            deployment.state.label().to_owned(),
            deployment.generation.kind().to_owned(),
            models.join(","),
            reasons.join("; "),
        ]
    };
    table(&["NAME", "STATE", "KIND", "MODELS", "REASON"], view.deployments.iter().map(row).collect())
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
        vec![line.name.to_owned(), line.deployment.unwrap_or("-").to_owned(), routed.to_owned()]
    };
    if lines.is_empty() && routed.is_some() {
        error_line("The API lists no models");
    }
    table(&["MODEL", "DEPLOYMENT", "ROUTED"], lines.iter().map(row).collect())
}

fn model_lines<'a>(
    view: Option<&'a ClusterView>,
    routed: Option<&'a [String]>,
    deployment: Option<&str>,
) -> Vec<ModelLine<'a>> {
    let is_routed = |model: &ServedModel| {
        routed.map(|ids| ids.iter().any(|id| *id == model.serving_name || model.aliases.contains(id)))
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
    let others = if deployment.is_none() { routed.unwrap_or_default() } else { &[] };
    let named: HashSet<&str> = lines.iter().map(|line| line.name).collect();
    for id in others {
        if !named.contains(id.as_str()) {
            let chats = !embeds_by_name(id);
            lines.push(ModelLine { name: id, deployment: None, routed: Some(true), chats });
        }
    }
    lines
}

/// Columns as wide as their widest cell; the last one is not padded.
/// A cell that is wider pushes those behind it: one name of 70,000 characters must not widen all others.
const WIDEST: usize = 100;

pub(super) fn table(head: &[&str], rows: Vec<Vec<String>>) -> Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).filter(|width| *width <= WIDEST).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let head: Vec<String> = head.iter().map(|title| (*title).to_owned()).collect();
    let mut out = std::io::stdout().lock();
    for row in std::iter::once(&head).chain(&rows) {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// The lines under an answer.
pub(super) fn figures(model: &str, figures: &Figures) {
    let absent = || units::ABSENT.to_owned();
    let unit = match figures.tokens.map(|tokens| tokens.source) {
        Some(TokenSource::Chunks) => "chunks/s",
        _ => "tok/s",
    };
    let speed = figures.tokens_per_sec.map_or_else(absent, |rate| units::rate(rate).value);
    let latency = figures.latency.map_or_else(absent, |latency| units::seconds(latency).to_string());
    let ttft = figures.ttft.map_or_else(absent, |ttft| units::duration(ttft).to_string());
    let count = figures.tokens.map(|t| format!(" · {} {}", units::count(t.n), t.noun())).unwrap_or_default();
    error_line(&format!("{model}: {speed} {unit} · latency {latency} · TTFT {ttft}{count}"));
    if let Some(reasoning) = figures.reasoning {
        let (tokens, time) = (reasoning.tokens, units::seconds(reasoning.time));
        error_line(&format!("reasoning: {} {} · {time}", units::count(tokens.n), tokens.noun()));
    }
    if let Some(server) = figures.server {
        let mut parts = Vec::new();
        parts.extend(server.after_first_per_sec.map(|rate| units::rate(rate).to_string()));
        parts.extend(server.latency.map(|latency| format!("latency {}", units::seconds(latency))));
        parts.extend(server.ttft.map(|ttft| format!("TTFT {}", units::duration(ttft))));
        error_line(&format!("the server says: {}", parts.join(" · ")));
    }
    if let Some(connect) = figures.connect {
        error_line(&format!("opening the connection took {} of TTFT", units::duration(connect)));
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
    let took = check.took.map(|took| format!(" ({})", units::duration(took))).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    // Fails only when nobody reads it; the exit code still tells.
    let _ = writeln!(out, "{:<8} {}: {}{took}", verdict(check.verdict), check.title, check.finding);
    for line in [check.advice_on_command_line(), &check.command].into_iter().filter(|line| !line.is_empty()) {
        let _ = writeln!(out, "{:9}{line}", "");
    }
    let _ = out.flush();
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

pub(super) fn demo(as_json: bool, address: &ApiAddress, key: &str, models: &[String]) -> Result<()> {
    if as_json {
        return json(&json!({"url": address.root(), "key": key, "models": models}));
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", address.root())?;
    writeln!(out, "key: {key}")?;
    writeln!(out, "models: {}", models.join(", "))?;
    writeln!(out, "Simulated models; Ctrl-C ends it")?;
    out.flush()
}

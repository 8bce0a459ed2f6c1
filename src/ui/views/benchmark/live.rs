//! The progress of a session: its status line, its tiles, and its measurement warnings.

use egui::{CornerRadius, Label, ProgressBar, RichText, Role, Ui, WidgetInfo, vec2};

use super::figures as words;
use crate::domain::figures::{self, Distribution};
use crate::domain::plan::LevelLoad;
use crate::domain::run::{INTERVALS, LevelReport, Stage};
use crate::domain::stats::{P5, P50, P99};
use crate::domain::units::{self, Figure};
use crate::protocol::Command;
use crate::state::action::Actions;
use crate::state::bench::{Session, Standing};
use crate::ui::theme;
use crate::ui::widgets::{
    Tile, caption, card, failure_box, from_right, small_button, strong, tokens, warning_box,
};

const THROUGHPUT: &str =
    "Output tokens per second of all clients together, over the steady part of the level";
const PER_USER: &str =
    "Tokens per second as each user sees them, median: (tokens − 1) / (last token − first token)";
const TTFT: &str = "Time to first token, median: from when the request was due (open loop) or sent (closed loop) to the first chunk that carries any text";
const ITL: &str = "Inter-token latency, median of all gaps between chunks";
const GOODPUT: &str = "The share of requests that met all objectives; failed requests did not";
const ERRORS: &str =
    "Requests that failed, time-outs and cut answers among them. They are in no latency figure";

const SERVER: &str = "Over the answers that have both figures, ours from when a request was sent: gateway, network, and what waits before the server's clock starts";

/// `chosen` is the level that was clicked in the table; without one it is the session's current one.
pub(super) fn show(
    ui: &mut Ui,
    session: &Session,
    chosen: Option<usize>,
    elsewhere: bool,
    out: &mut Actions,
) {
    let chosen = chosen.and_then(|index| session.levels.iter().find(|level| level.index == index));
    let level = chosen.or(session.current());
    progress_ui(ui, session, elsewhere, out);
    if let Some(Err(failure)) = &session.outcome {
        failure_box(ui, "session", failure, None);
    }
    if let Some(why) = session.cut_because() {
        warning_box(ui, &why);
    }
    if let Some(level) = chosen {
        caption(
            ui,
            format!(
                "Figures of {}, chosen in the table",
                name_of(session, level)
            ),
        );
    }
    tiles_ui(ui, session, level);
    if let Some(told) = level.and_then(words::server) {
        caption(ui, told).on_hover_text(SERVER);
    }
    if let Some(level) = level {
        doubts_ui(ui, session, level);
    }
}

/// A level's label, with its model where there are several.
fn name_of(session: &Session, level: &LevelReport) -> String {
    let several = session.plan.targets.len() > 1;
    if several {
        format!("{} {}", level.credited(), level.label)
    } else {
        level.label.clone()
    }
}

fn progress_ui(ui: &mut Ui, session: &Session, elsewhere: bool, out: &mut Actions) {
    let tokens = tokens(ui);
    let title = title(session);
    let place = if elsewhere {
        format!("on {} · ", session.env_name)
    } else {
        String::new()
    };
    let right = format!("{place}{}", standing_told(session));
    card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().interact_size.y = 20.0;
        ui.spacing_mut().item_spacing.y = 6.0;
        let wide = ui.available_width() > 640.0;
        ui.horizontal(|ui| {
            if wide {
                strong(ui, &title);
            } else {
                let title = RichText::new(&title).text_style(theme::strong_text());
                ui.add(Label::new(title).truncate());
            }
            if wide {
                from_right(ui, |ui| {
                    save_ui(ui, session, out);
                    caption(ui, &right);
                });
            }
        });
        if !wide {
            ui.horizontal(|ui| {
                caption(ui, &right);
                from_right(ui, |ui| save_ui(ui, session, out));
            });
        }
        let done = match &session.outcome {
            Some(Ok(_)) if session.cut_because().is_none() => 1.0,
            _ => session.now.map_or(0.0, |now| now.done),
        };
        let bar = ProgressBar::new(done as f32)
            .desired_height(8.0)
            .corner_radius(CornerRadius::same(4))
            .fill(tokens.accent);
        let bar = ui.add(bar);
        bar.widget_info(|| {
            WidgetInfo::labeled(
                Role::ProgressIndicator,
                true,
                format!("{} done", units::whole_percent(done)),
            )
        });
        for told in &session.told {
            ui.add(Label::new(RichText::new(told).small().color(tokens.dim)).wrap());
        }
    });
}

fn save_ui(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let Some(Ok(report)) = &session.outcome else {
        return;
    };
    if small_button(ui, "Save report")
        .on_hover_text("All figures as JSON")
        .clicked()
    {
        // cannot fail: the report has no map with keys that are no texts
        let json = serde_json::to_vec_pretty(&**report).unwrap_or_default();
        let name = format!(
            "batida-{}.json",
            report.started_at.strftime("%Y%m%d-%H%M%S")
        );
        out.push(Command::SaveFile {
            what: "Report".to_owned(),
            name,
            content: json.into(),
        });
    }
}

fn title(session: &Session) -> String {
    let level = session.now.map_or(0, |now| now.level);
    let model = session.model_of(level).unwrap_or_default();
    if !session.is_running() {
        let models = session.plan.targets.len();
        let levels = units::counted(session.levels.len(), "level");
        return match models {
            0 | 1 => format!("{model} · {levels}"),
            _ => format!("{} · {levels}", units::counted(models, "model")),
        };
    }
    let load = session
        .plan
        .levels()
        .get(level)
        .map(|level| load_told(&level.load))
        .unwrap_or_default();
    let Some(now) = session.now else {
        return format!("{model} · Starting");
    };
    let of = now
        .requests
        .1
        .map(|most| format!(" / {}", units::count(most)))
        .unwrap_or_default();
    let requests = format!("{}{of} requests", units::count(now.requests.0));
    match stage_told(session, &now) {
        Some(PAUSED) if now.requests.0 > 0 => format!("{model} · {load} · {requests} · {PAUSED}"),
        Some(stage) => format!("{model} · {load} · {stage}"),
        None => format!("{model} · {load} · {requests}"),
    }
}

const PAUSED: &str = "Paused";

fn stage_told(session: &Session, now: &Standing) -> Option<&'static str> {
    if session.is_paused() {
        return Some(PAUSED);
    }
    match now.stage {
        Stage::Starting => Some("Starting"),
        Stage::Calibrating => Some("Calibrating prompts"),
        Stage::Switching => Some("Switching the model"),
        Stage::WarmingUp => Some("Warming up"),
        Stage::Draining => Some("Draining"),
        Stage::Paused => Some(PAUSED),
        Stage::Measuring => None,
    }
}

fn load_told(load: &LevelLoad) -> String {
    match load {
        LevelLoad::Concurrency(n) => format!("concurrency {}", units::count((*n).into())),
        LevelLoad::Rate { per_sec, .. } => format!("{per_sec} requests/s"),
        LevelLoad::Max { in_flight } => {
            format!(
                "as fast as possible, {} in flight",
                units::count((*in_flight).into())
            )
        }
        LevelLoad::Trace { .. } => "trace".to_owned(),
        LevelLoad::Unknown => "unknown load".to_owned(),
    }
}

fn standing_told(session: &Session) -> String {
    if let Some(outcome) = &session.outcome {
        let took = outcome.as_ref().map_or_else(
            |_| session.now.map_or(0.0, |now| now.elapsed_s),
            |report| report.took_s,
        );
        return format!("ended after {}", units::clock(took));
    }
    let Some(now) = session.now else {
        return String::new();
    };
    // While it stands still, the estimate only grows.
    let left = now
        .left_s
        .filter(|_| stage_told(session, &now) != Some(PAUSED));
    let left = left
        .map(|left| format!(" · about {} left", units::clock(left)))
        .unwrap_or_default();
    format!(
        "level {} of {} · {} elapsed{left}",
        now.level + 1,
        now.levels.max(1),
        units::clock(now.elapsed_s)
    )
}

/// A figure of a level, as a tile shows it.
struct LevelTile {
    title: String,
    figure: Option<Figure>,
    below: String,
    definition: String,
    is_alarming: bool,
}

impl LevelTile {
    fn new(title: &str, figure: Option<Figure>, below: String, definition: String) -> Self {
        Self {
            title: title.to_owned(),
            figure,
            below,
            definition,
            is_alarming: false,
        }
    }
}

fn tiles_ui(ui: &mut Ui, session: &Session, level: Option<&LevelReport>) {
    let tokens = tokens(ui);
    let tiles = [
        throughput_tile(session, level),
        per_user_tile(level),
        timing_tile(&figures::TTFT, TTFT, level),
        timing_tile(&figures::ITL, ITL, level),
        goodput_tile(level),
        errors_tile(level),
    ];
    let across = if ui.available_width() > 760.0 { 6 } else { 3 };
    let gap = 8.0;
    let width = (ui.available_width() - gap * (across - 1) as f32) / across as f32;
    ui.spacing_mut().item_spacing = vec2(gap, gap);
    let mut tiles = tiles.into_iter().peekable();
    while tiles.peek().is_some() {
        ui.horizontal_top(|ui| {
            for tile in tiles.by_ref().take(across) {
                let color = if tile.is_alarming {
                    tokens.error
                } else {
                    tokens.text
                };
                let tile = Tile {
                    title: &tile.title,
                    figure: tile.figure,
                    below: tile.below,
                    definition: &tile.definition,
                    color,
                };
                tile.show(ui, width);
            }
        });
    }
}

/// `p99 12 ms`
fn named(name: &str, figure: Option<Figure>) -> String {
    let figure = figure.map_or_else(|| units::ABSENT.to_owned(), |figure| figure.to_string());
    format!("{name} {figure}")
}

fn token_rate(per_second: f64) -> Figure {
    Figure {
        value: units::short(Some(per_second)),
        unit: "tok/s",
    }
}

fn throughput_tile(session: &Session, level: Option<&LevelReport>) -> LevelTile {
    let in_flight = session
        .now
        .filter(|_| session.is_running())
        .map(|now| now.in_flight);
    let streams = match in_flight {
        Some(now) => units::counted((now.waiting + now.streaming) as usize, "stream"),
        None => {
            let reached = level.and_then(|level| level.concurrency.reached);
            let reached = reached.map(|n| Figure {
                value: format!("{n:.1}"),
                unit: "",
            });
            named("in flight", reached)
        }
    };
    let rate = level.and_then(|level| level.throughput.output_tokens_per_s);
    let definition = match rate {
        Some(rate) => format!(
            "{THROUGHPUT}\n{} tok/s\n{INTERVALS}",
            words::rate(Some(rate))
        ),
        None => THROUGHPUT.to_owned(),
    };
    let figure = rate.map(|rate| token_rate(rate.mean));
    LevelTile::new("Output throughput", figure, streams, definition)
}

fn per_user_tile(level: Option<&LevelReport>) -> LevelTile {
    let stats = level.map(|level| &level.user_tokens_per_s);
    let definition = match stats {
        Some(stats) if stats.count > 0 => format!(
            "{PER_USER}\n{}, in tok/s\n{INTERVALS}",
            words::speed_told(stats)
        ),
        _ => PER_USER.to_owned(),
    };
    let at = |percentile| stats.and_then(|stats| stats.at(percentile)).map(token_rate);
    let slowest = at(P5).map(|p5| Figure { unit: "", ..p5 });
    LevelTile::new("Per-user speed", at(P50), named("p5", slowest), definition)
}

fn timing_tile(of: &Distribution, definition: &str, level: Option<&LevelReport>) -> LevelTile {
    let at = |percentile| {
        level
            .and_then(|level| of.at(percentile, level).value)
            .map(units::milliseconds)
    };
    let definition = match level.and_then(of.read) {
        Some(stats) if stats.count > 0 => format!(
            "{definition}\n{}, in {}\n{INTERVALS}",
            of.intervals(stats),
            of.unit.sign()
        ),
        _ => definition.to_owned(),
    };
    let title = format!("{} {P50}", of.title);
    LevelTile::new(&title, at(P50), named("p99", at(P99)), definition)
}

fn goodput_tile(level: Option<&LevelReport>) -> LevelTile {
    let goodput = level.and_then(|level| level.goodput.as_ref());
    let share = goodput.and_then(|goodput| goodput.share).map(|share| {
        let value = units::percent(share).trim_end_matches(" %").to_owned();
        Figure { value, unit: "%" }
    });
    let below = match goodput {
        Some(goodput) => format!(
            "{} of {} missed",
            goodput.missed,
            goodput.met + goodput.missed
        ),
        None => "no objective".to_owned(),
    };
    LevelTile::new("Goodput", share, below, GOODPUT.to_owned())
}

fn errors_tile(level: Option<&LevelReport>) -> LevelTile {
    let failed = level.map_or(0, |level| level.requests.failed);
    let worst = level.and_then(|level| level.requests.errors.first());
    let figure = level.map(|_| Figure {
        value: units::count(failed),
        unit: "",
    });
    let below = worst.map_or_else(
        || "none".to_owned(),
        |worst| format!("{} ×{}", worst.kind, worst.count),
    );
    let lines = level.into_iter().flat_map(errors_told);
    let definition: Vec<String> = std::iter::once(ERRORS.to_owned()).chain(lines).collect();
    LevelTile {
        is_alarming: failed > 0,
        ..LevelTile::new("Errors", figure, below, definition.join("\n"))
    }
}

/// A line for each kind of error.
fn errors_told(level: &LevelReport) -> impl Iterator<Item = String> {
    level.requests.errors.iter().map(|error| {
        format!(
            "{} × {}: {}",
            units::count(error.count),
            error.kind,
            error.example
        )
    })
}

/// More lines than this are told by the table's marks alone.
const MOST_DOUBTS: usize = 2;

/// Errors, measurement warnings and notes of the level whose figures the tiles show; those of others are marked in the table.
fn doubts_ui(ui: &mut Ui, session: &Session, level: &LevelReport) {
    let label = name_of(session, level);
    let errors: Vec<String> = errors_told(level).collect();
    let marked = |other: &&LevelReport| {
        other.index != level.index && !(other.watch.doubts.is_empty() && other.notes.is_empty())
    };
    let elsewhere = session.levels.iter().filter(marked).count();
    let kinds = [
        ("error", &errors),
        ("measurement warning", &level.watch.doubts),
        ("note", &level.notes),
    ];
    let all: usize = kinds.iter().map(|(_, lines)| lines.len()).sum();
    if all == 0 {
        return;
    }
    // One box: each more would push the table out of sight.
    let mut text = vec![format!("Errors, warnings and notes of {label}")];
    for (kind, lines) in kinds {
        text.extend(
            lines
                .iter()
                .take(MOST_DOUBTS)
                .map(|line| format!("{kind}: {line}")),
        );
    }
    let rest = all - (text.len() - 1);
    if rest > 0 {
        text.push(format!(
            "and {rest} more: hover over the level in the table"
        ));
    }
    if elsewhere > 0 {
        text.push(format!(
            "{}: see the marks in the table",
            units::counted(elsewhere, "other level")
        ));
    }
    warning_box(ui, &text.join("\n"));
}

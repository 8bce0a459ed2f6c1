//! The figures of the level that is shown, as tiles.

use egui::{Ui, vec2};

use super::figures as words;
use crate::domain::figures::{self, Distribution};
use crate::domain::plan_fields::sentence;
use crate::domain::run::{ERRORS, INTERVALS, LevelReport, Remark, RemarkKind};
use crate::domain::stats::{P5, P50, P99};
use crate::domain::units::{self, Figure};
use crate::metrics::arrivals::Groups;
use crate::state::bench::Session;
use crate::ui::theme::GAP;
use crate::ui::widgets::{Tile, tokens, warning_sign};

const THROUGHPUT: &str =
    "Output tokens per second of all clients together, over the steady part of the level";
const PER_USER: &str =
    "Tokens per second as each user sees them, median: (tokens − 1) / (last token − first token)";
const TTFT: &str = "Time to first token, median: from when the request was due (open loop) or sent (closed loop) to the first chunk that carries any text";
const ITL: &str = "Inter-token latency, median of all gaps between chunks";
const GROUP_GAP: &str = "Median gap between groups of tokens that arrived together";
const GOODPUT: &str = "The share of requests that met all objectives; failed requests did not";
const FAILED: &str =
    "Requests that failed, time-outs and cut answers among them. They are in no latency figure";

/// A figure of a level, as a tile shows it.
struct LevelTile {
    /// As remarks name the figure.
    about: &'static str,
    title: String,
    figure: Option<Figure>,
    below: String,
    definition: String,
    is_alarming: bool,
}

impl LevelTile {
    fn new(
        (about, title): (&'static str, &str),
        figure: Option<Figure>,
        below: String,
        definition: String,
    ) -> Self {
        Self {
            about,
            title: title.to_owned(),
            figure,
            below,
            definition,
            is_alarming: false,
        }
    }
}

/// Draws the tiles of a level, each with what is to be known of its figure; `compact` ones have no second line.
pub(super) fn show(ui: &mut Ui, session: &Session, level: Option<&LevelReport>, compact: bool) {
    let tokens = tokens(ui);
    let tiles = [
        throughput_tile(session, level),
        per_user_tile(level),
        timing_tile(&figures::TTFT, TTFT, level),
        itl_tile(level),
        goodput_tile(level),
        errors_tile(level),
    ];
    let remarks = level.map(LevelReport::remarks).unwrap_or_default();
    let name = level.map_or("", |level| level.label.as_str());
    let across = if ui.available_width() > 760.0 { 6 } else { 3 };
    let gap = GAP;
    let width = (ui.available_width() - gap * (across - 1) as f32) / across as f32;
    ui.spacing_mut().item_spacing = vec2(gap, gap);
    let mut tiles = tiles.into_iter().peekable();
    while tiles.peek().is_some() {
        ui.horizontal_top(|ui| {
            for tile in tiles.by_ref().take(across) {
                let about: Vec<&Remark> = remarks
                    .iter()
                    .filter(|remark| remark.about.contains(&tile.about))
                    .collect();
                let color = if tile.is_alarming {
                    tokens.error
                } else {
                    tokens.text
                };
                let below = match (compact, name) {
                    (true, _) => String::new(),
                    (false, "") => tile.below.clone(),
                    (false, name) => format!("{name} · {}", tile.below),
                };
                let tile = Tile {
                    title: &tile.title,
                    figure: tile.figure,
                    below,
                    definition: &told(name, &tile.below, &tile.definition, &about),
                    color,
                };
                let rect = tile.show(ui, width).rect;
                // Intervals are told beside the interval: nothing is wrong with the figure.
                if about.iter().any(|remark| remark.kind < RemarkKind::Note) {
                    warning_sign(ui, rect.right_top() + vec2(-12.0, 12.0));
                }
            }
        });
    }
}

/// What a tile says on hover: its level, its figure's definition, and what is to be known of it.
fn told(level: &str, below: &str, definition: &str, about: &[&Remark]) -> String {
    let mut lines = vec![format!("{level} · {below}"), definition.to_owned()];
    lines.extend(about.iter().map(|remark| remark.text.clone()));
    lines.join("\n")
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
    LevelTile::new(
        ("throughput", "Output throughput"),
        figure,
        streams,
        definition,
    )
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
    LevelTile::new(
        ("tok/s", "Per-user speed"),
        at(P50),
        named("p5", slowest),
        definition,
    )
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
    LevelTile::new(
        (of.title, &title),
        at(P50),
        named("p99", at(P99)),
        definition,
    )
}

/// The gaps between chunks; where several tokens arrive together those between the groups, since most others are 0.
fn itl_tile(level: Option<&LevelReport>) -> LevelTile {
    let Some(groups) = level.and_then(Groups::of) else {
        return timing_tile(&figures::ITL, ITL, level);
    };
    let at = |percentile| groups.at(percentile).map(units::milliseconds);
    let below = named("p99", at(P99));
    let definition = format!(
        "{GROUP_GAP}. {}. The table has ITL over all gaps, those of 0 ms included",
        sentence(&groups.told())
    );
    let about = (figures::ITL.title, "Chunk gap p50");
    LevelTile::new(about, at(P50), below, definition)
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
    LevelTile::new(("goodput", "Goodput"), share, below, GOODPUT.to_owned())
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
    LevelTile {
        is_alarming: failed > 0,
        ..LevelTile::new((ERRORS, "Errors"), figure, below, FAILED.to_owned())
    }
}

//! A pane whose model makes embeddings: a text, another one to hold it against, and what came.

use std::borrow::Cow;
use std::time::Duration;

use egui::{Color32, Key, Label, Modifiers, RichText, ScrollArea, TextEdit, Ui};

use crate::domain::embedding::{EmbedRequest, Embedded, Embedding};
use crate::domain::units::{self, Figure};
use crate::protocol::{Command, JobId};
use crate::state::embed::{EmbedResult, EmbedState};
use crate::state::redaction::Redaction;
use crate::ui::theme::{self, GAP, GRID, HALF};
use crate::ui::widgets::{
    MARGIN, Tile, caption, failure_box, primary_button, small_button, strong, tokens,
};

/// The number of components that are shown.
const SHOWN: usize = 12;

/// The actions that the view asks for in a frame.
#[derive(Debug, Default)]
pub(super) struct EmbedOutcome {
    pub(super) embed: bool,
    pub(super) cancel: Option<JobId>,
    /// The model is taken for one that chats.
    pub(super) chat: bool,
    pub(super) copy: Option<Command>,
    /// The text was typed.
    pub(super) text: Option<String>,
    /// The second text was typed.
    pub(super) other: Option<String>,
}

/// `guess`: the cluster does not say what the model makes. `color`: the model's.
pub(super) fn show(
    ui: &mut Ui,
    embed: &EmbedState,
    (model, color): (&str, Color32),
    redaction: &Redaction,
    (ready, guess): (bool, bool),
    now: Duration,
) -> EmbedOutcome {
    let mut todo = EmbedOutcome::default();
    ScrollArea::vertical().id_salt("embeddings").auto_shrink(false).show(ui, |ui| {
        ui.set_width(ui.available_width() - 8.0);
        ui.spacing_mut().item_spacing.y = GRID;
        let typing = texts_ui(ui, embed, &mut todo);
        let can = ready && embed.request(model).is_some();
        ui.add_space(HALF);
        ui.horizontal_wrapped(|ui| {
            let Some((job, since)) = embed.running else {
                let by_key = typing
                    && ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter))
                    && can;
                todo.embed = primary_button(ui, "Embed", can).on_hover_text("Ctrl+Enter").clicked() || by_key;
                if guess && small_button(ui, "Chat instead").on_hover_text("This is not an embedding model").clicked()
                {
                    todo.chat = true;
                }
                if embed.result.is_some() && !embed.is_current(model) {
                    caption(ui, "The result below is for other texts or another model");
                }
                return;
            };
            if ui.button("Cancel").clicked() {
                todo.cancel = Some(job);
            }
            ui.spinner();
            caption(ui, format!("Embedding, {}", units::seconds(now.saturating_sub(since))));
            ui.ctx().request_repaint_after(Duration::from_millis(100));
        });
        if let Some(failure) = &embed.failure {
            failure_box(ui, "embeddings", &redaction.failure(failure), None);
        }
        if let Some(result) = &embed.result {
            result_ui(ui, result, color, redaction, &mut todo);
        } else if embed.failure.is_none() {
            ui.add_space(GAP);
            caption(
                ui,
                "This model returns vectors, not answers. Texts with similar meanings have vectors that point in similar \
                 directions",
            );
        }
    });
    todo
}

/// Gives whether one is being typed in.
fn texts_ui(ui: &mut Ui, embed: &EmbedState, todo: &mut EmbedOutcome) -> bool {
    let mut typing = false;
    // Lower panes leave room for what comes; a field grows with its text.
    let low = ui.ctx().content_rect().height() < 760.0;
    for (label, (text, typed), rows, hint) in [
        (
            "Text to embed",
            (&embed.text, &mut todo.text),
            if low { 1 } else { 3 },
            "Text to convert to a vector",
        ),
        (
            "Second text, to compare",
            (&embed.other, &mut todo.other),
            if low { 1 } else { 2 },
            "Optional",
        ),
    ] {
        let name = caption(ui, label);
        let mut text = Cow::Borrowed(text.as_str());
        let edit = TextEdit::multiline(&mut text)
            .desired_rows(rows)
            .desired_width(f32::INFINITY)
            .margin(MARGIN)
            .hint_text(hint);
        typing |= ui.add(edit).labelled_by(name.id).has_focus();
        if let Cow::Owned(text) = text {
            *typed = Some(text);
        }
    }
    typing
}

fn result_ui(
    ui: &mut Ui,
    result: &EmbedResult,
    color: Color32,
    redaction: &Redaction,
    todo: &mut EmbedOutcome,
) {
    let EmbedResult {
        request: EmbedRequest { model, input },
        embedded,
    } = result;
    let Some(first) = embedded.vectors.first() else {
        return;
    };
    ui.add_space(GAP);
    let tiles = tiles_of(
        embedded,
        (first, embedded.vectors.get(1)),
        (color, tokens(ui).text),
    );
    tiles_ui(ui, tiles);
    ui.add_space(GRID);
    caption(ui, format!("Model: {}", redaction.text(model)));
    for (n, (vector, text)) in embedded.vectors.iter().zip(input).enumerate() {
        vector_ui(ui, n, vector, text, todo);
    }
}

/// The figures of one vector, or of two. `color`: the model's.
fn tiles_of(
    embedded: &Embedded,
    (first, second): (&Embedding, Option<&Embedding>),
    (color, text): (Color32, Color32),
) -> Vec<Tile<'static>> {
    let plain = |value: String| Some(Figure { value, unit: "" });
    let mut tiles = vec![
        Tile {
            title: "Latency",
            figure: Some(units::duration(embedded.took)),
            below: match embedded.connect {
                Some(connect) => format!("connect {}", units::duration(connect)),
                None => "reused connection".to_owned(),
            },
            definition: "From sending the request to the last byte of the response; both texts are sent in one request",
            color,
        },
        Tile {
            title: "Dimension",
            figure: plain(units::count(first.dimension() as u64)),
            below: match second {
                Some(second) if second.dimension() != first.dimension() => {
                    format!("second {}", units::count(second.dimension() as u64))
                }
                _ => "components".to_owned(),
            },
            definition: "Number of components of the vector",
            color: text,
        },
        Tile {
            title: "L2 norm",
            figure: plain(number(first.norm())),
            below: second.map_or_else(
                || "Euclidean length".to_owned(),
                |second| format!("second {}", number(second.norm())),
            ),
            definition: "The vector's length: the root of the sum of its components' squares",
            color: text,
        },
        Tile {
            title: "Prompt tokens",
            figure: embedded
                .prompt_tokens
                .and_then(|tokens| plain(units::count(tokens))),
            below: match embedded.prompt_tokens {
                Some(_) => "reported by the server".to_owned(),
                None => "not reported".to_owned(),
            },
            definition: "Tokens of the texts, from the server's usage",
            color: text,
        },
    ];
    if let Some(second) = second {
        let cosine = first.cosine(second);
        tiles.insert(
            0,
            Tile {
                title: "Cosine similarity",
                figure: cosine.and_then(|cosine| plain(format!("{cosine:.4}"))),
                below: "1 = same direction".to_owned(),
                definition: "The cosine of the angle between both vectors, from −1 to 1",
                color,
            },
        );
    }
    tiles
}

/// Draws as many tiles side by side as have room.
fn tiles_ui(ui: &mut Ui, tiles: Vec<Tile<'_>>) {
    let gap = GAP;
    ui.spacing_mut().item_spacing.x = gap;
    let width = ui.available_width();
    let fit = ((width + gap) / (118.0 + gap))
        .floor()
        .clamp(1.0, tiles.len() as f32);
    let each = ((width - (fit - 1.0) * gap) / fit).floor();
    let mut tiles = tiles.into_iter().peekable();
    while tiles.peek().is_some() {
        ui.horizontal_top(|ui| {
            for tile in tiles.by_ref().take(fit as usize) {
                tile.show(ui, each);
            }
        });
    }
}

fn vector_ui(ui: &mut Ui, n: usize, vector: &Embedding, text: &str, todo: &mut EmbedOutcome) {
    let (title, copy) = match n {
        0 => ("Vector", "Copy vector"),
        _ => ("Second vector", "Copy second vector"),
    };
    ui.add_space(GRID);
    ui.horizontal(|ui| {
        strong(ui, title);
        if small_button(ui, copy)
            .on_hover_text("Copy the whole vector as JSON")
            .clicked()
        {
            todo.copy = Some(Command::Copy {
                what: title.to_owned(),
                text: vector.json(),
            });
        }
        let line: String = text
            .split_whitespace()
            .take(30)
            .collect::<Vec<_>>()
            .join(" ");
        let dim = tokens(ui).dim;
        ui.add(Label::new(RichText::new(line).small().color(dim)).truncate());
    });
    let mut told: Vec<String> = vector
        .0
        .iter()
        .take(SHOWN)
        .map(|value| format!("{value:+.5}"))
        .collect();
    if vector.dimension() > SHOWN {
        told.push(format!(
            "… {} more",
            units::count((vector.dimension() - SHOWN) as u64)
        ));
    }
    ui.add(
        Label::new(RichText::new(told.join("  ")).text_style(theme::small_figure_text())).wrap(),
    );
}

fn number(value: f64) -> String {
    match value {
        value if value >= 1e6 || (value != 0.0 && value < 1e-3) => format!("{value:.2e}"),
        value => format!("{value:.4}"),
    }
}

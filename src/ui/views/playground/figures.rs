//! The right-hand column: tiles of the latest answer, the session's charts, the table of medians.

use std::time::Duration;

use egui::{Label, Layout, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};
use egui_plot::PlotBounds;

use super::definitions::{LATENCY, SPEED, TTFT, no_data};
use super::{panes, vote};
use crate::chart::answers::{self, Figure};
use crate::chart::{Kind, Look};
use crate::domain::units;
use crate::metrics::history::SessionHistory;
use crate::metrics::timeline::{AT_ONCE, Figures, TokenSource};
use crate::protocol::Command;
use crate::state::action::Actions;
use crate::state::{ModelColors, State};
use crate::ui::chart::{Zoom, plot_ui, sample_ui, view, zoomed_to};
use crate::ui::theme::{self, GAP, GRID};
use crate::ui::widgets::{
    NARROW, Tile, caption, card, empty_state, fit_middle, from_right, small_button, strong, tokens,
};

pub(super) fn show(
    ui: &mut Ui,
    state: &State,
    hidden: &mut Vec<String>,
    now: Duration,
    out: &mut Actions,
) {
    if state.panes().names_hidden() {
        card(ui).show(ui, |ui| {
            ui.set_min_size(vec2(ui.available_width(), 120.0));
            let why = "Figures and charts appear after you vote";
            empty_state(ui, "Models are hidden", why, 24.0);
        });
        return;
    }
    let votes = if state.panes().count() > 1 {
        state.workspace.votes.as_slice()
    } else {
        &[]
    };
    if state.panes().count() > 1 {
        panes::tiles_ui(ui, state, now);
    } else {
        let tokens = tokens(ui);
        let name = state.panes().name(0);
        let chat = &state.panes().chat(0);
        let silent = chat.stalled_for(now);
        let latest = chat
            .latest_figures(now)
            .map(|(name, figures)| (name.to_owned(), figures));
        let of = latest.as_ref().map(|(name, _)| name).or(name.as_ref());
        let color = of.map_or(tokens.text, |name| {
            tokens.model_color(state.colors.index(name))
        });
        tiles_ui(
            ui,
            latest.as_ref().map(|(_, figures)| figures),
            silent,
            color,
        );
    }
    let session = state.playgrounds.session();
    ScrollArea::vertical()
        .id_salt("charts")
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            let lines = Lines {
                history: session,
                colors: &state.colors,
            };
            // A zoom belongs to one environment's chart.
            ui.push_id(&state.env().id, |ui| charts_ui(ui, &lines, hidden, out));
            if !votes.is_empty() {
                vote::tally_ui(ui, votes);
            }
        });
}

/// The tiles of one answer, three in a row. `silent`: how long a running one has sent nothing.
pub(in crate::ui::views) fn tiles_ui(
    ui: &mut Ui,
    figures: Option<&Figures>,
    silent: Option<Duration>,
    color: egui::Color32,
) {
    let none = Figures::default();
    let figures = figures.unwrap_or(&none);
    let server = figures.server.unwrap_or_default();
    let chunks = figures
        .tokens
        .is_some_and(|tokens| tokens.source == TokenSource::Chunks);
    let says = |text: Option<String>| {
        text.map_or_else(|| "server –".to_owned(), |text| format!("server {text}"))
    };
    let narrow = ui.available_width() < NARROW * 3.0;
    let short = |figure: units::Figure| {
        if narrow {
            figure.value
        } else {
            figure.to_string()
        }
    };
    ui.spacing_mut().item_spacing.x = if narrow { GRID } else { GAP };
    let gaps = ui.spacing().item_spacing.x * 2.0;
    let width = (ui.available_width() - gaps) / 3.0;
    let speed = figures.tokens_per_sec.map(|rate| units::Figure {
        unit: "",
        ..units::rate(rate)
    });
    ui.horizontal_top(|ui| {
        Tile {
            title: if chunks { "Chunks/s" } else { "Tokens/s" },
            figure: speed,
            below: match silent {
                Some(silent) => no_data(silent),
                None if figures.at_once => "arrived all at once".to_owned(),
                None => says(
                    server
                        .after_first_per_sec
                        .map(|rate| units::rate(rate).value),
                ),
            },
            definition: SPEED,
            color,
        }
        .show(ui, width);
        Tile {
            title: "TTFT",
            figure: figures.ttft.map(units::duration),
            below: says(server.ttft.map(|ttft| short(units::duration(ttft)))),
            definition: TTFT,
            color,
        }
        .show(ui, width);
        Tile {
            title: "Latency",
            figure: figures.latency.map(units::seconds),
            below: says(server.latency.map(|latency| short(units::seconds(latency)))),
            definition: LATENCY,
            color,
        }
        .show(ui, width);
    });
}

/// All figures of an answer, for the hover.
pub(super) fn told_in_full(figures: &Figures) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{name}: {value}")));
    };
    let duration = |d: Option<Duration>| d.map(|d| units::duration(d).to_string());
    line("TTFT, request sent to first text", duration(figures.ttft));
    line("  of which connection setup", duration(figures.connect));
    line("First answer text", duration(figures.first_answer));
    line("Latency, request sent to end", duration(figures.latency));
    line(
        "Speed, (tokens − 1) / (last token − first token)",
        figures
            .tokens_per_sec
            .map(|rate| units::rate(rate).to_string()),
    );
    line("Time per output token", duration(figures.tpot));
    line(
        "Inter-token latency, mean gap between chunks",
        duration(figures.itl),
    );
    line("Longest gap", duration(figures.longest_gap));
    line(
        "Generated",
        figures.tokens.map(|tokens| match tokens.source {
            TokenSource::Usage => format!("{} tokens", units::count(tokens.n)),
            TokenSource::Chunks => {
                format!(
                    "{} chunks (the server reported no token count)",
                    units::count(tokens.n)
                )
            }
        }),
    );
    line(
        "Chunks with text",
        (figures.chunks > 0).then(|| units::count(figures.chunks)),
    );
    line(
        "  tokens per chunk, mean",
        figures.tokens_per_chunk().map(|each| format!("{each:.1}")),
    );
    line(
        "  in one read with the one before",
        figures.share_together().map(units::whole_percent),
    );
    line(
        "Speed",
        figures.at_once.then(|| format!("none: it {AT_ONCE}")),
    );
    line("Prompt tokens", figures.prompt_tokens.map(units::count));
    line("  of which cached", figures.cached_tokens.map(units::count));
    if let Some(server) = figures.server {
        line("Server: TTFT", duration(server.ttft));
        line("Server: latency", duration(server.latency));
        line(
            "Server: tokens/s after the first",
            server
                .after_first_per_sec
                .map(|rate| units::rate(rate).to_string()),
        );
        line(
            "Server: tokens/s overall",
            server.per_sec.map(|rate| units::rate(rate).to_string()),
        );
        line(
            "Server: tokens accepted per step",
            server.acceptance_rate.map(|rate| format!("{rate:.2}")),
        );
    }
    lines.join("\n")
}

/// The session's answers, and each line's colour.
struct Lines<'a> {
    history: &'a SessionHistory,
    colors: &'a ModelColors,
}

fn charts_ui(ui: &mut Ui, lines: &Lines<'_>, hidden: &mut Vec<String>, out: &mut Actions) {
    let history = lines.history;
    if history.answers() == 0 {
        card(ui).show(ui, |ui| {
            ui.set_min_size(vec2(ui.available_width(), 180.0));
            empty_state(
                ui,
                "No answers yet",
                "Each answer adds a point: its time to first token and its speed, one line per model",
                48.0,
            );
        });
        return;
    }
    let reset_id = ui.scope_id().with("reset zoom");
    let reset = ui
        .data_mut(|data| data.remove_temp::<bool>(reset_id))
        .unwrap_or(false);
    let room = ui.available_height() - table_height(history) - 24.0;
    let height = (room / 2.0 - 72.0).clamp(84.0, 240.0);
    let zoom = if reset { Zoom::Reset } else { Zoom::Free };
    for (figure, title) in Figure::ALL {
        card(ui).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                strong(ui, title);
                if figure == Figure::Ttft {
                    from_right(ui, |ui| {
                        let button = small_button(ui, "Reset zoom");
                        let help = "Drag to move, Ctrl+wheel to zoom, right-drag to zoom into a box, double-click to reset";
                        if button.on_hover_text(help).clicked() {
                            ui.data_mut(|data| data.insert_temp(reset_id, true));
                            ui.ctx().request_repaint();
                        }
                    });
                }
            });
            let drawn = history
                .series()
                .iter()
                .filter(|series| !hidden.contains(&series.model))
                .map(|series| (lines.colors.index(&series.model), series))
                .collect();
            let view = view(ui, title, zoom);
            let news = news_outside(ui, (figure, title), zoom, lines.history, hidden);
            let mut chart = answers::session(drawn, figure, &view);
            if news > 0 {
                let told = format!("{} outside the view", units::counted(news, "new answer"));
                chart.summary = format!("{told}. {}", chart.summary);
                chart.beyond = Some(told);
            }
            plot_ui(ui, &chart, height, zoom);
        });
    }
    card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        table_ui(ui, lines, hidden, out);
    });
}

/// How many answers of the lines that are drawn came since the chart was last moved or zoomed, and are not on it.
fn news_outside(
    ui: &Ui,
    (figure, title): (Figure, &str),
    zoom: Zoom,
    history: &SessionHistory,
    hidden: &[String],
) -> usize {
    let id = ui.scope_id().with(("zoomed", title));
    let Some(bounds) = zoomed_to(ui, title, zoom) else {
        ui.data_mut(|data| data.remove::<(PlotBounds, u64)>(id));
        return 0;
    };
    let answers = history.answers();
    let (before, known) = ui.data_mut(|data| *data.get_temp_mut_or(id, (bounds, answers)));
    if before != bounds {
        ui.data_mut(|data| data.insert_temp(id, (bounds, answers)));
        return 0;
    }
    let drawn = history.series().iter();
    let drawn = drawn.filter(|series| !hidden.contains(&series.model));
    let seen = (&bounds.range_x(), &bounds.range_y());
    answers::outside(drawn, figure, seen, known)
}

fn table_height(history: &SessionHistory) -> f32 {
    84.0 + history.series().len() as f32 * 26.0
}

/// A line per model: the legend, which hides and shows its line, and the medians.
fn table_ui(ui: &mut Ui, lines: &Lines<'_>, hidden: &mut Vec<String>, out: &mut Actions) {
    let tokens = tokens(ui);
    let history = lines.history;
    ui.horizontal(|ui| {
        strong(ui, "This session, median")
            .on_hover_text("Complete answers only; stopped and failed answers have no latency");
        from_right(ui, |ui| {
            if small_button(ui, "Copy table").clicked() {
                out.push(Command::Copy {
                    what: "Table".to_owned(),
                    text: as_tsv(history),
                });
            }
        });
    });
    let width = ui.available_width();
    // A name needs the room more than the figures do.
    let columns = if width < 300.0 {
        [46.0, 52.0, 46.0, 20.0]
    } else {
        [56.0, 60.0, 60.0, 30.0]
    };
    let first = width - columns.iter().sum::<f32>();
    let cell = |ui: &mut Ui, width: f32, contents: &mut dyn FnMut(&mut Ui)| {
        ui.allocate_ui_with_layout(
            vec2(width, 20.0),
            Layout::right_to_left(egui::Align::Center),
            |ui| {
                ui.set_width(width);
                contents(ui);
            },
        );
    };
    ui.spacing_mut().item_spacing = vec2(0.0, GRID);
    ui.horizontal(|ui| {
        ui.allocate_ui_with_layout(
            vec2(first, 16.0),
            Layout::left_to_right(egui::Align::Center),
            |ui| {
                ui.set_width(first);
                caption(ui, "model");
            },
        );
        for (title, width) in ["tok/s", "TTFT", "latency", "n"].into_iter().zip(columns) {
            cell(ui, width, &mut |ui| {
                caption(ui, title);
            });
        }
    });
    for (index, series) in history.series().iter().enumerate() {
        let is_hidden = hidden.contains(&series.model);
        ui.horizontal(|ui| {
            if legend_ui(ui, lines, index, is_hidden, first) {
                if is_hidden {
                    hidden.retain(|model| *model != series.model);
                } else {
                    hidden.push(series.model.clone());
                }
            }
            let color = if is_hidden { tokens.faint } else { tokens.text };
            for (text, width) in row_of(history, index).into_iter().zip(columns) {
                cell(ui, width, &mut |ui| {
                    ui.label(
                        RichText::new(&text)
                            .text_style(theme::small_figure_text())
                            .color(color),
                    );
                });
            }
        });
    }
}

/// A model's name with a sample of its line. Gives whether it was clicked.
fn legend_ui(ui: &mut Ui, lines: &Lines<'_>, index: usize, is_hidden: bool, width: f32) -> bool {
    let tokens = tokens(ui);
    let model = &lines.history.series()[index].model;
    let (rect, response) = ui.allocate_exact_size(vec2(width, 20.0), Sense::click());
    let mut inside = ui.new_child(
        egui::UiBuilder::new()
            .max_rect(rect)
            .layout(Layout::left_to_right(egui::Align::Center)),
    );
    inside.spacing_mut().item_spacing.x = GRID;
    let look = Look::of(lines.colors.index(model));
    sample_ui(&mut inside, look, Kind::Line, is_hidden);
    let color = if is_hidden { tokens.faint } else { tokens.text };
    let name = fit_middle(&inside, model, &egui::TextStyle::Body, width - 30.0);
    let name = RichText::new(name).color(color);
    let name = if is_hidden {
        name.strikethrough()
    } else {
        name
    };
    inside.add(Label::new(name).selectable(false));
    response.widget_info(|| {
        let spoken = format!("Show {model} in the charts");
        WidgetInfo::selected(Role::CheckBox, true, !is_hidden, spoken)
    });
    let hint = if is_hidden {
        "Click to show its line"
    } else {
        "Click to hide its line"
    };
    let response = response.on_hover_text(format!("{model}\n{hint}"));
    if response.has_focus() {
        ui.painter().rect_stroke(
            rect,
            4.0,
            egui::Stroke::new(1.0, tokens.accent),
            egui::StrokeKind::Outside,
        );
    }
    response.clicked()
}

/// Speed, TTFT, latency and count of a model.
fn row_of(history: &SessionHistory, index: usize) -> [String; 4] {
    let series = &history.series()[index];
    let medians = series.medians();
    let absent = || units::ABSENT.to_owned();
    [
        medians
            .tokens_per_sec
            .map_or_else(absent, |rate| units::rate(rate).value),
        medians
            .ttft
            .map_or_else(absent, |ttft| units::duration(ttft).to_string()),
        medians
            .latency
            .map_or_else(absent, |latency| units::seconds(latency).to_string()),
        units::count(series.samples.len() as u64),
    ]
}

/// The table with tabs, in plain units, for a spreadsheet.
fn as_tsv(history: &SessionHistory) -> String {
    let mut lines = vec!["model\ttokens_per_s\tttft_ms\tlatency_s\tanswers".to_owned()];
    for series in history.series() {
        let medians = series.medians();
        let number =
            |value: Option<f64>| value.map(|value| format!("{value:.3}")).unwrap_or_default();
        lines.push(format!(
            "{}\t{}\t{}\t{}\t{}",
            series.model,
            number(medians.tokens_per_sec),
            number(medians.ttft.map(|ttft| ttft.as_secs_f64() * 1e3)),
            number(medians.latency.map(|latency| latency.as_secs_f64())),
            series.samples.len()
        ));
    }
    lines.join("\n") + "\n"
}

//! The tiles of several panes: each figure with a line a pane, so that they can be read against each other.

use std::time::Duration;

use egui::{Label, RichText, Role, Sense, Ui, WidgetInfo, vec2};

use super::definitions::{LATENCY, SPEED, TTFT, no_data};
use crate::domain::units::{self, Figure};
use crate::metrics::timeline::{Figures, TokenSource};
use crate::state::State;
use crate::ui::theme::{self, GRID, HALF};
use crate::ui::widgets::{card, dot, tokens};

/// A pane's last figures, what it is called, and the place of its colour.
struct PaneFigures {
    name: String,
    color: usize,
    figures: Figures,
    /// How long nothing has come of its answer.
    stalled: Option<Duration>,
}

/// The last figures of all panes.
pub(super) fn tiles_ui(ui: &mut Ui, state: &State, now: Duration) {
    let lines: Vec<PaneFigures> = (0..state.panes().count())
        .filter_map(|index| {
            let name = state.panes().name(index)?;
            let latest = state.panes().chat(index).latest_figures(now);
            let (series, figures) =
                latest.map_or((name.as_str(), Figures::default()), |(s, f)| (s, f));
            let series = series.to_owned();
            Some(PaneFigures {
                color: state.colors.index(&series),
                name: series,
                figures,
                stalled: state.panes().chat(index).stalled_for(now),
            })
        })
        .collect();
    let speed = |figures: &Figures| {
        let chunks = figures
            .tokens
            .is_some_and(|tokens| tokens.source == TokenSource::Chunks);
        let rate = units::rate(figures.tokens_per_sec?);
        Some(Figure {
            unit: if chunks { "chunks/s" } else { "" },
            ..rate
        })
    };
    ui.spacing_mut().item_spacing.x = GRID;
    let width = ((ui.available_width() - 12.0) / 3.0).floor();
    ui.horizontal_top(|ui| {
        tile_ui(ui, "Tokens/s", SPEED, width, &lines, speed);
        tile_ui(ui, "TTFT", TTFT, width, &lines, |figures| {
            figures.ttft.map(units::duration)
        });
        tile_ui(ui, "Latency", LATENCY, width, &lines, |figures| {
            figures.latency.map(units::seconds)
        });
    });
}

fn tile_ui(
    ui: &mut Ui,
    title: &str,
    definition: &str,
    width: f32,
    lines: &[PaneFigures],
    figure: impl Fn(&Figures) -> Option<Figure>,
) {
    let tokens = tokens(ui);
    let told = |line: &PaneFigures| {
        figure(&line.figures).map_or_else(|| units::ABSENT.to_owned(), |f| f.to_string())
    };
    let stalled = |line: &PaneFigures| {
        let told = line.stalled.map(no_data);
        told.map(|told| format!(" ({told})")).unwrap_or_default()
    };
    let spoken: Vec<String> = lines
        .iter()
        .map(|line| format!("{} {}{}", line.name, told(line), stalled(line)))
        .collect();
    let spoken = format!("{title}: {}", spoken.join(", "));
    let response = card(ui)
        .inner_margin(theme::margin(2, 2))
        .show(ui, |ui| {
            ui.set_width(width - 18.0);
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing = vec2(GRID, HALF);
                ui.spacing_mut().interact_size.y = 16.0;
                ui.add(Label::new(RichText::new(title).small().color(tokens.dim)).truncate());
                for line in lines {
                    ui.horizontal(|ui| {
                        let color = tokens.model_color(line.color);
                        dot(ui, color);
                        let text = RichText::new(told(line)).text_style(theme::small_figure_text());
                        let color = line.stalled.map_or(color, |_| tokens.warning);
                        ui.add(Label::new(text.color(color)).truncate());
                    });
                }
            });
        })
        .response
        .interact(Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
    response.on_hover_text(format!("{spoken}\n\n{definition}"));
}

//! Charts in cards, with their titles, menus and legends.

use egui::{RichText, Role, TextStyle, Ui, WidgetInfo, vec2};

use super::{Hit, Zoom, plot_ui, sample_ui};
use crate::chart::levels::Timing;
use crate::chart::{Chart, Entry};
use crate::ui::picture::Photographer;
use crate::ui::theme::{self, GAP, GRID};
use crate::ui::widgets::{card, from_right, shortened, tokens};

/// The height of a legend and of what keeps it from the chart, in points.
const LEGEND: f32 = 26.0;

/// Draws the chart in a card, with `tools` between its title and itself. The card's height is the same with and
/// without a legend.
pub(in crate::ui) fn card_ui(
    ui: &mut Ui,
    photographer: &mut Photographer,
    chart: &Chart<'_>,
    height: f32,
    tools: impl FnOnce(&mut Ui),
) -> Option<Hit> {
    let tokens = tokens(ui);
    let shown = card(ui).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().interact_size.y = 22.0;
        ui.spacing_mut().item_spacing.y = GRID;
        ui.horizontal(|ui| {
            let width = ui.available_width() - 64.0;
            let title = shortened(ui, chart.title, theme::strong_text(), tokens.text, width);
            if !chart.note.is_empty() {
                title.on_hover_text(&chart.note);
            }
            from_right(ui, |ui| photographer.button(ui, chart));
        });
        tools(ui);
        let legend = if chart.legend.is_empty() { 0.0 } else { LEGEND };
        legend_ui(ui, &chart.legend);
        plot_ui(ui, chart, height - legend, Zoom::Fixed)
    });
    shown.inner
}

/// Draws a card.
pub(in crate::ui) type Part<'a> = &'a mut dyn FnMut(&mut Ui, &mut Photographer);

/// Two cards side by side, or one below the other where there is no room.
pub(in crate::ui) fn pair(ui: &mut Ui, photographer: &mut Photographer, parts: [Part<'_>; 2]) {
    let gap = GAP;
    let two = ui.available_width() > 560.0;
    let width = if two {
        (ui.available_width() - gap) / 2.0
    } else {
        ui.available_width()
    };
    ui.spacing_mut().item_spacing = vec2(gap, gap);
    let mut draw = |ui: &mut Ui, part: Part<'_>| {
        ui.allocate_ui(vec2(width, 0.0), |ui| {
            ui.set_width(width);
            ui.vertical(|ui| {
                ui.set_width(width);
                part(ui, photographer);
            });
        });
    };
    if two {
        ui.horizontal_top(|ui| parts.into_iter().for_each(|part| draw(ui, part)));
    } else {
        parts.into_iter().for_each(|part| draw(ui, part));
    }
}

/// Which times a distribution is of.
pub(in crate::ui) fn timing_ui(ui: &mut Ui, shown: &mut Timing) {
    for timing in Timing::ALL {
        let (on, name) = (*shown == timing, timing.name());
        let button = ui.add(egui::Button::selectable(on, RichText::new(name).small()));
        button.widget_info(|| {
            WidgetInfo::selected(Role::RadioButton, true, on, format!("{name} distribution"))
        });
        if button.clicked() {
            *shown = timing;
        }
    }
}

fn legend_ui(ui: &mut Ui, legend: &[Entry]) {
    if legend.is_empty() {
        return;
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        let dim = tokens(ui).dim;
        let font = TextStyle::Small.resolve(ui.style());
        let width = |entry: &Entry| {
            ui.painter()
                .layout_no_wrap(entry.name.clone(), font.clone(), dim)
                .size()
                .x
        };
        // Names are cut only where they do not all fit.
        let room = ui.available_width() - legend.len() as f32 * 36.0;
        let fits = legend.iter().map(width).sum::<f32>() <= room;
        let each = if fits {
            f32::INFINITY
        } else {
            room / legend.len() as f32
        };
        for Entry { look, kind, name } in legend {
            sample_ui(ui, *look, *kind, false);
            shortened(ui, name, TextStyle::Small, dim, each);
            ui.add_space(GRID);
        }
    });
}

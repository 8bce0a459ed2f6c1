//! The list of environments, a line each, over the whole width of the page.

use egui::{Color32, CornerRadius, Role, ScrollArea, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};

use crate::domain::environment::{ApiAddress, EnvId, Environment, KeyPlace};
use crate::protocol::{KeyStatus, Verdict};
use crate::state::{ConnectionState, State};
use crate::ui::theme;
use crate::ui::widgets::{caption, shortened, tokens};

const ROW: f32 = 30.0;
/// Rows that are seen at once in a large window; the others are scrolled to.
const MAX_ROWS: usize = 6;
/// Where the columns begin, as shares of the width: name, API, cluster, key, state.
const COLUMNS: [f32; 5] = [0.0, 0.24, 0.47, 0.69, 0.83];

/// Draws the list. `unsaved`: whether an environment's form has changes. Gives the one that was clicked.
pub(super) fn list_ui(
    ui: &mut Ui,
    state: &State,
    unsaved: impl Fn(&EnvId) -> bool,
) -> Option<EnvId> {
    let environments = &state.environments.settings.environments;
    let rows = if ui.available_height() < 520.0 {
        3
    } else {
        MAX_ROWS
    };
    let height = ROW * environments.len().min(rows) as f32;
    let mut picked = None;
    head_ui(ui);
    ScrollArea::vertical()
        .id_salt("environments")
        .max_height(height)
        .auto_shrink([false, true])
        .show_rows(ui, ROW, environments.len(), |ui, range| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for env in &environments[range] {
                let line = Line {
                    env,
                    connection: state.environments.connection_of(&env.id),
                    selected: env.id == state.environments.settings.selected,
                    unsaved: unsaved(&env.id),
                };
                if line.show(ui) {
                    picked = Some(env.id.clone());
                }
            }
        });
    picked
}

fn head_ui(ui: &mut Ui) {
    let width = ui.available_width();
    let (rect, _) = ui.allocate_exact_size(vec2(width, 16.0), Sense::hover());
    for (title, share) in ["Name", "API", "Cluster", "Key", "State"]
        .iter()
        .zip(COLUMNS)
    {
        let left = rect.left() + 28.0 + (width - 28.0) * share;
        let rect = egui::Rect::from_min_max(pos2(left, rect.top()), rect.right_bottom());
        let mut cell = ui.new_child(egui::UiBuilder::new().max_rect(rect));
        caption(&mut cell, *title);
    }
}

/// An environment in the list.
struct Line<'a> {
    env: &'a Environment,
    connection: Option<&'a ConnectionState>,
    selected: bool,
    unsaved: bool,
}

impl Line<'_> {
    /// Gives whether it was clicked.
    fn show(&self, ui: &mut Ui) -> bool {
        let tokens = tokens(ui);
        let width = ui.available_width();
        let (rect, response) = ui.allocate_exact_size(vec2(width, ROW), Sense::click());
        if self.selected || response.hovered() || response.has_focus() {
            let fill = if self.selected {
                tokens.raised
            } else {
                tokens.hover
            };
            ui.painter().rect_filled(rect, CornerRadius::same(6), fill);
        }
        if response.has_focus() {
            let stroke = egui::Stroke::new(1.0, tokens.accent);
            let inside = egui::StrokeKind::Inside;
            ui.painter()
                .rect_stroke(rect, CornerRadius::same(6), stroke, inside);
        }
        let color = state_color(ui, self.env, self.connection);
        let middle = rect.center().y;
        ui.painter()
            .circle_filled(pos2(rect.left() + 14.0, middle), 4.0, color);
        let cells = [
            (self.env.name.clone(), theme::strong_text(), tokens.text),
            (self.api(), TextStyle::Small, tokens.dim),
            (self.cluster(), TextStyle::Small, tokens.dim),
            (self.key().to_owned(), TextStyle::Small, tokens.dim),
            (self.state().to_owned(), TextStyle::Small, tokens.dim),
        ];
        let inner = width - 28.0;
        for (n, (text, style, color)) in cells.into_iter().enumerate() {
            let end = COLUMNS.get(n + 1).copied().unwrap_or(1.0);
            let room = inner * (end - COLUMNS[n]) - 12.0;
            let at = pos2(rect.left() + 28.0 + inner * COLUMNS[n], middle);
            let cell =
                egui::Rect::from_min_max(pos2(at.x, rect.top()), pos2(at.x + room, rect.bottom()));
            let layout = egui::Layout::left_to_right(egui::Align::Center);
            let mut cell = ui.new_child(egui::UiBuilder::new().max_rect(cell).layout(layout));
            shortened(&mut cell, &text, style, color, room);
        }
        let name = format!("Environment {}", self.env.name);
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, self.selected, &name));
        let told = [self.api(), self.cluster(), self.key().to_owned()].join(" · ");
        let response = response.on_hover_text(format!("{told} · {}", self.state()));
        response.clicked()
    }

    fn api(&self) -> String {
        match &self.env.api {
            _ if self.env.demo => "built in, simulated".to_owned(),
            Some(api) => ApiAddress::host(api).to_owned(),
            None => "none".to_owned(),
        }
    }

    fn cluster(&self) -> String {
        let Some(cluster) = &self.env.cluster else {
            return "none".to_owned();
        };
        match &cluster.context {
            Some(context) => format!("{context} · {}", cluster.namespace_label()),
            None => cluster.namespace_label().to_owned(),
        }
    }

    fn key(&self) -> &'static str {
        match &self.env.key {
            KeyPlace::None => "not needed",
            KeyPlace::Keychain => "keychain",
            KeyPlace::Variable(_) => "variable",
            KeyPlace::SettingsFile => "settings file",
        }
    }

    fn state(&self) -> &'static str {
        let missing = |it: &ConnectionState| matches!(it.key, Some(KeyStatus::Missing(_)));
        match self.connection {
            _ if self.unsaved => "unsaved changes",
            _ if self.env.is_blank() => "not configured",
            None => "not opened yet",
            Some(it) if has_failed(it) => "connection problem",
            Some(it) if missing(it) => "API key missing",
            Some(_) if self.env.accept_invalid_certs => "certificates not verified",
            Some(it) if it.cluster.api_models.is_loading() => "loading",
            Some(_) => "no problems",
        }
    }
}

fn has_failed(connection: &ConnectionState) -> bool {
    let is_bad = |verdict: Verdict| verdict == Verdict::Bad;
    connection.cluster.view.failure().is_some()
        || connection.cluster.api_models.failure().is_some()
        || connection.trouble.is_some()
        || connection
            .checks
            .done
            .iter()
            .any(|check| is_bad(check.verdict))
}

/// An environment's state as a colour; faint before it was opened.
pub(in crate::ui) fn state_color(
    ui: &Ui,
    env: &Environment,
    connection: Option<&ConnectionState>,
) -> Color32 {
    let tokens = tokens(ui);
    let Some(connection) = connection else {
        return tokens.faint;
    };
    let cluster = &connection.cluster;
    let seen = cluster.view.value().is_some() || cluster.api_models.value().is_some();
    match (has_failed(connection), seen) {
        (true, _) => tokens.error,
        (false, true) if env.accept_invalid_certs => tokens.warning,
        (false, true) => tokens.ok,
        (false, false) => tokens.faint,
    }
}

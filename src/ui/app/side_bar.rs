//! The bar at the left: the pages, the Activity button, the theme, and the environment in use.

use egui::{
    Button, CentralPanel, CornerRadius, Frame, Key, Margin, Panel, RichText, Role, Sense, Stroke,
    TextStyle, Ui, WidgetInfo, vec2,
};

use super::{App, Page, apply_theme};
use crate::domain::settings::ThemeChoice;
use crate::domain::units;
use crate::protocol::{KeyStatus, Verdict};
use crate::state::action::Action;
use crate::ui::theme;
use crate::ui::views;
use crate::ui::widgets::{caption, dot, shortened, tokens};

impl App {
    pub(super) fn side_bar_ui(&mut self, ui: &mut Ui) {
        Panel::bottom("side bar foot")
            .resizable(false)
            .show_separator_line(false)
            .frame(Frame::NONE)
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 6.0;
                let running = self.state.activity.running();
                let label = if running > 0 {
                    format!("Activity ({running})")
                } else {
                    "Activity".to_owned()
                };
                let button = Button::new(RichText::new(label).small())
                    .min_size(vec2(ui.available_width(), 24.0));
                let activity = ui.add(button.selected(self.activity.is_open()));
                if activity
                    .on_hover_text(format!("{} (Ctrl+J)", views::activity::WHAT))
                    .clicked()
                {
                    self.activity.toggle();
                }
                self.theme_ui(ui);
                if self.place_ui(ui) {
                    self.page = Page::Home;
                }
            });
        CentralPanel::no_frame().show(ui, |ui| {
            logo_ui(ui);
            ui.add_space(24.0);
            ui.spacing_mut().item_spacing.y = 4.0;
            let shortcuts = ui.available_width() > 150.0;
            for (page, name, key) in Page::ALL {
                let busy = page == Page::Benchmark && self.state.bench.running().is_some();
                if nav_ui(ui, name, shortcuts.then_some(key), self.page == page, busy) {
                    self.go_to(page);
                }
            }
        });
    }

    /// The environment in use, in brief. Gives whether it was clicked.
    fn place_ui(&mut self, ui: &mut Ui) -> bool {
        let tokens = tokens(ui);
        let name = self.state.env().name.clone();
        let cluster =
            self.state
                .env()
                .cluster
                .as_ref()
                .map(|cluster| match cluster.namespace.as_str() {
                    "" => cluster.namespace_label().to_owned(),
                    namespace => format!("ns {namespace}"),
                });
        let insecure = self.state.env().accept_invalid_certs;
        let place = self.state.connection();
        let failed = place
            .cluster
            .view
            .failure()
            .or(place.cluster.api_models.failure())
            .or(place.trouble.as_ref());
        let (color, word) = match (&place.key, failed) {
            (_, Some(_)) => (tokens.error, "connection problem"),
            _ if place
                .checks
                .done
                .iter()
                .any(|check| check.verdict == Verdict::Bad) =>
            {
                (tokens.error, "a check failed")
            }
            (Some(KeyStatus::Missing(_)), None) => (tokens.warning, "API key missing"),
            _ if insecure => (tokens.warning, "certificates not verified"),
            _ if place.cluster.view.is_loading() || place.cluster.api_models.is_loading() => {
                (tokens.dim, "loading")
            }
            _ => (tokens.ok, "no problems"),
        };
        let host = place.api.as_ref().map(|api| api.host().to_owned());
        let api = match place.cluster.api_took {
            Some(took) => Some(format!("api {}", units::duration(took))),
            None => host.clone(),
        };
        let release = place.cluster.release.value().cloned().flatten();
        let release = release.map(|version| format!("SambaStack {version}"));
        let response = Frame::new()
            .fill(tokens.raised)
            .corner_radius(CornerRadius::same(8))
            .inner_margin(Margin::symmetric(12, 10))
            .show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 3.0;
                    ui.spacing_mut().interact_size.y = 16.0;
                    let width = ui.available_width();
                    ui.horizontal(|ui| {
                        dot(ui, color);
                        shortened(ui, &name, theme::strong_text(), tokens.text, width - 24.0);
                    });
                    for line in [cluster, release, api].into_iter().flatten() {
                        shortened(ui, &line, TextStyle::Small, tokens.dim, width);
                    }
                    if color != tokens.ok {
                        caption(ui, word);
                    }
                });
            })
            .response
            .interact(Sense::click());
        response.widget_info(|| {
            WidgetInfo::labeled(Role::Button, true, format!("Environment {name}, {word}"))
        });
        let at = host
            .map(|host| format!("API: {host}. "))
            .unwrap_or_default();
        response.on_hover_text(format!("{at}Go to Home")).clicked()
    }

    fn theme_ui(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            ui.spacing_mut().button_padding.x = 1.0;
            let width = (ui.available_width() - 4.0) / 3.0;
            for (choice, name) in [
                (ThemeChoice::System, "System"),
                (ThemeChoice::Light, "Light"),
                (ThemeChoice::Dark, "Dark"),
            ] {
                let on = self.state.settings.theme == choice;
                let button = Button::new(RichText::new(name).size(10.0))
                    .min_size(vec2(width, 22.0))
                    .selected(on)
                    .frame(on)
                    .frame_when_inactive(on);
                let button = ui.add(button);
                button.widget_info(|| {
                    WidgetInfo::selected(Role::RadioButton, true, on, format!("{name} theme"))
                });
                if button.clicked() && !on {
                    apply_theme(ui.ctx(), choice);
                    let clock = super::super::clock(ui.ctx());
                    let action = Action::SetTheme(choice);
                    self.state.act(action, clock, &mut self.out);
                }
            }
        });
    }
}

fn logo_ui(ui: &mut Ui) {
    let tokens = tokens(ui);
    ui.horizontal(|ui| {
        ui.add_space(10.0);
        let (rect, _) = ui.allocate_exact_size(vec2(24.0, 28.0), Sense::hover());
        for (x, top, bottom) in [(0.0, 8.0, 26.0), (8.0, 2.0, 28.0), (16.0, 13.0, 24.0)] {
            let bar =
                egui::Rect::from_min_max(rect.min + vec2(x, top), rect.min + vec2(x + 5.0, bottom));
            ui.painter()
                .rect_filled(bar, CornerRadius::same(2), tokens.accent);
        }
        ui.label(RichText::new("batida").family(theme::semibold()).size(18.0));
    });
}

/// A line of the side bar; `busy` marks that something runs there. Gives whether it was clicked.
fn nav_ui(ui: &mut Ui, name: &str, key: Option<Key>, selected: bool, busy: bool) -> bool {
    let tokens = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 32.0), Sense::click());
    if selected || response.hovered() || response.has_focus() {
        ui.painter()
            .rect_filled(rect, CornerRadius::same(6), tokens.raised);
    }
    if response.has_focus() {
        ui.painter().rect_stroke(
            rect,
            CornerRadius::same(6),
            Stroke::new(1.0, tokens.accent),
            egui::StrokeKind::Inside,
        );
    }
    if selected {
        let mark = egui::Rect::from_min_size(rect.min + vec2(0.0, 6.0), vec2(3.0, 20.0));
        ui.painter()
            .rect_filled(mark, CornerRadius::same(1), tokens.accent);
    }
    let (style, color) = if selected {
        (theme::strong_text(), tokens.text)
    } else {
        (TextStyle::Body, tokens.dim)
    };
    let at = rect.left_center() + vec2(16.0, 0.0);
    let written = ui.painter().text(
        at,
        egui::Align2::LEFT_CENTER,
        name,
        style.resolve(ui.style()),
        color,
    );
    if busy {
        ui.painter()
            .circle_filled(written.right_center() + vec2(10.0, 0.0), 3.5, tokens.accent);
    }
    let shortcut = key
        .map(|key| format!("Ctrl {}", key.symbol_or_name()))
        .unwrap_or_default();
    let at = rect.right_center() - vec2(12.0, 0.0);
    ui.painter().text(
        at,
        egui::Align2::RIGHT_CENTER,
        shortcut,
        TextStyle::Small.resolve(ui.style()),
        tokens.faint,
    );
    let spoken = if busy {
        format!("{name}, running")
    } else {
        name.to_owned()
    };
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &spoken));
    response.clicked()
}

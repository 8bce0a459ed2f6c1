//! The bar at the left: the pages, the Activity button, the theme, and the environment in use.

use egui::{
    Button, CentralPanel, CornerRadius, Frame, Key, Panel, RichText, Role, Sense, Stroke,
    TextStyle, Ui, WidgetInfo, vec2,
};

use super::App;
use crate::domain::environment::{ApiAddress, Environment};
use crate::domain::settings::ThemeChoice;
use crate::domain::units;
use crate::domain::workspace::Page;
use crate::protocol::{KeyStatus, Verdict};
use crate::state::State;
use crate::state::action::Action;
use crate::ui::keys::PAGES;
use crate::ui::theme::{self, APART, GAP, GRID, HALF, Tokens};
use crate::ui::views;
use crate::ui::views::environments::state_color;
use crate::ui::widgets::{Choice, Section, Sign, picker, shortened, tokens};

impl App {
    pub(super) fn side_bar_ui(&mut self, ui: &mut Ui) {
        let roomy = ui.available_height() >= ROOMY;
        Panel::bottom("side bar foot")
            .resizable(false)
            .show_separator_line(false)
            .frame(Frame::NONE)
            .show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = GRID;
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
                let help = Button::new(RichText::new("Help").small())
                    .min_size(vec2(ui.available_width(), 24.0));
                let why = "Connect a cluster or an API, or see the keyboard shortcuts (F1)";
                if ui.add(help).on_hover_text(why).clicked() {
                    self.state.page = Page::Welcome;
                }
                self.theme_ui(ui);
                self.environment_ui(ui, roomy);
            });
        CentralPanel::no_frame().show(ui, |ui| {
            logo_ui(ui);
            ui.add_space(APART);
            ui.spacing_mut().item_spacing.y = GRID;
            let shortcuts = ui.available_width() > 150.0;
            for (page, name, key) in PAGES {
                let busy = page == Page::Benchmark && self.state.bench.running().is_some();
                if nav_ui(
                    ui,
                    name,
                    shortcuts.then_some(key),
                    self.state.page == page,
                    busy,
                ) {
                    self.state.page = page;
                }
            }
        });
    }

    /// The environment in use and how it does, and a list to switch to another on any page. `roomy`: with what tells it
    /// from others.
    fn environment_ui(&mut self, ui: &mut Ui, roomy: bool) {
        let tokens = tokens(ui);
        let (color, word) = self.condition(tokens);
        let state = &self.state;
        let mut wanted = None;
        Frame::new()
            .fill(tokens.raised)
            .corner_radius(CornerRadius::same(8))
            .inner_margin(theme::margin(2, 2))
            .show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.spacing_mut().item_spacing.y = GRID;
                let choices = state
                    .environments
                    .settings
                    .environments
                    .iter()
                    .map(|env| Choice {
                        remark: Some(about(env)),
                        sign: Some(Sign::Dot(state_color(
                            ui,
                            env,
                            state.environments.connection_of(&env.id),
                        ))),
                        ..Choice::plain(&env.name)
                    });
                let sections = [
                    Section {
                        heading: "Environments",
                        choices: choices.collect(),
                    },
                    Section {
                        heading: "",
                        choices: vec![Choice::plain(MANAGE)],
                    },
                ];
                let name = Some(state.env().name.as_str());
                let width = ui.available_width();
                wanted = picker(
                    ui,
                    "Switch environment",
                    name,
                    Some(Sign::Dot(color)),
                    width,
                    &sections,
                );
                for line in facts(state).filter(|_| roomy) {
                    shortened(ui, &line, TextStyle::Small, tokens.dim, width);
                }
                {
                    let word = RichText::new(word)
                        .small()
                        .color(tokens.readable(color, tokens.raised));
                    ui.add(egui::Label::new(word).wrap());
                }
            });
        match wanted {
            Some(name) if name == MANAGE => self.state.page = Page::Environments,
            Some(name) => {
                let env = self
                    .state
                    .environments
                    .settings
                    .by_name(&name)
                    .map(|env| env.id.clone());
                if let Some(env) = env {
                    self.state.switch(&env, &mut self.out);
                }
            }
            None => {}
        }
    }

    /// How the environment in use does, as a colour and in words.
    fn condition(&self, tokens: &Tokens) -> (egui::Color32, &'static str) {
        let insecure = self.state.env().accept_invalid_certs;
        let connection = self.state.connection();
        let cluster = &connection.cluster;
        let failed = cluster
            .view
            .failure()
            .or(cluster.api_models.failure())
            .or(connection.trouble.as_ref());
        let checks = &connection.checks.done;
        let env = self.state.env();
        if env.is_blank() {
            return (tokens.dim, "not configured");
        }
        match (&connection.key, failed) {
            (_, Some(_)) => (tokens.error, "connection problem"),
            _ if checks.iter().any(|check| check.verdict == Verdict::Bad) => {
                (tokens.error, "a check failed")
            }
            (Some(KeyStatus::Missing(_)), None) => (tokens.warning, "API key missing"),
            _ if insecure => (tokens.warning, "certificates not verified"),
            _ if cluster.view.is_loading() || cluster.api_models.is_loading() => {
                (tokens.dim, "loading")
            }
            _ => (tokens.ok, "no problems"),
        }
    }

    fn theme_ui(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = HALF;
            ui.spacing_mut().button_padding.x = 1.0;
            let width = (ui.available_width() - 4.0) / 3.0;
            for (choice, name) in [
                (ThemeChoice::System, "System"),
                (ThemeChoice::Light, "Light"),
                (ThemeChoice::Dark, "Dark"),
            ] {
                let on = self.state.environments.settings.theme == choice;
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
                    let clock = super::super::clock(ui.ctx());
                    let action = Action::SetTheme(choice);
                    self.state.act(action, clock, &mut self.out);
                }
            }
        });
    }
}

/// In a lower bar, e.g. of a window that is zoomed, the pages need the room of what is said of the environment.
const ROOMY: f32 = 520.0;

/// The last entry of the list of environments.
const MANAGE: &str = "Manage environments…";

/// What tells an environment from another of a similar name.
fn about(env: &Environment) -> String {
    let api = env.api.as_ref().map(ApiAddress::host);
    let namespace = env.cluster.as_ref().map(|it| it.namespace_label());
    let parts: Vec<&str> = [api, namespace].into_iter().flatten().collect();
    match parts.as_slice() {
        _ if env.demo => "Built in, simulated".to_owned(),
        [] => "Not configured".to_owned(),
        parts => parts.join(" · "),
    }
}

/// The namespace, the release and the API's response time of the environment in use, as far as they are known.
fn facts(state: &State) -> impl Iterator<Item = String> {
    let cluster = state.env().cluster.as_ref();
    let namespace = cluster.map(|cluster| match cluster.namespace.as_str() {
        "" => cluster.namespace_label().to_owned(),
        namespace => format!("ns {namespace}"),
    });
    let connection = state.connection();
    let release = connection.cluster.release.value().cloned().flatten();
    let release = release.map(|version| format!("SambaStack {version}"));
    let host = connection.api.as_ref().map(|api| api.host().to_owned());
    let api = match connection.cluster.api_took {
        Some(took) => Some(format!("api {}", units::duration(took))),
        None => host,
    };
    [namespace, release, api].into_iter().flatten()
}

fn logo_ui(ui: &mut Ui) {
    let tokens = tokens(ui);
    ui.horizontal(|ui| {
        ui.add_space(GAP);
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

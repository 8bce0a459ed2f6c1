//! The window itself: drains events, draws the page, sends what the pages ask for.

use std::time::Duration;

use crossbeam_channel::Receiver;
use egui::{
    Button, CentralPanel, Context, CornerRadius, Frame, Key, Margin, Modifiers, Panel, RichText,
    Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, vec2,
};

use super::pictures;
use super::theme;
use super::toasts::Toasts;
use super::views::activity::ActivityUi;
use super::views::benchmark::BenchmarkUi;
use super::views::code::CodeUi;
use super::views::history::HistoryUi;
use super::views::home::HomeUi;
use super::views::playground::PlaygroundUi;
use super::widgets::{caption, dot, primary_button, shortened, strong, tokens};
use crate::domain::settings::ThemeChoice;
use crate::domain::units;
use crate::engine::quit::Quit;
use crate::engine::{Engine, Started};
use crate::protocol::{Command, Event, KeyStatus, Verdict};
use crate::state::State;

/// Told of the window's first frames, when the start is measured.
pub type Mark = Box<dyn Fn(&str)>;

/// The pages, in the order of the side bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Home,
    Playground,
    Benchmark,
    History,
}

impl Page {
    const ALL: [(Self, &'static str, Key); 4] = [
        (Self::Home, "Home", Key::Num1),
        (Self::Playground, "Playground", Key::Num2),
        (Self::Benchmark, "Benchmark", Key::Num3),
        (Self::History, "History", Key::Num4),
    ];
}

/// What becomes of a wish to close the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    /// Nobody wishes it.
    No,
    /// A session runs: the user is asked.
    Asked,
    /// It closes.
    Yes,
}

/// The window.
pub struct App {
    engine: Engine,
    events: Receiver<Event>,
    state: State,
    page: Page,
    home: HomeUi,
    playground: PlaygroundUi,
    benchmark: BenchmarkUi,
    history: HistoryUi,
    closing: Closing,
    quit: Quit,
    code: CodeUi,
    activity: ActivityUi,
    toasts: Toasts,
    /// What was asked for since the last frame.
    out: Vec<Command>,
    /// When the Playground's panes and drafts were looked at last, to be kept.
    looked: Duration,
    clock: Clock,
    /// Told of the first frames, when the start is measured.
    mark: Option<Mark>,
    frames: u64,
}

/// So often are panes and drafts looked at for what has changed.
const LOOK: Duration = Duration::from_secs(2);

impl Drop for App {
    fn drop(&mut self) {
        // The engine takes what is in its channel before it ends.
        self.state.remember_panes(&mut self.out);
        self.state.delete_removed(&mut self.out);
        self.send();
    }
}

impl App {
    /// Takes a started engine, and opens the environment in use.
    pub fn new(ctx: &Context, started: Started) -> Self {
        theme::install(ctx);
        let Started {
            engine,
            events,
            settings,
            notice,
        } = started;
        let mut app = Self {
            engine,
            events,
            state: State::new(settings),
            page: Page::Playground,
            home: HomeUi::default(),
            playground: PlaygroundUi::default(),
            benchmark: BenchmarkUi::default(),
            history: HistoryUi::default(),
            closing: Closing::No,
            quit: Quit::default(),
            code: CodeUi::default(),
            activity: ActivityUi::default(),
            toasts: Toasts::default(),
            out: Vec::new(),
            looked: Duration::ZERO,
            clock: Clock::default(),
            mark: None,
            frames: 0,
        };
        apply_theme(ctx, app.state.settings.theme);
        app.state.look_for_keychain(&mut app.out);
        if let Some(notice) = notice {
            app.toasts.add_failure(notice);
        }
        app.state.load_drafts(&mut app.out);
        app.state.open(&mut app.out);
        app.send();
        app
    }

    /// Tells `mark` of the first frames, and then closes the window.
    #[must_use]
    pub fn marking(mut self, mark: Option<Mark>) -> Self {
        self.mark = mark;
        self
    }

    /// Closes the window when a signal asks for it.
    #[must_use]
    pub fn quitting(mut self, quit: Quit) -> Self {
        self.quit = quit;
        self
    }

    /// A signal waits for no answer: what runs is stopped and kept.
    fn quit_when_asked(&mut self, ctx: &Context) {
        if self.closing == Closing::Yes || !self.quit.asked() {
            return;
        }
        self.state.bench.stop(&mut self.out);
        self.closing = Closing::Yes;
        ctx.send_viewport_cmd(egui::ViewportCommand::Close);
    }

    /// Called before a frame is drawn: the ones before it are on the screen.
    fn mark_start(&mut self, ctx: &Context) {
        let Some(mark) = &self.mark else { return };
        if self.frames == 1 {
            mark("first frame");
        }
        let filled = self.state.place().cluster.view.value().is_some();
        if self.frames > 1 && filled {
            mark("deployments shown");
            self.mark = None;
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        }
        ctx.request_repaint();
    }

    /// What the window knows. For tests and benches.
    pub fn state(&mut self) -> &mut State {
        &mut self.state
    }

    fn send(&mut self) {
        for command in self.out.drain(..) {
            self.engine.send(command);
        }
    }

    fn drain(&mut self, now: Duration) {
        for event in self.events.try_iter() {
            self.state.apply(event, now);
        }
        for notice in self.state.notices.drain(..) {
            self.toasts.add(notice, now);
        }
    }

    fn go_to(&mut self, page: Page) {
        if self.page == Page::Playground && self.page != page {
            self.state.remember_panes(&mut self.out);
            self.state.delete_removed(&mut self.out);
        }
        if page == Page::Playground && self.page != page {
            self.playground.arrive();
        }
        if self.page == Page::Benchmark && self.page != page {
            self.state.remember_form(&mut self.out);
        }
        self.page = page;
    }

    fn shortcuts(&mut self, ctx: &Context) {
        for (page, _, key) in Page::ALL {
            if ctx.input_mut(|input| input.consume_key(Modifiers::COMMAND, key)) {
                self.go_to(page);
            }
        }
        if ctx.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::J)) {
            self.activity.toggle();
        }
        let refresh = |input: &mut egui::InputState| {
            input.consume_key(Modifiers::COMMAND, Key::R)
                || input.consume_key(Modifiers::NONE, Key::F5)
        };
        if ctx.input_mut(refresh) {
            self.state.refresh(&mut self.out);
        }
    }

    fn side_bar_ui(&mut self, ui: &mut Ui) {
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
                    .on_hover_text(format!("{} (Ctrl+J)", super::views::activity::WHAT))
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
        let place = self.state.place();
        let failed = place
            .cluster
            .view
            .failure()
            .or(place.cluster.api_models.failure())
            .or(place.trouble.as_ref());
        let (color, word) = match (&place.key, failed) {
            (_, Some(_)) => (tokens.error, "something does not work"),
            _ if place
                .checks
                .done
                .iter()
                .any(|check| check.verdict == Verdict::Bad) =>
            {
                (tokens.error, "a check failed")
            }
            (Some(KeyStatus::Missing(_)), None) => (tokens.warning, "the key is missing"),
            _ if insecure => (tokens.warning, "certificates are not checked"),
            _ if place.cluster.view.is_loading() || place.cluster.api_models.is_loading() => {
                (tokens.dim, "loading")
            }
            _ => (tokens.ok, "all is well"),
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
            .map(|host| format!("Its API is at {host}. "))
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
                    self.state.settings.theme = choice;
                    apply_theme(ui.ctx(), choice);
                    self.out.push(Command::SaveSettings {
                        settings: self.state.settings.clone(),
                        key: None,
                    });
                }
            }
        });
    }

    /// What any widget wants on the clipboard goes through the engine, which outlives the frame and tells
    /// whether it went well.
    fn take_copies(&mut self, ctx: &Context) {
        let copies = ctx.output_mut(|output| {
            output
                .commands
                .extract_if(.., |command| {
                    matches!(command, egui::OutputCommand::CopyText(_))
                })
                .collect::<Vec<_>>()
        });
        for command in copies {
            if let egui::OutputCommand::CopyText(text) = command {
                self.out.push(Command::Copy {
                    what: "Text".to_owned(),
                    text,
                });
            }
        }
    }

    fn page_ui(&mut self, ui: &mut Ui, now: Duration) {
        let Self {
            state,
            home,
            playground,
            benchmark,
            history,
            code,
            out,
            ..
        } = self;
        match self.page {
            Page::Home => home.show(ui, state, out),
            Page::Playground => {
                let asked = playground.show(ui, state, now, out);
                if asked.view_code {
                    code.open();
                }
                if asked.refocus {
                    playground.arrive();
                }
                // Panes and drafts change nowhere else.
                if now.saturating_sub(self.looked) >= LOOK {
                    self.looked = now;
                    state.remember_panes(out);
                }
                if asked.go_home {
                    self.page = Page::Home;
                }
            }
            Page::Benchmark => {
                let asked = benchmark.show(ui, state, now, out);
                if let Some(sessions) = asked.compare {
                    history.compare(sessions, state);
                    self.go_to(Page::History);
                }
            }
            Page::History => {
                let asked = history.show(ui, state, now, out);
                if asked.benchmark {
                    self.go_to(Page::Benchmark);
                } else if asked.playground {
                    self.go_to(Page::Playground);
                }
            }
        }
    }

    /// A session is not lost by a click on the window's cross.
    fn closing_ui(&mut self, ctx: &Context) {
        let running = self.state.bench.running().is_some();
        let wished = ctx.input(|input| input.viewport().close_requested());
        if wished && running && self.closing != Closing::Yes {
            ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            self.closing = Closing::Asked;
        }
        if self.closing != Closing::Asked {
            return;
        }
        let mut stays = false;
        let modal = egui::Modal::new(egui::Id::unique("closing")).show(ctx, |ui| {
            ui.set_width(340.0);
            strong(ui, "A benchmark is running");
            ui.label("Closing the window stops it. The History keeps its figures so far");
            ui.add_space(8.0);
            ui.horizontal(|ui| {
                stays = primary_button(ui, "Keep running", true).clicked();
                if ui.button("Stop and close").clicked() {
                    self.state.bench.stop(&mut self.out);
                    self.closing = Closing::Yes;
                    ui.ctx().send_viewport_cmd(egui::ViewportCommand::Close);
                }
            });
        });
        // It may have ended while the user thought.
        if (stays || modal.should_close()) && self.closing == Closing::Asked {
            self.closing = Closing::No;
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        let now = self.clock.read(now(ctx), self.engine.uptime());
        self.mark_start(ctx);
        self.quit_when_asked(ctx);
        self.drain(now);
        self.state.send_calls(&mut self.out);
        self.state.load_release(&mut self.out);
        if let Some(wait) = self.state.probe_when_due(now, &mut self.out) {
            ctx.request_repaint_after(wait);
        }
        self.send();
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        let now = now(&ctx);
        self.shortcuts(&ctx);
        let tokens = tokens(ui);
        let narrow = ui.available_width() < 1_100.0;
        let side = Frame::new()
            .fill(tokens.panel)
            .inner_margin(Margin::symmetric(10, 16));
        Panel::left("side bar")
            .exact_size(if narrow { 148.0 } else { 188.0 })
            .resizable(false)
            .frame(side)
            .show(ui, |ui| self.side_bar_ui(ui));
        let height = ui.available_height();
        if self.activity.is_open() {
            let Self {
                activity,
                state,
                out,
                ..
            } = self;
            let veil = state.veil();
            Panel::bottom("activity")
                .default_size((height * 0.3).max(110.0))
                .size_range(100.0..=(height * 0.4).max(120.0))
                .resizable(true)
                .frame(
                    Frame::new()
                        .fill(tokens.panel)
                        .inner_margin(Margin::symmetric(16, 10)),
                )
                .show(ui, |ui| activity.show(ui, &mut state.activity, &veil, out));
        }
        let margin = if narrow {
            Margin::symmetric(14, 14)
        } else {
            Margin::symmetric(22, 20)
        };
        CentralPanel::no_frame()
            .frame(Frame::new().fill(tokens.background).inner_margin(margin))
            .show(ui, |ui| self.page_ui(ui, now));
        if self.page != Page::Home {
            // A key is in the clear only while the user looks at it.
            self.state.revealed_key = None;
        }
        self.code.show(&ctx, &mut self.state, &mut self.out);
        pictures::large_ui(&ctx, &mut self.out);
        pictures::work(&ctx, &mut self.state, &mut self.out);
        self.closing_ui(&ctx);
        self.toasts.show(&ctx, now);
        self.take_copies(&ctx);
        self.send();
        self.frames += 1;
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

/// Since the program's start, by egui's clock.
fn now(ctx: &Context) -> Duration {
    Duration::try_from_secs_f64(ctx.input(|input| input.time)).unwrap_or_default()
}

/// Goes on while the window is hidden: egui's clock stands still then, since no pass brings new input.
#[derive(Debug, Default)]
struct Clock {
    /// The last time egui told, and the engine's when it was first told.
    told: Option<(Duration, Duration)>,
}

impl Clock {
    /// What time it is where egui tells `time` and the engine `uptime`. While egui's clock goes, it is egui's.
    fn read(&mut self, time: Duration, uptime: Duration) -> Duration {
        match self.told {
            Some((before, since)) if before == time => time + uptime.saturating_sub(since),
            _ => {
                self.told = Some((time, uptime));
                time
            }
        }
    }
}

fn apply_theme(ctx: &Context, choice: ThemeChoice) {
    ctx.set_theme(match choice {
        ThemeChoice::System => egui::ThemePreference::System,
        ThemeChoice::Light => egui::ThemePreference::Light,
        ThemeChoice::Dark => egui::ThemePreference::Dark,
    });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on_while_no_frame_is_drawn() {
        let mut clock = Clock::default();
        let mut read = |told, passed| {
            clock
                .read(Duration::from_secs(told), Duration::from_secs(passed))
                .as_secs()
        };
        assert_eq!(read(10, 0), 10);
        assert_eq!(read(11, 500), 11, "while it goes, it is egui's");
        assert_eq!([read(11, 501), read(11, 620)], [12, 131]);
        assert_eq!(read(640, 621), 640);
    }
}

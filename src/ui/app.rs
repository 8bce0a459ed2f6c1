//! The window itself: drains events, draws the page, sends what the pages ask for.

mod pages;
mod side_bar;

use std::time::Duration;

use crossbeam_channel::Receiver;
use egui::{CentralPanel, Context, Frame, Panel, Ui};

use super::palette::Palette;
use super::pictures;
use super::save_as::SaveAs;
use super::theme::{self, GAP};
use super::toasts::Toasts;
use super::views::activity::ActivityUi;
use super::views::benchmark::BenchmarkUi;
use super::views::code::CodeUi;
use super::views::environments::EnvironmentsUi;
use super::views::history::HistoryUi;
use super::views::playground::PlaygroundUi;
use super::views::welcome::WelcomeUi;
use super::widgets::{answers, danger_button, strong, tokens};
use crate::domain::settings::ThemeChoice;
use crate::domain::workspace::Page;
use crate::engine::quit::Quit;
use crate::engine::{Engine, Started};
use crate::protocol::{Command, Event};
use crate::state::State;
use crate::state::action::{Action, Actions};

/// Told of the window's first frames, when the start is measured.
pub type Mark = Box<dyn Fn(&str)>;

/// How far closing the window has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    /// Closing was not requested.
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
    /// The page of the last frame.
    shown: Page,
    environments: EnvironmentsUi,
    welcome: WelcomeUi,
    palette: Palette,
    /// The theme of the last frame; `None` before the first.
    theme: Option<ThemeChoice>,
    playground: PlaygroundUi,
    benchmark: BenchmarkUi,
    save_as: SaveAs,
    history: HistoryUi,
    closing: Closing,
    quit: Quit,
    code: CodeUi,
    activity: ActivityUi,
    toasts: Toasts,
    /// Commands to send after this frame.
    out: Vec<Command>,
    /// When the Playground's panes and drafts were looked at last, to be kept.
    looked: Duration,
    clock: Clock,
    /// Told of the first frames, when the start is measured.
    mark: Option<Mark>,
    frames: u64,
}

impl Drop for App {
    fn drop(&mut self) {
        // The engine takes what is in its channel before it ends.
        self.state.remember_panes(&mut self.out);
        self.state.remember_window(&mut self.out);
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
            workspace,
            notice,
        } = started;
        let mut app = Self {
            engine,
            events,
            state: State::restored(settings, workspace),
            shown: Page::Playground,
            environments: EnvironmentsUi::default(),
            welcome: WelcomeUi::default(),
            palette: Palette::default(),
            theme: None,
            playground: PlaygroundUi::default(),
            benchmark: BenchmarkUi::default(),
            save_as: SaveAs::default(),
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
        app.shown = app.state.page;
        app.follow_theme(ctx);
        if let Some(notice) = notice {
            app.toasts.add_failure(notice);
        }
        app.state.start(&mut app.out);
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
        let filled = self.state.connection().cluster.view.value().is_some();
        if self.frames > 1 && filled {
            mark("deployments shown");
            self.mark = None;
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        }
        ctx.request_repaint();
    }

    /// The window's state, for tests and benches.
    pub fn state(&mut self) -> &mut State {
        &mut self.state
    }

    /// Does what a view would ask for; for benches. It is sent with the next frame.
    pub fn act(&mut self, action: Action) {
        let clock = crate::state::history::Clock {
            now: self.engine.uptime(),
            today: crate::engine::clock(),
        };
        self.state.act(action, clock, &mut self.out);
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
        for notice in self.state.notices.take() {
            self.toasts.add(notice);
        }
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

    /// A session is not lost by a click on the window's cross.
    fn closing_ui(&mut self, ctx: &Context) {
        let running = self.state.bench.running().is_some();
        let close_requested = ctx.input(|input| input.viewport().close_requested());
        if close_requested && running && self.closing != Closing::Yes {
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
            ui.label("Closing the window stops it. The results so far are kept in the History");
            ui.add_space(GAP);
            let answer = answers(ui, "Keep running", false, |ui| {
                danger_button(ui, "Stop and close", true)
            });
            stays = answer.left;
            if answer.done {
                self.state.bench.stop(&mut self.out);
                self.closing = Closing::Yes;
                ui.ctx().send_viewport_cmd(egui::ViewportCommand::Close);
            }
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
        if let Some(wait) = self.state.tick(now, &mut self.out) {
            ctx.request_repaint_after(wait);
        }
        self.send();
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        let now = now(&ctx);
        self.shortcuts(&ctx);
        self.follow_theme(&ctx);
        let tokens = tokens(ui);
        let narrow = ui.available_width() < 1_100.0;
        let side = Frame::new()
            .fill(tokens.panel)
            .inner_margin(theme::margin(2, 4));
        Panel::left("side bar")
            .exact_size(if narrow { 148.0 } else { 188.0 })
            .resizable(false)
            .frame(side)
            .show(ui, |ui| self.side_bar_ui(ui));
        self.toasts.status_ui(ui);
        self.activity_ui(ui);
        CentralPanel::no_frame()
            .frame(
                Frame::new()
                    .fill(tokens.background)
                    .inner_margin(theme::page_margin(narrow)),
            )
            .show(ui, |ui| self.page_ui(ui, now));
        self.palette_ui(&ctx, now);
        self.follow_page();
        self.code.show(&ctx, &self.state, &mut self.out);
        pictures::large_ui(&ctx, &mut self.out);
        pictures::work(&ctx, &mut self.state, &mut self.out);
        let mut actions = Actions::default();
        self.save_as.show(&ctx, &self.state, &mut actions);
        super::perform(
            &ctx,
            actions,
            &mut self.state,
            super::clock(&ctx),
            &mut self.out,
        );
        self.closing_ui(&ctx);
        self.toasts.show(&ctx, now);
        self.take_copies(&ctx);
        self.send();
        self.frames += 1;
    }

    /// What is kept of the window's contents is in the history's database, for all windows and versions.
    fn persist_egui_memory(&self) -> bool {
        false
    }

    /// As often as drafts are saved, so that a window which is killed comes back with its size. The file is
    /// written only when the size or the position changed.
    fn auto_save_interval(&self) -> Duration {
        Duration::from_secs(2)
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
    /// The current time. It is egui's `time` as long as that advances; then the engine's `uptime` carries it on.
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

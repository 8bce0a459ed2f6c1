//! The pages of the window: which one is shown, what keys open them, and what is done between them.

use std::time::Duration;

use egui::{Context, Frame, Key, Modifiers, Panel, RichText, TextStyle, Ui};

use super::App;
use crate::domain::settings::ThemeChoice;
use crate::domain::workspace::Page;
use crate::state::action::Actions;
use crate::ui::keys::PAGES;
use crate::ui::palette;
use crate::ui::theme;
use crate::ui::views::deployments;
use crate::ui::widgets::tokens;

/// So often are panes and drafts looked at for what has changed.
const LOOK: Duration = Duration::from_secs(2);

impl App {
    /// What is done when another page is shown than in the last frame.
    pub(super) fn follow_page(&mut self) {
        let page = self.state.page;
        if std::mem::replace(&mut self.shown, page) == page {
            return;
        }
        self.toasts.collapse();
        self.state.remember_panes(&mut self.out);
        self.state.delete_removed(&mut self.out);
        self.state.remember_form(&mut self.out);
        self.state.remember_window(&mut self.out);
        if page == Page::Playground {
            self.playground.arrive();
        }
        // A key is in the clear only while the user looks at it.
        self.state.environments.revealed_key = None;
    }

    /// The theme that the settings name.
    pub(super) fn follow_theme(&mut self, ctx: &Context) {
        let choice = self.state.environments.settings.theme;
        if self.theme.replace(choice) == Some(choice) {
            return;
        }
        ctx.set_theme(match choice {
            ThemeChoice::System => egui::ThemePreference::System,
            ThemeChoice::Light => egui::ThemePreference::Light,
            ThemeChoice::Dark => egui::ThemePreference::Dark,
        });
    }

    pub(super) fn shortcuts(&mut self, ctx: &Context) {
        let with_shift = Modifiers::COMMAND | Modifiers::SHIFT;
        let above = ctx.memory(|memory| memory.top_modal_layer().is_some());
        // Before Ctrl+P, which does not mind Shift.
        if ctx.input_mut(|input| input.consume_key(with_shift, Key::P)) && !above {
            self.palette.open();
        }
        if ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::F1)) {
            self.state.page = Page::Welcome;
        }
        for (page, _, key) in PAGES {
            if ctx.input_mut(|input| input.consume_key(Modifiers::COMMAND, key)) {
                self.state.page = page;
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

    /// The command palette, while it is open.
    pub(super) fn palette_ui(&mut self, ctx: &Context, now: Duration) {
        let Self {
            palette,
            state,
            out,
            ..
        } = self;
        if !palette.is_open() {
            return;
        }
        if let Some(wait) = palette::work(state, now, out) {
            ctx.request_repaint_after(wait);
        }
        let mut actions = Actions::default();
        if palette.show(ctx, state, &mut actions) {
            self.activity.toggle();
        }
        crate::ui::perform(ctx, actions, state, crate::ui::clock(ctx), out);
    }

    /// The Activity, while it is open.
    pub(super) fn activity_ui(&mut self, ui: &mut Ui) {
        if !self.activity.is_open() {
            return;
        }
        let height = ui.available_height();
        let Self {
            activity,
            state,
            out,
            ..
        } = self;
        let redaction = state.pane_targets().redaction();
        let mut actions = Actions::default();
        Panel::bottom("activity")
            .default_size((height * 0.3).max(110.0))
            .size_range(100.0..=(height * 0.4).max(120.0))
            .resizable(true)
            .frame(
                Frame::new()
                    .fill(tokens(ui).panel)
                    .inner_margin(theme::margin(4, 2)),
            )
            .show(ui, |ui| {
                activity.show(ui, &state.activity, &redaction, &mut actions);
            });
        crate::ui::perform(ui.ctx(), actions, state, crate::ui::clock(ui.ctx()), out);
    }

    pub(super) fn page_ui(&mut self, ui: &mut Ui, now: Duration) {
        let (corner, page) = (ui.max_rect().left_top(), self.state.page);
        let Self {
            state,
            environments,
            welcome,
            playground,
            benchmark,
            history,
            code,
            out,
            ..
        } = self;
        match state.page {
            Page::Environments => environments.show(ui, state, out),
            Page::Deployments => deployments::show(ui, state, out),
            Page::Welcome => welcome.show(ui, state, out),
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
            }
            Page::Benchmark => {
                let asked = benchmark.show(ui, state, now, out);
                if let Some(sessions) = asked.compare {
                    history.compare(sessions, state);
                    state.page = Page::History;
                }
            }
            Page::History => {
                let asked = history.show(ui, state, now, out);
                if asked.benchmark {
                    state.page = Page::Benchmark;
                } else if asked.playground {
                    state.page = Page::Playground;
                }
            }
        }
        if self.state.env().demo {
            demo_badge_ui(ui, page, corner);
        }
    }
}

/// Beside the page's title.
fn demo_badge_ui(ui: &mut Ui, page: Page, corner: egui::Pos2) {
    let Some((_, title, _)) = PAGES.iter().find(|(it, ..)| *it == page) else {
        return;
    };
    let heading = TextStyle::Heading.resolve(ui.style());
    let color = tokens(ui).warning;
    let title = ui
        .painter()
        .layout_no_wrap((*title).to_owned(), heading, color);
    let at = corner + egui::vec2(title.size().x + 12.0, 2.0);
    let rect = egui::Rect::from_min_size(at, egui::vec2(180.0, 20.0));
    let mut badge = ui.new_child(egui::UiBuilder::new().max_rect(rect));
    Frame::new()
        .stroke(egui::Stroke::new(1.0, color))
        .corner_radius(egui::CornerRadius::same(4))
        .inner_margin(theme::margin(1, 0))
        .show(&mut badge, |ui| {
            ui.label(RichText::new("Demo: simulated models").small().color(color));
        });
}

//! Short messages at the top, where no button is. What went well goes by itself; a failure collapses into the status bar,
//! after a while or when the page changes, and stays there until it is dismissed.

use std::time::Duration;

use egui::{
    Align2, Area, Context, CornerRadius, Frame, Id, Label, Order, Panel, RichText, Role,
    ScrollArea, Stroke, TextStyle, Ui, WidgetInfo, vec2,
};

use super::theme::{self, GAP, GRID, Tokens};
use super::widgets::{
    details_ui, from_right, message, shortened, small_button, small_danger_button, tokens,
};
use crate::domain::failure::Failure;
use crate::domain::units;
use crate::state::Notice;

/// So long a message stays.
const MESSAGE_STAYS: Duration = Duration::from_secs(4);
/// So long a failure stays at the top, before it is only in the status bar.
const FAILURE_STAYS: Duration = Duration::from_secs(10);
const MAX_TOASTS: usize = 5;
/// Older failures are dropped from the status bar.
const MAX_COLLAPSED: usize = 50;
const STATUS_HEIGHT: f32 = 24.0;

/// The messages that are shown.
#[derive(Debug, Default)]
pub(super) struct Toasts {
    shown: Vec<(u64, Toast)>,
    /// Failures that are only in the status bar, oldest first.
    collapsed: Vec<(u64, Failure)>,
    /// The status bar's failures are listed.
    listed: bool,
    next: u64,
}

#[derive(Debug)]
struct Toast {
    what: What,
    /// When it goes; `None` before it was first drawn.
    until: Option<Duration>,
}

#[derive(Debug)]
enum What {
    Message(String),
    Failed(Failure),
}

impl Toasts {
    /// Shows a notice from now on.
    pub(super) fn add(&mut self, notice: Notice) {
        match notice.failure {
            Some(failure) => self.add_failure(failure),
            None => self.push(What::Message(notice.text)),
        }
    }

    /// Shows a failure.
    pub(super) fn add_failure(&mut self, failure: Failure) {
        self.push(What::Failed(failure));
    }

    fn push(&mut self, what: What) {
        self.shown.push((self.next, Toast { what, until: None }));
        self.next += 1;
        if self.shown.len() > MAX_TOASTS {
            let (id, oldest) = self.shown.remove(0);
            self.collapse_one(id, oldest);
        }
    }

    /// Another page is shown: what failed on this one does not lie over it.
    pub(super) fn collapse(&mut self) {
        self.listed = false;
        for (id, toast) in std::mem::take(&mut self.shown) {
            match toast.what {
                What::Failed(_) => self.collapse_one(id, toast),
                What::Message(_) => self.shown.push((id, toast)),
            }
        }
    }

    fn collapse_one(&mut self, id: u64, toast: Toast) {
        if let What::Failed(failure) = toast.what {
            self.collapsed.push((id, failure));
            if self.collapsed.len() > MAX_COLLAPSED {
                self.collapsed.remove(0);
            }
        }
    }

    /// Draws them above everything else.
    pub(super) fn show(&mut self, ctx: &Context, now: Duration) {
        for (id, toast) in std::mem::take(&mut self.shown) {
            if toast.until.is_none_or(|until| until > now) {
                self.shown.push((id, toast));
            } else {
                self.collapse_one(id, toast);
            }
        }
        let mut dismissed = None;
        let mut y = 8.0;
        for (id, toast) in self.shown.iter_mut().rev() {
            let stays = match toast.what {
                What::Message(_) => MESSAGE_STAYS,
                What::Failed(_) => FAILURE_STAYS,
            };
            let area = Area::new(Id::unique(("toast", &*id)))
                .order(Order::Foreground)
                .anchor(Align2::CENTER_TOP, vec2(0.0, y))
                .show(ctx, |ui| toast_ui(ui, *id, &toast.what));
            if area.inner {
                dismissed = Some(*id);
            }
            // A failure that is being read stays.
            if area.response.contains_pointer() && matches!(toast.what, What::Failed(_)) {
                toast.until = Some(now + stays);
            }
            let until = *toast.until.get_or_insert(now + stays);
            y += area.response.rect.height() + 8.0;
            ctx.request_repaint_after(until.saturating_sub(now));
        }
        self.shown.retain(|(id, _)| Some(*id) != dismissed);
    }

    /// The line at the bottom of the window that keeps failures, while there are any.
    pub(super) fn status_ui(&mut self, ui: &mut Ui) {
        if self.collapsed.is_empty() {
            self.listed = false;
            return;
        }
        let tokens = tokens(ui);
        if self.listed {
            // An area does not grow: another number of problems is another area.
            Area::new(Id::unique(("problems", self.collapsed.len())))
                .order(Order::Foreground)
                .anchor(Align2::RIGHT_BOTTOM, vec2(-16.0, -STATUS_HEIGHT - 8.0))
                .show(ui.ctx(), |ui| {
                    toast_frame(ui, tokens.error).show(ui, |ui| {
                        ui.set_max_width(480.0);
                        self.list_ui(ui);
                    });
                });
        }
        Panel::bottom("status bar")
            .exact_size(STATUS_HEIGHT)
            .resizable(false)
            .frame(
                Frame::new()
                    .fill(tokens.panel)
                    .inner_margin(theme::margin(4, 0)),
            )
            .show(ui, |ui| {
                ui.horizontal_centered(|ui| {
                    let problems = units::counted(self.collapsed.len(), "problem");
                    ui.label(RichText::new(problems).small().color(tokens.error));
                    from_right(ui, |ui| {
                        if small_danger_button(ui, "Dismiss problems", true).clicked() {
                            self.collapsed.clear();
                        }
                        let name = if self.listed {
                            "Hide problems"
                        } else {
                            "Show problems"
                        };
                        if small_button(ui, name).clicked() {
                            self.listed = !self.listed;
                        }
                        if let Some((_, last)) = self.collapsed.last() {
                            let width = ui.available_width();
                            let text = message(&last.summary);
                            ui.with_layout(
                                egui::Layout::left_to_right(egui::Align::Center),
                                |ui| {
                                    shortened(ui, &text, TextStyle::Small, tokens.dim, width);
                                },
                            );
                        }
                    });
                });
            });
    }

    fn list_ui(&mut self, ui: &mut Ui) {
        let mut dismissed = None;
        let most = ui.ctx().content_rect().height() * 0.35;
        ScrollArea::vertical()
            .id_salt("problems")
            .max_height(most)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                for (id, failure) in self.collapsed.iter().rev() {
                    failure_ui(ui, *id, failure);
                    let button = small_button(ui, "Dismiss");
                    let name = format!("Dismiss: {}", message(&failure.summary));
                    button.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                    if button.clicked() {
                        dismissed = Some(*id);
                    }
                    ui.add_space(GAP);
                }
            });
        self.collapsed.retain(|(id, _)| Some(*id) != dismissed);
    }
}

fn failure_ui(ui: &mut Ui, id: u64, failure: &Failure) {
    let tokens = Tokens::of(ui.style());
    ui.spacing_mut().item_spacing.y = GRID;
    let summary = RichText::new(message(&failure.summary))
        .text_style(theme::strong_text())
        .color(tokens.error);
    ui.add(Label::new(summary).wrap());
    if !failure.advice.is_empty() {
        ui.add(Label::new(RichText::new(message(&failure.advice))).wrap());
    }
    details_ui(ui, &format!("toast {id}"), &failure.details);
}

fn toast_frame(ui: &Ui, line: egui::Color32) -> Frame {
    Frame::new()
        .fill(Tokens::of(ui.style()).raised)
        .stroke(Stroke::new(1.0, line))
        .corner_radius(CornerRadius::same(8))
        .inner_margin(theme::margin(3, 2))
        .shadow(ui.visuals().popup_shadow)
}

/// Draws one; gives whether it was dismissed.
fn toast_ui(ui: &mut Ui, id: u64, what: &What) -> bool {
    let tokens = Tokens::of(ui.style());
    let failed = matches!(what, What::Failed(_));
    let line = if failed { tokens.error } else { tokens.ok };
    toast_frame(ui, line)
        .show(ui, |ui| {
            ui.set_max_width(380.0);
            match what {
                What::Message(text) => {
                    ui.label(text);
                    false
                }
                What::Failed(failure) => {
                    failure_ui(ui, id, failure);
                    ui.button("Dismiss").clicked()
                }
            }
        })
        .inner
}

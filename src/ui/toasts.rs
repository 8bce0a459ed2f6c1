//! Short messages at the top, where no button is. What went well goes by itself; a failure stays until it is dismissed.

use std::time::Duration;

use egui::{
    Align2, Area, Context, CornerRadius, Frame, Id, Label, Margin, Order, RichText, Stroke, vec2,
};

use super::theme::{self, Tokens};
use super::widgets::{details_ui, message};
use crate::domain::failure::Failure;
use crate::state::Notice;

const STAYS: Duration = Duration::from_secs(4);
const MAX_TOASTS: usize = 5;

/// The messages that are shown.
#[derive(Debug, Default)]
pub(super) struct Toasts {
    shown: Vec<(u64, Toast)>,
    next: u64,
}

#[derive(Debug)]
enum Toast {
    Message { text: String, until: Duration },
    Failed(Failure),
}

impl Toasts {
    /// Shows a notice from now on.
    pub(super) fn add(&mut self, notice: Notice, now: Duration) {
        match notice.failure {
            Some(failure) => self.add_failure(failure),
            None => self.push(Toast::Message {
                text: notice.text,
                until: now + STAYS,
            }),
        }
    }

    /// Shows a failure until it is dismissed.
    pub(super) fn add_failure(&mut self, failure: Failure) {
        self.push(Toast::Failed(failure));
    }

    fn push(&mut self, toast: Toast) {
        self.shown.push((self.next, toast));
        self.next += 1;
        if self.shown.len() > MAX_TOASTS {
            self.shown.remove(0);
        }
    }

    /// Draws them above everything else.
    pub(super) fn show(&mut self, ctx: &Context, now: Duration) {
        self.shown
            .retain(|(_, toast)| !matches!(toast, Toast::Message { until, .. } if *until <= now));
        let mut dismissed = None;
        let mut y = 8.0;
        for (id, toast) in self.shown.iter().rev() {
            let area = Area::new(Id::unique(("toast", id)))
                .order(Order::Foreground)
                .anchor(Align2::CENTER_TOP, vec2(0.0, y))
                .show(ctx, |ui| toast_ui(ui, *id, toast));
            if area.inner {
                dismissed = Some(*id);
            }
            y += area.response.rect.height() + 8.0;
            if let Toast::Message { until, .. } = toast {
                ctx.request_repaint_after(until.saturating_sub(now));
            }
        }
        self.shown.retain(|(id, _)| Some(*id) != dismissed);
    }
}

/// Draws one; gives whether it was dismissed.
fn toast_ui(ui: &mut egui::Ui, id: u64, toast: &Toast) -> bool {
    let tokens = Tokens::of(ui.style());
    let failed = matches!(toast, Toast::Failed(_));
    let line = if failed { tokens.error } else { tokens.ok };
    Frame::new()
        .fill(tokens.raised)
        .stroke(Stroke::new(1.0, line))
        .corner_radius(CornerRadius::same(8))
        .inner_margin(Margin::symmetric(12, 8))
        .shadow(ui.visuals().popup_shadow)
        .show(ui, |ui| {
            ui.set_max_width(380.0);
            match toast {
                Toast::Message { text, .. } => {
                    ui.label(text);
                    false
                }
                Toast::Failed(failure) => {
                    ui.spacing_mut().item_spacing.y = 4.0;
                    let summary = RichText::new(message(&failure.summary))
                        .text_style(theme::strong_text())
                        .color(tokens.error);
                    ui.add(Label::new(summary).wrap());
                    if !failure.advice.is_empty() {
                        ui.add(Label::new(RichText::new(message(&failure.advice))).wrap());
                    }
                    details_ui(ui, &format!("toast {id}"), &failure.details);
                    ui.button("Dismiss").clicked()
                }
            }
        })
        .inner
}

//! Attachments: chips in the composer, pictures and folded texts in a sent message.

use std::path::PathBuf;

use egui::{
    Align, CornerRadius, Event, Frame, Layout, Rect, RichText, Role, ScrollArea, Sense, Stroke,
    TextStyle, TextWrapMode, Ui, Vec2, WidgetInfo, vec2,
};

use crate::domain::conversation::{Attached, Attachment};
use crate::protocol::{AttachSources, Picture};
use crate::state::State;
use crate::state::action::Actions;
use crate::state::panes::PaneAction;
use crate::ui::pictures;
use crate::ui::theme::{self, GRID, HALF};
use crate::ui::widgets::{caption, drop_hint, shortened, small_button, tokens};

/// A chip's height, with what is below it.
const CHIPS: f32 = 54.0;
/// The height of a line below them.
const REMARK: f32 = 18.0;
/// A picture in what was said is no larger.
const THUMB: Vec2 = vec2(220.0, 150.0);

/// How much room the chips take.
pub(super) fn height(state: &State) -> f32 {
    let remark = remark(state).is_some();
    let drafting = state.panes().drafting();
    let chips = state.attach.is_attaching(&state.env().id)
        || !state.panes().chat(drafting).attached.is_empty();
    let rows = [(chips, CHIPS), (remark, REMARK)];
    rows.iter()
        .filter(|(shown, _)| *shown)
        .map(|(_, height)| height)
        .sum()
}

/// A remark on whether the models can see pictures, and whether it forbids sending.
fn remark(state: &State) -> Option<(String, bool)> {
    let against = state
        .pane_targets()
        .pictures_unseen()
        .map(|failure| (failure.to_string(), true));
    against.or_else(|| {
        state
            .pane_targets()
            .pictures_perhaps_unseen()
            .map(|text| (text, false))
    })
}

/// The chips of the draft. Gives whether it can be sent.
pub(super) fn chips_ui(ui: &mut Ui, state: &State, out: &mut Actions) -> bool {
    let attaching = state.attach.is_attaching(&state.env().id);
    let drafting = state.panes().drafting();
    let chat = state.panes().chat(drafting);
    let (mut removed, mut stopped) = (None, false);
    if attaching || !chat.attached.is_empty() {
        let area = ScrollArea::horizontal()
            .id_salt("attachments")
            .max_height(CHIPS)
            .auto_shrink([false, true]);
        area.content_margin(0).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = GRID;
                // Chips beyond the right edge are as high as the others.
                ui.style_mut().wrap_mode = Some(TextWrapMode::Extend);
                for (index, attachment) in chat.attached.iter().enumerate() {
                    if ui
                        .push_id(("attached", index), |ui| chip_ui(ui, attachment))
                        .inner
                    {
                        removed = Some(index);
                    }
                }
                if attaching {
                    ui.spinner();
                    caption(ui, "Reading…");
                    stopped = small_button(ui, "Stop reading").clicked();
                }
            });
        });
    }
    out.extend(removed.map(PaneAction::Detach));
    if stopped {
        out.push(PaneAction::StopAttaching);
    }
    let Some((text, forbids)) = remark(state) else {
        return true;
    };
    let tokens = tokens(ui);
    let color = if forbids {
        tokens.error
    } else {
        tokens.warning
    };
    let label = egui::Label::new(RichText::new(&text).small().color(color)).truncate();
    ui.add(label).on_hover_text(&text);
    !forbids
}

/// Gives whether it is to be taken away.
fn chip_ui(ui: &mut Ui, attachment: &Attachment) -> bool {
    let tokens = tokens(ui);
    let Attachment { name, content } = attachment;
    let told = attachment.told();
    let mut removed = false;
    let frame = Frame::new()
        .fill(tokens.raised)
        .corner_radius(CornerRadius::same(6));
    let chip = frame.inner_margin(theme::margin(1, 1)).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(GRID, HALF);
        match content {
            Attached::Image(image) => drop(pictures::small_ui(ui, name, image, Vec2::splat(36.0))),
            Attached::Text(_) => sheet_ui(ui),
        }
        ui.vertical(|ui| {
            ui.spacing_mut().interact_size.y = 16.0;
            ui.add_space(HALF);
            shortened(ui, name, TextStyle::Small, tokens.text, 130.0);
            caption(ui, &told);
        });
        let button = small_button(ui, "×");
        let name = format!("Remove {name}");
        button.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
        removed = button.on_hover_text(name).clicked();
    });
    let chip = chip.response.interact(Sense::hover());
    chip.widget_info(|| {
        WidgetInfo::labeled(Role::Label, true, format!("Attached: {name}, {told}"))
    });
    removed
}

/// A sheet of paper with lines on it.
fn sheet_ui(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(36.0), Sense::hover());
    let tokens = tokens(ui);
    let sheet = Rect::from_center_size(rect.center(), vec2(24.0, 30.0));
    let stroke = Stroke::new(1.0, tokens.line_strong);
    ui.painter().rect(
        sheet,
        CornerRadius::same(2),
        tokens.panel,
        stroke,
        egui::StrokeKind::Inside,
    );
    for line in 0..5 {
        let y = sheet.top() + 6.0 + line as f32 * 4.5;
        let end = if line == 4 {
            sheet.center().x
        } else {
            sheet.right() - 4.0
        };
        ui.painter()
            .hline(sheet.left() + 4.0..=end, y, Stroke::new(1.0, tokens.dim));
    }
}

/// The button that lets the user pick files.
pub(super) fn attach_button(ui: &mut Ui, out: &mut Actions) {
    let button = small_button(ui, "Attach…");
    button.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Attach files"));
    let help = "Pictures (PNG, JPEG, WebP) and text files. You can also drop or paste them";
    if button.on_hover_text(help).clicked() {
        out.push(PaneAction::Attach(AttachSources::Dialog));
    }
}

/// Takes what is dropped on the window and what is pasted; says so while something is held above it. `typing`: the
/// composer has the keyboard, or nobody has.
pub(super) fn take(ui: &Ui, typing: bool, out: &mut Actions) {
    if ui.memory(|memory| memory.top_modal_layer().is_some()) {
        return;
    }
    let files: Vec<PathBuf> = ui.input(|input| {
        input
            .raw
            .dropped_files
            .iter()
            .map(|file| file.path().to_owned())
            .collect()
    });
    if !files.is_empty() {
        out.push(PaneAction::Attach(AttachSources::Files(files)));
    }
    let mut pasted = Vec::new();
    if typing {
        ui.input_mut(|input| {
            input.events.retain(|event| match event {
                Event::PasteImage(image) => {
                    pasted.push(picture(image));
                    false
                }
                _ => true,
            });
        });
    }
    let pasted = pasted.into_iter().map(AttachSources::Pasted);
    out.extend(pasted.map(PaneAction::Attach));
    if ui.input(|input| !input.raw.hovered_files.is_empty()) {
        drop_hint(
            ui,
            "Drop files to attach them",
            "Pictures (PNG, JPEG, WebP) and text files",
        );
    }
}

fn picture(image: &egui::ColorImage) -> Picture {
    let [width, height] = image.size;
    let rgba = if image.pixels.iter().all(|pixel| pixel.is_opaque()) {
        image.as_raw().into()
    } else {
        image
            .pixels
            .iter()
            .flat_map(|pixel| pixel.to_srgba_unmultiplied())
            .collect()
    };
    Picture {
        width,
        height,
        rgba,
    }
}

/// The pictures of what was said, from the right, above its words.
pub(super) fn said_pictures_ui(ui: &mut Ui, attachments: &[Attachment]) {
    let most = THUMB.min(vec2(ui.available_width(), THUMB.y));
    ui.with_layout(
        Layout::right_to_left(Align::Min).with_main_wrap(true),
        |ui| {
            ui.spacing_mut().item_spacing = vec2(GRID, GRID);
            // The first is the leftmost where there is room for all.
            for (index, attachment) in attachments.iter().enumerate().rev() {
                if let Some(image) = attachment.image() {
                    let size = pictures::fitting(image, most);
                    ui.push_id(index, |ui| {
                        pictures::small_ui(ui, &attachment.name, image, size)
                    });
                }
            }
        },
    );
}

/// How high they probably are.
pub(super) fn said_pictures_height(attachments: &[Attachment]) -> f32 {
    let heights = attachments
        .iter()
        .filter_map(Attachment::image)
        .map(|image| pictures::fitting(image, THUMB).y);
    heights.fold(36.0, f32::max)
}

/// A text's name and size, as its fold says it.
pub(super) fn text_title(attachment: &Attachment) -> String {
    format!("{} · {}", attachment.name, attachment.told())
}

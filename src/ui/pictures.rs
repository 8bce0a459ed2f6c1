//! Attached pictures on the screen. The engine decodes each once, as small as it is shown; a texture that nobody has
//! seen for a while is dropped.

use std::sync::Arc;

use egui::{
    Color32, ColorImage, Context, CornerRadius, Id, Modal, Plugin, Rect, Response, Role, Sense,
    TextureHandle, TextureOptions, Ui, Vec2, WidgetInfo, vec2,
};

use super::widgets::{caption, focus_when_new, from_right, primary_button, shortened, tokens};
use crate::domain::conversation::Image;
use crate::domain::units;
use crate::protocol::{Command, JobId, LocalQuestion, Picture};
use crate::state::State;
use crate::ui::theme::{self, GRID, HALF};

/// The longer side of a small picture, in pixels: sharp where a point is two of them.
const SMALL: u32 = 448;
/// The longer side of a large one.
const LARGE: u32 = 2_048;
/// So long, in seconds, a texture is kept that nobody sees.
const KEPT: f64 = 20.0;

/// The decoded pictures of the window.
#[derive(Default)]
pub(super) struct Pictures {
    shown: Vec<Shown>,
    /// The one that is seen large, and its name.
    open: Option<(String, Image)>,
}

struct Shown {
    image: Image,
    edge: u32,
    pixels: Pixels,
    /// Since the program's start, in seconds.
    seen: f64,
}

enum Pixels {
    Wanted,
    Asked(JobId),
    Here(TextureHandle),
    Broken,
}

impl Plugin for Pictures {
    fn debug_name(&self) -> &'static str {
        "attached pictures"
    }
}

impl Pictures {
    /// Its texture, as soon as there is one; `None` when it cannot be decoded.
    fn texture(&mut self, image: &Image, edge: u32, now: f64) -> Option<Option<TextureHandle>> {
        let same = |shown: &&mut Shown| {
            shown.edge == edge && Arc::ptr_eq(&shown.image.base64, &image.base64)
        };
        let shown = match self.shown.iter_mut().find(same) {
            Some(shown) => shown,
            None => {
                let image = image.clone();
                self.shown.push(Shown {
                    image,
                    edge,
                    pixels: Pixels::Wanted,
                    seen: now,
                });
                self.shown.last_mut()?
            }
        };
        shown.seen = now;
        match &shown.pixels {
            Pixels::Here(texture) => Some(Some(texture.clone())),
            Pixels::Wanted | Pixels::Asked(_) => Some(None),
            Pixels::Broken => None,
        }
    }
}

fn with<R: Default>(ctx: &Context, what: impl FnOnce(&mut Pictures) -> R) -> R {
    let pictures = ctx.plugin_or_default::<Pictures>();
    let mut pictures = pictures.lock();
    what(&mut pictures)
}

/// Takes what was decoded, asks for what was seen, and drops what was not. Called once a frame.
pub(super) fn work(ctx: &Context, state: &mut State, out: &mut Vec<Command>) {
    let now = ctx.input(|input| input.time);
    with(ctx, |pictures| {
        for (job, outcome) in state.attach.decoded.drain(..) {
            let asked = |shown: &&mut Shown| matches!(shown.pixels, Pixels::Asked(of) if of == job);
            if let Some(shown) = pictures.shown.iter_mut().find(asked) {
                shown.pixels =
                    outcome.map_or(Pixels::Broken, |picture| Pixels::Here(load(ctx, &picture)));
            }
        }
        pictures.shown.retain(|shown| {
            let stays = now - shown.seen < KEPT;
            if let (false, Pixels::Asked(job)) = (stays, &shown.pixels) {
                out.push(Command::Cancel { job: *job });
            }
            stays
        });
        for shown in &mut pictures.shown {
            if matches!(shown.pixels, Pixels::Wanted) {
                let question = LocalQuestion::Picture {
                    image: shown.image.clone(),
                    edge: shown.edge,
                };
                shown.pixels = Pixels::Asked(state.ask_local(question, out));
            }
        }
    });
}

fn load(ctx: &Context, picture: &Picture) -> TextureHandle {
    let size = [picture.width, picture.height];
    ctx.load_texture(
        "attached",
        ColorImage::from_rgba_unmultiplied(size, &picture.rgba),
        TextureOptions::LINEAR,
    )
}

/// How large a picture is shown within `most`: no larger than it is, and not too small to be hit.
pub(super) fn fitting(image: &Image, most: Vec2) -> Vec2 {
    let size = vec2(image.width.max(1) as f32, image.height.max(1) as f32);
    let scale = (most / size).min_elem().min(1.0);
    (size * scale).max(Vec2::splat(36.0).min(most))
}

/// Draws it small, `size` large; a click opens it.
pub(super) fn small_ui(ui: &mut Ui, name: &str, image: &Image, size: Vec2) -> Response {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let spoken = format!("View {name}, {} × {}", image.width, image.height);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &spoken));
    if ui.is_rect_visible(rect) {
        paint(ui, image, rect, SMALL);
        let tokens = tokens(ui);
        let line = if response.hovered() || response.has_focus() {
            tokens.accent
        } else {
            tokens.line
        };
        let stroke = egui::Stroke::new(1.0, line);
        ui.painter().rect_stroke(
            rect,
            CornerRadius::same(6),
            stroke,
            egui::StrokeKind::Inside,
        );
    }
    if response.clicked() {
        with(ui.ctx(), |pictures| {
            pictures.open = Some((name.to_owned(), image.clone()))
        });
    }
    response
        .on_hover_text(name)
        .on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// Paints as much of `rect` as it fills with its sides in proportion.
fn paint(ui: &Ui, image: &Image, rect: Rect, edge: u32) {
    let tokens = tokens(ui);
    ui.painter()
        .rect_filled(rect, CornerRadius::same(6), tokens.sunken);
    let now = ui.input(|input| input.time);
    match with(ui.ctx(), |pictures| pictures.texture(image, edge, now)) {
        Some(Some(texture)) => {
            let size = texture.size_vec2();
            let shown = size * (rect.size() / size).min_elem();
            let at = Rect::from_center_size(rect.center(), shown);
            let whole = Rect::from_min_max(egui::Pos2::ZERO, egui::pos2(1.0, 1.0));
            egui::Image::new((texture.id(), shown))
                .corner_radius(6)
                .uv(whole)
                .paint_at(ui, at);
        }
        Some(None) => {}
        None => {
            let font = egui::TextStyle::Small.resolve(ui.style());
            let anchor = egui::Align2::CENTER_CENTER;
            ui.painter()
                .text(rect.center(), anchor, "broken", font, tokens.error);
        }
    }
}

/// Draws the one that is seen large, if there is one.
pub(super) fn large_ui(ctx: &Context, out: &mut Vec<Command>) {
    let Some((name, image)) = with(ctx, |pictures| pictures.open.clone()) else {
        return;
    };
    let most = ctx.content_rect().size() - vec2(96.0, 150.0);
    let size = fitting(&image, most.max(Vec2::splat(120.0)));
    let mut closes = false;
    let modal = Modal::new(Id::unique("attached picture")).show(ctx, |ui| {
        ui.set_width(size.x.max(420.0_f32.min(most.x)));
        ui.vertical_centered(|ui| {
            let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
            // A picture may be transparent.
            ui.painter()
                .rect_filled(rect, CornerRadius::same(6), Color32::TRANSPARENT);
            paint(ui, &image, rect, LARGE);
        });
        ui.add_space(GRID);
        ui.horizontal(|ui| {
            let width = ui.available_width() - 190.0;
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = HALF;
                let text = tokens(ui).text;
                shortened(ui, &name, theme::strong_text(), text, width);
                let form = image.media_type.trim_start_matches("image/").to_uppercase();
                let size = units::bytes(image.size());
                caption(
                    ui,
                    format!("Sent as {form}, {} × {}, {size}", image.width, image.height),
                );
            });
            from_right(ui, |ui| {
                let close = primary_button(ui, "Close", true);
                focus_when_new(&close);
                closes = close.clicked();
                if ui.button("Save…").clicked()
                    && let Some(bytes) = image.bytes()
                {
                    let (what, name) = ("Picture".to_owned(), image.file_name(&name));
                    out.push(Command::SaveFile {
                        what,
                        name,
                        content: bytes.into(),
                    });
                }
            });
        });
    });
    if closes || modal.should_close() {
        with(ctx, |pictures| pictures.open = None);
    }
}

//! Saves a chart as a picture: SVG from the report's painter, or PNG from a screenshot of the window that is cropped to
//! the chart.

use std::sync::Arc;
use std::time::Duration;

use egui::{ColorImage, Context, Rect, Ui};
use parking_lot::Mutex;

use crate::chart::{Chart, svg};
use crate::domain::failure::Failure;
use crate::protocol::{Command, Picture};
use crate::state::action::{Action, Actions};
use crate::ui::widgets::small_button;

/// A window draws a frame in far less.
const PATIENCE: Duration = Duration::from_secs(3);
/// The menu that asked is gone, and what had to be scrolled stands still.
const FRAMES: u32 = 4;

/// Takes one picture at a time.
#[derive(Default)]
pub(super) struct Photographer {
    wanted: Option<Wanted>,
    /// A picture that needed no screenshot.
    drawn: Option<Command>,
}

struct Wanted {
    title: &'static str,
    then: Then,
    since: Option<Duration>,
    /// Where the chart is, and whether all of it can be seen.
    at: Option<(Rect, bool)>,
    frames: u32,
    asked: bool,
    taken: Arc<Mutex<Option<Arc<ColorImage>>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Save,
    Copy,
}

impl Photographer {
    /// The button of a chart.
    pub(super) fn button(&mut self, ui: &mut Ui, chart: &Chart<'_>) {
        let title = chart.title;
        // A picture does not show how it was taken.
        if self
            .wanted
            .as_ref()
            .is_some_and(|wanted| wanted.title == title)
        {
            return;
        }
        let button = small_button(ui, "Export");
        let name = format!("Export {title}");
        button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
        let mut then = None;
        egui::Popup::menu(&button).width(150.0).show(|ui| {
            if ui.button("Save as PNG").clicked() {
                then = Some(Then::Save);
            }
            if ui.button("Save as SVG").clicked() {
                let (what, name) = (title.to_owned(), format!("{}.svg", file_name(title)));
                let content = svg::file(chart).into_bytes().into();
                self.drawn = Some(Command::SaveFile {
                    what,
                    name,
                    content,
                });
            }
            if ui.button("Copy picture").clicked() {
                then = Some(Then::Copy);
            }
        });
        if let Some(then) = then {
            let taken = Arc::default();
            self.wanted = Some(Wanted {
                title,
                then,
                since: None,
                at: None,
                frames: 0,
                asked: false,
                taken,
            });
        }
    }

    /// Told where each chart was drawn.
    pub(super) fn drawn(&mut self, ui: &Ui, title: &str, rect: Rect) {
        let Some(wanted) = self.wanted.as_mut().filter(|wanted| wanted.title == title) else {
            return;
        };
        let seen = ui.clip_rect().contains_rect(rect);
        if !seen && wanted.frames == 0 {
            ui.scroll_to_rect_animation(rect, None, egui::style::ScrollAnimation::none());
        }
        wanted.at = Some((rect, seen));
    }

    /// Goes on with what is wanted; called once a frame.
    pub(super) fn work(&mut self, ctx: &Context, now: Duration, out: &mut Actions) {
        out.extend(self.drawn.take());
        let Some(wanted) = &mut self.wanted else {
            return;
        };
        ctx.request_repaint();
        let since = *wanted.since.get_or_insert(now);
        wanted.frames += 1;
        if !wanted.asked && wanted.frames > FRAMES {
            wanted.asked = true;
            let (taken, waker) = (Arc::clone(&wanted.taken), ctx.clone());
            ctx.request_screenshot(move |image| {
                *taken.lock() = Some(image);
                waker.request_repaint();
            });
        }
        let taken = wanted.taken.lock().take();
        if let Some(image) = taken {
            let command = wanted
                .at
                .and_then(|(rect, _)| command(&image, rect, ctx.pixels_per_point(), wanted));
            match command {
                Some(command) => out.push(command),
                None => out.push(Action::Tell(no_picture())),
            }
            self.wanted = None;
        } else if now.saturating_sub(since) > PATIENCE {
            self.wanted = None;
            out.push(Action::Tell(no_picture()));
        }
    }
}

fn no_picture() -> Failure {
    Failure::new(
        "Could not capture the chart",
        "Enlarge the window until the whole chart is visible and try again, or save the table as CSV",
    )
}

fn command(image: &ColorImage, rect: Rect, scale: f32, wanted: &Wanted) -> Option<Command> {
    let seen = rect.intersect(whole(image, scale));
    // egui panics over what is not there.
    if !seen.is_positive() {
        return None;
    }
    let part = image.region(&seen, Some(scale));
    let (width, height) = (part.size[0], part.size[1]);
    if width < 2 || height < 2 {
        return None;
    }
    let rgba = part.as_raw();
    let what = wanted.title.to_owned();
    if wanted.then == Then::Copy {
        return Some(Command::CopyImage {
            what,
            picture: Picture {
                width,
                height,
                rgba: rgba.into(),
            },
        });
    }
    let mut png = std::io::Cursor::new(Vec::new());
    let buffer = image::RgbaImage::from_raw(width as u32, height as u32, rgba.to_vec())?;
    // fails only when memory does
    buffer.write_to(&mut png, image::ImageFormat::Png).ok()?;
    let name = format!("{}.png", file_name(wanted.title));
    Some(Command::SaveFile {
        what,
        name,
        content: png.into_inner().into(),
    })
}

fn whole(image: &ColorImage, scale: f32) -> Rect {
    Rect::from_min_size(
        egui::Pos2::ZERO,
        egui::vec2(image.size[0] as f32, image.size[1] as f32) / scale,
    )
}

/// `TTFT per request, ms` → `batida-ttft-per-request-ms`
fn file_name(title: &str) -> String {
    let words = title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    std::iter::once("batida")
        .chain(words)
        .collect::<Vec<_>>()
        .join("-")
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(then: Then) -> Wanted {
        let taken = Arc::default();
        Wanted {
            title: "TTFT per request, ms",
            then,
            since: None,
            at: None,
            frames: 0,
            asked: false,
            taken,
        }
    }

    #[test]
    fn the_charts_part_of_the_screenshot_is_kept() {
        let pixels: Vec<u8> = (0..100u8)
            .flat_map(|y| (0..200u8).map(move |x| x.max(y)))
            .collect();
        let image = ColorImage::from_gray([200, 100], &pixels);
        // Two pixels a point: 40 × 20 points from (10, 5) are 80 × 40 pixels from (20, 10).
        let rect = Rect::from_min_size(egui::pos2(10.0, 5.0), egui::vec2(40.0, 20.0));
        let Some(Command::CopyImage { picture, .. }) =
            command(&image, rect, 2.0, &wanted(Then::Copy))
        else {
            panic!("it is copied");
        };
        assert_eq!(
            (picture.width, picture.height, picture.rgba[0]),
            (80, 40, 20)
        );
        let Some(Command::SaveFile { name, content, .. }) =
            command(&image, rect, 2.0, &wanted(Then::Save))
        else {
            panic!("it is saved");
        };
        assert_eq!(name, "batida-ttft-per-request-ms.png");
        let read = image::load_from_memory(&content)
            .expect("it is a PNG")
            .to_rgba8();
        assert_eq!(
            (read.width(), read.height(), read.get_pixel(79, 39).0),
            (80, 40, [99, 99, 99, 255])
        );
        let outside = Rect::from_min_size(egui::pos2(500.0, 5.0), egui::vec2(40.0, 20.0));
        assert!(command(&image, outside, 2.0, &wanted(Then::Copy)).is_none());
    }
}

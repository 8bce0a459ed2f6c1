//! Saves a chart as a picture, or copies it: the report's SVG, or pixels of that, light or dark.

use egui::{Button, Popup, PopupCloseBehavior, Role, Ui, WidgetInfo};

use crate::chart::{Chart, svg};
use crate::protocol::{Command, PictureUse};
use crate::state::action::Actions;
use crate::ui::widgets::small_button;

/// Draws the pictures that are asked for.
#[derive(Default)]
pub(super) struct Photographer {
    /// The models and the date of what the charts show; empty for today's date alone.
    about: String,
    /// Chosen in the menu; `None` follows the window.
    dark: Option<bool>,
    drawn: Option<Command>,
}

impl Photographer {
    /// What the next charts show: the models and the date.
    pub(super) fn of(&mut self, about: String) {
        self.about = about;
    }

    /// The button of a chart.
    pub(super) fn button(&mut self, ui: &mut Ui, chart: &Chart<'_>) {
        let title = chart.title;
        let button = small_button(ui, "Export");
        let name = format!("Export {title}");
        button.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
        let popup = Popup::menu(&button).width(150.0);
        popup
            .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
            .show(|ui| {
                let mut dark = self.dark.unwrap_or(ui.visuals().dark_mode);
                ui.horizontal(|ui| {
                    for (name, of) in [("Light", false), ("Dark", true)] {
                        if ui.add(Button::selectable(dark == of, name)).clicked() {
                            self.dark = Some(of);
                            dark = of;
                        }
                    }
                });
                let uses = [
                    ("Save as PNG", Some(PictureUse::Save)),
                    ("Save as SVG", None),
                    ("Copy picture", Some(PictureUse::Copy)),
                ];
                for (name, of) in uses {
                    if ui.button(name).clicked() {
                        self.drawn = Some(self.command(chart, dark, of));
                        ui.close();
                    }
                }
            });
    }

    fn command(&self, chart: &Chart<'_>, dark: bool, of: Option<PictureUse>) -> Command {
        let about = if self.about.is_empty() {
            crate::engine::clock().strftime("%Y-%m-%d").to_string()
        } else {
            self.about.clone()
        };
        let svg = svg::file(chart, &about, dark);
        let (what, name) = (chart.title.to_owned(), file_name(chart.title));
        match of {
            Some(then) => Command::Draw {
                what,
                name: format!("{name}.png"),
                svg,
                then,
            },
            None => Command::SaveFile {
                what,
                name: format!("{name}.svg"),
                content: svg.into_bytes().into(),
            },
        }
    }

    /// Asks for what was chosen; called once a frame.
    pub(super) fn work(&mut self, out: &mut Actions) {
        out.extend(self.drawn.take());
    }
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

//! Saves a chart as a picture, or copies it: the report's SVG, or pixels of that, light or dark.

use egui::{Button, Popup, PopupCloseBehavior, Role, Ui, WidgetInfo};
use jiff::Timestamp;

use crate::chart::{Chart, svg};
use crate::domain::history::SessionRow;
use crate::export;
use crate::protocol::{Command, PictureUse};
use crate::state::action::Actions;
use crate::ui::widgets::small_button;

/// Draws the pictures that are asked for.
#[derive(Default)]
pub(super) struct Photographer {
    /// The models of what the charts show.
    models: Vec<String>,
    /// When that was measured; `None` for now.
    when: Option<Timestamp>,
    /// Chosen in the menu; `None` follows the window.
    dark: Option<bool>,
    drawn: Option<Command>,
}

impl Photographer {
    /// What the next charts show: their models, and when it was measured; `None` for now.
    pub(super) fn of<'a>(
        &mut self,
        models: impl IntoIterator<Item = &'a str>,
        when: Option<Timestamp>,
    ) {
        self.models.clear();
        for model in models {
            if !self.models.iter().any(|it| it == model) {
                self.models.push(model.to_owned());
            }
        }
        self.when = when;
    }

    /// The same of kept sessions, with the date of the latest.
    pub(super) fn of_kept<'a>(&mut self, rows: impl Iterator<Item = &'a SessionRow> + Clone) {
        let models = rows.clone().flat_map(|row| &row.models);
        self.of(models.map(String::as_str), rows.map(|row| row.began).max());
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
        let when = self.when.unwrap_or_else(crate::engine::clock);
        let date = when.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let models = self.models.join(", ");
        let about = match models.as_str() {
            "" => date,
            models => format!("{models} · {date}"),
        };
        let svg = svg::file(chart, &about, dark);
        let name = export::file_named(&self.models, chart.title, when);
        let what = chart.title.to_owned();
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

//! System prompt and sampling parameters. What is not ticked is not sent.

use std::collections::HashMap;

use egui::emath::Numeric;
use egui::{ComboBox, DragValue, Grid, Role, TextEdit, Ui, WidgetInfo, vec2};

use super::format::{self, FormatUi, SchemaChecks};
use super::tools::{self, ToolsUi};
use crate::domain::conversation::DEFAULT_SYSTEM_PROMPT;
use crate::domain::environment::EnvId;
use crate::domain::params::{PARAMETERS, ParamKind, ParamValue, Parameter, Params};
use crate::state::chat::ChatState;
use crate::ui::widgets::{MARGIN, caption, small_button};

/// Whether the parameters are unfolded, and what is typed in their fields.
#[derive(Debug, Default)]
pub(super) struct ParametersUi {
    /// The pane whose parameters are unfolded.
    open: Option<u64>,
    /// The stop sequences as they are typed, one a line, by environment and pane.
    stop: HashMap<(EnvId, u64), String>,
    /// The same of formats and functions.
    formats: HashMap<(EnvId, u64), FormatUi>,
    tools: HashMap<(EnvId, u64), ToolsUi>,
    checks: SchemaChecks,
}

impl ParametersUi {
    pub(super) fn is_open(&self, pane: u64) -> bool {
        self.open == Some(pane)
    }

    pub(super) fn toggle(&mut self, pane: u64) {
        self.open = (self.open != Some(pane)).then_some(pane);
    }

    /// Gives the system prompt and the parameters, if they were edited.
    pub(super) fn show(
        &mut self,
        ui: &mut Ui,
        (env, pane): (&EnvId, u64),
        chat: &ChatState,
    ) -> Option<(String, Params)> {
        let (mut system, mut params) = (chat.system.clone(), chat.params.clone());
        self.edit_ui(ui, (env, pane), &mut system, &mut params);
        (system != chat.system || params != chat.params).then_some((system, params))
    }

    fn edit_ui(
        &mut self,
        ui: &mut Ui,
        (env, pane): (&EnvId, u64),
        system: &mut String,
        params: &mut Params,
    ) {
        ui.spacing_mut().item_spacing.y = 4.0;
        let name = caption(ui, "System prompt");
        let edit = TextEdit::multiline(system)
            .desired_rows(2)
            .desired_width(f32::INFINITY)
            .margin(MARGIN)
            .hint_text("No system prompt is sent");
        ui.add(edit).labelled_by(name.id);
        if *system != DEFAULT_SYSTEM_PROMPT
            && small_button(ui, "Restore default system prompt").clicked()
        {
            *system = DEFAULT_SYSTEM_PROMPT.to_owned();
        }
        caption(
            ui,
            "Only checked parameters are sent; the server uses its defaults for the rest",
        );
        let pairs = if ui.available_width() < 500.0 { 1 } else { 2 };
        Grid::new("parameters")
            .num_columns(pairs * 2)
            .spacing(vec2(12.0, 4.0))
            .show(ui, |ui| {
                let mut drawn = 0;
                let mut next = |ui: &mut Ui| {
                    drawn += 1;
                    if drawn % pairs == 0 {
                        ui.end_row();
                    }
                };
                for parameter in PARAMETERS {
                    if parameter_ui(ui, parameter, params) {
                        next(ui);
                    }
                }
            });
        let typed = self
            .stop
            .entry((env.clone(), pane))
            .or_insert_with(|| escape(&params.stop));
        let name = caption(ui, "Stop sequences, one per line; \\n for a line break");
        let edit = TextEdit::multiline(typed)
            .desired_rows(1)
            .desired_width(f32::INFINITY)
            .margin(MARGIN);
        if ui.add(edit).labelled_by(name.id).changed() {
            params.stop = unescape(typed);
        }
        let format = self.formats.entry((env.clone(), pane)).or_default();
        format::show(ui, &mut params.format, format, &mut self.checks);
        let open = self.tools.entry((env.clone(), pane)).or_default();
        tools::show(ui, &mut params.tools, open, &mut self.checks);
    }
}

/// Draws a parameter's two cells. Gives false for texts, which are typed below the grid.
fn parameter_ui(ui: &mut Ui, parameter: &Parameter, params: &mut Params) -> bool {
    let before = parameter.value(params);
    let title = parameter.title;
    let now = match (parameter.kind, before.clone()) {
        (ParamKind::Texts, _) => return false,
        (
            ParamKind::Number {
                range: (low, high),
                first,
                step,
            },
            value,
        ) => {
            let value = value.and_then(|value| {
                if let ParamValue::Number(n) = value {
                    Some(n)
                } else {
                    None
                }
            });
            number(ui, title, value, low..=high, first, step).map(ParamValue::Number)
        }
        (
            ParamKind::Whole {
                range: (low, _),
                form_most,
                first,
                step,
            },
            value,
        ) => {
            let value = value.and_then(|value| {
                if let ParamValue::Whole(n) = value {
                    Some(n)
                } else {
                    None
                }
            });
            number(ui, title, value, low..=form_most, first, step).map(ParamValue::Whole)
        }
        (ParamKind::Word(words), value) => choice(
            ui,
            title,
            value,
            words.iter().map(|word| ParamValue::Word(word)),
        ),
        (ParamKind::Switch, value) => {
            choice(ui, title, value, [true, false].map(ParamValue::Switch))
        }
    };
    if now != before {
        parameter.set(params, now);
    }
    true
}

fn number<T: Numeric>(
    ui: &mut Ui,
    label: &str,
    mut value: Option<T>,
    range: std::ops::RangeInclusive<T>,
    first: T,
    step: f64,
) -> Option<T> {
    let mut on = value.is_some();
    if ui.checkbox(&mut on, label).changed() {
        value = on.then_some(first);
    }
    match &mut value {
        Some(value) => {
            let drag = ui.add(DragValue::new(value).range(range).speed(step));
            drag.widget_info(|| {
                WidgetInfo::labeled(Role::SpinButton, true, format!("{label} value"))
            });
        }
        None => {
            caption(ui, "default");
        }
    }
    value
}

fn choice(
    ui: &mut Ui,
    label: &str,
    mut value: Option<ParamValue>,
    values: impl IntoIterator<Item = ParamValue>,
) -> Option<ParamValue> {
    ui.label(label);
    let shown = value
        .as_ref()
        .map_or_else(|| "default".to_owned(), |value| value.words().concat());
    let combo = ComboBox::from_id_salt(label)
        .width(90.0)
        .selected_text(shown)
        .show_ui(ui, |ui| {
            ui.selectable_value(&mut value, None, "default");
            for each in values {
                let words = each.words().concat();
                ui.selectable_value(&mut value, Some(each), words);
            }
        });
    combo
        .response
        .widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, label));
    value
}

fn escape(stop: &[String]) -> String {
    let line = |text: &String| text.replace('\\', "\\\\").replace('\n', "\\n");
    stop.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn unescape(typed: &str) -> Vec<String> {
    typed
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut out = String::new();
            let mut chars = line.chars();
            while let Some(c) = chars.next() {
                match (c, chars.clone().next()) {
                    ('\\', Some('n')) => {
                        out.push('\n');
                        chars.next();
                    }
                    ('\\', Some('\\')) => {
                        out.push('\\');
                        chars.next();
                    }
                    _ => out.push(c),
                }
            }
            out
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_sequences_are_read_as_they_were_written() {
        let stop = vec![
            "END".to_owned(),
            "\n\n".to_owned(),
            "a\\n".to_owned(),
            " x ".to_owned(),
        ];
        assert_eq!(unescape(&escape(&stop)), stop);
        assert_eq!(unescape("a\n\nb\\"), ["a", "b\\"]);
    }
}

//! System prompt and sampling parameters. What is not ticked is not sent.

use std::collections::HashMap;

use egui::emath::Numeric;
use egui::{ComboBox, DragValue, Grid, Role, TextEdit, Ui, WidgetInfo, vec2};

use super::format::{self, FormatUi, SchemaChecks};
use super::tools::{self, ToolsUi};
use crate::domain::conversation::{DEFAULT_SYSTEM_PROMPT, Effort};
use crate::domain::environment::EnvId;
use crate::state::chat::ChatState;
use crate::ui::widgets::{MARGIN, caption, small_button};

/// Whether the parameters are unfolded, and what is typed in their fields.
#[derive(Debug, Default)]
pub(super) struct ParametersUi {
    /// Of which pane they are unfolded.
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

    pub(super) fn show(&mut self, ui: &mut Ui, (env, pane): (&EnvId, u64), chat: &mut ChatState) {
        ui.spacing_mut().item_spacing.y = 4.0;
        let name = caption(ui, "System prompt");
        let system = TextEdit::multiline(&mut chat.system)
            .desired_rows(2)
            .desired_width(f32::INFINITY)
            .margin(MARGIN)
            .hint_text("None is sent");
        ui.add(system).labelled_by(name.id);
        if chat.system != DEFAULT_SYSTEM_PROMPT
            && small_button(ui, "Default system prompt").clicked()
        {
            chat.system = DEFAULT_SYSTEM_PROMPT.to_owned();
        }
        caption(
            ui,
            "Only what is ticked is sent; the rest is the server's default",
        );
        let params = &mut chat.params;
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
                number(
                    ui,
                    "Max tokens",
                    &mut params.max_tokens,
                    1..=1_000_000,
                    1_024,
                    8.0,
                );
                next(ui);
                number(ui, "Seed", &mut params.seed, i64::MIN..=i64::MAX, 42, 1.0);
                next(ui);
                number(
                    ui,
                    "Temperature",
                    &mut params.temperature,
                    0.0..=2.0,
                    0.7,
                    0.01,
                );
                next(ui);
                number(ui, "Top p", &mut params.top_p, 0.0..=1.0, 0.95, 0.005);
                next(ui);
                number(ui, "Top k", &mut params.top_k, 1..=100, 40, 0.5);
                next(ui);
                effort(ui, &mut params.reasoning_effort);
                next(ui);
                thinking(ui, &mut params.thinking);
                next(ui);
            });
        let typed = self
            .stop
            .entry((env.clone(), pane))
            .or_insert_with(|| escape(&params.stop));
        let name = caption(
            ui,
            "Stop sequences, one a line; \\n stands for a line break",
        );
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

fn number<T: Numeric>(
    ui: &mut Ui,
    label: &str,
    value: &mut Option<T>,
    range: std::ops::RangeInclusive<T>,
    first: T,
    speed: f64,
) {
    let mut on = value.is_some();
    if ui.checkbox(&mut on, label).changed() {
        *value = on.then_some(first);
    }
    match value {
        Some(value) => {
            let drag = ui.add(DragValue::new(value).range(range).speed(speed));
            drag.widget_info(|| {
                WidgetInfo::labeled(Role::SpinButton, true, format!("{label} value"))
            });
        }
        None => {
            caption(ui, "default");
        }
    }
}

fn effort(ui: &mut Ui, value: &mut Option<Effort>) {
    ui.label("Reasoning effort");
    let shown = value.map_or("default", Effort::as_str);
    let combo = ComboBox::from_id_salt("reasoning effort")
        .width(90.0)
        .selected_text(shown)
        .show_ui(ui, |ui| {
            ui.selectable_value(value, None, "default");
            for effort in Effort::ALL {
                ui.selectable_value(value, Some(effort), effort.as_str());
            }
        });
    combo
        .response
        .widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, "Reasoning effort"));
}

fn thinking(ui: &mut Ui, value: &mut Option<bool>) {
    ui.label("Thinking");
    let shown = match value {
        None => "default",
        Some(true) => "on",
        Some(false) => "off",
    };
    let combo = ComboBox::from_id_salt("thinking")
        .width(90.0)
        .selected_text(shown)
        .show_ui(ui, |ui| {
            ui.selectable_value(value, None, "default");
            ui.selectable_value(value, Some(true), "on");
            ui.selectable_value(value, Some(false), "off");
        });
    combo
        .response
        .widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, "Thinking"));
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

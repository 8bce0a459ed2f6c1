//! The sheet at the right of the chat: system prompt and sampling parameters of a pane, presets of them, and how much of
//! the model's context is used. What is not ticked is not sent.

mod presets;
mod values;

use std::collections::HashMap;

use egui::{Label, RichText, ScrollArea, TextEdit, TextStyle, Ui};

use self::presets::PresetsUi;
use super::format::{self, FormatUi, SchemaChecks};
use super::tools::{self, ToolsUi};
use crate::domain::conversation::DEFAULT_SYSTEM_PROMPT;
use crate::domain::environment::EnvId;
use crate::domain::extra_body;
use crate::domain::params::{PARAMETERS, Params};
use crate::domain::workspace::ChatPreset;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::chat::ChatState;
use crate::state::cluster::ClusterAction;
use crate::state::panes::PaneAction;
use crate::ui::theme::{self, GRID};
use crate::ui::widgets::{
    MARGIN, caption, field_error, filling_card, from_right, shortened, small_button,
    small_button_if, strong, tokens,
};

/// Whose parameters are open.
type Of = (EnvId, u64);

/// Whether the sheet is open, and what is typed in its fields.
#[derive(Debug, Default)]
pub(super) struct ParametersUi {
    /// The pane whose parameters are shown.
    open: Option<u64>,
    /// What is edited: made when the sheet opens, and given to the state when it changes.
    edited: Option<(Of, ChatPreset)>,
    /// What was there before a reset or a preset, until it is edited again.
    undo: Option<(Of, ChatPreset)>,
    /// It was opened, and its first field is to have the keyboard.
    fresh: bool,
    presets: PresetsUi,
    /// The stop sequences as they are typed, one a line, by environment and pane.
    stop: HashMap<Of, String>,
    /// The same of formats and functions.
    formats: HashMap<Of, FormatUi>,
    tools: HashMap<Of, ToolsUi>,
    checks: SchemaChecks,
}

impl ParametersUi {
    pub(super) fn is_open(&self, pane: u64) -> bool {
        self.open == Some(pane)
    }

    /// Whether the sheet is open, of whatever pane.
    pub(super) fn is_shown(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn toggle(&mut self, pane: u64) {
        self.open = (self.open != Some(pane)).then_some(pane);
        self.fresh = self.open.is_some();
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// The index of the pane whose parameters are shown.
    pub(super) fn shown(&self, state: &State) -> Option<usize> {
        let open = self.open?;
        state.panes().all().iter().position(|pane| pane.id == open)
    }

    /// Draws the sheet of the pane at `index` into what room there is.
    pub(super) fn show(&mut self, ui: &mut Ui, state: &State, index: usize, out: &mut Actions) {
        filling_card(ui, |ui| {
            ui.spacing_mut().item_spacing.y = GRID;
            self.head_ui(ui, state, index);
            ui.separator();
            ScrollArea::vertical()
                .id_salt(("parameters", state.panes().get(index).id))
                .auto_shrink(false)
                .show(ui, |ui| {
                    ui.set_width(ui.available_width() - 2.0 * GRID);
                    self.contents_ui(ui, state, index, out);
                });
        });
    }

    fn head_ui(&mut self, ui: &mut Ui, state: &State, index: usize) {
        ui.horizontal(|ui| {
            strong(ui, "Parameters");
            from_right(ui, |ui| {
                let close = small_button(ui, "×");
                close.widget_info(|| {
                    egui::WidgetInfo::labeled(egui::Role::Button, true, "Close parameters")
                });
                if close.on_hover_text("Close parameters").clicked() {
                    self.close();
                }
            });
        });
        let panes = state.panes();
        if panes.count() > 1
            && let Some(name) = panes.hidden_name(index).or_else(|| panes.name(index))
        {
            let width = ui.available_width();
            let color = tokens(ui).dim;
            shortened(ui, &name, egui::TextStyle::Small, color, width);
        }
    }

    fn contents_ui(&mut self, ui: &mut Ui, state: &State, index: usize, out: &mut Actions) {
        let pane = state.panes().get(index);
        if state.pane_targets().of(index).embeds_is_a_guess() {
            let mut embeds = state.pane_targets().of(index).embeds();
            let tick = ui.checkbox(&mut embeds, "This model makes embeddings");
            if tick
                .on_hover_text("The cluster does not report what kind of model this is")
                .changed()
            {
                out.push(PaneAction::SayEmbeds(index, embeds));
            }
        }
        context_ui(ui, state, index, out);
        if index > 0 {
            let mut linked = pane.linked;
            let tick = ui.checkbox(&mut linked, "Linked to the first pane");
            if tick.changed() {
                out.push(PaneAction::Link(index, linked));
            }
            if linked {
                let told = "Uses the first pane's system prompt and parameters";
                ui.add(Label::new(RichText::new(told).small()).wrap());
                return;
            }
        }
        let of = (state.env().id.clone(), pane.id);
        let mut edited = match self.edited.take() {
            Some((whose, edited)) if whose == of && is_of(&edited, &pane.chat) => edited,
            // The sheet has opened, or something else has changed them.
            _ => ChatPreset {
                system: pane.chat.system.clone(),
                params: pane.chat.params.clone(),
            },
        };
        self.replace_ui(ui, state, index, (&of, &mut edited), out);
        ui.separator();
        let typed = self.edit_ui(ui, &of, &mut edited);
        if !is_of(&edited, &pane.chat) {
            if typed {
                self.undo = None;
            }
            let params = Box::new(edited.params.clone());
            out.push(PaneAction::Edit(index, edited.system.clone(), params));
        }
        self.edited = Some((of, edited));
    }

    /// What takes the place of all of them: a preset, the defaults, and what was there before.
    fn replace_ui(
        &mut self,
        ui: &mut Ui,
        state: &State,
        index: usize,
        (of, edited): (&Of, &mut ChatPreset),
        out: &mut Actions,
    ) {
        let mut new = self.presets.show(ui, state, (index, edited), out);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = GRID;
            let is_default =
                edited.params == Params::default() && edited.system == DEFAULT_SYSTEM_PROMPT;
            if small_button_if(ui, !is_default, "Reset all")
                .on_hover_text("Send no parameters, and the default system prompt")
                .clicked()
            {
                new = Some(ChatPreset {
                    system: DEFAULT_SYSTEM_PROMPT.to_owned(),
                    params: Params::default(),
                });
            }
            if self.undo.as_ref().is_some_and(|(whose, _)| whose == of)
                && small_button(ui, "Undo")
                    .on_hover_text("Bring back what was here before")
                    .clicked()
                && let Some((_, before)) = self.undo.take()
            {
                *edited = before;
            }
        });
        if let Some(new) = new {
            self.undo = Some((of.clone(), std::mem::replace(edited, new)));
            self.formats.remove(of);
            self.tools.remove(of);
        }
    }

    /// Gives whether something was typed or picked.
    fn edit_ui(&mut self, ui: &mut Ui, of: &Of, edited: &mut ChatPreset) -> bool {
        let ChatPreset { system, params } = edited;
        let name = caption(ui, "System prompt");
        let edit = TextEdit::multiline(system)
            .desired_rows(3)
            .desired_width(f32::INFINITY)
            .margin(MARGIN)
            .hint_text("No system prompt is sent");
        let edit = ui.add(edit).labelled_by(name.id);
        if std::mem::take(&mut self.fresh) {
            edit.request_focus();
        }
        let mut typed = edit.changed();
        if *system != DEFAULT_SYSTEM_PROMPT
            && small_button(ui, "Restore default system prompt").clicked()
        {
            *system = DEFAULT_SYSTEM_PROMPT.to_owned();
            typed = true;
        }
        let told = "Only checked parameters are sent; the server uses its defaults for the rest";
        ui.add(Label::new(RichText::new(told).small().color(tokens(ui).dim)).wrap());
        for parameter in PARAMETERS {
            typed |= values::row_ui(ui, parameter, params);
        }
        typed |= self.stop_ui(ui, of, params);
        typed |= extra_body_ui(ui, params);
        // Both are compared where they are: they change by many clicks.
        let before = (params.format.is_some(), params.tools.len());
        let format = self.formats.entry(of.clone()).or_default();
        format::show(ui, &mut params.format, format, &mut self.checks);
        let open = self.tools.entry(of.clone()).or_default();
        tools::show(ui, &mut params.tools, open, &mut self.checks);
        typed | (before != (params.format.is_some(), params.tools.len()))
    }

    fn stop_ui(&mut self, ui: &mut Ui, of: &Of, params: &mut Params) -> bool {
        let typed = self.stop.entry(of.clone()).or_default();
        if unescape(typed) != params.stop {
            *typed = escape(&params.stop);
        }
        let name = caption(ui, "Stop sequences, one per line; \\n for a line break");
        let edit = TextEdit::multiline(typed)
            .desired_rows(1)
            .desired_width(f32::INFINITY)
            .margin(MARGIN);
        let changed = ui.add(edit).labelled_by(name.id).changed();
        if changed {
            params.stop = unescape(typed);
        }
        changed
    }
}

/// Further fields of the body, and why they are not sent.
fn extra_body_ui(ui: &mut Ui, params: &mut Params) -> bool {
    let name = caption(ui, "Extra body fields (JSON)");
    let edit = TextEdit::multiline(&mut params.extra_body)
        .desired_rows(1)
        .desired_width(f32::INFINITY)
        .margin(MARGIN)
        .font(TextStyle::Monospace)
        .hint_text("{\"min_p\": 0.1}");
    let changed = ui.add(edit).labelled_by(name.id).changed();
    if let Err(why) = extra_body::read(&params.extra_body) {
        field_error(ui, &format!("{why}. Not sent"));
    }
    changed
}

fn is_of(edited: &ChatPreset, chat: &ChatState) -> bool {
    edited.system == chat.system && edited.params == chat.params
}

/// How much of the model's context the conversation takes.
fn context_ui(ui: &mut Ui, state: &State, index: usize, out: &mut Actions) {
    out.push(ClusterAction::KeepSizes);
    let context = state.pane_targets().context_of(index);
    let color = match context.is_too_much() {
        true => tokens(ui).warning,
        false => tokens(ui).text,
    };
    caption(ui, "Context");
    let text = RichText::new(context.to_string()).text_style(theme::small_figure_text());
    ui.add(Label::new(text.color(color)).wrap()).on_hover_text(
        "The server's count up to the last answer, and an estimate of the draft. Pictures are not counted. \
         The limit is the longest context that the cluster serves the model with",
    );
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

//! The functions that a model may ask to be called.

use std::collections::HashSet;

use egui::{CornerRadius, Frame, Role, Ui, WidgetInfo};

use super::format::{SchemaChecks, code_edit, fault_ui};
use crate::domain::conversation::Tool;
use crate::ui::theme::{self, GRID};
use crate::ui::widgets::{
    caption, field, field_error, from_right, small_button, small_danger_button, tokens,
};

/// The unfolded functions of a pane, and the one that was deleted last.
#[derive(Debug, Default)]
pub(super) struct ToolsUi {
    /// By place.
    open: HashSet<usize>,
    deleted: Option<(usize, Tool)>,
}

impl ToolsUi {
    fn fold(&mut self, at: usize) {
        if !self.open.remove(&at) {
            self.open.insert(at);
        }
    }
}

/// The first function is an example to edit.
fn first_tool() -> Tool {
    let parameters = r#"{
  "type": "object",
  "properties": {
    "city": { "type": "string", "description": "E.g. Paris" }
  },
  "required": ["city"]
}"#;
    Tool {
        name: "get_weather".to_owned(),
        description: "Today's weather in a city".to_owned(),
        parameters: parameters.to_owned(),
        off: false,
    }
}

/// An action on one function.
enum ToolAction {
    Fold,
    Duplicate,
    Delete,
}

pub(super) fn show(
    ui: &mut Ui,
    tools: &mut Vec<Tool>,
    open: &mut ToolsUi,
    checks: &mut SchemaChecks,
) {
    let mut added = false;
    ui.horizontal(|ui| {
        ui.label("Functions");
        added = small_button(ui, "Add function").clicked();
    });
    if added {
        let tool = if tools.is_empty() {
            first_tool()
        } else {
            Tool::default()
        };
        open.open.insert(tools.len());
        open.deleted = None;
        tools.push(tool);
    }
    if let Some((_, tool)) = &open.deleted {
        let name = if tool.name.is_empty() {
            "A function"
        } else {
            &tool.name
        };
        caption(ui, format!("{name} was deleted"));
        if small_button(ui, "Undo").clicked()
            && let Some((at, tool)) = open.deleted.take()
        {
            tools.insert(at.min(tools.len()), tool);
            open.open.clear();
        }
    } else if tools.is_empty() {
        caption(ui, "The model may call functions; you type their results");
    }
    let mut action = None;
    for at in 0..tools.len() {
        let twin = tools[..at]
            .iter()
            .any(|other| !other.off && other.name.trim() == tools[at].name.trim());
        let is_open = open.open.contains(&at);
        let asked = ui
            .push_id(("function", at), |ui| {
                tool_ui(ui, at, &mut tools[at], (is_open, twin), checks)
            })
            .inner;
        action = action.or(asked.map(|action| (at, action)));
    }
    if added {
        // It may be below what is seen.
        ui.scroll_to_cursor(None);
    }
    match action {
        Some((at, ToolAction::Fold)) => open.fold(at),
        Some((at, ToolAction::Duplicate)) => {
            let tool = tools[at].clone();
            let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
            let fresh = |n: &usize| format!("{}_{n}", tool.name);
            let name = (2..)
                .map(|n| fresh(&n))
                .find(|name| !names.contains(&name.as_str()));
            tools.insert(
                at + 1,
                Tool {
                    name: name.unwrap_or_default(),
                    ..tool
                },
            );
            open.open = HashSet::from([at + 1]);
        }
        Some((at, ToolAction::Delete)) => {
            open.deleted = Some((at, tools.remove(at)));
            open.open.clear();
        }
        None => {}
    }
}

fn tool_ui(
    ui: &mut Ui,
    at: usize,
    tool: &mut Tool,
    (is_open, twin): (bool, bool),
    checks: &mut SchemaChecks,
) -> Option<ToolAction> {
    let mut action = None;
    let frame = Frame::new()
        .fill(tokens(ui).sunken)
        .corner_radius(CornerRadius::same(4));
    let schema_fault = match tool.parameters.trim() {
        "" => None,
        text => checks.fault(text),
    };
    let name_fault = match tool.name_fault() {
        None if twin && !tool.off => Some("Not sent: another function has this name"),
        fault => fault,
    };
    frame.inner_margin(theme::margin(2, 1)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        action = head_ui(ui, tool, is_open);
        if !is_open {
            if let Some(fault) = name_fault {
                field_error(ui, fault);
            }
            fault_ui(ui, schema_fault, &tool.parameters);
            return;
        }
        let n = at + 1;
        field(
            ui,
            &format!("Name of function {n}"),
            &mut tool.name,
            "letters, digits, _ and -",
        );
        if let Some(fault) = name_fault {
            field_error(ui, fault);
        }
        field(
            ui,
            &format!("Description of function {n}"),
            &mut tool.description,
            "What the function does, for the model",
        );
        let label = caption(
            ui,
            format!("Arguments of function {n}, as a JSON schema; empty for none"),
        );
        code_edit(ui, &mut tool.parameters, 4).labelled_by(label.id);
        fault_ui(ui, schema_fault, &tool.parameters);
    });
    action
}

/// A function's name, whether it is offered, and what can be done with it.
fn head_ui(ui: &mut Ui, tool: &mut Tool, is_open: bool) -> Option<ToolAction> {
    let tokens = tokens(ui);
    let mut action = None;
    ui.horizontal(|ui| {
        let name = match tool.name.trim() {
            "" => "(no name)",
            name => name,
        };
        let mut on = !tool.off;
        let told = format!("Offer {name}");
        let tick = ui.checkbox(&mut on, "");
        tick.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, &told));
        tick.on_hover_text("Offer this function to the model");
        let room = (ui.available_width() - 200.0).max(40.0);
        let color = if on { tokens.text } else { tokens.dim };
        crate::ui::widgets::shortened(ui, name, egui::TextStyle::Monospace, color, room);
        from_right(ui, |ui| {
            ui.spacing_mut().item_spacing.x = GRID;
            let fold = if is_open { "Close" } else { "Edit" };
            for (what, asked) in [
                ("Delete", ToolAction::Delete),
                ("Duplicate", ToolAction::Duplicate),
                (fold, ToolAction::Fold),
            ] {
                let button = match asked {
                    ToolAction::Delete => small_danger_button(ui, what, true),
                    _ => small_button(ui, what),
                };
                button.widget_info(|| {
                    WidgetInfo::labeled(Role::Button, true, format!("{what} {name}"))
                });
                if button.clicked() {
                    action = Some(asked);
                }
            }
        });
        tool.off = !on;
    });
    action
}

//! The form that answers must have: any, a JSON object, or JSON after a schema that is typed here.

use std::collections::HashMap;

use egui::{ComboBox, Role, TextEdit, TextStyle, Ui, WidgetInfo};

use crate::domain::conversation::AnswerFormat;
use crate::domain::json::{self, Schema};
use crate::ui::theme::GRID;
use crate::ui::widgets::{MARGIN, caption, field_error, small_button, tokens};

/// Texts that a pane's format form keeps beside the format itself.
#[derive(Debug, Default)]
pub(super) struct FormatUi {
    /// A schema that is not in use, so that it is there when it is wanted again.
    left: Option<AnswerFormat>,
    /// An example that a schema is to be made from, while one is typed.
    example: Option<String>,
}

/// Whether texts are schemas, as they were last seen.
#[derive(Debug, Default)]
pub(super) struct SchemaChecks(HashMap<String, Result<(), String>>);

impl SchemaChecks {
    /// Why a schema is invalid.
    pub(super) fn fault(&mut self, text: &str) -> Option<String> {
        if !self.0.contains_key(text) {
            if self.0.len() > 64 {
                self.0.clear();
            }
            self.0
                .insert(text.to_owned(), Schema::read(text).map(|_| ()));
        }
        self.0.get(text)?.as_ref().err().cloned()
    }
}

/// Schemas to begin with.
const TEMPLATES: [(&str, &str); 3] = [
    (
        "An object with fields",
        r#"{
  "type": "object",
  "properties": {
    "name": { "type": "string" },
    "count": { "type": "integer", "minimum": 0 }
  },
  "required": ["name", "count"],
  "additionalProperties": false
}"#,
    ),
    (
        "A list of items",
        r#"{
  "type": "object",
  "properties": {
    "items": {
      "type": "array",
      "items": {
        "type": "object",
        "properties": { "title": { "type": "string" }, "reason": { "type": "string" } },
        "required": ["title", "reason"],
        "additionalProperties": false
      }
    }
  },
  "required": ["items"],
  "additionalProperties": false
}"#,
    ),
    (
        "One of several labels",
        r#"{
  "type": "object",
  "properties": {
    "label": { "enum": ["positive", "neutral", "negative"] },
    "confidence": { "type": "number", "minimum": 0, "maximum": 1 }
  },
  "required": ["label", "confidence"],
  "additionalProperties": false
}"#,
    ),
];

fn first_schema() -> AnswerFormat {
    AnswerFormat::JsonSchema {
        name: "answer".to_owned(),
        schema: TEMPLATES[0].1.to_owned(),
        strict: true,
    }
}

pub(super) fn show(
    ui: &mut Ui,
    format: &mut Option<AnswerFormat>,
    typed: &mut FormatUi,
    checks: &mut SchemaChecks,
) {
    ui.horizontal(|ui| {
        ui.label("Answer format");
        let names = ["any", "JSON object", "JSON schema"];
        let picked = match format {
            None => 0,
            Some(AnswerFormat::JsonObject) => 1,
            Some(AnswerFormat::JsonSchema { .. }) => 2,
        };
        let mut chosen = picked;
        let combo = ComboBox::from_id_salt("answer format")
            .width(110.0)
            .selected_text(names[picked]);
        let combo = combo.show_ui(ui, |ui| {
            for (at, name) in names.into_iter().enumerate() {
                ui.selectable_value(&mut chosen, at, name);
            }
        });
        combo
            .response
            .widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, "Answer format"));
        if chosen != picked {
            let schema = typed.left.clone().unwrap_or_else(first_schema);
            let new = [None, Some(AnswerFormat::JsonObject), Some(schema)][chosen].clone();
            let old = std::mem::replace(format, new);
            if matches!(old, Some(AnswerFormat::JsonSchema { .. })) {
                typed.left = old;
            }
        }
    });
    if let Some(AnswerFormat::JsonSchema {
        name,
        schema,
        strict,
    }) = format
    {
        schema_ui(ui, (name, schema, strict), typed, checks);
    }
}

fn schema_ui(
    ui: &mut Ui,
    (name, schema, strict): (&mut String, &mut String, &mut bool),
    typed: &mut FormatUi,
    checks: &mut SchemaChecks,
) {
    ui.horizontal(|ui| {
        let label = caption(ui, "Schema name");
        ui.add(
            TextEdit::singleline(name)
                .desired_width(90.0)
                .margin(MARGIN),
        )
        .labelled_by(label.id);
        ui.checkbox(strict, "Strict")
            .on_hover_text("The server must follow the schema exactly");
    });
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        ui.menu_button(egui::RichText::new("Templates").small(), |ui| {
            for (name, text) in TEMPLATES {
                if ui.button(name).clicked() {
                    text.clone_into(schema);
                }
            }
        });
        let example = small_button(ui, "Example…");
        example.widget_info(|| WidgetInfo::labeled(Role::Button, true, "From an example"));
        if example
            .on_hover_text("Create the schema from an example answer")
            .clicked()
        {
            typed.example = match typed.example {
                Some(_) => None,
                None => Some(String::new()),
            };
        }
        // It is done again with each frame.
        let short = schema.len() < 32 << 10;
        let pretty = short
            .then(|| json::pretty(schema))
            .flatten()
            .filter(|pretty| pretty != schema);
        if let Some(pretty) = pretty
            && small_button(ui, "Format JSON")
                .on_hover_text("One member per line")
                .clicked()
        {
            *schema = pretty;
        }
    });
    if name.trim().is_empty() {
        field_error(ui, "Enter a schema name");
    }
    if let Some(example) = &mut typed.example {
        let label = caption(ui, "Example answer, in JSON");
        code_edit(ui, example, 3).labelled_by(label.id);
        match json::read(example) {
            Ok(value) => {
                if small_button(ui, "Create schema").clicked() {
                    *schema = format!("{:#}", json::schema_of(&value));
                    typed.example = None;
                }
            }
            Err(_) if example.trim().is_empty() => {}
            Err(mistake) => field_error(ui, &mistake.to_string()),
        }
    }
    let label = caption(ui, "Schema");
    code_edit(ui, schema, 6).labelled_by(label.id);
    fault_ui(ui, checks.fault(schema), schema);
}

/// Shows why a schema is invalid, and whether it is sent all the same.
pub(super) fn fault_ui(ui: &mut Ui, fault: Option<String>, schema: &str) {
    match fault {
        Some(fault) if json::read(schema).is_ok_and(|value| value.is_object()) => {
            // The server may know more of schemas: it decides.
            let warning = tokens(ui).warning;
            ui.label(egui::RichText::new(fault).small().color(warning));
        }
        Some(fault) => field_error(ui, &format!("Not sent. {fault}")),
        None => {}
    }
}

/// A field for code, so many lines high until it is longer.
pub(super) fn code_edit(ui: &mut Ui, text: &mut String, rows: usize) -> egui::Response {
    let edit = TextEdit::multiline(text)
        .font(TextStyle::Monospace)
        .desired_rows(rows)
        .desired_width(f32::INFINITY)
        .margin(MARGIN)
        .lock_focus(false);
    ui.add(edit)
}

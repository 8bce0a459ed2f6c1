//! The form's extra headers and query parameters.

use std::collections::BTreeMap;

use egui::{ComboBox, Label, RichText, TextEdit, Ui};
use secrecy::SecretString;

use crate::domain::environment::{Extra, ExtraKind, ExtraValue, check_value, looks_secret};
use crate::ui::widgets::{MARGIN, caption, field_error, small_button, tokens};

/// One of them as it is typed.
// No Debug: it may hold a secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ExtraForm {
    kind: ExtraKind,
    name: String,
    place: ValueKind,
    /// The value, or the variable name. Of a kept secret a new value; empty keeps the one there is.
    text: String,
    /// It is kept already, under this slot.
    kept: Option<String>,
}

/// Where the value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    Plain,
    Secret,
    Variable,
}

impl ValueKind {
    const ALL: [Self; 3] = [Self::Plain, Self::Secret, Self::Variable];

    fn label(self) -> &'static str {
        match self {
            Self::Plain => "Plain value",
            Self::Secret => "Secret, stored with the key",
            Self::Variable => "Secret from a variable",
        }
    }
}

fn label(kind: ExtraKind) -> &'static str {
    match kind {
        ExtraKind::Header => "Header",
        ExtraKind::Query => "Query parameter",
    }
}

impl ExtraForm {
    pub(super) fn of(extra: &Extra) -> Self {
        let (place, text) = match &extra.value {
            ExtraValue::Plain(text) => (ValueKind::Plain, text.clone()),
            ExtraValue::Variable(name) => (ValueKind::Variable, name.clone()),
            ExtraValue::Kept => (ValueKind::Secret, String::new()),
        };
        let kept = (place == ValueKind::Secret).then(|| extra.slot());
        Self {
            kind: extra.kind,
            name: extra.name.clone(),
            place,
            text,
            kept,
        }
    }

    fn blank(kind: ExtraKind) -> Self {
        Self {
            kind,
            name: String::new(),
            place: ValueKind::Plain,
            text: String::new(),
            kept: None,
        }
    }

    pub(super) fn read(&self) -> Extra {
        let text = self.text.trim().to_owned();
        let value = match self.place {
            ValueKind::Plain => ExtraValue::Plain(text),
            ValueKind::Variable => ExtraValue::Variable(text),
            ValueKind::Secret => ExtraValue::Kept,
        };
        Extra {
            kind: self.kind,
            name: self.name.trim().to_owned(),
            value,
        }
    }

    pub(super) fn problem(&self, all: &[Self]) -> Option<String> {
        let extra = self.read();
        if extra.name.is_empty() {
            return Some("enter a name, or remove it".to_owned());
        }
        if let Err(why) = extra.check() {
            return Some(why);
        }
        if all
            .iter()
            .filter(|other| other.read().slot() == extra.slot())
            .count()
            > 1
        {
            return Some(format!("the name {} is used twice", extra.name));
        }
        match self.place {
            ValueKind::Plain if looks_secret(&extra.name) => Some(
                "this name suggests a secret: store the value with the key, or in a variable"
                    .to_owned(),
            ),
            ValueKind::Secret => match self.text.trim() {
                "" if self.kept != Some(extra.slot()) => Some("paste a value".to_owned()),
                text => check_value(self.kind, text).err().map(str::to_owned),
            },
            ValueKind::Plain | ValueKind::Variable => None,
        }
    }
}

/// The secrets that were typed, by their slots.
pub(super) fn typed(extras: &[ExtraForm]) -> BTreeMap<String, SecretString> {
    let typed = extras
        .iter()
        .filter(|extra| extra.place == ValueKind::Secret && !extra.text.trim().is_empty());
    typed
        .map(|extra| (extra.read().slot(), extra.text.trim().to_owned().into()))
        .collect()
}

/// The list, with a button to add to it.
pub(super) fn extras_ui(ui: &mut Ui, extras: &mut Vec<ExtraForm>, problems: &[Option<String>]) {
    caption(
        ui,
        "Extra headers and query parameters, sent with every request to the API",
    );
    let mut removed = None;
    for (at, extra) in extras.iter_mut().enumerate() {
        ui.push_id(("extra", at), |ui| {
            if row_ui(ui, extra, at + 1) {
                removed = Some(at);
            }
        });
        if let Some(Some(problem)) = problems.get(at) {
            field_error(ui, problem);
        }
    }
    if let Some(at) = removed {
        extras.remove(at);
    }
    ui.horizontal(|ui| {
        for (kind, text) in [
            (ExtraKind::Header, "Add header"),
            (ExtraKind::Query, "Add query parameter"),
        ] {
            if small_button(ui, text).clicked() {
                extras.push(ExtraForm::blank(kind));
            }
        }
    });
}

/// True when it is to be removed.
fn row_ui(ui: &mut Ui, extra: &mut ExtraForm, number: usize) -> bool {
    let kind = label(extra.kind);
    let name = caption(ui, format!("{kind} {number}: name"));
    let hint = match extra.kind {
        ExtraKind::Header => "X-Team",
        ExtraKind::Query => "api-version",
    };
    let was_secret = looks_secret(&extra.name);
    let edit = TextEdit::singleline(&mut extra.name)
        .hint_text(hint)
        .desired_width(f32::INFINITY);
    let typed = ui.add(edit.margin(MARGIN)).labelled_by(name.id);
    if typed.changed()
        && !was_secret
        && looks_secret(&extra.name)
        && extra.place == ValueKind::Plain
    {
        extra.place = ValueKind::Secret;
    }
    let place = caption(ui, format!("{kind} {number}: kind of value"));
    ComboBox::from_id_salt("place")
        .width(ui.available_width() - 8.0)
        .selected_text(extra.place.label())
        .show_ui(ui, |ui| {
            for place in ValueKind::ALL {
                ui.selectable_value(&mut extra.place, place, place.label());
            }
        })
        .response
        .labelled_by(place.id);
    let (what, hint) = match extra.place {
        ValueKind::Plain => ("value", ""),
        ValueKind::Secret if extra.kept.is_some() => {
            ("new value", "Leave empty to keep the current value")
        }
        ValueKind::Secret => ("value", "Paste the value"),
        ValueKind::Variable => ("variable name", "GATEWAY_TOKEN"),
    };
    let value = caption(ui, format!("{kind} {number}: {what}"));
    let edit = TextEdit::singleline(&mut extra.text)
        .password(extra.place == ValueKind::Secret)
        .hint_text(hint)
        .desired_width(f32::INFINITY)
        .margin(MARGIN);
    ui.add(edit).labelled_by(value.id);
    if extra.place == ValueKind::Secret {
        let text = "Stored in the settings file if the API key is stored there, otherwise in the system keychain";
        ui.add(Label::new(RichText::new(text).small().color(tokens(ui).faint)).wrap());
    }
    small_button(ui, &format!("Remove {} {number}", kind.to_lowercase())).clicked()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_secret_is_typed_once_and_kept() {
        let mut extra = ExtraForm {
            name: "X-Token".to_owned(),
            ..ExtraForm::blank(ExtraKind::Header)
        };
        let alone = |extra: &ExtraForm| extra.problem(std::slice::from_ref(extra));
        assert!(alone(&extra).is_some_and(|why| why.contains("secret")));
        extra.place = ValueKind::Secret;
        assert_eq!(alone(&extra).as_deref(), Some("paste a value"));
        extra.text = " s3cret ".to_owned();
        assert_eq!(alone(&extra), None);
        let typed = typed(std::slice::from_ref(&extra));
        assert_eq!(typed["header x-token"].expose_secret(), "s3cret");
        let kept = ExtraForm::of(&extra.read());
        assert_eq!(alone(&kept), None, "the value is there");
        let renamed = ExtraForm {
            name: "X-Other".to_owned(),
            ..kept.clone()
        };
        assert!(
            alone(&renamed).is_some(),
            "there is none under the new name"
        );
        assert!(kept.problem(&[kept.clone(), kept.clone()]).is_some());
    }
}

//! A parameter in a row: whether it is sent, its name, and its value at the right.

use egui::emath::Numeric;
use egui::{ComboBox, DragValue, Role, Ui, WidgetInfo};

use crate::domain::params::{ParamKind, ParamValue, Parameter, Params};
use crate::ui::widgets::{caption, from_right};

/// Draws the row of a parameter, and gives whether it was changed. Texts are typed elsewhere.
pub(super) fn row_ui(ui: &mut Ui, parameter: &Parameter, params: &mut Params) -> bool {
    let first = match parameter.kind {
        ParamKind::Texts => return false,
        ParamKind::Number { first, .. } => ParamValue::Number(first),
        ParamKind::Whole { first, .. } => ParamValue::Whole(first),
        ParamKind::Word(words) => ParamValue::Word(words.first().copied().unwrap_or_default()),
        ParamKind::Switch => ParamValue::Switch(true),
    };
    let before = parameter.value(params);
    let mut now = before.clone();
    let title = parameter.title;
    ui.horizontal(|ui| {
        let mut on = now.is_some();
        if ui.checkbox(&mut on, title).changed() {
            now = on.then_some(first);
        }
        from_right(ui, |ui| match (&mut now, parameter.kind) {
            (Some(ParamValue::Number(value)), ParamKind::Number { range, step, .. }) => {
                number(ui, title, value, range, step);
            }
            (
                Some(ParamValue::Whole(value)),
                ParamKind::Whole {
                    range,
                    form_most,
                    step,
                    ..
                },
            ) => number(ui, title, value, (range.0, form_most), step),
            (Some(value), ParamKind::Word(words)) => {
                choice(
                    ui,
                    title,
                    value,
                    words.iter().map(|word| ParamValue::Word(word)),
                );
            }
            (Some(value), ParamKind::Switch) => {
                choice(ui, title, value, [true, false].map(ParamValue::Switch));
            }
            _ => {
                caption(ui, "not sent");
            }
        });
    });
    let changed = now != before;
    if changed {
        parameter.set(params, now);
    }
    changed
}

fn number<T: Numeric>(ui: &mut Ui, title: &str, value: &mut T, range: (T, T), step: f64) {
    let drag = ui.add(DragValue::new(value).range(range.0..=range.1).speed(step));
    drag.widget_info(|| WidgetInfo::labeled(Role::SpinButton, true, format!("{title} value")));
}

fn choice(
    ui: &mut Ui,
    title: &str,
    value: &mut ParamValue,
    values: impl IntoIterator<Item = ParamValue>,
) {
    let combo = ComboBox::from_id_salt(title)
        .width(90.0)
        .selected_text(value.words().concat())
        .show_ui(ui, |ui| {
            for each in values {
                let words = each.words().concat();
                ui.selectable_value(value, each, words);
            }
        });
    let told = format!("{title} value");
    combo
        .response
        .widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &told));
}

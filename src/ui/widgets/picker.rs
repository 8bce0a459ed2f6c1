//! A button that opens a list to pick from.

use egui::{
    Align2, Color32, CornerRadius, Key, Response, Role, ScrollArea, Sense, Stroke, TextEdit,
    TextStyle, Ui, WidgetInfo, vec2,
};

use super::{LONGEST_TOLD, MARGIN, MOST_LINES, caption, fit_middle, tokens};
use crate::domain::units;
use crate::ui::theme::{GRID, ROUNDING};

/// A line of a picker's list.
pub struct Choice<'a> {
    /// Its name, which is also the value that picking it gives.
    pub name: &'a str,
    /// Below the name.
    pub remark: Option<String>,
    /// A state's colour.
    pub dot: Option<Color32>,
    /// Whether it can be picked.
    pub enabled: bool,
}

impl<'a> Choice<'a> {
    /// It can be picked, and there is nothing more to say of it.
    pub fn plain(name: &'a str) -> Self {
        Self {
            name,
            remark: None,
            dot: None,
            enabled: true,
        }
    }
}

/// A part of a picker's list.
pub struct Section<'a> {
    /// Above its lines; empty for none.
    pub heading: &'a str,
    /// Its lines.
    pub choices: Vec<Choice<'a>>,
}

/// More lines than this get a field to filter by.
const LONG_LIST: usize = 8;

/// The name of a picker's list among what may be open.
pub fn picker_id(ui: &Ui, label: &str) -> egui::Id {
    ui.make_persistent_id(("picker", label))
}

/// A button that shows what is picked and opens a list to pick from, with a filter once the list is long.
/// Gives what was picked.
pub fn picker(
    ui: &mut Ui,
    label: &str,
    picked: Option<&str>,
    dot_color: Option<Color32>,
    width: f32,
    sections: &[Section<'_>],
) -> Option<String> {
    let id = picker_id(ui, label);
    let response = button_ui(ui, id, label, picked, dot_color, width);
    let filter_id = id.with("filter");
    let mut chosen = None;
    egui::Popup::menu(&response)
        .id(id)
        .width(width.max(320.0))
        .accessible_name(format!("{label} list"))
        .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| {
            let lines: usize = sections.iter().map(|section| section.choices.len()).sum();
            let mut filter: String =
                ui.data_mut(|data| data.get_temp(filter_id).unwrap_or_default());
            if lines > LONG_LIST {
                let edit = TextEdit::singleline(&mut filter)
                    .hint_text("Type to filter")
                    .desired_width(f32::INFINITY)
                    .margin(MARGIN);
                let edit = ui.add(edit);
                edit.widget_info(|| {
                    WidgetInfo::labeled(Role::TextInput, true, format!("Filter {label}"))
                });
                if response.clicked() {
                    edit.request_focus();
                }
            }
            chosen = sections_ui(ui, id, sections, &filter, picked);
            if response.clicked() {
                // The Enter that opened the list picks nothing from it.
                chosen = None;
            }
            if chosen.is_some() {
                filter.clear();
                ui.data_mut(|data| data.remove_temp::<String>(id.with("marked")));
                ui.close();
            }
            ui.data_mut(|data| data.insert_temp(filter_id, filter));
        });
    chosen
}

/// The button itself.
fn button_ui(
    ui: &mut Ui,
    id: egui::Id,
    label: &str,
    picked: Option<&str>,
    dot_color: Option<Color32>,
    width: f32,
) -> Response {
    let tokens = tokens(ui);
    let shown = picked.map_or_else(
        || "None".to_owned(),
        |name| fit_middle(ui, name, &TextStyle::Button, width - 58.0),
    );
    let (rect, _) = ui.allocate_exact_size(vec2(width, 30.0), Sense::hover());
    let response = ui.interact(rect, id.with("button"), Sense::click());
    let visuals = ui.style().interact(&response);
    ui.painter().rect(
        rect,
        visuals.corner_radius,
        visuals.weak_bg_fill,
        visuals.bg_stroke,
        egui::StrokeKind::Inside,
    );
    let mut left = rect.left() + 12.0;
    if let Some(color) = dot_color {
        ui.painter()
            .circle_filled(egui::pos2(left + 4.0, rect.center().y), 4.0, color);
        left += 16.0;
    }
    let color = if picked.is_some() {
        tokens.text
    } else {
        tokens.faint
    };
    ui.painter().text(
        egui::pos2(left, rect.center().y),
        Align2::LEFT_CENTER,
        shown,
        TextStyle::Button.resolve(ui.style()),
        color,
    );
    let tip = egui::pos2(rect.right() - 14.0, rect.center().y + 2.5);
    ui.painter().add(egui::Shape::convex_polygon(
        vec![tip, tip + vec2(-4.0, -5.0), tip + vec2(4.0, -5.0)],
        tokens.dim,
        Stroke::NONE,
    ));
    let spoken = format!("{label}: {}", picked.unwrap_or("none"));
    response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, ui.is_enabled(), &spoken));
    match picked {
        Some(name) => response.on_hover_text(units::shorten_middle(name, LONGEST_TOLD)),
        None => response,
    }
}

fn sections_ui(
    ui: &mut Ui,
    id: egui::Id,
    sections: &[Section<'_>],
    filter: &str,
    picked: Option<&str>,
) -> Option<String> {
    let wanted = filter.trim().to_lowercase();
    let fits =
        |choice: &Choice<'_>| wanted.is_empty() || choice.name.to_lowercase().contains(&wanted);
    let selectable: Vec<&str> = sections
        .iter()
        .flat_map(|section| &section.choices)
        .filter(|choice| choice.enabled && fits(choice))
        .map(|choice| choice.name)
        .collect();
    let (marked, mut chosen) = list_keys(ui, id, &selectable, picked);
    let mut shown = 0;
    ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for section in sections {
            let choices: Vec<&Choice<'_>> = section
                .choices
                .iter()
                .filter(|choice| fits(choice))
                .collect();
            if choices.is_empty() {
                continue;
            }
            if !section.heading.is_empty() {
                ui.add_space(GRID);
                caption(ui, section.heading);
            }
            for choice in choices {
                shown += 1;
                if shown > MOST_LINES {
                    continue;
                }
                let mark = Mark {
                    picked: picked == Some(choice.name),
                    by_keys: marked == Some(choice.name),
                };
                if choice_ui(ui, choice, mark) {
                    chosen = Some(choice.name.to_owned());
                }
            }
        }
        if shown > MOST_LINES {
            let more = units::count((shown - MOST_LINES) as u64);
            caption(ui, format!("{more} more: type to filter"));
        }
        if shown == 0 {
            caption(
                ui,
                if wanted.is_empty() {
                    "No options yet"
                } else {
                    "No matches"
                },
            );
        }
    });
    chosen
}

/// Up and Down move a mark through the list, Enter takes what is marked.
fn list_keys<'a>(
    ui: &Ui,
    id: egui::Id,
    names: &[&'a str],
    picked: Option<&str>,
) -> (Option<&'a str>, Option<String>) {
    let id = id.with("marked");
    let at = ui.data(|data| data.get_temp::<String>(id));
    let place = |name: &str| names.iter().position(|other| *other == name);
    let mut at = at
        .as_deref()
        .and_then(place)
        .or_else(|| picked.and_then(place));
    let (up, down, enter) = ui.input_mut(|input| {
        (
            input.consume_key(egui::Modifiers::NONE, Key::ArrowUp),
            input.consume_key(egui::Modifiers::NONE, Key::ArrowDown),
            input.key_pressed(Key::Enter),
        )
    });
    let last = names.len().saturating_sub(1);
    if down {
        at = Some(at.map_or(0, |at| (at + 1).min(last)));
    }
    if up {
        at = Some(at.map_or(last, |at| at.saturating_sub(1)));
    }
    // What the filter left: its first line, unless another was marked.
    let marked = at.or(Some(0)).and_then(|at| names.get(at).copied());
    if up || down {
        ui.data_mut(|data| data.insert_temp(id, marked.unwrap_or_default().to_owned()));
    }
    (marked, marked.filter(|_| enter).map(str::to_owned))
}

/// How a line of a list is marked.
#[derive(Clone, Copy)]
struct Mark {
    picked: bool,
    by_keys: bool,
}

fn choice_ui(ui: &mut Ui, choice: &Choice<'_>, mark: Mark) -> bool {
    let Mark { picked, by_keys } = mark;
    let tokens = tokens(ui);
    let remark = choice.remark.as_deref().unwrap_or_default();
    let width = ui.available_width();
    let inner = width - 32.0;
    let color = if choice.enabled {
        tokens.text
    } else {
        tokens.dim
    };
    let name = fit_middle(ui, choice.name, &TextStyle::Body, inner);
    let name = ui
        .painter()
        .layout_no_wrap(name, TextStyle::Body.resolve(ui.style()), color);
    let remark_galley = (!remark.is_empty()).then(|| {
        ui.painter().layout(
            remark.to_owned(),
            TextStyle::Small.resolve(ui.style()),
            tokens.dim,
            inner,
        )
    });
    let height = name.size().y
        + remark_galley
            .as_ref()
            .map_or(0.0, |galley| galley.size().y + 2.0)
        + 10.0;
    let sense = if choice.enabled {
        Sense::click()
    } else {
        Sense::hover()
    };
    let (rect, response) = ui.allocate_exact_size(vec2(width, height), sense);
    if by_keys {
        let stroke = Stroke::new(1.0, tokens.accent);
        ui.painter().rect_stroke(
            rect,
            CornerRadius::same(ROUNDING),
            stroke,
            egui::StrokeKind::Inside,
        );
    }
    if choice.enabled && (response.hovered() || response.has_focus() || picked) {
        let fill = if picked {
            tokens.selection
        } else {
            tokens.hover
        };
        ui.painter()
            .rect_filled(rect, CornerRadius::same(ROUNDING), fill);
    }
    let mut at = rect.left_top() + vec2(22.0, 5.0);
    if let Some(color) = choice.dot {
        ui.painter()
            .circle_filled(at + vec2(-11.0, name.size().y / 2.0), 3.5, color);
    }
    let below = name.size().y + 2.0;
    ui.painter().galley(at, name, color);
    if let Some(galley) = remark_galley {
        at.y += below;
        ui.painter().galley(at, galley, tokens.dim);
    }
    let spoken = if remark.is_empty() {
        choice.name.to_owned()
    } else {
        format!("{}, {remark}", choice.name)
    };
    response.widget_info(|| WidgetInfo::selected(Role::Button, choice.enabled, picked, &spoken));
    let response = response.on_hover_text(units::shorten_middle(choice.name, LONGEST_TOLD));
    choice.enabled && response.clicked()
}

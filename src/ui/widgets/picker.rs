//! A button that opens a list, to pick a line from or to tick lines in.

mod matching;
#[cfg(test)]
mod tests;

use egui::{
    Align2, CornerRadius, Event, Key, Popup, Response, Role, ScrollArea, Sense, Stroke, StrokeKind,
    TextEdit, TextStyle, Ui, WidgetInfo, pos2, vec2,
};

pub use self::matching::matching;
use super::{LONGEST_TOLD, MARGIN, MOST_LINES, Sign, caption, fit_middle, tokens};
use crate::domain::units;
use crate::ui::theme::{GRID, HALF, ROUNDING};

/// A line of a picker's list.
pub struct Choice<'a> {
    /// Its name, which is also the value that picking it gives.
    pub name: &'a str,
    /// Below the name.
    pub remark: Option<String>,
    /// How it does.
    pub sign: Option<Sign>,
    /// Whether it can be picked.
    pub enabled: bool,
}

impl<'a> Choice<'a> {
    /// It can be picked, and there is nothing more to say of it.
    pub fn plain(name: &'a str) -> Self {
        Self {
            name,
            remark: None,
            sign: None,
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

/// A line of a list: its section, and its place in there.
pub type Place = (usize, usize);

/// How the lines of a list are marked.
#[derive(Clone, Copy)]
enum Marks<'a> {
    /// One is picked.
    Picked(Option<&'a str>),
    /// Each may be ticked.
    Ticks(&'a dyn Fn(Place) -> bool),
}

impl Marks<'_> {
    fn is_on(self, place: Place, choice: &Choice<'_>) -> bool {
        match self {
            Self::Picked(name) => name == Some(choice.name),
            Self::Ticks(is_ticked) => is_ticked(place),
        }
    }
}

/// More lines than this get a field to filter by.
const LONG_LIST: usize = 8;
/// A longer filter is no name.
const LONGEST_FILTER: usize = 200;
/// Narrower lists are hard to read.
const MIN_LIST_WIDTH: f32 = 320.0;

fn picker_id(ui: &Ui, label: &str) -> egui::Id {
    ui.make_persistent_id(("picker", label))
}

/// Whether a picker's list is open.
pub fn picker_is_open(ui: &Ui, label: &str) -> bool {
    Popup::is_id_open(ui.ctx(), picker_id(ui, label))
}

/// Whether a picker's list is open, or may open in this frame: only then its lines need to be put together.
pub fn picker_may_open(ui: &Ui, label: &str) -> bool {
    let moves = |event: &Event| matches!(event, Event::PointerMoved(_));
    picker_is_open(ui, label) || ui.input(|input| !input.events.iter().all(moves))
}

/// A button that shows what is picked and opens a list to pick from, with a filter once the list is long.
/// Gives what was picked.
pub fn picker(
    ui: &mut Ui,
    label: &str,
    picked: Option<&str>,
    sign: Option<Sign>,
    width: f32,
    sections: &[Section<'_>],
) -> Option<String> {
    let id = picker_id(ui, label);
    let told = picked.map(|name| units::shorten_middle(name, LONGEST_TOLD));
    let response = button_ui(ui, id, label, picked, sign, width);
    let response = match told {
        Some(told) => response.on_hover_text(told),
        None => response,
    };
    let marks = Marks::Picked(picked);
    let (section, line) = list_ui(&response, id, label, width, sections, marks)?;
    let choice = sections.get(section)?.choices.get(line)?;
    Some(choice.name.to_owned())
}

/// The same for several lines: the list has ticks, and stays open. `shown`: on the button, and in full over it. Gives
/// the line whose tick was changed.
pub fn tick_picker(
    ui: &mut Ui,
    label: &str,
    shown: (Option<&str>, &str),
    width: f32,
    sections: &[Section<'_>],
    is_ticked: &dyn Fn(Place) -> bool,
) -> Option<Place> {
    let id = picker_id(ui, label);
    let response = button_ui(ui, id, label, shown.0, None, width);
    let response = if shown.1.is_empty() {
        response
    } else {
        response.on_hover_text(shown.1)
    };
    list_ui(
        &response,
        id,
        label,
        width,
        sections,
        Marks::Ticks(is_ticked),
    )
}

/// The list, while it is open. Gives the line that was clicked, or taken with Enter.
fn list_ui(
    button: &Response,
    id: egui::Id,
    label: &str,
    width: f32,
    sections: &[Section<'_>],
    marks: Marks<'_>,
) -> Option<Place> {
    let filter_id = id.with("filter");
    let list = Popup::menu(button)
        .id(id)
        .width(width.max(MIN_LIST_WIDTH))
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
                    .char_limit(LONGEST_FILTER)
                    .margin(MARGIN);
                let edit = ui.add(edit);
                edit.widget_info(|| super::text_info(&format!("Filter {label}"), &filter));
                if button.clicked() {
                    edit.request_focus();
                }
            }
            let taken = sections_ui(ui, id, sections, &filter, marks);
            // The Enter that opened the list takes nothing from it.
            let taken = taken.filter(|_| !button.clicked());
            if taken.is_some() && matches!(marks, Marks::Picked(_)) {
                ui.close();
            }
            ui.data_mut(|data| data.insert_temp(filter_id, filter));
            taken
        });
    let taken = list.as_ref().and_then(|list| list.inner);
    if !Popup::is_id_open(&button.ctx, id) {
        // However it was closed, it opens anew as the first time.
        button.ctx.data_mut(|data| {
            data.remove_temp::<String>(filter_id);
            data.remove_temp::<(usize, String)>(id.with("marked"));
        });
    }
    taken
}

/// The button itself.
fn button_ui(
    ui: &mut Ui,
    id: egui::Id,
    label: &str,
    picked: Option<&str>,
    sign: Option<Sign>,
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
        StrokeKind::Inside,
    );
    let mut left = rect.left() + 12.0;
    if let Some(sign) = sign {
        sign.paint(ui.painter(), pos2(left + 4.0, rect.center().y), tokens);
        left += 16.0;
    }
    let color = if picked.is_some() {
        tokens.text
    } else {
        tokens.faint
    };
    ui.painter().text(
        pos2(left, rect.center().y),
        Align2::LEFT_CENTER,
        shown,
        TextStyle::Button.resolve(ui.style()),
        color,
    );
    let tip = pos2(rect.right() - 14.0, rect.center().y + 2.5);
    ui.painter().add(egui::Shape::convex_polygon(
        vec![tip, tip + vec2(-4.0, -5.0), tip + vec2(4.0, -5.0)],
        tokens.dim,
        Stroke::NONE,
    ));
    let spoken = format!("{label}: {}", picked.unwrap_or("none"));
    response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, ui.is_enabled(), &spoken));
    response
}

fn sections_ui(
    ui: &mut Ui,
    id: egui::Id,
    sections: &[Section<'_>],
    filter: &str,
    marks: Marks<'_>,
) -> Option<Place> {
    let found = matching(sections, filter);
    let choice = |(section, line): Place| &sections[section].choices[line];
    let lines = found
        .iter()
        .flat_map(|(section, lines)| lines.iter().map(move |line| (*section, *line)));
    let selectable: Vec<Place> = lines.filter(|place| choice(*place).enabled).collect();
    let keys = list_keys(ui, id, (sections, &selectable), marks);
    let mut taken = keys.taken;
    let mut shown = 0;
    ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = HALF;
        for (section, lines) in &found {
            let heading = sections[*section].heading;
            if !heading.is_empty() {
                ui.add_space(GRID);
                caption(ui, heading);
            }
            for line in lines {
                shown += 1;
                if shown > MOST_LINES {
                    continue;
                }
                let place = (*section, *line);
                let mark = Mark {
                    on: marks.is_on(place, choice(place)),
                    ticks: matches!(marks, Marks::Ticks(_)),
                    by_keys: keys.marked == Some(place),
                };
                let response = choice_ui(ui, choice(place), mark);
                if mark.by_keys && keys.moved {
                    response.scroll_to_me(None);
                }
                if response.clicked() && choice(place).enabled {
                    taken = Some(place);
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
                if filter.trim().is_empty() {
                    "No options yet"
                } else {
                    "No matches"
                },
            );
        }
    });
    taken
}

/// What the keys did with a list.
struct Keys {
    /// The line that Enter takes.
    marked: Option<Place>,
    /// The mark was moved.
    moved: bool,
    /// The line that Enter took.
    taken: Option<Place>,
}

/// Up and Down move a mark through the list, Enter takes what is marked.
fn list_keys(
    ui: &Ui,
    id: egui::Id,
    (sections, lines): (&[Section<'_>], &[Place]),
    marks: Marks<'_>,
) -> Keys {
    let id = id.with("marked");
    let name = |(section, line): Place| sections[section].choices[line].name;
    // By its name: the list may change while it is open.
    let before = ui.data(|data| data.get_temp::<(usize, String)>(id));
    let is_before = |place: &Place| {
        let before = before.as_ref();
        before.is_some_and(|(section, line)| *section == place.0 && *line == name(*place))
    };
    let is_picked = |(section, line): &Place| {
        let choice = &sections[*section].choices[*line];
        matches!(marks, Marks::Picked(_)) && marks.is_on((*section, *line), choice)
    };
    let at = lines.iter().position(is_before);
    let at = at.or_else(|| lines.iter().position(is_picked));
    let (up, down, enter) = ui.input_mut(|input| {
        (
            input.consume_key(egui::Modifiers::NONE, Key::ArrowUp),
            input.consume_key(egui::Modifiers::NONE, Key::ArrowDown),
            input.key_pressed(Key::Enter),
        )
    });
    let last = lines.len().saturating_sub(1);
    let at = match (up, down) {
        (false, false) => at,
        (_, true) => Some(at.map_or(0, |at| (at + 1).min(last))),
        (true, false) => Some(at.map_or(last, |at| at.saturating_sub(1))),
    };
    // What the filter left: its first line, unless another was marked.
    let marked = lines.get(at.unwrap_or(0)).copied();
    if let Some(place) = marked.filter(|_| up || down) {
        ui.data_mut(|data| data.insert_temp(id, (place.0, name(place).to_owned())));
    }
    Keys {
        marked,
        moved: up || down,
        taken: marked.filter(|_| enter),
    }
}

/// How a line of a list is marked.
#[derive(Clone, Copy)]
struct Mark {
    /// Picked, or ticked.
    on: bool,
    /// It has a tick.
    ticks: bool,
    by_keys: bool,
}

fn choice_ui(ui: &mut Ui, choice: &Choice<'_>, mark: Mark) -> Response {
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
    let below = remark_galley.as_ref().map_or(0.0, |it| it.size().y + 2.0);
    let height = name.size().y + below + 10.0;
    let sense = if choice.enabled {
        Sense::click()
    } else {
        Sense::hover()
    };
    let (rect, response) = ui.allocate_exact_size(vec2(width, height), sense);
    let corners = CornerRadius::same(ROUNDING);
    let is_picked = mark.on && !mark.ticks;
    if choice.enabled && (response.hovered() || response.has_focus() || is_picked) {
        let fill = if is_picked {
            tokens.selection
        } else {
            tokens.hover
        };
        ui.painter().rect_filled(rect, corners, fill);
    }
    if mark.by_keys {
        let stroke = Stroke::new(1.0, tokens.accent);
        ui.painter()
            .rect_stroke(rect, corners, stroke, StrokeKind::Inside);
    }
    let at = rect.left_top() + vec2(22.0, 5.0);
    let beside = at + vec2(-11.0, name.size().y / 2.0);
    if mark.ticks {
        tick_ui(ui, beside, mark.on, choice.enabled);
    } else if let Some(sign) = choice.sign {
        sign.paint(ui.painter(), beside, tokens);
    }
    let remark_at = at + vec2(0.0, name.size().y + 2.0);
    ui.painter().galley(at, name, color);
    if let Some(galley) = remark_galley {
        ui.painter().galley(remark_at, galley, tokens.dim);
    }
    let spoken = if remark.is_empty() {
        choice.name.to_owned()
    } else {
        format!("{}, {remark}", choice.name)
    };
    let role = if mark.ticks {
        Role::CheckBox
    } else {
        Role::Button
    };
    response.widget_info(|| WidgetInfo::selected(role, choice.enabled, mark.on, &spoken));
    response.on_hover_text(units::shorten_middle(choice.name, LONGEST_TOLD))
}

/// A check box around `center`.
fn tick_ui(ui: &Ui, center: egui::Pos2, on: bool, enabled: bool) {
    let tokens = tokens(ui);
    let rect = egui::Rect::from_center_size(center, vec2(14.0, 14.0));
    let (fill, line) = match (on, enabled) {
        (true, true) => (tokens.accent, tokens.accent),
        (true, false) => (tokens.dim, tokens.dim),
        (false, _) => (tokens.sunken, tokens.line_strong),
    };
    let stroke = Stroke::new(1.0, line);
    ui.painter().rect(
        rect,
        CornerRadius::same(3),
        fill,
        stroke,
        StrokeKind::Inside,
    );
    if on {
        let at = |x: f32, y: f32| pos2(center.x + x, center.y + y);
        let tick = vec![at(-3.5, 0.0), at(-1.0, 2.5), at(3.5, -3.0)];
        let stroke = Stroke::new(1.5, tokens.on_accent);
        ui.painter().add(egui::Shape::line(tick, stroke));
    }
}

//! The parts that every page is made of. Each control has a label that a test and a screen reader find.

use std::borrow::Cow;
use std::time::Duration;

use egui::{
    Align, Align2, Area, Button, Color32, CornerRadius, Frame, Id, Key, Label, Layout, Margin,
    Order, Response, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, TextEdit, TextStyle,
    Ui, Vec2, WidgetInfo, vec2,
};

use super::theme::{self, CARD_ROUNDING, GRID, ROUNDING, Tokens};
use crate::domain::failure::Failure;
use crate::domain::printable::{cut, printable};
use crate::domain::units;

/// The colours that `ui` draws with.
pub fn tokens(ui: &Ui) -> &'static Tokens {
    Tokens::of(ui.style())
}

/// A card: a panel with an outline.
pub fn card(ui: &Ui) -> Frame {
    let tokens = tokens(ui);
    Frame::new()
        .fill(tokens.panel)
        .stroke(Stroke::new(1.0, tokens.line))
        .corner_radius(CornerRadius::same(CARD_ROUNDING))
        .inner_margin(Margin::same(12))
}

/// A card that fills what is left.
pub fn filling_card<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> R {
    card(ui)
        .show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            contents(ui)
        })
        .inner
}

/// A page's title and what it is for.
pub fn page_head(ui: &mut Ui, title: &str, purpose: &str) {
    ui.spacing_mut().item_spacing.y = 2.0;
    ui.heading(title);
    caption(ui, purpose);
    ui.spacing_mut().item_spacing.y = 2.0 * GRID;
    ui.add_space(2.0 * GRID);
}

/// 11 pt, dim.
pub fn caption(ui: &mut Ui, text: impl Into<String>) -> Response {
    let dim = tokens(ui).dim;
    ui.label(RichText::new(text).small().color(dim))
}

/// 13 pt semi-bold.
pub fn strong(ui: &mut Ui, text: impl Into<String>) -> Response {
    ui.label(RichText::new(text).text_style(theme::strong_text()))
}

/// The one thing to do in a view.
pub fn primary_button(ui: &mut Ui, text: &str, enabled: bool) -> Response {
    let tokens = tokens(ui);
    ui.scope(|ui| {
        let widgets = &mut ui.visuals_mut().widgets;
        for (widget, fill) in [
            (&mut widgets.inactive, tokens.accent),
            (&mut widgets.hovered, tokens.accent_hover),
            (&mut widgets.active, tokens.accent_hover),
        ] {
            widget.weak_bg_fill = fill;
            widget.bg_stroke = Stroke::new(1.0, fill);
        }
        if ui.ctx().memory(|memory| memory.focused().is_some()) {
            ui.visuals_mut().widgets.active.bg_stroke = Stroke::new(1.5, tokens.text);
        }
        let text = RichText::new(text)
            .text_style(theme::strong_text())
            .color(tokens.on_accent);
        ui.add_enabled(enabled, Button::new(text).min_size(vec2(84.0, 28.0)))
    })
    .inner
}

/// A button for what is seldom needed: small text, little room.
pub fn small_button(ui: &mut Ui, text: &str) -> Response {
    small_button_if(ui, true, text)
}

/// The same, perhaps not to be used now.
pub fn small_button_if(ui: &mut Ui, enabled: bool, text: &str) -> Response {
    ui.scope(|ui| {
        ui.spacing_mut().button_padding = vec2(8.0, 2.0);
        ui.spacing_mut().interact_size.y = 22.0;
        ui.add_enabled(
            enabled,
            Button::new(RichText::new(text).small()).min_size(vec2(0.0, 22.0)),
        )
    })
    .inner
}

/// A small round sign of a state; the words beside it say the same.
pub fn dot(ui: &mut Ui, color: Color32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(10.0), Sense::hover());
    ui.painter().circle_filled(rect.center(), 4.0, color);
}

/// A text field under its label, both as wide as there is room. `hint` shows while it is empty.
pub fn field(ui: &mut Ui, label: &str, text: &mut String, hint: &str) -> Response {
    let name = caption(ui, label);
    let edit = TextEdit::singleline(text)
        .hint_text(hint.to_owned())
        .desired_width(f32::INFINITY)
        .margin(MARGIN);
    ui.add(edit).labelled_by(name.id)
}

/// What a screen reader is told of a text field without a label beside it.
pub fn text_info(label: &str, text: &str) -> WidgetInfo {
    let mut info = WidgetInfo::labeled(Role::TextInput, true, label);
    info.current_text_value = Some(text.to_owned());
    info
}

/// The inside of a text field.
pub const MARGIN: Margin = Margin {
    left: 8,
    right: 8,
    top: 5,
    bottom: 5,
};

/// Over all of the page while files are held above the window: what becomes of them, and which are taken.
pub fn drop_hint(ui: &Ui, text: &str, which: &str) {
    let (tokens, page) = (tokens(ui), ui.max_rect());
    let hint = Area::new(Id::unique("drop hint"))
        .order(Order::Foreground)
        .fixed_pos(page.min);
    hint.interactable(false).show(ui.ctx(), |ui| {
        let fill = tokens.background.gamma_multiply(0.88);
        let stroke = Stroke::new(2.0, tokens.accent);
        ui.painter().rect(
            page,
            CornerRadius::same(8),
            fill,
            stroke,
            StrokeKind::Inside,
        );
        let response = ui.allocate_rect(page, Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
        let (at, heading) = (page.center(), TextStyle::Heading.resolve(ui.style()));
        ui.painter()
            .text(at, Align2::CENTER_BOTTOM, text, heading, tokens.text);
        let body = TextStyle::Body.resolve(ui.style());
        ui.painter().text(
            at + vec2(0.0, 8.0),
            Align2::CENTER_TOP,
            which,
            body,
            tokens.dim,
        );
    });
}

/// What is wrong with the field above, in the colour of an error.
pub fn field_error(ui: &mut Ui, text: &str) {
    let error = tokens(ui).error;
    ui.label(RichText::new(text).small().color(error));
}

/// A label that is shortened in the middle to fit, with the whole on hover.
pub fn shortened(
    ui: &mut Ui,
    text: &str,
    style: TextStyle,
    color: Color32,
    width: f32,
) -> Response {
    let shown = fit_middle(ui, text, &style, width);
    let cut = shown != text;
    let label = Label::new(RichText::new(shown).text_style(style).color(color)).selectable(false);
    let response = ui.add(label);
    if cut {
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
        return response.on_hover_text(units::shorten_middle(text, LONGEST_TOLD));
    }
    response
}

/// Shortens in the middle until it is at most `width` points wide.
pub fn fit_middle(ui: &Ui, text: &str, style: &TextStyle, width: f32) -> String {
    let font = style.resolve(ui.style());
    let measure = |text: &str| {
        ui.ctx().fonts_mut(|fonts| {
            fonts
                .layout_no_wrap(text.to_owned(), font.clone(), Color32::PLACEHOLDER)
                .size()
                .x
        })
    };
    // No line holds more, and a name may be as long as its server likes: laying it out would take seconds.
    let text = &*units::shorten_middle(text, LONGEST_LINE);
    let whole = measure(text);
    if whole <= width {
        return text.to_owned();
    }
    let count = text.chars().count();
    let mut most = ((count as f32 * width / whole) as usize).clamp(3, count);
    loop {
        let short = units::shorten_middle(text, most);
        if most <= 3 || measure(&short) <= width {
            return short;
        }
        most -= 1;
    }
}

/// Characters that are laid out for one line.
const LONGEST_LINE: usize = 1_000;
/// Characters of a name that is shown whole, over its shortened form.
pub const LONGEST_TOLD: usize = 2_000;
/// Lines of a list that are laid out; what more there is, is found by typing.
pub const MOST_LINES: usize = 300;

/// What a page shows where there is nothing yet, so far below its top.
pub fn empty_state(ui: &mut Ui, title: &str, advice: &str, above: f32) {
    let dim = tokens(ui).dim;
    ui.with_layout(Layout::top_down(Align::Center), |ui| {
        ui.add_space(above);
        strong(ui, title);
        ui.add(Label::new(RichText::new(advice).color(dim)).wrap());
    });
}

/// What went wrong and what to try, with the other program's words one click away.
/// `id` tells boxes on one page apart.
pub fn failure_box(ui: &mut Ui, id: &str, failure: &Failure, age_of_old: Option<Duration>) {
    let tokens = tokens(ui);
    notice_frame(tokens.error_box).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = GRID;
        ui.add(
            Label::new(
                RichText::new(message(&failure.summary))
                    .text_style(theme::strong_text())
                    .color(tokens.error),
            )
            .wrap(),
        );
        if !failure.advice.is_empty() {
            ui.add(Label::new(RichText::new(message(&failure.advice))).wrap());
        }
        if let Some(age) = age_of_old {
            ui.add(
                Label::new(
                    RichText::new(format!("Shown is what was seen {}", units::ago(age)))
                        .color(tokens.dim),
                )
                .wrap(),
            );
        }
        details_ui(ui, id, &failure.details);
    });
}

/// A sentence that may hold a server's words: it hides nothing, and a long one says how much is left out.
pub fn message(text: &str) -> Cow<'_, str> {
    const MAX: usize = 600;
    match printable(text) {
        Cow::Borrowed(text) => cut(text, MAX),
        Cow::Owned(text) => Cow::Owned(cut(&text, MAX).into_owned()),
    }
}

/// The other program's own words, folded.
pub fn details_ui(ui: &mut Ui, id: &str, details: &str) {
    if details.trim().is_empty() {
        return;
    }
    egui::CollapsingHeader::new(RichText::new("Details").small())
        .id_salt(("details", id))
        .show(ui, |ui| {
            ScrollArea::vertical()
                .max_height(160.0)
                .id_salt(("details text", id))
                .show(ui, |ui| {
                    // More than this nobody reads, and laying it out would hold up the window.
                    let details = cut(details, 20_000);
                    ui.add(
                        Label::new(RichText::new(details).text_style(theme::small_figure_text()))
                            .wrap(),
                    );
                });
        });
}

/// A box in the colour of a warning.
pub fn warning_box(ui: &mut Ui, text: &str) {
    let tokens = tokens(ui);
    notice_frame(tokens.warning_box).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.add(Label::new(RichText::new(text).color(tokens.warning)).wrap());
    });
}

/// A box that stands out from its page.
pub fn notice_frame(fill: Color32) -> Frame {
    Frame::new()
        .fill(fill)
        .corner_radius(CornerRadius::same(ROUNDING))
        .inner_margin(Margin::symmetric(12, 8))
}

/// A figure in a tile: title, figure, unit, and a line below.
pub struct Tile<'a> {
    /// What it is.
    pub title: &'a str,
    /// The figure; absent shows a dash.
    pub figure: Option<units::Figure>,
    /// The line below, e.g. what the server says.
    pub below: String,
    /// How it is defined, on hover.
    pub definition: &'a str,
    /// The figure's colour.
    pub color: Color32,
}

/// Narrower tiles have no room for the unit beside the figure.
pub const NARROW: f32 = 108.0;

impl Tile<'_> {
    /// Draws it `width` wide. A narrow one has its unit in the title.
    pub fn show(self, ui: &mut Ui, width: f32) -> Response {
        let narrow = width < NARROW;
        let tokens = tokens(ui);
        let Self {
            title,
            figure,
            below,
            definition,
            color,
        } = self;
        let spoken = match &figure {
            Some(figure) => format!("{title} {figure}"),
            None => format!("{title} {}", units::ABSENT),
        };
        let response = card(ui)
            .inner_margin(Margin::symmetric(if narrow { 7 } else { 12 }, 8))
            .show(ui, |ui| {
                ui.set_width(width - if narrow { 16.0 } else { 26.0 });
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing = vec2(5.0, 2.0);
                    let (value, unit) =
                        figure.map_or((units::ABSENT.to_owned(), ""), |f| (f.value, f.unit));
                    let title = if narrow && !unit.is_empty() {
                        format!("{title}, {unit}")
                    } else {
                        title.to_owned()
                    };
                    ui.add(Label::new(RichText::new(title).small().color(tokens.dim)).truncate());
                    ui.horizontal(|ui| {
                        ui.label(
                            RichText::new(value)
                                .text_style(theme::figure_text())
                                .color(color),
                        );
                        if !unit.is_empty() && !narrow {
                            ui.vertical(|ui| {
                                ui.add_space(9.0);
                                caption(ui, unit);
                            });
                        }
                    });
                    ui.add(Label::new(RichText::new(below).small().color(tokens.faint)).truncate());
                });
            })
            .response
            .interact(Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
        response.on_hover_text(definition)
    }
}

/// A line of a picker's list.
pub struct Choice<'a> {
    /// What it is called, and what picking it gives.
    pub name: &'a str,
    /// Below the name.
    pub remark: Option<String>,
    /// A state's colour.
    pub dot: Option<Color32>,
    /// Whether it can be picked.
    pub enabled: bool,
}

/// A part of a picker's list.
pub struct Section<'a> {
    /// Above its lines; empty for none.
    pub heading: &'a str,
    /// Its lines.
    pub choices: Vec<Choice<'a>>,
}

/// More lines than this get a field to filter by.
const LONG: usize = 8;

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
    let tokens = tokens(ui);
    let id = picker_id(ui, label);
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
    let response = match picked {
        Some(name) => response.on_hover_text(units::shorten_middle(name, LONGEST_TOLD)),
        None => response,
    };
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
            if lines > LONG {
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
                    "Nothing to pick from yet"
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

/// What is special about a line of a list.
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

/// Buttons side by side from the right edge, the first one outermost.
pub fn from_right<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> R {
    ui.with_layout(Layout::right_to_left(Align::Center), contents)
        .inner
}

/// A column of its own beside others, this large.
pub fn column<R>(ui: &mut Ui, size: Vec2, contents: impl FnOnce(&mut Ui) -> R) -> R {
    ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        ui.set_width(size.x);
        contents(ui)
    })
    .inner
}

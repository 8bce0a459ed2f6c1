//! The parts that every page is made of. Each control has a label that a test and a screen reader find.

mod buttons;
mod picker;
mod signs;

use std::borrow::Cow;
use std::time::Duration;

use egui::{
    Align, Align2, Area, Color32, CornerRadius, Frame, Id, Label, Layout, Margin, Order, Response,
    RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, TextEdit, TextStyle, Ui, Vec2,
    WidgetInfo, vec2,
};

use super::theme::{self, CARD_ROUNDING, GAP, GRID, HALF, ROUNDING, Tokens};
use crate::domain::failure::Failure;
use crate::domain::printable::{cut, printable};
use crate::domain::units;

pub use self::buttons::{
    answers, danger_button, focus_when_new, primary_button, small_button, small_button_if,
    small_danger_button,
};
pub use self::picker::{
    Choice, Place, Section, matching, picker, picker_is_open, picker_may_open, tick_picker,
};
pub use self::signs::{Sign, health_mark, status_sign, warning_sign};

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
        .inner_margin(theme::margin(3, 3))
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
    ui.spacing_mut().item_spacing.y = HALF;
    ui.heading(title);
    caption(ui, purpose);
    ui.spacing_mut().item_spacing.y = GAP;
    ui.add_space(GAP);
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

/// The accessible name of a text field without a label beside it.
pub fn text_info(label: &str, text: &str) -> WidgetInfo {
    let mut info = WidgetInfo::labeled(Role::TextInput, true, label);
    info.current_text_value = Some(text.to_owned());
    info
}

/// The inside of a text field: a line of text is as high with it as a button, seven steps of the grid.
pub const MARGIN: Margin = Margin {
    left: 8,
    right: 8,
    top: 6,
    bottom: 6,
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

/// The mistake in the field above, in the colour of an error.
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
    if count <= 3 {
        return text.to_owned();
    }
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

/// An empty state: what is missing and the next step, `above` points below the page's top.
pub fn empty_state(ui: &mut Ui, title: &str, advice: &str, above: f32) {
    let dim = tokens(ui).dim;
    ui.with_layout(Layout::top_down(Align::Center), |ui| {
        ui.add_space(above);
        strong(ui, title);
        ui.add(Label::new(RichText::new(advice).color(dim)).wrap());
    });
}

/// A failure and its advice, with the other program's output one click away.
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
                    RichText::new(format!("Showing data from {}", units::ago(age)))
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
        .inner_margin(theme::margin(3, 2))
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
            .inner_margin(theme::margin(if narrow { 2 } else { 3 }, 2))
            .show(ui, |ui| {
                ui.set_width(width - if narrow { 18.0 } else { 26.0 });
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing = vec2(GRID, HALF);
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
                                ui.add_space(GAP);
                                caption(ui, unit);
                            });
                        }
                    });
                    if !below.is_empty() {
                        let below = RichText::new(below).small().color(tokens.faint);
                        ui.add(Label::new(below).truncate());
                    }
                });
            })
            .response
            .interact(Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
        response.on_hover_text(definition)
    }
}

/// Buttons side by side from the right edge, the first one outermost.
pub fn from_right<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> R {
    ui.with_layout(Layout::right_to_left(Align::Center), contents)
        .inner
}

/// A column of its own beside others, this large.
pub fn column<R>(ui: &mut Ui, size: Vec2, contents: impl FnOnce(&mut Ui) -> R) -> R {
    ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
        ui.spacing_mut().item_spacing.x = GAP;
        ui.set_width(size.x);
        contents(ui)
    })
    .inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_any_room_is_as_short_as_it_gets() {
        egui::__run_test_ui(|ui| {
            let fit = |text: &str, width| fit_middle(ui, text, &TextStyle::Body, width);
            assert_eq!(fit("", -8.0), "");
            assert_eq!(fit("ms", -8.0), "ms");
            assert_eq!(fit("milliseconds", -8.0).chars().count(), 3);
            assert_eq!(fit("milliseconds", 900.0), "milliseconds");
        });
    }
}

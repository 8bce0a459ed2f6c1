//! How everything looks: colours by meaning, fonts, sizes. The only place with colour literals.

use std::sync::Arc;

use egui::{
    Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Shadow, Stroke,
    Style, TextStyle, Theme, Visuals, vec2,
};

use crate::chart::svg::FONTS;
use crate::domain::deployment::Health;

/// Colours by meaning. One set for dark, an equal one for light; see [`Tokens::of`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tokens {
    /// Whether this is the dark set.
    pub dark: bool,
    /// The window behind everything.
    pub background: Color32,
    /// Cards and side bars.
    pub panel: Color32,
    /// Surfaces on a panel: buttons, fields, code.
    pub raised: Color32,
    /// A raised thing under the pointer.
    pub hover: Color32,
    /// Sunk below a panel: the figure line, the inside of a text field.
    pub sunken: Color32,
    /// Separators and outlines.
    pub line: Color32,
    /// An outline that should be noticed: under the pointer, of a scroll handle.
    pub line_strong: Color32,
    /// Normal text.
    pub text: Color32,
    /// Text of second rank: labels, units.
    pub dim: Color32,
    /// Text of third rank: hints, shortcuts. Its contrast is at least 4.5 : 1 on every surface.
    ///
    /// The drawings use `#667085` on dark, which reaches only 3.5 : 1 on a panel, so it is lighter here.
    pub faint: Color32,
    /// The colour of Batida and of the one thing to do in a view; also links and focus.
    pub accent: Color32,
    /// The accent under the pointer.
    pub accent_hover: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// Ready, passed.
    pub ok: Color32,
    /// Look at this.
    pub warning: Color32,
    /// It failed.
    pub error: Color32,
    /// Behind what the user said.
    pub bubble: Color32,
    /// Behind a warning.
    pub warning_box: Color32,
    /// Behind an error.
    pub error_box: Color32,
    /// Behind selected text and selected rows.
    pub selection: Color32,
    /// Behind code, in a block or inline.
    pub code: Color32,
}

const DARK: Tokens = Tokens {
    dark: true,
    background: rgb(0x0f1115),
    panel: rgb(0x161920),
    raised: rgb(0x1e222b),
    hover: rgb(0x272c37),
    sunken: rgb(0x0f1115),
    line: rgb(0x2a2f3a),
    line_strong: rgb(0x4a5263),
    text: rgb(0xe6e8ec),
    dim: rgb(0x9aa3b2),
    faint: rgb(0x8690a3),
    accent: rgb(0xf26b3a),
    accent_hover: rgb(0xff8257),
    on_accent: rgb(0x1a0d06),
    ok: rgb(0x3fb68b),
    warning: rgb(0xe2b93b),
    error: rgb(0xec6b80),
    bubble: rgb(0x382824),
    warning_box: rgb(0x2c2717),
    error_box: rgb(0x301b22),
    selection: rgb(0x5a3324),
    code: rgb(0x11141a),
};

const LIGHT: Tokens = Tokens {
    dark: false,
    background: rgb(0xf5f6f8),
    panel: rgb(0xffffff),
    raised: rgb(0xeceff3),
    hover: rgb(0xe1e5eb),
    sunken: rgb(0xf5f6f8),
    line: rgb(0xd5d9e0),
    line_strong: rgb(0x8b94a3),
    text: rgb(0x171a20),
    dim: rgb(0x475061),
    faint: rgb(0x5c6575),
    accent: rgb(0xb8400f),
    accent_hover: rgb(0x9c350b),
    on_accent: rgb(0xffffff),
    ok: rgb(0x0f6b4a),
    warning: rgb(0x7a5600),
    error: rgb(0xb3243c),
    bubble: rgb(0xfce6dc),
    warning_box: rgb(0xfbf1d3),
    error_box: rgb(0xfde7ea),
    selection: rgb(0xf9cdb9),
    code: rgb(0xf3f4f7),
};

impl Tokens {
    /// The colours of the theme that `style` (a `ui.style()`) draws with.
    pub fn of(style: &Style) -> &'static Self {
        Self::for_dark(style.visuals.dark_mode)
    }

    /// The dark set, or the light one.
    pub fn for_dark(dark: bool) -> &'static Self {
        if dark { &DARK } else { &LIGHT }
    }

    /// The colour of the `index`-th model, wherever the model appears.
    ///
    /// The order tells neighbours apart under the usual colour blindnesses; six colours, then again
    /// from the first, with another [`Marker`](crate::chart::Marker) and [`Dash`](crate::chart::Dash).
    pub fn model_color(&self, index: usize) -> Color32 {
        let colors = if self.dark {
            &MODELS_ON_DARK
        } else {
            &MODELS_ON_LIGHT
        };
        colors[index % colors.len()]
    }

    /// The colour of how well a deployment does.
    pub fn health(&self, health: Health) -> Color32 {
        match health {
            Health::Serving => self.ok,
            Health::Degraded | Health::Starting => self.warning,
            Health::Broken => self.error,
            Health::Off | Health::Unknown => self.faint,
        }
    }

    /// `color`, moved towards the text colour until it can be read on `surface`.
    ///
    /// For colours that come from elsewhere, such as those of syntax highlighting.
    pub fn readable(&self, color: Color32, surface: Color32) -> Color32 {
        (0..=10)
            .map(|step| color.lerp_to_gamma(self.text, step as f32 / 10.0))
            .find(|c| contrast(*c, surface) >= READABLE)
            .unwrap_or(self.text)
    }
}

const MODELS_ON_DARK: [Color32; 6] = [
    rgb(0x56b4e9),
    rgb(0xe69f00),
    rgb(0xcc79a7),
    rgb(0x009e73),
    rgb(0xd55e00),
    rgb(0xf0e442),
];
/// The same hues, darkened to stand out from white.
const MODELS_ON_LIGHT: [Color32; 6] = [
    rgb(0x1c7ab0),
    rgb(0xa06a00),
    rgb(0xa84f80),
    rgb(0x00805d),
    rgb(0xc05200),
    rgb(0x7d7200),
];

/// The base of the spacing grid, in points: between what belongs closely together.
pub const GRID: f32 = 4.0;
/// Between the lines of one thing.
pub const HALF: f32 = GRID / 2.0;
/// Between things.
pub const GAP: f32 = 2.0 * GRID;
/// Around what is in a card, and between columns.
pub const PAD: f32 = 3.0 * GRID;
/// Between sections.
pub const APART: f32 = 6.0 * GRID;

/// Margins of so many steps of the grid, left and right, and above and below.
pub const fn margin(x: i8, y: i8) -> Margin {
    Margin::symmetric(STEP * x, STEP * y)
}

/// Around a page, in a window that is too narrow for much air or in a wide one.
pub const fn page_margin(narrow: bool) -> Margin {
    if narrow { margin(3, 3) } else { margin(5, 5) }
}

/// [`GRID`], as margins have it.
const STEP: i8 = 4;
/// The rounding of buttons and fields, in points.
pub const ROUNDING: u8 = 6;
/// The rounding of cards, in points.
pub const CARD_ROUNDING: u8 = 8;

/// 13 pt semi-bold: names, strong text in a form.
pub fn strong_text() -> TextStyle {
    TextStyle::Name(Arc::from("strong"))
}

/// 22 pt tabular figures, for stat tiles.
pub fn figure_text() -> TextStyle {
    TextStyle::Name(Arc::from("figure"))
}

/// 11 pt tabular figures, for the line under an answer and for tables.
pub fn small_figure_text() -> TextStyle {
    TextStyle::Name(Arc::from("small figure"))
}

/// The semi-bold family: headings, and bold in Markdown.
pub fn semibold() -> FontFamily {
    FontFamily::Name(Arc::from("semibold"))
}

/// Gives the context Batida's fonts and its dark and light styles. Call once, before the first frame.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    ctx.set_style_of(Theme::Dark, style(&DARK));
    ctx.set_style_of(Theme::Light, style(&LIGHT));
}

fn fonts() -> FontDefinitions {
    // egui's own fonts stay behind ours, for the signs that Inter and JetBrains Mono lack. JetBrains Mono is kept without
    // its feature `calt` (by `pyftsubset`), whose ligatures draw `!=` and `->` as one sign: code shows its characters.
    let mut fonts = FontDefinitions::default();
    let ours: [(&str, &[u8]); 4] = [
        ("Inter", FONTS[0]),
        ("Inter SemiBold", FONTS[1]),
        (
            "JetBrains Mono",
            include_bytes!("../../assets/fonts/JetBrainsMono-Regular.ttf"),
        ),
        (
            "JetBrains Mono Bold",
            include_bytes!("../../assets/fonts/JetBrainsMono-Bold.ttf"),
        ),
    ];
    for (name, bytes) in ours {
        fonts
            .font_data
            .insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    let behind =
        |fonts: &FontDefinitions, family| fonts.families.get(&family).cloned().unwrap_or_default();
    let sans = behind(&fonts, FontFamily::Proportional);
    let mono = behind(&fonts, FontFamily::Monospace);
    let mut set = |family, first: &[&str], rest: &[String]| {
        let names = first
            .iter()
            .map(|&name| name.to_owned())
            .chain(rest.iter().cloned())
            .collect();
        fonts.families.insert(family, names);
    };
    set(FontFamily::Proportional, &["Inter"], &sans);
    set(semibold(), &["Inter SemiBold", "Inter"], &sans);
    // Inter comes third: it has arrows and signs that neither JetBrains Mono nor Hack has.
    set(
        FontFamily::Monospace,
        &["JetBrains Mono", "Inter"],
        &[mono, sans].concat(),
    );
    fonts
}

fn style(tokens: &Tokens) -> Style {
    let mut style = Style {
        visuals: visuals(tokens),
        ..Style::default()
    };
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(11.0)),
        (TextStyle::Body, FontId::proportional(13.0)),
        (TextStyle::Button, FontId::proportional(13.0)),
        (TextStyle::Monospace, FontId::monospace(12.0)),
        (TextStyle::Heading, FontId::new(20.0, semibold())),
        (strong_text(), FontId::new(13.0, semibold())),
        (figure_text(), FontId::monospace(22.0)),
        (small_figure_text(), FontId::monospace(11.0)),
    ]
    .into();
    style.url_in_tooltip = true;

    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(2.0 * GRID, 2.0 * GRID);
    spacing.button_padding = vec2(3.0 * GRID, 1.5 * GRID);
    spacing.interact_size = vec2(10.0 * GRID, 7.0 * GRID);
    spacing.window_margin = Margin::same(16);
    spacing.menu_margin = Margin::same(8);
    spacing.indent = 4.0 * GRID;
    spacing.icon_spacing = 2.0 * GRID;
    spacing.tooltip_width = 420.0;
    spacing.scroll.bar_width = 8.0;
    spacing.scroll.floating = true;
    // A floating bar must not cover what it stands beside.
    spacing.scroll.floating_allocated_width = 8.0;
    spacing.scroll.foreground_color = false;
    spacing.scroll.dormant_handle_opacity = 0.6;
    style
}

fn visuals(tokens: &Tokens) -> Visuals {
    let mut visuals = if tokens.dark {
        Visuals::dark()
    } else {
        Visuals::light()
    };
    let corner_radius = CornerRadius::same(ROUNDING);
    let line = Stroke::new(1.0, tokens.line);
    let text = Stroke::new(1.0, tokens.text);

    let widgets = &mut visuals.widgets;
    for widget in [
        &mut widgets.noninteractive,
        &mut widgets.inactive,
        &mut widgets.hovered,
        &mut widgets.active,
        &mut widgets.open,
    ] {
        widget.corner_radius = corner_radius;
        widget.expansion = 0.0;
        widget.fg_stroke = text;
        widget.bg_fill = tokens.raised;
        widget.weak_bg_fill = tokens.raised;
        widget.bg_stroke = line;
    }
    widgets.noninteractive.bg_fill = tokens.panel;
    widgets.noninteractive.weak_bg_fill = tokens.panel;
    // Checks, sliders and scroll handles are filled with `bg_fill`: it must be seen on a raised surface.
    widgets.inactive.bg_fill = tokens.line;
    for widget in [&mut widgets.hovered, &mut widgets.open] {
        widget.bg_fill = tokens.hover;
        widget.weak_bg_fill = tokens.hover;
        widget.bg_stroke = Stroke::new(1.0, tokens.line_strong);
    }
    // egui draws what has the keyboard's focus as active: the accented outline is the focus ring.
    widgets.active.bg_fill = tokens.hover;
    widgets.active.weak_bg_fill = tokens.hover;
    widgets.active.bg_stroke = Stroke::new(1.5, tokens.accent);

    visuals.weak_text_color = Some(tokens.dim);
    visuals.selection.bg_fill = tokens.selection;
    visuals.selection.stroke = Stroke::new(1.0, tokens.accent);
    visuals.hyperlink_color = tokens.accent;
    visuals.faint_bg_color = tokens.raised;
    visuals.extreme_bg_color = tokens.sunken;
    visuals.text_edit_bg_color = Some(tokens.raised);
    visuals.code_bg_color = tokens.code;
    visuals.warn_fg_color = tokens.warning;
    visuals.error_fg_color = tokens.error;
    visuals.window_corner_radius = CornerRadius::same(CARD_ROUNDING);
    visuals.menu_corner_radius = CornerRadius::same(CARD_ROUNDING);
    visuals.window_fill = tokens.panel;
    visuals.window_stroke = line;
    visuals.panel_fill = tokens.background;
    let shadow = Shadow {
        offset: [0, 8],
        blur: 24,
        spread: 0,
        color: Color32::from_black_alpha(if tokens.dark { 120 } else { 40 }),
    };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = shadow;
    visuals.text_cursor.stroke = Stroke::new(2.0, tokens.accent);
    // A cursor that blinks draws the whole window twice a second, which software rendering feels.
    visuals.text_cursor.blink = false;
    visuals.interact_cursor = Some(egui::CursorIcon::PointingHand);
    visuals.striped = false;
    visuals.slider_trailing_fill = true;
    visuals.indent_has_left_vline = false;
    visuals
}

/// WCAG's contrast between two opaque colours, from 1 to 21.
pub fn contrast(a: Color32, b: Color32) -> f32 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// WCAG AA for text below 18 pt.
const READABLE: f32 = 4.5;

fn luminance(color: Color32) -> f32 {
    let linear = |byte: u8| {
        let c = f32::from(byte) / 255.0;
        if c <= 0.040_45 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
}

const fn rgb(hex: u32) -> Color32 {
    let [_, r, g, b] = hex.to_be_bytes();
    Color32::from_rgb(r, g, b)
}

#[cfg(test)]
mod tests;

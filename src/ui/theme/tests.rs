//! Colours that can be read and told apart.

use super::*;

#[track_caller]
fn check_contrast(tokens: &Tokens, what: &str, color: Color32, surface: Color32, at_least: f32) {
    let found = contrast(color, surface);
    assert!(
        found >= at_least,
        "dark {}: {what} has only {found:.2} : 1 on {surface:?}",
        tokens.dark
    );
}

/// Reports and charts in files look as the window does.
#[test]
fn the_style_sheet_of_charts_has_the_same_colours() {
    let (light, dark) = crate::chart::svg::STYLE
        .split_once("@media screen and (prefers-color-scheme: dark)")
        .expect("both themes");
    for (t, sheet) in [(&LIGHT, light), (&DARK, dark)] {
        let names = [
            ("background", t.background),
            ("panel", t.panel),
            ("raised", t.raised),
            ("line", t.line),
            ("text", t.text),
            ("dim", t.dim),
            ("faint", t.faint),
            ("accent", t.accent),
            ("ok", t.ok),
            ("warning", t.warning),
            ("error", t.error),
            ("warning-box", t.warning_box),
            ("error-box", t.error_box),
            ("bubble", t.bubble),
            ("code", t.code),
        ];
        let names = names.map(|(name, color)| (name.to_owned(), color));
        let models = (0..6).map(|n| (format!("s{n}"), t.model_color(n)));
        for (name, color) in names.into_iter().chain(models) {
            let [red, green, blue, _] = color.to_array();
            let rule = format!("--{name}: #{red:02x}{green:02x}{blue:02x};");
            assert!(sheet.contains(&rule), "dark {}: {rule}", t.dark);
        }
    }
}

#[test]
fn text_can_be_read_on_every_surface() {
    for t in [&DARK, &LIGHT] {
        let surfaces = [
            t.background,
            t.panel,
            t.raised,
            t.sunken,
            t.code,
            t.hover,
            t.bubble,
            t.warning_box,
            t.error_box,
        ];
        for surface in surfaces {
            check_contrast(t, "text", t.text, surface, READABLE);
            check_contrast(t, "dim", t.dim, surface, READABLE);
        }
        for surface in [t.background, t.panel, t.raised, t.sunken, t.code] {
            check_contrast(t, "faint", t.faint, surface, READABLE);
            check_contrast(t, "accent", t.accent, surface, READABLE);
            check_contrast(t, "ok", t.ok, surface, READABLE);
            check_contrast(t, "warning", t.warning, surface, READABLE);
            check_contrast(t, "error", t.error, surface, READABLE);
        }
        check_contrast(t, "warning", t.warning, t.warning_box, READABLE);
        check_contrast(t, "error", t.error, t.error_box, READABLE);
        check_contrast(t, "text on the accent", t.on_accent, t.accent, READABLE);
        check_contrast(
            t,
            "text on the hovered accent",
            t.on_accent,
            t.accent_hover,
            READABLE,
        );
        check_contrast(t, "selected text", t.text, t.selection, READABLE);
    }
}

#[test]
fn models_stand_out_from_every_surface() {
    for t in [&DARK, &LIGHT] {
        for index in 0..6 {
            for surface in [t.background, t.panel, t.raised] {
                check_contrast(t, "a model", t.model_color(index), surface, 3.0);
            }
        }
    }
}

#[test]
fn a_colour_from_elsewhere_becomes_readable() {
    for t in [&DARK, &LIGHT] {
        for color in [t.background, t.panel, t.line, t.warning] {
            check_contrast(
                t,
                "made readable",
                t.readable(color, t.code),
                t.code,
                READABLE,
            );
        }
    }
}

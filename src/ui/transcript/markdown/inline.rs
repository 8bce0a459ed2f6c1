//! What is within a paragraph: words and how they look, links, formulas, marks of footnotes.

use egui::text::TextFormat;
use egui::{Align, FontFamily, FontId, Stroke, TextStyle};
use pulldown_cmark::HeadingLevel;

use super::builder::{Builder, Inline};
use super::latex;
use super::math::{Formula, Lifted, Part};
use super::words::{self, Piece};
use crate::ui::theme;
use crate::ui::transcript::draw::{self, Link};

impl Builder<'_> {
    /// A text with formulas, addresses and footnotes in it.
    pub(super) fn text(&mut self, text: &str, lifted: &Lifted<'_>) {
        for part in lifted.parts(text) {
            match part {
                Part::Formula(formula) => self.formula(formula),
                // What is a link already has no other link in it.
                Part::Words(words) if self.link.is_some() => self.push(words),
                Part::Words(words) => {
                    let begins_line = self.text.job.text.ends_with('\n');
                    let words = if begins_line {
                        words.trim_start()
                    } else {
                        words
                    };
                    for piece in words::pieces(words) {
                        match piece {
                            Piece::Text(text) => self.push(text),
                            Piece::Footnote(name) => self.footnote(name),
                            Piece::Address(url) => {
                                self.link = Some((self.text.chars, url.to_owned()));
                                self.push(url);
                                self.end_link();
                            }
                        }
                    }
                }
            }
        }
    }

    /// A formula in signs where they can say it and the fonts have them; else as it is written.
    pub(super) fn formula(&mut self, formula: Formula<'_>) {
        let Formula {
            written,
            latex,
            is_display,
        } = formula;
        let signs = latex::unicode(latex).filter(|signs| {
            let font = self.format().font_id;
            self.ui.fonts_mut(|fonts| fonts.has_glyphs(&font, signs))
        });
        let alone = is_display && self.table.is_none();
        if alone && !self.text.job.text.is_empty() && !self.text.job.text.ends_with('\n') {
            self.push("\n");
        }
        match signs {
            Some(signs) => self.push(&signs),
            None => self.push_as(written, self.code_format()),
        }
        if alone {
            self.push("\n");
        }
    }

    /// The mark of a footnote, at its place and before its text.
    pub(super) fn footnote(&mut self, name: &str) {
        let format = self.format();
        let format = TextFormat {
            font_id: FontId::new(format.font_id.size - 2.0, format.font_id.family),
            color: self.tokens.dim,
            valign: Align::TOP,
            ..format
        };
        self.push_as(&format!("[{name}]"), format);
    }

    pub(super) fn end_link(&mut self) {
        let Some((start, url)) = self.link.take() else {
            return;
        };
        let chars = start..self.text.chars;
        if draw::opens(&url) && !chars.is_empty() {
            self.text.links.push(Link { chars, url });
        } else if !url.is_empty() {
            // Not to be opened from here, but not hidden either.
            self.push(&format!(" ({url})"));
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.push_as(text, self.format());
    }

    pub(super) fn push_as(&mut self, text: &str, format: TextFormat) {
        let text = text.replace('\r', "");
        self.text.chars += text.chars().count();
        self.text.job.append(&text, 0.0, format);
    }

    pub(super) fn format(&self) -> TextFormat {
        let Inline {
            strong,
            emphasis,
            strike,
            heading,
        } = self.style;
        let size = match heading {
            Some(HeadingLevel::H1) => 19.0,
            Some(HeadingLevel::H2) => 17.0,
            Some(HeadingLevel::H3) => 15.0,
            Some(_) | None => self.size(),
        };
        let bold = strong > 0 || heading.is_some();
        let family = if bold {
            theme::semibold()
        } else {
            FontFamily::Proportional
        };
        let linked = self.link.as_ref().is_some_and(|(_, url)| draw::opens(url));
        let color = if linked { self.tokens.accent } else { self.ink };
        let stroke = |on: bool| {
            if on {
                Stroke::new(1.0, color)
            } else {
                Stroke::NONE
            }
        };
        TextFormat {
            font_id: FontId::new(size, family),
            line_height: Some((size * 1.5).round()),
            color,
            italics: emphasis > 0,
            strikethrough: stroke(strike > 0),
            valign: Align::Center,
            ..TextFormat::default()
        }
    }

    pub(super) fn code_format(&self) -> TextFormat {
        let format = self.format();
        TextFormat {
            font_id: FontId::monospace(format.font_id.size - 1.0),
            line_height: Some(format.font_id.size + 4.0),
            background: self.tokens.raised,
            expand_bg: 1.0,
            ..format
        }
    }

    fn size(&self) -> f32 {
        TextStyle::Body.resolve(self.ui.style()).size
    }
}

//! The order in which words stand that are read from the right, such as Arabic and Hebrew ones.
//!
//! egui lays words out from the left, in the order in which they are written. That is kept, since it is what is
//! selected, copied and read aloud; [`Order::ordered`] then moves the words of each row to where they are seen.

use std::ops::Range;
use std::sync::Arc;

use egui::epaint::text::{Glyph, Row};
use egui::text::{ByteIndex, LayoutJob, LayoutSection};
use egui::{Color32, Galley, Vec2};
use unicode_bidi::{BidiClass, BidiInfo, Level, bidi_class};

/// A text some of which is read from the right.
#[derive(Debug)]
pub(super) struct Order {
    /// Its paragraphs that are read from the right end here; none in others.
    right: Option<f32>,
    /// What was laid out last, and the same in order.
    last: Option<(Arc<Galley>, Arc<Galley>)>,
}

/// Cuts the sections of a text so that each is a piece that is moved as a whole. `None` where nothing is to be moved.
pub(super) fn cut(job: &mut LayoutJob) -> Option<Order> {
    if job.text.is_ascii() || !job.text.chars().any(is_from_right) {
        return None;
    }
    let info = BidiInfo::new(&job.text, None);
    let mut sections: Vec<LayoutSection> = Vec::new();
    for section in &job.sections {
        let (start, end) = (section.byte_range.start.0, section.byte_range.end.0);
        let mut last = None;
        for (at, sign) in job.text[start..end].char_indices() {
            let at = start + at;
            let piece = Kind::of(sign, info.levels[at]);
            match sections.last_mut() {
                Some(before) if last.is_some_and(|last| piece.goes_on(last)) => {
                    before.byte_range.end = ByteIndex(at + sign.len_utf8());
                }
                _ => {
                    let mut format = section.format.clone();
                    // It would stay where it is while its words move.
                    format.background = Color32::TRANSPARENT;
                    sections.push(LayoutSection {
                        leading_space: if at == start {
                            section.leading_space
                        } else {
                            0.0
                        },
                        byte_range: ByteIndex(at)..ByteIndex(at + sign.len_utf8()),
                        format,
                    });
                }
            }
            last = Some(piece);
        }
    }
    job.sections = sections;
    Some(Order {
        right: None,
        last: None,
    })
}

/// What a piece is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    level: Level,
    /// Letters that egui's shaper itself writes from the right.
    is_word: bool,
    is_mark: bool,
}

impl Kind {
    fn of(sign: char, level: Level) -> Self {
        Self {
            level,
            is_word: is_from_right(sign),
            is_mark: bidi_class(sign) == BidiClass::NSM,
        }
    }

    /// Whether a sign of this kind belongs to the piece of the one before it.
    fn goes_on(self, before: Self) -> bool {
        self.is_mark
            || self.level == before.level && (self.level.is_ltr() || self.is_word && before.is_word)
    }
}

fn is_from_right(sign: char) -> bool {
    matches!(bidi_class(sign), BidiClass::R | BidiClass::AL)
}

impl Order {
    /// Takes note of the width that the text has by itself and of the room there is for it. Gives how wide it is with
    /// its paragraphs at the right.
    pub(super) fn align(&mut self, width: f32, room: f32) -> f32 {
        let right = if room.is_finite() { room } else { width };
        self.right = Some(right);
        right
    }

    /// The text with its words where they are seen. Where a word does not fit on a row it stays as egui lays it out.
    pub(super) fn ordered(&mut self, galley: Arc<Galley>) -> Arc<Galley> {
        if let Some((from, ordered)) = &self.last
            && Arc::ptr_eq(from, &galley)
        {
            return Arc::clone(ordered);
        }
        let ordered = in_order(&galley, self.right).map_or_else(|| Arc::clone(&galley), Arc::new);
        self.last = Some((galley, Arc::clone(&ordered)));
        ordered
    }
}

/// `None` where the glyphs are not those of the text.
fn in_order(galley: &Galley, right: Option<f32>) -> Option<Galley> {
    let mut out = galley.clone();
    let info = BidiInfo::new(galley.text(), None);
    let mut text = Reader {
        text: galley.text(),
        sections: &galley.job.sections,
        at: 0,
    };
    for placed in &mut out.rows {
        let start = text.at;
        let row = Arc::make_mut(&mut placed.row);
        let pieces = text.read_row(row)?;
        let line = start..text.at;
        text.at += usize::from(placed.ends_with_newline);
        let mut paragraphs = info.paragraphs.iter();
        let Some(paragraph) = paragraphs.find(|it| it.range.contains(&start) && !line.is_empty())
        else {
            continue;
        };
        let (levels, runs) = info.visual_runs(paragraph, line);
        let mut x = 0.0;
        for run in runs {
            let level = levels[run.start];
            let inside = pieces.iter().filter(|piece| run.contains(&piece.start));
            let mut put = |piece: &RowPiece| {
                move_glyphs(row, piece, x - piece.x.start, level);
                x += piece.x.end - piece.x.start;
            };
            match level.is_rtl() {
                true => inside.rev().for_each(&mut put),
                false => inside.for_each(&mut put),
            }
        }
        if let Some(right) = right.filter(|_| paragraph.level.is_rtl()) {
            // The space at the end of a row is at its left.
            placed.pos.x += right - x;
        }
    }
    if let Some(right) = right {
        out.rect.max.x = out.rect.max.x.max(right);
        out.mesh_bounds.max.x = out.mesh_bounds.max.x.max(right);
    }
    Some(out)
}

/// A piece of a row.
struct RowPiece {
    /// Where it begins in the text, in bytes.
    start: usize,
    glyphs: Range<usize>,
    /// Where egui has put it.
    x: Range<f32>,
    sign: Option<char>,
}

/// Finds the pieces of a text in the rows that egui has made of it.
struct Reader<'t> {
    text: &'t str,
    sections: &'t [LayoutSection],
    /// How far it has been read, in bytes.
    at: usize,
}

impl Reader<'_> {
    /// The pieces of a row, in the order in which they are written. Its glyphs are one for each sign from then on, in
    /// that order too.
    fn read_row(&mut self, row: &mut Row) -> Option<Vec<RowPiece>> {
        let glyphs = std::mem::take(&mut row.glyphs);
        let mut pieces = Vec::new();
        let mut rest = &glyphs[..];
        while !rest.is_empty() {
            let [section, sections @ ..] = self.sections else {
                return None;
            };
            let text = &self.text[self.at..section.byte_range.end.0.max(self.at)];
            let text = text.split('\n').next().unwrap_or_default();
            if text.is_empty() {
                self.sections = sections;
                continue;
            }
            let start = row.glyphs.len();
            let is_word = text.starts_with(is_from_right);
            let used = if is_word {
                let (shaped, used) = word(text, rest)?;
                row.glyphs.extend(rest[..shaped].iter().rev());
                // A ligature is one glyph of several signs.
                let missing = text.chars().count().checked_sub(shaped)?;
                row.glyphs.extend(rest[shaped..].iter().take(missing));
                used
            } else {
                let used = text.chars().count().min(rest.len());
                row.glyphs.extend(&rest[..used]);
                used
            };
            let count = row.glyphs.len() - start;
            let bytes = text.chars().take(count).map(char::len_utf8).sum::<usize>();
            let right = rest[..used]
                .iter()
                .map(Glyph::max_x)
                .fold(rest[0].pos.x, f32::max);
            pieces.push(RowPiece {
                start: self.at,
                glyphs: start..row.glyphs.len(),
                x: rest[0].pos.x..right,
                sign: text.chars().next().filter(|_| count == 1),
            });
            self.at += bytes;
            rest = &rest[used..];
        }
        Some(pieces)
    }
}

/// The glyphs of a word that egui's shaper has written from the right: how many stand for it, and with those that follow
/// them how many there are in all. egui takes them for fewer than there are, and adds an empty one for each of its signs
/// but the first.
fn word(text: &str, glyphs: &[Glyph]) -> Option<(usize, usize)> {
    let signs: Vec<char> = text.chars().collect();
    let is_empty = |glyph: &Glyph| glyph.uv_rect.is_nothing() && glyph.advance_width == 0.0;
    let added = |shaped: usize, first: usize| {
        let added = glyphs.get(shaped..shaped + signs.len() - first)?;
        let same = added
            .iter()
            .zip(&signs[first..])
            .all(|(glyph, sign)| glyph.chr == *sign);
        (same && added.iter().all(is_empty)).then_some((shaped, shaped + added.len()))
    };
    let lengths = 1..=signs.len();
    let found = lengths.flat_map(|shaped| (1..=shaped.min(2)).map(move |first| (shaped, first)));
    let mut found = found.filter_map(|(shaped, first)| added(shaped, first));
    let all = signs.len();
    found
        .next()
        .or_else(|| (glyphs.len() >= all).then_some((all, all)))
}

/// Moves a piece to the right by so much. A bracket that is read from the right faces the other way.
fn move_glyphs(row: &mut Row, piece: &RowPiece, by: f32, level: Level) {
    let vertices = |row: &Row, index: usize| {
        let glyph = row.glyphs.get(index)?;
        let first = glyph.first_vertex as usize;
        (!glyph.uv_rect.is_nothing()).then_some(first..first + 4)
    };
    let is_mirrored = level.is_rtl() && piece.sign.is_some_and(|sign| MIRRORED.contains(sign));
    for index in piece.glyphs.clone() {
        if let Some(vertices) = vertices(row, index)
            && let Some(vertices) = row.visuals.mesh.vertices.get_mut(vertices)
        {
            for vertex in &mut *vertices {
                vertex.pos += Vec2::new(by, 0.0);
            }
            if is_mirrored && let [a, b, c, d] = vertices {
                std::mem::swap(&mut a.uv.x, &mut b.uv.x);
                std::mem::swap(&mut c.uv.x, &mut d.uv.x);
            }
        }
        if let Some(glyph) = row.glyphs.get_mut(index) {
            glyph.pos.x += by;
        }
    }
}

const MIRRORED: &str = "()[]{}<>«»‹›≤≥";

#[cfg(test)]
mod tests {
    use egui::text::{LayoutJob, TextFormat, TextWrapping};

    use super::*;

    /// The signs of each row from the left to the right.
    fn seen(text: &str, width: f32) -> Vec<String> {
        let ctx = egui::Context::default();
        let mut rows = Vec::new();
        let mut output = ctx.run_ui(egui::RawInput::default(), |ui| {
            let mut job = LayoutJob::single_section(text.to_owned(), TextFormat::default());
            job.wrap = TextWrapping::wrap_at_width(width);
            let mut order = cut(&mut job).expect("some of it is read from the right");
            let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
            order.align(galley.size().x, width);
            let galley = order.ordered(galley);
            assert_eq!(galley.text(), text, "what is copied stays as it is written");
            rows = galley
                .rows
                .iter()
                .map(|row| {
                    let mut glyphs: Vec<_> = row.glyphs.iter().collect();
                    glyphs.sort_by(|a, b| a.pos.x.total_cmp(&b.pos.x));
                    glyphs.iter().map(|glyph| glyph.chr).collect()
                })
                .collect();
        });
        output.textures_delta.clear();
        rows
    }

    #[test]
    fn words_stand_in_the_order_in_which_they_are_read() {
        // Hebrew letters, so that each stands for itself.
        assert_eq!(seen("אב גד", 999.0), ["דג בא"]);
        assert_eq!(seen("say אב גד now", 999.0), ["say דג בא now"]);
        assert_eq!(seen("אב x y גד 12!", 999.0), ["!12 דג x y בא"]);
        assert_eq!(seen("אב\nab\nגד (ה)", 999.0), ["בא", "ab", ")ה( דג"]);
    }

    #[test]
    fn the_first_words_are_on_the_first_row() {
        let rows = seen("אא בב גג דד הה וו", 40.0);
        assert!(rows.len() > 1, "{rows:?}");
        assert!(rows[0].contains('א') && !rows[0].contains('ו'), "{rows:?}");
    }
}

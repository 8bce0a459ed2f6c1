//! Every table that a command prints: columns without borders and colours, as wide as the terminal shows their cells.

use tabled::builder::Builder;
use tabled::settings::formatting::TrimStrategy;
use tabled::settings::object::Columns;
use tabled::settings::peaker::Priority;
use tabled::settings::{Alignment, Padding, Span, Style, Width};

use super::out;
use crate::domain::printable::{cut, one_line};

/// Columns that one of the table takes up on a terminal. A wider cell is continued in the line below, unless it is its
/// row's last. Other programs read one row a line.
const MAX_COLUMN: usize = 100;
/// Characters of a cell: one name of 70,000 must not fill the screen.
const MAX_CELL: usize = 1_000;

/// A line of its own, however long an error or a name in it is, and whatever it holds.
pub(super) fn line(text: &str) -> String {
    format!("{}\n", cut(&one_line(text), MAX_CELL).trim_end())
}

/// Rows of cells that may hold a server's or a cluster's words.
#[derive(Default)]
pub(super) struct Table {
    rows: Builder,
    /// Row, column and width of cells that stand over several columns.
    wide: Vec<(usize, usize, usize)>,
    /// Least widths of the first columns, so that tables printed one after another line up.
    least: Vec<usize>,
    /// The columns that are aligned at the right, for figures.
    figures: std::ops::Range<usize>,
    /// Terminal columns of the whole, where cells are continued in the line below to keep to them.
    most: Option<usize>,
}

impl Table {
    /// A table whose first columns are at least so wide.
    pub(super) fn least(least: &[usize]) -> Self {
        Self {
            least: least.to_vec(),
            ..Self::default()
        }
    }

    /// The same with figures in these columns.
    pub(super) fn figures(self, figures: std::ops::Range<usize>) -> Self {
        Self { figures, ..self }
    }

    /// The same at most so wide.
    pub(super) fn within(self, most: usize) -> Self {
        Self {
            most: Some(most),
            ..self
        }
    }

    pub(super) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.wide_row(cells.into_iter().map(|cell| (cell, 1)));
    }

    /// A row whose cells stand over so many columns each.
    pub(super) fn wide_row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = (T, usize)>) {
        let mut row = Vec::new();
        for (cell, columns) in cells {
            if columns > 1 {
                self.wide
                    .push((self.rows.count_records(), row.len(), columns));
            }
            row.push(cut(&one_line(cell.as_ref()), MAX_CELL).into_owned());
            row.resize(row.len() + columns - 1, String::new());
        }
        self.rows.push_record(row);
    }

    /// The lines, each with its end. `gap`: spaces between columns.
    pub(super) fn text(self, gap: usize) -> String {
        if out::is_terminal() {
            self.wrapped(gap, MAX_COLUMN)
        } else {
            self.wrapped(gap, usize::MAX)
        }
    }

    fn wrapped(self, gap: usize, max_column: usize) -> String {
        if self.rows.count_records() == 0 {
            return String::new();
        }
        let last = self.rows.count_columns().saturating_sub(1);
        let mut table = self.rows.build();
        table
            .with(Style::empty())
            .with(Padding::new(0, gap, 0, 0))
            .modify(Columns::last(), Padding::zero())
            .modify(
                Columns::new(..last),
                Width::wrap(max_column).keep_words(true),
            );
        for (column, least) in self.least.into_iter().enumerate() {
            table.modify(Columns::one(column), Width::increase(least));
        }
        table
            .modify(Columns::new(self.figures.clone()), Alignment::right())
            // One that was made wider above is aligned by what it says.
            .modify(Columns::new(self.figures.clone()), TrimStrategy::Horizontal);
        for (row, column, columns) in self.wide {
            table.modify((row, column), Span::column(columns as isize));
            if self.figures.contains(&column) {
                table.modify((row, column), Alignment::center());
            }
        }
        if let Some(most) = self.most {
            table.with(
                Width::wrap(most)
                    .priority(Priority::max(true))
                    .keep_words(true),
            );
        }
        let text = table.to_string();
        text.lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_what_a_terminal_shows() {
        let mut table = Table::least(&[6]).figures(1..4);
        table.wide_row([("", 1), ("TTFT, ms", 2), ("", 1)]);
        table.row(["level", "p50", "p99", "tok/s"]);
        table.row(["日本語é", "1", "1,234", ""]);
        table.row(["x", "", "5", "6"]);
        let lines = [
            "        TTFT, ms",
            "level   p50   p99 tok/s",
            "日本語é   1 1,234",
            "x               5     6",
        ];
        assert_eq!(table.text(1), lines.join("\n") + "\n");
        assert_eq!(Table::default().text(2), "");
    }

    #[test]
    fn a_cell_moves_no_cursor_and_one_that_is_too_long_widens_no_column() {
        let (long, last) = ("n".repeat(MAX_COLUMN + 20), "r".repeat(MAX_COLUMN * 2));
        let mut table = Table::default();
        table.row([&long, "a\nb\u{1b}[31m", &last]);
        table.row(["short", &"x".repeat(70_000), ""]);
        let text = table.wrapped(2, MAX_COLUMN);
        let lines: Vec<&str> = text.lines().collect();
        let first = format!("{}  a b␛[31m", "n".repeat(MAX_COLUMN));
        assert!(
            lines[0].starts_with(&first) && lines[0].ends_with(&last),
            "{text}"
        );
        assert_eq!(lines[1], "n".repeat(20));
        assert!(text.contains("… (69,000 more characters)"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_table_keeps_to_the_width_it_is_given() {
        let mut table = Table::default();
        table.row(["-", "some words that are longer than the line"]);
        assert_eq!(
            table.within(20).text(1),
            "- some words that\n  are longer than\n  the line\n"
        );
    }
}

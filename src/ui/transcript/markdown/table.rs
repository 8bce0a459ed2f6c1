//! Lays out a table.

use egui::{pos2, vec2};
use pulldown_cmark::Alignment;

use super::builder::Builder;
use super::{CELL, GAP, Piece, What};

impl Builder<'_> {
    pub(super) fn end_table(&mut self) {
        let Some(mut table) = self.table.take() else {
            return;
        };
        self.begin_piece(GAP);
        let columns = table.rows.iter().map(Vec::len).max().unwrap_or(0);
        if columns == 0 {
            return;
        }
        let mut natural = vec![0.0_f32; columns];
        for row in &mut table.rows {
            for (cell, width) in row.iter_mut().zip(&mut natural) {
                *width = width.max(self.measure(cell, f32::INFINITY).x);
            }
        }
        let room = self.width - self.left - columns as f32 * 2.0 * CELL.x;
        let widths = share(&natural, room.max(columns as f32 * 24.0));

        let top = self.y;
        let mut bottoms = Vec::with_capacity(table.rows.len());
        let mut cells = Vec::new();
        let mut y = 0.0;
        for row in table.rows {
            let mut x = self.left + CELL.x;
            let mut height: f32 = 0.0;
            for (column, mut cell) in row.into_iter().enumerate() {
                let width = widths[column];
                let size = self.measure(&mut cell, width.ceil() + 1.0);
                height = height.max(size.y);
                let slack = (width - size.x).max(0.0);
                let shift = match table.alignments.get(column) {
                    Some(Alignment::Right) => slack,
                    Some(Alignment::Center) => slack / 2.0,
                    _ => 0.0,
                };
                cells.push(Piece {
                    pos: pos2(x + shift, top + y + CELL.y),
                    what: What::Text(cell),
                });
                x += width + 2.0 * CELL.x;
            }
            y += height + 2.0 * CELL.y;
            bottoms.push(y);
        }
        bottoms.pop();
        let size = vec2(
            widths.iter().sum::<f32>() + columns as f32 * 2.0 * CELL.x,
            y,
        );
        let header = bottoms.first().copied().unwrap_or(y);
        self.piece(
            What::Grid {
                size,
                header,
                rows: bottoms,
            },
            size,
        );
        self.pieces.append(&mut cells);
    }
}

/// Gives each column what it wants, and when that is too much, the narrow ones first.
fn share(wanted: &[f32], room: f32) -> Vec<f32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut given = vec![0.0; wanted.len()];
    let mut left = room;
    for (taken, &column) in order.iter().enumerate() {
        let fair = left / (wanted.len() - taken) as f32;
        given[column] = wanted[column].min(fair);
        left -= given[column];
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_columns_keep_what_they_need() {
        assert_eq!(share(&[10.0, 20.0], 100.0), [10.0, 20.0]);
        assert_eq!(share(&[10.0, 500.0, 300.0], 110.0), [10.0, 50.0, 50.0]);
    }
}

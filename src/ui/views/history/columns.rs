//! The columns of the table of sessions, and what is written in them.

use std::collections::HashMap;
use std::sync::Arc;

use egui::{Rangef, TextStyle, Ui};

use super::when;
use crate::domain::history::{SessionKind, SessionRow, SortBy, Status};
use crate::domain::units;
use crate::ui::theme::GAP;
use crate::ui::widgets::fit_middle;

/// What is written in the rows that were seen: made once, drawn in many frames.
#[derive(Default)]
pub(super) struct Lines {
    /// The rows, and the room, that they were made for.
    of: (u64, Vec<f32>),
    made: HashMap<u64, Arc<Line>>,
    /// What became of texts that were cut, by column: many rows have the same model, and laying out is dear.
    cut: HashMap<(usize, String), String>,
}

/// What is written in a row.
pub(super) struct Line {
    /// In full, a text for each column.
    pub(super) full: Vec<String>,
    /// As far as there is room.
    pub(super) shown: Vec<String>,
    pub(super) spoken: String,
    /// What its mark is called; of what cannot be compared there is none.
    pub(super) mark: Option<String>,
    pub(super) failed: bool,
    pub(super) status: Status,
}

impl Lines {
    /// More are not kept.
    const MOST: usize = 500;

    /// Makes all anew where they were made for other rows, or for another room.
    pub(super) fn renew_for(&mut self, of: (u64, Vec<f32>)) {
        if self.of != of {
            *self = Self {
                of,
                ..Self::default()
            };
        }
    }

    pub(super) fn get(
        &mut self,
        ui: &Ui,
        index: u64,
        row: &SessionRow,
        heads: &[&Head],
        places: &[Rangef],
    ) -> Arc<Line> {
        if self.made.len() >= Self::MOST {
            self.made.clear();
            self.cut.clear();
        }
        let Self { made, cut, .. } = self;
        let made = made
            .entry(index)
            .or_insert_with(|| Arc::new(Line::of(ui, row, heads, places, cut)));
        Arc::clone(made)
    }
}

impl Line {
    fn of(
        ui: &Ui,
        row: &SessionRow,
        heads: &[&Head],
        places: &[Rangef],
        cut: &mut HashMap<(usize, String), String>,
    ) -> Self {
        let full: Vec<String> = heads.iter().map(|head| (head.text)(row)).collect();
        let whole = |head: &Head| head.figure || head.sort == SortBy::Began;
        let mut fit = |n: usize| match heads[n].sort {
            SortBy::Status => row.status_word(),
            _ if whole(heads[n]) || full[n].is_empty() => full[n].clone(),
            _ => cut
                .entry((n, full[n].clone()))
                .or_insert_with(|| fit_middle(ui, &full[n], &TextStyle::Body, places[n].span()))
                .clone(),
        };
        let shown = (0..heads.len()).map(&mut fit).collect();
        let spoken = |(head, text): (&&Head, &String)| match head.figure {
            true => format!("{} {text}", head.title),
            false => text.clone(),
        };
        let spoken: Vec<String> = heads.iter().zip(&full).map(spoken).collect();
        let mark = (row.kind == SessionKind::Bench)
            .then(|| format!("Compare {}, {}", when(row.began), row.title));
        Self {
            full,
            shown,
            spoken: spoken.join(", "),
            mark,
            failed: row.errors > 0,
            status: row.status(),
        }
    }
}

/// A column.
pub(super) struct Head {
    pub(super) title: &'static str,
    pub(super) sort: SortBy,
    /// Fixed, in points; else a share of what is left.
    pub(super) width: Result<f32, f32>,
    /// Figures stand at the right.
    pub(super) figure: bool,
    /// Left out in a narrow window.
    pub(super) rare: bool,
    pub(super) text: fn(&SessionRow) -> String,
}

pub(super) const HEADS: [Head; 11] = [
    Head {
        title: "When",
        sort: SortBy::Began,
        width: Ok(116.0),
        figure: false,
        rare: false,
        text: |r| when(r.began),
    },
    Head {
        title: "Kind",
        sort: SortBy::Title,
        width: Err(0.26),
        figure: false,
        rare: false,
        text: title,
    },
    Head {
        title: "Deployment",
        sort: SortBy::Deployment,
        width: Err(0.28),
        figure: false,
        rare: true,
        text: |r| r.deployments.join(", "),
    },
    Head {
        title: "Model",
        sort: SortBy::Model,
        width: Err(0.33),
        figure: false,
        rare: false,
        text: |r| r.models.join(", "),
    },
    Head {
        title: "Requests",
        sort: SortBy::Requests,
        width: Ok(58.0),
        figure: true,
        rare: false,
        text: |r| units::count(r.requests),
    },
    Head {
        title: "TTFT p50",
        sort: SortBy::Ttft,
        width: Ok(58.0),
        figure: true,
        rare: false,
        text: |r| ms(r.ttft_p50_ms),
    },
    Head {
        title: "ITL p50",
        sort: SortBy::Itl,
        width: Ok(58.0),
        figure: true,
        rare: true,
        text: |r| ms(r.itl_p50_ms),
    },
    Head {
        title: "Peak tok/s",
        sort: SortBy::Peak,
        width: Ok(66.0),
        figure: true,
        rare: false,
        text: |r| whole(r.peak_tokens_per_s),
    },
    Head {
        title: "Errors",
        sort: SortBy::Errors,
        width: Ok(44.0),
        figure: true,
        // The status says how many there were.
        rare: true,
        text: |r| units::count(r.errors),
    },
    Head {
        title: "Status",
        sort: SortBy::Status,
        width: Ok(80.0),
        figure: false,
        rare: false,
        text: SessionRow::status_told,
    },
    Head {
        title: "Tag",
        sort: SortBy::Tag,
        width: Err(0.13),
        figure: false,
        rare: true,
        text: tags,
    },
];

pub(super) const MARK: f32 = 24.0;

/// A benchmark's load, a conversation's first words and whether several panes were compared in it.
pub(super) fn title(row: &SessionRow) -> String {
    match (row.kind, row.panes) {
        (SessionKind::Bench, _) => row.title.clone(),
        (SessionKind::Chat, ..=1) => format!("Chat: {}", row.title),
        (SessionKind::Chat, panes) => format!("{} panes: {}", units::count(panes), row.title),
    }
}

fn tags(row: &SessionRow) -> String {
    let own = row.tags.join(", ");
    match (row.baseline, own.is_empty()) {
        (true, true) => "baseline".to_owned(),
        (true, false) => format!("baseline, {own}"),
        _ => own,
    }
}

/// `88`, `2.4`
pub(super) fn ms(value: Option<f64>) -> String {
    match value {
        None => units::ABSENT.to_owned(),
        Some(value) if value < 9.95 => format!("{value:.1}"),
        Some(value) => units::count(value.round() as u64),
    }
}

fn whole(value: Option<f64>) -> String {
    value.map_or_else(
        || units::ABSENT.to_owned(),
        |value| units::count(value.round() as u64),
    )
}

/// Where the columns stand, in points from the left of the table.
pub(super) fn places(heads: &[&Head], width: f32) -> Vec<Rangef> {
    let fixed: f32 = heads.iter().filter_map(|head| head.width.ok()).sum();
    let shares: f32 = heads.iter().filter_map(|head| head.width.err()).sum();
    // What follows a figure keeps away from it.
    let after = |n: usize| {
        if n > 0 && heads[n - 1].figure && !heads[n].figure {
            GAP
        } else {
            0.0
        }
    };
    let gaps: f32 = (0..heads.len()).map(|n| GAP + after(n)).sum();
    let rest = (width - MARK - fixed - gaps - GAP).max(0.0);
    let mut left = MARK;
    (0..heads.len())
        .map(|n| {
            left += GAP + after(n);
            let width = heads[n]
                .width
                .unwrap_or_else(|share| rest * share / shares)
                .floor();
            left += width;
            Rangef::new(left - width, left)
        })
        .collect()
}

//! The verdicts of a comparison at a glance, and which of them the table shows.

use std::collections::HashSet;

use egui::{Button, Label, RichText, Role, Ui, WidgetInfo};

use super::rows::{has_both, verdict_color};
use crate::metrics::compare::{Comparison, Verdict};
use crate::ui::widgets::{strong, tokens};

/// Gravest first, in the words of the chips.
const ORDER: [(Verdict, &str); 5] = [
    (Verdict::Worse, "worse"),
    (Verdict::Better, "better"),
    (Verdict::Look, "to look at"),
    (Verdict::NoDifference, "no difference"),
    (Verdict::TooFew, "need more requests"),
];

/// The verdicts whose rows the table shows; none means all of them.
#[derive(Debug, Default)]
pub(super) struct Shown {
    only: HashSet<Verdict>,
}

impl Shown {
    /// Whether the table has the rows with this verdict.
    pub(super) fn has(&self, verdict: Verdict) -> bool {
        self.only.is_empty() || self.only.contains(&verdict)
    }

    /// Draws the verdict in a sentence, and a chip to filter by for each that some figure has.
    pub(super) fn show(&mut self, ui: &mut Ui, comparison: &Comparison, other: usize) {
        let compared = comparison.rows.iter().filter(|row| has_both(row, other));
        let of = |verdict| {
            let cells = compared.clone().filter_map(|row| row.others.get(other));
            cells.filter(|cell| cell.verdict == verdict).count()
        };
        let (worse, better) = (of(Verdict::Worse), of(Verdict::Better));
        let verdict = match (worse, better) {
            (0, 0) if of(Verdict::NoDifference) == 0 => "Not enough data for a verdict",
            (0, 0) => "No figure is better or worse",
            (0, _) => "Better, and no figure is worse",
            (_, 0) => "Worse, and no figure is better",
            _ => "Some figures are better, others worse",
        };
        ui.horizontal_wrapped(|ui| {
            strong(ui, verdict);
            for (verdict, words) in ORDER {
                let count = of(verdict);
                if count > 0 {
                    self.chip_ui(ui, verdict, &format!("{count} {words}"));
                }
            }
            if !self.only.is_empty() && ui.small_button("Show all").clicked() {
                self.only.clear();
            }
        });
        // A filter that fits no row of this session would hide them all without a chip to undo it.
        self.only.retain(|verdict| of(*verdict) > 0);
    }

    fn chip_ui(&mut self, ui: &mut Ui, verdict: Verdict, text: &str) {
        let on = self.only.contains(&verdict);
        let color = verdict_color(verdict, tokens(ui));
        let chip = Button::new(RichText::new(text).small().color(color)).selected(on);
        let chip = ui.add(chip);
        chip.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, text));
        let chip = chip.on_hover_text("Show only these figures in the table");
        if chip.clicked() && !self.only.remove(&verdict) {
            self.only.insert(verdict);
        }
    }

    /// Says how many rows the filter hides.
    pub(super) fn hidden_ui(&self, ui: &mut Ui, hidden: usize) {
        if hidden > 0 {
            let rows = crate::domain::units::counted(hidden, "figure");
            let text = format!("{rows} with other verdicts not shown");
            let dim = tokens(ui).dim;
            ui.add(Label::new(RichText::new(text).small().color(dim)));
        }
    }
}

//! A comparison in words and digits, the same on the page, in reports and on the command line.

use super::{Cell, Comparison, Row, Verdict};
use crate::domain::units::{self, ABSENT, count, short};

impl Verdict {
    /// As it stands in a table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NoDifference => "no difference",
            Self::TooFew => "not enough data",
            Self::Look => "look",
        }
    }
}

impl Comparison {
    /// What it comes to, in one sentence: `v2.3.2 against v2.2.6: 6 figures better, none worse, 3 not told apart`.
    pub fn headline(&self) -> String {
        let (Some(baseline), true) = (self.labels.first(), self.labels.len() > 1) else {
            return "There is nothing to compare with".to_owned();
        };
        if self.rows.is_empty() {
            return "The sessions have nothing in common that could be compared".to_owned();
        }
        let others: Vec<String> = self.labels[1..]
            .iter()
            .enumerate()
            .map(|(at, label)| {
                let tally = self.tally(at);
                format!("{label} against {baseline}: {tally}")
            })
            .collect();
        let grave: Vec<&str> = self
            .differences
            .iter()
            .filter(|difference| difference.grave)
            .map(|d| d.what.as_str())
            .collect();
        let care = match grave.as_slice() {
            [] => String::new(),
            [one] => format!("; different conditions: {one} differs"),
            more => format!("; different conditions: {} differ", more.join(", ")),
        };
        format!("{}{care}", others.join("; "))
    }

    /// How many figures of one of the others have each verdict; `other` counts them from 0.
    pub fn verdicts(&self, other: usize, verdict: Verdict) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.others.get(other));
        cells
            .filter(|cell| cell.value.is_some() && cell.verdict == verdict)
            .count()
    }

    fn tally(&self, other: usize) -> String {
        let of = |verdict| self.verdicts(other, verdict);
        let (better, worse) = (of(Verdict::Better), of(Verdict::Worse));
        let mut out = match (better, worse) {
            (0, 0) => "no figure better or worse".to_owned(),
            (better, 0) => format!("{better} {} better, none worse", figures(better)),
            (0, worse) => format!("{worse} {} worse, none better", figures(worse)),
            (better, worse) => format!("{better} {} better, {worse} worse", figures(better)),
        };
        for (verdict, words) in [
            (Verdict::Look, "to look at"),
            (Verdict::NoDifference, "not told apart"),
            (Verdict::TooFew, "with not enough data"),
        ] {
            let n = of(verdict);
            if n > 0 {
                out.push_str(&format!(", {n} {words}"));
            }
        }
        out
    }
}

fn figures(n: usize) -> &'static str {
    if n == 1 { "figure" } else { "figures" }
}

/// A figure with about three digits and without its unit, shares as percent: `88.0`, `9,870`, `99.5`.
pub fn value_text(row: &Row, value: Option<f64>) -> String {
    let Some(value) = value else {
        return ABSENT.to_owned();
    };
    match row.unit.as_str() {
        "%" => format!("{:.1}", value * 100.0),
        "" if value.fract() == 0.0 && value >= 0.0 => count(value as u64),
        _ => short(Some(value)),
    }
}

/// The change of a cell: `−9.3 %`, `0.0 %`, of counts `+3`; `–` where there is none.
pub fn change_text(row: &Row, cell: &Cell) -> String {
    match (cell.change, row.baseline, cell.value) {
        (Some(change), ..) => units::change(change),
        (None, Some(baseline), Some(value)) if row.unit.is_empty() => {
            let difference = value - baseline;
            let digits = value_text(row, Some(difference.abs()));
            match difference {
                0.0 => digits,
                difference if difference < 0.0 => format!("−{digits}"),
                _ => format!("+{digits}"),
            }
        }
        _ => ABSENT.to_owned(),
    }
}

/// The interval of a change: `−12.1 … −6.6 %`; `–` where there is none.
pub fn interval_text(cell: &Cell) -> String {
    cell.interval
        .map_or_else(|| ABSENT.to_owned(), units::change_interval)
}

/// The verdict's word; `–` where there is no value.
pub fn verdict_text(cell: &Cell) -> &'static str {
    if cell.value.is_some() {
        cell.verdict.word()
    } else {
        ABSENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_written_with_their_sign() {
        let row = |unit: &str, baseline| Row {
            model: "m".to_owned(),
            level: "c=1".to_owned(),
            figure: "errors".to_owned(),
            title: "Errors".to_owned(),
            unit: unit.to_owned(),
            baseline,
            others: Vec::new(),
        };
        let cell = |value, change, interval| Cell {
            value,
            change,
            interval,
            p: None,
            verdict: Verdict::Look,
        };
        let better = cell(Some(88.0), Some(-0.0928), Some([-0.121, -0.0664]));
        assert_eq!(change_text(&row("ms", Some(97.0)), &better), "−9.3 %");
        assert_eq!(interval_text(&better), "−12.1 … −6.6 %");
        let more = cell(Some(3.0), None, None);
        assert_eq!(change_text(&row("", Some(0.0)), &more), "+3");
        assert_eq!(change_text(&row("ms", Some(0.0)), &more), "–");
        assert_eq!(interval_text(&more), "–");
        let same = cell(Some(3.0), Some(-0.000_04), Some([-0.01, 0.0]));
        assert_eq!(change_text(&row("ms", Some(3.0)), &same), "0.0 %");
        assert_eq!(interval_text(&same), "−1.0 … 0.0 %");
        for (unit, value, text) in [
            ("ms", 2.404, "2.40"),
            ("tok/s", 9_870.4, "9,870"),
            ("%", 0.995, "99.5"),
            ("", 3.0, "3"),
            ("", 3.52, "3.52"),
        ] {
            assert_eq!(value_text(&row(unit, None), Some(value)), text);
        }
    }
}

//! Which sessions are shown: words, time, and what they have.

use egui::{Id, Key, Modifiers, TextEdit, Ui, vec2};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::history::{Facets, SessionKind};
use crate::state::action::Actions;
use crate::state::history::{Filter, HistoryAction, TimeRange};
use crate::ui::widgets::{Choice, MARGIN, Section, field_error, picker, text_info};

const RANGES: [(TimeRange, &str); 4] = [
    (TimeRange::Days(1), "Last 24 hours"),
    (TimeRange::Days(7), "Last 7 days"),
    (TimeRange::Days(30), "Last 30 days"),
    (TimeRange::All, "All time"),
];
const CUSTOM: &str = "From … to …";

/// What is open and being typed.
#[derive(Default)]
pub(super) struct FiltersUi {
    /// The row of pickers is open.
    open: bool,
    /// The days of a range of one's own, as they are typed.
    custom: Option<(String, String)>,
}

impl FiltersUi {
    /// Shows all sessions again.
    pub(super) fn clear(&mut self, before: &Filter, out: &mut Actions) {
        let all = Filter::default().sorted_as(before);
        out.push(HistoryAction::Filter(Box::new(all)));
        self.custom = None;
    }
}

fn search_id() -> Id {
    Id::unique("history search")
}

/// The search field, the time, and the button of the rest.
pub(super) fn show(ui: &mut Ui, filters: &mut FiltersUi, filter: &mut Filter, wide: bool) {
    if ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::F)) {
        ui.memory_mut(|memory| memory.request_focus(search_id()));
    }
    let width = if wide {
        280.0
    } else {
        ui.available_width() - 150.0 - 132.0 - 16.0
    };
    let edit = TextEdit::singleline(&mut filter.query.text)
        .id(search_id())
        .hint_text("Filter: model, deployment, tag…")
        .desired_width(width - 16.0)
        .min_size(vec2(0.0, 30.0))
        .align(egui::Align2::LEFT_CENTER)
        .margin(MARGIN);
    let edit = ui.add(edit);
    edit.widget_info(|| text_info("Search the history", &filter.query.text));
    let down = |input: &mut egui::InputState| input.consume_key(Modifiers::NONE, Key::ArrowDown);
    for key in [Key::Escape, Key::Enter] {
        super::left_by(ui, &edit, key);
    }
    if edit.has_focus() && ui.input_mut(down) {
        edit.surrender_focus();
    }
    let shown = if filters.custom.is_some() {
        CUSTOM
    } else {
        RANGES
            .iter()
            .find(|(range, _)| *range == filter.range)
            .map_or(CUSTOM, |(_, name)| *name)
    };
    let mut choices: Vec<Choice<'_>> = RANGES.iter().map(|(_, name)| Choice::plain(name)).collect();
    choices.push(Choice::plain(CUSTOM));
    let picked = picker(
        ui,
        "Time",
        Some(shown),
        None,
        150.0,
        &[Section {
            heading: "",
            choices,
        }],
    );
    if picked.as_deref() == Some(CUSTOM) {
        filters.custom.get_or_insert_default();
    } else if let Some((range, _)) = RANGES
        .iter()
        .find(|(_, name)| Some(*name) == picked.as_deref())
    {
        (filter.range, filters.custom) = (*range, None);
    }
    let set = [
        filter.query.kind.is_some(),
        filter.query.model.is_some(),
        filter.query.deployment.is_some(),
        filter.query.environment.is_some(),
        filter.query.tag.is_some(),
    ];
    let set = set.into_iter().filter(|set| *set).count();
    let label = if set > 0 {
        format!("More filters ({set})")
    } else {
        "More filters".to_owned()
    };
    if ui
        .add(egui::Button::new(label).selected(filters.open))
        .clicked()
    {
        filters.open = !filters.open;
    }
}

/// The row of pickers, and the days of a range of one's own.
pub(super) fn rest_ui(ui: &mut Ui, filters: &mut FiltersUi, filter: &mut Filter, facets: &Facets) {
    if let Some((from, to)) = &mut filters.custom {
        filter.range = custom_ui(ui, from, to);
    }
    if !filters.open {
        return;
    }
    let Facets {
        models,
        deployments,
        environments,
        tags,
    } = facets;
    let gap = ui.spacing().item_spacing.x;
    // The longest words have the most room.
    let room = (ui.available_width() - 4.0 * gap).min(1_060.0);
    let width = |share: f32| (room * share).floor();
    ui.horizontal(|ui| {
        let kinds = ["Benchmark".to_owned(), "Chat".to_owned()];
        let name = |kind: SessionKind| {
            if kind == SessionKind::Bench {
                "Benchmark"
            } else {
                "Chat"
            }
            .to_owned()
        };
        let mut kind = filter.query.kind.map(name);
        any_of(ui, "Kind", "All kinds", &kinds, &mut kind, width(0.165));
        filter.query.kind = match kind.as_deref() {
            Some("Benchmark") => Some(SessionKind::Bench),
            Some(_) => Some(SessionKind::Chat),
            None => None,
        };
        any_of(
            ui,
            "Model",
            "All models",
            models,
            &mut filter.query.model,
            width(0.19),
        );
        any_of(
            ui,
            "Deployment",
            "All deployments",
            deployments,
            &mut filter.query.deployment,
            width(0.235),
        );
        any_of(
            ui,
            "Environment",
            "All environments",
            environments,
            &mut filter.query.environment,
            width(0.245),
        );
        any_of(
            ui,
            "Tag",
            "All tags",
            tags,
            &mut filter.query.tag,
            width(0.165),
        );
    });
}

/// A picker of one of these, or of none.
pub(super) fn any_of(
    ui: &mut Ui,
    label: &str,
    all: &str,
    names: &[String],
    picked: &mut Option<String>,
    width: f32,
) {
    let mut choices = vec![Choice::plain(all)];
    choices.extend(names.iter().map(|name| Choice::plain(name)));
    let shown = picked.as_deref().unwrap_or(all);
    let sections = [Section {
        heading: "",
        choices,
    }];
    if let Some(name) = picker(ui, label, Some(shown), None, width, &sections) {
        *picked = Some(name).filter(|name| name != all);
    }
}

fn custom_ui(ui: &mut Ui, from: &mut String, to: &mut String) -> TimeRange {
    let day_ui = |ui: &mut Ui, label: &str, text: &mut String| {
        let name = crate::ui::widgets::caption(ui, label);
        let edit = TextEdit::singleline(text)
            .hint_text("2026-11-01")
            .desired_width(96.0)
            .margin(MARGIN);
        ui.add(edit).labelled_by(name.id);
        let read = read_day(text);
        if read.is_err() {
            field_error(ui, "A day such as 2026-11-01");
        }
        read.unwrap_or(None)
    };
    ui.horizontal(|ui| {
        let since = day_ui(ui, "From", from);
        let until = day_ui(ui, "to the end of", to);
        // The last day is wholly in.
        let until = until.and_then(|day| day.tomorrow().ok());
        TimeRange::Between(since.and_then(begin_of), until.and_then(begin_of))
    })
    .inner
}

fn read_day(text: &str) -> Result<Option<Date>, jiff::Error> {
    let text = text.trim();
    if text.is_empty() {
        Ok(None)
    } else {
        text.parse().map(Some)
    }
}

fn begin_of(day: Date) -> Option<Timestamp> {
    day.to_zoned(TimeZone::system())
        .ok()
        .map(|day| day.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_or_refused() {
        assert!(matches!(read_day(" 2026-11-01 "), Ok(Some(day)) if day.day() == 1));
        assert!(matches!(read_day("  "), Ok(None)));
        assert!(read_day("2026-13-01").is_err() && read_day("yesterday").is_err());
    }
}

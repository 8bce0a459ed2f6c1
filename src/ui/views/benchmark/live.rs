//! The progress of a session.

use egui::{Align, CornerRadius, Label, Layout, ProgressBar, RichText, Role, Ui, WidgetInfo};

use crate::domain::plan::LevelLoad;
use crate::domain::run::Stage;
use crate::domain::units;
use crate::protocol::Command;
use crate::state::action::Actions;
use crate::state::bench::{Session, Standing};
use crate::ui::theme::{self, GAP, GRID, PAD};
use crate::ui::widgets::{caption, card, failure_box, from_right, small_button, tokens};

/// How far the session is, and why it ended early.
pub(super) fn show(
    ui: &mut Ui,
    session: &Session,
    elsewhere: bool,
    compact: bool,
    out: &mut Actions,
) {
    progress_ui(ui, session, elsewhere, compact, out);
    if let Some(Err(failure)) = &session.outcome {
        failure_box(ui, "session", failure, None);
    }
}

fn progress_ui(ui: &mut Ui, session: &Session, elsewhere: bool, compact: bool, out: &mut Actions) {
    let tokens = tokens(ui);
    let title = title(session);
    let place = if elsewhere {
        format!("on {} · ", session.env_name)
    } else {
        String::new()
    };
    let right = format!("{place}{}", standing_told(session));
    let margin = if compact { GAP } else { PAD };
    card(ui).inner_margin(margin).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().interact_size.y = 20.0;
        ui.spacing_mut().item_spacing.y = GRID;
        let short = |ui: &mut Ui| {
            let title = RichText::new(&title).text_style(theme::strong_text());
            ui.add(Label::new(title).truncate());
        };
        if ui.available_width() > 640.0 || !session.is_running() {
            ui.horizontal(|ui| {
                from_right(ui, |ui| {
                    save_ui(ui, session, out);
                    caption(ui, &right);
                    ui.with_layout(Layout::left_to_right(Align::Center), short);
                });
            });
        } else {
            ui.horizontal(short);
            caption(ui, &right);
        }
        let why = session.cut_because();
        if let Some(why) = &why {
            let text = RichText::new(why).small().color(tokens.warning);
            ui.add(Label::new(text).wrap());
        }
        for finding in session.findings() {
            let text = RichText::new(&finding.text).text_style(theme::strong_text());
            ui.add(Label::new(text).wrap())
                .on_hover_text(finding.details.join("\n"));
            for detail in finding.details.iter().filter(|_| !compact) {
                ui.add(Label::new(RichText::new(detail).small().color(tokens.dim)).wrap());
            }
        }
        for told in &session.told {
            ui.add(Label::new(RichText::new(told).small().color(tokens.dim)).wrap());
        }
        let done = match &session.outcome {
            // All was run: there is nothing left to show of the way.
            Some(Ok(_)) if why.is_none() => return,
            _ => session.now.map_or(0.0, |now| now.done),
        };
        let bar = ProgressBar::new(done as f32)
            .desired_height(8.0)
            .corner_radius(CornerRadius::same(4))
            .fill(tokens.accent);
        let bar = ui.add(bar);
        bar.widget_info(|| {
            WidgetInfo::labeled(
                Role::ProgressIndicator,
                true,
                format!("{} done", units::whole_percent(done)),
            )
        });
    });
}

fn save_ui(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let Some(Ok(report)) = &session.outcome else {
        return;
    };
    if small_button(ui, "Save report")
        .on_hover_text("All figures as JSON")
        .clicked()
    {
        // cannot fail: the report has no map with keys that are no texts
        let json = serde_json::to_vec_pretty(&**report).unwrap_or_default();
        let name = format!("{}.json", super::file_named(session, "report"));
        out.push(Command::SaveFile {
            what: "Report".to_owned(),
            name,
            content: json.into(),
        });
    }
}

fn title(session: &Session) -> String {
    let level = session.now.map_or(0, |now| now.level);
    let model = session.model_of(level).unwrap_or_default();
    if !session.is_running() {
        let models = session.plan.targets.len();
        let levels = units::counted(session.levels.len(), "level");
        return match models {
            0 | 1 => format!("{model} · {levels}"),
            _ => format!("{} · {levels}", units::counted(models, "model")),
        };
    }
    let searched = session
        .now
        .and_then(|now| now.search)
        .map(|search| search.load);
    let planned = || session.plan.levels().get(level).map(|level| level.load);
    let load = searched
        .or_else(planned)
        .map(|load| load_told(&load))
        .unwrap_or_default();
    let Some(now) = session.now else {
        return format!("{model} · Starting");
    };
    let of = now
        .requests
        .1
        .map(|most| format!(" / {}", units::count(most)))
        .unwrap_or_default();
    let requests = format!("{}{of} requests", units::count(now.requests.0));
    match stage_told(session, &now) {
        Some(PAUSED) if now.requests.0 > 0 => format!("{model} · {load} · {requests} · {PAUSED}"),
        Some(stage) => format!("{model} · {load} · {stage}"),
        None => format!("{model} · {load} · {requests}"),
    }
}

const PAUSED: &str = "Paused";

fn stage_told(session: &Session, now: &Standing) -> Option<&'static str> {
    if session.is_paused() {
        return Some(PAUSED);
    }
    match now.stage {
        Stage::Starting => Some("Starting"),
        Stage::Calibrating => Some("Calibrating prompts"),
        Stage::Switching => Some("Switching the model"),
        Stage::CoolingDown => Some("Cooling down"),
        Stage::WarmingUp => Some("Warming up"),
        Stage::Draining => Some("Draining"),
        Stage::Paused => Some(PAUSED),
        Stage::Measuring => None,
    }
}

fn load_told(load: &LevelLoad) -> String {
    match load {
        LevelLoad::Concurrency(n) => format!("concurrency {}", units::count((*n).into())),
        LevelLoad::Rate { per_sec, .. } => format!("{per_sec} requests/s"),
        LevelLoad::Max { in_flight } => {
            format!(
                "as fast as possible, {} in flight",
                units::count((*in_flight).into())
            )
        }
        LevelLoad::Trace { .. } => "trace".to_owned(),
        LevelLoad::Unknown => "unknown load".to_owned(),
    }
}

fn standing_told(session: &Session) -> String {
    if let Some(outcome) = &session.outcome {
        let took = outcome.as_ref().map_or_else(
            |_| session.now.map_or(0.0, |now| now.elapsed_s),
            |report| report.took_s,
        );
        return format!("ended after {}", units::clock(took));
    }
    let Some(now) = session.now else {
        return String::new();
    };
    // While it stands still, the estimate only grows.
    let left = now
        .left_s
        .filter(|_| stage_told(session, &now) != Some(PAUSED));
    let left = left
        .map(|left| format!(" · about {} left", units::clock(left)))
        .unwrap_or_default();
    if let Some(search) = now.search {
        let by = session
            .plan
            .load
            .find()
            .map(|find| find.by)
            .unwrap_or_default();
        return format!(
            "probe {} of about {} · {} · {} elapsed",
            now.level + 1,
            now.levels.max(now.level + 1),
            search.bracket.told(by),
            units::clock(now.elapsed_s)
        );
    }
    format!(
        "level {} of {} · {} elapsed{left}",
        now.level + 1,
        now.levels.max(1),
        units::clock(now.elapsed_s)
    )
}

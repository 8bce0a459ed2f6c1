//! Below the form: what the run will take, what it will not measure, and the buttons that begin and end it.

use egui::{Align, Button, Label, Layout, RichText, TextStyle, Ui, vec2};

use crate::domain::plan::{Caution, Estimate, Plan, Target};
use crate::domain::run::Steer;
use crate::domain::units;
use crate::state::State;
use crate::state::action::Actions;
use crate::state::bench::{BenchAction, Read, Session};
use crate::ui::theme::HALF;
use crate::ui::widgets::{caption, fit_middle, primary_button, tokens};

/// What stands below the form.
pub(super) enum Foot<'a> {
    /// A session runs.
    Running(&'a Session),
    /// What a run would take, and what it would not measure; `None` while the form has problems.
    Ready(Option<(Estimate, Vec<Caution>)>),
}

impl<'a> Foot<'a> {
    /// Asks for the speeds that it lacks.
    pub(super) fn of(state: &'a State, read: &Read, out: &mut Actions) -> Self {
        let session = state.bench.session.as_ref();
        if let Some(session) = session.filter(|session| session.is_running()) {
            return Self::Running(session);
        }
        if !read.problems.is_empty() {
            return Self::Ready(None);
        }
        let targets = read.plan.targets.iter();
        for target in targets.filter(|target| state.bench.wants_speed(target)) {
            out.push(BenchAction::WantSpeed(target.clone()));
        }
        let (env, chats) = (&state.env().id, state.playgrounds.session());
        let speed = |target: &Target| state.bench.last_speed(env, target, chats);
        let estimate = read.plan.estimate(speed);
        let cautions = read.plan.cautions(&estimate);
        Self::Ready(Some((estimate, cautions)))
    }

    /// How much of the form's height it takes, in points.
    pub(super) fn height(&self) -> f32 {
        match self {
            Self::Running(_) => 60.0,
            Self::Ready(None) => 40.0,
            Self::Ready(Some((_, cautions))) if cautions.is_empty() => 76.0,
            Self::Ready(Some(_)) => 124.0,
        }
    }

    /// Draws it.
    pub(super) fn show(&self, ui: &mut Ui, state: &State, read: &Read, out: &mut Actions) {
        match self {
            Self::Running(session) => running_ui(ui, session, state, out),
            Self::Ready(ready) => ready_ui(ui, ready.as_ref(), read, out),
        }
    }
}

/// `About 500 requests, 2:10` and below it `128k tokens in, at most 64k out`.
fn estimate_told(estimate: &Estimate, plan: &Plan) -> [String; 2] {
    let requests = estimate.requests.map_or_else(
        || "Requests: not known before it runs".to_owned(),
        |n| units::counted(usize::try_from(n).unwrap_or(usize::MAX), "request"),
    );
    if let Some([least, most]) = estimate.probe {
        return [
            format!(
                "Requests: {} to {} a probe",
                units::count(least.min(most)),
                units::count(most)
            ),
            "Probes: known as it runs, often 8 to 14".to_owned(),
        ];
    }
    let took = estimate.took_s.map_or_else(
        || "time unknown".to_owned(),
        |took| format!("about {}", units::clock(took)),
    );
    let tokens =
        |n: Option<f64>| n.map_or_else(|| "unknown".to_owned(), |n| units::count(n.round() as u64));
    let output = match plan.ignore_eos {
        true => tokens(estimate.output_tokens),
        false => estimate.output_tokens.map_or_else(
            || "unknown".to_owned(),
            |n| format!("≤ {}", tokens(Some(n))),
        ),
    };
    let input = tokens(estimate.input_tokens);
    [
        format!("{requests} · {took}"),
        format!("Tokens: {input} in, {output} out"),
    ]
}

const ESTIMATE: &str = "Measured requests without warm-ups, and the time they take at the model's last known speed: of \
                        the last benchmark or chat. Under load, answers take longer";

fn ready_ui(ui: &mut Ui, ready: Option<&(Estimate, Vec<Caution>)>, read: &Read, out: &mut Actions) {
    let cautions = ready.map_or(&[][..], |(_, cautions)| cautions);
    let refused = cautions.iter().find(|caution| caution.refused);
    ui.spacing_mut().item_spacing.y = HALF;
    if let Some((estimate, _)) = ready {
        for line in estimate_told(estimate, &read.plan) {
            let dim = tokens(ui).dim;
            let line = Label::new(RichText::new(line).small().color(dim)).truncate();
            ui.add(line).on_hover_text(ESTIMATE);
        }
    }
    if let Some(caution) = refused.or(cautions.first()) {
        let tokens = tokens(ui);
        let color = if caution.refused {
            tokens.error
        } else {
            tokens.warning
        };
        let text = RichText::new(&caution.text).small().color(color);
        let all: Vec<&str> = cautions.iter().map(|it| it.text.as_str()).collect();
        ui.add(Label::new(text).wrap())
            .on_hover_text(all.join("\n"));
    }
    let problem = read.problems.first().map(|(_, text)| text.as_str());
    let why = problem.or(refused.map(|caution| caution.text.as_str()));
    ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
        let layout = Layout::top_down_justified(Align::Center);
        let button = ui.allocate_ui_with_layout(vec2(ui.available_width(), 28.0), layout, |ui| {
            primary_button(ui, "Run benchmark", why.is_none())
        });
        let button = button.inner.on_disabled_hover_text(why.unwrap_or_default());
        if button.clicked() {
            out.push(BenchAction::Run);
        }
    });
}

fn running_ui(ui: &mut Ui, session: &Session, state: &State, out: &mut Actions) {
    let (paused, stopping, env) = (session.is_paused(), session.stopping, &session.env_name);
    let here = session.env == state.env().id;
    let told = match (stopping, here) {
        (true, _) => "Stopping…".to_owned(),
        (false, true) => "A session is running".to_owned(),
        (false, false) => fit_middle(
            ui,
            &format!("Running on {env}"),
            &TextStyle::Small,
            ui.available_width(),
        ),
    };
    caption(ui, told);
    ui.horizontal(|ui| {
        let half = (ui.available_width() - 8.0) / 2.0;
        let name = if paused { "Resume" } else { "Pause" };
        let steer = if paused { Steer::Resume } else { Steer::Pause };
        if ui
            .add_enabled(!stopping, Button::new(name).min_size(vec2(half, 28.0)))
            .clicked()
        {
            out.push(BenchAction::Steer(steer));
        }
        let stop = ui.allocate_ui_with_layout(
            vec2(half, 28.0),
            Layout::top_down_justified(Align::Center),
            |ui| primary_button(ui, "Stop", !stopping),
        );
        if stop.inner.clicked() {
            out.push(BenchAction::Stop);
        }
    });
}

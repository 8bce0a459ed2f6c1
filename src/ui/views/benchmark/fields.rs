//! The fields of a benchmark plan, each with what is wrong with it.

use egui::{Align, CollapsingHeader, Label, Layout, Response, RichText, Ui};

use super::draft::Draft;
use crate::domain::environment::Environment;
use crate::domain::plan::{Field, Load, Objectives, PlanEndpoint, Raise, TimeUnit};
use crate::domain::plan_fields::ON;
use crate::domain::units;
use crate::state::bench::{LoadKind, Read};
use crate::ui::theme::GRID;
use crate::ui::widgets::{
    Choice, Section, caption, field, field_error, picker, strong, tokens, warning_box,
};

/// More requests per second than 240 a minute.
const INGRESS_PER_SEC: f64 = 4.0;

pub(super) fn fields_ui(ui: &mut Ui, draft: &mut Draft, env: &Environment, read: &Read) {
    let behind_ingress = !env.demo && env.cluster.is_some();
    group_ui(ui, "Load");
    let sections = [Section {
        heading: "",
        choices: LoadKind::ALL
            .iter()
            .map(|(_, name)| Choice::plain(name))
            .collect(),
    }];
    let chosen = picker(
        ui,
        "Load",
        Some(draft.form().kind.name()),
        None,
        ui.available_width(),
        &sections,
    );
    if let Some((kind, _)) = LoadKind::ALL
        .iter()
        .find(|(_, name)| Some(*name) == chosen.as_deref())
    {
        draft.edit(|form| {
            form.choose(*kind);
            true
        });
    }
    load_ui(ui, draft, read);
    if behind_ingress
        && let Load::Rate { per_sec, .. } = &read.plan.load
        && per_sec.iter().any(|rate| *rate > INGRESS_PER_SEC)
    {
        warning_box(
            ui,
            "This ingress may allow 240 requests/min; above that you would measure the limit",
        );
    }
    checked(ui, draft, read, Field::Warmup);
    group_ui(ui, "Prompts");
    prompts_ui(ui, draft, read);
    group_ui(ui, "Limits");
    pair(ui, draft, read, Field::LevelRequests, Field::LevelTime);
    pair(ui, draft, read, Field::SessionTime, Field::SessionErrors);
    checked(ui, draft, read, Field::Goodput);
    if !read.plan.objectives.is_empty() && read.problem(Field::Goodput).is_none() {
        let dim = tokens(ui).dim;
        let text = RichText::new(objectives_told(&read.plan.objectives))
            .text_style(crate::ui::theme::small_figure_text())
            .color(dim);
        ui.add(Label::new(text).wrap());
    }
    let wrong = read.problems.iter().any(|(field, _)| MORE.contains(field));
    let title = if wrong {
        "More (a field needs attention)"
    } else {
        "More"
    };
    CollapsingHeader::new(RichText::new(title).small())
        .id_salt("more")
        .show_unindented(ui, |ui| {
            more_ui(ui, draft, read);
        });
}

/// The title of a group of fields.
pub(super) fn group_ui(ui: &mut Ui, title: &str) {
    ui.add_space(GRID);
    strong(ui, title);
}

/// `TTFT ≤ 500 ms · ITL ≤ 15 ms`
fn objectives_told(objectives: &Objectives) -> String {
    let names = ["TTFT", "ITL", "TPOT", "latency"];
    let told = names
        .iter()
        .zip(objectives.all())
        .filter_map(|(name, value)| {
            // As it was asked, and not to three digits.
            let text = units::write_duration(value?);
            let at = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
            Some(format!("{name} ≤ {} {}", &text[..at], &text[at..]))
        });
    told.collect::<Vec<_>>().join(" · ")
}

fn load_ui(ui: &mut Ui, draft: &mut Draft, read: &Read) {
    match draft.form().kind {
        LoadKind::Fixed => checked(ui, draft, read, Field::Concurrency),
        LoadKind::Sweep => checked(ui, draft, read, Field::Sweep),
        LoadKind::Rate => {
            checked(ui, draft, read, Field::Rate);
            arrivals_ui(ui, draft, read);
            switch(ui, draft, Field::KeepSaturated).on_hover_text(SATURATED);
            checked(ui, draft, read, Field::MaxInFlight)
        }
        LoadKind::Find => find_ui(ui, draft, read),
        LoadKind::Max => checked(ui, draft, read, Field::Max),
        LoadKind::Trace => {
            checked(ui, draft, read, Field::Trace);
            unit_ui(ui, draft);
            checked(ui, draft, read, Field::MaxInFlight)
        }
    };
}

/// How the requests of a rate are spaced.
fn arrivals_ui(ui: &mut Ui, draft: &mut Draft, read: &Read) {
    const KINDS: [(&str, &str); 3] = [
        ("Evenly spaced", ""),
        ("Poisson: independent users", "poisson"),
        ("Gamma: bursts", "gamma:0.25"),
    ];
    let typed = draft.form().text(Field::Arrivals);
    let shown = match typed.trim() {
        "" | "constant" => KINDS[0].0,
        "poisson" => KINDS[1].0,
        _ => KINDS[2].0,
    };
    let label = Field::Arrivals.spec().label();
    caption(ui, &label);
    let sections = [Section {
        heading: "",
        choices: KINDS.map(|(name, _)| Choice::plain(name)).into(),
    }];
    let width = ui.available_width();
    let chosen = picker(ui, &label, Some(shown), None, width, &sections);
    if let Some((_, text)) = KINDS
        .iter()
        .find(|(name, _)| Some(*name) == chosen.as_deref())
    {
        draft.edit(|form| {
            *form.text_mut(Field::Arrivals) = (*text).to_owned();
            true
        });
    }
    if shown == KINDS[2].0 {
        gamma_ui(ui, draft);
    }
    problem_ui(ui, read, Field::Arrivals);
}

/// The shape of gamma arrivals.
fn gamma_ui(ui: &mut Ui, draft: &mut Draft) {
    const PREFIX: &str = "gamma:";
    draft
        .text_ui(Field::Arrivals, |text| {
            let mut shape = text.trim().trim_start_matches(PREFIX).to_owned();
            let response = field(ui, "Shape of the gaps", &mut shape, "0.25");
            if response.changed() {
                *text = format!("{PREFIX}{shape}");
            }
            response
        })
        .on_hover_text(
            "Below 1 requests come in bursts; 1 is Poisson; above 1 they come more evenly",
        );
}

const SATURATED: &str = "Otherwise a level ends once requests in flight and TTFT both keep rising: requests come faster \
                         than they are answered";

/// A search for the highest load.
fn find_ui(ui: &mut Ui, draft: &mut Draft, read: &Read) -> Response {
    checked(ui, draft, read, Field::Find).on_hover_text(
        "ttft_p95<800ms means that at least 95 % of requests have a TTFT below 800 ms. Several limits with commas \
         between them must all be met",
    );
    raise_ui(ui, draft);
    pair(ui, draft, read, Field::UpTo, Field::AtLeast);
    let by_rate = draft.form().is_by_rate();
    if by_rate {
        arrivals_ui(ui, draft, read);
        switch(ui, draft, Field::KeepSaturated).on_hover_text(SATURATED);
        checked(ui, draft, read, Field::MaxInFlight);
    }
    caption(ui, "Doubles the load until it fails, then narrows it down")
}

/// What a search raises.
fn raise_ui(ui: &mut Ui, draft: &mut Draft) {
    let name = |by: Raise| match by {
        Raise::Concurrency => "Concurrent clients",
        Raise::Rate => "Requests per second",
    };
    let all = [Raise::Concurrency, Raise::Rate];
    let label = Field::FindBy.spec().label();
    caption(ui, &label);
    let sections = [Section {
        heading: "",
        choices: all.map(name).map(Choice::plain).into(),
    }];
    let by = Raise::parse(draft.form().text(Field::FindBy)).unwrap_or_default();
    let width = ui.available_width();
    if let Some(chosen) = picker(ui, &label, Some(name(by)), None, width, &sections) {
        let by = all.into_iter().find(|by| name(*by) == chosen);
        draft.edit(|form| {
            *form.text_mut(Field::FindBy) = by.unwrap_or_default().name().to_owned();
            true
        });
    }
}

/// The unit of a trace's times.
fn unit_ui(ui: &mut Ui, draft: &mut Draft) {
    const AUTO: &str = "Detect from the file";
    let name = |unit: TimeUnit| match unit {
        TimeUnit::S => "Seconds",
        TimeUnit::Ms => "Milliseconds",
        TimeUnit::Us => "Microseconds",
        TimeUnit::Ns => "Nanoseconds",
    };
    let label = Field::TraceUnit.spec().label();
    caption(ui, &label);
    let choices = std::iter::once(AUTO)
        .chain(TimeUnit::ALL.map(name))
        .map(Choice::plain)
        .collect();
    let sections = [Section {
        heading: "",
        choices,
    }];
    let shown = TimeUnit::parse(draft.form().text(Field::TraceUnit)).map_or(AUTO, name);
    if let Some(chosen) = picker(
        ui,
        &label,
        Some(shown),
        None,
        ui.available_width(),
        &sections,
    ) {
        let unit = TimeUnit::ALL.into_iter().find(|unit| name(*unit) == chosen);
        draft.edit(|form| {
            *form.text_mut(Field::TraceUnit) = unit.map_or("", TimeUnit::name).to_owned();
            true
        });
    }
}

/// What requests are sent to.
pub(super) fn endpoint_ui(ui: &mut Ui, draft: &mut Draft, read: &Read) {
    let name = |endpoint: PlanEndpoint| match endpoint {
        PlanEndpoint::Chat => "Chat completions",
        PlanEndpoint::Completions => "Completions, no chat template",
        PlanEndpoint::Embeddings => "Embeddings",
    };
    let label = Field::Endpoint.spec().label();
    let sections = [Section {
        heading: "",
        choices: PlanEndpoint::ALL.map(name).map(Choice::plain).into(),
    }];
    let shown = draft.form().endpoint();
    let width = ui.available_width();
    if let Some(chosen) = picker(ui, &label, Some(name(shown)), None, width, &sections) {
        let mut all = PlanEndpoint::ALL.into_iter();
        let chosen = all.find(|endpoint| name(*endpoint) == chosen);
        draft.edit(|form| {
            *form.text_mut(Field::Endpoint) = chosen.unwrap_or_default().name().to_owned();
            true
        });
    }
    problem_ui(ui, read, Field::Endpoint);
}

fn prompts_ui(ui: &mut Ui, draft: &mut Draft, read: &Read) {
    const KINDS: [&str; 2] = ["Synthetic, each unique", "From a file"];
    let choices = KINDS.map(Choice::plain);
    let sections = [Section {
        heading: "",
        choices: choices.into(),
    }];
    let shown = KINDS[usize::from(draft.form().from_file)];
    if let Some(chosen) = picker(
        ui,
        "Prompts",
        Some(shown),
        None,
        ui.available_width(),
        &sections,
    ) {
        draft.edit(|form| {
            form.from_file = chosen == KINDS[1];
            true
        });
    }
    let prompts = if draft.form().from_file {
        Field::PromptsFile
    } else {
        Field::InputTokens
    };
    if !draft.form().endpoint().streams() {
        checked(ui, draft, read, prompts);
    } else if draft.form().from_file {
        checked(ui, draft, read, prompts);
        checked(ui, draft, read, Field::OutputTokens);
    } else {
        pair(ui, draft, read, prompts, Field::OutputTokens);
    }
}

/// Fields that are folded away.
const MORE: [Field; 17] = [
    Field::PrefixTokens,
    Field::Images,
    Field::IgnoreEos,
    Field::Turns,
    Field::Think,
    Field::HangUps,
    Field::Price,
    Field::ExtraBody,
    Field::LevelErrors,
    Field::SessionRequests,
    Field::RampUp,
    Field::Repeat,
    Field::CoolDown,
    Field::Timeout,
    Field::Seed,
    Field::ServerMetrics,
    Field::Tags,
];

fn more_ui(ui: &mut Ui, draft: &mut Draft, read: &Read) {
    ui.spacing_mut().item_spacing.y = GRID;
    if !draft.form().from_file {
        checked(ui, draft, read, Field::PrefixTokens);
    }
    if draft.form().endpoint().is_chat() {
        checked(ui, draft, read, Field::Images);
    }
    if draft.form().endpoint().streams() {
        switch(ui, draft, Field::IgnoreEos).on_hover_text(
            "Asks the server to generate all output tokens, where the deployment allows it",
        );
    }
    if draft.form().endpoint().is_chat() {
        pair(ui, draft, read, Field::Turns, Field::Think);
    }
    pair(ui, draft, read, Field::HangUps, Field::LevelErrors);
    pair(ui, draft, read, Field::SessionRequests, Field::RampUp);
    pair(ui, draft, read, Field::Repeat, Field::CoolDown);
    pair(ui, draft, read, Field::Timeout, Field::Seed);
    checked(ui, draft, read, Field::ExtraBody);
    checked(ui, draft, read, Field::Price);
    checked(ui, draft, read, Field::ServerMetrics);
    checked(ui, draft, read, Field::Tags);
}

/// Two fields side by side.
fn pair(ui: &mut Ui, draft: &mut Draft, read: &Read, left: Field, right: Field) {
    ui.columns(2, |columns| {
        for (ui, at) in columns.iter_mut().zip([left, right]) {
            // egui's columns justify their text, which spreads the words of a name that needs two lines.
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ui.spacing_mut().item_spacing.y = GRID;
                checked(ui, draft, read, at);
            });
        }
    });
}

/// A field, and below it what is wrong with it.
fn checked(ui: &mut Ui, draft: &mut Draft, read: &Read, at: Field) -> Response {
    let spec = at.spec();
    let mut response = draft.text_ui(at, |text| field(ui, &spec.label(), text, spec.hint));
    let told = match at {
        Field::InputTokens => "1000, 500-1500 or 1000±200",
        Field::OutputTokens => "max_tokens: 128, 64-256 or 128±20",
        Field::Images => {
            "In each request: 2@512x512 sends two of 512 x 512 pixels, made up, no two alike"
        }
        Field::PrefixTokens => "All prompts begin with the same tokens, to measure prompt caches",
        Field::Think => "Between an answer and the next turn: 2s, 1s-3s or 2s±1s",
        Field::HangUps => {
            "Share of the requests, and when: 10%@500ms; they are in no figure of time"
        }
        Field::Price => {
            "Per million tokens: in=0.60, out=1.20, cached=0.30; or of the deployment: hour=42.5"
        }
        Field::ServerMetrics => {
            "Queue, running requests and cache by the server's own metrics, read once a second: auto, pods, off, or \
             an address such as http://host:8000/metrics"
        }
        Field::Seed => {
            "The same seed sends the same prompts again, which the server may have in its cache"
        }
        _ => "",
    };
    if !told.is_empty() {
        response = response.on_hover_text(told);
    }
    problem_ui(ui, read, at);
    response
}

fn switch(ui: &mut Ui, draft: &mut Draft, at: Field) -> Response {
    draft.text_ui(at, |text| {
        let mut on = text == ON;
        let response = ui.checkbox(&mut on, at.spec().label());
        if response.changed() {
            *text = if on { ON } else { "" }.to_owned();
        }
        response
    })
}

pub(super) fn problem_ui(ui: &mut Ui, read: &Read, at: Field) {
    if let Some(text) = read.problem(at) {
        field_error(ui, text);
    }
}

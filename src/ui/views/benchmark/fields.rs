//! The fields of a benchmark plan, each with what is wrong with it.

use egui::{Align, CollapsingHeader, Label, Layout, Response, RichText, Ui};

use crate::domain::environment::Environment;
use crate::domain::plan::{Field, Load, Objectives, TimeUnit};
use crate::domain::plan_fields::ON;
use crate::domain::units;
use crate::state::bench::{Form, LoadKind, Read};
use crate::ui::widgets::{
    Choice, Section, caption, field, field_error, picker, tokens, warning_box,
};

/// More requests per second than 240 a minute.
const INGRESS_PER_SEC: f64 = 4.0;

pub(super) fn fields_ui(ui: &mut Ui, form: &mut Form, env: &Environment, read: &Read) {
    let behind_ingress = !env.demo && env.cluster.is_some();
    caption(ui, "Load");
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
        Some(form.kind.name()),
        None,
        ui.available_width(),
        &sections,
    );
    if let Some((kind, _)) = LoadKind::ALL
        .iter()
        .find(|(_, name)| Some(*name) == chosen.as_deref())
    {
        form.kind = *kind;
    }
    load_ui(ui, form, read);
    if behind_ingress
        && let Load::Rate { per_sec, .. } = &read.plan.load
        && per_sec.iter().any(|rate| *rate > INGRESS_PER_SEC)
    {
        warning_box(
            ui,
            "This ingress may allow 240 requests/min; above that you would measure the limit",
        );
    }
    ui.add_space(4.0);
    prompts_ui(ui, form, read);
    pair(ui, form, read, Field::LevelRequests, Field::Warmup);
    pair(ui, form, read, Field::SessionTime, Field::SessionErrors);
    checked(ui, form, read, Field::Goodput);
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
            more_ui(ui, form, read);
        });
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

fn load_ui(ui: &mut Ui, form: &mut Form, read: &Read) {
    match form.kind {
        LoadKind::Fixed => checked(ui, form, read, Field::Concurrency),
        LoadKind::Sweep => checked(ui, form, read, Field::Sweep),
        LoadKind::Rate => {
            checked(ui, form, read, Field::Rate);
            switch(ui, form, Field::Poisson)
                .on_hover_text("As independent users would arrive; otherwise evenly spaced");
            checked(ui, form, read, Field::MaxInFlight)
        }
        LoadKind::Max => checked(ui, form, read, Field::Max),
        LoadKind::Trace => {
            checked(ui, form, read, Field::Trace);
            unit_ui(ui, form);
            checked(ui, form, read, Field::MaxInFlight)
        }
    };
}

/// The unit of a trace's times.
fn unit_ui(ui: &mut Ui, form: &mut Form) {
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
    let text = form.text_mut(Field::TraceUnit);
    let shown = TimeUnit::parse(text).map_or(AUTO, name);
    if let Some(chosen) = picker(
        ui,
        &label,
        Some(shown),
        None,
        ui.available_width(),
        &sections,
    ) {
        let unit = TimeUnit::ALL.into_iter().find(|unit| name(*unit) == chosen);
        *text = unit.map(TimeUnit::name).unwrap_or_default().to_owned();
    }
}

fn prompts_ui(ui: &mut Ui, form: &mut Form, read: &Read) {
    const KINDS: [&str; 2] = ["Synthetic, each unique", "From a file"];
    caption(ui, "Prompts");
    let choices = KINDS.map(Choice::plain);
    let sections = [Section {
        heading: "",
        choices: choices.into(),
    }];
    let shown = KINDS[usize::from(form.from_file)];
    if let Some(chosen) = picker(
        ui,
        "Prompts",
        Some(shown),
        None,
        ui.available_width(),
        &sections,
    ) {
        form.from_file = chosen == KINDS[1];
    }
    if form.from_file {
        checked(ui, form, read, Field::PromptsFile);
        checked(ui, form, read, Field::OutputTokens);
    } else {
        pair(ui, form, read, Field::InputTokens, Field::OutputTokens);
    }
}

/// Fields that are folded away.
const MORE: [Field; 10] = [
    Field::PrefixTokens,
    Field::IgnoreEos,
    Field::Turns,
    Field::LevelTime,
    Field::LevelErrors,
    Field::SessionRequests,
    Field::RampUp,
    Field::Timeout,
    Field::Seed,
    Field::Tags,
];

fn more_ui(ui: &mut Ui, form: &mut Form, read: &Read) {
    ui.spacing_mut().item_spacing.y = 5.0;
    if !form.from_file {
        checked(ui, form, read, Field::PrefixTokens);
    }
    switch(ui, form, Field::IgnoreEos).on_hover_text(
        "Asks the server to generate all output tokens, where the deployment allows it",
    );
    pair(ui, form, read, Field::Turns, Field::LevelTime);
    pair(ui, form, read, Field::LevelErrors, Field::SessionRequests);
    pair(ui, form, read, Field::RampUp, Field::Timeout);
    pair(ui, form, read, Field::Seed, Field::Tags);
}

/// Two fields side by side.
fn pair(ui: &mut Ui, form: &mut Form, read: &Read, left: Field, right: Field) {
    ui.columns(2, |columns| {
        for (ui, at) in columns.iter_mut().zip([left, right]) {
            // egui's columns justify their text, which spreads the words of a name that needs two lines.
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ui.spacing_mut().item_spacing.y = 5.0;
                checked(ui, form, read, at);
            });
        }
    });
}

/// A field, and below it what is wrong with it.
fn checked(ui: &mut Ui, form: &mut Form, read: &Read, at: Field) -> Response {
    let spec = at.spec();
    let text = if at == Field::Tags {
        &mut form.tags
    } else {
        form.text_mut(at)
    };
    let mut response = field(ui, &spec.label(), text, spec.hint);
    let told = match at {
        Field::InputTokens => "1000, 500-1500 or 1000±200",
        Field::OutputTokens => "max_tokens: 128, 64-256 or 128±20",
        Field::PrefixTokens => "All prompts begin with the same tokens, to measure prompt caches",
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

fn switch(ui: &mut Ui, form: &mut Form, at: Field) -> Response {
    let text = form.text_mut(at);
    let mut on = text == ON;
    let response = ui.checkbox(&mut on, at.spec().label());
    *text = if on { ON } else { "" }.to_owned();
    response
}

pub(super) fn problem_ui(ui: &mut Ui, read: &Read, at: Field) {
    if let Some(text) = read.problem(at) {
        field_error(ui, text);
    }
}

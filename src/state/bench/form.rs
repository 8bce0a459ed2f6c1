//! A plan as it is typed: texts in fields, what is wrong with each, and the plan they say.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::domain::plan::{
    Arrivals, Field, Find, Load, Plan, PlanEndpoint, Prompts, Raise, Target,
};
use crate::domain::plan_fields::{FIELDS, sentence};

/// A plan as it is being typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// What is loaded.
    pub targets: Vec<Target>,
    /// Which of the fields of a load are shown.
    pub kind: LoadKind,
    /// Whether prompts come from a file.
    pub from_file: bool,
    /// With commas between them.
    pub tags: String,
    /// As they are typed.
    texts: HashMap<Field, String>,
    /// The plan that the form began with: it has what the form does not show.
    rest: Plan,
}

/// The kinds of load, as people choose them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadKind {
    /// One level of concurrency.
    Fixed,
    /// Several.
    Sweep,
    /// As high as limits allow.
    Find,
    /// Open loop.
    Rate,
    /// Everything at once.
    Max,
    /// A trace file.
    Trace,
}

impl LoadKind {
    /// In the order of the list, with their names.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Fixed, "Fixed concurrency"),
        (Self::Sweep, "Concurrency sweep"),
        (Self::Find, "Find the highest load"),
        (Self::Rate, "Rate"),
        (Self::Max, "As fast as possible"),
        (Self::Trace, "Trace file"),
    ];

    /// The kind of a load; `None` of one that an import does not say.
    fn of(load: &Load) -> Option<Self> {
        match load {
            Load::Concurrency(clients) if clients.len() == 1 => Some(Self::Fixed),
            Load::Concurrency(_) => Some(Self::Sweep),
            Load::Rate { .. } => Some(Self::Rate),
            Load::Max { .. } => Some(Self::Max),
            Load::Trace { .. } => Some(Self::Trace),
            Load::Find(_) => Some(Self::Find),
            Load::Unknown => None,
        }
    }

    /// A load of this kind before anything is typed.
    fn blank(self) -> Load {
        match self {
            Self::Fixed | Self::Sweep => Load::Concurrency(Vec::new()),
            Self::Rate => Load::Rate {
                per_sec: Vec::new(),
                arrivals: Arrivals::Constant,
                most_in_flight: None,
            },
            Self::Find => Load::Find(Find::of(Vec::new())),
            Self::Max => Load::Max { in_flight: 1 },
            Self::Trace => Load::Trace {
                file: PathBuf::new(),
                most_in_flight: None,
                unit: None,
            },
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| name)
    }
}

/// What a form says.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The plan; a field that cannot be read is as it was.
    pub plan: Plan,
    /// What is wrong, and where.
    pub problems: Vec<(Field, String)>,
}

impl Read {
    /// What is wrong with one field.
    pub fn problem(&self, field: Field) -> Option<&str> {
        self.problems
            .iter()
            .find(|(at, _)| *at == field)
            .map(|(_, text)| text.as_str())
    }
}

impl Form {
    /// The form that says what `plan` says.
    pub fn of(plan: &Plan) -> Self {
        let mut form = Self {
            targets: plan.targets.clone(),
            kind: LoadKind::of(&plan.load).unwrap_or(LoadKind::Fixed),
            from_file: matches!(plan.prompts, Prompts::File(_)),
            tags: plan.tags.join(", "),
            texts: HashMap::new(),
            rest: plan.clone(),
        };
        for spec in FIELDS.iter().filter(|spec| spec.set.is_some()) {
            let text = spec.words(plan).unwrap_or_else(|| spec.start.to_owned());
            form.texts.insert(spec.field, text);
        }
        if !plan.endpoint.streams() {
            // For another endpoint.
            let usual = Field::OutputTokens.spec().start.to_owned();
            form.texts.insert(Field::OutputTokens, usual);
        }
        if form.kind == LoadKind::Sweep {
            let levels = form.texts.insert(
                Field::Concurrency,
                Field::Concurrency.spec().start.to_owned(),
            );
            form.texts.insert(Field::Sweep, levels.unwrap_or_default());
        }
        form
    }

    /// What is typed in a field.
    pub fn text(&self, field: Field) -> &str {
        match field {
            Field::Tags => &self.tags,
            field => self.texts.get(&field).map_or("", String::as_str),
        }
    }

    /// The same, to be edited.
    pub fn text_mut(&mut self, field: Field) -> &mut String {
        match field {
            Field::Tags => &mut self.tags,
            field => self.texts.entry(field).or_default(),
        }
    }

    /// Takes a preset over, and keeps the models unless it names some.
    pub fn take(&mut self, preset: &Plan) {
        let targets = std::mem::take(&mut self.targets);
        *self = Self::of(preset);
        if self.targets.is_empty() {
            self.targets = targets;
        }
    }

    /// The plan, and what is wrong.
    pub fn read(&self) -> Read {
        let mut plan = Plan {
            targets: self.targets.clone(),
            load: self.kind.blank(),
            ..self.rest.clone()
        };
        // What the endpoint does not have is not shown, and not sent.
        if !self.endpoint().is_chat() {
            (plan.images, plan.turns, plan.think) = (None, 1, None);
        }
        plan.ignore_eos &= self.endpoint().streams();
        if self.tags != self.rest.tags.join(", ") {
            let tags = self.tags.split(',').map(|tag| tag.trim().to_owned());
            plan.tags = tags.filter(|tag| !tag.is_empty()).collect();
        }
        let mut problems: Vec<(Field, String)> = Vec::new();
        for spec in FIELDS.iter().filter(|spec| self.shows(spec.field)) {
            // A list of levels, where the flag names the last of them.
            let read = if spec.field == Field::Sweep {
                Field::Concurrency.spec()
            } else {
                spec
            };
            let typed = self.text(spec.field);
            // What is as the plan said it needs no unit.
            let as_it_was = spec.words(&self.rest).is_some_and(|words| words == typed);
            let text = if as_it_was {
                typed.to_owned()
            } else {
                with_unit(typed, spec.unit)
            };
            if let Some(Err(why)) = read.set.map(|set| set(&mut plan, &text)) {
                problems.push((spec.field, sentence(&why)));
            }
        }
        for problem in plan.problems() {
            let of_sweep = problem.field == Field::Concurrency && self.kind == LoadKind::Sweep;
            let field = if of_sweep {
                Field::Sweep
            } else {
                problem.field
            };
            // A text that cannot be read has its message already.
            if problems.iter().all(|(at, _)| *at != field) {
                problems.push((field, sentence(&problem.text)));
            }
        }
        Read { plan, problems }
    }

    /// Chooses a kind of load. A search ends its levels itself, and takes errors as misses: limits that are as every
    /// plan begins with go with it, and come back with the other kinds.
    pub fn choose(&mut self, kind: LoadKind) {
        let was = std::mem::replace(&mut self.kind, kind);
        if (was == LoadKind::Find) == (kind == LoadKind::Find) {
            return;
        }
        let usual = Plan::default();
        for field in [Field::LevelRequests, Field::SessionErrors] {
            let usual = field.spec().words(&usual).unwrap_or_default();
            let [from, to] = if kind == LoadKind::Find {
                [usual, String::new()]
            } else {
                [String::new(), usual]
            };
            let text = self.text_mut(field);
            if *text == from {
                *text = to;
            }
        }
    }

    /// Whether requests are sent at a rate.
    pub fn is_by_rate(&self) -> bool {
        let is_raised = || self.text(Field::FindBy) == Raise::Rate.name();
        self.kind == LoadKind::Rate || self.kind == LoadKind::Find && is_raised()
    }

    /// What requests are sent to.
    pub fn endpoint(&self) -> PlanEndpoint {
        PlanEndpoint::parse(self.text(Field::Endpoint)).unwrap_or_default()
    }

    /// Whether a field belongs to the kinds of load and of prompts that are chosen.
    fn shows(&self, field: Field) -> bool {
        match field {
            Field::Concurrency => self.kind == LoadKind::Fixed,
            Field::Sweep => self.kind == LoadKind::Sweep,
            // The command line's short form of arrivals.
            Field::Poisson => false,
            Field::Find | Field::AtLeast | Field::FindBy | Field::UpTo => {
                self.kind == LoadKind::Find
            }
            Field::And => false,
            Field::Rate => self.kind == LoadKind::Rate,
            Field::Arrivals | Field::KeepSaturated => self.is_by_rate(),
            Field::Max => self.kind == LoadKind::Max,
            Field::Trace | Field::TraceUnit => self.kind == LoadKind::Trace,
            Field::MaxInFlight => self.is_by_rate() || self.kind == LoadKind::Trace,
            Field::PromptsFile => self.from_file,
            Field::InputTokens | Field::PrefixTokens => !self.from_file,
            Field::OutputTokens | Field::IgnoreEos => self.endpoint().streams(),
            Field::Images | Field::Turns | Field::Think => self.endpoint().is_chat(),
            _ => true,
        }
    }
}

/// A bare number in the unit of its field.
fn with_unit(text: &str, unit: &str) -> String {
    let text = text.trim();
    format!(
        "{text}{}",
        if text.parse::<f64>().is_ok() {
            unit
        } else {
            ""
        }
    )
}

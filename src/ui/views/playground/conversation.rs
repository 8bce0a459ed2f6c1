//! The pane with the conversation: its head, its parameters, and the turns as rows of a transcript.

use std::collections::HashSet;
use std::time::Duration;

use egui::{
    Button, CornerRadius, Frame, Id, Key, Label, Margin, Modifiers, RichText, Role, ScrollArea, TextStyle,
    Ui, WidgetInfo,
};

use super::parameters::ParametersUi;
use super::{figures, pickers};
use crate::domain::units;
use crate::metrics::timeline::{Reasoning, TokenSource};
use crate::state::chat::{Answer, AnswerStatus, ChatState, Turn};
use crate::state::{ModelColors, State};
use crate::ui::theme;
use crate::ui::transcript::{self, Body, FOLD_HEIGHT, Row, RowSource, Tone, Transcript};
use crate::ui::widgets::{
    caption, card, dot, empty_state, failure_box, from_right, shortened, small_button, small_button_if,
    tokens,
};

/// What the pane asks for.
#[derive(Debug, Default)]
pub(super) struct Todo {
    /// What is to become of the conversation.
    pub(super) act: Option<Act>,
    /// Put an answer on the clipboard.
    pub(super) copy: Option<String>,
}

/// What can become of a conversation; turns by their place on the way that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Ask this turn's question again.
    Again(usize),
    /// Ask for the rest of the last answer.
    Continue,
    /// Change this turn's message.
    Edit(usize),
    /// Begin a branch after this turn.
    Branch(usize),
    /// Go to the branch after this one, or to the one before.
    Step(usize, bool),
    /// Take the branch that goes on from the end.
    Ahead,
}

pub(super) fn show(
    ui: &mut Ui,
    state: &mut State,
    parameters: &mut ParametersUi,
    transcript: &mut Transcript,
    unfolded: &mut HashSet<u64>,
    now: Duration,
) -> Todo {
    let env = state.env().id.clone();
    let has_cluster = state.env().cluster.is_some();
    let model = state.place().cluster.choice.model.clone();
    let index = pickers::model_index(state);
    let colors = state.colors.clone();
    card(ui)
        .inner_margin(Margin::symmetric(12, 8))
        .show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            let chat = &mut state.place().chat;
            head_ui(ui, model.as_deref(), index, parameters, chat);
            ui.separator();
            if parameters.open {
                let most = ui.available_height() * 0.6;
                ScrollArea::vertical()
                    .id_salt("parameters")
                    .max_height(most)
                    .auto_shrink([false, true])
                    .show(ui, |ui| {
                        ui.set_width(ui.available_width() - 8.0);
                        parameters.show(ui, &env, chat);
                    });
                ui.separator();
            }
            if chat.turns().is_empty() {
                let advice = match &model {
                    Some(_) => "Type a message below. The answer streams in, with its speed beside it",
                    None if has_cluster => "Pick a deployment and a model above",
                    None => "Pick a model above",
                };
                let above = (ui.available_height() * 0.3).min(160.0);
                empty_state(ui, "Nothing said yet", advice, above);
                return Todo::default();
            }
            let id = Id::unique(("transcript", &env));
            let looks = Looks { colors: &colors, now, reading: false };
            turns_ui(ui, id, chat, looks, (transcript, unfolded))
        })
        .inner
}

/// How turns are drawn.
#[derive(Clone, Copy)]
struct Looks<'a> {
    colors: &'a ModelColors,
    now: Duration,
    /// It is out of the history: nothing is asked again here.
    reading: bool,
}

fn turns_ui(
    ui: &mut Ui,
    id: Id,
    chat: &ChatState,
    looks: Looks<'_>,
    (transcript, unfolded): (&mut Transcript, &mut HashSet<u64>),
) -> Todo {
    keys_ui(ui, chat, transcript);
    let mut rows = Rows::new(chat, looks, unfolded);
    transcript.show(ui, id, &mut rows);
    let Rows { todo, toggled, .. } = rows;
    if let Some(turn) = toggled
        && !unfolded.remove(&turn)
    {
        unfolded.insert(turn);
    }
    todo
}

/// Draws a conversation out of the history, to be read on all its branches. Gives an answer that is to be copied.
pub(in crate::ui::views) fn read_ui(
    ui: &mut Ui,
    id: Id,
    chat: &mut ChatState,
    colors: &ModelColors,
    open: (&mut Transcript, &mut HashSet<u64>),
) -> Option<String> {
    let looks = Looks { colors, now: Duration::ZERO, reading: true };
    let todo = turns_ui(ui, id, chat, looks, open);
    if let Some(Act::Step(index, forward)) = todo.act {
        chat.step(index, forward);
    }
    todo.copy
}

/// The keys that scroll; none of them means anything in the composer.
fn keys_ui(ui: &Ui, chat: &ChatState, transcript: &mut Transcript) {
    let page = ui.available_height() * 0.9;
    ui.input_mut(|input| {
        if input.consume_key(Modifiers::NONE, Key::PageUp) {
            transcript.scroll_by(-page);
        }
        if input.consume_key(Modifiers::NONE, Key::PageDown) {
            transcript.scroll_by(page);
        }
        if input.consume_key(Modifiers::COMMAND, Key::Home)
            && let Some(first) = chat.turns().first()
        {
            transcript.scroll_to(first.id * PARTS);
        }
        if input.consume_key(Modifiers::COMMAND, Key::End) {
            transcript.jump_to_latest();
        }
    });
}

/// More than a turn has parts, so that each has a key of its own.
const PARTS: u64 = 16;

fn head_ui(
    ui: &mut Ui,
    model: Option<&str>,
    index: Option<usize>,
    parameters: &mut ParametersUi,
    chat: &ChatState,
) {
    let tokens = tokens(ui);
    ui.horizontal(|ui| {
        let name_width = ui.available_width() - 160.0;
        if let (Some(model), Some(index)) = (model, index) {
            dot(ui, tokens.model_color(index));
            shortened(ui, model, theme::strong_text(), tokens.text, name_width);
        } else {
            caption(ui, "No model picked");
        }
        from_right(ui, |ui| {
            let set = chat.params.count_set();
            let label = if set > 0 { format!("Parameters ({set} set)") } else { "Parameters".to_owned() };
            let button = Button::new(RichText::new(label).small()).selected(parameters.open);
            if ui.add(button).on_hover_text("System prompt and sampling parameters").clicked() {
                parameters.open = !parameters.open;
            }
        });
    });
}

/// A part of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Prompt,
    Model,
    ReasoningHead,
    Reasoning,
    Waiting,
    Text,
    Notice,
    Figures,
    Ahead,
}

struct Rows<'a> {
    chat: &'a ChatState,
    looks: Looks<'a>,
    rows: Vec<(usize, Part)>,
    unfolded: &'a HashSet<u64>,
    todo: Todo,
    /// A turn whose reasoning was folded or unfolded.
    toggled: Option<u64>,
}

impl<'a> Rows<'a> {
    fn new(chat: &'a ChatState, looks: Looks<'a>, unfolded: &'a HashSet<u64>) -> Self {
        let mut rows = Vec::with_capacity(chat.turns().len() * 5);
        for (index, turn) in chat.turns().iter().enumerate() {
            let answer = &turn.answer;
            let mut push = |part| rows.push((index, part));
            push(Part::Prompt);
            push(Part::Model);
            if !answer.reasoning.is_empty() {
                push(Part::ReasoningHead);
                if unfolded.contains(&turn.id) {
                    push(Part::Reasoning);
                }
            }
            let streams = matches!(answer.status, AnswerStatus::Streaming(_));
            if !answer.text.is_empty() {
                push(Part::Text);
            } else if streams {
                push(Part::Waiting);
            }
            let notice = matches!(answer.status, AnswerStatus::Failed(_))
                || answer.empty_because().is_some()
                || answer.cut_because().is_some();
            if notice {
                push(Part::Notice);
            }
            if answer.figures.ttft.is_some() || answer.figures.latency.is_some() {
                push(Part::Figures);
            }
        }
        if chat.ahead() > 0 {
            rows.push((chat.turns().len() - 1, Part::Ahead));
        }
        Self { chat, looks, rows, unfolded, todo: Todo::default(), toggled: None }
    }

    fn turn(&self, index: usize) -> (&'a Turn, Part) {
        let (turn, part) = self.rows[index];
        (&self.chat.turns()[turn], part)
    }
}

impl RowSource for Rows<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn row(&self, index: usize) -> Row<'_> {
        let (turn, part) = self.turn(index);
        let answer = &turn.answer;
        let growing = matches!(answer.status, AnswerStatus::Streaming(_));
        let (gap, body) = match part {
            Part::Prompt => (12.0, Body::Text { text: &turn.prompt, tone: Tone::Prompt, growing: false }),
            Part::Model => (8.0, Body::Own { estimate: 22.0 }),
            Part::ReasoningHead => (4.0, Body::Own { estimate: FOLD_HEIGHT }),
            Part::Reasoning => {
                let growing = growing && answer.text.is_empty();
                (6.0, Body::Text { text: &answer.reasoning, tone: Tone::Reasoning, growing })
            }
            Part::Waiting => (6.0, Body::Own { estimate: 20.0 }),
            Part::Text => (6.0, Body::Text { text: &answer.text, tone: Tone::Answer, growing }),
            Part::Notice => (8.0, Body::Own { estimate: 34.0 }),
            Part::Figures => (8.0, Body::Own { estimate: 30.0 }),
            Part::Ahead => (8.0, Body::Own { estimate: 24.0 }),
        };
        Row { key: turn.id * PARTS + part as u64, gap, body }
    }

    fn draw(&mut self, index: usize, ui: &mut Ui) {
        let (turn, part) = self.turn(index);
        let at = self.rows[index].0;
        let answer = &turn.answer;
        let idle = self.chat.running().is_none();
        let can_ask = idle && !self.looks.reading;
        match part {
            Part::Model => {
                let color = self.looks.colors.index(&answer.model);
                let act = model_ui(ui, color, answer, self.chat.branch(at), (idle, !self.looks.reading));
                self.todo.act = self.todo.act.or(act.map(|act| act.at(at)));
            }
            Part::ReasoningHead => {
                let mut open = self.unfolded.contains(&turn.id);
                if transcript::fold_ui(ui, &mut open, &reasoning_title(answer)).clicked() {
                    self.toggled = Some(turn.id);
                }
            }
            Part::Waiting => waiting_ui(ui, answer, self.looks.now),
            Part::Notice => {
                let is_last = at + 1 == self.chat.turns().len();
                let act = notice_ui(ui, turn, (is_last && can_ask, self.chat.can_continue()), self.looks.now);
                self.todo.act = self.todo.act.or(act.map(|act| act.at(at)));
            }
            Part::Figures => match figures_ui(ui, answer, !self.looks.reading, idle) {
                Some(Pressed::Copy) => self.todo.copy = Some(answer.text.clone()),
                Some(Pressed::Do(act)) => self.todo.act = Some(act.at(at)),
                None => {}
            },
            Part::Ahead => {
                ui.horizontal(|ui| {
                    caption(ui, "What you say next begins another branch here");
                    let back = small_button_if(ui, idle, "Go back");
                    if back.on_hover_text("To the branch that goes on from here").clicked() {
                        self.todo.act = Some(Act::Ahead);
                    }
                });
            }
            // The transcript draws texts itself.
            Part::Prompt | Part::Reasoning | Part::Text => {}
        }
    }
}

impl Act {
    /// The same, of the turn at `index`.
    fn at(self, index: usize) -> Self {
        match self {
            Self::Again(_) => Self::Again(index),
            Self::Edit(_) => Self::Edit(index),
            Self::Branch(_) => Self::Branch(index),
            Self::Step(_, forward) => Self::Step(index, forward),
            Self::Continue | Self::Ahead => self,
        }
    }
}

/// Who answers; and which branch it is, with the ways to others. `can`: another branch can be gone to, and the
/// message can be changed.
fn model_ui(
    ui: &mut Ui,
    index: usize,
    answer: &Answer,
    (branch, branches): (usize, usize),
    (idle, can_edit): (bool, bool),
) -> Option<Act> {
    let tokens = tokens(ui);
    let mut act = None;
    ui.horizontal(|ui| {
        dot(ui, tokens.model_color(index));
        let buttons = if can_edit { 44.0 } else { 0.0 } + if branches > 1 { 96.0 } else { 0.0 };
        let width = ui.available_width() - 8.0 - buttons;
        let name = match &answer.deployment {
            Some(deployment) => format!("{} · {deployment}", answer.model),
            None => answer.model.clone(),
        };
        shortened(ui, &name, TextStyle::Small, tokens.dim, width);
        from_right(ui, |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let named = |ui: &mut Ui, enabled: bool, text: &str, name: &str| {
                let button = small_button_if(ui, enabled, text);
                button.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
                button.on_hover_text(name).clicked()
            };
            if can_edit && named(ui, idle, "Edit", "Edit message") {
                act = Some(Act::Edit(0));
            }
            if branches > 1 {
                if named(ui, idle && branch + 1 < branches, "›", "Next branch") {
                    act = Some(Act::Step(0, true));
                }
                let label = caption(ui, format!("{}/{branches}", branch + 1));
                let told = format!("Branch {} of {branches}", branch + 1);
                label.widget_info(|| WidgetInfo::labeled(Role::Label, true, &told));
                if named(ui, idle && branch > 0, "‹", "Previous branch") {
                    act = Some(Act::Step(0, false));
                }
            }
        });
    });
    act
}

fn reasoning_title(answer: &Answer) -> String {
    match answer.figures.reasoning {
        Some(Reasoning { tokens, time }) => {
            format!("Reasoning · {} {} · {}", units::count(tokens.n), tokens.noun(), units::seconds(time))
        }
        None => "Reasoning".to_owned(),
    }
}

/// A slow model and a stuck one look different: the time runs.
fn waiting_ui(ui: &mut Ui, answer: &Answer, now: Duration) {
    ui.horizontal(|ui| {
        ui.spinner();
        let waited = units::seconds(now.saturating_sub(answer.asked_at));
        let what = if answer.reasoning.is_empty() { "Waiting for the first token" } else { "Thinking" };
        caption(ui, format!("{what}, {waited}"));
    });
    ui.ctx().request_repaint_after(Duration::from_millis(100));
}

/// Why there is no answer, or not all of it; gives whether to ask again, or for the rest.
fn notice_ui(
    ui: &mut Ui,
    turn: &Turn,
    (can_retry, can_continue): (bool, bool),
    now: Duration,
) -> Option<Act> {
    let answer = &turn.answer;
    let mut act = None;
    let continue_ui = |ui: &mut Ui| {
        let help = "Ask for the rest of this answer";
        can_retry && can_continue && small_button(ui, "Continue").on_hover_text(help).clicked()
    };
    match &answer.status {
        AnswerStatus::Failed(failure) => {
            failure_box(ui, &format!("turn {}", turn.id), failure, None);
            ui.horizontal(|ui| {
                if can_retry && retry_button(ui, answer.wait_before_retry(now)) {
                    act = Some(Act::Again(0));
                }
                if continue_ui(ui) {
                    act = Some(Act::Continue);
                }
            });
        }
        _ => {
            let text = answer.empty_because().or(answer.cut_because()).unwrap_or_default();
            ui.horizontal_wrapped(|ui| {
                let warning = tokens(ui).warning;
                ui.add(Label::new(RichText::new(text).small().color(warning)).wrap());
                if can_retry && small_button(ui, "Retry").on_hover_text("Ask the same again").clicked() {
                    act = Some(Act::Again(0));
                }
                if continue_ui(ui) {
                    act = Some(Act::Continue);
                }
            });
        }
    }
    act
}

/// Asks again, once the time has come that the server asked to wait.
fn retry_button(ui: &mut Ui, wait: Option<Duration>) -> bool {
    let label = match wait {
        Some(wait) => {
            ui.ctx().request_repaint_after(Duration::from_millis(200));
            format!("Retry in {} s", wait.as_secs() + 1)
        }
        None => "Retry".to_owned(),
    };
    ui.add_enabled(wait.is_none(), Button::new(label)).on_hover_text("Ask the same again").clicked()
}

/// What was pressed below an answer.
enum Pressed {
    Copy,
    Do(Act),
}

/// Narrower lines of figures have their buttons below.
const WIDE: f32 = 560.0;

/// The line of figures, and what can be done with the answer.
fn figures_ui(ui: &mut Ui, answer: &Answer, can_ask: bool, idle: bool) -> Option<Pressed> {
    let tokens = tokens(ui);
    let frame = Frame::new().fill(tokens.sunken).corner_radius(CornerRadius::same(4));
    let mut pressed = None;
    frame.inner_margin(Margin::symmetric(8, 4)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 4.0;
        if ui.available_width() > WIDE {
            ui.horizontal(|ui| {
                line_of_figures(ui, answer);
                from_right(ui, |ui| pressed = answer_buttons(ui, answer, can_ask, idle));
            });
        } else {
            ui.horizontal(|ui| line_of_figures(ui, answer));
            if answer.status_is_final() {
                ui.horizontal(|ui| {
                    from_right(ui, |ui| pressed = answer_buttons(ui, answer, can_ask, idle));
                });
            }
        }
    });
    pressed
}

fn line_of_figures(ui: &mut Ui, answer: &Answer) {
    let tokens = tokens(ui);
    let figures = &answer.figures;
    let absent = || units::ABSENT.to_owned();
    let speed = figures
        .tokens_per_sec
        .map_or_else(|| format!("{} tok/s", units::ABSENT), |rate| units::rate(rate).to_string());
    let chunks = figures.tokens.is_some_and(|tokens| tokens.source == TokenSource::Chunks);
    let speed = if chunks { speed.replace("tok/s", "chunks/s") } else { speed };
    let latency =
        figures.latency.map_or_else(|| "…".to_owned(), |latency| units::seconds(latency).to_string());
    let latency = if figures.latency.is_none() && answer.status_is_final() { absent() } else { latency };
    let ttft = figures.ttft.map_or_else(absent, |ttft| units::duration(ttft).to_string());
    let mine = format!("{speed} · {latency} · TTFT {ttft}");
    let mut server = Vec::new();
    if let Some(theirs) = figures.server {
        server.extend(theirs.after_first_per_sec.map(|rate| units::rate(rate).to_string()));
        server.extend(theirs.latency.map(|latency| units::seconds(latency).to_string()));
        server.extend(theirs.ttft.map(|ttft| format!("TTFT {}", units::duration(ttft))));
    }
    ui.spacing_mut().item_spacing.x = 12.0;
    let width = ui.available_width();
    let style = theme::small_figure_text();
    let label =
        ui.add(Label::new(RichText::new(&mine).text_style(style.clone()).color(tokens.dim)).truncate());
    label.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("Figures: {mine}")));
    label.on_hover_text(figures::told_in_full(figures));
    if !server.is_empty() && width > 440.0 {
        let text = format!("server {}", server.join(" · "));
        let label = ui.add(Label::new(RichText::new(text).text_style(style).color(tokens.faint)).truncate());
        label.on_hover_text("What the server reported of itself. It leaves out the network and the time queued at the gateway");
    }
}

/// From the right.
fn answer_buttons(ui: &mut Ui, answer: &Answer, can_ask: bool, idle: bool) -> Option<Pressed> {
    ui.spacing_mut().item_spacing.x = 6.0;
    let mut pressed = None;
    let mut button = |enabled: bool, text: &str, name: &str, help: &str, what: Pressed| {
        let button = small_button_if(ui, enabled, text);
        button.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
        if button.on_hover_text(help).clicked() {
            pressed = Some(what);
        }
    };
    button(!answer.text.is_empty(), "Copy", "Copy answer", "Put the answer on the clipboard", Pressed::Copy);
    if can_ask {
        let help = "Go on from this answer on another branch; what follows it stays";
        button(idle, "Branch", "Branch here", help, Pressed::Do(Act::Branch(0)));
        let help = "Ask the same again; this answer stays as a branch";
        button(idle, "Again", "Regenerate", help, Pressed::Do(Act::Again(0)));
    }
    pressed
}

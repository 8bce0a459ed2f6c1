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
    /// Ask the last question again.
    pub(super) retry: bool,
    /// Put an answer on the clipboard.
    pub(super) copy: Option<String>,
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
            keys_ui(ui, chat, transcript);
            let mut rows = Rows::new(chat, &colors, unfolded, now);
            transcript.show(ui, Id::unique(("transcript", &env)), &mut rows);
            let Rows { todo, toggled, .. } = rows;
            if let Some(turn) = toggled
                && !unfolded.remove(&turn)
            {
                unfolded.insert(turn);
            }
            todo
        })
        .inner
}

/// Draws a conversation out of the history, to be read. Gives an answer that is to be copied.
pub(in crate::ui::views) fn read_ui(
    ui: &mut Ui,
    id: Id,
    chat: &ChatState,
    colors: &ModelColors,
    (transcript, unfolded): (&mut Transcript, &mut HashSet<u64>),
) -> Option<String> {
    keys_ui(ui, chat, transcript);
    let mut rows = Rows::new(chat, colors, unfolded, Duration::ZERO);
    rows.reading = true;
    transcript.show(ui, id, &mut rows);
    let Rows { todo, toggled, .. } = rows;
    if let Some(turn) = toggled
        && !unfolded.remove(&turn)
    {
        unfolded.insert(turn);
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
}

struct Rows<'a> {
    chat: &'a ChatState,
    colors: &'a ModelColors,
    rows: Vec<(usize, Part)>,
    unfolded: &'a HashSet<u64>,
    now: Duration,
    todo: Todo,
    /// A turn whose reasoning was folded or unfolded.
    toggled: Option<u64>,
    /// It is out of the history: nothing is asked again here.
    reading: bool,
}

impl<'a> Rows<'a> {
    fn new(chat: &'a ChatState, colors: &'a ModelColors, unfolded: &'a HashSet<u64>, now: Duration) -> Self {
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
        Self { chat, colors, rows, unfolded, now, todo: Todo::default(), toggled: None, reading: false }
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
            Part::Model => (8.0, Body::Own { estimate: 18.0 }),
            Part::ReasoningHead => (4.0, Body::Own { estimate: FOLD_HEIGHT }),
            Part::Reasoning => {
                let growing = growing && answer.text.is_empty();
                (6.0, Body::Text { text: &answer.reasoning, tone: Tone::Reasoning, growing })
            }
            Part::Waiting => (6.0, Body::Own { estimate: 20.0 }),
            Part::Text => (6.0, Body::Text { text: &answer.text, tone: Tone::Answer, growing }),
            Part::Notice => (8.0, Body::Own { estimate: 34.0 }),
            Part::Figures => (8.0, Body::Own { estimate: 28.0 }),
        };
        Row { key: turn.id * PARTS + part as u64, gap, body }
    }

    fn draw(&mut self, index: usize, ui: &mut Ui) {
        let (turn, part) = self.turn(index);
        let answer = &turn.answer;
        match part {
            Part::Model => model_ui(ui, self.colors.index(&answer.model), answer),
            Part::ReasoningHead => {
                let mut open = self.unfolded.contains(&turn.id);
                if transcript::fold_ui(ui, &mut open, &reasoning_title(answer)).clicked() {
                    self.toggled = Some(turn.id);
                }
            }
            Part::Waiting => waiting_ui(ui, answer, self.now),
            Part::Notice => {
                let is_last = self.chat.turns().last().is_some_and(|last| last.id == turn.id);
                let can_retry = is_last && !self.reading && self.chat.running().is_none();
                self.todo.retry |= notice_ui(ui, turn, can_retry, self.now);
            }
            Part::Figures => {
                if figures_ui(ui, answer) {
                    self.todo.copy = Some(answer.text.clone());
                }
            }
            // The transcript draws texts itself.
            Part::Prompt | Part::Reasoning | Part::Text => {}
        }
    }
}

fn model_ui(ui: &mut Ui, index: usize, answer: &Answer) {
    let tokens = tokens(ui);
    ui.horizontal(|ui| {
        dot(ui, tokens.model_color(index));
        let width = ui.available_width() - 8.0;
        let name = match &answer.deployment {
            Some(deployment) => format!("{} · {deployment}", answer.model),
            None => answer.model.clone(),
        };
        shortened(ui, &name, TextStyle::Small, tokens.dim, width);
    });
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

/// Why there is no answer, or not all of it; gives whether to ask again.
fn notice_ui(ui: &mut Ui, turn: &Turn, can_retry: bool, now: Duration) -> bool {
    let answer = &turn.answer;
    let mut retry = false;
    match &answer.status {
        AnswerStatus::Failed(failure) => {
            failure_box(ui, &format!("turn {}", turn.id), failure, None);
            if can_retry {
                retry = retry_button(ui, answer.wait_before_retry(now));
            }
        }
        _ => {
            let text = answer.empty_because().or(answer.cut_because()).unwrap_or_default();
            ui.horizontal_wrapped(|ui| {
                let warning = tokens(ui).warning;
                ui.add(Label::new(RichText::new(text).small().color(warning)).wrap());
                retry = can_retry && small_button(ui, "Retry").on_hover_text("Ask the same again").clicked();
            });
        }
    }
    retry
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

/// The line of figures; gives whether the answer is to be copied.
fn figures_ui(ui: &mut Ui, answer: &Answer) -> bool {
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
    let latency = if figures.latency.is_none() && !matches!(answer.status, AnswerStatus::Streaming(_)) {
        absent()
    } else {
        latency
    };
    let ttft = figures.ttft.map_or_else(absent, |ttft| units::duration(ttft).to_string());
    let mine = format!("{speed} · {latency} · TTFT {ttft}");
    let mut server = Vec::new();
    if let Some(theirs) = figures.server {
        server.extend(theirs.after_first_per_sec.map(|rate| units::rate(rate).to_string()));
        server.extend(theirs.latency.map(|latency| units::seconds(latency).to_string()));
        server.extend(theirs.ttft.map(|ttft| format!("TTFT {}", units::duration(ttft))));
    }
    let mut copy = false;
    Frame::new().fill(tokens.sunken).corner_radius(CornerRadius::same(4)).inner_margin(Margin::symmetric(8, 4)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 12.0;
            let width = ui.available_width();
            let style = theme::small_figure_text();
            let label = ui.add(Label::new(RichText::new(&mine).text_style(style.clone()).color(tokens.dim)).truncate());
            label.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("Figures: {mine}")));
            label.on_hover_text(figures::told_in_full(figures));
            if !server.is_empty() && width > 440.0 {
                let text = format!("server {}", server.join(" · "));
                let label = ui.add(Label::new(RichText::new(text).text_style(style).color(tokens.faint)).truncate());
                label.on_hover_text("What the server reported of itself. It leaves out the network and the time queued at the gateway");
            }
            from_right(ui, |ui| {
                let button = small_button_if(ui, !answer.text.is_empty(), "Copy");
                button.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Copy answer"));
                copy = button.clicked();
            });
        });
    });
    copy
}

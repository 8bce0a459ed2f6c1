//! A pane with its conversation: its head, its parameters, and the turns as rows of a transcript.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use egui::{
    Button, Color32, Id, Key, Margin, Modifiers, RichText, Role, ScrollArea, Sense, Stroke, Ui,
    WidgetInfo,
};

use super::attachments;
use super::calls;
use super::embed::{self, EmbedTodo};
use super::parameters::ParametersUi;
use super::talks;
use super::turn::{self, Pressed};
use crate::domain::conversation::Attached;
use crate::protocol::JobId;
use crate::state::chat::{Act, AnswerStatus, ChatState, Turn};
use crate::state::panes::{Fastest, PaneHead};
use crate::state::veil::Veil;
use crate::state::{ModelColors, State};
use crate::ui::theme;
use crate::ui::transcript::{self, Body, FOLD_HEIGHT, Row, RowSource, Tone, Transcript};
use crate::ui::widgets::{
    caption, card, dot, empty_state, from_right, shortened, small_button, small_button_if, tokens,
};

/// What the pane asks for.
#[derive(Debug, Default)]
pub(super) struct Todo {
    /// What is to become of the conversation.
    pub(super) act: Option<Act>,
    /// Put this, called so, on the clipboard.
    pub(super) copy: Option<(&'static str, String)>,
    /// The result of a call of the last answer was typed.
    pub(super) typed: Option<(usize, String)>,
    /// The pickers are to be for this pane.
    pub(super) activate: bool,
    /// Close it.
    pub(super) close: bool,
    /// Bring back what was there before another conversation was opened.
    pub(super) undo_open: bool,
    /// Of a pane that makes embeddings.
    pub(super) embed: EmbedTodo,
    /// End its answer.
    pub(super) stop: Option<JobId>,
}

/// Which pane it is.
pub(super) struct Pane<'a> {
    /// From 0.
    pub(super) index: usize,
    /// What is to be known of it.
    pub(super) head: PaneHead,
    /// There are others beside it.
    pub(super) several: bool,
    /// The pickers, and the keys that scroll, are for it.
    pub(super) active: bool,
    /// Its name is not its own: colours and models are not told.
    pub(super) hidden: bool,
    /// Which of its turns were the fastest.
    pub(super) fastest: &'a HashMap<u64, Fastest>,
}

/// What is open and folded in a pane.
#[derive(Default)]
pub(super) struct PaneUi {
    pub(super) transcript: Transcript,
    /// Turns whose reasoning is unfolded; and with [`RAW`], those whose JSON is shown as it came.
    unfolded: HashSet<u64>,
}

/// No turn's number is so high.
const RAW: u64 = 1 << 63;

pub(super) fn show(
    ui: &mut Ui,
    state: &mut State,
    pane: &Pane<'_>,
    parameters: &mut ParametersUi,
    open: &mut PaneUi,
    now: Duration,
) -> Todo {
    let env = state.env().id.clone();
    let has_cluster = state
        .settings
        .get(&pane.head.env)
        .is_some_and(|env| env.cluster.is_some());
    let colors = state.colors.clone();
    let stroke = if pane.several && pane.active {
        Stroke::new(1.0, tokens(ui).accent)
    } else {
        Stroke::new(1.0, tokens(ui).line)
    };
    let inside = |ui: &mut Ui| {
        ui.set_min_size(ui.available_size());
        let mut todo = Todo::default();
        let color = pane.head.name.as_deref().map(|name| match pane.hidden {
            true => tokens(ui).dim,
            false => tokens(ui).model_color(colors.index(name)),
        });
        head_ui(ui, state, pane, color, parameters, &mut todo);
        ui.separator();
        if parameters.is_open(pane.head.id) {
            let most = ui.available_height() * 0.6;
            ScrollArea::vertical()
                .id_salt("parameters")
                .max_height(most)
                .auto_shrink([false, true])
                .show(ui, |ui| {
                    ui.set_width(ui.available_width() - 8.0);
                    if state.embeds_is_a_guess(pane.index) {
                        let mut embeds = state.pane_embeds(pane.index);
                        let tick = ui.checkbox(&mut embeds, "This model makes embeddings");
                        if tick
                            .on_hover_text("The cluster does not say what it makes")
                            .changed()
                        {
                            state.say_embeds(pane.index, embeds);
                        }
                    }
                    if link_ui(ui, state, pane) {
                        parameters.show(ui, (&env, pane.head.id), state.pane_chat(pane.index));
                    }
                });
            ui.separator();
        }
        let veil = state.veil();
        if state.pane_embeds(pane.index) {
            let model = pane.head.choice.model.clone().unwrap_or_default();
            let (ready, guess) = (
                state.can_ask(pane.index),
                state.embeds_is_a_guess(pane.index),
            );
            let color = color.unwrap_or(tokens(ui).text);
            let view = &mut state.pane_chat(pane.index).embed;
            todo.embed = embed::show(ui, view, (&model, color), &veil, (ready, guess), now);
            return todo;
        }
        let chat = state.pane_chat(pane.index);
        if let Some(title) = chat.opened() {
            todo.undo_open = talks::opened_ui(ui, title);
        }
        if chat.turns().is_empty() {
            let advice = match &pane.head.choice.model {
                Some(_) => "Type a message below. The answer streams in, with its speed beside it",
                None if has_cluster => "Pick a deployment and a model above",
                None => "Pick a model above",
            };
            let above = (ui.available_height() * 0.3).min(160.0);
            empty_state(ui, "Nothing said yet", advice, above);
            return todo;
        }
        let id = Id::unique(("transcript", &env, pane.head.id));
        let looks = Looks {
            colors: &colors,
            now,
            reading: false,
            keys: pane.active,
            fastest: Some(pane.fastest),
            hidden: pane.head.name.as_deref().filter(|_| pane.hidden),
            veil: Some(&veil),
        };
        let Todo {
            act, copy, typed, ..
        } = turns_ui(
            ui,
            id,
            chat,
            looks,
            (&mut open.transcript, &mut open.unfolded),
        );
        Todo {
            act,
            copy,
            typed,
            ..todo
        }
    };
    card(ui)
        .stroke(stroke)
        .inner_margin(Margin::symmetric(12, 8))
        .show(ui, inside)
        .inner
}

/// How turns are drawn.
#[derive(Clone, Copy)]
struct Looks<'a> {
    colors: &'a ModelColors,
    now: Duration,
    /// It is out of the history: nothing is asked again here.
    reading: bool,
    /// The keys that scroll are for it.
    keys: bool,
    fastest: Option<&'a HashMap<u64, Fastest>>,
    /// What the model is called while its name is hidden.
    hidden: Option<&'a str>,
    /// What is taken out of failures.
    veil: Option<&'a Veil>,
}

fn turns_ui(
    ui: &mut Ui,
    id: Id,
    chat: &ChatState,
    looks: Looks<'_>,
    (transcript, unfolded): (&mut Transcript, &mut HashSet<u64>),
) -> Todo {
    if looks.keys {
        keys_ui(ui, chat, transcript);
    }
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

/// Draws a conversation out of the history, to be read on all its branches. Gives what is to be copied, and its name.
pub(in crate::ui::views) fn read_ui(
    ui: &mut Ui,
    id: Id,
    chat: &mut ChatState,
    colors: &ModelColors,
    open: (&mut Transcript, &mut HashSet<u64>),
) -> Option<(&'static str, String)> {
    let looks = Looks {
        colors,
        now: Duration::ZERO,
        reading: true,
        keys: true,
        fastest: None,
        hidden: None,
        veil: None,
    };
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
            let part = Part::of_said(first).next().unwrap_or(Part::Model);
            transcript.scroll_to(first.id * PARTS + part.number());
        }
        if input.consume_key(Modifiers::COMMAND, Key::End) {
            transcript.jump_to_latest();
        }
    });
}

/// More than a turn has parts, so that each has a key of its own.
const PARTS: u64 = 4_096;

fn head_ui(
    ui: &mut Ui,
    state: &mut State,
    pane: &Pane<'_>,
    color: Option<Color32>,
    parameters: &mut ParametersUi,
    todo: &mut Todo,
) {
    let tokens = tokens(ui);
    let PaneHead {
        id,
        name,
        ticked,
        running,
        closable,
        ..
    } = &pane.head;
    let spoken = name.as_deref().unwrap_or("no model");
    let labelled = |button: egui::Response, what: &str| {
        button.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{what} {spoken}")));
        button
    };
    ui.horizontal(|ui| {
        if pane.several {
            let mut on = *ticked;
            let tick = ui.checkbox(&mut on, "");
            let told = format!("Send to {spoken}");
            tick.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, &told));
            if tick
                .on_hover_text("It takes part in what you send")
                .changed()
            {
                state.tick_pane(pane.index, on);
            }
        }
        let of = if pane.head.linked { 0 } else { pane.index };
        let set = state.pane_chat(of).params.count_set();
        let buttons = match (pane.several, set) {
            (true, 0) => 104.0,
            (true, _) => 128.0,
            (false, _) => 160.0,
        };
        let name_width = ui.available_width() - buttons - if color.is_some() { 18.0 } else { 0.0 };
        if let (Some(name), Some(color)) = (name, color) {
            dot(ui, color);
            let label = shortened(ui, name, theme::strong_text(), tokens.text, name_width);
            if pane.several && !pane.hidden {
                let label = label.interact(Sense::click());
                let told = format!("Pane {}: {name}", pane.index + 1);
                label.widget_info(|| WidgetInfo::selected(Role::Button, true, pane.active, &told));
                todo.activate |= label.on_hover_text("Pick its model above").clicked();
            }
        } else {
            let label = caption(ui, "No model picked").interact(Sense::click());
            todo.activate |= label.clicked();
        }
        from_right(ui, |ui| {
            if pane.several {
                ui.spacing_mut().item_spacing.x = 6.0;
                let close = labelled(small_button_if(ui, *closable, "×"), "Close");
                let why = "The others ask other environments: close them first";
                todo.close |= close
                    .on_hover_text("Close this pane")
                    .on_disabled_hover_text(why)
                    .clicked();
            }
            if let (Some(job), true) = (running, pane.several) {
                let stop = labelled(small_button(ui, "Stop"), "Stop");
                todo.stop = stop
                    .on_hover_text("End this answer")
                    .clicked()
                    .then_some(*job);
                return;
            }
            let label = match (pane.several, set) {
                (false, 0) => "Parameters".to_owned(),
                (false, set) => format!("Parameters ({set} set)"),
                (true, 0) => "Params".to_owned(),
                (true, set) => format!("Params ({set})"),
            };
            let is_open = parameters.is_open(*id);
            let mut button = ui.add(Button::new(RichText::new(label).small()).selected(is_open));
            if pane.several {
                button = labelled(button, "Parameters of");
            }
            if button
                .on_hover_text("System prompt and sampling parameters")
                .clicked()
            {
                parameters.toggle(*id);
            }
        });
    });
}

/// Whether the pane has parameters of its own; gives whether they are to be shown.
fn link_ui(ui: &mut Ui, state: &mut State, pane: &Pane<'_>) -> bool {
    if pane.index == 0 {
        return true;
    }
    let mut linked = pane.head.linked;
    if ui
        .checkbox(&mut linked, "Linked to the first pane")
        .changed()
    {
        state.link_pane(pane.index, linked);
    }
    if linked {
        caption(ui, "It takes the first pane's system prompt and parameters");
    }
    !linked
}

/// A part of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Results,
    /// The pictures of what was said.
    Pictures,
    /// The head of an attached text, by its place among the attachments.
    File(u16),
    /// The text.
    FileText(u16),
    Prompt,
    Model,
    ReasoningHead,
    Reasoning,
    Waiting,
    Text,
    Block,
    Calls,
    Checked,
    Notice,
    Figures,
    Ahead,
}

impl Part {
    /// Tells it from the turn's other parts.
    fn number(self) -> u64 {
        match self {
            Self::Prompt => 0,
            Self::Model => 1,
            Self::ReasoningHead => 2,
            Self::Reasoning => 3,
            Self::Waiting => 4,
            Self::Text => 5,
            Self::Notice => 6,
            Self::Figures => 7,
            Self::Ahead => 8,
            Self::Pictures => 9,
            Self::Results => 10,
            Self::Block => 11,
            Self::Calls => 12,
            Self::Checked => 13,
            Self::File(at) => 1_024 + 2 * u64::from(at),
            Self::FileText(at) => 1_025 + 2 * u64::from(at),
        }
    }

    /// What is drawn of what the user said.
    fn of_said(turn: &Turn) -> impl Iterator<Item = Self> {
        let attachments = &turn.said.attachments;
        let pictures = attachments
            .iter()
            .any(|it| it.image().is_some())
            .then_some(Self::Pictures);
        // More have no key of their own.
        let all = attachments.iter().zip(0..1_000_u16);
        let files = all
            .filter(|(it, _)| it.image().is_none())
            .map(|(_, at)| Self::File(at));
        let prompt = (!turn.said.prompt.trim().is_empty()).then_some(Self::Prompt);
        pictures.into_iter().chain(files).chain(prompt)
    }
}

/// What the fold of an attached text is remembered by; a turn's own number is its reasoning's.
fn fold_of_file(turn: u64, at: u16) -> u64 {
    1 << 63 | turn << 16 | u64::from(at)
}

struct Rows<'a> {
    chat: &'a ChatState,
    looks: Looks<'a>,
    rows: Vec<(usize, Part)>,
    unfolded: &'a HashSet<u64>,
    todo: Todo,
    /// A turn whose reasoning was folded or unfolded, or the fold of an attached text.
    toggled: Option<u64>,
}

impl<'a> Rows<'a> {
    fn new(chat: &'a ChatState, looks: Looks<'a>, unfolded: &'a HashSet<u64>) -> Self {
        let mut rows = Vec::with_capacity(chat.turns().len() * 5);
        for (index, turn) in chat.turns().iter().enumerate() {
            let answer = &turn.answer;
            let mut push = |part| rows.push((index, part));
            if !turn.said.results.is_empty() {
                push(Part::Results);
            }
            for part in Part::of_said(turn) {
                push(part);
                if let Part::File(at) = part
                    && unfolded.contains(&fold_of_file(turn.id, at))
                {
                    push(Part::FileText(at));
                }
            }
            push(Part::Model);
            if !answer.reply.reasoning.is_empty() {
                push(Part::ReasoningHead);
                if unfolded.contains(&turn.id) {
                    push(Part::Reasoning);
                }
            }
            let streams = matches!(answer.status, AnswerStatus::Streaming(_));
            if !answer.form.block.is_empty() && !unfolded.contains(&(turn.id | RAW)) {
                push(Part::Block);
            } else if !answer.reply.text.is_empty() {
                push(Part::Text);
            } else if streams && answer.reply.calls.is_empty() {
                push(Part::Waiting);
            }
            if !answer.reply.calls.is_empty() {
                push(Part::Calls);
            }
            if answer.form.checked.is_some() {
                push(Part::Checked);
            }
            let notice = matches!(answer.status, AnswerStatus::Failed(_))
                || answer.empty_because().is_some()
                || answer.cut_because().is_some();
            if notice {
                push(Part::Notice);
            }
            if answer.reply.figures.ttft.is_some() || answer.reply.figures.latency.is_some() {
                push(Part::Figures);
            }
        }
        if chat.ahead() > 0 {
            rows.push((chat.turns().len() - 1, Part::Ahead));
        }
        Self {
            chat,
            looks,
            rows,
            unfolded,
            todo: Todo::default(),
            toggled: None,
        }
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
            Part::Results => (
                12.0,
                Body::Own {
                    estimate: 60.0 * turn.said.results.len() as f32,
                },
            ),
            Part::Pictures => (
                12.0,
                Body::Own {
                    estimate: attachments::said_pictures_height(&turn.said.attachments),
                },
            ),
            Part::File(_) => (
                8.0,
                Body::Own {
                    estimate: FOLD_HEIGHT,
                },
            ),
            Part::FileText(at) => {
                let file = turn
                    .said
                    .attachments
                    .get(usize::from(at))
                    .map(|it| &it.content);
                // Only texts are unfolded.
                let text = if let Some(Attached::Text(text)) = file {
                    &**text
                } else {
                    ""
                };
                (
                    4.0,
                    Body::Text {
                        text,
                        tone: Tone::Prompt,
                        growing: false,
                    },
                )
            }
            Part::Prompt => (
                12.0,
                Body::Text {
                    text: &turn.said.prompt,
                    tone: Tone::Prompt,
                    growing: false,
                },
            ),
            Part::Model => (8.0, Body::Own { estimate: 22.0 }),
            Part::ReasoningHead => (
                4.0,
                Body::Own {
                    estimate: FOLD_HEIGHT,
                },
            ),
            Part::Reasoning => {
                let growing = growing && answer.reply.text.is_empty();
                (
                    6.0,
                    Body::Text {
                        text: &answer.reply.reasoning,
                        tone: Tone::Reasoning,
                        growing,
                    },
                )
            }
            Part::Waiting => (6.0, Body::Own { estimate: 20.0 }),
            Part::Text => (
                6.0,
                Body::Text {
                    text: &answer.reply.text,
                    tone: Tone::Answer,
                    growing,
                },
            ),
            Part::Block => (
                6.0,
                Body::Text {
                    text: &answer.form.block,
                    tone: Tone::Answer,
                    growing,
                },
            ),
            Part::Calls => (
                6.0,
                Body::Own {
                    estimate: 120.0 * answer.reply.calls.len() as f32,
                },
            ),
            Part::Checked => (6.0, Body::Own { estimate: 24.0 }),
            Part::Notice => (8.0, Body::Own { estimate: 34.0 }),
            Part::Figures => (8.0, Body::Own { estimate: 30.0 }),
            Part::Ahead => (8.0, Body::Own { estimate: 24.0 }),
        };
        Row {
            key: turn.id * PARTS + part.number(),
            gap,
            body,
        }
    }

    fn draw(&mut self, index: usize, ui: &mut Ui) {
        let (turn, part) = self.turn(index);
        let at = self.rows[index].0;
        let answer = &turn.answer;
        let idle = self.chat.running().is_none();
        let can_ask = idle && !self.looks.reading;
        match part {
            Part::Model => {
                let tokens = tokens(ui);
                let own = tokens.model_color(self.looks.colors.index(&answer.series));
                let asked = match &answer.deployment {
                    Some(deployment) => format!("{} · {deployment}", answer.model),
                    None => answer.model.clone(),
                };
                let (color, name) = match (self.looks.hidden, &answer.reply.answered_by) {
                    (Some(hidden), _) => (tokens.dim, hidden.to_owned()),
                    (None, Some(other)) => (own, format!("{other} answered, not {asked}")),
                    (None, None) => (own, asked),
                };
                let can = (idle, !self.looks.reading);
                let act = turn::model_ui(ui, (color, &name), self.chat.branch(at), can);
                self.todo.act = self.todo.act.or(act.map(|act| act.at(at)));
            }
            Part::ReasoningHead => {
                let mut open = self.unfolded.contains(&turn.id);
                if transcript::fold_ui(ui, &mut open, &turn::reasoning_title(answer)).clicked() {
                    self.toggled = Some(turn.id);
                }
            }
            Part::Pictures => attachments::said_pictures_ui(ui, &turn.said.attachments),
            Part::File(place) => {
                let fold = fold_of_file(turn.id, place);
                let mut open = self.unfolded.contains(&fold);
                let file = &turn.said.attachments[usize::from(place)];
                if transcript::fold_ui(ui, &mut open, &attachments::text_title(file)).clicked() {
                    self.toggled = Some(fold);
                }
            }
            Part::Waiting => turn::waiting_ui(ui, answer, self.looks.now),
            Part::Notice => {
                let is_last = at + 1 == self.chat.turns().len();
                let act = turn::notice_ui(
                    ui,
                    turn,
                    (is_last && can_ask, self.chat.can_continue()),
                    self.looks.veil,
                    self.looks.now,
                );
                self.todo.act = self.todo.act.or(act.map(|act| act.at(at)));
            }
            Part::Figures => {
                let fastest = self
                    .looks
                    .fastest
                    .and_then(|fastest| fastest.get(&turn.id))
                    .copied();
                match turn::figures_ui(
                    ui,
                    answer,
                    fastest.unwrap_or_default(),
                    (!self.looks.reading, idle),
                    self.looks.now,
                ) {
                    Some(Pressed::Copy) => {
                        self.todo.copy = Some(("Answer", answer.reply.text.clone()))
                    }
                    Some(Pressed::Do(act)) => self.todo.act = Some(act.at(at)),
                    None => {}
                }
            }
            Part::Ahead => {
                ui.horizontal(|ui| {
                    caption(ui, "What you say next begins another branch here");
                    let back = small_button_if(ui, idle, "Go back");
                    if back
                        .on_hover_text("To the branch that goes on from here")
                        .clicked()
                    {
                        self.todo.act = Some(Act::Ahead);
                    }
                });
            }
            Part::Results => calls::results_ui(ui, &turn.said.results),
            Part::Calls => {
                let answers =
                    can_ask && at + 1 == self.chat.turns().len() && self.chat.awaits_results();
                let done = calls::calls_ui(ui, turn, answers, self.chat.typed_results());
                self.todo.typed = done.typed;
                if done.send {
                    self.todo.act = Some(Act::SendResults);
                }
                self.todo.copy = done
                    .copy
                    .map(|text| ("Arguments", text))
                    .or(self.todo.copy.take());
            }
            Part::Checked => {
                let (Some(checked), pretty) = (&answer.form.checked, &answer.form.pretty) else {
                    return;
                };
                let key = turn.id | RAW;
                let raw = (!answer.form.block.is_empty()).then(|| self.unfolded.contains(&key));
                match calls::checked_ui(ui, checked, pretty.is_some(), raw) {
                    Some(calls::Pressed::Turn) => self.toggled = Some(key),
                    Some(calls::Pressed::Copy) => {
                        self.todo.copy = pretty.clone().map(|text| ("JSON", text))
                    }
                    None => {}
                }
            }
            // The transcript draws texts itself.
            Part::Prompt | Part::FileText(_) | Part::Reasoning | Part::Text | Part::Block => {}
        }
    }
}

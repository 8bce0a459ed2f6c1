//! The turns of a conversation as rows of a transcript.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use egui::Ui;

use super::embed::EmbedOutcome;
use super::turn::{self, AnswerButton};
use super::{attachments, calls};
use crate::domain::conversation::{Attached, Attachment};
use crate::protocol::JobId;
use crate::state::ModelColors;
use crate::state::chat::{Act, AnswerStatus, ChatState, Turn};
use crate::state::panes::{Fastest, PaneAction};
use crate::state::redaction::Redaction;
use crate::ui::transcript::{self, Body, FOLD_HEIGHT, Row, RowSource, Tone};
use crate::ui::widgets::{caption, small_button_if, tokens};

/// The actions that a pane asks for in a frame.
#[derive(Debug, Default)]
pub(super) struct PaneOutcome {
    /// An action on the conversation.
    pub(super) act: Option<Act>,
    /// Copy this text; the name is for the message that confirms it.
    pub(super) copy: Option<(&'static str, String)>,
    /// The result of a call of the last answer was typed.
    pub(super) typed: Option<(usize, String)>,
    /// Do this to the pane.
    pub(super) asks: Vec<PaneAction>,
    /// Something was picked: one can type on.
    pub(super) refocus: bool,
    /// It takes part in what is sent, or no longer.
    pub(super) tick: Option<bool>,
    /// Close it.
    pub(super) close: bool,
    /// Bring back what was there before another conversation was opened.
    pub(super) undo_open: bool,
    /// The actions of a pane that makes embeddings.
    pub(super) embed: EmbedOutcome,
    /// End its answer.
    pub(super) stop: Option<JobId>,
}

/// More than a turn has parts, so that each has a key of its own.
const PARTS: u64 = 4_096;

/// A part of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
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
    /// In place of an answer that is not to be seen yet.
    Held,
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
            Self::Held => 14,
            Self::File(at) => 1_024 + 2 * u64::from(at),
            Self::FileText(at) => 1_025 + 2 * u64::from(at),
        }
    }

    /// The parts of the user's message.
    pub(super) fn of_said(turn: &Turn) -> impl Iterator<Item = Self> {
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

    /// The row's key in the transcript.
    pub(super) fn key(self, turn: u64) -> u64 {
        turn * PARTS + self.number()
    }

    /// The space above the part, and its text or its probable height.
    fn looks(self, turn: &Turn) -> (f32, Body<'_>) {
        let answer = &turn.answer;
        let growing = matches!(answer.status, AnswerStatus::Streaming(_));
        let own = |estimate: f32| Body::Own { estimate };
        let text = |text, tone, growing| Body::Text {
            text,
            tone,
            growing,
        };
        match self {
            Self::Results => (12.0, own(60.0 * turn.said.results.len() as f32)),
            Self::Pictures => {
                let height = attachments::said_pictures_height(&turn.said.attachments);
                (12.0, own(height))
            }
            Self::File(_) => (8.0, own(FOLD_HEIGHT)),
            Self::FileText(at) => (4.0, text(text_of_file(turn, at), Tone::Prompt, false)),
            Self::Prompt => (12.0, text(&turn.said.prompt, Tone::Prompt, false)),
            Self::Model => (8.0, own(22.0)),
            Self::ReasoningHead => (4.0, own(FOLD_HEIGHT)),
            Self::Reasoning => {
                let growing = growing && answer.reply.text.is_empty();
                (6.0, text(&answer.reply.reasoning, Tone::Reasoning, growing))
            }
            Self::Waiting | Self::Held => (6.0, own(20.0)),
            Self::Text => (6.0, text(&answer.reply.text, Tone::Answer, growing)),
            Self::Block => (6.0, text(&answer.form.block, Tone::Answer, growing)),
            Self::Calls => (6.0, own(120.0 * answer.reply.calls.len() as f32)),
            Self::Checked | Self::Ahead => (if self == Self::Ahead { 8.0 } else { 6.0 }, own(24.0)),
            Self::Notice => (8.0, own(34.0)),
            Self::Figures => (8.0, own(30.0)),
        }
    }
}

/// The content of an attached text file; empty for a picture.
fn text_of_file(turn: &Turn, at: u16) -> &str {
    match turn.said.attachments.get(usize::from(at)) {
        Some(Attachment {
            content: Attached::Text(text),
            ..
        }) => text,
        _ => "",
    }
}

/// The key of the fold of an attached text. A turn's own number is the key of its reasoning.
fn fold_of_file(turn: u64, at: u16) -> u64 {
    1 << 63 | turn << 16 | u64::from(at)
}

pub(super) struct Rows<'a> {
    chat: &'a ChatState,
    looks: TurnStyle<'a>,
    rows: Vec<(usize, Part)>,
    unfolded: &'a HashSet<u64>,
    pub(super) todo: PaneOutcome,
    /// A turn whose reasoning was folded or unfolded, or the fold of an attached text.
    pub(super) toggled: Option<u64>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        chat: &'a ChatState,
        looks: TurnStyle<'a>,
        unfolded: &'a HashSet<u64>,
    ) -> Self {
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
            if looks.held == Some(turn.round) {
                push(Part::Held);
                continue;
            }
            // Whether a model thinks tells it from one that does not.
            if !answer.reply.reasoning.is_empty() && looks.hidden.is_none() {
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
            todo: PaneOutcome::default(),
            toggled: None,
        }
    }

    fn turn(&self, index: usize) -> (&'a Turn, Part) {
        let (turn, part) = self.rows[index];
        (&self.chat.turns()[turn], part)
    }
}

impl Rows<'_> {
    fn is_idle(&self) -> bool {
        self.chat.running().is_none()
    }

    fn can_ask(&self) -> bool {
        self.is_idle() && !self.looks.reading
    }

    /// The model that answered, with the branches of this turn.
    fn model_ui(&mut self, ui: &mut Ui, turn: &Turn, at: usize) {
        let answer = &turn.answer;
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
        let can = (self.is_idle(), !self.looks.reading);
        let act = turn::model_ui(ui, (color, &name), self.chat.branch(at), can);
        self.todo.act = self.todo.act.or(act.map(|act| act.at(at)));
    }

    fn figures_ui(&mut self, ui: &mut Ui, turn: &Turn, at: usize) {
        let answer = &turn.answer;
        let fastest = self
            .looks
            .fastest
            .and_then(|fastest| fastest.get(&turn.id))
            .copied()
            .unwrap_or_default();
        let can = (!self.looks.reading, self.is_idle());
        let hidden = self.looks.hidden.is_some();
        match turn::figures_ui(ui, answer, (fastest, hidden), can, self.looks.now) {
            Some(AnswerButton::Copy) => {
                self.todo.copy = Some(("Answer", answer.reply.text.clone()))
            }
            Some(AnswerButton::Do(act)) => self.todo.act = Some(act.at(at)),
            None => {}
        }
    }

    fn ahead_ui(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            caption(ui, "Your next message starts a new branch here");
            let back = small_button_if(ui, self.is_idle(), "Go back");
            if back
                .on_hover_text("Return to the branch that continues from here")
                .clicked()
            {
                self.todo.act = Some(Act::Ahead);
            }
        });
    }

    fn calls_ui(&mut self, ui: &mut Ui, turn: &Turn, at: usize) {
        let is_last = at + 1 == self.chat.turns().len();
        let answers = self.can_ask() && is_last && self.chat.awaits_results();
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

    fn checked_ui(&mut self, ui: &mut Ui, turn: &Turn) {
        let form = &turn.answer.form;
        let (Some(checked), pretty) = (&form.checked, &form.pretty) else {
            return;
        };
        let key = turn.id | RAW;
        let raw = (!form.block.is_empty()).then(|| self.unfolded.contains(&key));
        match calls::checked_ui(ui, checked, pretty.is_some(), raw) {
            Some(calls::FormatButton::Turn) => self.toggled = Some(key),
            Some(calls::FormatButton::Copy) => {
                self.todo.copy = pretty.clone().map(|text| ("JSON", text))
            }
            None => {}
        }
    }
}

impl RowSource for Rows<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn row(&self, index: usize) -> Row<'_> {
        let (turn, part) = self.turn(index);
        let (gap, body) = part.looks(turn);
        Row {
            key: part.key(turn.id),
            gap,
            body,
        }
    }

    fn draw(&mut self, index: usize, ui: &mut Ui) {
        let (turn, part) = self.turn(index);
        let at = self.rows[index].0;
        let answer = &turn.answer;
        match part {
            Part::Model => self.model_ui(ui, turn, at),
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
            Part::Held => turn::held_ui(ui),
            Part::Waiting => turn::waiting_ui(ui, answer, self.looks.now),
            Part::Notice => {
                let is_last = at + 1 == self.chat.turns().len();
                let can = (is_last && self.can_ask(), self.chat.can_continue());
                let act = turn::notice_ui(ui, turn, can, self.looks.redaction, self.looks.now);
                self.todo.act = self.todo.act.or(act.map(|act| act.at(at)));
            }
            Part::Figures => self.figures_ui(ui, turn, at),
            Part::Ahead => self.ahead_ui(ui),
            Part::Results => calls::results_ui(ui, &turn.said.results),
            Part::Calls => self.calls_ui(ui, turn, at),
            Part::Checked => self.checked_ui(ui, turn),
            // The transcript draws texts itself.
            Part::Prompt | Part::FileText(_) | Part::Reasoning | Part::Text | Part::Block => {}
        }
    }
}

/// No turn's number is so high.
const RAW: u64 = 1 << 63;

/// How turns are drawn.
#[derive(Clone, Copy)]
pub(super) struct TurnStyle<'a> {
    pub(super) colors: &'a ModelColors,
    pub(super) now: Duration,
    /// The conversation is read from the history: nothing can be sent.
    pub(super) reading: bool,
    /// The keys that scroll are for it.
    pub(super) keys: bool,
    pub(super) fastest: Option<&'a HashMap<u64, Fastest>>,
    /// The model's name in a blind vote.
    pub(super) hidden: Option<&'a str>,
    /// The round whose answers are not to be seen yet.
    pub(super) held: Option<u64>,
    /// Removes hidden names from failures.
    pub(super) redaction: Option<&'a Redaction>,
}

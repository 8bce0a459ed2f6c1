//! What the Playground asks of its panes.

use std::time::Duration;

use super::Vote;
use crate::domain::environment::EnvId;
use crate::domain::params::Params;
use crate::protocol::{AttachSources, Command};
use crate::state::State;
use crate::state::chat::Act;

/// One thing that the Playground asks of its panes; panes by their index.
#[derive(Debug)]
pub enum PaneAction {
    /// Add a pane, with a copy of the active one's conversation or an empty one.
    Add {
        /// Copy it.
        copy: bool,
    },
    /// Close a pane.
    Close(usize),
    /// Select a pane.
    Activate(usize),
    /// Send to a pane, or no longer.
    Tick(usize, bool),
    /// Ask a pane with the first one's system prompt and parameters, or with its own.
    Link(usize, bool),
    /// Ask another environment.
    PickEnv(usize, EnvId),
    /// Ask another deployment; `None` for models of the API alone.
    PickDeployment(usize, Option<String>),
    /// Ask another model.
    PickModel(usize, String),
    /// The user says whether a pane's model makes embeddings.
    SayEmbeds(usize, bool),
    /// The text to embed was typed.
    TypeEmbedText(usize, String),
    /// The second text to embed was typed.
    TypeSecondText(usize, String),
    /// Embed what was typed.
    Embed(usize),
    /// The system prompt and the parameters were edited.
    Edit(usize, String, Box<Params>),
    /// Keep a pane's system prompt and parameters as a preset of this name.
    SavePreset(usize, String),
    /// Delete the preset of this name.
    DeletePreset(String),
    /// Give the figures this width, or that which suits the window.
    PlaceFigures(Option<f32>),
    /// Use this as the system prompt of the active pane.
    UseAsSystemPrompt(String),
    /// Do what a button of the conversation says.
    Do(usize, Act),
    /// The result of a call of the last answer was typed.
    TypeResult(usize, usize, String),
    /// Bring back what was there before another conversation was opened.
    UndoOpen(usize),
    /// Empty all conversations.
    Clear,
    /// Bring back what was cleared.
    UndoClear,
    /// Begin a blind vote.
    BeginBlind,
    /// End the blind vote.
    EndBlind,
    /// Take the user's vote.
    Vote(Vote),
    /// Ask the panes one after the other, or all at once.
    RunInTurn(bool),
    /// The draft was typed.
    Draft(String),
    /// Attach something to the draft.
    Attach(AttachSources),
    /// Stop reading what is to be attached.
    StopAttaching,
    /// Take this attachment from the draft.
    Detach(usize),
    /// Leave the message that is being edited as it was.
    CancelEdit,
    /// Send the draft.
    Send,
    /// Send this, and leave the draft as it is.
    SendWords(String),
}

impl State {
    /// Does what the Playground asks of its panes.
    pub(in crate::state) fn act_on_panes(
        &mut self,
        action: PaneAction,
        now: Duration,
        out: &mut Vec<Command>,
    ) {
        use PaneAction as A;
        let panes = self.panes_mut();
        match action {
            A::Activate(index) => panes.activate(index),
            A::Tick(index, on) => panes.get_mut(index).ticked = on,
            A::Link(index, on) => panes.link(index, on),
            A::PickModel(index, name) => panes.get_mut(index).pick_model(&name),
            A::TypeEmbedText(index, text) => panes.chat_mut(index).embed.text = text,
            A::TypeSecondText(index, text) => panes.chat_mut(index).embed.other = text,
            A::Edit(index, system, params) => {
                let chat = panes.chat_mut(index);
                (chat.system, chat.params) = (system, *params);
            }
            A::SavePreset(index, name) => self.save_chat_preset(index, name, out),
            A::DeletePreset(name) => self.delete_chat_preset(name, out),
            A::PlaceFigures(width) => self.place_figures(width, out),
            A::TypeResult(index, call, text) => panes.chat_mut(index).type_result(call, text),
            A::Clear => panes.clear(),
            A::BeginBlind => panes.begin_blind(),
            A::EndBlind => panes.end_blind(),
            A::RunInTurn(on) => panes.in_turn = on,
            A::Draft(text) => panes.drafting_chat_mut().draft = text,
            A::Detach(at) => panes.drafting_chat_mut().detach(at),
            A::CancelEdit => panes.drafting_chat_mut().stop_editing(),
            A::Add { copy } => self.add_pane_for(copy),
            A::Close(index) => self.close_pane(index, out),
            A::PickEnv(index, env) => self.pick_pane_env(index, &env, out),
            A::PickDeployment(index, name) => self.pick_deployment(index, name.as_deref()),
            A::SayEmbeds(index, on) => self.say_embeds(index, on),
            A::Embed(index) => self.embed(index, now, out),
            A::UseAsSystemPrompt(text) => self.use_as_system_prompt(text),
            A::Do(index, act) => drop(self.act_in_pane(index, act, now, out)),
            A::UndoOpen(index) => self.undo_open(index, out),
            A::UndoClear => self.undo_clear(),
            A::Vote(vote) => self.vote(vote, out),
            A::Attach(sources) => self.attach(sources, out),
            A::StopAttaching => self.stop_attaching(out),
            A::Send => drop(self.send_draft(now, out)),
            A::SendWords(words) => drop(self.send_words(&words, now, out)),
        }
    }

    /// Each model of the panes has a colour from now on.
    pub fn note_pane_colors(&mut self) {
        let panes = &self.connections.current().panes;
        for index in 0..panes.count() {
            if let Some(name) = panes.name(index) {
                self.colors.note(&name);
            }
        }
    }
}

//! What the Playground asks of its panes.

use std::time::Duration;

use super::{Vote, presets};
use crate::domain::environment::EnvId;
use crate::domain::params::Params;
use crate::protocol::{AttachSources, Command};
use crate::state::State;
use crate::state::chat::Act;
use crate::state::jobs::Outbox;

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

/// Panes ask environments, take attachments, and show conversations of the list.
impl State {
    /// Does what the Playground asks of its panes; some of it concerns what is kept, environments and conversations.
    pub(in crate::state) fn act_on_panes(
        &mut self,
        action: PaneAction,
        now: Duration,
        out: &mut Vec<Command>,
    ) {
        use PaneAction as A;
        let Self {
            playgrounds,
            environments,
            workspace,
            attach,
            notices,
            jobs,
            ..
        } = self;
        let panes = playgrounds.panes_mut();
        let outbox = &mut Outbox::new(jobs, out);
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
            A::SavePreset(index, name) => {
                let settings = panes.chat(panes.settings_of(index));
                presets::save(workspace, name, settings, outbox);
            }
            A::DeletePreset(name) => presets::delete(workspace, name, outbox),
            A::PlaceFigures(width) => presets::place_figures(workspace, width, outbox),
            A::TypeResult(index, call, text) => panes.chat_mut(index).type_result(call, text),
            A::Clear => panes.clear(),
            A::BeginBlind => panes.begin_blind(),
            A::EndBlind => panes.end_blind(),
            A::RunInTurn(on) => panes.in_turn = on,
            A::Draft(text) => panes.drafting_chat_mut().draft = text,
            A::Detach(at) => panes.drafting_chat_mut().detach(at),
            A::CancelEdit => panes.drafting_chat_mut().stop_editing(),
            A::Add { copy } => panes.add_on_free_model(copy, environments),
            A::Close(index) => panes.close_and_cancel(index, outbox),
            A::PickEnv(index, env) => panes.pick_env(index, &env, environments, outbox),
            A::PickDeployment(index, name) => {
                panes.pick_deployment(index, name.as_deref(), environments);
            }
            A::SayEmbeds(index, on) => panes.say_embeds(index, on),
            A::Embed(index) => panes.embed(index, environments, now, outbox),
            A::UseAsSystemPrompt(text) => {
                panes.use_as_system_prompt(text);
                notices.tell("System prompt set");
            }
            A::Do(index, act) => {
                let outcome = panes.act_in(index, act, environments, now, outbox);
                notices.fail_if_any(outcome.err());
            }
            A::UndoOpen(index) => self.undo_open(index, out),
            A::UndoClear => self.undo_clear(),
            A::Vote(vote) => panes.vote(vote, &mut workspace.votes, outbox),
            A::Attach(sources) => attach.attach(sources, panes.targets(environments), outbox),
            A::StopAttaching => attach.stop(&environments.current().id, outbox),
            A::Send => {
                let outcome = panes.send_draft(environments, now, outbox);
                notices.fail_if_any(outcome.err());
            }
            A::SendWords(words) => {
                let outcome = panes.send_words(&words, environments, now, outbox);
                notices.fail_if_any(outcome.err().flatten());
            }
        }
    }

    /// Brings back what was shown before another conversation was opened: in all panes that show it.
    pub(in crate::state) fn undo_open(&mut self, index: usize, out: &mut Vec<Command>) {
        let outbox = &mut Outbox::new(&mut self.jobs, out);
        let panes = self.playgrounds.panes_mut();
        for id in panes.undo_open(index, &mut self.environments, outbox) {
            self.conversations.is_back(&id);
        }
    }

    /// Brings back all conversations that were cleared, and those of them that were to be deleted.
    pub(in crate::state) fn undo_clear(&mut self) {
        let panes = self.playgrounds.panes_mut();
        panes.undo_clear();
        for id in panes.conversations() {
            self.conversations.is_back(id);
        }
    }
}

//! The prompts that are kept, as the window knows them.

use super::State;
use super::notices::Notices;
use crate::domain::failure::Failure;
use crate::domain::library::{Library, LibraryChange, Prompt};
use crate::protocol::{Command, LocalQuestion};

/// What the window knows of the kept prompts.
#[derive(Debug, Default)]
pub struct LibraryState {
    /// The prompts; `None` before they were read.
    pub library: Option<Library>,
    /// Why they could not be read or written.
    pub failure: Option<Failure>,
    /// The one that was deleted last, and its place.
    pub deleted: Option<(usize, Prompt)>,
}

impl LibraryState {
    /// The prompts were read or written.
    pub(super) fn loaded(&mut self, outcome: Result<Library, Failure>, notices: &mut Notices) {
        match outcome {
            Ok(library) => self.library = Some(library),
            Err(failure) => {
                notices.fail(failure.clone());
                self.failure = Some(failure);
            }
        }
    }
}

impl State {
    /// Reads the prompts: another window may have changed them.
    pub fn load_prompts(&mut self, out: &mut Vec<Command>) {
        self.prompts.failure = None;
        out.push(Command::LoadPrompts);
    }

    /// Changes the prompts; that is seen at once.
    pub fn change_prompts(&mut self, change: LibraryChange, out: &mut Vec<Command>) {
        let library = self.prompts.library.get_or_insert_default();
        self.prompts.failure = None;
        self.prompts.deleted = match &change {
            LibraryChange::Remove(name) => {
                let at = library
                    .prompts
                    .iter()
                    .position(|prompt| prompt.name == *name);
                at.map(|at| (at, library.prompts[at].clone()))
            }
            _ => None,
        };
        library.change(change.clone());
        out.push(Command::ChangePrompts { change });
    }

    /// Brings back the prompt that was deleted last.
    pub fn undo_delete_prompt(&mut self, out: &mut Vec<Command>) {
        if let Some((at, prompt)) = self.prompts.deleted.take() {
            self.change_prompts(LibraryChange::Restore(at, prompt), out);
        }
    }

    /// Writes all prompts as a file.
    pub fn export_prompts(&self, out: &mut Vec<Command>) {
        if let Some(library) = &self.prompts.library {
            let content = library.write().into_bytes().into();
            let name = "batida-prompts.json".to_owned();
            out.push(Command::SaveFile {
                what: "Prompts".to_owned(),
                name,
                content,
            });
        }
    }

    /// Lets the user pick a file of prompts and adds them.
    pub fn import_prompts(&mut self, out: &mut Vec<Command>) {
        self.ask_local(LocalQuestion::ImportPrompts, out);
    }

    /// Makes this the system prompt of the active pane, or of the one that it takes it from.
    pub fn use_as_system_prompt(&mut self, text: String) {
        let panes = self.panes_mut();
        let index = panes.settings_of(panes.active());
        panes.chat_mut(index).system = text;
        self.notices.tell("System prompt set");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Settings;

    #[test]
    fn a_deletion_is_undone_in_its_place_and_only_the_last() {
        let mut state = State::new(Settings::default());
        let mut out = Vec::new();
        let all = ["a", "b", "c"].map(|name| Prompt::new(name, "x")).to_vec();
        state.change_prompts(LibraryChange::Add(all), &mut out);
        state.change_prompts(LibraryChange::Remove("b".to_owned()), &mut out);
        state.undo_delete_prompt(&mut out);
        let names = |state: &State| -> String {
            let prompts = state
                .prompts
                .library
                .iter()
                .flat_map(|library| &library.prompts);
            prompts.map(|prompt| prompt.name.as_str()).collect()
        };
        assert_eq!((names(&state).as_str(), out.len()), ("abc", 3));
        assert_eq!(state.prompts.deleted, None);
        state.undo_delete_prompt(&mut out);
        assert_eq!(out.len(), 3);
    }

    #[test]
    fn a_linked_pane_takes_its_system_prompt_from_the_first() {
        let mut state = State::new(Settings::default());
        state.panes_mut().get_mut(0).pick_model("a");
        state.add_pane();
        state.use_as_system_prompt("rhyme".to_owned());
        assert_eq!(state.panes().chat(0).system, "rhyme");
        state.panes_mut().link(1, false);
        state.use_as_system_prompt("prose".to_owned());
        assert_eq!(state.panes().chat(0).system, "rhyme");
        assert_eq!(state.panes().chat(1).system, "prose");
    }
}

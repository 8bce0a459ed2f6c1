//! The prompts that are kept, as the window knows them.

use super::jobs::Outbox;
use super::notices::Notices;
use crate::domain::failure::Failure;
use crate::domain::library::{Library, LibraryChange, Prompt};
use crate::domain::units;
use crate::protocol::{Command, ImportedPrompts, LocalQuestion, Question};

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

/// One thing that the prompt library asks for.
#[derive(Debug)]
pub enum PromptsAction {
    /// It is opened: read the prompts again.
    Load,
    /// Change the prompts.
    Change(LibraryChange),
    /// Bring back the one that was deleted last.
    UndoDelete,
    /// Write all as a file.
    Export,
    /// Let the user pick a file of prompts, and add them.
    Import,
}

impl LibraryState {
    /// Does what the prompt library asks for.
    pub(super) fn act(&mut self, action: PromptsAction, outbox: &mut Outbox<'_>) {
        match action {
            PromptsAction::Load => self.load(outbox),
            PromptsAction::Change(change) => self.change(change, outbox),
            PromptsAction::UndoDelete => self.undo_delete(outbox),
            PromptsAction::Export => self.export(outbox),
            PromptsAction::Import => {
                outbox.ask(Question::Local(LocalQuestion::ImportPrompts));
            }
        }
    }

    /// Reads the prompts: another window may have changed them.
    fn load(&mut self, outbox: &mut Outbox<'_>) {
        (self.failure, self.deleted) = (None, None);
        outbox.send(Command::LoadPrompts);
    }

    /// Changes the prompts; that is seen at once.
    fn change(&mut self, change: LibraryChange, outbox: &mut Outbox<'_>) {
        let library = self.library.get_or_insert_default();
        self.failure = None;
        self.deleted = match &change {
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
        outbox.send(Command::ChangePrompts { change });
    }

    /// Brings back the prompt that was deleted last.
    fn undo_delete(&mut self, outbox: &mut Outbox<'_>) {
        if let Some((at, prompt)) = self.deleted.take() {
            self.change(LibraryChange::Restore(at, prompt), outbox);
        }
    }

    /// Writes all prompts as a file.
    fn export(&self, outbox: &mut Outbox<'_>) {
        if let Some(library) = &self.library {
            outbox.send(Command::SaveFile {
                what: "Prompts".to_owned(),
                name: "batida-prompts.json".to_owned(),
                content: library.write().into_bytes().into(),
            });
        }
    }

    /// Prompts were imported from a file; `None` where the user picked none.
    pub(super) fn imported(
        &mut self,
        outcome: Result<Option<ImportedPrompts>, Failure>,
        notices: &mut Notices,
    ) {
        match outcome {
            Ok(Some(ImportedPrompts { library, added })) => {
                self.loaded(Ok(library), notices);
                notices.tell(match added {
                    0 => "All prompts of the file are there already".to_owned(),
                    added => format!("{} imported", units::counted(added, "prompt")),
                });
            }
            Ok(None) => {}
            Err(failure) => self.loaded(Err(failure), notices),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Settings;
    use crate::state::State;
    use crate::state::jobs::Jobs;

    #[test]
    fn a_deletion_is_undone_in_its_place_and_only_the_last() {
        let (mut prompts, mut jobs) = (LibraryState::default(), Jobs::default());
        let mut out = Vec::new();
        let mut outbox = Outbox::new(&mut jobs, &mut out);
        let all = ["a", "b", "c"].map(|name| Prompt::new(name, "x")).to_vec();
        for change in [
            LibraryChange::Add(all),
            LibraryChange::Remove("b".to_owned()),
        ] {
            prompts.act(PromptsAction::Change(change), &mut outbox);
        }
        prompts.act(PromptsAction::UndoDelete, &mut outbox);
        prompts.act(PromptsAction::UndoDelete, &mut outbox);
        let library = prompts.library.expect("there are prompts");
        let names: String = library.prompts.iter().map(|prompt| &*prompt.name).collect();
        assert_eq!(
            (names.as_str(), prompts.deleted, out.len()),
            ("abc", None, 3)
        );
    }

    #[test]
    fn a_linked_pane_takes_its_system_prompt_from_the_first() {
        let mut state = State::new(Settings::default());
        state.panes_mut().get_mut(0).pick_model("a");
        state.add_pane(false);
        state.panes_mut().use_as_system_prompt("rhyme".to_owned());
        assert_eq!(state.panes().chat(0).system, "rhyme");
        state.panes_mut().link(1, false);
        state.panes_mut().use_as_system_prompt("prose".to_owned());
        assert_eq!(state.panes().chat(0).system, "rhyme");
        assert_eq!(state.panes().chat(1).system, "prose");
    }
}

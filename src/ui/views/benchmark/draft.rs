//! The copy of a form that the page edits. The state gets each change, and what changes the state's form otherwise (a
//! plan that is to be run again) replaces the copy.

use egui::Response;

use crate::domain::plan::{Field, Plan};
use crate::state::State;
use crate::state::action::Actions;
use crate::state::bench::{BenchAction, Form};

/// The form of one environment while it is edited.
#[derive(Debug)]
pub(super) struct Draft {
    form: Form,
    /// Of the state's form that this was made from.
    seen: Option<u64>,
    /// Not told to the state yet.
    changed: bool,
    /// Changed since it was kept.
    unkept: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            form: Form::of(&Plan::default()),
            seen: None,
            changed: false,
            unkept: false,
        }
    }
}

impl Draft {
    /// Takes the state's form over, if something else changed it.
    pub(super) fn follow(&mut self, state: &State) {
        if let Some((form, revision)) = state.newer_bench_form(self.seen) {
            (self.form, self.seen) = (form, Some(revision));
        }
    }

    /// What is typed so far.
    pub(super) fn form(&self) -> &Form {
        &self.form
    }

    /// To be changed by `change`, which says whether it did.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Form) -> bool) {
        self.changed |= change(&mut self.form);
    }

    /// A field whose text `draw` edits.
    pub(super) fn text_ui(
        &mut self,
        at: Field,
        draw: impl FnOnce(&mut String) -> Response,
    ) -> Response {
        let response = draw(self.form.text_mut(at));
        self.changed |= response.changed();
        response
    }

    /// Tells the state what was changed.
    pub(super) fn tell(&mut self, out: &mut Actions) {
        if std::mem::take(&mut self.changed) {
            self.unkept = true;
            out.push(BenchAction::Edit(Box::new(self.form.clone())));
        }
    }

    /// Keeps what was changed, unless it is still being typed: a half-typed number is not worth remembering.
    pub(super) fn keep(&mut self, typing: bool, out: &mut Actions) {
        if self.unkept && !typing {
            self.unkept = false;
            out.push(BenchAction::RememberForm);
        }
    }
}

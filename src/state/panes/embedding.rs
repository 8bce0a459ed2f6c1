//! Embeddings of what is typed in a pane.

use std::time::Duration;

use super::Panes;
use crate::protocol::{ApiQuestion, Question};
use crate::state::environments::Environments;
use crate::state::jobs::Outbox;

impl Panes {
    /// The user says whether a pane's model makes embeddings.
    pub(in crate::state) fn say_embeds(&mut self, index: usize, on: bool) {
        if let Some(model) = self.get(index).choice.model.clone() {
            self.embeds.insert(model, on);
        }
    }

    /// Makes embeddings of a pane's texts. Nothing happens without a text, a model or an address.
    pub(in crate::state) fn embed(
        &mut self,
        index: usize,
        environments: &Environments,
        now: Duration,
        outbox: &mut Outbox<'_>,
    ) {
        let target = self.targets(environments).of(index);
        let (Some(place), Some(model)) = (target.env, target.model()) else {
            return;
        };
        let embed = &self.chat(index).embed;
        if !target.can_ask() || embed.running.is_some() {
            return;
        }
        let Some(request) = embed.request(model) else {
            return;
        };
        let question = ApiQuestion::Embed {
            request: request.clone(),
        };
        let job = outbox.ask(Question::Api(place.clone(), question));
        self.chat_mut(index).embed.begin(job, request, now);
    }
}

//! Embeddings in a pane: two texts, and the vectors that came for them.

use std::time::Duration;

use crate::domain::embedding::{EmbedRequest, Embedded};
use crate::domain::failure::{Failure, FaultClass};
use crate::protocol::JobId;

/// What a pane knows of embeddings.
#[derive(Debug, Default)]
pub struct EmbedState {
    /// The text.
    pub text: String,
    /// Another one to hold it against; may be empty.
    pub other: String,
    /// The job under way, and since when.
    pub running: Option<(JobId, Duration)>,
    /// What came last.
    pub result: Option<EmbedResult>,
    /// Why nothing came.
    pub failure: Option<Failure>,
    /// What is under way.
    asked: Option<EmbedRequest>,
}

/// Vectors, and what they are of.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbedResult {
    /// What was asked.
    pub request: EmbedRequest,
    /// What came.
    pub embedded: Embedded,
}

impl EmbedState {
    /// What would be embedded; of an empty view a word, for View code.
    pub fn texts(&self) -> Vec<String> {
        self.request("")
            .map_or_else(|| vec!["Hello".to_owned()], |request| request.input)
    }

    /// What would be asked of this model; `None` while there is no text.
    pub fn request(&self, model: &str) -> Option<EmbedRequest> {
        let texts = [&self.text, &self.other]
            .into_iter()
            .filter(|text| !text.trim().is_empty());
        let input: Vec<String> = texts.cloned().collect();
        (!self.text.trim().is_empty()).then(|| EmbedRequest {
            model: model.to_owned(),
            input,
        })
    }

    /// Whether what came is of what is typed now.
    pub fn is_current(&self, model: &str) -> bool {
        self.result.as_ref().map(|result| &result.request) == self.request(model).as_ref()
    }

    /// This was asked, as `job`.
    pub(super) fn begin(&mut self, job: JobId, request: EmbedRequest, now: Duration) {
        (self.running, self.failure) = (Some((job, now)), None);
        self.asked = Some(request);
    }

    /// The answer to `job` came. One to an older question is left aside.
    pub(super) fn end(&mut self, job: JobId, outcome: Result<Embedded, Failure>) {
        if self.running.is_none_or(|(running, _)| running != job) {
            return;
        }
        self.running = None;
        match (outcome, self.asked.take()) {
            (Ok(embedded), Some(request)) => self.result = Some(EmbedResult { request, embedded }),
            // Who cancels wants no reproach.
            (Err(failure), _) if failure.class == Some(FaultClass::Cancelled) => {}
            (Err(failure), _) => self.failure = Some(failure),
            (Ok(_), None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::embedding::Embedding;
    use crate::domain::settings::Settings;
    use crate::protocol::{ApiQuestion, Command, Question};
    use crate::state::State;
    use crate::state::panes::PaneAction;

    fn came(values: &[f64]) -> Embedded {
        let vectors = vec![Embedding(values.to_vec())];
        Embedded {
            vectors,
            prompt_tokens: None,
            took: Duration::ZERO,
            connect: None,
        }
    }

    fn embeds(state: &State) -> bool {
        state.pane_targets().of(0).embeds()
    }

    #[test]
    fn what_came_is_of_what_was_asked_whatever_is_typed_meanwhile() {
        let mut state = State::new(Settings::default());
        state.panes_mut().get_mut(0).pick_model("my-embedder");
        assert!(embeds(&state) && state.pane_targets().of(0).embeds_is_a_guess());
        let mut out = Vec::new();
        state.act_on_panes(PaneAction::Embed(0), Duration::ZERO, &mut out);
        assert!(out.is_empty(), "there is no text");
        state.panes_mut().chat_mut(0).embed.text = "a".to_owned();
        state.act_on_panes(PaneAction::Embed(0), Duration::ZERO, &mut out);
        state.act_on_panes(PaneAction::Embed(0), Duration::ZERO, &mut out);
        let [
            Command::Ask {
                job,
                question: Question::Api(_, ApiQuestion::Embed { request }),
            },
        ] = out.as_slice()
        else {
            panic!("{out:?}")
        };
        assert_eq!(request.input, ["a"]);
        state.panes_mut().chat_mut(0).embed.text = "b".to_owned();
        state.playgrounds.embedded(JobId(99), Ok(came(&[9.0])));
        state.playgrounds.embedded(*job, Ok(came(&[1.0])));
        let embed = &state.panes().chat(0).embed;
        assert_eq!(
            embed
                .result
                .as_ref()
                .map(|result| result.request.input.clone()),
            Some(vec!["a".to_owned()])
        );
        assert!(!embed.is_current("my-embedder") && embed.running.is_none());
    }

    #[test]
    fn the_user_knows_better_than_the_name() {
        let mut state = State::new(Settings::default());
        state.panes_mut().get_mut(0).pick_model("bge-chat");
        state.panes_mut().say_embeds(0, false);
        assert!(!embeds(&state));
        state.panes_mut().get_mut(0).pick_model("vectors");
        assert!(!embeds(&state));
        state.panes_mut().say_embeds(0, true);
        assert!(embeds(&state));
    }
}

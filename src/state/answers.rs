//! Takes the answers to questions. Each group is taken in one `match`, so that a forgotten answer does not compile.

use std::time::Duration;

use super::State;
use crate::domain::environment::EnvId;
use crate::domain::units;
use crate::protocol::{
    Answer, ApiAnswer, ApiQuestion, Command, FilePurpose, ImportedPrompts, JobId, LocalAnswer,
    LocalQuestion, Question,
};

impl State {
    /// Asks a question; gives the job that brings its answer.
    pub(super) fn ask(&mut self, question: Question, out: &mut Vec<Command>) -> JobId {
        self.jobs.ask(question, out)
    }

    /// Asks the computer itself.
    pub fn ask_local(&mut self, question: LocalQuestion, out: &mut Vec<Command>) -> JobId {
        self.ask(Question::Local(question), out)
    }

    /// Finds out whether the system has a keychain.
    pub fn look_for_keychain(&mut self, out: &mut Vec<Command>) {
        self.ask_local(LocalQuestion::Keychain, out);
    }

    /// Lets the user pick a file: [`Self::picked_file`].
    pub fn pick_file(&mut self, env: EnvId, purpose: FilePurpose, out: &mut Vec<Command>) {
        self.ask_local(LocalQuestion::PickFile { env, purpose }, out);
    }

    /// Shows the key of the environment in use: [`Self::revealed_key`].
    pub fn reveal_key(&mut self, out: &mut Vec<Command>) {
        self.ask(
            Question::Api(self.env().clone(), ApiQuestion::RevealKey),
            out,
        );
    }

    /// An answer came. Answers that nobody waits for any more are left aside.
    pub(super) fn answered(&mut self, job: JobId, answer: Answer, took: Duration, now: Duration) {
        let Some(pending) = self.jobs.end(job) else {
            return;
        };
        match (answer, pending.env) {
            (Answer::Cluster(answer), Some(env)) => {
                self.with(&env, |connection| {
                    connection.cluster.answered(job, answer, now);
                });
                self.settle_panes(&env);
            }
            (Answer::Api(answer), Some(env)) => self.api_answered(job, &env, answer, (took, now)),
            (Answer::History(answer), _) => self.history_answered(job, answer, now),
            (Answer::Local(answer), _) => self.local_answered(job, answer, now),
            // Such questions are about an environment, so that the job has one.
            (Answer::Cluster(_) | Answer::Api(_), None) => {}
        }
    }

    fn api_answered(
        &mut self,
        job: JobId,
        env: &EnvId,
        answer: ApiAnswer,
        (took, now): (Duration, Duration),
    ) {
        match answer {
            ApiAnswer::Open(outcome) => {
                self.with(env, |connection| connection.opened(job, outcome))
            }
            ApiAnswer::Models(outcome) => {
                self.with(env, |connection| {
                    connection.cluster.api_took = outcome.is_ok().then_some(took);
                    connection.cluster.api_models.resolve(job, outcome, now);
                });
                self.settle_panes(env);
            }
            ApiAnswer::Embed(outcome) => self.embedded(job, outcome.map(|embedded| *embedded)),
            ApiAnswer::RevealKey(outcome) => match outcome {
                // The user may have gone elsewhere meanwhile.
                Ok(key) if self.settings.selected == *env => {
                    self.revealed_key = Some((env.clone(), key))
                }
                Ok(_) => {}
                Err(failure) => self.notices.fail(failure),
            },
        }
    }

    fn local_answered(&mut self, job: JobId, answer: LocalAnswer, now: Duration) {
        match answer {
            LocalAnswer::Keychain(outcome) => self.has_keychain = Some(outcome.is_ok()),
            LocalAnswer::Environments(outcome) => {
                if let Some(import) = &mut self.import {
                    import.offers.resolve(job, outcome, now);
                    self.environments_read();
                }
            }
            LocalAnswer::PickFile(outcome) => match outcome {
                Ok(picked) => self.picked_file = picked,
                Err(failure) => self.notices.fail(failure),
            },
            LocalAnswer::Attachments(outcome) => self.attachments_read(job, outcome),
            LocalAnswer::Picture(outcome) => self.attach.decoded.push((job, outcome)),
            LocalAnswer::Drafts(outcome) => self.drafts_loaded(job, outcome),
            LocalAnswer::ImportPrompts(outcome) => match outcome {
                Ok(Some(ImportedPrompts { library, added })) => {
                    self.prompts.loaded(Ok(library), &mut self.notices);
                    self.notices.tell(match added {
                        0 => "All prompts of the file are there already".to_owned(),
                        added => format!("{} imported", units::counted(added, "prompt")),
                    });
                }
                // The user picked no file.
                Ok(None) => {}
                Err(failure) => self.prompts.loaded(Err(failure), &mut self.notices),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::environment::Environment;
    use crate::domain::failure::Failure;
    use crate::domain::settings::Settings;
    use crate::protocol::{ClusterAnswer, ClusterKind, Event, QuestionKind};

    fn ask_sizes(state: &mut State) -> JobId {
        let mut out = Vec::new();
        state.load_sizes(&mut out);
        let [Command::Ask { job, question }] = out.as_slice() else {
            panic!("{out:?}")
        };
        assert_eq!(question.kind(), QuestionKind::Cluster(ClusterKind::Sizes));
        *job
    }

    fn answer(state: &mut State, job: JobId, answer: Answer) {
        state.apply(
            Event::Answered {
                job,
                answer,
                took: Duration::ZERO,
            },
            Duration::ZERO,
        );
    }

    #[test]
    fn a_failed_question_is_waited_for_no_longer_and_an_environment_that_was_left_takes_no_answer()
    {
        let mut state = State::new(Settings::default());
        let job = ask_sizes(&mut state);
        let kind = QuestionKind::Cluster(ClusterKind::Sizes);
        answer(&mut state, job, kind.failed(Failure::new("a defect", "")));
        let sizes = &state.connection().cluster.sizes;
        assert_eq!(
            sizes.failure().map(|why| why.summary.as_str()),
            Some("a defect")
        );

        let left = ask_sizes(&mut state);
        let mut out = Vec::new();
        state.save_environment(Environment::demo(), None, &mut out);
        let cancels = out
            .iter()
            .any(|command| matches!(command, Command::Cancel { job } if *job == left));
        assert!(cancels, "{out:?}");
        let again = ask_sizes(&mut state);
        answer(
            &mut state,
            left,
            Answer::Cluster(ClusterAnswer::Sizes(Ok(Arc::default()))),
        );
        assert_eq!(
            state.connection().cluster.sizes.job(),
            Some(again),
            "the old answer is not taken"
        );
    }
}

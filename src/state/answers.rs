//! Takes the answers to questions. Each group is taken in one `match`, so that a forgotten answer does not compile.

use std::time::Duration;

use super::State;
use crate::domain::environment::EnvId;
use crate::protocol::{Answer, ApiAnswer, Command, JobId, LocalAnswer, LocalQuestion, Question};

/// Each answer goes to the feature that asked, here and nowhere else.
impl State {
    /// Asks the computer itself, for a view that waits for the answer; gives the job that brings it.
    pub fn ask_local(&mut self, question: LocalQuestion, out: &mut Vec<Command>) -> JobId {
        self.jobs.ask(Question::Local(question), out)
    }

    /// Gives an answer to the feature that asked. Answers that nobody waits for any more are left aside.
    pub(super) fn answered(&mut self, job: JobId, answer: Answer, took: Duration, now: Duration) {
        let Some(pending) = self.jobs.end(job) else {
            return;
        };
        match (answer, pending.env) {
            (Answer::Cluster(answer), Some(env)) => {
                self.environments.with(&env, |connection| {
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
        let environments = &mut self.environments;
        match answer {
            ApiAnswer::Open(outcome) => {
                environments.with(env, |connection| connection.opened(job, outcome));
            }
            ApiAnswer::Models(outcome) => {
                environments.with(env, |connection| {
                    connection.cluster.api_took = outcome.is_ok().then_some(took);
                    connection.cluster.api_models.resolve(job, outcome, now);
                });
                self.settle_panes(env);
            }
            ApiAnswer::Embed(outcome) => {
                let outcome = outcome.map(|embedded| *embedded);
                self.playgrounds.embedded(job, outcome);
            }
            ApiAnswer::RevealKey(outcome) => {
                let failure = environments.key_revealed(env, outcome);
                self.notices.fail_if_any(failure);
            }
        }
    }

    /// Panes that ask this environment may be given a model when something was heard of its cluster or its API.
    pub(super) fn settle_panes(&mut self, env: &EnvId) {
        if let Some(connection) = self.environments.connection_of(env) {
            self.playgrounds.settle(env, &connection.cluster);
        }
    }

    fn local_answered(&mut self, job: JobId, answer: LocalAnswer, now: Duration) {
        let Self {
            environments,
            playgrounds,
            attach,
            prompts,
            notices,
            ..
        } = self;
        match answer {
            LocalAnswer::Keychain(outcome) => environments.has_keychain = Some(outcome.is_ok()),
            LocalAnswer::Environments(outcome) => environments.import_read(job, outcome, now),
            LocalAnswer::PickFile(outcome) => match outcome {
                Ok(picked) => environments.picked_file = picked,
                Err(failure) => notices.fail(failure),
            },
            LocalAnswer::Attachments(outcome) => {
                attach.read(job, outcome, (playgrounds, environments), notices);
            }
            LocalAnswer::Picture(outcome) => attach.decoded.push((job, outcome)),
            LocalAnswer::Drafts(outcome) => {
                let settings = &environments.settings;
                attach.loaded(job, outcome, (playgrounds, settings), notices);
            }
            LocalAnswer::ImportPrompts(outcome) => prompts.imported(outcome, notices),
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
    use crate::state::jobs::Outbox;

    fn ask_sizes(state: &mut State) -> JobId {
        let mut out = Vec::new();
        let (place, connection) = state.environments.in_use();
        let mut outbox = Outbox::new(&mut state.jobs, &mut out);
        connection.cluster.load_sizes(place, &mut outbox);
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

//! The jobs that the window has begun and that have not ended: which environment each belongs to.

use std::collections::HashMap;

use crate::domain::environment::EnvId;
use crate::domain::workspace::WorkspaceChange;
use crate::protocol::{ApiKind, Command, JobId, Question, QuestionKind};

/// Jobs under way, each from its command to its last event.
#[derive(Debug, Default)]
pub struct Jobs {
    last: u64,
    pending: HashMap<JobId, Pending>,
}

/// A job under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    /// The environment that is asked; `None` where the job concerns none.
    pub(super) env: Option<EnvId>,
    pub(super) work: Work,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Question(QuestionKind),
    WatchCluster,
    FollowLog,
    Probe,
    Check,
    Chat,
    Bench,
}

impl Work {
    /// Whether it belongs to a conversation or a benchmark, which stays as it is when its environment's addresses change.
    pub(super) fn outlives_a_change(self) -> bool {
        matches!(
            self,
            Self::Chat | Self::Bench | Self::Question(QuestionKind::Api(ApiKind::Embed))
        )
    }
}

/// Sends commands, and names the jobs that bring their answers.
pub(super) struct Outbox<'a> {
    jobs: &'a mut Jobs,
    out: &'a mut Vec<Command>,
}

impl<'a> Outbox<'a> {
    pub(super) fn new(jobs: &'a mut Jobs, out: &'a mut Vec<Command>) -> Self {
        Self { jobs, out }
    }

    /// Asks a question; gives the job that brings its answer.
    pub(super) fn ask(&mut self, question: Question) -> JobId {
        self.jobs.ask(question, self.out)
    }

    /// Names a job with several events that is begun now.
    pub(super) fn begin(&mut self, env: &EnvId, work: Work) -> JobId {
        self.jobs.begin(env, work)
    }

    /// A job that was named is not begun after all.
    pub(super) fn unbegin(&mut self, job: JobId) {
        self.jobs.end(job);
    }

    /// Cancels jobs whose last events are still waited for.
    pub(super) fn cancel(&mut self, jobs: impl IntoIterator<Item = JobId>) {
        let cancels = jobs.into_iter().map(|job| Command::Cancel { job });
        self.out.extend(cancels);
    }

    /// Cancels a job whose events nobody waits for any more.
    pub(super) fn give_up(&mut self, job: JobId) {
        self.jobs.give_up(job, self.out);
    }

    /// Cancels those jobs of an environment whose events nobody waits for any more.
    pub(super) fn leave(&mut self, env: &EnvId, which: impl Fn(Work) -> bool) {
        self.jobs.leave(env, which, self.out);
    }

    /// Keeps a change of the workspace.
    pub(super) fn keep(&mut self, change: WorkspaceChange) {
        self.out.push(Command::Keep { change });
    }

    /// Sends a command that brings no answer to wait for.
    pub(super) fn send(&mut self, command: Command) {
        self.out.push(command);
    }
}

impl Jobs {
    /// Asks a question; gives the job that brings its answer.
    pub(super) fn ask(&mut self, question: Question, out: &mut Vec<Command>) -> JobId {
        let pending = Pending {
            env: question.env().cloned(),
            work: Work::Question(question.kind()),
        };
        let job = self.add(pending);
        out.push(Command::Ask { job, question });
        job
    }

    /// Names a job with several events that is begun now.
    pub(super) fn begin(&mut self, env: &EnvId, work: Work) -> JobId {
        self.add(Pending {
            env: Some(env.clone()),
            work,
        })
    }

    fn add(&mut self, pending: Pending) -> JobId {
        self.last += 1;
        let job = JobId(self.last);
        self.pending.insert(job, pending);
        job
    }

    /// The last event of a job came. `None` for one that is not waited for any more.
    pub(super) fn end(&mut self, job: JobId) -> Option<Pending> {
        self.pending.remove(&job)
    }

    /// Cancels a job whose events nobody waits for any more.
    pub(super) fn give_up(&mut self, job: JobId, out: &mut Vec<Command>) {
        if self.end(job).is_some() {
            out.push(Command::Cancel { job });
        }
    }

    /// Cancels those jobs of an environment whose events nobody waits for any more.
    pub(super) fn leave(
        &mut self,
        env: &EnvId,
        which: impl Fn(Work) -> bool,
        out: &mut Vec<Command>,
    ) {
        let is_of = |pending: &Pending| pending.env.as_ref() == Some(env) && which(pending.work);
        let mut left: Vec<JobId> = self
            .pending
            .iter()
            .filter(|(_, pending)| is_of(pending))
            .map(|(job, _)| *job)
            .collect();
        left.sort_unstable();
        left.into_iter().for_each(|job| self.give_up(job, out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::Environment;
    use crate::protocol::{ClusterQuestion, LocalQuestion};

    #[test]
    fn leaving_an_environment_cancels_what_it_was_asked_and_nothing_else() {
        let (mut jobs, mut out) = (Jobs::default(), Vec::new());
        let other = EnvId("e1".to_owned());
        let sizes = jobs.ask(
            Question::Cluster(Environment::demo(), ClusterQuestion::Sizes),
            &mut out,
        );
        let watch = jobs.begin(&EnvId::demo(), Work::WatchCluster);
        let chat = jobs.begin(&EnvId::demo(), Work::Chat);
        let elsewhere = jobs.begin(&other, Work::Probe);
        let keychain = jobs.ask(Question::Local(LocalQuestion::Keychain), &mut out);
        out.clear();
        jobs.leave(&EnvId::demo(), |work| !work.outlives_a_change(), &mut out);
        let cancelled: Vec<JobId> = out
            .iter()
            .map(|command| {
                if let Command::Cancel { job } = command {
                    *job
                } else {
                    panic!("{command:?}")
                }
            })
            .collect();
        assert_eq!(cancelled, [sizes, watch]);
        assert_eq!(jobs.end(sizes), None, "its answer is not taken any more");
        for job in [chat, elsewhere, keychain] {
            assert!(jobs.end(job).is_some());
        }
    }
}

//! The jobs under way: what each command begins, and what ends it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::saving::Save;
use super::workspace::Keep;
use super::{Shared, cancelled, own_fault};
use crate::domain::failure::Failure;
use crate::domain::run::Steer;
use crate::domain::workspace::WorkspaceChange;
use crate::engine::history::Change;
use crate::protocol::{Command, Event, JobId, Question, Unsaved};

/// Makes the last event of a job that has panicked.
type IfItPanics = Box<dyn FnOnce(Failure) -> Event + Send>;

/// The jobs under way.
pub(super) struct Jobs {
    pub(super) shared: Arc<Shared>,
    /// Saves, done one after the other.
    pub(super) saver: mpsc::UnboundedSender<Save>,
    saving: tokio::task::JoinHandle<()>,
    /// Changes of the workspace, one after the other. They do not wait for a keychain that waits for its user.
    keeper: mpsc::UnboundedSender<Keep>,
    keeping: tokio::task::JoinHandle<()>,
    set: JoinSet<()>,
    pub(super) by_job: HashMap<JobId, CancellationToken>,
    /// The last event of each job, should it panic: the window must not wait for it for ever.
    by_task: HashMap<tokio::task::Id, (JobId, IfItPanics)>,
    /// Of the benchmark sessions under way.
    pub(super) steers: HashMap<JobId, watch::Sender<Steer>>,
}

impl Jobs {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (saver, saves) = mpsc::unbounded_channel();
        let saving = tokio::spawn(Arc::clone(&shared).save_all(saves));
        let (keeper, changes) = mpsc::unbounded_channel();
        let keeping = tokio::spawn(Arc::clone(&shared).keep_all(changes));
        Self {
            shared,
            saver,
            saving,
            keeper,
            keeping,
            set: JoinSet::new(),
            by_job: HashMap::new(),
            by_task: HashMap::new(),
            steers: HashMap::new(),
        }
    }

    pub(super) async fn serve(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        loop {
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(command) => self.begin(command),
                    None => break,
                },
                Some(ended) = self.set.join_next_with_id() => self.end(ended),
            }
        }
        // The window has gone: every job ends here, but what it asked to be saved is saved.
        let Self {
            saver,
            saving,
            keeper,
            keeping,
            set,
            ..
        } = self;
        drop((saver, keeper, set));
        // A keychain that waits for its user must not keep the program alive.
        let last = async { tokio::join!(saving, keeping) };
        let _ = tokio::time::timeout(Duration::from_secs(3), last).await;
    }

    /// Begins what a command asks. There is no arm for all the others: a command that is handled nowhere does not
    /// compile.
    fn begin(&mut self, command: Command) {
        let shared = Arc::clone(&self.shared);
        match command {
            Command::Ask { job, question } => self.ask(job, question),
            Command::Cancel { job } => self.cancel(job),
            Command::WatchCluster { job, place } => self.watch_cluster(job, place),
            Command::FollowLog { job, place, source } => self.follow_log(job, place, source),
            Command::Probe {
                job,
                place,
                targets,
            } => self.probe(job, place, targets),
            Command::Check { job, place } => self.check(job, place),
            Command::Chat { asks, order } => self.chat(asks, order),
            Command::RunBench { job, place, plan } => self.run_bench(job, place, plan),
            Command::SteerBench { job, steer } => self.steer_bench(job, steer),
            Command::SaveSettings { settings, key } => self.save_settings(settings, key),
            Command::Keep { change } => self.keep(Keep::Change(Box::new(change))),
            Command::KeepDraft { env, attached } => self.keep(Keep::Draft(env, attached)),
            // At once: the settings that speak of them come next.
            Command::StageExtras { env, values } => shared.stage_extras(&env, values),
            Command::HoldKey { env, key } => self.act(async move { shared.hold_key(&env, &key) }),
            Command::LoadPrompts => self.keep(Keep::Prompts),
            Command::ChangePrompts { change } => {
                let change = WorkspaceChange::Prompts(change);
                self.keep(Keep::Change(Box::new(change)));
            }
            Command::DeleteSessions { what } => self.change_history(Change::Delete(what)),
            Command::SetBaseline { session, on } => {
                self.change_history(Change::Baseline(session, on))
            }
            Command::TagSession { session, tags } => {
                self.change_history(Change::Tag(session, tags))
            }
            Command::RenameSession { session, title } => {
                self.change_history(Change::Rename(session, title))
            }
            Command::ExportSessions { sessions, format } => {
                self.act(async move { shared.save_sessions(sessions, format).await });
            }
            Command::SaveFile {
                what,
                name,
                content,
            } => {
                let unsaved = Unsaved::File {
                    what,
                    name,
                    content,
                };
                self.act(async move { shared.save_as(unsaved).await });
            }
            Command::Draw {
                what,
                name,
                svg,
                then,
            } => self.act(async move { shared.draw(what, name, svg, then).await }),
            Command::SaveAt { unsaved, path } => {
                self.act(async move { shared.save_at(unsaved, path).await });
            }
            Command::Copy { what, text } => self.act(async move { shared.copy(what, text).await }),
            Command::CopyImage { what, picture } => {
                self.act(async move { shared.copy_picture(what, picture).await });
            }
            Command::CopyWithKey { place, spec } => {
                self.act(async move { shared.copy_with_key(&place, &spec).await });
            }
            Command::Notify { title, body } => {
                self.act(async move { shared.notify(&title, &body).await })
            }
        }
    }

    fn ask(&mut self, job: JobId, question: Question) {
        let (shared, kind, began) = (Arc::clone(&self.shared), question.kind(), Instant::now());
        let answered = move |answer| Event::Answered {
            job,
            answer,
            took: began.elapsed(),
        };
        self.spawn(
            job,
            move |why| answered(kind.failed(why)),
            async move |cancel| {
                let answer = cancel.run_until_cancelled(shared.answer(question)).await;
                shared
                    .emitter
                    .emit(answered(answer.unwrap_or_else(|| kind.failed(cancelled()))));
            },
        );
    }

    /// Begins a job that can be cancelled. `if_it_panics` makes its last event where the job itself cannot.
    pub(super) fn spawn<F>(
        &mut self,
        job: JobId,
        if_it_panics: impl FnOnce(Failure) -> Event + Send + 'static,
        work: impl FnOnce(CancellationToken) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let cancel = CancellationToken::new();
        self.by_job.insert(job, cancel.clone());
        let task = self.set.spawn(work(cancel));
        self.by_task
            .insert(task.id(), (job, Box::new(if_it_panics)));
    }

    /// Begins what is soon over, and what nobody cancels.
    fn act(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.set.spawn(work);
    }

    fn keep(&self, keep: Keep) {
        // Fails only when the runtime is gone.
        let _ = self.keeper.send(keep);
    }

    fn change_history(&mut self, change: Change) {
        self.set.spawn(self.shared.change_history(change));
    }

    fn end(&mut self, ended: Result<(tokio::task::Id, ()), JoinError>) {
        let (task, panic) = match ended {
            Ok((task, ())) => (task, None),
            Err(error) => (error.id(), Some(own_fault(&error))),
        };
        let job = self.by_task.remove(&task);
        if let Some((job, _)) = &job {
            self.by_job.remove(job);
            self.steers.remove(job);
        }
        if let Some(failure) = panic {
            if let Some((_, if_it_panics)) = job {
                self.shared.emitter.emit(if_it_panics(failure.clone()));
            }
            self.shared.emitter.emit(Event::Faulted { failure });
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::engine::Options;
    use crate::engine::jobs::{Books, Emitter};
    use crate::io::settings::SettingsStore;
    use crate::protocol::{Answer, ClusterAnswer, ClusterKind, QuestionKind};

    #[tokio::test]
    async fn a_job_that_panics_has_its_last_event_and_the_user_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let options = Options {
            config: Some(dir.path().to_owned()),
            simulated_kubectl: None,
        };
        let (outbox, events) = crossbeam_channel::unbounded();
        let emitter = Emitter {
            outbox,
            wake: Arc::new(|| {}),
        };
        let history = crate::engine::history(&options, |_| {}).expect("it starts");
        let books = Books {
            recorder: history.recorder(),
            keep: Mutex::default(),
            around: Mutex::default(),
        };
        let store = SettingsStore::in_dir(dir.path());
        let mut jobs = Jobs::new(Shared::new(&store, &options, emitter, books, false));
        let kind = QuestionKind::Cluster(ClusterKind::Sizes);
        let failed = move |why| Event::Answered {
            job: JobId(7),
            answer: kind.failed(why),
            took: Duration::ZERO,
        };
        jobs.spawn(JobId(7), failed, async |_| panic!("on purpose"));
        let ended = jobs.set.join_next_with_id().await.expect("there is a job");
        jobs.end(ended);
        let answered = events.try_recv().expect("an answer");
        let Event::Answered {
            job: JobId(7),
            answer: Answer::Cluster(ClusterAnswer::Sizes(outcome)),
            ..
        } = answered
        else {
            panic!("{answered:?}")
        };
        assert!(
            outcome
                .expect_err("it failed")
                .details
                .contains("on purpose")
        );
        let told = events.try_recv().expect("a notice");
        assert!(matches!(told, Event::Faulted { .. }), "{told:?}");
        assert!(jobs.by_job.is_empty() && jobs.by_task.is_empty());
    }
}

//! The history: answers to its questions, changes, comparisons with the baseline, files.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Books, Shared};
use crate::domain::environment::Environment;
use crate::domain::failure::Failure;
use crate::domain::history::{ExportFormat, HistorySettings, Imported, SessionId, SessionRow};
use crate::domain::run::{BenchReport, EnvironmentInfo};
use crate::engine::history::{Change, Recorder, baselines, sides};
use crate::io::history::Store;
use crate::io::{dialog, files};
use crate::metrics::compare::{self, Comparison};
use crate::protocol::{Event, HistoryAnswer, HistoryQuestion, ImportedSessions, JobId, Unsaved};

/// How long an answer's surroundings are taken for those of the next ones.
const AROUND_HOLDS: Duration = Duration::from_secs(300);

impl Books {
    pub(super) fn keep_as(&self, settings: HistorySettings) {
        *self.keep.lock() = settings;
    }

    fn settings(&self) -> HistorySettings {
        *self.keep.lock()
    }

    /// For a benchmark; what is said in it is kept when the settings say so.
    pub(super) fn bench_recorder(&self) -> Recorder {
        self.recorder
            .clone()
            .with_bench_texts(self.settings().bench_texts)
    }

    /// What a conversation is held on, where it was asked for a short while ago.
    pub(super) fn around_of(
        &self,
        env: &Environment,
        deployment: Option<&String>,
    ) -> Option<EnvironmentInfo> {
        let around = self.around.lock();
        let found = around
            .iter()
            .find(|((id, name), _)| *id == env.id && name.as_ref() == deployment);
        found
            .filter(|(_, (since, _))| since.elapsed() < AROUND_HOLDS)
            .map(|(_, (_, found))| found.clone())
    }

    pub(super) fn found_around(
        &self,
        env: &Environment,
        deployment: Option<String>,
        found: &EnvironmentInfo,
    ) {
        let mut around = self.around.lock();
        around.retain(|_, (since, _)| since.elapsed() < AROUND_HOLDS);
        around.insert(
            (env.id.clone(), deployment),
            (Instant::now(), found.clone()),
        );
    }

    /// Whether what is said in chats is kept.
    pub(super) fn texts(&self) -> bool {
        self.settings().chat_texts
    }
}

impl Shared {
    /// Answers a question to the history.
    pub(super) async fn history_answer(&self, question: HistoryQuestion) -> HistoryAnswer {
        let recorder = &self.books.recorder;
        match question {
            HistoryQuestion::Rows { query } => {
                HistoryAnswer::Rows(recorder.read(move |store| store.list(&query)).await)
            }
            HistoryQuestion::Session { id } => HistoryAnswer::Session(
                recorder
                    .read(move |store| store.session(&id).map(Arc::new))
                    .await,
            ),
            HistoryQuestion::Trend {
                model,
                deployment,
                since,
            } => {
                let asking = move |store: &Store| store.trend(&model, deployment.as_deref(), since);
                HistoryAnswer::Trend(recorder.read(asking).await)
            }
            HistoryQuestion::Compare {
                sessions,
                least_change,
            } => HistoryAnswer::Compare(self.compare(sessions, least_change).await.map(Arc::new)),
            HistoryQuestion::Import => HistoryAnswer::Import(self.import().await),
        }
    }

    /// Nobody waits for it, so that only a failure is told; a change tells itself. It is handed over at once: one that
    /// was asked for as the window closed is made, and they are made in their order.
    pub(super) fn change_history(&self, change: Change) -> impl Future<Output = ()> + use<> {
        let (changing, emitter) = (self.books.recorder.change(change), self.emitter.clone());
        async move {
            if let Err(failure) = changing.await {
                emitter.emit(Event::HistoryTroubled { failure });
            }
        }
    }

    async fn compare(
        &self,
        sessions: Vec<SessionId>,
        least_change: f64,
    ) -> Result<Comparison, Failure> {
        let comparing =
            move |store: &Store| Ok(compare::compare(&sides(store, &sessions)?, least_change));
        self.books.recorder.read(comparing).await
    }

    /// Tells how a session that ended compares with the baseline of its models on their deployments.
    pub(super) async fn compare_with_baseline(&self, job: JobId, report: &Arc<BenchReport>) {
        self.books.recorder.flush().await;
        let asked = Arc::clone(report);
        let found = self
            .books
            .recorder
            .read(move |store| baselines(store, &asked))
            .await;
        for baseline in found.unwrap_or_default() {
            let pair = vec![baseline, SessionId(report.id.clone())];
            let least_change = self.books.settings().least_change;
            if let Ok(comparison) = self.compare(pair, least_change).await {
                let comparison = Arc::new(comparison);
                self.emitter
                    .emit(Event::ComparedWithBaseline { job, comparison });
            }
        }
    }

    /// Asks for a place for these sessions, and writes them there.
    pub(super) async fn save_sessions(&self, sessions: Vec<SessionId>, format: ExportFormat) {
        let wanted = sessions.clone();
        let row_of = move |store: &Store| wanted.iter().map(|id| store.row(id)).collect();
        // A history that cannot be read is told when they are written.
        let rows: Vec<SessionRow> = self.books.recorder.read(row_of).await.unwrap_or_default();
        let unsaved = Unsaved::Sessions {
            sessions,
            format,
            stem: crate::export::file_stem(&rows),
        };
        self.save_as(unsaved).await;
    }

    /// Writes what may be more than fits into memory.
    pub(super) async fn export(
        &self,
        path: &Path,
        sessions: Vec<SessionId>,
        format: ExportFormat,
    ) -> Result<(), Failure> {
        if sessions.is_empty() {
            return Err(Failure::new("No session was chosen", "Choose one"));
        }
        let dir = self.books.recorder.dir()?;
        files::save_pieces(path, move |out| {
            let store = Store::open_to_read(&dir)?;
            crate::engine::history::export(&store, &sessions, format, out)
        })
        .await
    }

    /// Asks for a result file and keeps what is in it.
    async fn import(&self) -> Result<Option<ImportedSessions>, Failure> {
        let Some(path) =
            dialog::pick_file("A result file", "Use batida history import instead").await?
        else {
            return Ok(None);
        };
        let Imported {
            source: _,
            sessions,
            remarks,
        } = crate::engine::history::read_result_file(&path).await?;
        let mut ids = Vec::new();
        for (report, requests) in sessions {
            ids.push(SessionId(report.id.clone()));
            self.books
                .recorder
                .change(Change::Keep(Arc::new(report), requests.into()))
                .await?;
        }
        Ok(Some(ImportedSessions { ids, remarks }))
    }
}

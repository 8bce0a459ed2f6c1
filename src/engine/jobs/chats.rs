//! Chats and benchmark sessions as the window follows them: what is sent, recorded and reported.

use tokio_util::sync::CancellationToken;

use super::{Emitter, Shared};
use crate::domain::environment::Environment;
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::history::SessionId;
use crate::domain::plan::Plan;
use crate::domain::run::{BenchProgress, BenchReport, EnvironmentInfo};
use crate::engine::bench::{self, Controls};
use crate::engine::history::{self, filing};
use crate::engine::{chat, environment_info};
use crate::io::api::Api;
use crate::io::kubectl::Kubectl;
use crate::protocol::{ChatAsk, ChatEnding, Event, JobId};

impl Shared {
    pub(super) async fn chat(
        &self,
        ask: ChatAsk,
        mut start: chat::Start,
        cancel: &CancellationToken,
    ) {
        let ChatAsk {
            job,
            place: env,
            request,
            filing,
        } = &ask;
        let job = *job;
        let deployment = filing.as_ref().and_then(|filing| filing.deployment.clone());
        let filing = filing.clone();
        // Kept also where it is never sent: what is said after it in the conversation stands on it.
        let kept =
            filing.map(|filing| filing::Kept::begin(filing, request, env, self.books.texts()));
        let mut keeping = filing::Keeping::new(self.books.recorder.clone(), kept);
        let unsent = |keeping: filing::Keeping, ending: ChatEnding| {
            // Where it would have been held, nobody asks.
            drop(keeping.end(&chat::ChatReport::ended_early(ending.clone()), None));
            self.emitter.emit(Event::ChatEnded {
                job,
                ending,
                figures: Box::default(),
                answered_by: None,
            });
        };
        let Some(connection) = cancel.run_until_cancelled(self.open(env)).await else {
            return unsent(keeping, ChatEnding::Stopped);
        };
        let api = match connection.api_with_key() {
            Ok(api) => api,
            Err(failure) => return unsent(keeping, ChatEnding::Failed(failure)),
        };
        if cancel.run_until_cancelled(start.wait()).await.is_none() {
            return unsent(keeping, ChatEnding::Stopped);
        }
        self.emitter.emit(Event::ChatBegan { job });
        keeping.sent(api);
        let report = chat::run(api, request, &connection.known(), cancel, |advance| {
            keeping.advance(&advance);
            self.emitter.emit(Event::ChatAdvanced {
                job,
                advance: Box::new(advance),
            });
        })
        .await;
        self.tell_dialect(env, api, &request.model);
        let known = self.books.around_of(env, deployment.as_ref());
        let unknown = keeping.end(&report, known);
        let figures = Box::new(report.figures);
        let chat::ChatReport {
            ending,
            answered_by,
            ..
        } = report;
        self.emitter.emit(Event::ChatEnded {
            job,
            ending,
            figures,
            answered_by,
        });
        // Whoever comes next does not wait for what is asked of the cluster now.
        drop(start);
        // Nobody waits for it any more, and it slows no answer down.
        if let (Some(session), Some(kubectl)) = (unknown, &connection.kubectl) {
            let asking = self.find_surroundings(env, kubectl, deployment, session);
            cancel.run_until_cancelled(asking).await;
        }
    }

    /// Tells what has been learned of how the model wants to be asked, if it differs from the usual.
    fn tell_dialect(&self, env: &Environment, api: &Api, model: &str) {
        let dialect = api.dialects().of(model);
        if !dialect.is_usual() {
            let (env, model) = (env.id.clone(), model.to_owned());
            self.emitter.emit(Event::DialectLearned {
                env,
                model,
                dialect,
            });
        }
    }

    /// Asks the cluster what a conversation is held on, and keeps that with it.
    async fn find_surroundings(
        &self,
        env: &Environment,
        kubectl: &Kubectl,
        deployment: Option<String>,
        session: SessionId,
    ) {
        let deployments: Vec<String> = deployment.iter().cloned().collect();
        let found = environment_info::collect(kubectl, &deployments).await;
        if found != EnvironmentInfo::default() {
            self.books.found_around(env, deployment, &found);
            self.books.recorder.environment_info(session, found);
        }
    }

    pub(super) async fn bench(
        &self,
        job: JobId,
        env: &Environment,
        plan: &Plan,
        controls: Controls,
    ) -> Result<BenchReport, Failure> {
        let Some(connection) = controls.cancel.run_until_cancelled(self.open(env)).await else {
            return Err(
                Failure::new("It was stopped before it began", "").of_class(FaultClass::Cancelled)
            );
        };
        let mut telling = Telling {
            job,
            emitter: &self.emitter,
        };
        let recorder = Some(self.books.bench_recorder());
        history::bench(
            &bench::RunsOn::ThisComputer,
            &connection,
            plan,
            controls,
            recorder,
            &mut telling,
        )
        .await
    }
}

/// Tells the window of a benchmark session.
struct Telling<'a> {
    job: JobId,
    emitter: &'a Emitter,
}

impl bench::Listener for Telling<'_> {
    fn began(&mut self, report: &BenchReport) {
        let told = report.told_before();
        if !told.is_empty() {
            self.emitter.emit(Event::BenchBegan {
                job: self.job,
                told,
            });
        }
    }

    fn advanced(&mut self, progress: BenchProgress) {
        self.emitter.emit(Event::BenchAdvanced {
            job: self.job,
            progress: Box::new(progress),
        });
    }
}

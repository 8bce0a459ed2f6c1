//! What commands begin, where that takes more than one call.

use std::sync::Arc;

use tokio::sync::watch;

use super::dispatch::Jobs;
use crate::domain::environment::Environment;
use crate::domain::plan::Plan;
use crate::domain::run::Steer;
use crate::domain::settings::Settings;
use crate::engine::bench::Controls;
use crate::engine::chat;
use crate::protocol::{
    ChatAsk, ChatEnding, ChatOrder, ClusterLink, Event, JobId, KeyChange, LogSource, ProbeTarget,
};

impl Jobs {
    pub(super) fn cancel(&mut self, job: JobId) {
        if let Some(cancel) = self.by_job.get(&job) {
            cancel.cancel();
        }
    }

    pub(super) fn watch_cluster(&mut self, job: JobId, environment: Environment) {
        let (shared, env) = (Arc::clone(&self.shared), environment.id.clone());
        let stopped = move |why| Event::ClusterFollowed {
            job,
            env,
            view: None,
            link: ClusterLink::Stopped(why),
        };
        self.spawn(job, stopped, async move |cancel| {
            shared.watch(job, &environment, &cancel).await
        });
    }

    pub(super) fn follow_log(&mut self, job: JobId, environment: Environment, source: LogSource) {
        let (shared, env) = (Arc::clone(&self.shared), environment.id.clone());
        let ended = move |why| Event::LogEnded {
            job,
            env,
            outcome: Err(why),
        };
        self.spawn(job, ended, async move |cancel| {
            shared.log(job, &environment, &source, &cancel).await
        });
    }

    pub(super) fn probe(
        &mut self,
        job: JobId,
        environment: Environment,
        targets: Vec<ProbeTarget>,
    ) {
        let (shared, env) = (Arc::clone(&self.shared), environment.id.clone());
        let ended = move |_| Event::ProbesEnded { job, env };
        self.spawn(job, ended, async move |cancel| {
            shared.probe(job, &environment, targets, &cancel).await
        });
    }

    pub(super) fn check(&mut self, job: JobId, environment: Environment) {
        let (shared, env) = (Arc::clone(&self.shared), environment.id.clone());
        let ended = move |_| Event::ChecksEnded { job, env };
        self.spawn(job, ended, async move |cancel| {
            shared.check(job, &environment, &cancel).await
        });
    }

    pub(super) fn chat(&mut self, asks: Vec<ChatAsk>, order: ChatOrder) {
        for (ask, start) in chat::starts(asks, order) {
            let (shared, job) = (Arc::clone(&self.shared), ask.job);
            let ended = move |why| Event::ChatEnded {
                job,
                ending: ChatEnding::Failed(why),
                figures: Box::default(),
                answered_by: None,
            };
            self.spawn(job, ended, async move |cancel| {
                shared.chat(ask, start, &cancel).await
            });
        }
    }

    pub(super) fn run_bench(&mut self, job: JobId, environment: Environment, plan: Box<Plan>) {
        let shared = Arc::clone(&self.shared);
        let (steering, steer) = watch::channel(Steer::Resume);
        self.steers.insert(job, steering);
        let ended = move |why| Event::BenchEnded {
            job,
            outcome: Err(why),
        };
        self.spawn(job, ended, async move |cancel| {
            let controls = Controls { cancel, steer };
            let outcome = shared.bench(job, &environment, &plan, controls).await;
            let outcome = outcome.map(Arc::new);
            shared.emitter.emit(Event::BenchEnded {
                job,
                outcome: outcome.clone(),
            });
            if let Ok(report) = outcome {
                shared.compare_with_baseline(job, &report).await;
            }
        });
    }

    pub(super) fn steer_bench(&mut self, job: JobId, steer: Steer) {
        if let Some(steering) = self.steers.get(&job) {
            steering.send_replace(steer);
        }
    }

    pub(super) fn save_settings(&mut self, settings: Settings, key: Option<KeyChange>) {
        self.shared.books.keep_as(settings.history);
        self.shared.saves.send_modify(|n| *n += 1);
        // Fails only when the runtime is gone.
        let _ = self.saver.send((Box::new(settings), key));
    }
}

//! How fast models answered last: what a plan's estimate rests on.

use std::collections::HashMap;
use std::time::Duration;

use super::BenchState;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::history::Trend;
use crate::domain::plan::{Speed, Target};
use crate::domain::stats::P50;
use crate::metrics::history::SessionHistory;
use crate::protocol::{HistoryQuestion, JobId, Question};
use crate::state::jobs::Outbox;
use crate::state::loadable::Loadable;

/// What the history says of models, asked once for each until a session ends.
#[derive(Debug, Default)]
pub(super) struct Speeds(HashMap<Target, Loadable<Trend>>);

impl Speeds {
    pub(super) fn known(&mut self, job: JobId, trend: &Result<Trend, Failure>, now: Duration) {
        let asked = |of: &&mut Loadable<Trend>| of.job() == Some(job);
        if let Some(of) = self.0.values_mut().find(asked) {
            of.resolve(job, trend.clone(), now);
        }
    }

    /// What was measured since may differ.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    fn of(&self, target: &Target) -> Option<Speed> {
        let trend = self.0.get(target)?.value()?;
        let known = |ttft_ms: Option<f64>, speed| speed_of(ttft_ms? / 1e3, speed);
        let mut points = trend.points.iter().rev();
        points.find_map(|point| known(point.ttft_p50_ms, point.user_tokens_per_s))
    }
}

fn speed_of(ttft_s: f64, tokens_per_s: Option<f64>) -> Option<Speed> {
    let tokens_per_s = tokens_per_s.filter(|speed| *speed > 0.0)?;
    Some(Speed {
        ttft_s,
        tokens_per_s,
    })
}

impl BenchState {
    /// Whether the history has not been asked for this target's speed.
    pub fn wants_speed(&self, target: &Target) -> bool {
        !self.speeds.0.contains_key(target)
    }

    /// Asks the history how fast this target answered last.
    pub(super) fn ask_speed(&mut self, target: Target, outbox: &mut Outbox<'_>) {
        let job = outbox.ask(Question::History(HistoryQuestion::Trend {
            model: target.model.clone(),
            deployment: target.deployment.clone(),
            since: None,
        }));
        self.speeds.0.entry(target).or_default().begin(job);
    }

    /// How fast this target of an environment answered last, as far as is known: in the session on the Benchmark page,
    /// in this window's chats there, or in the history.
    pub fn last_speed(
        &self,
        env: &EnvId,
        target: &Target,
        chats: &SessionHistory,
    ) -> Option<Speed> {
        let session = self.session.as_ref();
        let levels = session
            .filter(|session| session.env == *env)
            .into_iter()
            .flat_map(|session| &session.levels);
        let mut of_target = levels
            .filter(|level| level.model == target.model && level.deployment == target.deployment);
        let measured = of_target.find_map(|level| {
            speed_of(
                level.ttft_ms.at(P50)? / 1e3,
                level.user_tokens_per_s.at(P50),
            )
        });
        let mut chats = chats.series().iter();
        let chatted = || {
            let medians = chats.find(|series| series.model == target.model)?.medians();
            speed_of(medians.ttft?.as_secs_f64(), medians.tokens_per_sec)
        };
        let measured = measured.or_else(chatted);
        measured.or_else(|| self.speeds.of(target))
    }
}

//! What a benchmark found: its levels, its row's figures and those of each model.

use rusqlite::params;

use super::{TargetFigures, Writing};
use crate::domain::history::{SessionRow, peak};
use crate::domain::plan::Target;
use crate::domain::run::{BenchReport, LevelReport};
use crate::domain::stats::P50;
use crate::io::history::Trouble;
use crate::io::history::rows::{SessionKey, nanos};

impl TargetFigures {
    /// Of these levels: the first one's, and the peak of all.
    fn of<'a>(levels: impl Iterator<Item = &'a LevelReport> + Clone) -> Self {
        let first = levels.clone().next();
        Self {
            ttft_ms: first.and_then(|level| level.ttft_ms.at(P50)),
            user_speed: first.and_then(|level| level.user_tokens_per_s.at(P50)),
            peak: peak(levels),
        }
    }
}

impl Writing<'_> {
    /// Writes what a session found so far: its levels from the number `from` on, and its row.
    ///
    /// # Errors
    /// As the file's.
    pub fn advance(
        &self,
        session: SessionKey,
        report: &BenchReport,
        from: usize,
    ) -> Result<(), Trouble> {
        for (number, level) in report.levels.iter().enumerate().skip(from) {
            let sql = "INSERT OR REPLACE INTO levels (session, number, report) VALUES (?1, ?2, ?3)";
            let text = serde_json::to_string(level)?;
            self.0
                .prepare_cached(sql)?
                .execute(params![session.0, number as i64, text])?;
        }
        let row = SessionRow::of(report);
        let sql = "UPDATE sessions SET ended_ns = ?2, requests = ?3, errors = ?4, ttft_ms = ?5, itl_ms = ?6, peak = ?7, \
                   warnings = ?8 WHERE key = ?1";
        self.0.prepare_cached(sql)?.execute(params![
            session.0,
            row.ended.map(nanos),
            row.requests.cast_signed(),
            row.errors.cast_signed(),
            row.ttft_p50_ms,
            row.itl_p50_ms,
            row.peak_tokens_per_s,
            row.warnings.cast_signed()
        ])?;
        for (place, target) in report.plan.targets.iter().enumerate() {
            // Figures are those of the model that answered.
            let own = |level: &&LevelReport| {
                let asked = level.model == target.model && level.deployment == target.deployment;
                asked && level.other_model().is_none()
            };
            let figures = TargetFigures::of(report.levels.iter().filter(own));
            self.target_figures(session, place as i64, figures)?;
        }
        let mut others: Vec<(&str, Option<&str>)> = Vec::new();
        for level in &report.levels {
            let Some(other) = level.other_model() else {
                continue;
            };
            let planned =
                |target: &Target| target.model == other && target.deployment == level.deployment;
            let known = report.plan.targets.iter().any(planned);
            if !known && !others.contains(&(other, level.deployment.as_deref())) {
                others.push((other, level.deployment.as_deref()));
            }
        }
        for (model, deployment) in others {
            let own = |level: &&LevelReport| {
                level.other_model() == Some(model) && level.deployment.as_deref() == deployment
            };
            let figures = TargetFigures::of(report.levels.iter().filter(own));
            let place = self.place(session, model, deployment)?;
            self.target_figures(session, place, figures)?;
        }
        Ok(())
    }
}

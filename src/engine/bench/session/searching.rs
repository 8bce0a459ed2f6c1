//! A search for the highest load: each level is a probe, and the next one follows from its verdict.

use super::{Session, Stop};
use crate::domain::failure::Failure;
use crate::domain::plan::{Find, Level};
use crate::domain::run::{LevelEnd, LevelReport, ProbeReport, Searching};
use crate::engine::bench::session::run_level::LevelRun;
use crate::metrics::search::{self, InFlight, Judge, Search};
use crate::prompts::PromptSource;

impl Session<'_> {
    /// Searches for one target. Gives why the session does not go on, if it does not.
    pub(super) async fn search(
        &mut self,
        find: &Find,
        number: usize,
        source: &PromptSource,
    ) -> Result<Option<Stop>, Failure> {
        let target = &self.plan.targets[number];
        let first = self.report.levels.len();
        let mut search = Search::new(find);
        let mut stop = None;
        let mut cut = false;
        while let Some(next) = search.next(self.plan.ramp_up) {
            let level = Level {
                run: 0,
                index: self.level,
                target: number,
                load: find.level(next.load),
            };
            self.live.search = Some(Searching {
                target: number,
                load: level.load,
                bracket: search.bracket(),
            });
            self.live.expect(self.level + 1 + search.left());
            self.level += 1;
            self.probe = Some(Judge::new(find, next.rules));
            stop = self.level(&level, target, source).await?;
            let verdict = self.probe.take().and_then(|judge| judge.verdict());
            if let Some(verdict) = verdict {
                search.record(next.load, verdict);
            }
            cut = stop.is_some() || verdict.is_none();
            if cut {
                break;
            }
        }
        let mut found = search.found(target, cut);
        search::with_levels(&mut found, &self.report.levels[first..]);
        self.report.found.push(found);
        Ok(stop)
    }

    /// Looks whether the probe under way is decided; then it sends no more.
    pub(super) fn judge(&mut self, under: &mut LevelRun) {
        let Some(judge) = &mut self.probe else { return };
        if under.is_decided || !judge.wants_look() {
            return;
        }
        let since = super::frame::in_flight_since(self.crew.counts());
        let now = self.world.began.elapsed();
        under.is_decided = judge.look(InFlight { now, since: &since }).is_some();
    }

    /// The probe's verdict at the end of its level, put into the level's report.
    pub(super) fn end_probe(&mut self, report: &mut LevelReport, under: &LevelRun) {
        let Some(judge) = &mut self.probe else { return };
        let since = if matches!(under.stop, Some(Stop::Cancelled)) {
            super::frame::in_flight_since(self.crew.counts())
        } else {
            Vec::new()
        };
        let in_flight = InFlight {
            now: self.world.began.elapsed(),
            since: &since,
        };
        match report.ended {
            LevelEnd::Saturated | LevelEnd::Errors => judge.fail(),
            // It was not to end yet: what it saw so far may be enough.
            LevelEnd::Stopped => judge.cut(in_flight),
            _ => {
                judge.end(report.requests.unsent, in_flight);
            }
        }
        report.probe = Some(judge.report(in_flight));
    }

    /// What the probe under way saw so far.
    pub(super) fn probe_so_far(&mut self) -> Option<ProbeReport> {
        let judge = self.probe.as_mut()?;
        let since = super::frame::in_flight_since(self.crew.counts());
        let now = self.world.began.elapsed();
        Some(judge.report(InFlight { now, since: &since }))
    }
}

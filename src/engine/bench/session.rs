//! A session under way: its targets one after the other, each with its levels.

mod decide;
mod frame;
mod run_level;
mod searching;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::beside::Beside;
use super::calibration::{self, Fitted, UNFITTED_FOR};
use super::crew::Crew;
use super::files::Files;
use super::live::Live;
use super::{Controls, Listener, World};
use crate::domain::failure::Failure;
use crate::domain::plan::{Level, Load, Plan, Target};
use crate::domain::run::{BenchReport, Calibration, LevelReport, SessionEnd, Stage, Switch};
use crate::domain::units;
use crate::metrics::search::Judge;
use crate::prompts::files::Material;
use crate::prompts::fit::{Calibrator, UNFITTED};
use crate::prompts::trace::Trace;
use crate::prompts::{PromptSource, length_to_fit};

/// Why a session does not go on.
pub(super) enum Stop {
    /// The user's wish.
    Cancelled,
    /// One of the session's ends.
    Limit(String),
    /// So does the share of its requests that failed.
    Errors,
    /// Too many of its workers were lost, in words.
    Lost(String),
}

pub(super) struct Session<'a> {
    /// With its seed.
    pub(super) plan: &'a Plan,
    pub(super) seed: u64,
    pub(super) world: Arc<World>,
    pub(super) crew: Crew,
    /// What it was given to send so far.
    pub(super) orders: u64,
    pub(super) controls: Controls,
    pub(super) listener: &'a mut dyn Listener,
    pub(super) files: Arc<Files>,
    pub(super) live: Live,
    pub(super) beside: Beside,
    pub(super) report: BenchReport,
    /// Measured requests of the session that ended, and those that failed.
    pub(super) measured: u64,
    pub(super) failed: u64,
    /// Of the level under way.
    pub(super) pauses: Vec<[Duration; 2]>,
    pub(super) limits: Vec<(String, String)>,
    /// What holds for every level of the target.
    pub(super) notes: Vec<String>,
    /// The prompts of each target that was made ready, with its notes: later rounds go on with them.
    pub(super) fits: Vec<(Target, PromptSource, Vec<String>)>,
    /// The mean good answer of the level under way, or else of the last that had any.
    pub(super) answer: Option<Duration>,
    /// The index of the next level of a search.
    pub(super) level: usize,
    /// Of a search: the probe under way.
    pub(super) probe: Option<Judge>,
}

impl Session<'_> {
    pub(super) async fn all(&mut self) -> Result<(), Failure> {
        let levels = self.plan.levels();
        let targets = self.plan.targets.len();
        let rounds =
            (0..self.plan.repeat.max(1) as usize * targets).map(|at| (at / targets, at % targets));
        for (run, number) in rounds {
            let target = &self.plan.targets[number];
            if run > 0 && number == 0 && self.cool_down().await.is_none() {
                self.report.ended = SessionEnd::Stopped;
                return Ok(());
            }
            match self.open(target).await {
                Ok(Some(source)) => {
                    let own: Vec<&Level> = levels
                        .iter()
                        .filter(|level| (level.run as usize, level.target) == (run, number))
                        .collect();
                    let stop = match &self.plan.load {
                        Load::Find(find) => self.search(find, number, &source).await?,
                        _ => self.levels(&own, target, &source).await?,
                    };
                    if let Some(stop) = stop {
                        self.report.ended = self.ending(stop);
                        return Ok(());
                    }
                }
                // What was under way when it was stopped failed of that.
                Ok(None) | Err(_) if self.controls.cancel.is_cancelled() => {
                    self.report.ended = SessionEnd::Stopped;
                    return Ok(());
                }
                // What was measured before is not thrown away.
                Err(failure) if !self.report.levels.is_empty() => {
                    self.report.ended =
                        SessionEnd::Failed(format!("{}: {}", target.model, failure.summary));
                    return Ok(());
                }
                Ok(None) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// How a session ends that a level stopped.
    fn ending(&self, stop: Stop) -> SessionEnd {
        match stop {
            Stop::Cancelled => SessionEnd::Stopped,
            Stop::Limit(why) => SessionEnd::Limit(why),
            Stop::Lost(why) => SessionEnd::Failed(why),
            // More may have failed while what was in flight came to its end.
            Stop::Errors => SessionEnd::Errors(format!(
                "{} of {} requests failed",
                self.failed, self.measured
            )),
        }
    }

    /// Sends nothing before another round, for as long as the plan says. `None` when it was cancelled.
    async fn cool_down(&mut self) -> Option<()> {
        if self.plan.cool_down.is_zero() {
            return Some(());
        }
        self.live.stage = Stage::CoolingDown;
        self.tell();
        let cancel = self.controls.cancel.clone();
        let wait = tokio::time::sleep(self.plan.cool_down);
        cancel.run_until_cancelled(wait).await
    }

    /// The levels of one target in one round.
    async fn levels(
        &mut self,
        levels: &[&Level],
        target: &Target,
        source: &PromptSource,
    ) -> Result<Option<Stop>, Failure> {
        for level in levels {
            if let Some(stop) = self.level(level, target, source).await? {
                return Ok(Some(stop));
            }
        }
        Ok(None)
    }

    /// Makes a target ready: waits for the switch of the model, and fits prompts to its tokenizer, the first time.
    /// `None` when it was cancelled.
    async fn open(&mut self, target: &Target) -> Result<Option<PromptSource>, Failure> {
        if self.plan.targets.len() > 1 {
            self.live.stage = Stage::Switching;
            self.tell();
            let cancel = self.controls.cancel.clone();
            let Some(()) = cancel.run_until_cancelled(self.switch(target)).await else {
                return Ok(None);
            };
        }
        let known = self.fits.iter().find(|(of, ..)| of == target);
        if let Some((_, source, notes)) = known {
            self.notes.clone_from(notes);
            return Ok(Some(source.clone()));
        }
        let mut fit = None;
        self.notes.clear();
        if let Some(tokens) = length_to_fit(self.plan, self.files.trace.as_ref()) {
            self.live.stage = Stage::Calibrating;
            self.tell();
            let cancel = self.controls.cancel.clone();
            match cancel
                .run_until_cancelled(self.calibrate(target, tokens))
                .await
            {
                Some(fitted) => {
                    let Fitted { fit: found, note } = fitted?;
                    fit = found;
                    self.notes.extend(note);
                }
                None => return Ok(None),
            }
        }
        self.notes
            .extend(self.files.material.as_ref().and_then(Material::note));
        self.notes
            .extend(self.files.trace.as_ref().and_then(Trace::note));
        let mut source = PromptSource::new(self.plan, self.files.material.clone(), fit)?;
        if let Some(trace) = &self.files.trace {
            source = source.with_trace(trace.clone());
        }
        let fitted = (target.clone(), source.clone(), self.notes.clone());
        self.fits.push(fitted);
        Ok(Some(source))
    }

    fn asking(&self) -> calibration::OneToken {
        calibration::OneToken {
            world: Arc::clone(&self.world),
            params: self.plan.params.clone(),
            cancel: self.controls.cancel.clone(),
            elsewhere: self.crew.asker(),
        }
    }

    /// The first request of another model.
    async fn switch(&mut self, target: &Target) {
        let text = format!("Say one word ({})", self.world.id);
        let asked = calibration::ask_once(&self.asking(), &target.model, text).await;
        let (ttft, error) = match asked {
            Ok(figures) => (figures.ttft.or(figures.latency), None),
            Err(failure) => (None, Some(failure.summary)),
        };
        self.report.switches.push(Switch {
            model: target.model.clone(),
            deployment: target.deployment.clone(),
            ttft_ms: ttft.map(units::ms),
            error,
        });
    }

    /// Finds out how many tokens the server makes of our words.
    async fn calibrate(&mut self, target: &Target, tokens: f64) -> Result<Fitted, Failure> {
        let mut calibrator = Calibrator::for_length(tokens, self.seed);
        let asking = self.asking();
        loop {
            let probes = calibrator.together();
            if probes.is_empty() {
                break;
            }
            let ask = probes
                .iter()
                .map(|probe| calibration::ask(&asking, &target.model, probe.text()));
            let answers = join_all(ask).await;
            for (probe, answer) in probes.iter().zip(answers) {
                let failure = match answer {
                    Ok(Some(tokens)) => {
                        calibrator.learn_of(probe, tokens);
                        continue;
                    }
                    Ok(None) => return Ok(Fitted::not(UNFITTED)),
                    // The right length may fare better.
                    Err(_) if probe.is_guess() => continue,
                    Err(failure) => failure,
                };
                match calibration::judge(&failure) {
                    // The others are sent again with the smaller one.
                    calibration::Trouble::TooLong if calibrator.too_long() => break,
                    // The requests themselves may fare better; if not, the levels say so.
                    calibration::Trouble::Passing => {
                        let why = failure.summary;
                        return Ok(Fitted::not(&format!("{UNFITTED_FOR}: {why}")));
                    }
                    calibration::Trouble::TooLong | calibration::Trouble::Own => {
                        return Err(calibration::failed(failure, tokens));
                    }
                    calibration::Trouble::OfAll => return Err(failure),
                }
            }
        }
        if calibrator.has_unusable_counts() {
            let why = "the tokens that the server counts do not grow with the words of a prompt";
            return Ok(Fitted::not(&format!("{UNFITTED_FOR}: {why}")));
        }
        let (fit, requests) = calibrator.finish()?;
        self.report.calibrations.push(Calibration {
            model: target.model.clone(),
            overhead_tokens: fit.overhead_tokens,
            tokens_per_word: fit.tokens_per_word,
            requests,
        });
        Ok(Fitted {
            fit: Some(fit),
            note: None,
        })
    }

    /// Requests, or conversations, that said what an earlier one had said, since their file had no more prompts.
    pub(super) fn repeated(&self) -> u64 {
        self.repeated_with(None)
    }

    /// With a level that is not in the report yet.
    fn repeated_with(&self, level: Option<&LevelReport>) -> u64 {
        let Some(file) = &self.files.material else {
            return 0;
        };
        let levels = self.report.levels.iter().chain(level);
        let sent = levels.map(|level| {
            let requests = &level.requests;
            requests.ended + requests.aborted + requests.warmup
        });
        // Some are made ahead and never sent.
        let made = self.crew.conversations();
        let sent: u64 = sent.sum();
        let traced = matches!(self.plan.load, Load::Trace { .. });
        if traced { sent } else { sent.min(made) }.saturating_sub(file.len() as u64)
    }

    fn tell(&mut self) {
        let mut progress = self.live.take(self.world.began.elapsed());
        (progress.server, progress.server_told) = self.beside.take();
        self.listener.advanced(progress);
    }
}

//! Many requests: a level's records folded into its report.
//!
//! # What the numbers mean
//!
//! - Only measured requests that ended well are in the figures. Failed ones are counted, by kind; warm-ups
//!   and the first request after a switch of the model are counted apart.
//! - TTFT, first answer and latency count from when a request was due, so that a stalled server cannot flatter
//!   itself (coordinated omission). In a closed loop a request is due when it leaves.
//! - ITL is pooled: every gap between chunks is one value, so that a stall shows as what it was. A mean of
//!   each answer's mean would hide it. An answer of one chunk has none.
//! - An answer of several tokens that arrived all at once has no TPOT, ITL and tokens per second; it is counted.
//! - An answer without text and without a call has failed; these are counted apart as well.
//! - Tokens are the server's (`usage`); without it they are chunks, and the report says so.
//! - Percentiles and their intervals are [`super::stats`]', throughput and what was in flight
//!   [`super::rates`]', over the level's steady part.
//! - Absent is `None`, never zero.
//!
//! Nothing here grows with the number of requests but [`super::ordered`], which has its bound.

mod refused;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use self::refused::Refused;
use super::goodput::GoodputTally;
use super::notes::PromptFit;
use super::ordered::Ordered;
use super::rates::Rates;
use super::request::{Phase, RequestRecord};
use super::sending::{ChunkTally, Sending};
use super::server::ServerTally;
use super::stats::{Histogram, Scale};
use super::timeline::TokenSource;
use crate::domain::failure::FaultClass;
use crate::domain::plan::{LevelLoad, Objectives, Plan, Price};
use crate::domain::run::{ErrorCount, LevelEnd, Requests, Watch};

/// The records of a level, folded. Several may be kept (one a thread) and merged: it makes no difference.
#[derive(Debug, Clone)]
pub struct Tally {
    /// The environment has a cluster: notes may speak of its ingress.
    cluster: bool,
    objectives: Objectives,
    price: Option<Price>,
    /// Clients wait between an answer and their next turn.
    thinks: bool,
    load: LevelLoad,
    ok: u64,
    hung_up: u64,
    aborted: u64,
    reconnected: u64,
    warmup: u64,
    warmup_failed: u64,
    /// Measured requests' errors; failed is their sum.
    errors: BTreeMap<Option<FaultClass>, Errors>,
    /// Of warm-ups.
    warmup_errors: Errors,
    ttft: Histogram,
    first_answer: Histogram,
    itl: Histogram,
    tpot: Histogram,
    latency: Histogram,
    /// By it intervals take into account that requests depend on each other.
    ordered: Ordered,
    connect: Histogram,
    late: Histogram,
    user_speed: Histogram,
    prompt_tokens: Histogram,
    cached_tokens: Histogram,
    output_tokens: Histogram,
    reasoning_tokens: Histogram,
    server: ServerTally,
    /// Answers whose tokens are chunks.
    by_chunks: u64,
    /// Good answers that arrived all at once.
    at_once: u64,
    chunks: ChunkTally,
    answered_by: BTreeMap<String, u64>,
    /// From sent to end over all good answers, in µs.
    took_us: u64,
    /// From the last token to the end of the request over all good answers, in µs.
    held_us: u64,
    prompts: PromptFit,
    goodput: GoodputTally,
    rates: Rates,
    /// Of an open loop: requests in flight from when they were due, to see what a stall piled up.
    backlog: Rates,
    refused: Refused,
}

/// What the engine knows of a level beside its records. Moments count from the session's beginning.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelFrame {
    /// Counts the session's levels from 0.
    pub index: usize,
    /// The model's serving name.
    pub model: String,
    /// Its deployment.
    pub deployment: Option<String>,
    /// How the level ended, or [`LevelEnd::Running`]: then nothing is said about not enough data, since more
    /// will come.
    pub ended: LevelEnd,
    /// When its measured part began.
    pub began: Duration,
    /// When its measured part ended, or now.
    pub now: Duration,
    /// From when the load was reached to when it began to fall, or to now. `None` when it was never reached:
    /// then there is no throughput.
    pub steady: Option<[Duration; 2]>,
    /// Pauses, from and to; the last may end now. They are cut out of the steady part.
    pub pauses: Vec<[Duration; 2]>,
    /// When each request left that is in flight now, or was aborted now. They count as in flight until now, and
    /// in nothing else. Empty when nobody knows.
    pub in_flight_since: Vec<Duration>,
    /// The most in flight at once as the lanes saw it; 0 when nobody counted. The report says what the
    /// records show when that is more.
    pub most_in_flight: u32,
    /// Measured requests that were aborted in flight and have no record. Those with a record whose error is
    /// [`FaultClass::Cancelled`] are counted besides.
    pub aborted: u64,
    /// Requests of an open loop that were due and never sent. They missed every objective.
    pub unsent: u64,
    /// How an open loop kept to its schedule; `None` in a closed one.
    pub sending: Option<Sending>,
    /// `x-ratelimit-*` headers of the last answer that had any.
    pub rate_limit: Vec<(String, String)>,
    /// What the benchmark saw of itself; doubts are filled in here.
    pub watch: Watch,
}

/// So many other models are counted by name; the rest is counted together.
const MAX_OTHER_MODELS: usize = 16;

#[derive(Debug, Clone, Default)]
struct Errors {
    count: u64,
    /// The index of the first request that failed so, and what it said.
    first: Option<(u64, String)>,
}

impl Tally {
    /// Without a record.
    pub fn new(objectives: Objectives, load: LevelLoad) -> Self {
        let [time, rate, count] = [Scale::Time, Scale::Rate, Scale::Count].map(Histogram::new);
        Self {
            cluster: true,
            objectives,
            price: None,
            thinks: false,
            load,
            ok: 0,
            hung_up: 0,
            aborted: 0,
            reconnected: 0,
            warmup: 0,
            warmup_failed: 0,
            errors: BTreeMap::new(),
            warmup_errors: Errors::default(),
            ttft: time.clone(),
            first_answer: time.clone(),
            itl: time.clone(),
            tpot: time.clone(),
            latency: time.clone(),
            ordered: Ordered::default(),
            connect: time.clone(),
            late: time,
            user_speed: rate,
            prompt_tokens: count.clone(),
            cached_tokens: count.clone(),
            output_tokens: count.clone(),
            reasoning_tokens: count,
            server: ServerTally::new(),
            by_chunks: 0,
            at_once: 0,
            chunks: ChunkTally::default(),
            answered_by: BTreeMap::new(),
            took_us: 0,
            held_us: 0,
            prompts: PromptFit::default(),
            goodput: GoodputTally::default(),
            rates: Rates::default(),
            backlog: Rates::default(),
            refused: Refused::default(),
        }
    }

    /// Whether the environment has a cluster; without one, notes do not speak of its ingress.
    #[must_use]
    pub fn beside_cluster(self, has_cluster: bool) -> Self {
        Self {
            cluster: has_cluster,
            ..self
        }
    }

    /// With what else of the plan figures and notes depend on: the price of tokens, and whether clients think.
    #[must_use]
    pub fn planned(self, plan: &Plan) -> Self {
        Self {
            price: plan.price,
            thinks: plan.think.is_some(),
            ..self
        }
    }

    /// Adds a request that ended, whatever it was sent for.
    pub fn record(&mut self, record: &RequestRecord) {
        let class = record
            .error
            .as_ref()
            .and_then(|error| match (error.class, error.status) {
                (None, Some(429)) => Some(FaultClass::RateLimited),
                (class, _) => class,
            });
        if record.phase.is_load() {
            self.rates.in_flight(record.sent, record.ended);
            if self.load.is_open() {
                self.backlog
                    .in_flight(record.due.min(record.sent), record.ended);
            }
            self.reconnected +=
                u64::from(record.reconnected && class != Some(FaultClass::Cancelled));
            self.refused.add(class);
        }
        match (record.phase, &record.error) {
            (Phase::Switch, _) => {}
            (Phase::Warmup, error) => {
                self.warmup += 1;
                if let Some(error) = error {
                    self.warmup_failed += 1;
                    self.warmup_errors.add(record.index, &error.text);
                }
            }
            (Phase::HangUp, _) if record.error.is_none() || record.was_given_up() => {
                self.hung_up += 1;
            }
            (Phase::Measured, Some(_)) if class == Some(FaultClass::Cancelled) => self.aborted += 1,
            (Phase::Measured | Phase::HangUp, error) => {
                let met = self.goodput.record(&self.objectives, record);
                self.ordered.add(record, met);
                match error {
                    Some(error) => self
                        .errors
                        .entry(class)
                        .or_default()
                        .add(record.index, &error.text),
                    None => self.answered(record, met),
                }
            }
        }
    }

    /// Adds a measured request that ended well.
    fn answered(&mut self, record: &RequestRecord, met: bool) {
        let figures = &record.figures;
        let add = |to: &mut Histogram, time: Option<Duration>| {
            if let Some(time) = time {
                to.record(time);
            }
        };
        self.ok += 1;
        self.at_once += u64::from(figures.at_once);
        self.chunks.add(record);
        if let Some(model) = &record.answered_by {
            self.answered_by_other(model, 1);
        }
        let took = record.ended.saturating_sub(record.sent);
        self.took_us += micros(took);
        self.held_us += figures
            .latency
            .map_or(0, |latency| micros(took.saturating_sub(latency)));
        add(&mut self.ttft, record.ttft());
        add(&mut self.first_answer, record.first_answer());
        add(&mut self.tpot, record.tpot());
        add(&mut self.latency, record.latency());
        add(&mut self.connect, figures.connect);
        self.itl.record_micros(&record.gaps_us);
        if self.load.is_open() {
            self.late.record(record.late());
        }
        if let Some(speed) = record.user_speed() {
            self.user_speed.record_rate(speed);
        }
        let first = figures.ttft.map_or(record.ended, |ttft| record.sent + ttft);
        if let Some(tokens) = record.tokens() {
            self.output_tokens.record_count(tokens.n);
            self.by_chunks += u64::from(tokens.source == TokenSource::Chunks);
            self.rates.output(tokens.n, first, &record.gaps_us);
        }
        if let Some(tokens) = figures.prompt_tokens {
            self.prompt_tokens.record_count(tokens);
            self.rates.prompt(tokens, first);
            self.prompts.add(record.wanted_prompt_tokens, tokens);
        }
        if let Some(tokens) = figures.cached_tokens {
            self.cached_tokens.record_count(tokens);
        }
        if let Some(reasoning) = figures.reasoning {
            self.reasoning_tokens.record_count(reasoning.tokens.n);
        }
        self.server.answered(record);
        self.rates.answer(first, &record.gaps_us, met);
    }

    fn answered_by_other(&mut self, model: &str, answers: u64) {
        let known =
            self.answered_by.len() < MAX_OTHER_MODELS || self.answered_by.contains_key(model);
        let model = if known { model } else { "" };
        *self.answered_by.entry(model.to_owned()).or_default() += answers;
    }

    /// Adds all of another's records: the same as if each had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        // Taken apart, so that nothing is forgotten.
        let Self {
            cluster: _,
            objectives: _,
            price: _,
            thinks: _,
            load: _,
            ok,
            hung_up,
            aborted,
            reconnected,
            warmup,
            warmup_failed,
            errors,
            warmup_errors,
            ttft,
            first_answer,
            itl,
            tpot,
            latency,
            ordered,
            connect,
            late,
            user_speed,
            prompt_tokens,
            cached_tokens,
            output_tokens,
            reasoning_tokens,
            server,
            by_chunks,
            at_once,
            chunks,
            answered_by,
            took_us,
            held_us,
            prompts,
            goodput,
            rates,
            backlog,
            refused,
        } = other;
        self.ok += ok;
        self.hung_up += hung_up;
        self.aborted += aborted;
        self.reconnected += reconnected;
        self.warmup += warmup;
        self.warmup_failed += warmup_failed;
        self.merge_errors(errors);
        self.warmup_errors.merge(warmup_errors);
        self.ttft.merge(ttft);
        self.first_answer.merge(first_answer);
        self.itl.merge(itl);
        self.tpot.merge(tpot);
        self.latency.merge(latency);
        self.ordered.merge(ordered);
        self.connect.merge(connect);
        self.late.merge(late);
        self.user_speed.merge(user_speed);
        self.prompt_tokens.merge(prompt_tokens);
        self.cached_tokens.merge(cached_tokens);
        self.output_tokens.merge(output_tokens);
        self.reasoning_tokens.merge(reasoning_tokens);
        self.server.merge(server);
        self.by_chunks += by_chunks;
        self.at_once += at_once;
        self.chunks.merge(chunks);
        answered_by
            .iter()
            .for_each(|(model, answers)| self.answered_by_other(model, *answers));
        self.took_us += took_us;
        self.held_us += held_us;
        self.prompts.merge(prompts);
        self.goodput.merge(goodput);
        self.rates.merge(rates);
        self.backlog.merge(backlog);
        self.refused.merge(*refused);
    }

    fn merge_errors(&mut self, other: &BTreeMap<Option<FaultClass>, Errors>) {
        for (class, errors) in other {
            self.errors.entry(*class).or_default().merge(errors);
        }
    }

    /// Measured requests that ended, well or not.
    pub fn ended(&self) -> u64 {
        self.ok + self.failed()
    }

    /// Those and the ones whose clients hung up: what of a plan's requests is done.
    pub fn done(&self) -> u64 {
        self.ended() + self.hung_up
    }

    /// Those that ended well.
    pub fn ok(&self) -> u64 {
        self.ok
    }

    /// Those that did not.
    pub fn failed(&self) -> u64 {
        self.errors.values().map(|errors| errors.count).sum()
    }

    /// The requests as the report has them, as far as records tell.
    pub fn requests(&self) -> Requests {
        let mut errors: Vec<ErrorCount> = self
            .errors
            .iter()
            .map(|(class, errors)| errors.report(*class))
            .collect();
        // Stable: equals stay in the order of their kinds.
        errors.sort_by_key(|error| std::cmp::Reverse(error.count));
        Requests {
            ended: self.ended(),
            ok: self.ok,
            failed: self.failed(),
            aborted: self.aborted,
            hung_up: self.hung_up,
            unsent: 0,
            reconnected: self.reconnected,
            warmup: self.warmup,
            warmup_failed: self.warmup_failed,
            without_text: self
                .errors
                .get(&Some(FaultClass::NoText))
                .map_or(0, |errors| errors.count),
            errors,
            effective: None,
        }
    }
}

impl Errors {
    fn add(&mut self, index: u64, text: &str) {
        self.count += 1;
        if self.first.as_ref().is_none_or(|(first, _)| index < *first) {
            self.first = Some((index, text.to_owned()));
        }
    }

    fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if let Some((index, text)) = &other.first {
            self.add(*index, text);
        }
        self.count = count;
    }

    fn report(&self, class: Option<FaultClass>) -> ErrorCount {
        ErrorCount {
            kind: class.map_or("other", FaultClass::name).to_owned(),
            count: self.count,
            example: self
                .first
                .as_ref()
                .map(|(_, text)| text.clone())
                .unwrap_or_default(),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

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
//! Nothing here grows with the number of requests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::goodput::GoodputTally;
use super::notes::{self, PromptFit};
use super::rates::{Counted, Rates, Window};
use super::request::{Phase, RequestRecord};
use super::sending::{ChunkTally, Sending};
use super::server::ServerTally;
use super::stats::{Histogram, Scale};
use super::timeline::TokenSource;
use super::watch::{self, Measured};
use crate::domain::failure::FaultClass;
use crate::domain::plan::{LevelLoad, Objectives};
use crate::domain::run::{
    AnsweredBy, Concurrency, ErrorCount, LevelEnd, LevelReport, Limits, Rate, Requests, Throughput,
    Watch,
};

/// The records of a level, folded. Several may be kept (one a thread) and merged: it makes no difference.
#[derive(Debug, Clone)]
pub struct Tally {
    /// The environment has a cluster: notes may speak of its ingress.
    cluster: bool,
    objectives: Objectives,
    load: LevelLoad,
    ok: u64,
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
    prompts: PromptFit,
    goodput: GoodputTally,
    rates: Rates,
    /// Of an open loop: requests in flight from when they were due, to see what a stall piled up.
    backlog: Rates,
    rate_limited: u64,
    ingress_limited: u64,
    queue_full: u64,
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
            load,
            ok: 0,
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
            prompts: PromptFit::default(),
            goodput: GoodputTally::default(),
            rates: Rates::default(),
            backlog: Rates::default(),
            rate_limited: 0,
            ingress_limited: 0,
            queue_full: 0,
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

    /// Adds a request that ended, whatever it was sent for.
    pub fn record(&mut self, record: &RequestRecord) {
        let class = record
            .error
            .as_ref()
            .and_then(|error| match (error.class, error.status) {
                (None, Some(429)) => Some(FaultClass::RateLimited),
                (class, _) => class,
            });
        if record.phase == Phase::Measured {
            let ingress = class == Some(FaultClass::IngressLimited);
            self.rates.in_flight(record.sent, record.ended);
            if self.load.is_open() {
                self.backlog
                    .in_flight(record.due.min(record.sent), record.ended);
            }
            self.reconnected +=
                u64::from(record.reconnected && class != Some(FaultClass::Cancelled));
            self.rate_limited += u64::from(ingress || class == Some(FaultClass::RateLimited));
            self.ingress_limited += u64::from(ingress);
            self.queue_full += u64::from(class == Some(FaultClass::QueueFull));
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
            (Phase::Measured, Some(_)) if class == Some(FaultClass::Cancelled) => self.aborted += 1,
            (Phase::Measured, error) => {
                let met = self.goodput.record(&self.objectives, record);
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
        self.took_us += micros(record.ended.saturating_sub(record.sent));
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
            load: _,
            ok,
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
            prompts,
            goodput,
            rates,
            backlog,
            rate_limited,
            ingress_limited,
            queue_full,
        } = other;
        self.ok += ok;
        self.aborted += aborted;
        self.reconnected += reconnected;
        self.warmup += warmup;
        self.warmup_failed += warmup_failed;
        for (class, errors) in errors {
            self.errors.entry(*class).or_default().merge(errors);
        }
        self.warmup_errors.merge(warmup_errors);
        self.ttft.merge(ttft);
        self.first_answer.merge(first_answer);
        self.itl.merge(itl);
        self.tpot.merge(tpot);
        self.latency.merge(latency);
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
        for (model, answers) in answered_by {
            self.answered_by_other(model, *answers);
        }
        self.took_us += took_us;
        self.prompts.merge(prompts);
        self.goodput.merge(goodput);
        self.rates.merge(rates);
        self.backlog.merge(backlog);
        self.rate_limited += rate_limited;
        self.ingress_limited += ingress_limited;
        self.queue_full += queue_full;
    }

    /// Measured requests that ended, well or not.
    pub fn ended(&self) -> u64 {
        self.ok + self.failed()
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
            unsent: 0,
            reconnected: self.reconnected,
            warmup: self.warmup,
            warmup_failed: self.warmup_failed,
            without_text: self
                .errors
                .get(&Some(FaultClass::NoText))
                .map_or(0, |errors| errors.count),
            errors,
        }
    }

    /// The level's report as far as it is known. Several times a second is fine: it reads each histogram once.
    pub fn report(&self, frame: LevelFrame) -> LevelReport {
        let LevelFrame {
            index,
            model,
            deployment,
            ended,
            began,
            now,
            steady,
            pauses,
            in_flight_since,
            most_in_flight,
            aborted,
            unsent,
            sending,
            rate_limit,
            mut watch,
        } = frame;
        // Requests that a stall at the beginning piled up are answered faster than they come, for a while.
        let steady = match steady {
            Some(steady) if self.load.is_open() => Some([self.backlog.settled(steady), steady[1]]),
            steady => steady,
        };
        let window = steady.map(|steady| Window::new(steady, &pauses));
        let latency_ms = self.latency.stats();
        let ttft_ms = self.ttft.stats();
        let itl_ms = self.itl.stats();
        let late_ms = self.late.stats();
        let throughput = window
            .as_ref()
            .map(|window| self.throughput(window))
            .unwrap_or_default();
        let met_per_s = window
            .as_ref()
            .filter(|_| self.ended() > 0)
            .and_then(|window| self.rate(Counted::Met, window));
        let concurrency = self.concurrency(window.as_ref(), &in_flight_since, now, most_in_flight);
        watch::judge(
            &mut watch,
            &Measured {
                ttft_ms: &ttft_ms,
                itl_ms: &itl_ms,
                requests: self.ended(),
                open: self.load.is_open(),
                running: ended == LevelEnd::Running,
            },
        );
        let mut requests = self.requests();
        requests.aborted += aborted;
        requests.unsent += unsent;
        let mut level = LevelReport {
            index,
            label: self.load.label(),
            model,
            deployment,
            load: self.load,
            ended,
            began_s: began.as_secs_f64(),
            took_s: now.saturating_sub(began).as_secs_f64(),
            steady_s: steady.map(|steady| steady.map(|at| at.as_secs_f64())),
            requests,
            at_once: self.at_once,
            tokens_per_chunk: self.chunks.tokens_per_chunk(),
            answered_by: self.others(),
            tokens_from: self.tokens_from().to_owned(),
            server: self.server.report(),
            ttft_ms,
            first_answer_ms: self.first_answer.stats(),
            itl_ms,
            tpot_ms: self.tpot.stats(),
            latency_ms,
            connect_ms: self.connect.stats(),
            late_ms,
            user_tokens_per_s: self.user_speed.stats(),
            prompt_tokens: self.prompt_tokens.stats(),
            cached_tokens: self.cached_tokens.stats(),
            output_tokens: self.output_tokens.stats(),
            reasoning_tokens: self.reasoning_tokens.stats(),
            throughput,
            concurrency,
            goodput: self
                .goodput
                .report(&self.objectives, unsent, met_per_s.map(|rate| rate.mean)),
            limits: Limits {
                rate_limited: self.rate_limited,
                ingress: self.ingress_limited,
                queue_full: self.queue_full,
                headers: rate_limit,
            },
            watch,
            notes: Vec::new(),
        };
        let paused: Duration = pauses
            .iter()
            .map(|[from, to]| to.saturating_sub((*from).max(began)))
            .sum();
        let seen = notes::Seen {
            cluster: self.cluster,
            prompts: &self.prompts,
            by_chunks: self.by_chunks,
            chunks: &self.chunks,
            warmup_error: self
                .warmup_errors
                .first
                .as_ref()
                .map(|(_, text)| text.as_str()),
            sending,
            answer_takes: self
                .answer_takes()
                .map(|us| Duration::from_micros(us as u64)),
            steady_for: window
                .as_ref()
                .map(|window| Duration::from_micros(window.length())),
            sent_for: now.saturating_sub(began).saturating_sub(paused),
        };
        level.notes = notes::write(&level, &seen);
        level
    }

    /// The other models that answered, most frequent first.
    fn others(&self) -> Vec<AnsweredBy> {
        let all = self.answered_by.iter();
        let mut all: Vec<AnsweredBy> = all
            .map(|(model, answers)| AnsweredBy {
                model: model.clone(),
                answers: *answers,
            })
            .collect();
        all.sort_by_key(|other| std::cmp::Reverse(other.answers));
        all
    }

    fn throughput(&self, window: &Window) -> Throughput {
        let counted = self.output_tokens.count() > 0;
        // With prompts that nobody counted the sum would be too low.
        let all_counted = counted && self.prompt_tokens.count() == self.ok;
        let rate = |what, known: bool| self.rate(what, window).filter(|_| known);
        Throughput {
            output_tokens_per_s: rate(Counted::Output, counted),
            total_tokens_per_s: rate(Counted::Total, all_counted),
            requests_per_s: rate(Counted::Answers, self.ok > 0),
        }
    }

    fn rate(&self, what: Counted, window: &Window) -> Option<Rate> {
        self.rates.rate(what, window, self.answer_takes())
    }

    /// The mean answer, in µs.
    fn answer_takes(&self) -> Option<f64> {
        (self.ok > 0).then(|| self.took_us as f64 / self.ok as f64)
    }

    fn concurrency(
        &self,
        window: Option<&Window>,
        since: &[Duration],
        now: Duration,
        most_in_flight: u32,
    ) -> Concurrency {
        let reached = window.and_then(|window| {
            let still: u64 = since.iter().map(|sent| window.overlap([*sent, now])).sum();
            Some(self.rates.mean_in_flight(window)? + still as f64 / window.length() as f64)
        });
        Concurrency {
            asked: self.load.most_in_flight(),
            reached,
            most: self.rates.most_in_flight().max(most_in_flight),
        }
    }

    fn tokens_from(&self) -> &'static str {
        match self.by_chunks {
            0 => "usage",
            chunks if chunks == self.output_tokens.count() => "chunks",
            _ => "mixed",
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::plan::Arrivals;
    use crate::domain::run::Stats;
    use crate::domain::stats::{P1, P5, P50, P95, P99, Percentiles};
    use crate::metrics::request::RequestError;
    use crate::metrics::timeline::Tokens;
    use crate::metrics::timeline::{Figures, TextKind, Timeline, Usage};

    const CLOSED: LevelLoad = LevelLoad::Concurrency(1);
    const OPEN: LevelLoad = LevelLoad::Rate {
        per_sec: 2.0,
        arrivals: Arrivals::Constant,
        most_in_flight: None,
    };

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Sent at `sent`, first chunk `ttft` later, then chunks after these gaps (all in ms), and the end.
    fn answer(sent: u64, ttft: u64, gaps: &[u64]) -> RequestRecord {
        let mut timeline = Timeline::default();
        let mut at = ttft;
        timeline.text(TextKind::Answer, ms(at));
        for gap in gaps {
            at += gap;
            timeline.text(TextKind::Answer, ms(at));
        }
        timeline.end(ms(at));
        let usage = Usage {
            prompt_tokens: Some(100),
            completion_tokens: Some(gaps.len() as u64 + 1),
            ..Usage::default()
        };
        RequestRecord {
            index: sent,
            level: 0,
            phase: Phase::Measured,
            due: ms(sent),
            sent: ms(sent),
            ended: ms(sent + at),
            figures: timeline.figures(Some(&usage)),
            first_byte: Some(ms(ttft)),
            gaps_us: gaps.iter().map(|gap| *gap as u32 * 1_000).collect(),
            chunks: gaps.len() as u64 + 1,
            bytes: 1_000,
            wanted_prompt_tokens: None,
            answered_by: None,
            reconnected: false,
            error: None,
        }
    }

    fn failing(class: Option<FaultClass>, record: RequestRecord) -> RequestRecord {
        let error = RequestError {
            class,
            status: Some(500),
            text: format!("no {}", record.index),
        };
        RequestRecord {
            error: Some(error),
            ..record
        }
    }

    fn frame(from: u64, to: u64) -> LevelFrame {
        LevelFrame {
            index: 0,
            model: "m".to_owned(),
            deployment: None,
            ended: LevelEnd::Requests,
            began: ms(from),
            now: ms(to),
            steady: Some([ms(from), ms(to)]),
            pauses: Vec::new(),
            in_flight_since: Vec::new(),
            most_in_flight: 0,
            aborted: 0,
            unsent: 0,
            sending: None,
            rate_limit: Vec::new(),
            watch: Watch::default(),
        }
    }

    fn tally(load: LevelLoad, records: &[RequestRecord]) -> Tally {
        let mut tally = Tally::new(Objectives::default(), load);
        records.iter().for_each(|record| tally.record(record));
        tally
    }

    fn report(load: LevelLoad, records: &[RequestRecord]) -> LevelReport {
        let to = records
            .iter()
            .map(|record| record.ended.as_millis() as u64)
            .max()
            .unwrap_or(1);
        tally(load, records).report(frame(0, to))
    }

    #[test]
    fn figures_of_one_answer_are_its_own() {
        let level = report(CLOSED, &[answer(0, 100, &[10; 63])]);
        assert_eq!(level.ttft_ms.at(P50), Some(100.0));
        assert_eq!((level.itl_ms.count, level.itl_ms.mean), (63, Some(10.0)));
        assert_eq!(level.tpot_ms.mean, Some(10.0));
        assert_eq!(level.user_tokens_per_s.mean, Some(100.0));
        assert_eq!(
            (level.prompt_tokens.mean, level.output_tokens.mean),
            (Some(100.0), Some(64.0))
        );
        assert_eq!(
            (
                level.cached_tokens.count,
                level.connect_ms.count,
                level.late_ms.count
            ),
            (0, 0, 0)
        );
        assert_eq!((level.tokens_from.as_str(), level.server), ("usage", None));
        assert_eq!(level.goodput, None, "nobody set an objective");
        let tokens = level
            .throughput
            .output_tokens_per_s
            .expect("64 tokens in 730 ms")
            .mean;
        assert!((tokens / (64.0 / 0.73) - 1.0).abs() < 0.02, "{tokens}");
    }

    #[test]
    fn pooled_gaps_are_no_mean_of_means() {
        // One answer with a gap of 10 ms, and one with 99 gaps of 20 ms.
        let level = report(
            CLOSED,
            &[answer(0, 100, &[10]), answer(200, 100, &[20; 99])],
        );
        assert_eq!(level.itl_ms.count, 100);
        assert_eq!(
            level.itl_ms.mean,
            Some(19.9),
            "the mean of the means would be 15"
        );
        assert_eq!(
            [level.itl_ms.at(P1), level.itl_ms.at(P5)].map(|p| p.map(f64::round)),
            [Some(10.0), Some(20.0)]
        );
    }

    #[test]
    fn a_stalled_server_cannot_flatter_itself() {
        // Due every 500 ms; the second left 900 ms late since the connection was not to be had.
        let mut late = answer(1_400, 100, &[10; 9]);
        late.due = ms(500);
        let level = report(OPEN, &[answer(0, 100, &[10; 9]), late]);
        assert_eq!(
            (level.ttft_ms.min, level.ttft_ms.max),
            (Some(100.0), Some(1_000.0))
        );
        assert_eq!(level.latency_ms.max, Some(1_090.0));
        assert_eq!(level.late_ms.max, Some(900.0));
        assert_eq!(
            (level.tpot_ms.max, level.itl_ms.max),
            (Some(10.0), Some(10.0)),
            "waiting is no writing"
        );
    }

    #[test]
    fn what_was_due_and_never_sent_missed_its_objectives_and_is_told() {
        let objectives = Objectives {
            ttft: Some(ms(200)),
            ..Objectives::default()
        };
        let capped = LevelLoad::Rate {
            per_sec: 20.0,
            arrivals: Arrivals::Constant,
            most_in_flight: Some(1),
        };
        let mut tally = Tally::new(objectives, capped);
        (0..30).for_each(|i| tally.record(&answer(i * 330, 100, &[10; 9])));
        // Ten seconds; what was sent had been due in the first one and a half.
        let sending = Sending {
            requests: 30,
            due_for: ms(1_450),
            took: ms(10_000),
        };
        let cut = LevelFrame {
            unsent: 170,
            sending: Some(sending),
            aborted: 1,
            ..frame(0, 10_000)
        };
        let level = tally.report(cut);
        assert_eq!(
            (
                level.requests.ended,
                level.requests.aborted,
                level.requests.unsent
            ),
            (30, 1, 170)
        );
        let goodput = level.goodput.expect("an objective is set");
        assert_eq!(
            (goodput.met, goodput.missed, goodput.share),
            (30, 170, Some(0.15))
        );
        let said = level.notes.join("\n");
        for words in [
            "170 requests were due and not sent, since all places in flight were taken",
            "20/s asked, 3.00/s sent: the figures are of that load",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let kept = Sending {
            requests: 30,
            due_for: ms(9_570),
            took: ms(9_571),
        };
        let level = tally.report(LevelFrame {
            sending: Some(kept),
            ..frame(0, 10_000)
        });
        assert!(
            !level.notes.iter().any(|note| note.contains("sent")),
            "{:?}",
            level.notes
        );
    }

    #[test]
    fn only_lateness_of_our_own_is_a_doubt() {
        // It waited for a place in flight, as the load asks.
        let mut queued = answer(1_400, 100, &[10; 9]);
        queued.due = ms(500);
        let tally = tally(OPEN, &[answer(0, 100, &[10; 9]), queued]);
        let doubts = |watch: Watch| {
            tally
                .report(LevelFrame {
                    watch,
                    ..frame(0, 2_000)
                })
                .watch
                .doubts
        };
        let seen = Stats {
            count: 100,
            percentiles: Percentiles::of([(P99, 0.1)]),
            ..Stats::default()
        };
        let own = Watch {
            read_late_ms: seen,
            ..Watch::default()
        };
        assert_eq!(doubts(own.clone()), [""; 0]);
        let late = Stats {
            count: 2,
            percentiles: Percentiles::of([(P99, 900.0)]),
            ..Stats::default()
        };
        let late = doubts(Watch {
            left_late_ms: late,
            late_requests: 1,
            ..own
        });
        assert!(late.len() == 1 && late[0].contains("left late"), "{late:?}");
    }

    #[test]
    fn what_a_stall_piled_up_is_in_no_rate() {
        let load = LevelLoad::Rate {
            per_sec: 4.0,
            arrivals: Arrivals::Constant,
            most_in_flight: None,
        };
        // Due every 250 ms for 20 s; the server answers nothing for 6 s, then each at once in 100 ms.
        let records: Vec<RequestRecord> = (0..80)
            .map(|n| {
                let due = n * 250;
                let mut record = answer(due.max(6_000), 90, &[10]);
                (record.index, record.due) = (n, ms(due));
                record
            })
            .collect();
        let rate = |records: &[RequestRecord]| {
            let level = tally(load, records).report(frame(6_000, 20_000));
            level.throughput.requests_per_s.expect("a rate").mean
        };
        assert!((rate(&records) - 4.0).abs() < 0.1, "{}", rate(&records));
        let even: Vec<RequestRecord> = (0..80).map(|n| answer(n * 250, 90, &[10])).collect();
        assert!((rate(&even) - 4.0).abs() < 0.1, "{}", rate(&even));
    }

    #[test]
    fn failures_are_counted_by_kind_and_in_no_figure() {
        let full = Some(FaultClass::QueueFull);
        let records = [
            answer(0, 100, &[10; 9]),
            failing(full, answer(1_000, 5_000, &[900; 9])),
            failing(None, answer(900, 5_000, &[900; 9])),
            failing(full, answer(950, 5_000, &[900; 9])),
            failing(Some(FaultClass::Cancelled), answer(960, 5_000, &[900; 9])),
        ];
        let level = report(CLOSED, &records);
        let alone = report(CLOSED, &records[..1]);
        for (with, without) in [
            (&level.ttft_ms, &alone.ttft_ms),
            (&level.itl_ms, &alone.itl_ms),
            (&level.tpot_ms, &alone.tpot_ms),
            (&level.latency_ms, &alone.latency_ms),
            (&level.first_answer_ms, &alone.first_answer_ms),
            (&level.user_tokens_per_s, &alone.user_tokens_per_s),
            (&level.output_tokens, &alone.output_tokens),
        ] {
            assert_eq!(with, without);
        }
        let Requests {
            ended,
            ok,
            failed,
            aborted,
            ..
        } = level.requests;
        assert_eq!((ended, ok, failed, aborted), (4, 1, 3, 1));
        let kinds: Vec<_> = level
            .requests
            .errors
            .iter()
            .map(|e| (e.kind.as_str(), e.count, e.example.as_str()))
            .collect();
        assert_eq!(kinds, [("queue_full", 2, "no 950"), ("other", 1, "no 900")]);
        assert_eq!(level.limits.queue_full, 2);
        assert_eq!(
            level.concurrency.most, 4,
            "they were in flight all the same"
        );
    }

    #[test]
    fn warmups_and_switches_are_counted_apart() {
        let warmup = RequestRecord {
            phase: Phase::Warmup,
            ..answer(0, 900, &[50])
        };
        let switch = RequestRecord {
            phase: Phase::Switch,
            ..answer(0, 90_000, &[50])
        };
        let records = [
            warmup.clone(),
            switch,
            failing(None, warmup),
            answer(100_000, 100, &[10]),
        ];
        let level = report(CLOSED, &records);
        assert_eq!(
            (
                level.requests.ended,
                level.requests.warmup,
                level.requests.warmup_failed
            ),
            (1, 2, 1)
        );
        assert_eq!((level.ttft_ms.count, level.ttft_ms.max), (1, Some(100.0)));
        assert_eq!(
            level.concurrency.most, 1,
            "three were in flight at once before it"
        );
        let limited = RequestRecord {
            phase: Phase::Warmup,
            ..answer(0, 1, &[])
        };
        let refused = [
            FaultClass::RateLimited,
            FaultClass::IngressLimited,
            FaultClass::QueueFull,
        ]
        .map(|class| failing(Some(class), limited.clone()));
        assert_eq!(report(CLOSED, &refused).limits, Limits::default());
        assert_eq!(
            level.requests.errors,
            [],
            "errors are those of measured requests"
        );
        assert!(
            level
                .notes
                .contains(&"1 of 2 warm-ups failed: no 0".to_owned()),
            "{:?}",
            level.notes
        );
    }

    #[test]
    fn an_answer_of_one_token_has_no_itl_and_misses_no_objective_of_it() {
        let objectives = Objectives {
            itl: Some(ms(15)),
            tpot: Some(ms(15)),
            ..Objectives::default()
        };
        let mut tally = Tally::new(objectives, CLOSED);
        tally.record(&answer(0, 100, &[]));
        tally.record(&answer(200, 100, &[10, 30]));
        tally.record(&failing(None, answer(400, 1, &[])));
        let level = tally.report(frame(0, 1_000));
        assert_eq!((level.itl_ms.count, level.tpot_ms.count), (2, 1));
        let goodput = level.goodput.expect("objectives are set");
        assert_eq!(
            (goodput.met, goodput.missed, goodput.share),
            (1, 2, Some(1.0 / 3.0))
        );
        assert_eq!(
            goodput.missed_by,
            [("itl".to_owned(), 1), ("tpot".to_owned(), 1)]
        );
        assert!((goodput.requests_per_s.expect("a rate") - 1.0).abs() < 0.01);
    }

    #[test]
    fn an_objective_is_met_up_to_its_limit_and_counts_from_when_it_was_due() {
        let objectives = Objectives {
            ttft: Some(ms(100)),
            latency: Some(ms(150)),
            ..Objectives::default()
        };
        let mut late = answer(100, 100, &[10]);
        late.due = ms(50);
        let mut tally = Tally::new(objectives, OPEN);
        tally.record(&answer(0, 100, &[50]));
        tally.record(&late);
        let goodput = tally
            .report(frame(0, 1_000))
            .goodput
            .expect("objectives are set");
        assert_eq!((goodput.met, goodput.missed), (1, 1));
        assert_eq!(
            goodput.missed_by,
            [("ttft".to_owned(), 1), ("latency".to_owned(), 1)]
        );
    }

    #[test]
    fn tokens_that_nobody_counted_are_called_chunks() {
        let mut uncounted = answer(0, 100, &[10; 9]);
        let tokens = uncounted.figures.tokens.as_mut().expect("tokens");
        tokens.source = TokenSource::Chunks;
        let all = report(CLOSED, &[uncounted.clone()]);
        assert_eq!(all.tokens_from, "chunks");
        assert!(
            all.notes[0].contains("tokens are chunks"),
            "{:?}",
            all.notes
        );
        let some = report(CLOSED, &[uncounted, answer(500, 100, &[])]);
        assert_eq!(some.tokens_from, "mixed");
        assert!(
            some.notes[0].starts_with("1 of 2 answers came without"),
            "{:?}",
            some.notes
        );
    }

    #[test]
    fn the_servers_figures_stand_beside_ours() {
        let mut record = answer(0, 100, &[10; 9]);
        record.figures.server = Some(crate::metrics::timeline::ServerFigures {
            ttft: Some(ms(70)),
            latency: Some(ms(150)),
            after_first_per_sec: Some(110.0),
            ..Default::default()
        });
        let server = report(CLOSED, &[record]).server.expect("it sends some");
        assert_eq!(
            (
                server.ttft_p50_difference_ms,
                server.latency_p50_difference_ms
            ),
            (Some(30.0), Some(40.0))
        );
        assert_eq!(server.tokens_per_s.mean, Some(110.0));
        assert_eq!(server.tokens_per_s_p50_difference, Some(-10.0));
    }

    #[test]
    fn differences_are_over_the_same_answers_and_from_when_they_were_sent() {
        let served = |record: RequestRecord, ttft: u64| {
            let figures = crate::metrics::timeline::ServerFigures {
                ttft: Some(ms(ttft)),
                ..Default::default()
            };
            let figures = Figures {
                server: Some(figures),
                ..record.figures
            };
            RequestRecord { figures, ..record }
        };
        // Due a second before they left, and twice as many answers of which the server says nothing.
        let due = |record: RequestRecord| RequestRecord {
            due: record.sent - ms(1_000),
            ..record
        };
        let records: Vec<RequestRecord> = (1..=30u64)
            .map(|i| {
                due(answer(
                    i * 2_000,
                    if i % 3 == 0 { 100 } else { 700 },
                    &[10; 9],
                ))
            })
            .map(|record| {
                if record.sent.as_secs() % 6 == 0 {
                    served(record, 80)
                } else {
                    record
                }
            })
            .collect();
        let level = report(OPEN, &records);
        assert_eq!(level.ttft_ms.at(P50), Some(1_700.0));
        let server = level.server.expect("it sends some");
        assert_eq!(
            (server.ttft_ms.count, server.ttft_p50_difference_ms),
            (10, Some(20.0))
        );
        assert_eq!(server.latency_p50_difference_ms, None, "it says no latency");
    }

    #[test]
    fn without_a_steady_part_there_is_no_throughput() {
        let tally = tally(CLOSED, &[answer(0, 100, &[10; 9])]);
        let level = tally.report(LevelFrame {
            steady: None,
            ..frame(0, 1_000)
        });
        assert_eq!(level.throughput, Throughput::default());
        assert_eq!((level.concurrency.reached, level.steady_s), (None, None));
        assert!(
            level.notes.iter().any(|note| note.contains("never steady")),
            "{:?}",
            level.notes
        );
    }

    #[test]
    fn what_is_in_flight_still_counts_as_such() {
        let tally = tally(LevelLoad::Concurrency(2), &[answer(0, 500, &[500])]);
        let still = LevelFrame {
            in_flight_since: vec![ms(0)],
            ..frame(0, 1_000)
        };
        let reached = tally.report(still).concurrency.reached.expect("a mean");
        assert!((reached - 2.0).abs() < 0.002, "{reached}");
        let level = tally.report(frame(0, 1_000));
        assert!(level.notes.contains(
            &"2 asked for in flight, 1.0 reached: the figures are of that load".to_owned()
        ));
        let running = tally.report(LevelFrame {
            ended: LevelEnd::Running,
            ..frame(0, 1_000)
        });
        assert_eq!(running.notes, [""; 0], "more will come");
    }

    #[test]
    fn too_few_requests_are_said_in_one_sentence() {
        let records: Vec<_> = (0..40).map(|i| answer(i * 1_000, 100, &[10; 99])).collect();
        let level = report(CLOSED, &records);
        assert_eq!(
            (
                level.ttft_ms.estimate(P50).ci.is_some(),
                level.ttft_ms.estimate(P95).ci
            ),
            (true, None)
        );
        assert!(level.itl_ms.estimate(P99).ci.is_some());
        let few: Vec<_> = level
            .notes
            .iter()
            .filter(|note| note.contains("95 % interval"))
            .collect();
        assert_eq!(
            few,
            [
                "p95, p99 and p99.9 of TTFT, TPOT and latency rest on 40 requests: they need 72, 368 and 3,688 for a \
                 95 % interval"
            ]
        );
        let more: Vec<_> = (0..100).map(|i| answer(i * 1_000, 100, &[])).collect();
        let notes = report(CLOSED, &more).notes;
        let last = notes.last().map(String::as_str);
        assert_eq!(
            last,
            Some(
                "p99 and p99.9 of TTFT and latency rest on 100 requests: they need 368 and 3,688 for a 95 % interval"
            )
        );
    }

    #[test]
    fn many_gaps_of_few_answers_are_no_ground_for_an_interval() {
        let level = report(CLOSED, &[answer(0, 100, &[10; 500])]);
        assert_eq!(
            (level.itl_ms.count, level.itl_ms.estimate(P50).ci),
            (500, None)
        );
        let note = level.notes.last().map(String::as_str).unwrap_or_default();
        assert!(
            note.starts_with(
                "p50, p95, p99 and p99.9 of TTFT, TPOT and latency rest on 1 request: "
            ),
            "{note}"
        );
        assert!(
            note.ends_with(
                "; p50, p95 and p99 of ITL: the gaps are of too few answers for a 95 % interval"
            ),
            "{note}"
        );
    }

    #[test]
    fn prompts_off_their_length_are_told() {
        let mut records: Vec<_> = (0..10).map(|i| answer(i * 1_000, 100, &[])).collect();
        records
            .iter_mut()
            .for_each(|record| record.wanted_prompt_tokens = Some(98));
        records[3].wanted_prompt_tokens = Some(90);
        let notes = report(CLOSED, &records).notes;
        // 98 → 100 is 2.04 %.
        let expected = "10 of 10 prompts missed the length asked for by more than 2 %; all together they were 2.88 % longer";
        assert!(notes.contains(&expected.to_owned()), "{notes:?}");
        records
            .iter_mut()
            .for_each(|record| record.wanted_prompt_tokens = Some(102));
        assert!(
            !report(CLOSED, &records)
                .notes
                .iter()
                .any(|note| note.contains("prompts"))
        );
    }

    #[test]
    fn throughput_of_few_answer_times_says_that_it_has_no_interval() {
        // Eight clients, each amid its third answer of ten seconds.
        let records: Vec<_> = (0..24)
            .map(|i| answer((i % 3) * 10_000 + i * 100, 1_000, &[100; 90]))
            .collect();
        let level = tally(LevelLoad::Concurrency(8), &records).report(frame(0, 30_000));
        assert_eq!(
            level.throughput.requests_per_s.map(|rate| rate.ci),
            Some(None)
        );
        let said = level
            .notes
            .iter()
            .find(|note| note.starts_with("throughput"));
        let expected =
            "has no 95 % interval: the steady part of 30.0 s is shorter than 5 answers of 10.0 s";
        assert!(
            said.is_some_and(|note| note.ends_with(expected)),
            "{:?}",
            level.notes
        );
        let long = tally(LevelLoad::Concurrency(8), &records).report(frame(0, 60_000));
        assert!(
            !long.notes.iter().any(|note| note.starts_with("throughput")),
            "{:?}",
            long.notes
        );
    }

    /// The first note on `n` requests over so many seconds, the last of which was refused.
    fn first_note(
        n: u64,
        seconds: u64,
        class: Option<FaultClass>,
        headers: &[(String, String)],
    ) -> String {
        let gap = seconds * 1_000 / n;
        let mut records: Vec<_> = (0..n - 1).map(|i| answer(i * gap, 1, &[])).collect();
        let refused = failing(class, answer(seconds * 1_000 - 1, 1, &[]));
        let error = refused.error.clone().map(|error| RequestError {
            status: Some(429),
            ..error
        });
        records.push(RequestRecord { error, ..refused });
        let rate_limit = headers.to_vec();
        let level = tally(CLOSED, &records).report(LevelFrame {
            rate_limit,
            ..frame(0, seconds * 1_000)
        });
        assert_eq!(level.limits.rate_limited, 1);
        level.notes[0].clone()
    }

    #[test]
    fn a_limit_is_told_from_slowness_and_the_ingress_from_the_api() {
        let refused =
            "1 request was refused with 429: the figures measure that limit as much as the model";
        let stock = "lets 240 a minute through as SambaStack installs it (burst 360)";
        // A minute of the stock ingress lets 240 through besides a burst of 360.
        for (n, class) in [(610, Some(FaultClass::RateLimited)), (610, None)] {
            let said = first_note(n, 60, class, &[]);
            assert_eq!(
                said,
                format!(
                    "{refused}; that many in 60.0 s may be more than the ingress, which {stock}"
                )
            );
        }
        assert_eq!(
            first_note(12, 1, Some(FaultClass::RateLimited), &[]),
            refused,
            "its burst is not used up"
        );
        assert_eq!(
            first_note(600, 60, Some(FaultClass::RateLimited), &[]),
            refused
        );
        let told = [("x-ratelimit-limit-requests".to_owned(), "1000".to_owned())];
        assert_eq!(
            first_note(610, 60, Some(FaultClass::RateLimited), &told),
            refused,
            "the API has its own"
        );
        let said = first_note(12, 1, Some(FaultClass::IngressLimited), &told);
        assert_eq!(
            said,
            format!("{refused}; by the ingress, with a web page as no API sends: it {stock}")
        );
    }

    #[test]
    fn the_ingress_has_a_count_and_an_example_of_its_own() {
        let [api, ingress] = [FaultClass::RateLimited, FaultClass::IngressLimited]
            .map(|class| failing(Some(class), answer(10, 1, &[])));
        let level = report(CLOSED, &[answer(0, 1, &[]), api, ingress.clone(), ingress]);
        assert_eq!((level.limits.rate_limited, level.limits.ingress), (3, 2));
        let kinds: Vec<_> = level
            .requests
            .errors
            .iter()
            .map(|e| (e.kind.as_str(), e.count))
            .collect();
        assert_eq!(kinds, [("ingress_limited", 2), ("rate_limited", 1)]);
        assert!(
            level.notes[0].contains("; 2 of them by the ingress"),
            "{:?}",
            level.notes
        );
    }

    #[test]
    fn answers_that_arrived_all_at_once_are_counted_and_have_no_speed() {
        let at_once = |sent| {
            let mut record = answer(sent, 50, &[0, 0, 0]);
            assert!(record.figures.at_once, "they have no gaps");
            record.gaps_us.clear();
            record
        };
        let level = report(
            CLOSED,
            &[at_once(0), at_once(100), answer(200, 50, &[10, 10])],
        );
        assert_eq!((level.at_once, level.requests.ok), (2, 3));
        assert_eq!(
            (
                level.itl_ms.count,
                level.tpot_ms.count,
                level.user_tokens_per_s.count
            ),
            (2, 1, 1)
        );
        assert_eq!(level.ttft_ms.count, 3, "when the first text came is known");
        let note = "2 of 3 answers arrived all at once; a proxy may be buffering: they are in no TPOT, ITL or tokens/s";
        assert!(
            level.notes.iter().any(|told| told == note),
            "{:?}",
            level.notes
        );
        let rare: Vec<_> = (0..20)
            .map(|n| answer(n * 100, 50, &[10]))
            .chain([at_once(3_000)])
            .collect();
        let level = report(CLOSED, &rare);
        assert_eq!(level.at_once, 1);
        assert!(
            !level.notes.iter().any(|told| told.contains("all at once")),
            "{:?}",
            level.notes
        );
    }

    #[test]
    fn answers_without_text_are_counted_apart() {
        let empty = failing(Some(FaultClass::NoText), answer(10, 1, &[]));
        let level = report(CLOSED, &[answer(0, 1, &[10]), empty.clone(), empty]);
        let Requests {
            ended,
            ok,
            failed,
            without_text,
            ..
        } = level.requests;
        assert_eq!((ended, ok, failed, without_text), (3, 1, 2, 2));
        assert!(
            level
                .notes
                .iter()
                .any(|note| note.contains("2 answers without text")),
            "{:?}",
            level.notes
        );
    }

    #[test]
    fn the_model_that_answered_is_credited() {
        let by = |record: RequestRecord, model: &str| {
            let answered_by = Some(model.to_owned());
            RequestRecord {
                answered_by,
                ..record
            }
        };
        let records: Vec<_> = (0..4)
            .map(|n| by(answer(n * 100, 50, &[10]), "other"))
            .collect();
        let level = report(CLOSED, &[&records[..], &[answer(900, 50, &[10])]].concat());
        assert_eq!(
            level.answered_by,
            [AnsweredBy {
                model: "other".to_owned(),
                answers: 4
            }]
        );
        assert_eq!(
            (level.other_model(), level.credited().as_str()),
            (Some("other"), "other (asked: m)")
        );
        let note = "4 of 5 answers came from other, not from m";
        assert!(
            level.notes.iter().any(|told| told.starts_with(note)),
            "{:?}",
            level.notes
        );
        let level = report(
            CLOSED,
            &[
                records[0].clone(),
                answer(500, 50, &[10]),
                answer(900, 50, &[10]),
            ],
        );
        assert_eq!(level.credited(), "m", "most came from it");
        let many: Vec<_> = (0..40)
            .map(|n| by(answer(n * 100, 50, &[10]), &format!("m{n}")))
            .collect();
        assert_eq!(
            report(CLOSED, &many).answered_by.len(),
            MAX_OTHER_MODELS + 1
        );
    }

    #[test]
    fn coalesced_tokens_are_said() {
        let mut record = answer(0, 50, &[10; 9]);
        record.figures.tokens = Some(Tokens {
            n: 40,
            source: TokenSource::Usage,
        });
        let level = report(CLOSED, &[record]);
        assert_eq!(level.tokens_per_chunk, Some(4.0));
        assert!(
            level
                .notes
                .iter()
                .any(|note| note.starts_with("a chunk holds 4.0 tokens")),
            "{:?}",
            level.notes
        );
        let level = report(CLOSED, &[answer(0, 50, &[10, 0, 0, 10, 0, 0])]);
        let note = "67 % of the chunks came in one read with the one before";
        assert!(
            level.notes.iter().any(|told| told.starts_with(note)),
            "{:?}",
            level.notes
        );
    }

    #[test]
    fn without_a_cluster_no_ingress_is_blamed() {
        let refused = failing(Some(FaultClass::IngressLimited), answer(10, 1, &[]));
        let mut tally = Tally::new(Objectives::default(), CLOSED).beside_cluster(false);
        (0..610).for_each(|n| tally.record(&answer(n * 50, 1, &[])));
        tally.record(&refused);
        let said = tally.report(frame(0, 31_000)).notes.join("\n");
        assert!(said.contains("; all by a gateway before the API"), "{said}");
        assert!(
            !said.contains("ingress") && !said.contains("SambaStack"),
            "{said}"
        );
    }

    fn any_record() -> impl Strategy<Value = RequestRecord> {
        let gaps = prop::collection::vec(0u64..200, 0..20);
        (0u64..60_000, 1u64..2_000, gaps, 0u64..300, 0u8..10).prop_map(
            |(sent, ttft, gaps, late, kind)| {
                let mut record = answer(sent + 300, ttft, &gaps);
                record.due = record.sent - ms(late);
                record.index = sent * 31 + ttft;
                record.wanted_prompt_tokens = Some(95 + late as u32 / 30);
                match kind {
                    0 => failing(Some(FaultClass::RateLimited), record),
                    1 => failing(None, record),
                    2 => RequestRecord {
                        phase: Phase::Warmup,
                        ..record
                    },
                    3 => failing(
                        None,
                        RequestRecord {
                            phase: Phase::Warmup,
                            ..record
                        },
                    ),
                    _ => record,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn merging_equals_recording_everything_in_one(
            a in prop::collection::vec(any_record(), 0..40),
            b in prop::collection::vec(any_record(), 0..40),
        ) {
            let objectives = Objectives { ttft: Some(ms(900)), itl: Some(ms(100)), ..Objectives::default() };
            let of = |records: &mut dyn Iterator<Item = &RequestRecord>| {
                let mut tally = Tally::new(objectives, OPEN);
                records.for_each(|record| tally.record(record));
                tally
            };
            let mut merged = of(&mut a.iter());
            merged.merge(&of(&mut b.iter()));
            let all = of(&mut b.iter().chain(&a));
            let frame = || LevelFrame { steady: Some([ms(5_000), ms(40_000)]), ..frame(0, 62_000) };
            prop_assert_eq!(merged.report(frame()), all.report(frame()));
            prop_assert_eq!(merged.ended(), all.ok() + all.failed());
        }
    }
}

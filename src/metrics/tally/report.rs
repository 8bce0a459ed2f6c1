//! A level's report, written from what its records came to.

use std::time::Duration;

use super::{LevelFrame, Tally};
use crate::domain::plan::Answered;
use crate::domain::run::{
    AnsweredBy, Concurrency, LevelEnd, LevelReport, Limits, Rate, Requests, Stats, Throughput,
};
use crate::metrics::dependence::Effective;
use crate::metrics::notes::{self, Held};
use crate::metrics::ordered::{Each, Effects};
use crate::metrics::rates::{Counted, Window};
use crate::metrics::stats::Histogram;
use crate::metrics::watch::{self, Measured};

/// As how many independent ones `n` requests count; 0 where that is not known well enough.
fn counted(effective: Effective, n: u64) -> u64 {
    effective.usable.unwrap_or(0).min(n)
}

impl Tally {
    /// The level's report as far as it is known. While it runs, several times a second is fine: it reads each histogram
    /// once, and leaves out what takes the order of the requests: the intervals of percentiles.
    pub fn report(&self, frame: LevelFrame) -> LevelReport {
        let steady = self.steady(&frame);
        let window = steady.map(|steady| Window::new(steady, &frame.pauses));
        let effects = (frame.ended != LevelEnd::Running)
            .then(|| self.ordered.effects(&self.itl, self.load.is_open()));
        let mut level = self.figures(&frame, steady, window.as_ref(), effects.as_ref());
        level.cost_per_million = self
            .price
            .and_then(|price| price.per_million_output(self.answered_tokens(&level)));
        level.limits.headers = frame.rate_limit;
        level.watch = frame.watch;
        // Samples of one moment are alike, and nobody keeps their order.
        for stats in level.watch.distributions_mut() {
            stats.forget_intervals();
        }
        watch::judge(
            &mut level.watch,
            &Measured {
                ttft_ms: &level.ttft_ms,
                itl_ms: &level.itl_ms,
                latency_ms: &level.latency_ms,
                requests: self.ended(),
                open: self.load.is_open(),
                running: frame.ended == LevelEnd::Running,
            },
        );
        let paused: Duration = frame
            .pauses
            .iter()
            .map(|[from, to]| to.saturating_sub((*from).max(frame.began)))
            .sum();
        let warmup_error = self.warmup_errors.first.as_ref();
        let seen = notes::Seen {
            cluster: self.cluster,
            prompts: &self.prompts,
            effects: effects.as_ref(),
            by_chunks: self.by_chunks,
            chunks: &self.chunks,
            held: (self.ok > 0).then(|| Held {
                share: self.held_us as f64 / self.took_us.max(1) as f64,
                each: Duration::from_micros(self.held_us / self.ok),
            }),
            warmup_error: warmup_error.map(|(_, text)| text.as_str()),
            sending: frame.sending,
            thinks: self.thinks,
            answer_takes: self
                .answer_takes()
                .map(|us| Duration::from_micros(us as u64)),
            steady_for: window.map(|window| Duration::from_micros(window.length())),
            sent_for: frame.now.saturating_sub(frame.began).saturating_sub(paused),
        };
        level.notes = notes::write(&level, &seen);
        level
    }

    /// The frame's steady part. In an open loop it begins later: requests that a stall at the beginning piled up are
    /// answered faster than they come, for a while.
    fn steady(&self, frame: &LevelFrame) -> Option<[Duration; 2]> {
        match frame.steady {
            Some(steady) if self.load.is_open() => Some([self.backlog.settled(steady), steady[1]]),
            steady => steady,
        }
    }

    /// All that the records tell: the report without its notes, limits' headers and measurement warnings.
    fn figures(
        &self,
        frame: &LevelFrame,
        steady: Option<[Duration; 2]>,
        window: Option<&Window>,
        effects: Option<&Effects>,
    ) -> LevelReport {
        let each = |of: &Histogram, figure| of.stats_as(|it| effects?.each(figure, it));
        let met_per_s = window
            .filter(|_| self.ended() > 0)
            .and_then(|window| self.rate(Counted::Met, window, effects));
        LevelReport {
            workers: Vec::new(),
            index: frame.index,
            label: self.load.label(),
            run: None,
            model: frame.model.clone(),
            deployment: frame.deployment.clone(),
            load: self.load,
            ended: frame.ended,
            began_s: Some(frame.began.as_secs_f64()),
            took_s: Some(frame.now.saturating_sub(frame.began).as_secs_f64()),
            steady_s: steady.map(|steady| steady.map(|at| at.as_secs_f64())),
            requests: self.requests_of(frame, effects),
            at_once: self.at_once,
            tokens_per_chunk: self.chunks.tokens_per_chunk(),
            answered_by: self.others(),
            tokens_from: self.tokens_from().to_owned(),
            server: self.server.report(effects),
            server_metrics: None,
            network: None,
            ttft_ms: each(&self.ttft, Each::Ttft),
            first_answer_ms: each(&self.first_answer, Each::FirstAnswer),
            itl_ms: self.itl.stats_as(|it| effects?.itl(it)),
            tpot_ms: each(&self.tpot, Each::Tpot),
            latency_ms: each(&self.latency, Each::Latency),
            connect_ms: each(&self.connect, Each::Connect),
            late_ms: each(&self.late, Each::Late),
            user_tokens_per_s: each(&self.user_speed, Each::UserSpeed),
            prompt_tokens: each(&self.prompt_tokens, Each::PromptTokens),
            cached_tokens: each(&self.cached_tokens, Each::CachedTokens),
            output_tokens: each(&self.output_tokens, Each::OutputTokens),
            reasoning_tokens: each(&self.reasoning_tokens, Each::ReasoningTokens),
            throughput: window
                .map(|window| self.throughput(window, effects))
                .unwrap_or_default(),
            concurrency: self.concurrency(frame, window),
            cost_per_million: None,
            goodput: self.goodput.report(
                &self.objectives,
                frame.unsent,
                met_per_s.map(|rate| rate.mean),
                effects.map(|effects| counted(effects.met, self.ended())),
            ),
            limits: Limits {
                rate_limited: self.refused.for_rate,
                ingress: self.refused.by_ingress,
                queue_full: self.refused.for_queue,
                headers: Vec::new(),
            },
            probe: None,
            watch: Default::default(),
            notes: Vec::new(),
        }
    }

    /// What was answered, as far as it costs.
    fn answered_tokens(&self, level: &LevelReport) -> Answered {
        // A count that some answers lack would make the rest look cheaper.
        let total = |stats: &Stats| {
            let all = stats.mean? * stats.count as f64;
            (stats.count == self.ok).then_some(all)
        };
        Answered {
            prompt_tokens: total(&level.prompt_tokens),
            cached_tokens: total(&level.cached_tokens),
            output_tokens: total(&level.output_tokens).unwrap_or_default(),
            output_per_s: level.throughput.output_tokens_per_s.map(|rate| rate.mean),
        }
    }

    /// The requests, those among them that have no record.
    fn requests_of(&self, frame: &LevelFrame, effects: Option<&Effects>) -> Requests {
        let mut requests = self.requests();
        requests.effective = effects.map(|effects| counted(effects.failed, requests.ended));
        requests.aborted += frame.aborted;
        requests.unsent += frame.unsent;
        requests
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

    fn throughput(&self, window: &Window, effects: Option<&Effects>) -> Throughput {
        let counted = self.output_tokens.count() > 0;
        // With prompts that nobody counted the sum would be too low.
        let prompts_counted = self.ok > 0 && self.prompt_tokens.count() == self.ok;
        let rate = |what, known: bool| self.rate(what, window, effects).filter(|_| known);
        Throughput {
            output_tokens_per_s: rate(Counted::Output, counted),
            prompt_tokens_per_s: rate(Counted::Prompt, prompts_counted),
            total_tokens_per_s: rate(Counted::Total, counted && prompts_counted),
            requests_per_s: rate(Counted::Answers, self.ok > 0),
        }
    }

    fn rate(&self, what: Counted, window: &Window, effects: Option<&Effects>) -> Option<Rate> {
        let apart = effects.and_then(|effects| effects.batch_us);
        self.rates.rate(what, window, self.answer_takes(), apart)
    }

    /// The mean answer, in µs.
    fn answer_takes(&self) -> Option<f64> {
        (self.ok > 0).then(|| self.took_us as f64 / self.ok as f64)
    }

    fn concurrency(&self, frame: &LevelFrame, window: Option<&Window>) -> Concurrency {
        let reached = window.and_then(|window| {
            let since = frame.in_flight_since.iter();
            let still: u64 = since.map(|sent| window.overlap([*sent, frame.now])).sum();
            Some(self.rates.mean_in_flight(window)? + still as f64 / window.length() as f64)
        });
        Concurrency {
            asked: self.load.most_in_flight(),
            reached,
            most: Some(self.rates.most_in_flight().max(frame.most_in_flight)),
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

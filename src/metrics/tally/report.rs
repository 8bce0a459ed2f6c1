//! A level's report, written from what its records came to.

use std::time::Duration;

use super::{LevelFrame, Tally};
use crate::domain::run::{
    AnsweredBy, Concurrency, LevelEnd, LevelReport, Limits, Rate, Requests, Throughput,
};
use crate::metrics::notes::{self, Held};
use crate::metrics::rates::{Counted, Window};
use crate::metrics::watch::{self, Measured};

impl Tally {
    /// The level's report as far as it is known. Several times a second is fine: it reads each histogram once.
    pub fn report(&self, frame: LevelFrame) -> LevelReport {
        let steady = self.steady(&frame);
        let window = steady.map(|steady| Window::new(steady, &frame.pauses));
        let mut level = self.figures(&frame, steady, window.as_ref());
        level.limits.headers = frame.rate_limit;
        level.watch = frame.watch;
        watch::judge(
            &mut level.watch,
            &Measured {
                ttft_ms: &level.ttft_ms,
                itl_ms: &level.itl_ms,
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
            by_chunks: self.by_chunks,
            chunks: &self.chunks,
            held: (self.ok > 0).then(|| Held {
                share: self.held_us as f64 / self.took_us.max(1) as f64,
                each: Duration::from_micros(self.held_us / self.ok),
            }),
            warmup_error: warmup_error.map(|(_, text)| text.as_str()),
            sending: frame.sending,
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
    ) -> LevelReport {
        let met_per_s = window
            .filter(|_| self.ended() > 0)
            .and_then(|window| self.rate(Counted::Met, window));
        LevelReport {
            index: frame.index,
            label: self.load.label(),
            model: frame.model.clone(),
            deployment: frame.deployment.clone(),
            load: self.load,
            ended: frame.ended,
            began_s: Some(frame.began.as_secs_f64()),
            took_s: Some(frame.now.saturating_sub(frame.began).as_secs_f64()),
            steady_s: steady.map(|steady| steady.map(|at| at.as_secs_f64())),
            requests: self.requests_of(frame),
            at_once: self.at_once,
            tokens_per_chunk: self.chunks.tokens_per_chunk(),
            answered_by: self.others(),
            tokens_from: self.tokens_from().to_owned(),
            server: self.server.report(),
            ttft_ms: self.ttft.stats(),
            first_answer_ms: self.first_answer.stats(),
            itl_ms: self.itl.stats(),
            tpot_ms: self.tpot.stats(),
            latency_ms: self.latency.stats(),
            connect_ms: self.connect.stats(),
            late_ms: self.late.stats(),
            user_tokens_per_s: self.user_speed.stats(),
            prompt_tokens: self.prompt_tokens.stats(),
            cached_tokens: self.cached_tokens.stats(),
            output_tokens: self.output_tokens.stats(),
            reasoning_tokens: self.reasoning_tokens.stats(),
            throughput: window
                .map(|window| self.throughput(window))
                .unwrap_or_default(),
            concurrency: self.concurrency(frame, window),
            goodput: self.goodput.report(
                &self.objectives,
                frame.unsent,
                met_per_s.map(|rate| rate.mean),
            ),
            limits: Limits {
                rate_limited: self.rate_limited,
                ingress: self.ingress_limited,
                queue_full: self.queue_full,
                headers: Vec::new(),
            },
            probe: None,
            watch: Default::default(),
            notes: Vec::new(),
        }
    }

    /// The requests, those among them that have no record.
    fn requests_of(&self, frame: &LevelFrame) -> Requests {
        let mut requests = self.requests();
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

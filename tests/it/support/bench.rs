//! Sessions on the Benchmark page, told as the engine would tell them.

use std::sync::Arc;

use batida::domain::plan::{LevelLoad, Plan};
use batida::domain::run::{
    BenchProgress, BenchReport, Bracket, Calibration, ErrorCount, Flight, Goodput, InFlight,
    LevelEnd, LevelReport, Machine, Point, Rate, RatePoint, Requests, Searching, ServerSide,
    SessionEnd, Stage, Stats, Throughput, Watch,
};
use batida::domain::stats::{Estimate, P5, P50, P95, P99, Percentiles};
use batida::protocol::{Event, Failure, JobId};
use batida::state::State;

use super::window::Window;

/// Picks a preset and runs it; what the engine says to it is left aside.
pub(crate) fn run(window: &mut Window, preset: &str) -> JobId {
    window.pick("Preset", preset);
    let mut out = Vec::new();
    window.state_mut().state().run_bench(&mut out);
    window.step();
    window.state_mut().state().bench.running().expect("it runs")
}

pub(crate) fn tell(window: &mut Window, job: JobId, say: impl FnOnce(&mut Script)) {
    let state = window.state_mut().state();
    let mut script = Script::new(state);
    say(&mut script);
    script.tell(state, job);
    window.run_steps(3);
}

pub(crate) fn end(window: &mut Window, job: JobId, outcome: Result<Arc<BenchReport>, Failure>) {
    window
        .state_mut()
        .state()
        .apply(Event::BenchEnded { job, outcome }, Default::default());
    window.run_steps(3);
}

/// Progress as the engine would tell it, with figures made up.
pub(crate) struct Script {
    plan: Plan,
    said: Vec<BenchProgress>,
}

impl Script {
    pub(crate) fn new(state: &State) -> Self {
        let plan = state
            .bench
            .session
            .as_ref()
            .expect("a session runs")
            .plan
            .clone();
        Self {
            plan,
            said: Vec::new(),
        }
    }

    /// As if the engine had said it.
    pub(crate) fn tell(self, state: &mut State, job: JobId) {
        for progress in self.said {
            state.apply(
                Event::BenchAdvanced {
                    job,
                    progress: Box::new(progress),
                },
                Default::default(),
            );
        }
    }

    pub(crate) fn stage(&mut self, stage: Stage) {
        let levels = self.plan.levels().len();
        self.said.push(BenchProgress {
            elapsed_s: 1.0,
            stage,
            level: 0,
            levels,
            level_done: 0.0,
            done: 0.0,
            left_s: None,
            requests: (0, Some(200)),
            in_flight: InFlight::default(),
            points: Vec::new(),
            rates: Vec::new(),
            flights: Vec::new(),
            server: Vec::new(),
            server_told: None,
            partial: None,
            ended: Vec::new(),
            search: None,
        });
    }

    /// A probe of a search under way.
    pub(crate) fn search(&mut self, load: LevelLoad, bracket: Bracket) {
        self.stage(Stage::Measuring);
        let progress = self.said.last_mut().expect("it was just said");
        progress.search = Some(Searching {
            target: 0,
            load,
            bracket,
        });
    }

    /// 30 s of a level that has ended, or is under way at its 142nd request.
    pub(crate) fn level(&mut self, index: usize, ended: bool) {
        self.stage(Stage::Measuring);
        let levels = self.plan.levels().len();
        let begin = 2.0 + index as f64 * 30.0;
        let n = if ended { 200u32 } else { 142 };
        let wave = |i: u32| f64::from((i * 7_919 + index as u32 * 31) % 101) / 101.0;
        let point = |i: u32| Point {
            level: index as u32,
            at_s: begin + f64::from(i) * 0.145,
            ttft_ms: (i != 77 || ended)
                .then(|| (60.0 + index as f64 * 45.0 + wave(i).powi(3) * 90.0) as f32),
        };
        let rate = |i: u32| RatePoint {
            at_s: begin + f64::from(i) / 4.0,
            level: index as u32,
            tokens_per_s: 480.0 * (index + 1) as f64 * (0.97 + 0.05 * wave(i)),
            in_flight: 1 << index.min(20),
        };
        let report = self.report_of(index, ended);
        let now = begin + 30.0;
        let progress = self.said.last_mut().expect("it was just said");
        *progress = BenchProgress {
            elapsed_s: now,
            level: index,
            done: (index as f64 + 0.7) / levels as f64,
            left_s: Some(100.0),
            requests: (n.into(), Some(200)),
            in_flight: InFlight {
                queued: 0,
                waiting: 5,
                streaming: 11,
            },
            points: (0..n).map(point).collect(),
            rates: (0..120).map(rate).collect(),
            flights: (0..24).map(|i| flight(i, now)).collect(),
            partial: (!ended).then(|| Box::new(report.clone())),
            ended: if ended { vec![report] } else { Vec::new() },
            ..progress.clone()
        };
        if let Some(last) = progress.points.last_mut() {
            last.at_s = last.at_s.min(now);
        }
        // A point that was counted twice would be seen: 200 + 142 requests and 18 that came late.
        if !ended {
            let late: Vec<Point> = (0..18)
                .map(|i| Point {
                    at_s: now - 0.1,
                    ..point(i)
                })
                .collect();
            progress.points.extend(late);
        }
    }

    fn report_of(&self, index: usize, ended: bool) -> LevelReport {
        let level = self.plan.levels()[index].clone();
        let target = &self.plan.targets[level.target];
        let scale = 1.0 + (index % self.plan.load.levels().len().max(1)) as f64;
        let failed = u64::from(!ended);
        let n = if ended { 200 } else { 142 };
        let error = ErrorCount {
            kind: "queue_full".to_owned(),
            count: 1,
            example: "HTTP 503".to_owned(),
        };
        LevelReport {
            index,
            deployment: target.deployment.clone(),
            ended: if ended {
                LevelEnd::Requests
            } else {
                LevelEnd::Running
            },
            began_s: Some(2.0 + index as f64 * 30.0),
            took_s: Some(30.0),
            steady_s: Some([3.0, 30.0]),
            requests: Requests {
                ended: n,
                ok: n - failed,
                failed,
                errors: if ended { Vec::new() } else { vec![error] },
                ..Requests::default()
            },
            ttft_ms: stats(60.0 + 40.0 * scale),
            itl_ms: stats(1.9 + scale * 0.2),
            latency_ms: stats(500.0 + 80.0 * scale),
            user_tokens_per_s: stats(560.0 - 40.0 * scale),
            throughput: Throughput {
                output_tokens_per_s: Some(rate(6_000.0 * (1.0 - (-scale / 3.0).exp()))),
                ..Throughput::default()
            },
            goodput: Some(Goodput {
                met: n - failed,
                missed: failed,
                share: Some(0.986),
                ..Goodput::default()
            }),
            server: Some(ServerSide {
                ttft_p50_difference_ms: Some(12.5),
                latency_p50_difference_ms: Some(20.0),
                tokens_per_s_p50_difference: Some(-1.2),
                ..ServerSide::default()
            }),
            watch: Watch {
                doubts: if ended {
                    Vec::new()
                } else {
                    vec!["timers fired up to 8 ms late".to_owned()]
                },
                ..Watch::default()
            },
            ..LevelReport::blank(&target.model, level.load)
        }
    }

    pub(crate) fn report(&self, ended: SessionEnd) -> Arc<BenchReport> {
        let levels = self.plan.levels().len().min(2);
        Arc::new(BenchReport {
            batida: "0".to_owned(),
            id: "abc".to_owned(),
            started_at: "2026-11-23T10:00:00Z".parse().expect("a moment"),
            took_s: 63.0,
            environment: "Demo".to_owned(),
            api: "http://127.0.0.1".to_owned(),
            machine: Machine::new("linux", 2, 1),
            plan: self.plan.clone(),
            ended,
            levels: (0..levels)
                .map(|index| self.report_of(index, index + 1 < levels))
                .collect(),
            calibrations: Vec::<Calibration>::new(),
            ..BenchReport::blank()
        })
    }
}

fn rate(mean: f64) -> Rate {
    Rate {
        mean,
        ci: Some([mean * 0.9, mean * 1.1]),
        batches: Some(20),
    }
}

fn stats(p50: f64) -> Stats {
    let bucket = |i: u32| {
        let from = p50 * (0.6 + f64::from(i) * 0.02);
        let height =
            (-(f64::from(i) - 20.0).powi(2) / 120.0).exp() * 40.0 + f64::from(u32::from(i < 80));
        [from, from + p50 * 0.02, height.round()]
    };
    Stats {
        count: 200,
        percentiles: {
            let mut known = Percentiles::of([(P5, p50 * 0.8), (P95, p50 * 1.5), (P99, p50 * 2.1)]);
            known.set(
                P50,
                Estimate {
                    value: Some(p50),
                    ci: Some([p50 * 0.95, p50 * 1.05]),
                    effective: None,
                },
            );
            known
        },
        buckets: (0..90).map(bucket).collect(),
        ..Stats::default()
    }
}

fn flight(index: u64, now: f64) -> Flight {
    let due_s = now - 2.0 + index as f64 * 0.08;
    let sent_s = (index < 23).then_some(due_s + 0.02);
    let first_s = (index < 20).then_some(due_s + 0.15);
    let ended_s = (index < 14).then_some(due_s + 0.9);
    Flight {
        index,
        due_s,
        sent_s,
        first_s,
        ended_s,
        failed: index == 6,
    }
}

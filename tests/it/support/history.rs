//! The History page alone, over a store that is made up: what it asks for is answered in the next frame.

use std::sync::Arc;
use std::time::Duration;

use batida::domain::failure::Failure;
use batida::domain::history::{
    Deletion, Exchange, ExchangeEnding, Facets, HistoryPage, HistoryQuery, SessionBody, SessionId,
    SessionKind, SessionRow, SessionState, SortBy, StoredSession, Traces, Trend, TrendPoint,
};
use batida::domain::plan::{Load, Plan, Target};
use batida::domain::run::{
    BenchReport, DeploymentBrief, EnvironmentInfo, LevelEnd, LevelReport, Machine, Point, Rate,
    RatePoint, Requests, Stats, Throughput,
};
use batida::domain::settings::Settings;
use batida::domain::stats::{P5, P50, P95, P99, Percentiles};
use batida::metrics::compare::{COMPARE_SCHEMA, Cell, Comparison, Difference, Row, Verdict};
use batida::metrics::timeline::{Figures, TokenSource, Tokens};
use batida::protocol::{Answer, Command, Event, HistoryAnswer, HistoryQuestion, JobId, Question};
use batida::state::State;
use batida::ui::theme;
use batida::ui::views::history::{Asked, HistoryUi};
use egui::{CentralPanel, Frame, Panel, Ui};
use jiff::{SignedDuration, Timestamp};

/// The page, what the window knows, and the store.
pub(crate) struct Stage {
    pub(crate) page: HistoryUi,
    pub(crate) state: State,
    pub(crate) store: Store,
    /// What was asked for and is none of the store's to answer.
    pub(crate) sent: Vec<Command>,
    /// What the page asked of the window last, that is not nothing.
    pub(crate) asked: Asked,
    out: Vec<Command>,
    installed: bool,
}

/// Sessions as a store would have them.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) rows: Vec<SessionRow>,
    /// It answers with this.
    pub(crate) failing: Option<Failure>,
    /// It answers nothing.
    pub(crate) silent: bool,
}

impl Stage {
    pub(crate) fn new(rows: Vec<SessionRow>) -> Self {
        Self {
            page: HistoryUi::default(),
            state: State::new(Settings::default()),
            store: Store {
                rows,
                ..Store::default()
            },
            sent: Vec::new(),
            asked: Asked::default(),
            out: Vec::new(),
            installed: false,
        }
    }

    /// Answers what was asked; gives whether anything was.
    pub(crate) fn answer(&mut self, now: Duration) -> bool {
        if self.store.silent {
            return false;
        }
        let asked = std::mem::take(&mut self.out);
        let any = !asked.is_empty();
        for command in asked {
            match self.store.answer(command) {
                Ok(events) => events
                    .into_iter()
                    .for_each(|event| self.state.apply(event, now)),
                Err(command) => self.sent.push(*command),
            }
        }
        any
    }

    /// Answers what was asked, and draws the page as the window does.
    pub(crate) fn frame(&mut self, ui: &mut Ui) {
        if !self.installed {
            self.installed = true;
            theme::install(ui.ctx());
            // The next frame has it.
            return;
        }
        let now = Duration::try_from_secs_f64(ui.input(|input| input.time)).expect("time goes on");
        if self.answer(now) {
            ui.ctx().request_repaint();
        }
        let fill = theme::Tokens::of(ui.style()).background;
        // As wide as beside the window's side bar.
        let narrow = ui.available_width() < 1_100.0;
        let side = Panel::left("side")
            .exact_size(if narrow { 148.0 } else { 188.0 })
            .resizable(false);
        side.show(ui, |_| {});
        CentralPanel::no_frame()
            .frame(
                Frame::new()
                    .fill(fill)
                    .inner_margin(theme::page_margin(narrow)),
            )
            .show(ui, |ui| {
                let asked = self.page.show(ui, &mut self.state, now, &mut self.out);
                if asked.benchmark || asked.playground {
                    self.asked = asked;
                }
            });
    }
}

impl Store {
    fn answer(&mut self, command: Command) -> Result<Vec<Event>, Box<Command>> {
        let event = match command {
            Command::Ask {
                job,
                question: Question::History(question),
            } => {
                let answer = match question {
                    HistoryQuestion::Rows { query } => {
                        HistoryAnswer::Rows(self.or_failing(|store| store.list(&query)))
                    }
                    HistoryQuestion::Session { id } => {
                        let found = self
                            .rows
                            .iter()
                            .find(|row| row.id == id)
                            .map(|row| Arc::new(stored(row)));
                        let missing = || Failure::new("There is no such session", "");
                        HistoryAnswer::Session(found.ok_or_else(missing))
                    }
                    HistoryQuestion::Compare {
                        sessions,
                        least_change,
                    } => {
                        HistoryAnswer::Compare(Ok(Arc::new(self.compare(&sessions, least_change))))
                    }
                    HistoryQuestion::Trend { model, .. } => {
                        HistoryAnswer::Trend(Ok(self.trend(model)))
                    }
                    question @ HistoryQuestion::Import => {
                        return Err(Box::new(Command::Ask {
                            job,
                            question: Question::History(question),
                        }));
                    }
                };
                Event::Answered {
                    job,
                    answer: Answer::History(answer),
                    took: Duration::ZERO,
                }
            }
            Command::DeleteSessions { what } => {
                match what {
                    Deletion::Sessions(ids) => self.rows.retain(|row| !ids.contains(&row.id)),
                    Deletion::OlderThan(until) => {
                        self.rows.retain(|row| row.baseline || row.began >= until)
                    }
                }
                Event::HistoryChanged
            }
            Command::SetBaseline { session, on } => {
                self.rows
                    .iter_mut()
                    .filter(|row| row.id == session)
                    .for_each(|row| row.baseline = on);
                Event::HistoryChanged
            }
            Command::TagSession { session, tags } => {
                self.rows
                    .iter_mut()
                    .filter(|row| row.id == session)
                    .for_each(|row| row.tags.clone_from(&tags));
                Event::HistoryChanged
            }
            other => return Err(Box::new(other)),
        };
        Ok(vec![event])
    }

    fn or_failing<T>(&self, answer: impl FnOnce(&Self) -> T) -> Result<T, Failure> {
        self.failing.clone().map_or_else(|| Ok(answer(self)), Err)
    }

    fn list(&self, query: &HistoryQuery) -> HistoryPage {
        let has = |names: &[String], wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|name| names.contains(name))
        };
        let words = |row: &SessionRow| {
            let all = [
                &[row.title.clone(), row.environment.clone()],
                &*row.models,
                &row.deployments,
                &row.tags,
            ]
            .concat();
            let all = all.join(" ").to_lowercase();
            query
                .text
                .to_lowercase()
                .split_whitespace()
                .all(|word| all.contains(word))
        };
        let mut rows: Vec<&SessionRow> = self
            .rows
            .iter()
            .filter(|row| words(row) && query.kind.is_none_or(|kind| row.kind == kind))
            .filter(|row| {
                has(&row.models, &query.model) && has(&row.deployments, &query.deployment)
            })
            .filter(|row| has(&row.tags, &query.tag))
            .filter(|row| {
                query
                    .environment
                    .as_ref()
                    .is_none_or(|name| row.environment == *name)
            })
            .filter(|row| query.since.is_none_or(|since| row.began >= since))
            .filter(|row| query.until.is_none_or(|until| row.began < until))
            .collect();
        match query.sort {
            SortBy::Ttft => {
                rows.sort_by(|a, b| a.ttft_p50_ms.partial_cmp(&b.ttft_p50_ms).expect("numbers"))
            }
            SortBy::Model => rows.sort_by(|a, b| a.models.cmp(&b.models)),
            _ => rows.sort_by_key(|row| row.began),
        }
        if !query.ascending {
            rows.reverse();
        }
        let names = |of: fn(&SessionRow) -> &[String]| {
            let mut names: Vec<String> =
                self.rows.iter().flat_map(|row| of(row).to_vec()).collect();
            names.sort();
            names.dedup();
            names
        };
        HistoryPage {
            total: rows.len() as u64,
            offset: query.offset,
            rows: rows
                .into_iter()
                .skip(query.offset as usize)
                .take(query.limit as usize)
                .cloned()
                .collect(),
            facets: Facets {
                models: names(|row| &row.models),
                deployments: names(|row| &row.deployments),
                environments: vec!["Demo".to_owned()],
                tags: names(|row| &row.tags),
            },
            bytes: 12_300_000,
            requests: self.rows.iter().map(|row| row.requests).sum(),
        }
    }

    fn compare(&self, sessions: &[SessionId], least_change: f64) -> Comparison {
        let label = |id: &SessionId| {
            self.rows
                .iter()
                .find(|row| row.id == *id)
                .map(|row| row.title.clone())
        };
        let cell = |value: f64, change: f64, verdict| Cell {
            value: Some(value),
            change: Some(change),
            interval: Some([change - 0.03, change + 0.03]),
            p: Some(0.004),
            verdict,
        };
        let row = |level: &str, title: &str, baseline: f64, change: f64, verdict| Row {
            model: "gpt-oss-120b".to_owned(),
            level: level.to_owned(),
            figure: title.to_lowercase().replace(' ', "_"),
            title: title.to_owned(),
            unit: "ms".to_owned(),
            baseline: Some(baseline),
            others: sessions
                .iter()
                .skip(1)
                .map(|_| cell(baseline * (1.0 + change), change, verdict))
                .collect(),
        };
        Comparison {
            schema: COMPARE_SCHEMA.to_owned(),
            labels: sessions.iter().filter_map(label).collect(),
            sessions: sessions.iter().map(|id| id.0.clone()).collect(),
            least_change,
            differences: vec![Difference {
                what: "output tokens".to_owned(),
                values: vec!["128".to_owned(); sessions.len()],
                grave: true,
            }],
            rows: vec![
                row("c=1", "TTFT p50, ms", 97.0, -0.093, Verdict::Better),
                row("c=1", "ITL p50, ms", 2.6, 0.077, Verdict::Worse),
                row("c=1", "Latency p99, ms", 900.0, 0.01, Verdict::NoDifference),
                row("c=4", "TTFT p50, ms", 140.0, -0.2, Verdict::TooFew),
                row("c=4", "Errors", 1.0, 2.0, Verdict::Look),
            ],
            remarks: vec!["Medians by 2,000 bootstrap samples".to_owned()],
        }
    }

    fn trend(&self, model: String) -> Trend {
        let mut points: Vec<TrendPoint> = self
            .rows
            .iter()
            .filter(|row| row.models.contains(&model))
            .map(point)
            .collect();
        points.sort_by_key(|point| point.at);
        Trend { model, points }
    }
}

fn point(row: &SessionRow) -> TrendPoint {
    TrendPoint {
        session: row.id.clone(),
        at: row.began,
        kind: row.kind,
        deployment: row.deployments.first().cloned(),
        release: row.release.clone(),
        ttft_p50_ms: row.ttft_p50_ms,
        user_tokens_per_s: row.peak_tokens_per_s.map(|peak| peak / 20.0),
        peak_tokens_per_s: row.peak_tokens_per_s,
    }
}

// ---- what is in the store -----------------------------------------------------------------------------

/// So many sessions, a few hours apart, the last of them today; every fifth is a chat.
pub(crate) fn rows(count: u64) -> Vec<SessionRow> {
    (0..count).map(|n| row(n, count - 1 - n)).collect()
}

fn row(n: u64, ago: u64) -> SessionRow {
    let chat = n % 5 == 2;
    let (model, deployment) = [
        ("gpt-oss-120b", "md-gpt120-llama70sd8"),
        ("Meta-Llama-3.3-70B-Instruct", "md-gpt120-llama70sd8-llama8"),
        ("DeepSeek-V3.2", "bd-deepseek"),
    ][(n % 3) as usize];
    let wave = ((n * 7_919) % 101) as f64 / 101.0;
    SessionRow {
        id: SessionId(format!("{}{n:06}", if chat { "c" } else { "b" })),
        kind: if chat {
            SessionKind::Chat
        } else {
            SessionKind::Bench
        },
        state: if n % 17 == 9 {
            SessionState::Interrupted
        } else {
            SessionState::Complete
        },
        began: Timestamp::now() - SignedDuration::from_mins(1 + ago as i64 * 200),
        ended: None,
        title: match (chat, n % 2) {
            (true, _) => format!("What is question {n}?"),
            (false, 0) => "Sweep 1–64".to_owned(),
            _ => "Rate 4/s Poisson".to_owned(),
        },
        environment: "Demo".to_owned(),
        deployments: vec![deployment.to_owned()],
        models: vec![model.to_owned()],
        tags: if n % 4 == 1 {
            vec![format!("v2.{}", n % 30)]
        } else {
            Vec::new()
        },
        source: None,
        release: Some(format!("2.{}", n / 40)),
        requests: if chat { 3 } else { 1_400 },
        errors: n % 7 / 6 * 3,
        ttft_p50_ms: Some(80.0 + 60.0 * wave),
        itl_p50_ms: Some(2.0 + wave),
        peak_tokens_per_s: Some(9_000.0 + 900.0 * wave),
        baseline: false,
        warnings: 0,
        panes: 1,
    }
}

fn stored(row: &SessionRow) -> StoredSession {
    let body = match row.kind {
        SessionKind::Chat => {
            let all = [(1, None), (2, Some(1)), (3, Some(1))];
            let mut exchanges: Vec<_> = all
                .map(|(id, parent)| exchange(row, id, parent))
                .into_iter()
                .take(row.requests as usize)
                .collect();
            // Those that failed come last, and have no figures.
            for failed in exchanges.iter_mut().rev().take(row.errors as usize) {
                failed.ending = ExchangeEnding::Failed("The server is overloaded".to_owned());
                failed.figures = Figures::default();
            }
            SessionBody::Chat {
                surroundings: None,
                exchanges,
            }
        }
        SessionKind::Bench => {
            let (report, traces) = (Box::new(report(row)), traces());
            SessionBody::Bench { report, traces }
        }
    };
    StoredSession {
        row: row.clone(),
        body,
    }
}

fn exchange(row: &SessionRow, id: u64, parent: Option<u64>) -> Exchange {
    Exchange {
        id,
        parent,
        pane: None,
        environment: None,
        at: row.began,
        model: row.models[0].clone(),
        deployment: row.deployments.first().cloned(),
        system: "Be brief".to_owned(),
        params: Default::default(),
        prompt: format!("Question {id} of {}", row.title),
        attachments: Vec::new(),
        results: Vec::new(),
        calls: Vec::new(),
        reasoning: "Hm".to_owned(),
        answer: format!("This is **answer {id}**, in words."),
        ending: ExchangeEnding::Finished(Some("stop".to_owned())),
        answered_by: None,
        figures: Figures {
            ttft: Some(Duration::from_millis(90 + id)),
            latency: Some(Duration::from_millis(900)),
            tokens_per_sec: Some(480.0),
            tokens: Some(Tokens {
                n: 300,
                source: TokenSource::Usage,
            }),
            ..Figures::default()
        },
    }
}

fn report(row: &SessionRow) -> BenchReport {
    let target = Target {
        deployment: row.deployments.first().cloned(),
        model: row.models[0].clone(),
    };
    let plan = Plan {
        targets: vec![target],
        load: Load::Concurrency(vec![1, 2, 4, 8, 16, 32, 64]),
        seed: Some(42),
        ..Plan::default()
    };
    let scale = row.ttft_p50_ms.expect("it has one") / 100.0;
    BenchReport {
        batida: "0.1.0".to_owned(),
        id: row.id.0.clone(),
        started_at: row.began,
        took_s: 210.0,
        environment: row.environment.clone(),
        api: "http://127.0.0.1".to_owned(),
        machine: Machine::new("linux x86_64", 8, 2),
        levels: (0..7).map(|index| level(&plan, index, scale)).collect(),
        plan,
        surroundings: Some(EnvironmentInfo {
            kubectl: Some("1.33.1".to_owned()),
            kubernetes: Some("1.31.4".to_owned()),
            sambastack: row.release.clone(),
            deployments: vec![DeploymentBrief {
                name: row.deployments[0].clone(),
                kind: "BundleDeployment".to_owned(),
                bundle: Some("bundle-7".to_owned()),
            }],
        }),
        ..BenchReport::blank()
    }
}

fn level(plan: &Plan, index: usize, scale: f64) -> LevelReport {
    let load = plan.levels()[index].load;
    let n = f64::from(1u32 << index);
    LevelReport {
        index,
        deployment: plan.targets[0].deployment.clone(),
        ended: LevelEnd::Requests,
        began_s: Some(index as f64 * 30.0),
        took_s: Some(30.0),
        steady_s: None,
        requests: Requests {
            ended: 200,
            ok: 200,
            ..Requests::default()
        },
        ttft_ms: stats(scale * (70.0 + 5.0 * n)),
        itl_ms: stats(scale * (2.0 + n / 30.0)),
        latency_ms: stats(scale * (500.0 + 9.0 * n)),
        user_tokens_per_s: stats(520.0 / (scale + n / 40.0)),
        throughput: Throughput {
            output_tokens_per_s: Some(Rate {
                mean: 9_800.0 / scale * (1.0 - (-n / 12.0).exp()),
                ci: None,
                batches: None,
            }),
            ..Throughput::default()
        },
        ..LevelReport::blank(&plan.targets[0].model, load)
    }
}

fn stats(p50: f64) -> Stats {
    let bucket = |i: u32| {
        let from = p50 * (0.6 + f64::from(i) * 0.02);
        let height = (-(f64::from(i) - 20.0).powi(2) / 120.0).exp() * 40.0;
        [from, from + p50 * 0.02, height.round()]
    };
    Stats {
        count: 200,
        percentiles: Percentiles::of([
            (P5, p50 * 0.8),
            (P50, p50),
            (P95, p50 * 1.4),
            (P99, p50 * 1.9),
        ]),
        buckets: (0..60).map(bucket).collect(),
        ..Stats::default()
    }
}

fn traces() -> Traces {
    let wave = |i: u32| f64::from((i * 7_919) % 101) / 101.0;
    Traces {
        points: (0..1_400)
            .map(|i| Point {
                level: i / 200,
                at_s: f64::from(i) * 0.15,
                ttft_ms: Some((80.0 + 60.0 * wave(i)) as f32),
            })
            .collect(),
        rates: (0..840)
            .map(|i| RatePoint {
                at_s: f64::from(i) / 4.0,
                level: i / 120,
                tokens_per_s: 480.0 * f64::from(i / 120 + 1),
                in_flight: 1 << (i / 120),
            })
            .collect(),
        flights: Vec::new(),
    }
}

/// A job that nobody waits for.
#[allow(dead_code, reason = "the benches have no need of it")]
pub(crate) const NO_JOB: JobId = JobId(u64::MAX);

//! A session for the tests: records as an engine would give them, folded by the tally.

use std::time::Duration;

use super::Exported;
use crate::domain::conversation::{Params, ToolCall, ToolResult};
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::history::{
    Exchange, ExchangeEnding, SessionBody, SessionId, SessionKind, SessionRow, SessionState,
    StoredRequest, Traces,
};
use crate::domain::plan::{LevelLoad, Load, Objectives, Plan, Target};
use crate::domain::run::{
    BenchReport, DeploymentBrief, EnvironmentInfo, LevelEnd, LevelReport, Machine, Point, Watch,
};
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::metrics::tally::{LevelFrame, Tally};
use crate::metrics::timeline::{TextKind, Timeline, Usage};

/// What a hostile server, or model, may be called and say.
pub(crate) const HOSTILE: &str = "<script>alert(\"1\")</script>";

/// A session with its requests.
pub(crate) struct Sample {
    pub(crate) row: SessionRow,
    pub(crate) body: SessionBody,
    pub(crate) requests: Vec<StoredRequest>,
}

impl Sample {
    /// Writes it alone.
    pub(crate) fn write(&self, format: crate::domain::history::ExportFormat) -> Vec<u8> {
        let mut out = Vec::new();
        let mut requests = self.requests.iter().cloned().map(Ok::<_, Failure>);
        let exported = Exported {
            row: &self.row,
            body: &self.body,
            requests: &mut requests,
        };
        super::write(format, &mut [exported], &mut out).expect("written");
        out
    }

    pub(crate) fn report(&self) -> &BenchReport {
        match &self.body {
            SessionBody::Bench { report, .. } => report,
            SessionBody::Chat { .. } => panic!("a conversation"),
        }
    }
}

/// The parts stand in the text one behind the other.
#[track_caller]
pub(crate) fn check_order(text: &str, parts: impl IntoIterator<Item = String>) {
    let mut rest = text;
    for part in parts {
        let at = rest
            .find(&part)
            .unwrap_or_else(|| panic!("{part:?} is not in {rest:?} of {text}"));
        rest = &rest[at + part.len()..];
    }
}

fn row(kind: SessionKind, title: &str) -> SessionRow {
    let chat = kind == SessionKind::Chat;
    SessionRow {
        id: SessionId(if chat { "c0123456789" } else { "20261123-abc" }.to_owned()),
        kind,
        state: SessionState::Complete,
        began: "2026-11-23T14:05:00Z".parse().expect("a moment"),
        ended: None,
        title: title.to_owned(),
        environment: "east".to_owned(),
        deployments: vec!["md-gpt".to_owned()],
        models: vec!["gpt-oss-120b".to_owned()],
        tags: vec!["release 1.4".to_owned()],
        source: None,
        release: None,
        requests: 0,
        errors: 0,
        ttft_p50_ms: None,
        itl_p50_ms: None,
        peak_tokens_per_s: None,
        baseline: false,
        warnings: 0,
        panes: 1,
    }
}

/// A sweep of a model, `slower` times as slow as the usual one; one request of the largest level fails with
/// hostile words.
pub(crate) fn bench(slower: f64) -> Sample {
    let clients = [1u32, 4, 16, 64];
    let mut requests = Vec::new();
    let mut levels = Vec::new();
    let mut began = Duration::from_millis(200);
    for (level, clients) in clients.into_iter().enumerate() {
        let mut tally = Tally::new(objectives(), LevelLoad::Concurrency(clients));
        let mut ended = began;
        for n in 0..clients * 24 {
            let record = record(requests.len() as u64, level, clients, n, began, slower);
            ended = ended.max(record.ended);
            tally.record(&record);
            requests.push(StoredRequest {
                record,
                model: "gpt-oss-120b".to_owned(),
                deployment: Some("md-gpt".to_owned()),
                said: None,
            });
        }
        levels.push(report(&tally, level, began, ended));
        began = ended + Duration::from_millis(300);
    }
    let point = |request: &StoredRequest| Point {
        level: request.record.level as u32,
        at_s: request.record.sent.as_secs_f64(),
        ttft_ms: request.record.ttft().map(|ttft| ttft.as_secs_f32() * 1e3),
    };
    let traces = Traces {
        points: requests.iter().map(point).collect(),
        ..Traces::default()
    };
    Sample {
        row: row(SessionKind::Bench, "Sweep 1–64"),
        body: SessionBody::Bench {
            report: Box::new(session(&clients, levels, began)),
            traces,
        },
        requests,
    }
}

fn objectives() -> Objectives {
    Objectives::parse("ttft=400ms").expect("reads")
}

fn session(clients: &[u32], levels: Vec<LevelReport>, took: Duration) -> BenchReport {
    BenchReport {
        batida: "0.1.0".to_owned(),
        id: "20261123-abc".to_owned(),
        started_at: "2026-11-23T14:05:00Z".parse().expect("a moment"),
        took_s: took.as_secs_f64(),
        environment: "east".to_owned(),
        api: "https://api.example.com/v1".to_owned(),
        machine: Machine::new("linux x86_64", 8, 2),
        plan: Plan {
            targets: vec![Target {
                deployment: Some("md-gpt".to_owned()),
                model: "gpt-oss-120b".to_owned(),
            }],
            load: Load::Concurrency(clients.to_vec()),
            objectives: objectives(),
            tags: vec!["release 1.4".to_owned()],
            ..Plan::default()
        },
        levels,
        surroundings: Some(EnvironmentInfo {
            kubectl: Some("v1.34.1".to_owned()),
            kubernetes: Some("v1.33.2".to_owned()),
            sambastack: Some("1.4.0".to_owned()),
            deployments: vec![DeploymentBrief {
                name: "md-gpt".to_owned(),
                kind: "ModelDeployment".to_owned(),
                bundle: None,
            }],
        }),
        ..BenchReport::blank()
    }
}

fn report(tally: &Tally, index: usize, began: Duration, ended: Duration) -> LevelReport {
    tally.report(LevelFrame {
        index,
        model: "gpt-oss-120b".to_owned(),
        deployment: Some("md-gpt".to_owned()),
        ended: LevelEnd::Requests,
        began,
        now: ended,
        steady: Some([began, ended]),
        pauses: Vec::new(),
        in_flight_since: Vec::new(),
        most_in_flight: 0,
        aborted: 0,
        unsent: 0,
        sending: None,
        rate_limit: Vec::new(),
        watch: Watch::default(),
    })
}

/// The `n`-th of a level with so many clients: times that spread without being random.
fn record(
    index: u64,
    level: usize,
    clients: u32,
    n: u32,
    began: Duration,
    slower: f64,
) -> RequestRecord {
    let spread = f64::from(n * 7_919 % 97) / 97.0;
    let micros = |us: f64| Duration::from_micros((us * slower) as u64);
    let ttft = micros(60_000.0 + f64::from(clients) * 4_000.0 * (0.4 + spread * spread * 1.5));
    let gap = micros(2_000.0 + f64::from(clients) * 60.0 + spread * 900.0);
    let mut timeline = Timeline::default();
    let mut at = ttft;
    timeline.text(TextKind::Answer, at);
    for _ in 0..31 {
        at += gap;
        timeline.text(TextKind::Answer, at);
    }
    timeline.end(at);
    let failed = clients == 64 && n == 40;
    let usage = Usage {
        prompt_tokens: Some(256),
        completion_tokens: Some(32),
        ..Usage::default()
    };
    let sent = began + (ttft + gap * 31) * (n / clients);
    RequestRecord {
        index,
        level,
        phase: if n == 0 {
            Phase::Warmup
        } else {
            Phase::Measured
        },
        due: sent,
        sent,
        ended: sent + at,
        figures: timeline.figures(Some(&usage)),
        first_byte: Some(ttft),
        gaps_us: vec![gap.as_micros() as u32; if failed { 0 } else { 31 }],
        chunks: 32,
        bytes: 9_000,
        wanted_prompt_tokens: Some(256),
        answered_by: None,
        reconnected: false,
        error: failed.then(|| RequestError {
            class: Some(FaultClass::Server),
            status: Some(500),
            text: format!("said {HOSTILE}, \"twice\""),
        }),
    }
}

/// A conversation with hostile words, at the end of which a function is called.
pub(crate) fn chat() -> Sample {
    let mut timeline = Timeline::default();
    timeline.text(TextKind::Answer, Duration::from_millis(80));
    timeline.end(Duration::from_millis(900));
    let exchange = |id: u64, parent: Option<u64>, ending| Exchange {
        id,
        parent,
        pane: None,
        environment: None,
        at: "2026-11-23T14:05:00Z".parse().expect("a moment"),
        model: "gpt-oss-120b".to_owned(),
        deployment: None,
        system: "You are terse".to_owned(),
        params: Params::default(),
        prompt: format!("What does {HOSTILE} do?\nAnd | pipes?"),
        attachments: Vec::new(),
        results: Vec::new(),
        calls: Vec::new(),
        reasoning: format!("Let me think about {HOSTILE}"),
        answer: "It runs **once**".to_owned(),
        ending,
        answered_by: None,
        figures: timeline.figures(None),
    };
    let mut exchanges = vec![
        exchange(1, None, ExchangeEnding::Finished(Some("stop".to_owned()))),
        exchange(
            2,
            Some(1),
            ExchangeEnding::Failed(format!("{HOSTILE} failed")),
        ),
        exchange(
            3,
            Some(2),
            ExchangeEnding::Finished(Some("tool_calls".to_owned())),
        ),
        exchange(
            4,
            Some(3),
            ExchangeEnding::Finished(Some("stop".to_owned())),
        ),
    ];
    let arguments = serde_json::json!({"of": HOSTILE, "fence": "```"}).to_string();
    exchanges[2].answer.clear();
    exchanges[2].calls = vec![ToolCall {
        id: "c1".to_owned(),
        name: "look_up".to_owned(),
        arguments,
    }];
    let content = format!("It was {HOSTILE} ``` and\nmore");
    exchanges[3].prompt.clear();
    exchanges[3].results = vec![ToolResult {
        id: "c1".to_owned(),
        name: "look_up".to_owned(),
        content,
    }];
    Sample {
        row: row(SessionKind::Chat, &format!("What does {HOSTILE} do?")),
        body: SessionBody::Chat {
            surroundings: None,
            exchanges,
        },
        requests: Vec::new(),
    }
}

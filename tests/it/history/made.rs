//! Sessions to be kept, made up.

use std::path::Path;
use std::time::Duration;

use batida::domain::history::{SessionId, StoredRequest};
use batida::domain::plan::{LevelLoad, Load, Objectives, Plan, Target};
use batida::domain::run::{
    BenchReport, DeploymentBrief, EnvironmentInfo, LevelEnd, LevelReport, Machine, Watch,
};
use batida::io::history::Store;
use batida::metrics::request::{Phase, RequestError, RequestRecord};
use batida::metrics::tally::{LevelFrame, Tally};
use batida::metrics::timeline::{Figures, TokenSource, Tokens};
use jiff::Timestamp;

pub(crate) const MODEL: &str = "gpt-oss-120b";

pub(crate) fn open(dir: &Path) -> Store {
    let opened = Store::open(dir).expect("it opens");
    assert_eq!(opened.notice, None);
    opened.store
}

pub(crate) fn id(name: &str) -> SessionId {
    SessionId(name.to_owned())
}

/// A day of 2026, and an hour of it.
pub(crate) fn at(day: u32, hour: u32) -> Timestamp {
    format!("2026-10-{day:02}T{hour:02}:00:00Z")
        .parse()
        .expect("a moment")
}

pub(crate) fn target(model: &str, deployment: Option<&str>) -> Target {
    Target {
        model: model.to_owned(),
        deployment: deployment.map(str::to_owned),
    }
}

/// A request that took `ttft_ms` to its first token, then 10 ms for each of three more.
pub(crate) fn record(index: u64, level: usize, ttft_ms: u64, fails: bool) -> RequestRecord {
    let sent = Duration::from_millis(50 * index);
    let ttft = Duration::from_millis(ttft_ms);
    let latency = ttft + Duration::from_millis(30);
    RequestRecord {
        index,
        level,
        phase: Phase::Measured,
        due: sent,
        sent,
        ended: sent + latency,
        figures: Figures {
            ttft: Some(ttft),
            first_answer: Some(ttft),
            latency: Some(latency),
            tokens: Some(Tokens {
                n: 4,
                source: TokenSource::Usage,
            }),
            tokens_per_sec: Some(100.0),
            tpot: Some(Duration::from_millis(10)),
            itl: Some(Duration::from_millis(10)),
            longest_gap: Some(Duration::from_millis(10)),
            prompt_tokens: Some(256),
            ..Figures::default()
        },
        first_byte: Some(ttft),
        gaps_us: vec![10_000; 3],
        chunks: 4,
        bytes: 900,
        wanted_prompt_tokens: Some(256),
        answered_by: None,
        reconnected: false,
        error: fails.then(|| RequestError {
            class: None,
            status: Some(500),
            text: "it broke".to_owned(),
        }),
    }
}

pub(crate) fn stored(record: RequestRecord, target: &Target) -> StoredRequest {
    let Target { model, deployment } = target.clone();
    StoredRequest {
        record,
        model,
        deployment,
        said: None,
    }
}

/// A session of one level a target.
pub(crate) struct Made {
    pub(crate) report: BenchReport,
    pub(crate) requests: Vec<StoredRequest>,
}

impl Made {
    pub(crate) fn new(name: &str, began: Timestamp, targets: &[Target], ttft_ms: u64) -> Self {
        let (mut levels, mut requests) = (Vec::new(), Vec::new());
        for (level, target) in targets.iter().enumerate() {
            let load = LevelLoad::Concurrency(4);
            let mut tally = Tally::new(Objectives::default(), load);
            for n in 0..20 {
                let record = record(20 * level as u64 + n, level, ttft_ms + n, n == 19);
                tally.record(&record);
                requests.push(stored(record, target));
            }
            levels.push(level_report(&tally, level, target));
        }
        let report = BenchReport {
            id: name.to_owned(),
            started_at: began,
            took_s: 2.5,
            environment: "east".to_owned(),
            api: "https://api.example.com/v1".to_owned(),
            machine: Machine::new("linux x86_64", 8, 2),
            plan: Plan {
                targets: targets.to_vec(),
                load: Load::Concurrency(vec![4]),
                ..Plan::default()
            },
            levels,
            surroundings: Some(EnvironmentInfo {
                sambastack: Some("1.4.0".to_owned()),
                deployments: vec![DeploymentBrief {
                    name: "md-gpt".to_owned(),
                    kind: "ModelDeployment".to_owned(),
                    bundle: Some("b".to_owned()),
                }],
                ..EnvironmentInfo::default()
            }),
            ..BenchReport::blank()
        };
        Self { report, requests }
    }

    pub(crate) fn simple(name: &str, began: Timestamp) -> Self {
        Self::new(name, began, &[target(MODEL, Some("md-gpt"))], 100)
    }

    #[must_use]
    pub(crate) fn tagged(mut self, tags: &[&str]) -> Self {
        self.report.plan.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        self
    }

    pub(crate) fn keep(&self, store: &Store) {
        store
            .keep(&self.report, &self.requests)
            .expect("it is kept");
    }
}

pub(crate) fn level_report(tally: &Tally, index: usize, target: &Target) -> LevelReport {
    tally.report(LevelFrame {
        index,
        model: target.model.clone(),
        deployment: target.deployment.clone(),
        ended: LevelEnd::Requests,
        began: Duration::ZERO,
        now: Duration::from_secs(2),
        steady: Some([Duration::from_millis(100), Duration::from_millis(1_900)]),
        pauses: Vec::new(),
        in_flight_since: Vec::new(),
        most_in_flight: 4,
        aborted: 0,
        unsent: 0,
        sending: None,
        rate_limit: Vec::new(),
        watch: Watch::default(),
    })
}

/// A session's requests as they are kept, as text that can be compared.
pub(crate) fn requests_of(store: &Store, session: &SessionId) -> Vec<String> {
    let mut all = Vec::new();
    let mut take = |request: StoredRequest| {
        all.push(format!("{request:?}"));
        Ok(())
    };
    store.requests(session, &mut take).expect("they are read");
    all
}

//! The engine's chat at a demo server, and what it told.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use batida::demo::api::{DEMO_KEY, DemoModel, DemoServer, Quirk};
use batida::domain::conversation::{ChatRequest, Message, Params, Role, ToolCall};
use batida::domain::environment::{ApiAddress, EnvId, KEY_VARIABLE};
use batida::domain::exchange::Advance;
use batida::engine::chat::{self, ChatReport};
use batida::io::access::Access;
use batida::io::activity::Recorder;
use batida::io::api::{Api, Trust};
use batida::protocol::{Activity, ChatEnding, Failure, FinishReason};
use tokio_util::sync::CancellationToken;

use super::demo::options;

/// Longer than anything here may take, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) const MODEL: &str = "gemma-4-31B-it";

pub(crate) fn quick(quirk: Quirk) -> DemoModel {
    DemoModel::quick(MODEL, quirk)
}

pub(crate) async fn demo(model: DemoModel) -> DemoServer {
    DemoServer::start(options(vec![model]))
        .await
        .expect("it listens")
}

pub(crate) fn request(prompt: &str) -> ChatRequest {
    ChatRequest {
        model: MODEL.to_owned(),
        messages: vec![Message::new(Role::User, prompt)],
        params: Params::default(),
    }
}

/// An API, and what it told of its activity.
pub(crate) struct Client {
    pub(crate) api: Api,
    pub(crate) activity: Arc<Mutex<Vec<Activity>>>,
}

impl Client {
    pub(crate) fn new(root: &str, trust: Trust) -> Self {
        Self::with_key(root, trust, DEMO_KEY)
    }

    pub(crate) fn with_key(root: &str, trust: Trust, key: &str) -> Self {
        let activity = Arc::<Mutex<Vec<Activity>>>::default();
        let log = Arc::clone(&activity);
        let tell = move |activity| log.lock().expect("not poisoned").push(activity);
        let recorder = Recorder::new(EnvId::ad_hoc(), tell);
        let address = ApiAddress::parse(root).expect("an address");
        let api = Api::new(
            address,
            Access::with_key(Some(key.into()), KEY_VARIABLE),
            trust,
            recorder,
        )
        .expect("an API");
        Self { api, activity }
    }

    pub(crate) fn of(server: &DemoServer) -> Self {
        Self::new(server.address().root(), Trust::default())
    }

    pub(crate) async fn chat(&self, request: &ChatRequest) -> Told {
        self.chat_until(request, &CancellationToken::new(), |_| {})
            .await
    }

    pub(crate) async fn chat_until(
        &self,
        request: &ChatRequest,
        cancel: &CancellationToken,
        mut seen: impl FnMut(&Advance),
    ) -> Told {
        let began = Instant::now();
        let mut told = Told::default();
        let run = chat::run(&self.api, request, &[], cancel, |advance| {
            seen(&advance);
            told.answer.push_str(&advance.answer);
            if !advance.calls.is_empty() {
                told.calls = advance.calls;
            }
            told.reasoning.push_str(&advance.reasoning);
            told.advances += 1;
        });
        let report = tokio::time::timeout(LIMIT, run).await.expect("a chat ends");
        Told {
            report: Some(report),
            took: began.elapsed(),
            ..told
        }
    }

    /// Chats, and gives how that failed.
    pub(crate) async fn failure(&self) -> Failure {
        let told = self.chat(&request("Hi")).await;
        assert_eq!((told.answer.as_str(), told.reasoning.as_str()), ("", ""));
        assert_eq!(told.report().figures.latency, None);
        told.failure()
    }

    pub(crate) fn activity(&self) -> Vec<Activity> {
        self.activity.lock().expect("not poisoned").clone()
    }
}

/// What came of a chat.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) answer: String,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) reasoning: String,
    pub(crate) advances: u32,
    pub(crate) took: Duration,
    pub(crate) report: Option<ChatReport>,
}

impl Told {
    pub(crate) fn report(&self) -> &ChatReport {
        self.report.as_ref().expect("it ended")
    }

    #[track_caller]
    pub(crate) fn failure(&self) -> Failure {
        match &self.report().ending {
            ChatEnding::Failed(failure) => failure.clone(),
            other => panic!("it did not fail: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn check_finished(&self, reason: FinishReason) {
        assert_eq!(self.report().ending, ChatEnding::Finished { reason });
    }
}

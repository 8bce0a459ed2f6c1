//! The history's commands and events, as the window meets them.

use std::fs;
use std::time::{Duration, Instant};

use batida::demo::api::DEMO_KEY;
use batida::domain::conversation::{ChatRequest, Message, Params, Role};
use batida::domain::environment::{ApiAddress, EnvId, Environment, KeyPlace};
use batida::domain::exchange::UserInput;
use batida::domain::history::{
    Deletion, ExchangeEnding, Filing, HistoryPage, HistoryQuery, HistorySettings, Said,
    SessionBody, SessionId, SessionState, StoredSession,
};
use batida::domain::plan::{Ends, Lengths, Load, Plan, Target};
use batida::domain::run::BenchReport;
use batida::domain::settings::Settings;
use batida::engine::{Engine, Options, Started};
use batida::io::history::FILE;
use batida::protocol::{
    Answer, ChatAsk, ChatOrder, Command, Event, HistoryAnswer, HistoryQuestion, JobId, Question,
};
use crossbeam_channel::Receiver;

use super::made::{MODEL, id, open};

const LIMIT: Duration = Duration::from_secs(40);

struct Window {
    engine: Option<Engine>,
    events: Receiver<Event>,
    dir: tempfile::TempDir,
    job: u64,
}

impl Window {
    fn open() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let options = Options {
            config: Some(dir.path().to_owned()),
            simulated_kubectl: Some(env!("CARGO_BIN_EXE_batida").into()),
        };
        let Started { engine, events, .. } = Engine::start(options, || {}).expect("it starts");
        Self {
            engine: Some(engine),
            events,
            dir,
            job: 0,
        }
    }

    fn send(&self, command: Command) {
        self.engine.as_ref().expect("it runs").send(command);
    }

    fn job(&mut self) -> JobId {
        self.job += 1;
        JobId(self.job)
    }

    #[track_caller]
    fn until<T>(&self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        loop {
            let Ok(event) = self.events.recv_deadline(end) else {
                panic!("{what} did not come")
            };
            if let Event::HistoryTroubled { failure } = &event {
                panic!("trouble while waiting for {what}: {failure:?}");
            }
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }

    #[track_caller]
    fn ask(&mut self, question: HistoryQuestion) -> HistoryAnswer {
        let job = self.job();
        self.send(Command::Ask {
            job,
            question: Question::History(question),
        });
        self.until("the answer", |event| match event {
            Event::Answered {
                job: it,
                answer: Answer::History(answer),
                ..
            } if it == job => Some(answer),
            _ => None,
        })
    }

    #[track_caller]
    fn list(&mut self) -> HistoryPage {
        let query = HistoryQuery {
            limit: 50,
            ..HistoryQuery::default()
        };
        let HistoryAnswer::Rows(rows) = self.ask(HistoryQuestion::Rows { query }) else {
            panic!("rows")
        };
        rows.expect("listed")
    }

    #[track_caller]
    fn session(&mut self, session: &SessionId) -> StoredSession {
        let question = HistoryQuestion::Session {
            id: session.clone(),
        };
        let HistoryAnswer::Session(session) = self.ask(question) else {
            panic!("a session")
        };
        StoredSession::clone(&session.expect("opened"))
    }

    #[track_caller]
    fn bench(&mut self) -> BenchReport {
        let job = self.job();
        self.send(Command::RunBench {
            job,
            place: Environment::demo(),
            plan: Box::new(plan(12)),
        });
        self.until("the benchmark's end", |event| match event {
            Event::BenchEnded { job: it, outcome } if it == job => {
                Some(BenchReport::clone(&outcome.expect("it ran")))
            }
            _ => None,
        })
    }

    #[track_caller]
    fn until_changed(&self) {
        self.until("a change", |event| {
            matches!(event, Event::HistoryChanged).then_some(())
        });
    }

    #[track_caller]
    fn chat(&mut self, exchange: u64, prompt: &str) {
        let job = self.job();
        let filing = Filing {
            conversation: id("c1"),
            exchange,
            parent: exchange.checked_sub(1),
            pane: None,
            deployment: Some("md-gpt-oss".to_owned()),
            said: UserInput::text(prompt),
        };
        let request = ChatRequest {
            model: MODEL.to_owned(),
            messages: vec![
                Message::new(Role::System, "Be brief"),
                Message::new(Role::User, prompt),
            ],
            params: Params {
                stop: vec!["STOP-WORD".to_owned()],
                ..Params::default()
            },
        };
        self.send(Command::Chat {
            asks: vec![ChatAsk {
                job,
                place: Environment::demo(),
                request: Box::new(request),
                filing: Some(filing),
            }],
            order: ChatOrder::Together,
        });
        self.until("the answer", |event| match event {
            Event::ChatEnded { job: it, .. } if it == job => Some(()),
            _ => None,
        });
    }
}

fn plan(requests: u64) -> Plan {
    Plan {
        targets: vec![Target {
            model: MODEL.to_owned(),
            deployment: Some("md-gpt-oss".to_owned()),
        }],
        load: Load::Concurrency(vec![2]),
        level_ends: Ends {
            requests: Some(requests),
            ..Ends::default()
        },
        warmup: 1,
        output_tokens: Some(Lengths::Fixed(8)),
        tags: vec!["mine".to_owned()],
        ..Plan::default()
    }
}

#[test]
fn a_benchmark_is_kept_tagged_compared_and_deleted() {
    let mut window = Window::open();
    let first = window.bench();
    let surroundings = first.surroundings.clone().expect("the cluster was asked");
    assert!(
        surroundings.kubectl.is_some() && surroundings.kubernetes.is_some(),
        "{surroundings:?}"
    );
    let page = window.list();
    assert_eq!(page.rows.len(), 1);
    let row = page.rows[0].clone();
    assert_eq!(
        (row.id.0.as_str(), row.state),
        (first.id.as_str(), SessionState::Complete)
    );
    assert_eq!(
        (row.requests, row.errors, page.requests),
        (12, 0, 13),
        "with the warm-up"
    );
    assert_eq!(row.tags, ["mine"]);
    let stored = window.session(&row.id);
    let SessionBody::Bench { report, traces } = stored.body else {
        panic!("a benchmark")
    };
    assert_eq!(report.levels, first.levels);
    assert_eq!(traces.points.len(), 12);

    window.send(Command::TagSession {
        session: row.id.clone(),
        tags: vec!["other".to_owned()],
    });
    window.until_changed();
    window.send(Command::SetBaseline {
        session: row.id.clone(),
        on: true,
    });
    window.until_changed();
    let job = window.job();
    window.send(Command::RunBench {
        job,
        place: Environment::demo(),
        plan: Box::new(plan(12)),
    });
    let held = window.until("the comparison with the baseline", |event| match event {
        Event::ComparedWithBaseline {
            job: it,
            comparison,
        } if it == job => Some(comparison),
        _ => None,
    });
    assert_eq!(held.sessions[0], first.id);
    assert!(!held.rows.is_empty());
    assert_eq!(held.labels[0], "other");

    let sessions = held.sessions.iter().cloned().map(SessionId).collect();
    let compared = window.ask(HistoryQuestion::Compare {
        sessions,
        least_change: 0.5,
    });
    let HistoryAnswer::Compare(compared) = compared else {
        panic!("{compared:?}")
    };
    assert_eq!(compared.expect("compared").sessions, held.sessions);

    let question = HistoryQuestion::Trend {
        model: MODEL.to_owned(),
        deployment: None,
        since: None,
    };
    let HistoryAnswer::Trend(trend) = window.ask(question) else {
        panic!("a trend")
    };
    assert_eq!(trend.expect("loaded").points.len(), 2);

    window.send(Command::DeleteSessions {
        what: Deletion::Sessions(vec![row.id.clone()]),
    });
    window.until_changed();
    let left = window.list().rows;
    assert!(left.len() == 1 && left[0].id != row.id, "{left:?}");
}

#[test]
fn a_chat_is_kept_with_its_texts_only_when_the_user_says_so() {
    let mut window = Window::open();
    window.chat(0, "What is TTFT?");
    window.chat(1, "And ITL?");
    let stored = window.session(&id("c1"));
    assert_eq!(
        (stored.row.title.as_str(), stored.row.requests),
        ("What is TTFT?", 2)
    );
    let SessionBody::Chat { exchanges, .. } = stored.body else {
        panic!("a conversation")
    };
    assert_eq!(exchanges[0].prompt, "What is TTFT?");
    assert_eq!(exchanges[0].system, "Be brief");
    assert!(
        exchanges[0].answer.contains("You asked"),
        "{}",
        exchanges[0].answer
    );
    assert_eq!(exchanges[1].parent, Some(0));
    assert!(matches!(
        exchanges[1].ending,
        ExchangeEnding::Finished(Some(_))
    ));

    let history = HistorySettings {
        chat_texts: false,
        ..HistorySettings::default()
    };
    window.send(Command::SaveSettings {
        settings: Settings {
            history,
            ..Settings::default()
        },
        key: None,
    });
    window.chat(2, "A secret question");
    let SessionBody::Chat { exchanges, .. } = window.session(&id("c1")).body else {
        panic!("a conversation")
    };
    assert_eq!(
        (exchanges[2].prompt.as_str(), exchanges[2].answer.as_str()),
        ("", "")
    );
    assert!(exchanges[2].figures.ttft.is_some());
    window.engine = None;
    let file = fs::read(window.dir.path().join(FILE)).expect("read");
    let holds = |text: &str| {
        file.windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    };
    assert!(
        holds("What is TTFT?"),
        "the texts are looked for where they are"
    );
    assert!(!holds("secret question") && !holds(DEMO_KEY));
}

#[test]
fn a_chat_is_kept_with_where_it_was_held_and_what_came_over_the_wire() {
    let mut window = Window::open();
    window.chat(0, "What is TTFT?");
    // The cluster is asked behind the answer.
    let stored = loop {
        let stored = window.session(&id("c1"));
        let SessionBody::Chat { surroundings, .. } = &stored.body else {
            panic!("a conversation")
        };
        if surroundings.is_some() {
            break stored;
        }
        window.until_changed();
    };
    let SessionBody::Chat {
        surroundings: Some(around),
        ..
    } = stored.body
    else {
        panic!("a conversation")
    };
    assert!(
        around.kubectl.is_some() && around.kubernetes.is_some(),
        "{around:?}"
    );
    let store = open(window.dir.path());
    let request = store
        .by_index(&id("c1"))
        .expect("kept")
        .next()
        .expect("one")
        .expect("read")
        .record;
    assert!(
        request.first_byte.is_some() && request.bytes > 0,
        "{request:?}"
    );
    assert_eq!(
        request.gaps_us.len() as u64 + 1,
        request.chunks,
        "a gap between each two chunks"
    );
    assert!(request.chunks > 1);
}

#[test]
fn what_a_benchmark_runs_on_is_kept_while_it_runs() {
    let mut window = Window::open();
    let job = window.job();
    window.send(Command::RunBench {
        job,
        place: Environment::demo(),
        plan: Box::new(plan(100_000)),
    });
    let end = Instant::now() + LIMIT;
    let session = loop {
        assert!(Instant::now() < end, "it did not come");
        if let Some(row) = window.list().rows.first() {
            break row.id.clone();
        }
    };
    loop {
        assert!(Instant::now() < end, "it did not come");
        let stored = window.session(&session);
        assert_eq!(stored.row.state, SessionState::Running);
        let SessionBody::Bench { report, .. } = stored.body else {
            panic!("a benchmark")
        };
        if let Some(around) = report.surroundings {
            assert!(around.kubernetes.is_some(), "{around:?}");
            break;
        }
    }
}

#[test]
fn a_chat_that_the_window_is_closed_over_keeps_its_question() {
    let mut window = Window::open();
    let job = window.job();
    let said = UserInput::text("A question");
    let filing = Filing {
        conversation: id("c1"),
        exchange: 0,
        parent: None,
        pane: None,
        deployment: None,
        said,
    };
    let request = ChatRequest {
        model: MODEL.to_owned(),
        messages: vec![Message::new(Role::User, "A question")],
        params: Params {
            max_tokens: Some(4_000),
            ..Params::default()
        },
    };
    window.send(Command::Chat {
        asks: vec![ChatAsk {
            job,
            place: Environment::demo(),
            request: Box::new(request),
            filing: Some(filing),
        }],
        order: ChatOrder::Together,
    });
    window.until("its first words", |event| {
        matches!(event, Event::ChatAdvanced { .. }).then_some(())
    });
    window.engine = None;
    let stored = open(window.dir.path())
        .session(&id("c1"))
        .expect("it is kept");
    let SessionBody::Chat { exchanges, .. } = stored.body else {
        panic!("a conversation")
    };
    assert_eq!(exchanges[0].prompt, "A question");
    assert!(
        !exchanges[0].reasoning.is_empty() || !exchanges[0].answer.is_empty(),
        "as far as it came"
    );
}

#[test]
fn a_benchmark_is_kept_with_its_texts_only_when_the_user_says_so() {
    let mut window = Window::open();
    let texts = |window: &Window, report: &BenchReport| {
        let store = open(window.dir.path());
        let all = store
            .by_index(&id(&report.id))
            .expect("it is kept")
            .map(|request| request.expect("read"));
        all.map(|request| request.said).collect::<Vec<_>>()
    };
    let report = window.bench();
    window.list();
    let said = texts(&window, &report);
    assert!(
        !said.is_empty() && said.iter().all(Option::is_none),
        "{said:?}"
    );

    let history = HistorySettings {
        bench_texts: true,
        ..HistorySettings::default()
    };
    window.send(Command::SaveSettings {
        settings: Settings {
            history,
            ..Settings::default()
        },
        key: None,
    });
    window.until("the settings", |event| {
        matches!(event, Event::SettingsSaved { .. }).then_some(())
    });
    let report = window.bench();
    window.list();
    let said = texts(&window, &report);
    let whole = |said: &Option<Said>| {
        said.as_ref().is_some_and(|s| {
            !(s.prompt.is_empty() || s.reasoning.is_empty() && s.answer.is_empty())
        })
    };
    assert!(said.len() >= 12 && said.iter().all(whole), "{said:?}");
}

#[test]
fn closing_the_window_keeps_what_a_benchmark_had() {
    let mut window = Window::open();
    let job = window.job();
    window.send(Command::RunBench {
        job,
        place: Environment::demo(),
        plan: Box::new(plan(100_000)),
    });
    let mut seen = 0;
    window.until("some requests", |event| {
        if let Event::BenchAdvanced { progress, .. } = event {
            seen += progress.points.len();
        }
        (seen >= 10).then_some(())
    });
    window.engine = None;
    let store = open(window.dir.path());
    let last = store
        .list(&HistoryQuery {
            limit: 1,
            ..HistoryQuery::default()
        })
        .expect("listed")
        .rows
        .remove(0);
    assert_eq!(last.state, SessionState::Interrupted);
    let (kept, lost) = store.counts(&last.id).expect("there");
    assert!(kept >= 10 && lost == 0, "{kept} kept, {lost} lost");
}

#[test]
fn changes_are_made_in_their_order_also_when_the_window_closes_at_once() {
    let mut window = Window::open();
    window.chat(0, "Hello");
    assert_eq!(window.list().rows.len(), 1);
    for n in 0..200 {
        window.send(Command::RenameSession {
            session: id("c1"),
            title: format!("Title {n}"),
        });
    }
    // Closing it ends every job.
    window.engine = None;
    assert_eq!(
        open(window.dir.path())
            .row(&id("c1"))
            .expect("it is there")
            .title,
        "Title 199"
    );
}

#[test]
fn what_was_never_sent_is_kept_where_it_was_said() {
    let mut window = Window::open();
    let ask = |job: JobId, exchange: u64, prompt: &str, place: Environment| {
        let (conversation, parent) = (id(&format!("c{exchange}")), None);
        let said = UserInput::text(prompt);
        let filing = Filing {
            conversation,
            exchange,
            parent,
            pane: None,
            deployment: None,
            said,
        };
        let request = ChatRequest {
            model: MODEL.to_owned(),
            messages: vec![Message::new(Role::User, prompt)],
            params: Params::default(),
        };
        ChatAsk {
            job,
            place,
            request: Box::new(request),
            filing: Some(filing),
        }
    };
    let jobs = [window.job(), window.job(), window.job()];
    let keyless = Environment {
        api: ApiAddress::parse("http://127.0.0.1:9").ok(),
        key: KeyPlace::SettingsFile,
        ..Environment::blank(EnvId("keyless".to_owned()), "keyless")
    };
    let asks = vec![
        ask(jobs[0], 1, "Write 200000 tokens", Environment::demo()),
        ask(jobs[1], 2, "It waits for its turn", Environment::demo()),
        ask(jobs[2], 3, "It has no key", keyless),
    ];
    window.send(Command::Chat {
        asks,
        order: ChatOrder::InTurn,
    });
    window.until("its first words", |event| {
        matches!(event, Event::ChatAdvanced { .. }).then_some(())
    });
    window.send(Command::Cancel { job: jobs[1] });
    window.until("its end", |event| {
        matches!(event, Event::ChatEnded { job, .. } if job == jobs[1]).then_some(())
    });
    window.send(Command::Cancel { job: jobs[0] });
    window.until("its end", |event| {
        matches!(event, Event::ChatEnded { job, .. } if job == jobs[0]).then_some(())
    });
    let mut kept = |session: &str| {
        let SessionBody::Chat { exchanges, .. } = window.session(&id(session)).body else {
            panic!("a conversation")
        };
        (
            exchanges[0].id,
            exchanges[0].prompt.clone(),
            exchanges[0].ending.clone(),
        )
    };
    assert_eq!(
        kept("c2"),
        (
            2,
            "It waits for its turn".to_owned(),
            ExchangeEnding::Stopped
        )
    );
    let (exchange, prompt, ending) = kept("c3");
    assert_eq!((exchange, prompt.as_str()), (3, "It has no key"));
    assert!(matches!(ending, ExchangeEnding::Failed(why) if why.contains("no API key")));
}

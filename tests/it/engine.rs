//! The engine as the window meets it: commands go in, events come out, and dropping it ends everything.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use batida::demo::api::{DEMO_KEY, DemoModel, Quirk};
use batida::domain::conversation::{Attached, Attachment, ChatRequest, Message, Params, Role};
use batida::domain::deployment::DeploymentState;
use batida::domain::environment::{ApiAddress, ClusterAccess, EnvId, Environment, KeyPlace};
use batida::domain::exchange::UserInput;
use batida::domain::history::{Filing, SessionId};
use batida::domain::settings::{Settings, ThemeChoice};
use batida::domain::workspace::{PlaygroundForm, WorkspaceChange};
use batida::engine::{Engine, Options, Started};
use batida::io::history::Store;
use batida::io::settings::SettingsStore;
use batida::protocol::{
    Activity, ActivityKind, Answer, ApiAnswer, ApiQuestion, ChatAsk, ChatEnding, ChatOrder, Check,
    ClusterAnswer, ClusterQuestion, Command, Event, FinishReason, JobId, KeyChange, KeyStatus,
    Opened, Question, Verdict,
};
use crossbeam_channel::Receiver;
use secrecy::ExposeSecret as _;

use crate::support::demo::Demo;
use crate::support::programs::{check_test, is_alive, say_ran, this_test};
use crate::support::secrets::{FOLDER, folder, new_key, settings_with};

/// Longer than anything here may take, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(20);
const FAST: &str = "gpt-oss-120b";

/// An engine in a folder of its own, and all it told.
struct House {
    engine: Option<Engine>,
    events: Receiver<Event>,
    seen: Vec<Event>,
    wakes: Arc<AtomicU64>,
    dir: tempfile::TempDir,
}

impl House {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let wakes = Arc::new(AtomicU64::new(0));
        let woken = Arc::clone(&wakes);
        let wake = move || {
            woken.fetch_add(1, Ordering::Relaxed);
        };
        let Started {
            engine,
            events,
            settings,
            notice,
            ..
        } = Engine::start(options(dir.path()), wake).expect("it starts");
        assert_eq!((settings, notice), (Settings::default(), None));
        Self {
            engine: Some(engine),
            events,
            seen: Vec::new(),
            wakes,
            dir,
        }
    }

    fn send(&self, command: Command) {
        self.engine.as_ref().expect("it runs").send(command);
    }

    fn ask(&self, job: u64, question: Question) {
        self.send(Command::Ask {
            job: JobId(job),
            question,
        });
    }

    /// The first event, of those to come, that `wanted` takes.
    #[track_caller]
    fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        loop {
            let Ok(event) = self.events.recv_deadline(end) else {
                panic!("{what} did not come; these did: {:#?}", self.seen)
            };
            let found = wanted(&event);
            self.seen.push(event);
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// How a chat ended, and what it said up to there.
    #[track_caller]
    fn until_ended(&mut self, job: JobId) -> (ChatEnding, String) {
        let is_it = |event: &Event| match event {
            Event::ChatEnded {
                job: it, ending, ..
            } if *it == job => Some(ending.clone()),
            _ => None,
        };
        let before = self.seen.iter().find_map(is_it);
        let ending = before.unwrap_or_else(|| self.until("the chat's end", is_it));
        (ending, self.said(job))
    }

    /// The answer so far.
    fn said(&self, job: JobId) -> String {
        let parts = self.seen.iter().filter_map(|event| match event {
            Event::ChatAdvanced { job: it, advance } if *it == job => Some(advance.answer.as_str()),
            _ => None,
        });
        parts.collect()
    }

    #[track_caller]
    fn until_it_says_something(&mut self, job: JobId) {
        self.until("the first words", |event| {
            matches!(event, Event::ChatAdvanced { job: it, .. } if *it == job).then_some(())
        });
    }

    /// Drops the engine, which must not take long.
    #[track_caller]
    fn drop_engine(&mut self) {
        let began = Instant::now();
        self.engine = None;
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "dropping took {:?}",
            began.elapsed()
        );
    }

    /// A program to be taken for kubectl.
    fn fake_kubectl(&self, script: &str) -> PathBuf {
        let path = self.dir.path().join("kubectl");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made a program");
        path
    }
}

fn options(dir: &Path) -> Options {
    Options {
        config: Some(dir.join("config")),
        simulated_kubectl: Some(env!("CARGO_BIN_EXE_batida").into()),
    }
}

fn chat(job: u64, place: &Environment, model: &str, prompt: &str) -> Command {
    let messages = vec![Message::new(Role::User, prompt)];
    let request = ChatRequest {
        model: model.to_owned(),
        messages,
        params: Params::default(),
    };
    let ask = ChatAsk {
        job: JobId(job),
        place: place.clone(),
        request: Box::new(request),
        filing: None,
    };
    Command::Chat {
        asks: vec![ask],
        order: ChatOrder::Together,
    }
}

fn environment(demo: &Demo) -> Environment {
    Environment {
        api: Some(ApiAddress::parse(&demo.root()).expect("an address")),
        key: KeyPlace::SettingsFile,
        ..Environment::blank(EnvId("mine".to_owned()), "Mine")
    }
}

/// Keeps an environment with its key.
fn save(env: &Environment, key: Option<&str>) -> Command {
    let mut settings = Settings {
        theme: ThemeChoice::Light,
        selected: env.id.clone(),
        ..Settings::default()
    };
    settings.environments.push(env.clone());
    let key = key.map(|key| KeyChange {
        env: env.id.clone(),
        key: Some(key.into()),
    });
    Command::SaveSettings { settings, key }
}

fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let began = Instant::now();
    while !ready() {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{what} did not happen"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

const FINISHED: ChatEnding = ChatEnding::Finished {
    reason: FinishReason::Stop,
};

#[test]
fn the_demo_opens_lists_and_chats() {
    let mut house = House::start();
    let place = Environment::demo();
    house.ask(9_001, Question::Api(place.clone(), ApiQuestion::Open));
    house.ask(1, Question::Cluster(place.clone(), ClusterQuestion::View));
    house.ask(2, Question::Api(place.clone(), ApiQuestion::Models));
    let (mut opened, mut cluster, mut models) = (None, None, None);
    house.until("place, cluster and models", |event| {
        match event {
            Event::Answered {
                answer: Answer::Api(ApiAnswer::Open(outcome)),
                ..
            } => {
                let Opened { api, key, trouble } = outcome.clone().expect("it opens");
                assert_eq!(trouble, None);
                opened = Some((api, key));
            }
            Event::Answered {
                job: JobId(1),
                answer: Answer::Cluster(ClusterAnswer::View(outcome)),
                ..
            } => {
                cluster = Some(outcome.clone());
            }
            Event::Answered {
                job: JobId(2),
                answer: Answer::Api(ApiAnswer::Models(outcome)),
                ..
            } => {
                models = Some(outcome.clone());
            }
            _ => {}
        }
        (opened.is_some() && cluster.is_some() && models.is_some()).then_some(())
    });
    let (api, key) = opened.expect("it opened");
    assert!(
        api.expect("an address")
            .root()
            .starts_with("http://127.0.0.1:")
    );
    assert!(matches!(key, KeyStatus::Present { .. }), "{key:?}");
    let deployments = cluster.expect("it ended").expect("it loaded").deployments;
    assert!(
        deployments
            .iter()
            .any(|it| it.state == DeploymentState::Deployed)
    );
    assert!(
        deployments
            .iter()
            .any(|it| it.state != DeploymentState::Deployed)
    );
    assert!(
        models
            .expect("it ended")
            .expect("they came")
            .contains(&FAST.to_owned())
    );

    house.send(chat(3, &place, FAST, "What is TTFT?"));
    let (ending, said) = house.until_ended(JobId(3));
    assert_eq!(ending, FINISHED);
    assert!(said.contains("You asked: *What is TTFT?*"), "{said}");
    assert!(
        house.wakes.load(Ordering::Relaxed) >= house.seen.len() as u64,
        "every event wakes the window"
    );

    let ended = |event: &Event| match event {
        Event::ActivityChanged {
            activity:
                Activity {
                    kind,
                    line,
                    ending: Some(ending),
                    ..
                },
        } => {
            assert!(ending.ok && !line.contains(DEMO_KEY), "{event:?}");
            Some(*kind)
        }
        _ => None,
    };
    let kinds: Vec<ActivityKind> = house.seen.iter().filter_map(ended).collect();
    assert!(
        kinds.contains(&ActivityKind::Kubectl) && kinds.contains(&ActivityKind::Http),
        "{kinds:?}"
    );
}

#[test]
fn checks_end_one_by_one_and_then_all() {
    let mut house = House::start();
    house.send(Command::Check {
        job: JobId(1),
        place: Environment::demo(),
    });
    let mut checks: Vec<Check> = Vec::new();
    house.until("the end of the checks", |event| match event {
        Event::CheckEnded {
            job: JobId(1),
            check,
            ..
        } => {
            checks.push(check.clone());
            None
        }
        Event::ChecksEnded { job: JobId(1), .. } => Some(()),
        _ => None,
    });
    assert!(
        checks.iter().all(|check| check.verdict != Verdict::Bad),
        "{checks:#?}"
    );
    assert!(
        checks.iter().any(|check| check.title == "API key accepted"),
        "{checks:#?}"
    );
}

#[test]
fn contexts_and_keys_are_told() {
    let mut house = House::start();
    house.ask(
        1,
        Question::Cluster(Environment::demo(), ClusterQuestion::Contexts),
    );
    house.ask(
        2,
        Question::Api(Environment::demo(), ApiQuestion::RevealKey),
    );
    house.ask(
        3,
        Question::Api(
            Environment::blank(EnvId("x".to_owned()), "X"),
            ApiQuestion::RevealKey,
        ),
    );
    let (mut contexts, mut keys) = (None, Vec::new());
    house.until("contexts and keys", |event| {
        match event {
            Event::Answered {
                answer: Answer::Cluster(ClusterAnswer::Contexts(outcome)),
                ..
            } => {
                contexts = Some(outcome.clone().expect("listed"));
            }
            Event::Answered {
                job,
                answer: Answer::Api(ApiAnswer::RevealKey(outcome)),
                ..
            } => {
                keys.push((*job, outcome.clone()));
            }
            _ => {}
        }
        (contexts.is_some() && keys.len() == 2).then_some(())
    });
    assert_eq!(contexts.expect("listed").current.as_deref(), Some("demo"));
    for (job, outcome) in keys {
        match outcome {
            Ok(key) => assert_eq!((job, key.expose_secret()), (JobId(2), DEMO_KEY)),
            Err(failure) => assert!(failure.summary.contains("has no API key"), "{failure:?}"),
        }
    }
}

#[test]
fn cancelling_ends_one_chat_and_keeps_what_it_said() {
    let mut house = House::start();
    let place = Environment::demo();
    house.send(chat(1, &place, FAST, "Write 20000 tokens"));
    house.until_it_says_something(JobId(1));
    let began = Instant::now();
    house.send(Command::Cancel { job: JobId(1) });
    let (ending, said) = house.until_ended(JobId(1));
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(ending, ChatEnding::Stopped);
    // Cancelling what has ended is nothing.
    house.send(Command::Cancel { job: JobId(1) });
    house.send(chat(2, &place, FAST, "Hi"));
    assert_eq!(house.until_ended(JobId(2)).0, FINISHED);
    assert_eq!(house.said(JobId(1)), said, "nothing comes after the end");
}

#[test]
fn other_places_disturb_no_stream() {
    let demo = Demo::start(vec![DemoModel::quick("m", Quirk::None)]);
    let other = environment(&demo);
    let mut house = House::start();
    house.send(chat(
        1,
        &Environment::demo(),
        "Meta-Llama-3.3-70B-Instruct",
        "Write 250 tokens",
    ));
    house.until_it_says_something(JobId(1));
    // The window switches, loads, saves, chats and stops elsewhere meanwhile.
    house.send(save(&other, Some(DEMO_KEY)));
    house.ask(9_001, Question::Api(other.clone(), ApiQuestion::Open));
    house.ask(2, Question::Api(other.clone(), ApiQuestion::Models));
    house.send(chat(3, &other, "m", "Hi"));
    house.send(chat(4, &other, "m", "Write 20000 tokens"));
    house.until_it_says_something(JobId(4));
    house.send(Command::Cancel { job: JobId(4) });
    assert_eq!(house.until_ended(JobId(4)).0, ChatEnding::Stopped);
    let (ending, said) = house.until_ended(JobId(3));
    assert_eq!(ending, FINISHED);
    assert!(said.contains("`m` is played"), "{said}");
    let running = !house
        .seen
        .iter()
        .any(|it| matches!(it, Event::ChatEnded { job: JobId(1), .. }));
    assert!(running, "the first ended too early to tell");
    let figures = house.until("the end of the first", |event| match event {
        Event::ChatEnded {
            job: JobId(1),
            ending,
            figures,
            ..
        } => Some((ending.clone(), *figures.clone())),
        _ => None,
    });
    assert_eq!(
        (figures.0, figures.1.tokens.map(|tokens| tokens.n)),
        (FINISHED, Some(250))
    );
    house.send(chat(
        5,
        &Environment::demo(),
        "Meta-Llama-3.3-70B-Instruct",
        "Write 250 tokens",
    ));
    house.until_ended(JobId(5));
    assert_eq!(
        house.said(JobId(5)),
        house.said(JobId(1)),
        "the same seed says the same"
    );
}

#[test]
fn a_save_right_before_the_end_is_on_the_disk() {
    let demo = Demo::start(Vec::new());
    for _ in 0..5 {
        let mut house = House::start();
        let env = environment(&demo);
        house.send(save(&env, Some("sk-kept")));
        house.drop_engine();
        let store = SettingsStore::in_dir(&house.dir.path().join("config"));
        let loaded = store.load();
        assert_eq!((loaded.settings.current(), loaded.notice), (&env, None));
        assert_eq!(loaded.settings.theme, ThemeChoice::Light);
        assert!(
            fs::read_to_string(store.path())
                .expect("a file")
                .contains("sk-kept")
        );
    }
}

#[test]
fn a_key_is_in_use_as_soon_as_it_was_saved() {
    let demo = Demo::start(vec![DemoModel::quick("m", Quirk::None)]);
    let env = environment(&demo);
    let mut house = House::start();
    house.send(save(&env, Some("sk-wrong")));
    house.send(chat(1, &env, "m", "Hi"));
    let (ending, _) = house.until_ended(JobId(1));
    let ChatEnding::Failed(failure) = ending else {
        panic!("{ending:?}")
    };
    assert!(failure.summary.contains("rejected the key"), "{failure:?}");
    house.send(save(&env, Some(DEMO_KEY)));
    house.send(chat(2, &env, "m", "Hi"));
    assert_eq!(house.until_ended(JobId(2)).0, FINISHED);
}

#[test]
fn without_its_key_nothing_is_asked() {
    let demo = Demo::start(vec![DemoModel::quick("m", Quirk::None)]);
    let env = Environment {
        key: KeyPlace::Variable("BATIDA_TEST_UNSET".to_owned()),
        ..environment(&demo)
    };
    let mut house = House::start();
    house.ask(9_001, Question::Api(env.clone(), ApiQuestion::Open));
    let status = house.until("the place", |event| match event {
        Event::Answered {
            answer: Answer::Api(ApiAnswer::Open(Ok(opened))),
            ..
        } => Some(opened.key.clone()),
        _ => None,
    });
    assert!(matches!(status, KeyStatus::Missing(_)), "{status:?}");
    house.send(chat(1, &env, "m", "Hi"));
    let (ending, _) = house.until_ended(JobId(1));
    let ChatEnding::Failed(failure) = ending else {
        panic!("{ending:?}")
    };
    assert!(failure.summary.contains("BATIDA_TEST_UNSET"), "{failure:?}");
    assert_eq!(demo.received().len(), 0);
}

#[test]
fn dropping_it_ends_a_kubectl_that_hangs_and_all_that_it_started() {
    let mut house = House::start();
    let pids = house.dir.path().join("pids");
    let script = format!(
        "sleep 1000 &\necho \"$$ $! .\" >> '{}'\nwait",
        pids.display()
    );
    let kubeconfig = house.dir.path().join("kubeconfig");
    fs::write(&kubeconfig, "{}").expect("written");
    let place = Environment {
        cluster: Some(ClusterAccess {
            kubectl: Some(house.fake_kubectl(&script)),
            kubeconfig: Some(kubeconfig),
            ..ClusterAccess::default()
        }),
        ..Environment::blank(EnvId("hangs".to_owned()), "Hangs")
    };
    let read = || -> Vec<u32> {
        let text = fs::read_to_string(&pids).unwrap_or_default();
        text.split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    };

    // A cancelled job leaves none behind.
    house.ask(1, Question::Cluster(place.clone(), ClusterQuestion::View));
    wait_until("kubectl's start", || {
        fs::read_to_string(&pids).is_ok_and(|text| text.ends_with(".\n"))
    });
    house.send(Command::Cancel { job: JobId(1) });
    let outcome = house.until("the end of the look", |event| match event {
        Event::Answered {
            answer: Answer::Cluster(ClusterAnswer::View(outcome)),
            ..
        } => Some(outcome.clone()),
        _ => None,
    });
    assert_eq!(outcome.expect_err("cancelled").summary, "It was cancelled");
    for pid in read() {
        wait_until("kubectl's end", || !is_alive(pid));
    }

    fs::remove_file(&pids).expect("it was there");
    house.ask(2, Question::Cluster(place.clone(), ClusterQuestion::View));
    house.send(Command::Check {
        job: JobId(3),
        place,
    });
    wait_until("kubectl's start", || {
        read().len() >= 4 && fs::read_to_string(&pids).is_ok_and(|text| text.ends_with(".\n"))
    });
    assert!(read().into_iter().all(is_alive), "they hang");
    house.drop_engine();
    for pid in read() {
        wait_until("kubectl's end", || !is_alive(pid));
    }
}

const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";
const MARK: &str = "BATIDA_TEST_SILENT_KEYCHAIN";

/// D-Bus is found through the environment, so this binary runs itself again.
#[test]
fn a_keychain_that_is_silent_can_be_cancelled() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("bus");
    // The system takes connections for it, and nobody answers.
    let _bus = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let mut command = this_test("engine::inner_waits_for_a_keychain");
    check_test(
        command
            .env(BUS, format!("unix:path={}", path.display()))
            .env(MARK, "1"),
    );
}

#[test]
fn inner_waits_for_a_keychain() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let demo = Demo::start(vec![DemoModel::quick("m", Quirk::None)]);
    let place = Environment {
        key: KeyPlace::Keychain,
        ..environment(&demo)
    };
    let mut house = House::start();
    house.ask(1, Question::Api(place.clone(), ApiQuestion::Models));
    house.ask(2, Question::Cluster(place.clone(), ClusterQuestion::View));
    house.send(Command::Check {
        job: JobId(3),
        place: place.clone(),
    });
    house.ask(
        4,
        Question::Cluster(place.clone(), ClusterQuestion::Contexts),
    );
    house.send(chat(5, &place, "m", "Hi"));
    let began = Instant::now();
    let mut ended = Vec::new();
    (1..=5).for_each(|job| house.send(Command::Cancel { job: JobId(job) }));
    house.until("the end of all five", |event| {
        ended.extend(match event {
            Event::Answered { job, .. }
            | Event::ChecksEnded { job, .. }
            | Event::ChatEnded {
                job,
                ending: ChatEnding::Stopped,
                ..
            } => Some(job.0),
            _ => None,
        });
        (ended.len() == 5).then_some(())
    });
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    ended.sort_unstable();
    assert_eq!(ended, [1, 2, 3, 4, 5]);
    house.ask(6, Question::Api(place, ApiQuestion::Models));
    house.drop_engine();
    say_ran();
}

#[test]
fn dropping_it_hangs_up_on_every_server() {
    let demo = Demo::start(vec![
        DemoModel::quick("m", Quirk::Hangs),
        DemoModel::quick("n", Quirk::HangsAfterHead),
    ]);
    let env = environment(&demo);
    let mut house = House::start();
    house.send(save(&env, Some(DEMO_KEY)));
    house.send(chat(1, &env, "m", "Hi"));
    house.send(chat(2, &env, "n", "Hi"));
    wait_until("the requests", || demo.received().len() == 2);
    house.drop_engine();
    wait_until("the aborts", || {
        demo.received()
            .iter()
            .all(|it| it.aborted.load(Ordering::Relaxed))
    });
}

#[test]
fn a_broken_settings_file_is_told_at_the_start() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(dir.path().join("config")).expect("a folder");
    fs::write(
        dir.path().join("config/settings.toml"),
        "no = toml = at all",
    )
    .expect("written");
    let started = Engine::start(options(dir.path()), || {}).expect("it starts all the same");
    assert_eq!(started.settings, Settings::default());
    let notice = started.notice.expect("it is told");
    assert!(notice.advice.contains("It was renamed to"), "{notice:?}");
}

/// Asks of the demo with these prompts.
fn asks(prompts: &[&str]) -> Vec<ChatAsk> {
    let ask = |(n, prompt): (usize, &&str)| {
        let messages = vec![Message::new(Role::User, *prompt)];
        let request = ChatRequest {
            model: FAST.to_owned(),
            messages,
            params: Params::default(),
        };
        let (request, place) = (Box::new(request), Environment::demo());
        ChatAsk {
            job: JobId(n as u64 + 1),
            place,
            request,
            filing: None,
        }
    };
    prompts.iter().enumerate().map(ask).collect()
}

/// In which order the jobs began to be sent, said something for the first time, and ended.
fn order(seen: &[Event]) -> Vec<(&'static str, u64)> {
    let mut order = Vec::new();
    for event in seen {
        let step = match event {
            Event::ChatBegan { job } => ("began", job.0),
            Event::ChatAdvanced { job, .. } => ("said", job.0),
            Event::ChatEnded { job, .. } => ("ended", job.0),
            _ => continue,
        };
        if !order.contains(&step) {
            order.push(step);
        }
    }
    order
}

#[test]
fn side_by_side_all_are_sent_before_any_has_answered() {
    let mut house = House::start();
    house.send(Command::Chat {
        asks: asks(&["Write 400 tokens", "Write 400 tokens", "Write 400 tokens"]),
        order: ChatOrder::Together,
    });
    for n in 1..=3 {
        let (ending, said) = house.until_ended(JobId(n));
        assert_eq!(
            (ending, said.is_empty()),
            (
                ChatEnding::Finished {
                    reason: FinishReason::Stop
                },
                false
            )
        );
    }
    let order = order(&house.seen);
    assert!(
        order[..3].iter().all(|(step, _)| *step == "began"),
        "{order:?}"
    );
}

#[test]
fn in_turn_each_is_sent_when_the_one_before_has_ended() {
    let mut house = House::start();
    house.send(Command::Chat {
        asks: asks(&["one", "two", "three"]),
        order: ChatOrder::InTurn,
    });
    for n in 1..=3 {
        house.until_ended(JobId(n));
    }
    let wanted: Vec<_> = (1..=3)
        .flat_map(|n| [("began", n), ("said", n), ("ended", n)])
        .collect();
    assert_eq!(order(&house.seen), wanted);
}

#[test]
fn in_turn_a_stopped_one_makes_room_and_who_waits_can_be_stopped() {
    let mut house = House::start();
    house.send(Command::Chat {
        asks: asks(&["Write 200000 tokens", "never sent", "three"]),
        order: ChatOrder::InTurn,
    });
    house.until_it_says_something(JobId(1));
    house.send(Command::Cancel { job: JobId(2) });
    assert_eq!(
        house.until_ended(JobId(2)),
        (ChatEnding::Stopped, String::new())
    );
    house.send(Command::Cancel { job: JobId(1) });
    assert_eq!(house.until_ended(JobId(1)).0, ChatEnding::Stopped);
    let (ending, said) = house.until_ended(JobId(3));
    assert_eq!(
        ending,
        ChatEnding::Finished {
            reason: FinishReason::Stop
        }
    );
    assert!(said.contains("three"), "{said}");
    let order = order(&house.seen);
    let at = |step| order.iter().position(|other| *other == step);
    assert!(
        at(("ended", 1)) < at(("began", 3)),
        "the second's end was not its turn: {order:?}"
    );
}

#[test]
fn side_by_side_one_that_cannot_be_asked_holds_nobody_up() {
    let mut house = House::start();
    let mut asks = asks(&["one", "two"]);
    asks[0].place = Environment::blank(EnvId("e1".to_owned()), "no address");
    house.send(Command::Chat {
        asks,
        order: ChatOrder::Together,
    });
    assert!(matches!(
        house.until_ended(JobId(1)).0,
        ChatEnding::Failed(_)
    ));
    assert_eq!(
        house.until_ended(JobId(2)).0,
        ChatEnding::Finished {
            reason: FinishReason::Stop
        }
    );
}

#[test]
fn in_turn_nobody_waits_for_what_is_asked_of_the_cluster_behind_an_answer() {
    let demo = Demo::start(vec![DemoModel::quick("m", Quirk::None)]);
    let mut house = House::start();
    // It is asked after the answer where a conversation is kept, and does not answer.
    let kubectl = house.fake_kubectl("exec sleep 100");
    let cluster = ClusterAccess {
        kubectl: Some(kubectl),
        ..ClusterAccess::default()
    };
    let place = Environment {
        cluster: Some(cluster),
        ..environment(&demo)
    };
    house.send(save(&place, Some(DEMO_KEY)));
    let mut asks = asks(&["one", "two"]);
    for ask in &mut asks {
        ask.place = place.clone();
        "m".clone_into(&mut ask.request.model);
        let conversation = SessionId(format!("c{}", ask.job.0));
        let said = UserInput::text(&ask.request.messages[0].content);
        ask.filing = Some(Filing {
            conversation,
            exchange: 1,
            parent: None,
            pane: None,
            deployment: None,
            said,
        });
    }
    house.send(Command::Chat {
        asks,
        order: ChatOrder::InTurn,
    });
    assert_eq!(house.until_ended(JobId(2)).0, FINISHED);
    let of_kubectl = |event: &Event| match event {
        Event::ActivityChanged { activity } if activity.kind == ActivityKind::Kubectl => {
            Some(activity.ending.is_some())
        }
        _ => None,
    };
    let asked: Vec<bool> = house.seen.iter().filter_map(of_kubectl).collect();
    assert!(
        !asked.contains(&true),
        "the second was sent only after kubectl had been given up: {asked:?}"
    );
    if asked.is_empty() {
        house.until("the cluster is asked", |event| of_kubectl(event).map(drop));
    }
}

#[test]
fn drafts_do_not_wait_for_a_keychain_that_does_not_answer() {
    let dir = tempfile::tempdir().expect("a folder");
    let bus = dir.path().join("bus");
    // Whoever connects waits for ever.
    let _listens = std::os::unix::net::UnixListener::bind(&bus).expect("a socket");
    let mut command = this_test("engine::inner_keeps_a_draft");
    command.env_clear().env(
        "DBUS_SESSION_BUS_ADDRESS",
        format!("unix:path={}", bus.display()),
    );
    check_test(
        command
            .env(FOLDER, dir.path())
            .env("HOME", dir.path())
            .env("XDG_RUNTIME_DIR", dir.path()),
    );
}

#[test]
fn inner_keeps_a_draft() {
    let Some(dir) = folder() else { return };
    let options = Options {
        config: Some(dir.join("config")),
        simulated_kubectl: None,
    };
    let Started { engine, events, .. } = Engine::start(options, || {}).expect("it starts");
    engine.send(Command::SaveSettings {
        settings: settings_with(KeyPlace::Keychain),
        key: Some(new_key()),
    });
    let form = PlaygroundForm {
        draft: "half".to_owned(),
        ..PlaygroundForm::default()
    };
    let (env, form) = (EnvId::demo(), Some(form));
    let change = WorkspaceChange::Playground { env, form };
    engine.send(Command::Keep { change });
    let note = Attachment {
        name: "a.md".to_owned(),
        content: Attached::Text("a".into()),
    };
    engine.send(Command::KeepDraft {
        env: EnvId::demo(),
        attached: vec![note],
    });
    let kept = || Store::open(&dir.join("config")).expect("it opens").store;
    let until = Instant::now() + Duration::from_secs(30);
    while kept().drafts().expect("read").is_empty() {
        match events.recv_deadline(until).expect("it goes on") {
            Event::WorkspaceKept { outcome } => outcome.expect("it is kept"),
            Event::SettingsSaved { outcome } => {
                panic!("the drafts waited for the keychain: {outcome:?}")
            }
            _ => {}
        }
    }
    drop(engine);
    let form = &kept().workspace().expect("read").playgrounds[&EnvId::demo()];
    assert_eq!(form.draft, "half");
    say_ran();
}

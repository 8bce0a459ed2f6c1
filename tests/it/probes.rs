//! "Is it serving?", asked of the demo's models: bounded, few at once, and cancelled at once.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use batida::demo::api::{DEMO_KEY, DemoModel, DemoServer, Quirk};
use batida::engine::{Options, places, probe};
use batida::protocol::{Failure, ProbeAnswer, ProbeKind, ProbeTarget};
use tokio_util::sync::CancellationToken;

use crate::support::demo::options;
use crate::support::window::{api_env, remember};

type Told = Vec<(String, Result<ProbeAnswer, Failure>)>;

/// Probes these models of a demo, with this patience.
async fn probed(
    models: Vec<DemoModel>,
    kind: ProbeKind,
    patience: Duration,
    cancel: &CancellationToken,
) -> Told {
    let server = DemoServer::start(options(models.clone())).await.expect("the loopback has a free port");
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let (config, env) = (dir.path().to_owned(), api_env(&server.address()));
    let settings = env.clone();
    let saving = tokio::task::spawn_blocking(move || remember(&config, settings, Some(DEMO_KEY)));
    saving.await.expect("the settings are saved");
    let options = Options { config: Some(dir.path().to_owned()), twin: None };
    let (places, ..) = places(&options, |_| {}).expect("a folder of its own");
    let place = places.open(&env).await;
    let target = |model: DemoModel| ProbeTarget { model: model.name, kind };
    let told = Mutex::new(Told::new());
    probe::run(&place, models.into_iter().map(target).collect(), patience, cancel, |model, _, outcome| {
        told.lock().expect("no panic").push((model, outcome));
    })
    .await;
    let mut told = told.into_inner().expect("no panic");
    told.sort_by(|a, b| a.0.cmp(&b.0));
    told
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn each_model_is_told_of_once() {
    let empty = DemoModel::quick("c-empty", Quirk::Empty("length"));
    let models = vec![DemoModel::quick("a", Quirk::None), DemoModel::quick("b-hangs", Quirk::Hangs), empty];
    let began = Instant::now();
    let told = probed(models, ProbeKind::Chat, Duration::from_millis(1_500), &CancellationToken::new()).await;
    assert!(began.elapsed() < LONG);
    let [(_, a), (_, hangs), (_, empty)] = told.as_slice() else { panic!("{told:?}") };
    assert!(a.as_ref().is_ok_and(|answer| answer.ttft.is_some()), "{a:?}");
    let failure = hangs.as_ref().expect_err("it never answers");
    assert_eq!(failure.summary, "no answer to a one-token chat within 1 s");
    let empty = empty.as_ref().expect("an answer without a word is an answer");
    assert_eq!((empty.ttft, empty.latency.is_some()), (None, true));
}

#[tokio::test]
async fn an_embedding_model_is_asked_for_an_embedding() {
    let models = vec![DemoModel::quick("chats", Quirk::None), DemoModel::quick("embeds", Quirk::Embeds)];
    let told = probed(models, ProbeKind::Embedding, LONG, &CancellationToken::new()).await;
    assert!(
        told[0].1.as_ref().is_err_and(|why| why.summary.contains("does not make embeddings")),
        "{told:?}"
    );
    assert!(
        told[1].1.as_ref().is_ok_and(|answer| answer.ttft.is_none() && answer.latency.is_some()),
        "{told:?}"
    );
}

#[tokio::test]
async fn cancelling_ends_it_at_once_and_blames_nobody() {
    let cancel = CancellationToken::new();
    let later = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        later.cancel();
    });
    let began = Instant::now();
    let told = probed(vec![DemoModel::quick("hangs", Quirk::Hangs)], ProbeKind::Chat, LONG, &cancel).await;
    assert!(told.is_empty() && began.elapsed() < LONG, "{told:?}");
}

#[tokio::test]
async fn without_a_key_each_says_so() {
    let server =
        DemoServer::start(options(vec![DemoModel::quick("a", Quirk::None)])).await.expect("it listens");
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let options = Options { config: Some(dir.path().to_owned()), twin: None };
    let (places, ..) = places(&options, |_| {}).expect("a folder of its own");
    let place = places.open(&api_env(&server.address())).await;
    let told = Mutex::new(Vec::new());
    let target = ProbeTarget { model: "a".to_owned(), kind: ProbeKind::Chat };
    probe::run(&place, vec![target], LONG, &CancellationToken::new(), |_, _, outcome| {
        told.lock().expect("no panic").push(outcome);
    })
    .await;
    let told = told.into_inner().expect("no panic");
    assert!(told[0].as_ref().is_err_and(|why| why.summary.contains("no API key")), "{told:?}");
}

//! "Is it serving?", asked of the demo's models: bounded, few at once, and cancelled at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use batida::demo::api::{DEMO_KEY, DemoModel, DemoServer, Quirk};
use batida::engine::{Options, connections, probe};
use batida::protocol::{Activity, ActivityKind, Failure, ProbeAnswer, ProbeKind, ProbeTarget};
use tokio_util::sync::CancellationToken;

use crate::support::demo::options;
use crate::support::environments::{api_env, remember};

type Told = Vec<(String, Result<ProbeAnswer, Failure>)>;

/// Probes these models of a demo, with this patience.
async fn probed(
    models: Vec<DemoModel>,
    kind: ProbeKind,
    patience: Duration,
    cancel: &CancellationToken,
) -> Told {
    probed_and_seen(models, kind, patience, cancel, |_| {}).await
}

/// The same; `see` is told of each request as it begins and ends.
async fn probed_and_seen(
    models: Vec<DemoModel>,
    kind: ProbeKind,
    patience: Duration,
    cancel: &CancellationToken,
    see: impl Fn(Activity) + Send + Sync + 'static,
) -> Told {
    let server = DemoServer::start(options(models.clone()))
        .await
        .expect("the loopback has a free port");
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let (config, env) = (dir.path().to_owned(), api_env(&server.address()));
    let settings = env.clone();
    let saving = tokio::task::spawn_blocking(move || remember(&config, settings, Some(DEMO_KEY)));
    saving.await.expect("the settings are saved");
    let options = Options {
        config: Some(dir.path().to_owned()),
        simulated_kubectl: None,
    };
    let (connections, ..) = connections(&options, see).expect("a folder of its own");
    let connection = connections.open(&env).await;
    let target = |model: DemoModel| ProbeTarget {
        model: model.name,
        kind,
    };
    let told = Mutex::new(Told::new());
    probe::run(
        &connection,
        models.into_iter().map(target).collect(),
        patience,
        cancel,
        |model, _, outcome| {
            told.lock().expect("no panic").push((model, outcome));
        },
    )
    .await;
    let mut told = told.into_inner().expect("no panic");
    told.sort_by(|a, b| a.0.cmp(&b.0));
    told
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn each_model_is_told_of_once() {
    let empty = DemoModel::quick("c-empty", Quirk::Empty("length"));
    let models = vec![
        DemoModel::quick("a", Quirk::None),
        DemoModel::quick("b-hangs", Quirk::Hangs),
        empty,
    ];
    let began = Instant::now();
    let told = probed(
        models,
        ProbeKind::Chat,
        Duration::from_millis(1_500),
        &CancellationToken::new(),
    )
    .await;
    assert!(began.elapsed() < LONG);
    let [(_, a), (_, hangs), (_, empty)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert!(
        a.as_ref().is_ok_and(|answer| answer.ttft.is_some()),
        "{a:?}"
    );
    let failure = hangs.as_ref().expect_err("it never answers");
    assert_eq!(
        failure.summary,
        "No response to a one-token chat within 1 s"
    );
    let empty = empty
        .as_ref()
        .expect("an answer without a word is an answer");
    assert_eq!((empty.ttft, empty.latency.is_some()), (None, true));
}

#[tokio::test]
async fn an_embedding_model_is_asked_for_an_embedding() {
    let models = vec![
        DemoModel::quick("chats", Quirk::None),
        DemoModel::quick("embeds", Quirk::Embeds),
    ];
    let told = probed(
        models,
        ProbeKind::Embedding,
        LONG,
        &CancellationToken::new(),
    )
    .await;
    assert!(
        told[0]
            .1
            .as_ref()
            .is_err_and(|why| why.summary.contains("does not create embeddings")),
        "{told:?}"
    );
    assert!(
        told[1]
            .1
            .as_ref()
            .is_ok_and(|answer| answer.ttft.is_none() && answer.latency.is_some()),
        "{told:?}"
    );
}

#[tokio::test]
async fn cancelling_ends_it_at_once_and_blames_nobody() {
    const FOR_EVER: Duration = Duration::from_secs(3_600);
    let cancel = CancellationToken::new();
    let asked = cancel.clone();
    let see = move |activity: Activity| {
        if activity.kind == ActivityKind::Http && activity.ending.is_none() {
            asked.cancel();
        }
    };
    let models = vec![
        DemoModel::quick("hangs", Quirk::Hangs),
        DemoModel::quick("waits", Quirk::Hangs),
    ];
    let probing = probed_and_seen(models, ProbeKind::Chat, FOR_EVER, &cancel, see);
    let told = tokio::time::timeout(LONG, probing)
        .await
        .expect("nobody's patience was waited for");
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn no_more_than_two_are_asked_at_once() {
    let seen = Arc::new(Mutex::new((HashSet::new(), 0, 0)));
    let counted = Arc::clone(&seen);
    let see = move |activity: Activity| {
        let (under_way, most, all) = &mut *counted.lock().expect("no panic");
        match activity.ending {
            None => {
                under_way.insert(activity.id);
                *all += 1;
            }
            Some(_) => drop(under_way.remove(&activity.id)),
        }
        *most = under_way.len().max(*most);
    };
    // None ends before its patience does, so that all that may be asked at once are.
    let models = ["a", "b", "c", "d", "e", "f"]
        .map(|name| DemoModel::quick(name, Quirk::Hangs))
        .to_vec();
    let patience = Duration::from_millis(400);
    let told = probed_and_seen(
        models,
        ProbeKind::Chat,
        patience,
        &CancellationToken::new(),
        see,
    )
    .await;
    assert_eq!(told.len(), 6);
    let (under_way, most, all) = &*seen.lock().expect("no panic");
    assert_eq!((under_way.len(), *most, *all), (0, 2, 6));
}

#[tokio::test]
async fn without_a_key_each_says_so() {
    let server = DemoServer::start(options(vec![DemoModel::quick("a", Quirk::None)]))
        .await
        .expect("it listens");
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let options = Options {
        config: Some(dir.path().to_owned()),
        simulated_kubectl: None,
    };
    let (connections, ..) = connections(&options, |_| {}).expect("a folder of its own");
    let connection = connections.open(&api_env(&server.address())).await;
    let told = Mutex::new(Vec::new());
    let target = |(model, kind): (&str, ProbeKind)| ProbeTarget {
        model: model.to_owned(),
        kind,
    };
    let targets = [
        ("a", ProbeKind::Chat),
        ("b", ProbeKind::Chat),
        ("c", ProbeKind::Embedding),
    ]
    .map(target);
    probe::run(
        &connection,
        targets.to_vec(),
        LONG,
        &CancellationToken::new(),
        |_, _, outcome| {
            told.lock().expect("no panic").push(outcome);
        },
    )
    .await;
    let told = told.into_inner().expect("no panic");
    assert_eq!(told.len(), 3, "{told:?}");
    for outcome in &told {
        assert!(
            outcome
                .as_ref()
                .is_err_and(|why| why.summary.contains("no API key")),
            "{told:?}"
        );
    }
    assert_eq!(server.received().len(), 0, "nothing is sent without a key");
}

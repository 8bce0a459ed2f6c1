//! Finding again: filters, sorting, pages, names, trends, baselines.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use batida::domain::history::{Deletion, HistoryPage, HistoryQuery, SessionKind, SortBy};
use batida::domain::stats::{Estimate, P50};
use batida::engine::history::History;
use batida::io::history::Store;

use super::made::{MODEL, Made, at, id, open, target};
use crate::support::environments::runtime;

/// Four benchmarks: `b1` to `b3` of one model, `b4` of two.
fn shelf() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let gpt = target(MODEL, Some("md-gpt"));
    let llama = target("Llama_3.3-70B", Some("bundle-100%"));
    Made::new("b1", at(1, 0), std::slice::from_ref(&gpt), 300)
        .tagged(&["nightly", "zeta"])
        .keep(&store);
    Made::new("b2", at(2, 0), std::slice::from_ref(&gpt), 100).keep(&store);
    let mut west = Made::new("b3", at(3, 0), &[target(MODEL, None)], 200).tagged(&["Ärger"]);
    west.report.environment = "west".to_owned();
    west.report.levels[0]
        .ttft_ms
        .percentiles
        .set(P50, Estimate::default());
    west.keep(&store);
    Made::new("b4", at(4, 0), &[llama, gpt], 150)
        .tagged(&["nightly"])
        .keep(&store);
    (dir, store)
}

fn all() -> HistoryQuery {
    HistoryQuery {
        limit: 100,
        ..HistoryQuery::default()
    }
}

#[track_caller]
fn check(store: &Store, query: &HistoryQuery, ids: &[&str]) -> HistoryPage {
    let page = store.list(query).expect("listed");
    let found: Vec<&str> = page.rows.iter().map(|row| row.id.0.as_str()).collect();
    assert_eq!(found, ids, "{query:?}");
    page
}

#[test]
fn every_filter_leaves_what_it_should() {
    let (_dir, store) = shelf();
    let page = check(&store, &all(), &["b4", "b3", "b2", "b1"]);
    assert_eq!((page.total, page.requests), (4, 100));
    assert!(page.bytes > 0);
    let llama = "Llama_3.3-70B".to_owned();
    check(
        &store,
        &HistoryQuery {
            model: Some(llama),
            ..all()
        },
        &["b4"],
    );
    check(
        &store,
        &HistoryQuery {
            model: Some(MODEL.to_owned()),
            ..all()
        },
        &["b4", "b3", "b2", "b1"],
    );
    check(
        &store,
        &HistoryQuery {
            deployment: Some("bundle-100%".to_owned()),
            ..all()
        },
        &["b4"],
    );
    check(
        &store,
        &HistoryQuery {
            environment: Some("west".to_owned()),
            ..all()
        },
        &["b3"],
    );
    check(
        &store,
        &HistoryQuery {
            tag: Some("nightly".to_owned()),
            ..all()
        },
        &["b4", "b1"],
    );
    check(
        &store,
        &HistoryQuery {
            since: Some(at(2, 0)),
            until: Some(at(4, 0)),
            ..all()
        },
        &["b3", "b2"],
    );
    check(
        &store,
        &HistoryQuery {
            kind: Some(SessionKind::Chat),
            ..all()
        },
        &[],
    );
    check(
        &store,
        &HistoryQuery {
            kind: Some(SessionKind::Bench),
            offset: 1,
            limit: 2,
            ..all()
        },
        &["b3", "b2"],
    );
    let late = HistoryQuery {
        tag: Some("nightly".to_owned()),
        since: Some(at(2, 0)),
        ..all()
    };
    assert_eq!(check(&store, &late, &["b4"]).total, 1);
}

#[test]
fn words_are_found_wherever_they_stand_and_mean_nothing_else() {
    let (_dir, store) = shelf();
    let words = |text: &str| HistoryQuery {
        text: text.to_owned(),
        ..all()
    };
    check(&store, &words("llama NIGHTLY"), &["b4"]);
    check(&store, &words("west"), &["b3"]);
    check(&store, &words("ärger"), &["b3"]);
    check(&store, &words("4 clients"), &["b4", "b3", "b2", "b1"]);
    check(&store, &words("b2"), &["b2"]);
    check(&store, &words("100%"), &["b4"]);
    check(&store, &words("%"), &["b4"]);
    check(&store, &words("llama_3"), &["b4"]);
    check(&store, &words("llama-3"), &[]);
    check(&store, &words("_"), &["b4"]);
    check(&store, &words("\\"), &[]);
    check(&store, &words("' OR 1=1 --"), &[]);
}

#[test]
fn every_column_sorts_both_ways_and_what_is_absent_comes_last() {
    let (_dir, store) = shelf();
    for (sort, up, down) in [
        (
            SortBy::Began,
            ["b1", "b2", "b3", "b4"],
            ["b4", "b3", "b2", "b1"],
        ),
        (
            SortBy::Title,
            ["b4", "b3", "b2", "b1"],
            ["b4", "b3", "b2", "b1"],
        ),
        (
            SortBy::Deployment,
            ["b4", "b2", "b1", "b3"],
            ["b2", "b1", "b4", "b3"],
        ),
        (
            SortBy::Model,
            ["b3", "b2", "b1", "b4"],
            ["b4", "b3", "b2", "b1"],
        ),
        (
            SortBy::Requests,
            ["b3", "b2", "b1", "b4"],
            ["b4", "b3", "b2", "b1"],
        ),
        (
            SortBy::Errors,
            ["b3", "b2", "b1", "b4"],
            ["b4", "b3", "b2", "b1"],
        ),
        (
            SortBy::Ttft,
            ["b2", "b4", "b1", "b3"],
            ["b1", "b4", "b2", "b3"],
        ),
        (
            SortBy::Itl,
            ["b4", "b3", "b2", "b1"],
            ["b4", "b3", "b2", "b1"],
        ),
        (
            SortBy::Tag,
            ["b4", "b1", "b3", "b2"],
            ["b3", "b1", "b4", "b2"],
        ),
    ] {
        let down_too = check(&store, &HistoryQuery { sort, ..all() }, &down);
        let page = check(
            &store,
            &HistoryQuery {
                sort,
                ascending: true,
                ..all()
            },
            &up,
        );
        assert_eq!(page.total, down_too.total);
    }
    let peaks = |ascending| {
        let query = HistoryQuery {
            sort: SortBy::Peak,
            ascending,
            ..all()
        };
        let rows = store.list(&query).expect("listed").rows;
        rows.into_iter()
            .filter_map(|row| row.peak_tokens_per_s)
            .collect::<Vec<f64>>()
    };
    assert!(peaks(true).is_sorted() && peaks(true).len() == 4);
    assert!(peaks(false).is_sorted_by(|a, b| a >= b));
}

#[test]
fn the_filters_offer_what_occurs() {
    let (_dir, store) = shelf();
    let facets = check(
        &store,
        &HistoryQuery {
            text: "nothing has it".to_owned(),
            ..all()
        },
        &[],
    )
    .facets;
    assert_eq!(facets.models, ["Llama_3.3-70B", MODEL]);
    assert_eq!(facets.deployments, ["bundle-100%", "md-gpt"]);
    assert_eq!(facets.environments, ["east", "west"]);
    assert_eq!(facets.tags, ["nightly", "zeta", "Ärger"]);
}

#[test]
fn what_would_be_deleted_by_age_is_counted_without_what_is_spared() {
    let (_dir, store) = shelf();
    store.set_baseline(&id("b1"), true).expect("it is there");
    let until = at(28, 0);
    let counted = store
        .list(&HistoryQuery {
            until: Some(until),
            deletable: true,
            ..HistoryQuery::default()
        })
        .expect("counted")
        .total;
    let all = store.list(&all()).expect("listed").total;
    assert_eq!(counted, all - 1, "all but the baseline");
    let deleted = store
        .delete(&Deletion::OlderThan(until))
        .expect("it is deleted");
    assert_eq!(deleted as u64, counted);
}

#[test]
fn a_session_is_found_by_what_people_call_it() {
    let (_dir, store) = shelf();
    Made::simple("b2aaa", at(2, 5)).keep(&store);
    let find = |name: &str| {
        store
            .find(name)
            .map(|id| id.0)
            .map_err(|failure| failure.summary)
    };
    assert_eq!(
        find("b2"),
        Ok("b2".to_owned()),
        "an id, though another begins with it"
    );
    assert_eq!(find("b2a"), Ok("b2aaa".to_owned()));
    assert_eq!(find("last"), Ok("b4".to_owned()));
    assert_eq!(find("last~0"), Ok("b4".to_owned()));
    assert_eq!(find("last~4"), Ok("b1".to_owned()));
    assert_eq!(
        find("nightly"),
        Ok("b4".to_owned()),
        "the newest with the tag"
    );
    assert_eq!(find("zeta"), Ok("b1".to_owned()));
    assert!(find("last~5").is_err_and(|why| why.contains("no benchmark last~5")));
    assert!(find("b").is_err_and(|why| why.contains("several sessions: b4, b3")));
    assert!(find("").is_err() && find("%").is_err() && find("zzz").is_err());
}

#[test]
fn tags_are_changed_and_found_by() {
    let (_dir, store) = shelf();
    let tags = [
        " new ".to_owned(),
        "new".to_owned(),
        String::new(),
        "two words".to_owned(),
    ];
    store.tag(&id("b1"), &tags).expect("it is there");
    let row = store.row(&id("b1")).expect("there");
    assert_eq!(row.tags, ["new", "two words"]);
    check(
        &store,
        &HistoryQuery {
            tag: Some("nightly".to_owned()),
            ..all()
        },
        &["b4"],
    );
    check(
        &store,
        &HistoryQuery {
            text: "words".to_owned(),
            ..all()
        },
        &["b1"],
    );
    // An import of the same session leaves what the user said of it.
    store.set_baseline(&id("b1"), true).expect("there");
    Made::new("b1", at(1, 0), &[target(MODEL, Some("md-gpt"))], 300)
        .tagged(&["nightly"])
        .keep(&store);
    let row = store.row(&id("b1")).expect("there");
    assert_eq!(row.tags, ["nightly", "new", "two words"]);
    assert!(row.baseline);
    assert_eq!(store.list(&all()).expect("listed").requests, 100);
}

#[test]
fn a_baseline_is_of_a_model_on_a_deployment() {
    let (_dir, store) = shelf();
    let baseline = |model: &str, deployment| {
        store
            .baseline_of(model, deployment)
            .expect("read")
            .map(|id| id.0)
    };
    assert_eq!(baseline(MODEL, Some("md-gpt")), None);
    store.set_baseline(&id("b4"), true).expect("there");
    assert_eq!(baseline(MODEL, Some("md-gpt")), Some("b4".to_owned()));
    assert_eq!(
        baseline("Llama_3.3-70B", Some("bundle-100%")),
        Some("b4".to_owned())
    );
    assert_eq!(baseline(MODEL, None), None, "another place");
    store.set_baseline(&id("b1"), true).expect("there");
    assert_eq!(baseline(MODEL, Some("md-gpt")), Some("b1".to_owned()));
    assert_eq!(
        baseline("Llama_3.3-70B", Some("bundle-100%")),
        Some("b4".to_owned()),
        "it still is, of the other"
    );
    store.set_baseline(&id("b3"), true).expect("there");
    assert_eq!(baseline(MODEL, None), Some("b3".to_owned()));
    store.set_baseline(&id("b1"), false).expect("there");
    assert_eq!(baseline(MODEL, Some("md-gpt")), None);
    let marked: Vec<bool> = store
        .list(&all())
        .expect("listed")
        .rows
        .iter()
        .map(|row| row.baseline)
        .collect();
    assert_eq!(marked, [true, true, false, false], "b4 and b3");
}

#[test]
fn a_trend_has_each_models_own_figures() {
    let (_dir, store) = shelf();
    let points = |model: &str, deployment, since| {
        store.trend(model, deployment, since).expect("read").points
    };
    let all = points(MODEL, None, None);
    let named: Vec<(&str, Option<f64>)> = all
        .iter()
        .map(|p| (p.session.0.as_str(), p.ttft_p50_ms))
        .collect();
    assert_eq!(named[0].0, "b1");
    assert_eq!(
        named.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        ["b1", "b2", "b3", "b4"],
        "oldest first"
    );
    assert!(
        named[0]
            .1
            .is_some_and(|ttft| (300.0..320.0).contains(&ttft)),
        "{named:?}"
    );
    assert_eq!(named[2].1, None);
    assert!(
        named[3]
            .1
            .is_some_and(|ttft| (150.0..170.0).contains(&ttft)),
        "{named:?}"
    );
    assert_eq!(all[0].release.as_deref(), Some("1.4.0"));
    assert!(
        all[0]
            .user_tokens_per_s
            .is_some_and(|speed| (speed - 100.0).abs() < 2.0)
    );
    assert_eq!(points(MODEL, Some("md-gpt"), None).len(), 3);
    assert_eq!(points(MODEL, None, Some(at(3, 0))).len(), 2);
    assert_eq!(points("nobody", None, None), []);
}

#[test]
fn whatever_is_pasted_into_the_search_is_looked_for() {
    let (_dir, store) = shelf();
    let words = |text: String| HistoryQuery { text, ..all() };
    check(&store, &words("llama ".repeat(5_000)), &["b4"]);
    check(&store, &words("nothing ".repeat(5_000)), &[]);
    check(&store, &words("x".repeat(2_000_000)), &[]);
    check(&store, &words("%".repeat(60_000)), &[]);
    check(&store, &words("\"'\\_% ".repeat(400)), &[]);
    check(&store, &words("é".repeat(70_000)), &[]);
    check(&store, &words("b2 ".repeat(1_000)), &["b2"]);
    // Some of the short words, and all of the others.
    check(&store, &words("ni ll llama".to_owned()), &["b4"]);
    check(&store, &words("ni zz llama".to_owned()), &[]);
    check(&store, &words("ni ll am la zz llama".to_owned()), &["b4"]);
    check(&store, &words("ni ll am la zebra".to_owned()), &[]);
    // Only the beginning of a page is looked for.
    let page = "llama lam ama nig igh ght htl tly nightl ightly ghtly night ight htly nigh nightly"
        .to_owned();
    check(&store, &words(page.clone()), &["b4"]);
    check(&store, &words(format!("{page} nothing")), &["b4"]);
    check(&store, &words(format!("nothing {page}")), &[]);
}

#[test]
fn a_search_that_nobody_waits_for_ends() {
    const LIMIT: Duration = Duration::from_secs(20);
    let (dir, store) = shelf();
    drop(store);
    let history = History::start(Ok(dir.path().to_owned()), |_| {}).expect("a thread");
    let recorder = history.recorder();
    let (began, begun) = mpsc::channel();
    let (ended, end) = mpsc::channel();
    let search = move |store: &Store| {
        let until = Instant::now() + LIMIT;
        let query = HistoryQuery {
            text: "nightly".to_owned(),
            ..all()
        };
        while Instant::now() < until {
            if let Err(failure) = store.list(&query) {
                ended.send(failure).expect("somebody listens");
                break;
            }
            // Fails once nobody waits.
            let _ = began.send(());
        }
        Ok(())
    };
    let runtime = runtime();
    let reading = runtime.spawn(async move { recorder.read(search).await });
    begun.recv_timeout(LIMIT).expect("it reads");
    reading.abort();
    end.recv_timeout(LIMIT / 2).expect("it has ended early");
    let again = runtime.block_on(history.recorder().read(|store| store.list(&all())));
    assert_eq!(again.expect("the history is as it was").total, 4);
}

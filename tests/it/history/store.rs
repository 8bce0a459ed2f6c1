//! What goes in comes out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use batida::domain::conversation::Params;
use batida::domain::failure::FaultClass;
use batida::domain::history::{
    Deletion, Exchange, ExchangeEnding, HistoryQuery, Said, SessionBody, SessionKind, SessionRow,
    SessionState, SortBy, StoredRequest,
};
use batida::domain::run::{EnvironmentInfo, LevelEnd, SessionEnd};
use batida::domain::stats::P50;
use batida::io::history::{ChatRecord, FILE, Store, Writing};
use batida::metrics::request::{Phase, RequestError, RequestRecord};
use batida::metrics::timeline::{Figures, Reasoning, ServerFigures, TokenSource, Tokens};
use proptest::prelude::*;
use rusqlite::Connection;

use super::made::{MODEL, Made, at, id, open, record, requests_of, stored, target};

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0u64..200_000_000_000).prop_map(Duration::from_nanos),
        1 => (0u64..=i64::MAX as u64).prop_map(Duration::from_nanos),
    ]
}

fn some_time() -> impl Strategy<Value = Option<Duration>> {
    prop::option::of(time())
}

fn tokens() -> impl Strategy<Value = Tokens> {
    let source = prop_oneof![Just(TokenSource::Usage), Just(TokenSource::Chunks)];
    (any::<u64>(), source).prop_map(|(n, source)| Tokens { n, source })
}

fn number() -> impl Strategy<Value = Option<f64>> {
    prop::option::of(prop::num::f64::NORMAL | prop::num::f64::ZERO)
}

fn server() -> impl Strategy<Value = ServerFigures> {
    (some_time(), some_time(), number(), number(), number()).prop_map(
        |(ttft, latency, after_first_per_sec, per_sec, acceptance_rate)| ServerFigures {
            ttft,
            latency,
            after_first_per_sec,
            per_sec,
            acceptance_rate,
        },
    )
}

prop_compose! {
    fn figures()(
        (connect, ttft, first_answer, latency, tpot) in
            (some_time(), some_time(), some_time(), some_time(), some_time()),
        (itl, longest_gap) in (some_time(), some_time()),
        tokens_counted in prop::option::of(tokens()),
        tokens_per_sec in number(),
        reasoning in prop::option::of((tokens(), time())),
        (prompt_tokens, cached_tokens) in (any::<Option<u64>>(), any::<Option<u64>>()),
        (server, at_once) in (prop::option::of(server()), any::<bool>()),
    ) -> Figures {
        let reasoning = reasoning.map(|(tokens, time)| Reasoning { tokens, time });
        let tokens = tokens_counted;
        Figures { connect, ttft, first_answer, latency, tokens, tokens_per_sec, tpot, itl, longest_gap, reasoning,
            prompt_tokens, cached_tokens, server, chunks: 0, together: 0, at_once }
    }
}

fn error() -> impl Strategy<Value = Option<RequestError>> {
    let class = prop_oneof![
        Just(None),
        Just(Some(FaultClass::QueueFull)),
        Just(Some(FaultClass::Cancelled)),
        Just(Some(FaultClass::HostUnknown)),
    ];
    prop::option::of((class, any::<Option<u16>>(), any::<String>())).prop_map(|error| {
        error.map(|(class, status, text)| RequestError {
            class,
            status,
            text,
        })
    })
}

prop_compose! {
    fn request()(
        (index, level) in (any::<u64>(), 0usize..1_000),
        phase in prop_oneof![Just(Phase::Measured), Just(Phase::Warmup), Just(Phase::Switch)],
        (due, sent, ended, first_byte) in (time(), time(), time(), some_time()),
        figures in figures(),
        gaps_us in prop::collection::vec(any::<u32>(), 0..40),
        (chunks, bytes, wanted_prompt_tokens) in (any::<u64>(), any::<u64>(), any::<Option<u32>>()),
        (error, answered_by, reconnected) in (error(), any::<Option<String>>(), any::<bool>()),
        second in any::<bool>(),
        said in prop::option::of((any::<String>(), any::<String>(), any::<String>())),
    ) -> StoredRequest {
        let figures = Figures { chunks, ..figures };
        let record = RequestRecord { index, level, phase, due, sent, ended, figures, first_byte, gaps_us, chunks,
            bytes, wanted_prompt_tokens, answered_by, reconnected, error };
        let said = said.map(|(prompt, reasoning, answer)| Said { prompt, reasoning, answer });
        let place = if second { target("b \"'%_", Some("d")) } else { target(MODEL, None) };
        StoredRequest { said, ..stored(record, &place) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_request_comes_back_as_it_was(requests in prop::collection::vec(request(), 0..12)) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = open(dir.path());
        let made = Made { requests, ..Made::simple("b1", at(1, 0)) };
        made.keep(&store);
        let asked: Vec<String> = made.requests.iter().map(|request| format!("{request:?}")).collect();
        prop_assert_eq!(requests_of(&store, &id("b1")), asked);
        let mut sorted = made.requests;
        sorted.sort_by_key(|request| request.record.index.cast_signed());
        let by_index = store.by_index(&id("b1")).expect("they are there");
        let indexes: Vec<u64> = by_index.map(|request| request.expect("read").record.index).collect();
        prop_assert_eq!(indexes, sorted.iter().map(|request| request.record.index).collect::<Vec<_>>());
    }
}

#[test]
fn a_session_comes_back_with_its_report_and_its_charts() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = Made::simple("b1", at(3, 9)).tagged(&["nightly"]);
    made.keep(&open(dir.path()));
    let session = open(dir.path()).session(&id("b1")).expect("it is there");
    assert_eq!(
        session.row,
        SessionRow::of(&made.report),
        "the row is what the report says"
    );
    let SessionBody::Bench { report, traces } = session.body else {
        panic!("a benchmark")
    };
    assert_eq!(*report, made.report);
    assert_eq!(traces.points.len(), 20);
    let tokens: f64 = traces
        .rates
        .iter()
        .map(|rate| rate.tokens_per_s * 0.25)
        .sum();
    assert!(
        (tokens - 80.0).abs() < 1e-6,
        "20 answers of four tokens, not {tokens}"
    );
    let values = open(dir.path()).values(&id("b1")).expect("they are there");
    assert_eq!(values.len(), 1);
    assert_eq!(
        values[0].ttft_ms,
        (0..19).map(|n| f64::from(100 + n)).collect::<Vec<_>>(),
        "the failed one is out"
    );
    assert_eq!(values[0].gaps_us[3], [10_000; 3]);
}

#[test]
fn looking_into_the_file_is_no_news_to_a_window() {
    let dir = tempfile::tempdir().expect("a folder");
    let window = open(dir.path());
    let before = window.foreign_changes().expect("they are counted");
    for _ in 0..2 {
        let other = Store::open_to_read(dir.path()).expect("it opens");
        other.list(&HistoryQuery::default()).expect("it is read");
    }
    assert_eq!(
        window.foreign_changes().expect("they are counted"),
        before,
        "nothing was written"
    );
    Made::simple("b1", at(3, 9)).keep(&open(dir.path()));
    assert_ne!(window.foreign_changes().expect("they are counted"), before);
}

#[test]
fn the_file_is_nobody_elses_business() {
    let dir = tempfile::tempdir().expect("a folder");
    let home = dir.path().join("new/batida");
    let _store = open(&home);
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(&home), 0o700);
    for name in [
        FILE.to_owned(),
        format!("{FILE}-wal"),
        format!("{FILE}-shm"),
    ] {
        assert_eq!(mode(&home.join(&name)), 0o600, "{name}");
    }
}

pub(crate) fn exchange(n: u64, parent: Option<u64>, prompt: &str) -> Exchange {
    Exchange {
        id: n,
        parent,
        pane: None,
        environment: None,
        at: at(5, 10) + Duration::from_secs(60 * n),
        model: MODEL.to_owned(),
        deployment: Some("md-gpt".to_owned()),
        system: "Be brief".to_owned(),
        params: Params {
            temperature: Some(0.25),
            ..Params::default()
        },
        prompt: prompt.to_owned(),
        attachments: Vec::new(),
        results: Vec::new(),
        calls: Vec::new(),
        reasoning: String::new(),
        answer: format!("About {prompt}"),
        ending: ExchangeEnding::Finished(Some("stop".to_owned())),
        answered_by: None,
        figures: Figures {
            ttft: Some(Duration::from_millis(90 + 10 * n)),
            ..Figures::default()
        },
    }
}

pub(crate) fn chat(exchange: &Exchange) -> ChatRecord {
    let mut record = record(exchange.id, 0, 90 + 10 * exchange.id, false);
    record.due = Duration::ZERO;
    record.sent = Duration::ZERO;
    ChatRecord {
        session: id("c1"),
        environment: "east".to_owned(),
        surroundings: None,
        title: exchange.prompt.clone(),
        request: stored(
            record,
            &target(&exchange.model, exchange.deployment.as_deref()),
        ),
        exchange: exchange.clone(),
    }
}

#[test]
fn a_conversation_comes_back_in_order_and_can_branch() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let mut all = vec![
        exchange(0, None, "TTFT"),
        exchange(1, Some(0), "ITL"),
        exchange(2, Some(0), "TPOT"),
    ];
    for exchange in &all {
        store.write(|tx| tx.chat(&chat(exchange))).expect("kept");
    }
    // Asked anew: the same exchange, in its old one's place.
    all[1].answer = "Something else".to_owned();
    store.write(|tx| tx.chat(&chat(&all[1]))).expect("kept");
    let session = store.session(&id("c1")).expect("it is there");
    let SessionRow {
        kind,
        state,
        title,
        requests,
        errors,
        ttft_p50_ms,
        models,
        ..
    } = session.row;
    assert_eq!(
        (kind, state, title.as_str()),
        (SessionKind::Chat, SessionState::Complete, "TTFT")
    );
    assert_eq!((requests, errors, ttft_p50_ms), (3, 0, Some(100.0)));
    assert_eq!(models, [MODEL]);
    let SessionBody::Chat {
        exchanges,
        surroundings: None,
    } = session.body
    else {
        panic!("a conversation")
    };
    assert_eq!(exchanges, all);
    let mut sent = Vec::new();
    let each = &mut |request: StoredRequest| {
        sent.push(request.record.sent.as_secs());
        Ok(())
    };
    store.requests(&id("c1"), each).expect("they are read");
    assert_eq!(
        sent,
        [0, 60, 120],
        "moments count from the conversation's beginning"
    );
    let trend = store.trend(MODEL, None, None).expect("it is read");
    assert_eq!(trend.points.len(), 1);
    assert!(
        store
            .report(&id("c1"))
            .is_err_and(|failure| failure.summary.contains("a conversation"))
    );
}

#[test]
fn a_comparison_says_its_panes_and_a_benchmark_its_warnings() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let in_pane = |n, pane| Exchange {
        pane,
        ..exchange(n, None, "TTFT")
    };
    for (n, pane, panes) in [
        (0, Some(9), 1),
        (1, None, 2),
        (2, Some(9), 2),
        (3, Some(7), 3),
    ] {
        store
            .write(|tx| tx.chat(&chat(&in_pane(n, pane))))
            .expect("kept");
        assert_eq!(store.row(&id("c1")).expect("there").panes, panes, "{n}");
    }
    let mut report = Made::simple("b1", at(3, 9)).report;
    report.levels[0].watch.doubts = vec!["a".to_owned(), "b".to_owned()];
    report.ended = SessionEnd::Failed("Out of memory".to_owned());
    store.keep(&report, &[]).expect("kept");
    let row = store.row(&id(&report.id)).expect("there");
    assert_eq!((row.warnings, row.panes), (2, 1));
    assert_eq!(row.state, SessionState::Failed);
    let query = HistoryQuery {
        sort: SortBy::Status,
        limit: 10,
        ..HistoryQuery::default()
    };
    let rows = store.list(&query).expect("listed").rows;
    assert_eq!(rows[0].id, row.id, "what weighs most comes first");
}

#[test]
fn a_conversation_is_found_by_what_was_said_and_keeps_the_title_it_was_given() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    store
        .write(|tx| tx.chat(&chat(&exchange(0, None, "Erkläre \"Café\" — TTFT"))))
        .expect("kept");
    Made::simple("b1", at(3, 9)).keep(&store);
    let found = |text: &str| -> Vec<String> {
        let query = HistoryQuery {
            text: text.to_owned(),
            limit: 10,
            ..HistoryQuery::default()
        };
        let page = store
            .list(&query)
            .unwrap_or_else(|why| panic!("{text:?}: {why}"));
        page.rows.into_iter().map(|row| row.id.0).collect()
    };
    store
        .rename(&id("c1"), " What \n it\tmeans\u{7} ")
        .expect("named");
    assert_eq!(store.row(&id("c1")).expect("there").title, "What it means");
    for words in [
        "means",
        "WHAT ttft",
        "cafe",
        "\"Café\"",
        "erklär tt",
        "mea erk",
        "afé",
        "lare",
        "tf",
        "—",
    ] {
        assert_eq!(found(words), ["c1"], "{words}");
    }
    for words in [
        "zebra",
        "ttft zebra",
        "zz",
        "\"\"",
        "*",
        "ttft\0zebra",
        "NEAR(",
        "words:ttft",
        "- (",
    ] {
        assert_eq!(found(words), [""; 0], "{words}");
    }
    let mut next = exchange(1, Some(0), "And ITL");
    store.write(|tx| tx.chat(&chat(&next))).expect("kept");
    assert_eq!(
        store.row(&id("c1")).expect("there").title,
        "What it means",
        "what is said later leaves it"
    );
    assert_eq!(found("means itl"), ["c1"]);
    next.prompt = "And TPOT".to_owned();
    next.answer = String::new();
    store.write(|tx| tx.chat(&chat(&next))).expect("asked anew");
    assert_eq!(
        (found("itl"), found("tpot")),
        (vec![], vec!["c1".to_owned()])
    );
    assert!(
        store
            .rename(&id("c1"), " \n")
            .is_err_and(|why| why.summary.contains("needs a name"))
    );
    assert!(store.rename(&id("nobody"), "x").is_err());
    next.prompt = "日本の天気は preprocessing_50%".to_owned();
    store.write(|tx| tx.chat(&chat(&next))).expect("asked anew");
    for words in ["天気", "の", "本の天", "processing", "g_", "0%"] {
        assert_eq!(found(words), ["c1"], "{words}");
    }
    for words in ["天候", "候", "_g", "%0"] {
        assert_eq!(found(words), [""; 0], "{words}");
    }
    store
        .delete(&Deletion::Sessions(vec![id("c1")]))
        .expect("deleted");
    assert_eq!(found("processing"), [""; 0]);
    store.check().expect("the file is well");
}

#[test]
fn words_of_what_was_deleted_leave_the_file_step_by_step() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let talk = |name: &str, word: &str| {
        let words: Vec<String> = (0..3_000).map(|n| format!("{word}{n:04}")).collect();
        ChatRecord {
            session: id(name),
            ..chat(&exchange(0, None, &words.join(" ")))
        }
    };
    for (name, word) in [("c1", "secret"), ("c2", "public")] {
        store.write(|tx| tx.chat(&talk(name, word))).expect("kept");
    }
    store
        .delete(&Deletion::Sessions(vec![id("c1")]))
        .expect("deleted");
    let size = || -> i64 {
        let other = Connection::open(dir.path().join(FILE)).expect("it opens");
        let sql = "SELECT sum(octet_length(block)) FROM said_data";
        other
            .query_row(sql, [], |row| row.get(0))
            .expect("the index has rows")
    };
    let before = size();
    let mut steps = 1;
    let mut more = store.tidy(true).expect("tidied");
    while more {
        more = store.tidy(false).expect("tidied");
        steps += 1;
    }
    assert!(
        size() < before * 2 / 3,
        "{} of {before} bytes are left",
        size()
    );
    assert!(steps < 1_000, "it comes to an end");
    assert!(
        !store.tidy(true).expect("tidied"),
        "there is nothing left to do"
    );
    let query = |text: &str| HistoryQuery {
        text: text.to_owned(),
        limit: 10,
        ..HistoryQuery::default()
    };
    assert_eq!(store.list(&query("public0001")).expect("listed").total, 1);
    assert_eq!(store.list(&query("secret0001")).expect("listed").total, 0);
    store.check().expect("the file is well");
}

#[test]
fn an_interrupted_session_is_shown_as_far_as_it_was_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let made = Made::simple("b1", at(3, 9));
    let mut so_far = made.report.clone();
    so_far.levels[0].ended = LevelEnd::Running;
    store
        .write(|tx| {
            let key = tx.begin(&so_far, Some(SessionState::Running))?;
            for (n, request) in made.requests.iter().enumerate() {
                tx.request(key, n as u64, 0, &request.record, None)?;
            }
            tx.count(key, made.requests.len() as u64, 3)?;
            tx.advance(key, &so_far, 0)
        })
        .expect("written");
    assert_eq!(
        store.row(&id("b1")).expect("there").state,
        SessionState::Running
    );
    assert_eq!(store.counts(&id("b1")).expect("there"), (20, 3));
    let ended = |store: &Store| store.report(&id("b1")).expect("there").ended;
    assert!(
        matches!(ended(&store), SessionEnd::Limit(why) if why.contains("under way")),
        "no whole session"
    );
    // Ten seconds later, without a sign of life.
    let other = Connection::open(dir.path().join(FILE)).expect("it opens");
    other
        .execute(
            "UPDATE sessions SET heartbeat_ns = heartbeat_ns - 11000000000",
            [],
        )
        .expect("aged");
    let session = store.session(&id("b1")).expect("there");
    assert_eq!(session.row.state, SessionState::Interrupted);
    assert_eq!(session.row.ttft_p50_ms, so_far.levels[0].ttft_ms.at(P50));
    let SessionBody::Bench { report, traces } = session.body else {
        panic!("a benchmark")
    };
    assert!(
        matches!(&report.ended, SessionEnd::Failed(why) if why.contains("this is what was written"))
    );
    assert_eq!(report.levels[0].ended, LevelEnd::Stopped);
    assert_eq!(report.levels[0].ttft_ms, so_far.levels[0].ttft_ms);
    assert_eq!(traces.points.len(), 20);
}

#[test]
fn no_level_runs_on_in_a_session_that_was_closed() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let mut report = Made::simple("b1", at(3, 9)).report;
    report.levels[0].ended = LevelEnd::Running;
    report.ended = SessionEnd::Failed("Batida was closed during the run".to_owned());
    let closed = |tx: &Writing<'_>| {
        let key = tx.begin(&report, Some(SessionState::Running))?;
        tx.finish(key, &report, None)
    };
    assert_eq!(store.write(closed), Ok(true));
    let found = store.report(&id("b1")).expect("there");
    assert_eq!(
        (found.levels[0].ended, found.ended),
        (LevelEnd::Stopped, report.ended)
    );
}

#[test]
fn what_is_deleted_is_gone_and_its_room_is_given_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    for day in 1..=4 {
        let mut made = Made::simple(&format!("b{day}"), at(day, 0)).tagged(&["t"]);
        let more = made.requests.clone();
        made.requests
            .extend(more.iter().cycle().take(2_000).cloned());
        made.keep(&store);
    }
    store.set_baseline(&id("b1"), true).expect("it is there");
    let full = store.bytes();
    let deleted = store
        .delete(&Deletion::OlderThan(at(3, 0)))
        .expect("deleted");
    assert_eq!(deleted, 1, "b2 is older; b1 too, but a baseline is spared");
    store
        .delete(&Deletion::Sessions(vec![id("b3"), id("nobody")]))
        .expect("deleted");
    let page = store
        .list(&HistoryQuery {
            limit: 10,
            ..HistoryQuery::default()
        })
        .expect("listed");
    let left: Vec<&str> = page.rows.iter().map(|row| row.id.0.as_str()).collect();
    assert_eq!(left, ["b4", "b1"]);
    assert_eq!(page.requests, 2 * 2_020);
    assert!(
        store.bytes() < full * 6 / 10,
        "{} of {full} bytes are left",
        store.bytes()
    );
    let other = Connection::open(dir.path().join(FILE)).expect("it opens");
    let rows: i64 = other
        .query_row("SELECT count(*) FROM requests", [], |row| row.get(0))
        .expect("counted");
    assert_eq!(rows, 2 * 2_020);
    assert!(
        store
            .session(&id("b3"))
            .is_err_and(|failure| failure.summary.contains("not in the history"))
    );
}

#[test]
fn an_older_versions_file_is_brought_up_to_date_with_all_it_holds() {
    let v1 = include_str!("../../fixtures/history/v1.sql");
    let dir = tempfile::tempdir().expect("a folder");
    Connection::open(dir.path().join(FILE))
        .and_then(|conn| conn.execute_batch(v1))
        .expect("the fixture runs");
    let store = open(dir.path());
    let query = HistoryQuery {
        limit: 10,
        ..HistoryQuery::default()
    };
    let rows = store.list(&query).expect("listed").rows;
    assert_eq!(
        rows.iter().map(|row| row.id.0.as_str()).collect::<Vec<_>>(),
        ["c0ffee", "b00001"]
    );
    assert_eq!(rows[1].tags, ["before"]);
    assert_eq!(requests_of(&store, &id("b00001")).len(), 2);
    let SessionBody::Chat { exchanges, .. } = store.session(&id("c0ffee")).expect("there").body
    else {
        panic!("a conversation")
    };
    assert_eq!(exchanges[0].answer, "Time to first token");
    store
        .set_baseline(&id("b00001"), true)
        .expect("what is new works too");
    assert_eq!(
        store.baseline_of(MODEL, Some("md-gpt")).expect("read"),
        Some(id("b00001"))
    );
    Made::simple("b2", at(9, 9)).keep(&store);
    store.check().expect("the file is well");

    // The same tables as of a file that began with this version.
    let fresh = tempfile::tempdir().expect("a folder");
    let _new = open(fresh.path());
    let tables = |dir: &Path| -> Vec<String> {
        let conn = Connection::open(dir.join(FILE)).expect("it opens");
        let sql = "SELECT sql FROM sqlite_schema WHERE sql NOTNULL ORDER BY name";
        let mut asked = conn.prepare(sql).expect("asked");
        let rows = asked
            .query_map([], |row| row.get::<_, String>(0))
            .expect("asked");
        let plain = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
        rows.map(|sql| plain(sql.expect("text"))).collect()
    };
    assert_eq!(tables(dir.path()), tables(fresh.path()));
}

#[test]
fn two_windows_that_go_on_with_one_conversation_lose_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let ours = exchange(1, Some(0), "ours");
    let theirs = Exchange {
        at: ours.at + Duration::from_millis(3),
        ..exchange(1, Some(0), "theirs")
    };
    let ids = [&exchange(0, None, "first"), &ours, &theirs, &ours]
        .map(|exchange| store.write(|tx| tx.chat(&chat(exchange))).expect("written"));
    assert_eq!(ids, [0, 1, 2, 1], "what is written twice is one");
    let SessionBody::Chat { exchanges, .. } = store.session(&id("c1")).expect("there").body else {
        panic!("a conversation")
    };
    let prompts: Vec<&str> = exchanges
        .iter()
        .map(|exchange| exchange.prompt.as_str())
        .collect();
    assert_eq!(prompts, ["first", "ours", "theirs"]);
    assert_eq!(store.row(&id("c1")).map(|row| row.requests), Ok(3));
}

#[test]
fn where_a_conversation_is_held_may_be_known_later() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let around = EnvironmentInfo {
        sambastack: Some("2.1.0".to_owned()),
        ..EnvironmentInfo::default()
    };
    store
        .write(|tx| tx.chat_around(&id("c1"), &around))
        .expect("of one that is not there");
    store
        .write(|tx| tx.chat(&chat(&exchange(0, None, "first"))))
        .expect("written");
    store
        .write(|tx| tx.chat_around(&id("c1"), &around))
        .expect("written");
    store
        .write(|tx| tx.chat(&chat(&exchange(1, Some(0), "second"))))
        .expect("written");
    let stored = store.session(&id("c1")).expect("there");
    let SessionBody::Chat { surroundings, .. } = stored.body else {
        panic!("a conversation")
    };
    assert_eq!(
        (surroundings, stored.row.release.as_deref()),
        (Some(around), Some("2.1.0"))
    );
}

#[test]
fn a_report_alone_does_not_take_the_requests_of_the_session_it_is_of() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let made = Made::simple("b1", at(1, 0));
    made.keep(&store);
    store.set_baseline(&id("b1"), true).expect("set");
    let before = requests_of(&store, &id("b1"));
    assert!(!before.is_empty());
    let mut report = made.report.clone();
    report.plan.tags = vec!["from a file".to_owned()];
    store.keep(&report, &[]).expect("it is imported");
    assert_eq!(requests_of(&store, &id("b1")), before);
    let row = store.row(&id("b1")).expect("it is there");
    assert!(
        row.tags.contains(&"from a file".to_owned()) && row.baseline,
        "{row:?}"
    );
}

#[test]
fn an_import_replaces_neither_a_conversation_nor_what_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    store
        .write(|tx| tx.chat(&chat(&exchange(0, None, "What is TTFT?"))))
        .expect("written");
    let mut report = Made::simple("c1", at(1, 0)).report;
    assert!(
        store
            .keep(&report, &[])
            .is_err_and(|why| why.summary.contains("a conversation"))
    );
    report.id = "b2".to_owned();
    store
        .write(|tx| tx.begin(&report, Some(SessionState::Running)).map(drop))
        .expect("written");
    assert!(
        store
            .keep(&report, &[])
            .is_err_and(|why| why.summary.contains("under way"))
    );
    assert_eq!(
        store.row(&id("c1")).map(|row| row.kind),
        Ok(SessionKind::Chat)
    );
}

#[test]
fn a_session_at_the_end_of_time_is_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let mut report = Made::simple("b1", at(1, 0)).report;
    report.started_at = jiff::Timestamp::MAX;
    report.took_s = 1e8;
    store.keep(&report, &[]).expect("it is kept");
    assert_eq!(
        store.row(&id("b1")).map(|row| row.kind),
        Ok(SessionKind::Bench)
    );
}

#[test]
fn a_newer_batidas_file_is_left_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(FILE);
    Connection::open(&path)
        .and_then(|conn| conn.execute_batch("CREATE TABLE future (x); PRAGMA user_version = 99"))
        .expect("made");
    let before = fs::read(&path).expect("read");
    let failure = Store::open(dir.path()).err().expect("it is refused");
    assert!(
        failure.summary.contains("newer Batida (version 99"),
        "{failure}"
    );
    assert!(failure.advice.contains("Update Batida"), "{failure}");
    assert_eq!(fs::read(&path).expect("read"), before);
    let names: Vec<_> = fs::read_dir(dir.path())
        .expect("listed")
        .flatten()
        .map(|it| it.file_name())
        .collect();
    assert_eq!(names, [FILE], "nothing was put beside it");
}

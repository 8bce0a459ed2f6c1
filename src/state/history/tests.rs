use super::*;
use crate::domain::history::{HistoryQuery, SessionState, SortBy};

pub(in crate::state) fn row(id: &str) -> SessionRow {
    SessionRow {
        id: SessionId(id.to_owned()),
        kind: SessionKind::Bench,
        state: SessionState::Complete,
        began: Timestamp::UNIX_EPOCH,
        ended: None,
        title: "Sweep 1–4".to_owned(),
        environment: "Demo".to_owned(),
        deployments: Vec::new(),
        models: vec!["m".to_owned()],
        tags: Vec::new(),
        source: None,
        release: None,
        requests: 8,
        errors: 0,
        ttft_p50_ms: None,
        itl_p50_ms: None,
        peak_tokens_per_s: None,
        baseline: false,
        warnings: 0,
        panes: 1,
    }
}

fn with_rows(rows: Vec<SessionRow>) -> HistoryState {
    let mut history = HistoryState::default();
    answer(&mut history, rows);
    history
}

fn answer(history: &mut HistoryState, rows: Vec<SessionRow>) {
    let mut out = Vec::new();
    history.rows.ask_again(HistoryQuery::default());
    history.rows.want(0..20, |query| {
        out.push(query);
        JobId(1)
    });
    assert_eq!(out.len(), 1);
    let total = rows.len() as u64;
    history.loaded(
        JobId(1),
        Ok(HistoryPage {
            rows,
            total,
            ..HistoryPage::default()
        }),
        Duration::ZERO,
    );
}

fn rows(names: &[&str]) -> Vec<SessionRow> {
    names.iter().map(|name| row(name)).collect()
}

#[test]
fn the_selection_follows_its_session() {
    let mut history = with_rows(rows(&["a", "b", "c"]));
    assert_eq!(
        history.selected(),
        Some(&SessionId("a".to_owned())),
        "the first is selected at first"
    );
    history.select_at(1, Duration::ZERO);
    answer(&mut history, rows(&["new", "a", "b", "c"]));
    assert_eq!(history.selected_at(), Some(2));
    history.move_selection(99, Duration::ZERO);
    assert_eq!(history.selected(), Some(&SessionId("c".to_owned())));
    answer(&mut history, Vec::new());
    assert_eq!((history.selected(), history.selected_at()), (None, None));
}

#[test]
fn the_marked_baseline_goes_first_and_six_are_enough() {
    let mut all = rows(&["a", "b", "c", "d", "e", "f", "g"]);
    all[2].baseline = true;
    all[6].kind = SessionKind::Chat;
    let mut history = with_rows(all);
    let id = |name: &str| SessionId(name.to_owned());
    assert!(
        !history.toggle_chosen(&id("g")),
        "chats cannot be compared: they have no levels"
    );
    for name in ["a", "b", "c", "d", "e", "f"] {
        assert!(history.toggle_chosen(&id(name)));
    }
    assert_eq!(history.chosen[..3], [id("c"), id("a"), id("b")]);
    history.put_first(&id("b"));
    assert_eq!(history.chosen[..3], [id("b"), id("c"), id("a")]);
    assert!(
        !history.toggle_chosen(&id("h")),
        "at most six can be compared"
    );
    assert!(history.toggle_chosen(&id("a")) && history.chosen.len() == 5);
}

#[test]
fn what_only_one_session_has_is_not_counted() {
    use crate::metrics::compare::{Cell, Row, Verdict};
    let row = |baseline: Option<f64>, value: Option<f64>, verdict| Row {
        model: "m".to_owned(),
        level: "c=1".to_owned(),
        figure: "ttft_p50_ms".to_owned(),
        title: "TTFT p50, ms".to_owned(),
        unit: "ms".to_owned(),
        baseline,
        others: vec![Cell {
            value,
            change: None,
            interval: None,
            p: None,
            verdict,
        }],
    };
    let rows = vec![
        row(Some(97.0), Some(88.0), Verdict::Better),
        row(Some(97.0), None, Verdict::TooFew),
        row(None, Some(88.0), Verdict::TooFew),
    ];
    let comparison = Comparison {
        schema: String::new(),
        labels: Vec::new(),
        sessions: Vec::new(),
        least_change: 0.03,
        differences: Vec::new(),
        rows,
        remarks: Vec::new(),
    };
    assert_eq!(headline(&comparison), "1 better");
}

#[test]
fn a_range_is_counted_back_from_today() {
    let today: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a moment");
    let filter = Filter {
        range: TimeRange::Days(30),
        ..Filter::default()
    };
    assert_eq!(
        filter.at(today).since,
        Some("2026-10-24T12:00:00Z".parse().expect("a moment"))
    );
    assert!(!filter.is_open());
    let query = HistoryQuery {
        sort: SortBy::Ttft,
        ascending: true,
        ..HistoryQuery::default()
    };
    assert!(
        Filter {
            query,
            ..Filter::default()
        }
        .is_open()
    );
    let query = HistoryQuery {
        tag: Some("t".to_owned()),
        ..HistoryQuery::default()
    };
    assert!(
        !Filter {
            query,
            ..Filter::default()
        }
        .is_open()
    );
}

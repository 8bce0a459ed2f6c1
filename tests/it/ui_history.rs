//! The History page, found and used by label, over a store that is made up.

use batida::domain::conversation::Role as Speaker;
use batida::domain::history::{ExportFormat, SessionId, SessionState, SortBy};
use batida::protocol::{
    Answer, Command, Event, Failure, HistoryAnswer, HistoryQuestion, ImportedSessions, Question,
};
use batida::state::chat::Asking;
use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::support::history::{NO_JOB, Stage, rows};
use crate::support::page::Page;
use crate::support::window::{LARGE, SMALL, Window, on_benchmark};

// Claims

#[test]
fn the_newest_session_stands_first_and_its_charts_below() {
    let mut page = Page::with(40);
    let drawn = page.drawn();
    assert!(drawn[0].contains("Rate 4/s Poisson"), "{}", drawn[0]);
    assert!(
        drawn[0].contains("Requests 1,400") && drawn[0].contains("TTFT p50"),
        "{}",
        drawn[0]
    );
    assert_eq!(page.selected(), "b000039");
    page.see("TTFT p50 and p99 by level, ms. ");
    page.see("Output tokens/s by level");
    assert!(page.shows("40 sessions · ") && page.shows("12.3 MB on disk"));
}

#[test]
fn a_picture_of_a_kept_session_has_its_model_and_its_date() {
    let mut page = Page::with(40);
    // Of days ago.
    for _ in 0..20 {
        page.key(Key::ArrowDown);
    }
    let id = page.selected();
    let mut rows = page.state().store.rows.iter();
    let row = rows.find(|row| row.id.0 == id).expect("a row").clone();
    page.see("Output tokens/s by level");
    page.click("Export Output tokens/s by level");
    page.click("Save as SVG");
    page.until("it is asked for", |page| {
        let mut sent = page.state().sent.iter();
        sent.any(|it| matches!(it, Command::SaveFile { .. }))
    });
    let mut sent = page.state().sent.iter();
    let saved = sent.find_map(|it| match it {
        Command::SaveFile { name, content, .. } => Some((name, content)),
        _ => None,
    });
    let (name, content) = saved.expect("it is saved");
    let day = row.began.strftime("%Y-%m-%d").to_string();
    let svg = String::from_utf8_lossy(content);
    assert!(
        svg.contains(&format!(">{} · {day} ", row.models[0])),
        "{svg}"
    );
    assert!(name.ends_with(&format!("output-tokens-s-by-level-{day}.svg")));
}

#[test]
fn a_click_on_a_head_sorts_and_another_turns_it_round() {
    let mut page = Page::with(40);
    page.click("Sort by TTFT p50");
    page.see("Sort by TTFT p50, sorted, largest first");
    let ttft = |page: &Page, place: u64| {
        page.state()
            .state
            .history
            .rows
            .at(place)
            .and_then(|row| row.ttft_p50_ms)
            .expect("it is there")
    };
    page.until("the slowest is first", |page| {
        ttft(page, 0) > ttft(page, 1) && ttft(page, 0) > 130.0
    });
    page.click("Sort by TTFT p50, sorted, largest first");
    page.until("the fastest is first", |page| {
        ttft(page, 0) < 85.0 && ttft(page, 0) <= ttft(page, 1)
    });
    assert_eq!(page.state().state.history.filter.query.sort, SortBy::Ttft);
}

#[test]
fn words_and_pickers_narrow_the_list() {
    let mut page = Page::with(40);
    page.key_press_modifiers(Modifiers::COMMAND, Key::F);
    page.run_steps(2);
    page.type_into("Search the history", "deepseek rate");
    page.until("few are left", |page| {
        page.state().state.history.rows.total() == Some(5)
    });
    assert!(
        page.drawn()
            .iter()
            .all(|row| row.contains("DeepSeek-V3.2") && row.contains("Rate"))
    );
    assert!(page.shows("5 sessions found"));
    page.type_into("Search the history", "no such thing");
    page.see("Nothing matches");
    page.click("Show all sessions");
    page.see("40 sessions · ");
    page.click("More filters");
    page.pick("Kind: All kinds", "Chat");
    page.until("chats are left", |page| {
        page.state().state.history.rows.total() == Some(8)
    });
    page.pick("Model: All models", "gpt-oss-120b");
    page.until("hers are left", |page| {
        page.drawn().iter().all(|row| row.contains("gpt-oss-120b"))
    });
    assert!(page.shows("More filters (2)"));
    page.pick("Kind: Chat", "All kinds");
    page.pick("Time: All time", "Last 24 hours");
    page.until("today's are left", |page| {
        page.state().state.history.rows.total() == Some(3)
    });
}

#[test]
fn the_keyboard_moves_chooses_opens_and_goes_back() {
    let mut page = Page::with(500);
    page.key(Key::ArrowDown);
    page.key(Key::ArrowDown);
    assert_eq!(page.selected(), "c000497");
    assert_eq!(page.state().state.history.selected_at(), Some(2));
    page.key(Key::End);
    page.until("the last row is here", |page| page.selected() == "b000000");
    assert!(
        page.drawn()
            .last()
            .is_some_and(|row| row.contains("Sweep 1–64"))
    );
    page.key(Key::Home);
    assert_eq!(page.selected(), "b000499");
    page.key(Key::PageDown);
    let at = page
        .state()
        .state
        .history
        .selected_at()
        .expect("a row is selected");
    assert!((5..30).contains(&at), "a page down is row {at}");
    page.key(Key::PageUp);
    page.key(Key::Space);
    assert_eq!(page.chosen(), ["b000499"]);
    page.key(Key::Space);
    assert_eq!(page.chosen(), [""; 0]);
    page.key(Key::Enter);
    page.see("Run again");
    page.key(Key::Escape);
    page.see("Sort by When");
    assert_eq!(page.selected(), "b000499");
}

#[test]
fn two_are_compared_below_and_over_the_whole_page() {
    let mut page = Page::with(40);
    page.key(Key::Space);
    page.key(Key::ArrowDown);
    page.key(Key::Space);
    assert_eq!(
        page.chosen(),
        ["b000038", "b000039"],
        "the older one is the baseline"
    );
    page.see("2 sessions overlaid");
    page.see(
        "TTFT p50, ms · c=1, baseline 97.0, 88.0, change −9.3 %, interval −12.3 … −6.3 %, better",
    );
    page.see("Different conditions: output tokens");
    page.click("Compare 2");
    page.see("Cumulative distribution, ms");
    page.see("Throughput against per-user speed (the knee)");
    page.see("Different conditions\noutput tokens: 128 against 128");
    for verdict in [
        "better",
        "worse",
        "no difference",
        "not enough data",
        "look",
    ] {
        assert!(page.shows(&format!("%, {verdict}")), "{verdict}");
    }
    let other = page
        .query_all_by_label_contains("Compare the other runs with")
        .next()
        .and_then(|node| node.accesskit_node().label());
    page.click(&other.expect("the second can become the baseline"));
    assert_eq!(page.chosen(), ["b000039", "b000038"]);
    page.see("baseline 97");
    page.click("Back");
    page.see("Sort by When");
}

/// What the rows of the comparison's table say.
fn compared_rows(page: &Page) -> Vec<String> {
    let rows = page.query_all_by_label_contains(", interval ");
    let spoken = rows.filter_map(|node| {
        let node = node.accesskit_node();
        node.label().or(node.value())
    });
    spoken.collect()
}

#[test]
fn a_comparison_begins_with_its_verdict_and_is_filtered_by_it() {
    let mut page = Page::with(40);
    for key in [Key::Space, Key::ArrowDown, Key::Space] {
        page.key(key);
    }
    page.see("2 sessions overlaid");
    page.click("Compare 2");
    page.see("Some figures are better, others worse");
    let all = compared_rows(&page).len();
    let chip = |page: &Page, words: &str| {
        let mut chips = page.query_all_by_role(Role::CheckBox);
        let chip = chips.find(|node| {
            let label = node.accesskit_node().label().unwrap_or_default();
            label.ends_with(words)
        });
        let chip = chip.expect("there is a chip");
        let label = chip.accesskit_node().label().unwrap_or_default();
        let count = label
            .split(' ')
            .next()
            .and_then(|n| n.parse::<usize>().ok());
        (chip.rect(), count.expect("it begins with a count"), label)
    };
    let verdict = page.query_all_by_label_contains("Some figures are better");
    let verdict = verdict.last().expect("it is seen").rect();
    let (worse, count, label) = chip(&page, " worse");
    assert!((verdict.center().y - worse.center().y).abs() < 12.0);
    let first = page.query_all_by_label_contains(", interval ").next();
    assert!(first.expect("rows").rect().top() > verdict.bottom());
    page.click(&label);
    page.run_steps(4);
    assert_eq!(
        compared_rows(&page).len(),
        count,
        "{:#?}",
        compared_rows(&page)
    );
    assert!(
        compared_rows(&page)
            .iter()
            .all(|row| row.ends_with("worse"))
    );
    let (_, too_few, label) = chip(&page, " need more requests");
    page.click(&label);
    page.until("both are listed", |page| {
        compared_rows(page).len() == count + too_few
    });
    page.see("figures with other verdicts not shown");
    page.click("Show all");
    page.until("all are listed again", |page| {
        compared_rows(page).len() == all
    });
}

#[test]
fn escape_closes_one_thing_at_a_time_and_keeps_the_ticks() {
    let mut page = Page::with(40);
    for key in [Key::Space, Key::ArrowDown, Key::Space] {
        page.key(key);
    }
    let chosen = |page: &Page| {
        page.chosen()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let ticked = chosen(&page);
    assert_eq!(ticked.len(), 2);
    page.click("Compare 2");
    page.see("2 sessions compared");
    for _ in 0..3 {
        page.key(Key::Escape);
        page.see("Sort by When");
        assert_eq!(chosen(&page), ticked);
    }
}

#[test]
fn checkboxes_choose_and_chats_have_none() {
    let mut page = Page::with(10);
    let boxes = |page: &Page| -> Vec<(String, bool)> {
        let all = page.query_all_by_role(Role::CheckBox);
        all.map(|node| {
            let node = node.accesskit_node();
            (
                node.label().unwrap_or_default(),
                node.toggled() == Some(Toggled::True) || node.is_selected() == Some(true),
            )
        })
        .collect()
    };
    let before = boxes(&page);
    assert_eq!(before.len(), 8, "two of ten are chats: {before:?}");
    let (label, on) = &before[1];
    assert!(!on && label.starts_with("Compare 20"), "{label}");
    page.click(label);
    assert!(boxes(&page)[1].1, "{:?}", boxes(&page));
}

#[test]
fn a_benchmark_opens_with_its_own_charts_and_can_be_run_again() {
    let mut page = Page::with(40);
    page.click("Open");
    page.see("TTFT per request, ms. 1,400 requests");
    page.see("Throughput against per-user speed (the knee)");
    page.see("c=64, requests 200, errors 0");
    page.see("Kubernetes 1.31.4");
    page.see("Seed: 42");
    assert!(page.control("Copy table").is_some() && page.control("Save report").is_some());
    page.click("Copy as command");
    page.until("it was sent", |page| !page.state().sent.is_empty());
    page.sent(
        |sent| matches!(sent, Command::Copy { text, .. } if text.starts_with("batida bench --demo --model")),
    );
    page.click("Run again");
    assert!(page.state().asked.benchmark);
    let plan = page.state_mut().state.bench_form().read().plan;
    assert_eq!((plan.seed, plan.targets.len()), (Some(42), 1));
}

#[test]
fn a_chat_is_read_and_continued_where_it_was_left() {
    let mut page = Page::with(40);
    page.type_into("Search the history", "question 37");
    page.until("it is found", |page| {
        page.state().state.history.rows.total() == Some(1)
    });
    page.key(Key::Escape);
    page.until("it is selected", |page| page.selected() == "c000037");
    page.see("TTFT by answer, ms");
    page.click("Open");
    page.see("Figures: 480.0 tok/s · 0.90 s · TTFT 93 ms");
    page.see("1 answer on other branches");
    page.click("Continue");
    assert!(page.state().asked.playground);
    let state = &mut page.state_mut().state;
    let chat = &mut state.panes_mut().chat_mut(0);
    assert_eq!(chat.turns().len(), 2, "the way to the last answer");
    assert_eq!(chat.system, "Be brief");
    chat.draft = "And then?".to_owned();
    let asking = Asking {
        job: NO_JOB,
        model: "m",
        deployment: None,
        now: Default::default(),
    };
    let request = chat.send(&asking).expect("it sends");
    let said: Vec<&str> = request
        .messages
        .iter()
        .map(|message| message.content.as_str())
        .collect();
    assert_eq!((said.len(), request.messages[0].role), (6, Speaker::System));
    assert!(said[1].starts_with("Question 1") && said[3].starts_with("Question 3"));
    let filing = chat.filing().expect("it is kept");
    assert_eq!(
        (
            filing.conversation.0.as_str(),
            filing.exchange,
            filing.parent
        ),
        ("c000037", 4, Some(3))
    );
}

/// The page over one chat with so many answers, of which so many failed.
fn over_a_chat(requests: u64, errors: u64) -> Page {
    let mut all = rows(3);
    all.retain(|row| row.id.0.starts_with('c'));
    (all[0].requests, all[0].errors) = (requests, errors);
    Page::over(Stage::new(all), LARGE)
}

#[test]
fn figures_of_a_single_answer_are_tiles_and_no_chart_has_one_dot() {
    let chart = "TTFT by answer, ms";
    let mut page = over_a_chat(1, 0);
    page.see("Tokens/s 480");
    page.see("TTFT 91");
    page.see("Latency 0.90");
    assert!(!page.shows(chart) && !page.shows("Tokens/s by answer"));
    page.click("Open");
    page.see("Session details");
    page.see("Tokens/s 480");

    let mut page = over_a_chat(3, 2);
    page.see("Figures of the only one of 3 answers that has any");
    assert!(page.shows("Tokens/s 480") && !page.shows(chart));

    let mut page = over_a_chat(1, 1);
    page.see("The server is overloaded");
    page.see("Tokens/s –");
    assert!(!page.shows(chart));

    let mut page = over_a_chat(2, 0);
    page.see(chart);
    assert!(!page.shows("Tokens/s 480"));
    page.click("Open");
    page.see("Session details");
    assert!(!page.shows("Tokens/s 480"));
}

#[test]
fn a_row_says_how_its_session_went_and_over_how_many_panes() {
    for size in [LARGE, SMALL] {
        let mut all = rows(7);
        for row in &mut all {
            (row.state, row.errors) = (SessionState::Complete, 0);
        }
        all[0].state = SessionState::Running;
        all[1].state = SessionState::Failed;
        all[2].panes = 3;
        all[3].state = SessionState::Stopped;
        all[3].warnings = 2;
        all[4].warnings = 1;
        all[5].errors = 4;
        all[6].state = SessionState::Interrupted;
        let mut page = Page::over(Stage::new(all), size);
        page.see("interrupted");
        let drawn = page.drawn();
        // The newest first.
        let expected = [
            "interrupted",
            "4 failed",
            "1 warning",
            "stopped, 2 warnings",
            "complete",
            "failed",
            "running",
        ];
        for (row, status) in drawn.iter().zip(expected) {
            let is_said = row.split(", ").any(|part| status.starts_with(part));
            assert!(is_said && row.contains(status), "{row:?}: {status}");
        }
        assert!(drawn[4].contains("3 panes: What is"), "{}", drawn[4]);
        page.click("Sort by Status");
        page.see("Sort by Status, sorted");
        let sorted = &page.state().state.history.filter.query;
        assert_eq!((sorted.sort, sorted.ascending), (SortBy::Status, false));
    }
}

#[test]
fn deleting_asks_first() {
    let mut page = Page::with(10);
    page.key(Key::Delete);
    page.see("Delete 1 session permanently?");
    page.click("Cancel");
    assert_eq!(page.state().store.rows.len(), 10);
    page.key(Key::Delete);
    page.click("Delete permanently");
    page.until("it is gone", |page| {
        page.state().state.history.rows.total() == Some(9)
    });
    assert_eq!(page.selected(), "b000008", "the next one takes its place");
}

#[test]
fn old_sessions_go_after_they_were_counted() {
    let mut page = Page::with(400);
    page.click("Delete older than…");
    page.click("30 days");
    page.see("184 sessions began before");
    page.click("Delete permanently");
    page.until("they are gone", |page| {
        page.state().state.history.rows.total() == Some(216)
    });
    page.click("Delete older than…");
    page.click("Other age…");
    page.type_into("Older than, in days", "x");
    page.see("A number of days");
    page.type_into("Older than, in days", "7");
    page.click("Continue");
    page.see("sessions began before");
    page.click("Cancel");
    assert_eq!(page.state().store.rows.len(), 216);
}

#[test]
fn tags_baselines_exports_and_imports_are_asked_for() {
    let mut page = Page::with(10);
    page.click("Tags…");
    page.type_into("Tags of the session", "v9, nightly");
    page.click("Save tags");
    page.until("the row has them", |page| {
        page.drawn()[0].ends_with("v9, nightly")
    });
    page.click("Use as baseline");
    page.until("it is the baseline", |page| {
        page.state().store.rows[9].baseline && page.shows("Clear baseline")
    });
    page.click("Export");
    page.click("HTML report");
    page.until("it was sent", |page| !page.state().sent.is_empty());
    page.sent(|sent| {
        let of = [SessionId("b000009".to_owned())];
        matches!(sent, Command::ExportSessions { sessions, format: ExportFormat::Html } if *sessions == of)
    });
    page.click("Import…");
    page.until("it was sent", |page| page.state().sent.len() == 2);
    let sent = page.state().sent.last();
    let Some(Command::Ask {
        job,
        question: Question::History(HistoryQuestion::Import),
    }) = sent
    else {
        panic!("{sent:?}")
    };
    let ids = vec![SessionId("b000003".to_owned())];
    let remarks = vec!["It holds no gaps between chunks".to_owned()];
    let answer = HistoryAnswer::Import(Ok(Some(ImportedSessions { ids, remarks })));
    let answered = Event::Answered {
        job: *job,
        answer: Answer::History(answer),
        took: Default::default(),
    };
    page.state_mut().state.apply(answered, Default::default());
    let notice = page
        .state()
        .state
        .notices
        .all()
        .last()
        .map(|notice| notice.text.clone());
    assert_eq!(
        notice.as_deref(),
        Some("1 session imported\nIt holds no gaps between chunks")
    );
    assert_eq!(page.selected(), "b000003");
}

#[test]
fn what_is_kept_is_the_users_to_say() {
    let mut page = Page::with(3);
    page.click("Data retention");
    page.click("Prompts and answers of chats");
    let history = page.state().state.environments.settings.history;
    assert!(!history.chat_texts && !history.bench_texts);
    page.until("it was sent", |page| !page.state().sent.is_empty());
    page.sent(|sent| matches!(sent, Command::SaveSettings { settings, .. } if !settings.history.chat_texts));
}

#[test]
fn a_trend_marks_releases() {
    let mut page = Page::with(120);
    page.click("Trend");
    page.see("TTFT p50 over time, ms. ");
    page.see("3 releases");
    page.pick("Trend over: 4 weeks", "All time");
    page.see("Tokens/s for each user over time");
}

#[test]
fn every_state_of_the_store_is_told() {
    let mut page = Page::over(Stage::new(Vec::new()), LARGE);
    page.see("No sessions yet");
    page.state_mut().store.rows = rows(3);
    page.state_mut()
        .state
        .apply(Event::HistoryChanged, Default::default());
    page.see("3 sessions · ");

    let mut stage = Stage::new(rows(3));
    stage.store.silent = true;
    let mut page = Page::over(stage, LARGE);
    page.see("Reading the history…");

    let mut stage = Stage::new(rows(3));
    stage.store.failing = Some(Failure::new(
        "The history is locked",
        "Close the other program",
    ));
    let mut page = Page::over(stage, LARGE);
    page.see("The history is locked");
    page.state_mut().store.failing = None;
    page.click("Try again");
    page.see("3 sessions · ");
    let failure = Failure::new("The disk is full", "Make room");
    page.state_mut()
        .state
        .apply(Event::HistoryTroubled { failure }, Default::default());
    page.see("New measurements are not kept. The disk is full");
    assert_eq!(
        page.state().state.notices.all().len(),
        1,
        "and once in passing"
    );
    page.state_mut()
        .state
        .apply(Event::HistoryChanged, Default::default());
    page.until("it works again", |page| !page.shows("The disk is full"));
}

#[test]
fn a_new_session_is_seen_and_the_selection_stays() {
    let mut page = Page::with(10);
    page.key(Key::ArrowDown);
    let selected = page.selected();
    let mut newer = rows(12).split_off(10);
    page.state_mut().store.rows.append(&mut newer);
    page.state_mut()
        .state
        .apply(Event::HistoryChanged, Default::default());
    page.until("they are there", |page| {
        page.state().state.history.rows.total() == Some(12)
    });
    assert_eq!(
        (page.selected(), page.state().state.history.selected_at()),
        (selected, Some(3))
    );
}

#[test]
fn a_comparison_of_the_benchmark_page_is_shown_here() {
    let mut page = Page::with(10);
    let ids = ["b000008", "b000009"]
        .map(|id| SessionId(id.to_owned()))
        .to_vec();
    let Stage {
        page: history,
        state,
        ..
    } = page.state_mut();
    history.compare(ids, state);
    page.see("2 sessions compared");
    page.see("change −9.3 %");
    page.key(Key::Escape);
    page.see("Sort by When");
}

// With the real engine, on the demo

/// Runs a short benchmark from the click to its end.
fn run_bench(window: &mut Window) {
    window.click("Run benchmark");
    window.until("it runs", |window| window.has_button("Stop"));
    window.until("it has ended", |window| window.has_button("Run benchmark"));
}

#[test]
fn what_was_run_is_found_opened_and_compared_with_the_baseline() {
    let mut window = on_benchmark();
    window.type_into("Concurrent clients per level", "1, 2");
    window.type_into("Requests per level", "6");
    window.type_into("Output tokens", "8");
    run_bench(&mut window);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num3);
    window.see("1 session · ");
    window.see("Output tokens/s by level. ");
    window.until("it is complete", |window| !window.shows("running"));
    window.click("Use as baseline");
    window.see("Clear baseline");
    window.key_press(Key::Enter);
    window.see("TTFT per request, ms. 12 requests");
    window.see("c=2, requests 6, errors 0");
    window.click("Run again");
    window.see("Load a deployed model");
    assert_eq!(
        window
            .field("Concurrent clients per level")
            .value()
            .as_deref(),
        Some("1, 2")
    );
    run_bench(&mut window);
    window.see("Against the baseline");
    window.click("See the comparison");
    window.see("2 sessions compared");
    window.see("TTFT p50, ms · c=1");
    window.see("Throughput against per-user speed (the knee). ");
    window.click("Back");
    window.see("2 sessions · ");
}

#[test]
fn a_conversation_goes_on_where_it_was_left() {
    let mut window = Window::on_demo();
    window.ask("Hello");
    window.ask("And more?");
    window.click("Clear");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num3);
    window.see("1 session · ");
    window.see("Chat: Hello");
    window.until("both answers are kept", |window| {
        window.shows("2 requests kept")
    });
    window.see("TTFT by answer, ms. 2 answers");
    window.click("Open");
    window.see("Figures: ");
    window.click("Continue");
    window.see("Chat with a deployed model");
    assert_eq!(window.state_mut().state().panes().chat(0).turns().len(), 2);
    window.ask("A third thing");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num3);
    window.until("it is filed with the others", |window| {
        window.shows("1 session · 3 requests kept")
    });
}

//! Panes side by side.

use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::domain::conversation::{Attached, Attachment};
use crate::domain::environment::Environment;
use crate::domain::exchange::Advance;
use crate::domain::failure::Failure;
use crate::domain::settings::Settings;
use crate::metrics::timeline::Figures;
use crate::protocol::{ChatAsk, ChatEnding, ChatOrder, Command, Event, FinishReason};
use crate::state::State;
use crate::state::chat::Act;

/// On the demo with these panes.
fn with_models(models: &[&str]) -> State {
    let mut state = State::new(Settings::default());
    state.panes_mut().get_mut(0).pick_model(models[0]);
    for (index, model) in models.iter().enumerate().skip(1) {
        state.add_pane(false);
        state.panes_mut().get_mut(index).pick_model(model);
    }
    state
}

fn send(state: &mut State, prompt: &str) -> (Vec<ChatAsk>, ChatOrder) {
    prompt.clone_into(&mut state.panes_mut().chat_mut(0).draft);
    let mut out = Vec::new();
    assert!(state.send_draft(Duration::ZERO, &mut out));
    match out.pop() {
        Some(Command::Chat { asks, order }) => (asks, order),
        other => panic!("{other:?}"),
    }
}

fn end(state: &mut State, job: JobId, ttft: u64, tokens_per_sec: f64) {
    let figures = Figures {
        ttft: Some(Duration::from_millis(ttft)),
        tokens_per_sec: Some(tokens_per_sec),
        ..Figures::default()
    };
    let ending = ChatEnding::Finished {
        reason: FinishReason::Stop,
    };
    let advance = Box::new(Advance {
        figures,
        ..Advance::of("", "yes")
    });
    let event = Event::ChatAdvanced { job, advance };
    state.apply(event, Duration::ZERO);
    state.apply(
        Event::ChatEnded {
            job,
            ending,
            figures: Box::new(figures),
            answered_by: None,
        },
        Duration::ZERO,
    );
}

#[test]
fn one_draft_goes_to_all_that_are_ticked_and_each_keeps_its_conversation() {
    let mut state = with_models(&["a", "b", "c"]);
    state.panes_mut().get_mut(1).ticked = false;
    let (asks, order) = send(&mut state, "hello");
    let models: Vec<&str> = asks.iter().map(|ask| ask.request.model.as_str()).collect();
    assert_eq!((models, order), (vec!["a", "c"], ChatOrder::Together));
    let names: Vec<_> = asks
        .iter()
        .filter_map(|ask| ask.filing.as_ref())
        .map(|f| &f.conversation)
        .collect();
    assert!(names.len() == 2 && names[0] == names[1], "{names:?}");
    assert!(state.panes().chat(1).turns().is_empty());
    state.panes_mut().chat_mut(0).draft = "more".to_owned();
    assert!(
        !state.send_draft(Duration::ZERO, &mut Vec::new()),
        "they still answer"
    );
    end(&mut state, asks[0].job, 10, 50.0);
    end(&mut state, asks[1].job, 10, 50.0);
    assert_eq!(state.panes().chat(2).turns()[0].answer.reply.text, "yes");
    assert_eq!(
        state.playgrounds.session().series().len(),
        2,
        "the charts show both"
    );
}

fn filed(asks: &[ChatAsk]) -> Vec<(u64, Option<u64>, Option<u64>)> {
    let filings = asks.iter().filter_map(|ask| ask.filing.as_ref());
    filings
        .map(|filing| (filing.exchange, filing.parent, filing.pane))
        .collect()
}

fn end_all(state: &mut State, asks: &[ChatAsk]) {
    for ask in asks {
        end(state, ask.job, 10, 50.0);
    }
}

#[test]
fn panes_side_by_side_are_one_conversation_in_which_no_number_is_used_twice() {
    let mut state = with_models(&["a", "b"]);
    let (asks, _) = send(&mut state, "hello");
    assert_eq!(filed(&asks), [(1, None, None), (2, None, Some(2))]);
    end_all(&mut state, &asks);
    let (asks, _) = send(&mut state, "more");
    assert_eq!(filed(&asks), [(3, Some(1), None), (4, Some(2), Some(2))]);
    end_all(&mut state, &asks);
    state.panes_mut().activate(0);
    state.add_pane(true);
    state.add_pane(false);
    assert_eq!(state.panes().chat(2).turns().len(), 2);
    let (asks, _) = send(&mut state, "and now?");
    let copied = (7, Some(3), Some(7));
    let empty = (8, None, Some(8));
    assert_eq!(
        filed(&asks),
        [(5, Some(3), None), (6, Some(4), Some(2)), copied, empty]
    );
    let mut named = asks.iter().filter_map(|ask| ask.filing.as_ref());
    let first = named.next().expect("it is kept").conversation.clone();
    assert!(named.all(|filing| filing.conversation == first));
    end_all(&mut state, &asks);
    state.panes_mut().clear();
    let (asks, _) = send(&mut state, "anew");
    let filing = asks[3].filing.as_ref().expect("it is kept");
    assert_ne!(filing.conversation, first);
    let began = asks[0].filing.as_ref().expect("it is kept");
    assert_eq!(filing.conversation, began.conversation);
}

#[test]
fn one_after_the_other_says_who_waits() {
    let mut state = with_models(&["a", "b"]);
    state.panes_mut().in_turn = true;
    let (asks, order) = send(&mut state, "hello");
    assert_eq!(order, ChatOrder::InTurn);
    assert!(
        !state.panes().chat(0).turns()[0].answer.queued
            && state.panes().chat(1).turns()[0].answer.queued
    );
    state.apply(
        Event::ChatBegan { job: asks[1].job },
        Duration::from_secs(5),
    );
    let answer = &state.panes().chat(1).turns()[0].answer;
    assert_eq!(
        (answer.queued, answer.asked_at),
        (false, Duration::from_secs(5))
    );
}

#[test]
fn the_fastest_is_known_when_all_have_answered() {
    let mut state = with_models(&["a", "b"]);
    let (asks, _) = send(&mut state, "hello");
    end(&mut state, asks[0].job, 20, 90.0);
    assert!(
        state.panes().fastest().iter().all(HashMap::is_empty),
        "one still answers"
    );
    end(&mut state, asks[1].job, 10, 50.0);
    let marks: Vec<Option<String>> = state
        .panes()
        .fastest()
        .iter()
        .map(|turns| turns.values().next().and_then(|marks| marks.told()))
        .collect();
    let told = ["tok/s by 80 %", "TTFT by 50 %"];
    assert_eq!(marks, told.map(|told| Some(told.to_owned())));
    let (asks, _) = send(&mut state, "again");
    end(&mut state, asks[0].job, 20, 90.0);
    let why = Failure::new("down", "");
    let ending = ChatEnding::Failed(why);
    let event = Event::ChatEnded {
        job: asks[1].job,
        ending,
        figures: Box::default(),
        answered_by: None,
    };
    state.apply(event, Duration::ZERO);
    assert_eq!(state.panes().fastest()[0].len(), 2);
    let last = state.panes().chat(0).turns()[1].id;
    assert_eq!(
        state.panes().fastest()[0][&last].told(),
        None,
        "there is nobody to be faster than"
    );
}

#[test]
fn a_small_difference_makes_nobody_the_fastest() {
    let marks = |(ttft, speed): (u64, f64), (other_ttft, other_speed): (u64, f64)| {
        let mut state = with_models(&["a", "b"]);
        let (asks, _) = send(&mut state, "hello");
        end(&mut state, asks[0].job, ttft, speed);
        end(&mut state, asks[1].job, other_ttft, other_speed);
        let panes = state.panes().fastest();
        let told = panes.iter().flat_map(HashMap::values);
        told.filter_map(|marks| marks.told()).collect::<Vec<_>>()
    };
    assert_eq!(marks((200, 109.0), (215, 100.0)), [""; 0], "under a tenth");
    assert_eq!(marks((5, 100.0), (14, 100.0)), [""; 0], "under 10 ms");
    assert_eq!(
        marks((178, 111.0), (200, 100.0)),
        ["tok/s by 11 %, TTFT by 11 %"]
    );
}

#[test]
fn a_linked_pane_has_the_firsts_system_prompt_and_another_its_own() {
    let mut state = with_models(&["a", "b", "c"]);
    state.panes_mut().link(2, false);
    state.panes_mut().chat_mut(2).system = "mine".to_owned();
    state.panes_mut().chat_mut(0).system = "shared".to_owned();
    let (asks, _) = send(&mut state, "hello");
    let first: Vec<&str> = asks
        .iter()
        .map(|ask| ask.request.messages[0].content.as_str())
        .collect();
    assert_eq!(first, ["shared", "shared", "mine"]);
}

#[test]
fn the_same_model_twice_has_two_names_and_two_lines() {
    let mut state = with_models(&["a", "a"]);
    assert_eq!(state.panes().name(1).as_deref(), Some("a · 2"));
    let (asks, _) = send(&mut state, "hello");
    assert!(asks.iter().all(|ask| ask.request.model == "a"));
    asks.iter()
        .for_each(|ask| end(&mut state, ask.job, 10, 50.0));
    let names: Vec<_> = state
        .playgrounds
        .session()
        .series()
        .iter()
        .map(|series| series.model.clone())
        .collect();
    assert_eq!(names, ["a", "a · 2"]);
}

#[test]
fn closing_the_first_pane_moves_the_next_into_its_place() {
    let mut state = with_models(&["a", "b"]);
    let (asks, _) = send(&mut state, "hello");
    state.panes_mut().chat_mut(0).draft = "next".to_owned();
    let mut out = Vec::new();
    state.act_on_panes(PaneAction::Close(0), Duration::ZERO, &mut out);
    assert!(
        matches!(out.as_slice(), [Command::Cancel { job }] if *job == asks[0].job),
        "{out:?}"
    );
    assert_eq!(
        (state.panes().count(), state.panes().name(0).as_deref()),
        (1, Some("b"))
    );
    assert_eq!(state.panes().chat(0).draft, "next");
    end(&mut state, asks[1].job, 10, 50.0);
    assert_eq!(state.panes().chat(0).turns()[0].answer.reply.text, "yes");
    assert!(!state.panes().is_closable(0), "one stays");
}

#[test]
fn a_draft_survives_the_first_pane_also_while_a_message_is_changed() {
    let note = || Attachment {
        name: "a.md".to_owned(),
        content: Attached::Text("a".into()),
    };
    for changed in [0, 1] {
        let mut state = with_models(&["a", "b"]);
        let (asks, _) = send(&mut state, "hello");
        asks.iter()
            .for_each(|ask| end(&mut state, ask.job, 10, 50.0));
        state.panes_mut().chat_mut(0).draft = "half".to_owned();
        state.panes_mut().chat_mut(0).attached = vec![note()];
        let mut out = Vec::new();
        state.act_in_pane(changed, Act::Edit(0), Duration::ZERO, &mut out);
        assert_eq!(state.panes().chat(changed).draft, "hello");
        state.act_on_panes(PaneAction::Close(0), Duration::ZERO, &mut out);
        let chat = state.panes_mut().chat_mut(0);
        assert_eq!(
            (chat.kept_draft(), chat.kept_attached()),
            ("half", [note()].as_slice()),
            "{changed}"
        );
        assert_eq!(
            chat.is_editing(),
            changed == 1,
            "what is changed of another pane stays"
        );
        chat.stop_editing();
        assert_eq!((chat.draft.as_str(), chat.attached.len()), ("half", 1));
    }
}

#[test]
fn a_message_is_changed_in_its_own_pane_alone() {
    let mut state = with_models(&["a", "b"]);
    let (asks, _) = send(&mut state, "hello");
    asks.iter()
        .for_each(|ask| end(&mut state, ask.job, 10, 50.0));
    state.panes_mut().chat_mut(0).draft = "half".to_owned();
    let mut out = Vec::new();
    assert!(!state.act_in_pane(1, Act::Edit(0), Duration::ZERO, &mut out));
    assert_eq!(
        (state.panes().drafting(), state.pane_targets().addressed()),
        (1, vec![1])
    );
    state.panes_mut().chat_mut(1).draft = "other".to_owned();
    assert!(state.send_draft(Duration::ZERO, &mut out));
    let [Command::Chat { asks, .. }] = out.as_slice() else {
        panic!("{out:?}")
    };
    assert_eq!((asks.len(), asks[0].request.model.as_str()), (1, "b"));
    assert_eq!(
        (
            state.panes().drafting(),
            state.panes().chat(0).draft.as_str()
        ),
        (0, "half")
    );
}

#[test]
fn no_more_than_four_and_none_of_a_deleted_environment() {
    let mut state = with_models(&["a", "b", "c", "d", "e"]);
    assert_eq!(state.panes().count(), MAX_PANES);
    let other = Environment::blank(EnvId("e1".to_owned()), "other");
    let mut out = Vec::new();
    state.save_environment(other.clone(), None, &mut out);
    state.switch(&EnvId::demo(), &mut out);
    let pick = PaneAction::PickEnv(3, other.id.clone());
    state.act_on_panes(pick, Duration::ZERO, &mut out);
    assert_eq!(
        (
            state.panes().get(3).env.clone(),
            state.pane_targets().of(3).can_ask()
        ),
        (other.id.clone(), false)
    );
    state.delete_environment(&other.id, &mut out);
    assert_eq!(state.panes().count(), 3);
}

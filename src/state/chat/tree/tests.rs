use super::*;
use crate::domain::exchange::Advance;
use crate::metrics::history::SessionHistory;
use crate::metrics::timeline::Figures;
use crate::protocol::{ChatEnding, JobId};

fn asking(job: u64) -> Asking<'static> {
    Asking {
        job: JobId(job),
        model: "m",
        deployment: None,
        now: Duration::ZERO,
    }
}

fn answer(chat: &mut ChatState, job: u64, text: &str, reason: FinishReason) {
    chat.advance(JobId(job), &Advance::of("", text), Duration::ZERO);
    let ending = ChatEnding::Finished { reason };
    chat.end(
        JobId(job),
        ending,
        (Figures::default(), None),
        Duration::ZERO,
        &mut SessionHistory::default(),
    );
}

/// Says each of these, and is answered `to <words>`.
fn converse(prompts: &[&str]) -> ChatState {
    let mut chat = ChatState::default();
    for prompt in prompts {
        say(&mut chat, prompt);
    }
    chat
}

fn say(chat: &mut ChatState, prompt: &str) -> ChatRequest {
    prompt.clone_into(&mut chat.draft);
    send(chat)
}

fn send(chat: &mut ChatState) -> ChatRequest {
    let prompt = chat.draft.clone();
    let request = chat.send(&asking(7)).expect("it is sent");
    answer(chat, 7, &format!("to {prompt}"), FinishReason::Stop);
    request
}

fn way(chat: &ChatState) -> Vec<&str> {
    chat.turns()
        .iter()
        .map(|turn| turn.said.prompt.as_str())
        .collect()
}

#[test]
fn a_changed_message_makes_a_branch_and_both_can_be_gone_to() {
    let mut chat = converse(&["one", "two", "three"]);
    chat.draft = "half typed".to_owned();
    chat.edit(1);
    assert_eq!((chat.draft.as_str(), chat.is_editing()), ("two", true));
    chat.draft = "zwei".to_owned();
    let request = send(&mut chat);
    let said: Vec<&str> = request
        .messages
        .iter()
        .skip(1)
        .map(|message| message.content.as_str())
        .collect();
    assert_eq!(said, ["one", "to one", "zwei"], "what followed is not sent");
    assert_eq!(
        (chat.draft.as_str(), chat.is_editing()),
        ("half typed", false)
    );
    assert_eq!(
        (way(&chat), chat.branch(0), chat.branch(1)),
        (vec!["one", "zwei"], (0, 1), (1, 2))
    );
    let filing = chat.filing().expect("it is kept");
    assert_eq!((filing.exchange, filing.parent), (4, Some(1)));
    chat.step(1, false);
    assert_eq!(
        (way(&chat), chat.branch(1)),
        (vec!["one", "two", "three"], (0, 2))
    );
    chat.step(1, false);
    assert_eq!(
        way(&chat),
        ["one", "two", "three"],
        "there is none before the first"
    );
    chat.step(1, true);
    assert_eq!(way(&chat), ["one", "zwei"]);
}

#[test]
fn the_first_message_can_be_changed_too() {
    let mut chat = converse(&["one", "two"]);
    chat.edit(0);
    chat.draft = "uno".to_owned();
    send(&mut chat);
    assert_eq!((way(&chat), chat.branch(0)), (vec!["uno"], (1, 2)));
    assert_eq!(chat.filing().map(|filing| filing.parent), Some(None));
    chat.step(0, false);
    assert_eq!(way(&chat), ["one", "two"]);
}

#[test]
fn an_edit_can_be_left_and_leaves_the_draft() {
    let mut chat = converse(&["one"]);
    chat.draft = "mine".to_owned();
    chat.edit(0);
    chat.stop_editing();
    assert_eq!((chat.draft.as_str(), way(&chat)), ("mine", vec!["one"]));
    send(&mut chat);
    assert_eq!(way(&chat), ["one", "mine"]);
}

#[test]
fn asking_once_more_keeps_the_other_answer() {
    let mut chat = converse(&["one", "two"]);
    chat.regenerate(0, &asking(9)).expect("it asks");
    assert!(chat.regenerate(0, &asking(10)).is_none(), "one at a time");
    chat.step(0, false);
    assert_eq!(chat.turns().len(), 1, "the way stays while an answer comes");
    answer(&mut chat, 9, "again", FinishReason::Stop);
    assert_eq!(
        (chat.turns()[0].answer.reply.text.as_str(), chat.branch(0)),
        ("again", (1, 2))
    );
    chat.step(0, false);
    assert_eq!(
        (way(&chat), chat.turns()[0].answer.reply.text.as_str()),
        (vec!["one", "two"], "to one")
    );
}

#[test]
fn another_branch_begins_at_an_answer_and_there_is_a_way_back() {
    let mut chat = converse(&["one", "two"]);
    assert_eq!(chat.ahead(), 0);
    chat.branch_after(0);
    assert_eq!((way(&chat), chat.ahead()), (vec!["one"], 1));
    chat.go_ahead();
    assert_eq!(way(&chat), ["one", "two"]);
    chat.branch_after(0);
    say(&mut chat, "other");
    assert_eq!(
        (way(&chat), chat.branch(1), chat.ahead()),
        (vec!["one", "other"], (1, 2), 0)
    );
}

#[test]
fn a_cut_answer_goes_on() {
    let mut chat = converse(&["one"]);
    assert!(chat.go_on(&asking(8)).is_none(), "it was complete");
    chat.draft = "two".to_owned();
    chat.send(&asking(8)).expect("it is sent");
    answer(&mut chat, 8, "half a", FinishReason::Length);
    chat.draft = "kept".to_owned();
    let request = chat.go_on(&asking(9)).expect("it goes on");
    let [.., cut, last] = request.messages.as_slice() else {
        panic!("{request:?}")
    };
    assert_eq!(
        (cut.content.as_str(), last.content.as_str()),
        ("half a", CONTINUE)
    );
    assert_eq!(chat.draft, "kept");
}

#[test]
fn clearing_takes_all_branches_and_brings_them_back() {
    let mut chat = converse(&["one"]);
    chat.regenerate(0, &asking(9)).expect("it asks");
    answer(&mut chat, 9, "again", FinishReason::Stop);
    chat.clear();
    assert_eq!(chat.ahead(), 0);
    chat.undo_clear();
    assert_eq!(chat.branch(0), (1, 2));
}

fn exchange(id: u64, parent: Option<u64>, prompt: &str) -> Exchange {
    Exchange {
        id,
        parent,
        pane: None,
        environment: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        model: "m".to_owned(),
        deployment: None,
        system: String::new(),
        params: crate::domain::conversation::Params::default(),
        prompt: prompt.to_owned(),
        attachments: Vec::new(),
        results: Vec::new(),
        calls: Vec::new(),
        reasoning: String::new(),
        answer: format!("to {prompt}"),
        ending: ExchangeEnding::Finished(Some("stop".to_owned())),
        answered_by: None,
        figures: Figures::default(),
    }
}

#[test]
fn a_conversation_out_of_the_history_has_all_its_branches() {
    let kept = [
        exchange(1, None, "one"),
        exchange(2, Some(1), "two"),
        exchange(3, Some(2), "three"),
        exchange(4, Some(1), "zwei"),
    ];
    let mut chat = ChatState::default();
    chat.resume(SessionId("c1".to_owned()), &kept);
    assert_eq!((way(&chat), chat.branch(1)), (vec!["one", "zwei"], (1, 2)));
    chat.step(1, false);
    assert_eq!(way(&chat), ["one", "two", "three"]);
    say(&mut chat, "four");
    let filing = chat.filing().expect("it is kept");
    assert_eq!((filing.exchange, filing.parent), (5, Some(3)));
}

#[test]
fn a_turn_that_was_never_kept_takes_no_other_with_it() {
    let kept = [
        exchange(1, None, "one"),
        exchange(2, Some(1), "two"),
        exchange(4, Some(3), "four"),
    ];
    let mut chat = ChatState::default();
    chat.resume(SessionId("c1".to_owned()), &kept);
    assert_eq!(way(&chat), ["one", "two", "four"]);
    let request = say(&mut chat, "five");
    assert!(
        request
            .messages
            .iter()
            .any(|message| message.content == "one"),
        "{request:?}"
    );
    // The very first is not there.
    chat.resume(
        SessionId("c1".to_owned()),
        &[exchange(2, Some(1), "two"), exchange(3, Some(2), "three")],
    );
    assert_eq!(way(&chat), ["two", "three"]);
}

#[test]
fn a_history_that_goes_in_circles_ends() {
    let mut chat = ChatState::default();
    let kept = [
        exchange(1, Some(2), "one"),
        exchange(2, Some(1), "two"),
        exchange(3, Some(3), "three"),
    ];
    chat.resume(SessionId("c1".to_owned()), &kept);
    assert_eq!(way(&chat), ["three"]);
}

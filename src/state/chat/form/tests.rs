use std::time::Duration;

use super::*;
use crate::domain::conversation::Role;
use crate::domain::exchange::{Advance, NOT_ANSWERED};
use crate::metrics::history::SessionHistory;
use crate::metrics::timeline::Figures;
use crate::protocol::{ChatEnding, JobId};
use crate::state::chat::Act;

fn asking(job: u64) -> Asking<'static> {
    Asking {
        job: JobId(job),
        model: "m",
        deployment: None,
        now: Duration::ZERO,
    }
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: "now".to_owned(),
        arguments: arguments.to_owned(),
    }
}

fn tool() -> Tool {
    let parameters =
        r#"{"type":"object","properties":{"zone":{"type":"string"}},"required":["zone"]}"#;
    Tool {
        name: "now".to_owned(),
        parameters: parameters.to_owned(),
        ..Tool::default()
    }
}

fn end(chat: &mut ChatState, text: &str, calls: Vec<ToolCall>, ending: ChatEnding) {
    let job = chat.running().expect("it answers");
    chat.advance(
        job,
        &Advance {
            calls,
            ..Advance::of("", text)
        },
        Duration::ZERO,
    );
    chat.end(
        job,
        ending,
        (Figures::default(), None),
        Duration::ZERO,
        &mut SessionHistory::default(),
    );
}

fn finished(reason: FinishReason) -> ChatEnding {
    ChatEnding::Finished { reason }
}

/// Asked for the time, and answered by these calls.
fn called(calls: Vec<ToolCall>, ending: ChatEnding) -> ChatState {
    let mut chat = ChatState {
        draft: "What time is it?".to_owned(),
        ..ChatState::default()
    };
    chat.system.clear();
    chat.params.tools = vec![tool()];
    chat.send(&asking(1)).expect("it is sent");
    assert!(!chat.awaits_results(), "nothing has come");
    end(&mut chat, "", calls, ending);
    chat
}

fn told(request: &ChatRequest) -> Vec<String> {
    let one = |message: &crate::domain::conversation::Message| {
        let role = match message.role {
            Role::Tool => format!("tool {}", message.call_id.as_deref().unwrap_or_default()),
            role => format!("{role:?}"),
        };
        let calls: Vec<&str> = message.calls.iter().map(|call| call.id.as_str()).collect();
        format!("{role}: {}{}", message.content, calls.join(","))
    };
    request.messages.iter().map(one).collect()
}

#[test]
fn results_are_sent_together_in_order_and_the_conversation_goes_on() {
    let calls = vec![
        call("a", r#"{"zone":"UTC"}"#),
        call("b", r#"{"zone":"CET"}"#),
    ];
    // Some say "stop" although they call.
    let mut chat = called(calls, finished(FinishReason::Stop));
    assert!(chat.awaits_results());
    chat.type_result(1, "13:00".to_owned());
    chat.type_result(7, "nobody asked".to_owned());
    assert_eq!(chat.typed_results(), ["", "13:00"]);
    let shown = told(&chat.request_shown("m", &UserInput::default(), &chat));
    let request = chat.ask_for(Act::SendResults, &asking(2)).expect("it asks");
    assert_eq!(told(&request), shown, "View code shows what would be sent");
    let results = [
        "User: What time is it?",
        "Assistant: a,b",
        "tool a: ",
        "tool b: 13:00",
    ];
    assert_eq!(told(&request), results);
    assert_eq!(chat.turns()[1].said.title(), "Results of now, now");
    end(
        &mut chat,
        "One o'clock",
        Vec::new(),
        finished(FinishReason::Stop),
    );
    assert_eq!(
        told(&chat.ask_for(Act::Again(1), &asking(3)).expect("it asks")),
        results,
        "again the same"
    );
    end(&mut chat, "1 pm", Vec::new(), finished(FinishReason::Stop));
    chat.turn_to(Act::Edit(1));
    assert_eq!((chat.turns().len(), chat.is_editing()), (1, false));
    assert_eq!(
        chat.typed_results(),
        ["", "13:00"],
        "they can be typed anew"
    );
    chat.type_result(0, "12:00".to_owned());
    let request = chat.ask_for(Act::SendResults, &asking(4)).expect("it asks");
    assert_eq!(told(&request)[2], "tool a: 12:00");
    assert_eq!(chat.branch(1), (2, 3));
}

#[test]
fn a_message_instead_of_results_says_that_there_are_none() {
    let mut chat = called(
        vec![call("a", r#"{"zone":"UTC"}"#)],
        finished(FinishReason::ToolCalls),
    );
    chat.draft = "Never mind".to_owned();
    let result = format!("tool a: {NOT_ANSWERED}");
    let shown = told(&chat.request_shown("m", &chat.drafted(), &chat));
    assert_eq!(
        shown,
        [
            "User: What time is it?",
            "Assistant: a",
            &result,
            "User: Never mind"
        ]
    );
    assert_eq!(told(&chat.send(&asking(2)).expect("it is sent")), shown);
    assert_eq!(chat.turns()[1].said.results[0].content, NOT_ANSWERED);
}

#[test]
fn results_stay_in_the_conversation_when_nothing_came_back() {
    let mut chat = called(vec![call("a", "{}")], finished(FinishReason::ToolCalls));
    chat.send_results(&asking(2)).expect("it asks");
    end(
        &mut chat,
        "",
        Vec::new(),
        ChatEnding::Failed(crate::domain::failure::Failure::new("down", "")),
    );
    chat.draft = "Still there?".to_owned();
    let request = chat.send(&asking(3)).expect("it is sent");
    assert_eq!(
        told(&request),
        [
            "User: What time is it?",
            "Assistant: a",
            "tool a: ",
            "User: Still there?"
        ]
    );
}

#[test]
fn a_call_that_was_stopped_amid_its_arguments_is_not_answered_and_not_sent_back() {
    let mut chat = called(vec![call("a", r#"{"zone":"U"#)], ChatEnding::Stopped);
    assert!(!chat.awaits_results() && chat.send_results(&asking(2)).is_none());
    assert!(matches!(
        chat.turns()[0].answer.form.calls[0].check,
        CallCheck::NoJson(_)
    ));
    chat.draft = "Go on".to_owned();
    assert_eq!(
        told(&chat.send(&asking(2)).expect("it is sent")),
        ["User: Go on"]
    );
    let whole = called(vec![call("a", r#"{"zone":"UTC"}"#)], ChatEnding::Stopped);
    assert!(whole.awaits_results(), "its arguments were all there");
}

#[test]
fn calls_are_held_against_what_was_offered() {
    let odd = ToolCall {
        name: "then".to_owned(),
        ..call("c", "{}")
    };
    let calls = vec![
        call("a", r#"{"zone":"UTC"}"#),
        call("b", r#"{"zone":7}"#),
        odd,
        call("d", "UTC"),
    ];
    let chat = called(calls, finished(FinishReason::ToolCalls));
    let form = &chat.turns()[0].answer.form;
    assert_eq!(form.calls[0].shown, "{\n  \"zone\": \"UTC\"\n}");
    assert_eq!(form.calls[0].check.told(), None);
    let told = |at: usize| {
        form.calls[at]
            .check
            .told()
            .expect("there is something to say")
    };
    assert!(told(1).contains("/zone: 7 is not of type"), "{}", told(1));
    assert!(told(2).contains("No function of this name"), "{}", told(2));
    assert!(told(3).contains("not JSON. Line 1"), "{}", told(3));
    assert_eq!(form.calls[3].shown, "UTC");
}

#[test]
fn an_answer_is_held_against_its_format_when_it_has_ended() {
    let mut chat = ChatState {
        draft: "x".to_owned(),
        ..ChatState::default()
    };
    chat.params.format = Some(AnswerFormat::JsonObject);
    chat.send(&asking(1)).expect("it is sent");
    // Changed meanwhile: the answer was asked for in another form.
    chat.params.format = None;
    chat.advance(
        JobId(1),
        &Advance::of("{\"not\": \"this\"}", "{\"a\""),
        Duration::ZERO,
    );
    assert_eq!(
        chat.turns()[0].answer.form.checked,
        None,
        "it is not whole yet"
    );
    assert_eq!(chat.turns()[0].answer.form.block, "```json\n{\"a\"");
    end(&mut chat, ":1}", Vec::new(), finished(FinishReason::Stop));
    let form = &chat.turns()[0].answer.form;
    assert_eq!(
        (&form.checked, form.pretty.as_deref()),
        (&Some(Checked::Object), Some("{\n  \"a\": 1\n}"))
    );
}

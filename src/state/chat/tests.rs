use super::*;
use crate::domain::failure::Failure;
use crate::protocol::FinishReason;

fn asking(job: u64, model: &str) -> Asking<'_> {
    Asking {
        job: JobId(job),
        model,
        deployment: None,
        now: Duration::ZERO,
    }
}

/// Gives how many answers that makes in the session.
fn finish(chat: &mut ChatState, job: u64, ending: ChatEnding) -> u64 {
    let mut session = SessionHistory::default();
    chat.end(
        JobId(job),
        ending,
        (Figures::default(), None),
        Duration::ZERO,
        &mut session,
    );
    session.answers()
}

fn converse(chat: &mut ChatState, job: u64, prompt: &str, answer: &str) -> ChatRequest {
    chat.draft = prompt.to_owned();
    let request = chat.send(&asking(job, "m")).expect("sends");
    chat.advance(JobId(job), &Advance::of("thinking", answer), Duration::ZERO);
    finish(
        chat,
        job,
        ChatEnding::Finished {
            reason: FinishReason::Stop,
        },
    );
    request
}

#[test]
fn the_whole_conversation_is_sent_without_its_reasoning() {
    let mut chat = ChatState::default();
    converse(&mut chat, 1, "one", "first");
    let request = converse(&mut chat, 2, "  two\n", "second");
    let said: Vec<&str> = request
        .messages
        .iter()
        .map(|message| message.content.as_str())
        .collect();
    assert_eq!(said, [DEFAULT_SYSTEM_PROMPT, "one", "first", "two"]);
    assert_eq!(chat.draft, "");
}

#[test]
fn view_code_shows_the_last_request_until_something_is_typed() {
    let mut chat = ChatState::default();
    converse(&mut chat, 1, "one", "first");
    let shown = |chat: &ChatState| {
        let request = chat.request_shown("m", &chat.drafted(), chat);
        let last = request.messages.last().map(|last| last.content.clone());
        (request.messages.len(), last.unwrap_or_default())
    };
    assert_eq!(
        shown(&chat),
        (2, "one".to_owned()),
        "its answer is not in it"
    );
    chat.draft = "two".to_owned();
    assert_eq!(shown(&chat), (4, "two".to_owned()));
    let sent = chat.send(&asking(2, "m")).expect("sends");
    assert_eq!(sent.messages.len(), 4);
    assert_eq!(shown(&chat), (4, "two".to_owned()), "no answer has come");
    finish(&mut chat, 2, ChatEnding::Failed(Failure::new("down", "")));
    assert_eq!(shown(&chat), (4, "two".to_owned()), "it failed");
    chat.turn_to(Act::Edit(0));
    chat.draft.clear();
    let greeting = (2, "Hello".to_owned());
    assert_eq!(
        shown(&chat),
        greeting,
        "nothing comes before the edited one"
    );
}

#[test]
fn a_retry_keeps_the_prompt_and_takes_the_place_of_the_failure() {
    let mut chat = ChatState {
        draft: "question".to_owned(),
        ..ChatState::default()
    };
    chat.send(&asking(1, "m")).expect("sends");
    assert!(chat.retry(&asking(2, "m")).is_none(), "one at a time");
    let failure = Failure::new("down", "");
    chat.advance(JobId(1), &Advance::of("", "half"), Duration::ZERO);
    assert_eq!(
        finish(&mut chat, 1, ChatEnding::Failed(failure)),
        0,
        "a failure is no figure"
    );
    assert_eq!(
        chat.turns()[0].answer.reply.text,
        "half",
        "what had arrived stays"
    );
    let request = chat.retry(&asking(2, "k")).expect("retries");
    assert_eq!(
        request.messages.last().map(|m| m.content.as_str()),
        Some("question")
    );
    assert_eq!((chat.turns().len(), request.messages.len()), (1, 2));
}

#[test]
fn a_question_that_is_asked_again_is_filed_beside_the_first() {
    let mut chat = ChatState::default();
    converse(&mut chat, 1, "one", "first");
    converse(&mut chat, 2, "two", "second");
    let second = chat.filing().expect("it is kept");
    assert_eq!((second.exchange, second.parent), (2, Some(1)));
    assert!(second.conversation.0.starts_with('c') && second.conversation.0.len() == 13);
    chat.retry(&asking(3, "m")).expect("retries");
    let again = chat.filing().expect("it is kept");
    assert_eq!((again.exchange, again.parent), (3, Some(1)));
    assert_eq!(again.conversation, second.conversation);
    finish(&mut chat, 3, ChatEnding::Stopped);
    chat.clear();
    converse(&mut chat, 4, "new", "words");
    let other = chat.filing().expect("it is kept");
    assert_ne!(
        other.conversation, second.conversation,
        "what is begun anew is another conversation"
    );
    assert_eq!(other.parent, None);
}

#[test]
fn clearing_can_be_undone_until_something_is_said() {
    let mut chat = ChatState::default();
    converse(&mut chat, 1, "one", "first");
    chat.clear();
    assert!(chat.turns().is_empty() && chat.can_undo_clear());
    chat.undo_clear();
    assert_eq!(chat.turns().len(), 1);
    chat.clear();
    converse(&mut chat, 2, "two", "second");
    assert!(!chat.can_undo_clear());
}

#[test]
fn the_rate_of_an_answer_falls_while_nothing_comes() {
    let mut chat = ChatState {
        draft: "x".to_owned(),
        ..ChatState::default()
    };
    chat.send(&asking(1, "m")).expect("sends");
    let s = Duration::from_secs_f64;
    let tokens = crate::metrics::timeline::Tokens {
        n: 11,
        source: crate::metrics::timeline::TokenSource::Chunks,
    };
    // Ten gaps in a second.
    let figures = Figures {
        ttft: Some(s(0.5)),
        tokens: Some(tokens),
        tokens_per_sec: Some(10.0),
        ..Figures::default()
    };
    chat.advance(
        JobId(1),
        &Advance {
            figures,
            ..Advance::of("", "words")
        },
        s(2.0),
    );
    let answer = |chat: &ChatState| chat.turns()[0].answer.clone();
    assert_eq!(answer(&chat).speed(s(2.0)), Some(10.0));
    assert_eq!(answer(&chat).speed(s(2.05)), Some(10.0), "no silence yet");
    assert_eq!(
        answer(&chat).speed(s(5.0)),
        Some(2.5),
        "ten in four seconds"
    );
    assert_eq!(answer(&chat).silent_for(s(5.0)), Some(s(3.0)));
    assert_eq!(
        (chat.stalled_for(s(2.5)), chat.stalled_for(s(5.0))),
        (None, Some(s(3.0)))
    );
    assert_eq!(
        chat.latest_figures(s(5.0))
            .and_then(|(_, figures)| figures.tokens_per_sec),
        Some(2.5)
    );
    let mut session = SessionHistory::default();
    let ending = ChatEnding::Finished {
        reason: FinishReason::Stop,
    };
    chat.end(JobId(1), ending, (figures, None), s(5.0), &mut session);
    assert_eq!(answer(&chat).speed(s(9.0)), Some(10.0), "it has ended");
    assert_eq!(answer(&chat).silent_for(s(9.0)), None);
}

#[test]
fn the_model_that_answered_is_credited_in_the_session() {
    let mut chat = ChatState {
        draft: "x".to_owned(),
        ..ChatState::default()
    };
    chat.send(&asking(1, "asked")).expect("sends");
    chat.advance(JobId(1), &Advance::of("", "words"), Duration::ZERO);
    let mut session = SessionHistory::default();
    let ending = ChatEnding::Finished {
        reason: FinishReason::Stop,
    };
    let figures = (Figures::default(), Some("other".to_owned()));
    chat.end(JobId(1), ending, figures, Duration::ZERO, &mut session);
    let answer = &chat.turns()[0].answer;
    assert_eq!(
        (&*answer.model, answer.reply.answered_by.as_deref()),
        ("asked", Some("other"))
    );
    assert_eq!(session.series()[0].model, "other");
}

#[test]
fn text_that_turns_out_to_be_reasoning_is_reasoning() {
    let mut chat = ChatState {
        draft: "x".to_owned(),
        ..ChatState::default()
    };
    chat.send(&asking(1, "m")).expect("sends");
    chat.advance(JobId(1), &Advance::of("", "hm"), Duration::ZERO);
    chat.advance(
        JobId(1),
        &Advance {
            turned: true,
            ..Advance::of(".", "Porto")
        },
        Duration::ZERO,
    );
    let answer = &chat.turns()[0].answer;
    assert_eq!(
        (&*answer.reply.reasoning, &*answer.reply.text),
        ("hm.", "Porto")
    );
}

#[test]
fn an_answer_without_text_is_in_no_figure_of_the_session() {
    let mut chat = ChatState {
        draft: "x".to_owned(),
        ..ChatState::default()
    };
    chat.send(&asking(1, "m")).expect("sends");
    assert_eq!(
        finish(
            &mut chat,
            1,
            ChatEnding::Finished {
                reason: FinishReason::Stop
            }
        ),
        0
    );
}

#[test]
fn an_empty_answer_says_why() {
    let mut chat = ChatState::default();
    for (reason, thought, words) in [
        (FinishReason::Length, "hm", "went into reasoning"),
        (FinishReason::Stop, "hm", "only reasoned"),
        (FinishReason::Length, "", "max tokens"),
        (FinishReason::ContentFilter, "", "filter"),
        (FinishReason::Stop, "", "no text and no call"),
    ] {
        chat.draft = "x".to_owned();
        chat.send(&asking(1, "m")).expect("sends");
        chat.advance(JobId(1), &Advance::of(thought, ""), Duration::ZERO);
        finish(&mut chat, 1, ChatEnding::Finished { reason });
        let why = chat
            .turns()
            .last()
            .and_then(|turn| turn.answer.empty_because());
        assert!(why.is_some_and(|why| why.contains(words)), "{why:?}");
    }
}

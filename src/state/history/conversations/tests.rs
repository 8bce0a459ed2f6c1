use super::*;
use crate::domain::environment::Environment;
use crate::domain::history::{Exchange, ExchangeEnding, SessionRow, SessionState};
use crate::domain::settings::Settings;
use crate::metrics::timeline::Figures;
use crate::protocol::{ChatEnding, Event, FinishReason};

const LATER: Duration = Duration::from_secs(60);

fn ask(state: &mut State, prompt: &str) -> JobId {
    prompt.clone_into(&mut state.panes_mut().chat_mut(0).draft);
    let mut out = Vec::new();
    assert!(state.send_draft(Duration::ZERO, &mut out));
    let Some(Command::Chat { asks, .. }) = out.pop() else {
        panic!("{out:?}")
    };
    asks[0].job
}

fn remove(state: &mut State, id: &SessionId) {
    let action = ConversationsAction::Remove(id.clone());
    state.act_on_conversations(action, Duration::ZERO, &mut Vec::new());
}

fn say(state: &mut State, prompt: &str) -> SessionId {
    let job = ask(state, prompt);
    let ending = ChatEnding::Finished {
        reason: FinishReason::Stop,
    };
    state.apply(
        Event::ChatEnded {
            job,
            ending,
            figures: Box::default(),
            answered_by: None,
        },
        Duration::ZERO,
    );
    state
        .panes()
        .chat(0)
        .conversation()
        .cloned()
        .expect("it has begun")
}

/// On the demo, with something said.
fn with_conversation() -> (State, SessionId) {
    let mut state = State::new(Settings::default());
    state.panes_mut().get_mut(0).pick_model("a");
    let id = say(&mut state, "Which bridge is the longest?");
    (state, id)
}

fn stored(id: &str, exchange: Exchange) -> StoredSession {
    let row = SessionRow {
        id: SessionId(id.to_owned()),
        kind: SessionKind::Chat,
        state: SessionState::Complete,
        began: exchange.at,
        ended: None,
        title: id.to_owned(),
        environment: Environment::demo().name,
        deployments: Vec::new(),
        models: Vec::new(),
        tags: Vec::new(),
        source: None,
        release: None,
        requests: 1,
        errors: 0,
        ttft_p50_ms: None,
        itl_p50_ms: None,
        peak_tokens_per_s: None,
        baseline: false,
        warnings: 0,
        panes: 1,
    };
    StoredSession {
        row,
        body: SessionBody::Chat {
            surroundings: None,
            exchanges: vec![exchange],
        },
    }
}

fn deleted(state: &mut State, now: Duration) -> Vec<SessionId> {
    let mut out = Vec::new();
    state.conversations_due(false, now, &mut out);
    let ids = |command| match command {
        Command::DeleteSessions {
            what: Deletion::Sessions(ids),
        } => ids,
        other => panic!("{other:?}"),
    };
    out.into_iter().flat_map(ids).collect()
}

#[test]
fn what_was_deleted_and_is_brought_back_on_the_screen_stays() {
    let (mut state, id) = with_conversation();
    remove(&mut state, &id);
    assert!(state.conversations.is_removed(&id) && state.panes().can_undo_clear());
    state.undo_clear();
    assert_eq!(state.panes().chat(0).conversation(), Some(&id));
    assert_eq!(deleted(&mut state, LATER), []);
    let mut out = Vec::new();
    state.delete_removed(&mut out);
    assert!(out.is_empty(), "{out:?}");
}

#[test]
fn so_does_what_another_one_was_opened_over() {
    let (mut state, id) = with_conversation();
    state
        .continue_chat(&stored("other", exchange()), &mut Vec::new())
        .expect("it is opened");
    remove(&mut state, &id);
    state.undo_open(0, &mut Vec::new());
    assert_eq!(state.panes().chat(0).conversation(), Some(&id));
    assert_eq!(deleted(&mut state, LATER), []);
    remove(&mut state, &id);
    state
        .continue_chat(&stored(&id.0, exchange()), &mut Vec::new())
        .expect("it is opened again");
    assert_eq!(deleted(&mut state, LATER), []);
}

#[test]
fn what_is_deleted_for_good_cannot_be_brought_back() {
    let (mut state, id) = with_conversation();
    remove(&mut state, &id);
    assert_eq!(deleted(&mut state, SECOND_THOUGHTS / 2), []);
    assert_eq!(deleted(&mut state, LATER), [id]);
    assert!(
        !state.panes().can_undo_clear(),
        "nothing would be left of it but what is said next"
    );
    state.undo_clear();
    assert!(state.panes().chat(0).turns().is_empty());

    let (mut state, id) = with_conversation();
    state
        .continue_chat(&stored("other", exchange()), &mut Vec::new())
        .expect("it is opened");
    remove(&mut state, &id);
    let mut out = Vec::new();
    state.delete_removed(&mut out);
    assert!(
        matches!(&out[..], [Command::DeleteSessions { .. }]),
        "{out:?}"
    );
    state.undo_open(0, &mut Vec::new());
    assert_ne!(state.panes().chat(0).conversation(), Some(&id));
}

pub(in crate::state) fn exchange() -> Exchange {
    Exchange {
        id: 1,
        parent: None,
        pane: None,
        environment: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        model: "a".to_owned(),
        deployment: None,
        system: String::new(),
        params: Default::default(),
        prompt: "Whales?".to_owned(),
        attachments: Vec::new(),
        results: Vec::new(),
        reasoning: String::new(),
        answer: String::new(),
        calls: Vec::new(),
        ending: ExchangeEnding::Finished(None),
        answered_by: None,
        figures: Figures::default(),
    }
}

#[test]
fn a_conversation_that_began_without_words_can_be_opened_and_figures_alone_cannot() {
    use crate::domain::conversation::{Attached, Attachment, ToolResult};
    let bare = Exchange {
        prompt: String::new(),
        ..exchange()
    };
    let note = Attachment {
        name: "note.md".to_owned(),
        content: Attached::Text("hello".into()),
    };
    let kept = [
        Exchange {
            attachments: vec![note],
            ..bare.clone()
        },
        Exchange {
            results: vec![ToolResult::default()],
            ..bare.clone()
        },
        Exchange {
            answer: "Yes".to_owned(),
            ..bare.clone()
        },
    ];
    for exchange in kept {
        let (mut state, _) = with_conversation();
        state
            .continue_chat(&stored("other", exchange), &mut Vec::new())
            .expect("it is opened");
        assert_eq!(state.panes().chat(0).turns().len(), 1);
    }
    let (mut state, id) = with_conversation();
    let refused = state
        .continue_chat(&stored("other", bare), &mut Vec::new())
        .expect_err("nothing is there");
    assert!(refused.summary.contains("only figures"), "{refused:?}");
    assert_eq!(state.panes().chat(0).conversation(), Some(&id));
}

use std::time::Duration;

use super::*;
use crate::domain::conversation::{Attached, Image};
use crate::domain::deployment::{
    ClusterView, Deployment, DeploymentState, Generation, ServedModel,
};
use crate::domain::environment::Environment;
use crate::domain::exchange::Advance;
use crate::domain::settings::Settings;
use crate::protocol::{Answer, ChatEnding, Event, LocalAnswer};
use crate::state::State;
use crate::state::chat::Act;
use crate::state::panes::PaneAction;

fn picture(name: &str, base64: &str) -> Attachment {
    let image = Image {
        base64: base64.into(),
        ..Image::of("image/png", (1, 1), b"")
    };
    Attachment {
        name: name.to_owned(),
        content: Attached::Image(image),
    }
}

fn note() -> Attachment {
    Attachment {
        name: "note.md".to_owned(),
        content: Attached::Text("hello".into()),
    }
}

fn load(state: &mut State, out: &mut Vec<Command>) {
    let mut outbox = Outbox::new(&mut state.jobs, out);
    state.attach.load(&state.environments.settings, &mut outbox);
}

fn act(state: &mut State, action: PaneAction, out: &mut Vec<Command>) {
    state.act_on_panes(action, Duration::ZERO, out);
}

/// On the demo, whose cluster says that `sees` sees, `blind` does not, and of `unknown` nothing.
fn state(models: &[&str]) -> State {
    let mut state = State::new(Settings::default());
    let mut out = Vec::new();
    load(&mut state, &mut out);
    let (job, _) = asked(&mut out);
    answer(
        &mut state,
        job,
        LocalAnswer::Drafts(Ok(DraftsFound::default())),
    );
    let model = |name: &str, capabilities: &[&str]| ServedModel {
        serving_name: name.to_owned(),
        resource: None,
        aliases: vec![format!("{name}-alias")],
        capabilities: capabilities.iter().map(|it| (*it).to_owned()).collect(),
        confirmed: true,
        sizes: Default::default(),
    };
    let deployment = Deployment {
        name: "d".to_owned(),
        generation: Generation::New,
        bundle: None,
        state: DeploymentState::Deployed,
        reason: String::new(),
        since: None,
        pods: Vec::new(),
        models: vec![
            model("sees", &["text", "vision"]),
            model("blind", &["text"]),
            model("unknown", &[]),
        ],
        replicas: 1,
        bundle_notes: Vec::new(),
        models_trouble: None,
        unreadable: Vec::new(),
    };
    let view = ClusterView {
        deployments: vec![deployment],
        ..ClusterView::default()
    };
    state.connection_mut().cluster.view = crate::state::Loadable::Ready(view, Duration::ZERO);
    state.panes_mut().get_mut(0).pick_model(models[0]);
    for (index, model) in models.iter().enumerate().skip(1) {
        state.add_pane(false);
        state.panes_mut().get_mut(index).pick_model(model);
    }
    state
}

fn attach(state: &mut State, read: Vec<Result<Attachment, Failure>>) -> usize {
    let mut out = Vec::new();
    act(state, PaneAction::Attach(AttachSources::Dialog), &mut out);
    let (job, LocalQuestion::Attachments { room, .. }) = asked(&mut out) else {
        panic!("{out:?}")
    };
    assert!(state.attach.is_attaching(&state.env().id));
    answer(state, job, LocalAnswer::Attachments(Ok(read)));
    assert!(!state.attach.is_attaching(&state.env().id));
    room
}

fn asked(out: &mut Vec<Command>) -> (JobId, LocalQuestion) {
    match out.pop() {
        Some(Command::Ask {
            job,
            question: Question::Local(question),
        }) => (job, question),
        other => panic!("{other:?}"),
    }
}

fn answer(state: &mut State, job: JobId, answer: LocalAnswer) {
    let answer = Answer::Local(answer);
    state.apply(
        Event::Answered {
            job,
            answer,
            took: Duration::ZERO,
        },
        Duration::ZERO,
    );
}

fn told(state: &mut State) -> String {
    state
        .notices
        .take()
        .into_iter()
        .map(|notice| notice.failure.map(|it| it.to_string()).unwrap_or_default())
        .collect()
}

#[test]
fn pictures_are_refused_where_a_model_is_known_to_see_none_and_texts_never() {
    for (models, refused) in [
        (&["sees"][..], ""),
        (&["sees-alias"], ""),
        (&["unknown"], ""),
        (&["of nobody"], ""),
        (
            &["blind"],
            "a.png was not attached: blind cannot see pictures. Pick a model with vision",
        ),
        (
            &["sees", "blind", "blind-alias"],
            "a.png was not attached: blind and blind-alias cannot see pictures. Untick it, or pick a model with vision",
        ),
    ] {
        let mut state = state(models);
        attach(&mut state, vec![Ok(picture("a.png", "AAAA")), Ok(note())]);
        assert_eq!(told(&mut state), refused, "{models:?}");
        let names: Vec<_> = state
            .panes()
            .chat(0)
            .attached
            .iter()
            .map(|it| it.name.as_str())
            .collect();
        assert_eq!(
            names.len(),
            if refused.is_empty() { 2 } else { 1 },
            "{models:?}"
        );
    }
}

#[test]
fn what_is_attached_is_looked_at_again_before_it_is_sent() {
    let mut state = state(&["sees"]);
    attach(&mut state, vec![Ok(picture("a.png", "AAAA"))]);
    assert_eq!(state.pane_targets().pictures_perhaps_unseen(), None);
    state.panes_mut().get_mut(0).pick_model("blind");
    let mut out = Vec::new();
    assert!(!state.send_draft(Duration::ZERO, &mut out) && out.is_empty());
    assert_eq!(
        told(&mut state),
        "blind cannot see pictures. Pick a model with vision"
    );
    state.panes_mut().get_mut(0).pick_model("unknown");
    let remark = state.pane_targets().pictures_perhaps_unseen();
    assert_eq!(
        remark.as_deref(),
        Some("Whether unknown can see pictures is not known")
    );
    assert!(state.send_draft(Duration::ZERO, &mut out));
    assert!(matches!(out.last(), Some(Command::Chat { .. })), "{out:?}");
    assert!(state.panes().chat(0).attached.is_empty());
    // What was said goes along with whatever is said next.
    let job = state.panes().answering()[0];
    let ended = Event::ChatEnded {
        job,
        ending: ChatEnding::Stopped,
        figures: Box::default(),
        answered_by: None,
    };
    state.apply(ended, Duration::ZERO);
    state.panes_mut().get_mut(0).pick_model("blind");
    state.panes_mut().chat_mut(0).draft = "and now?".to_owned();
    let why = state
        .pane_targets()
        .pictures_unseen()
        .expect("it would be sent them");
    assert_eq!(
        why.summary,
        "blind cannot see the pictures of this conversation"
    );
    assert!(!state.act_in_pane(0, Act::Again(0), Duration::ZERO, &mut out));
    assert!(told(&mut state).contains("of this conversation"));
}

#[test]
fn only_those_count_that_are_ticked() {
    let mut state = state(&["sees", "blind"]);
    state.panes_mut().get_mut(1).ticked = false;
    attach(&mut state, vec![Ok(picture("a.png", "AAAA"))]);
    assert_eq!(told(&mut state), "");
    state.panes_mut().get_mut(1).ticked = true;
    assert_eq!(
        state
            .pane_targets()
            .pictures_unseen()
            .map(|it| it.summary)
            .as_deref(),
        Some("blind cannot see pictures")
    );
}

#[test]
fn the_room_is_what_the_conversation_leaves_of_25_mb() {
    let mut state = state(&["sees"]);
    let large = "A".repeat(10_000_000);
    let before = attach(&mut state, vec![Ok(picture("a.png", &large))]);
    let after = attach(&mut state, vec![Ok(picture("b.png", &large))]);
    assert!(
        (10_000_000..10_001_000).contains(&(before - after)),
        "{before} {after}"
    );
    assert!(attach(&mut state, vec![Ok(picture("c.png", &large))]) < 5_000_000);
    assert!(!state.send_draft(Duration::ZERO, &mut Vec::new()));
    assert!(told(&mut state).contains("larger than the 25 MB"));
    state.panes_mut().chat_mut(0).attached.pop();
    assert!(state.send_draft(Duration::ZERO, &mut Vec::new()));
}

#[test]
fn what_is_asked_again_is_weighed_without_what_follows_it() {
    let mut state = state(&["sees"]);
    let large = "A".repeat(10_000_000);
    let mut out = Vec::new();
    let mut say = |state: &mut State, name: &str| {
        attach(state, vec![Ok(picture(name, &large))]);
        assert!(state.send_draft(Duration::ZERO, &mut out), "{name}");
        let job = state.panes().answering()[0];
        let advance = Box::new(Advance::of("", "seen"));
        state.apply(Event::ChatAdvanced { job, advance }, Duration::ZERO);
        let ended = Event::ChatEnded {
            job,
            ending: ChatEnding::Stopped,
            figures: Box::default(),
            answered_by: None,
        };
        state.apply(ended, Duration::ZERO);
    };
    say(&mut state, "a.png");
    say(&mut state, "b.png");
    // Words alone are weighed with all that goes along with them.
    state.panes_mut().chat_mut(0).draft = "A".repeat(6_000_000);
    assert!(!state.send_draft(Duration::ZERO, &mut out));
    assert!(told(&mut state).contains("larger than the 25 MB"));
    state.panes_mut().chat_mut(0).draft.clear();
    assert!(
        state.act_in_pane(0, Act::Again(1), Duration::ZERO, &mut out),
        "{}",
        told(&mut state)
    );
}

#[test]
fn what_is_read_goes_to_the_draft_it_was_for_unless_it_was_stopped() {
    let mut state = state(&["sees"]);
    let mut out = Vec::new();
    act(
        &mut state,
        PaneAction::Attach(AttachSources::Dialog),
        &mut out,
    );
    let (job, _) = asked(&mut out);
    let other = Environment::blank(EnvId("e1".to_owned()), "other");
    state.save_environment(other, None, &mut Vec::new());
    assert!(!state.attach.is_attaching(&state.env().id));
    answer(
        &mut state,
        job,
        LocalAnswer::Attachments(Ok(vec![Ok(note())])),
    );
    assert!(state.panes().chat(0).attached.is_empty());
    state.switch(&EnvId::demo(), &mut Vec::new());
    assert_eq!(state.panes().chat(0).attached, [note()]);
    act(
        &mut state,
        PaneAction::Attach(AttachSources::Dialog),
        &mut out,
    );
    let (job, _) = asked(&mut out);
    act(&mut state, PaneAction::StopAttaching, &mut out);
    assert!(
        matches!(out.as_slice(), [Command::Cancel { job: of }] if *of == job),
        "{out:?}"
    );
    answer(
        &mut state,
        job,
        LocalAnswer::Attachments(Ok(vec![Ok(note())])),
    );
    assert_eq!(state.panes().chat(0).attached, [note()]);
}

fn kept(state: &mut State) -> Option<DraftFiles> {
    let mut out = Vec::new();
    state.remember_panes(&mut out);
    out.into_iter().find_map(|command| match command {
        Command::KeepDraft { env, attached } => Some((env, attached)),
        _ => None,
    })
}

#[test]
fn what_is_attached_is_kept_once_and_comes_back() {
    let mut fresh = State::new(Settings::default());
    fresh.panes_mut().chat_mut(0).attached.push(note());
    assert_eq!(kept(&mut fresh), None, "what is kept is not known yet");
    let mut state = state(&["sees"]);
    assert_eq!(kept(&mut state), None);
    attach(&mut state, vec![Ok(note())]);
    assert_eq!(kept(&mut state), Some((EnvId::demo(), vec![note()])));
    assert_eq!(kept(&mut state), None, "nothing has changed since");
    assert!(state.send_draft(Duration::ZERO, &mut Vec::new()));
    assert_eq!(kept(&mut state), Some((EnvId::demo(), Vec::new())));

    let mut again = State::new(Settings::default());
    let mut out = Vec::new();
    load(&mut again, &mut out);
    let (job, LocalQuestion::Drafts { known }) = asked(&mut out) else {
        panic!("{out:?}")
    };
    assert_eq!(known, [EnvId::demo()]);
    again
        .panes_mut()
        .chat_mut(0)
        .attached
        .push(picture("a.png", "AAAA"));
    let gone = (EnvId("gone".to_owned()), vec![note()]);
    let drafts = vec![(EnvId::demo(), vec![note()]), gone];
    let outcome = Ok(DraftsFound {
        drafts,
        notice: None,
    });
    answer(&mut again, job, LocalAnswer::Drafts(outcome));
    let both = vec![note(), picture("a.png", "AAAA")];
    assert_eq!(again.panes().chat(0).attached, both);
    assert_eq!(kept(&mut again), Some((EnvId::demo(), both)));
}

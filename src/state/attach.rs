//! What is attached to drafts: reading it, whether the models that are asked can see it, and keeping it over a restart.

use super::State;
use super::chat::Act;
use crate::domain::attachment::MOST_BODY;
use crate::domain::conversation::{Attachment, Message};
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::protocol::{
    AttachSources, Command, DraftFiles, DraftsFound, JobId, LocalQuestion, Picture,
};

/// What is attached, over all environments.
#[derive(Debug, Default)]
pub struct AttachState {
    /// What is being read, and for whose draft.
    reading: Vec<(JobId, EnvId)>,
    /// The job that reads what was attached when the window was closed.
    loading: Option<JobId>,
    /// It was read: from then on what changes is kept.
    loaded: bool,
    /// What is kept, by environment.
    kept: Vec<DraftFiles>,
    /// Pictures that were decoded, to be taken by who asked.
    pub decoded: Vec<(JobId, Result<Picture, Failure>)>,
}

impl State {
    /// Reads what the user attaches to the draft.
    pub fn attach(&mut self, sources: AttachSources, out: &mut Vec<Command>) {
        let room = MOST_BODY.saturating_sub(self.body_bytes());
        let job = self.ask_local(LocalQuestion::Attachments { sources, room }, out);
        self.attach.reading.push((job, self.env().id.clone()));
    }

    /// Whether something is being read for the draft.
    pub fn is_attaching(&self) -> bool {
        let env = &self.env().id;
        self.attach.reading.iter().any(|(_, of)| of == env)
    }

    /// What is being read for the draft is not wanted any more.
    pub fn stop_attaching(&mut self, out: &mut Vec<Command>) {
        let env = self.env().id.clone();
        self.stop_attaching_to(&env, out);
    }

    fn stop_attaching_to(&mut self, env: &EnvId, out: &mut Vec<Command>) {
        let Self { attach, jobs, .. } = self;
        let stopped = attach.reading.extract_if(.., |(_, of)| *of == *env);
        stopped.for_each(|(job, _)| jobs.give_up(job, out));
    }

    /// How many bytes the largest of the requests would have that are sent with the draft.
    fn body_bytes(&self) -> usize {
        let requests = self
            .addressed()
            .into_iter()
            .filter_map(|index| self.panes().request(index))
            .max_by_key(size);
        // Without a model there is at least the draft.
        let panes = self.panes();
        let drafted = panes
            .chat(panes.drafting())
            .attached
            .iter()
            .map(Attachment::body_bytes)
            .sum();
        requests.map_or(drafted, |request| size(&request))
    }

    pub(super) fn attachments_read(
        &mut self,
        job: JobId,
        outcome: Result<Vec<Result<Attachment, Failure>>, Failure>,
    ) {
        let Some(at) = self.attach.reading.iter().position(|(of, _)| *of == job) else {
            return;
        };
        let (_, env) = self.attach.reading.swap_remove(at);
        let read = outcome.unwrap_or_else(|failure| vec![Err(failure)]);
        let blind = if self.env().id == env {
            let to = self.addressed();
            self.blind_of(&to)
        } else {
            // It is looked at again before it is sent.
            Vec::new()
        };
        let mut refused = Vec::new();
        for attachment in read {
            match attachment {
                Ok(attachment) if attachment.image().is_some() && !blind.is_empty() => {
                    refused.push(attachment.name)
                }
                Ok(attachment) => self.put_into_draft(&env, attachment),
                Err(failure) => self.notices.fail(failure),
            }
        }
        if !refused.is_empty() {
            let one = if let [_] = refused.as_slice() {
                "was"
            } else {
                "were"
            };
            let summary = format!(
                "{} {one} not attached: {} cannot see pictures",
                and(&refused),
                and(&blind)
            );
            let instead = self.instead();
            self.notices.fail(Failure::new(summary, instead));
        }
    }

    fn put_into_draft(&mut self, env: &EnvId, attachment: Attachment) {
        self.with(env, |connection| {
            let panes = &mut connection.panes;
            let drafting = panes.drafting();
            panes.chat_mut(drafting).attached.push(attachment);
        });
    }

    fn instead(&self) -> &'static str {
        if self.panes().count() > 1 {
            "Untick it, or pick a model with vision"
        } else {
            "Pick a model with vision"
        }
    }

    /// The names of those of these panes whose models are known to see nothing.
    fn blind_of(&self, panes: &[usize]) -> Vec<String> {
        self.named(panes, Some(false))
    }

    /// The names of those of these panes whose models see, or not, or of whom nobody knows.
    fn named(&self, panes: &[usize], sees: Option<bool>) -> Vec<String> {
        let mut names = Vec::new();
        for index in panes {
            let found = self
                .pane_cluster(*index)
                .and_then(|cluster| cluster.sees(&self.panes().get(*index).choice));
            if found == sees {
                let panes = self.panes();
                names.extend(panes.hidden_name(*index).or(panes.name(*index)));
            }
        }
        names
    }

    /// Those of these panes that would be sent pictures: of the draft, or said before.
    fn shown_pictures(&self, panes: Vec<usize>, drafted: bool) -> Vec<usize> {
        panes
            .into_iter()
            .filter(|index| drafted || self.panes().chat(*index).has_pictures())
            .collect()
    }

    /// Why the draft cannot be sent to those it is for; `None` when nothing is against it, or nobody knows of any.
    pub fn pictures_unseen(&self) -> Option<Failure> {
        let panes = self.panes();
        let drafted = panes
            .chat(panes.drafting())
            .attached
            .iter()
            .any(|it| it.image().is_some());
        let to = self.addressed();
        let shown = self.shown_pictures(to, drafted);
        let blind = self.blind_of(&shown);
        if blind.is_empty() {
            return None;
        }
        let what = if drafted {
            "pictures"
        } else {
            "the pictures of this conversation"
        };
        Some(Failure::new(
            format!("{} cannot see {what}", and(&blind)),
            self.instead(),
        ))
    }

    /// Of which models, to be sent pictures, nobody knows whether they see them.
    pub fn pictures_perhaps_unseen(&self) -> Option<String> {
        let panes = self.panes();
        if !panes
            .chat(panes.drafting())
            .attached
            .iter()
            .any(|it| it.image().is_some())
        {
            return None;
        }
        let to = self.addressed();
        let unknown = self.named(&to, None);
        (!unknown.is_empty())
            .then(|| format!("Whether {} can see pictures is not known", and(&unknown)))
    }

    /// Why the draft is not sent as it is; looked at when it is about to be.
    pub(super) fn against_sending(&self) -> Option<Failure> {
        if let Some(failure) = self.pictures_unseen() {
            return Some(failure);
        }
        too_large(self.body_bytes())
    }

    /// Why a pane is not asked what this act asks.
    pub(super) fn against_asking(&self, index: usize, act: Act) -> Option<Failure> {
        let chat = self.panes().chat(index);
        let turns = chat.turns_sent(act);
        let (pictures, bytes) = (chat.has_pictures_in(turns), chat.bytes_asked(act));
        let blind = if pictures {
            self.blind_of(&[index])
        } else {
            Vec::new()
        };
        if blind.is_empty() {
            return too_large(bytes);
        }
        let summary = format!(
            "{} cannot see the pictures of this conversation",
            and(&blind)
        );
        Some(Failure::new(summary, "Pick a model with vision"))
    }

    /// Asks for what was attached when the window was closed.
    pub fn load_drafts(&mut self, out: &mut Vec<Command>) {
        let known = self
            .settings
            .environments
            .iter()
            .map(|env| env.id.clone())
            .collect();
        self.attach.loading = Some(self.ask_local(LocalQuestion::Drafts { known }, out));
    }

    pub(super) fn drafts_loaded(&mut self, job: JobId, outcome: Result<DraftsFound, Failure>) {
        if self.attach.loading != Some(job) {
            return;
        }
        self.attach.loading = None;
        self.attach.loaded = true;
        match outcome {
            Ok(DraftsFound { drafts, notice }) => {
                self.notices.fail_if_any(notice);
                for (env, attached) in &drafts {
                    if self.settings.get(env).is_some() {
                        let panes = &mut self.connections.entry(env).panes;
                        panes.chat_mut(0).put_before_kept(attached);
                    }
                }
                self.attach.kept = drafts;
            }
            Err(failure) => self.notices.fail(failure),
        }
    }

    /// Keeps what has changed of what is attached.
    pub(super) fn remember_attached(&mut self, out: &mut Vec<Command>) {
        if !self.attach.loaded {
            return;
        }
        let kept = &mut self.attach.kept;
        for connection in self.connections.iter() {
            let env = &connection.env;
            let now = connection.panes.chat(0).kept_attached();
            let at = kept.iter().position(|(of, _)| of == env);
            let before = at.map_or(&[][..], |at| &kept[at].1);
            let again = self.keeping_files.take(env);
            if before == now && !again {
                continue;
            }
            let attached = now.to_vec();
            match at {
                Some(at) => kept[at].1.clone_from(&attached),
                None => kept.push((env.clone(), attached.clone())),
            }
            out.push(Command::KeepDraft {
                env: env.clone(),
                attached,
            });
        }
    }

    /// Nothing is kept of an environment that is deleted.
    pub(super) fn forget_attached(&mut self, env: &EnvId, out: &mut Vec<Command>) {
        self.stop_attaching_to(env, out);
        self.attach.kept.retain(|(of, _)| of != env);
        self.keeping_files.forget(env);
        out.push(Command::ForgetDrafts { env: env.clone() });
    }
}

/// Why a request of so many bytes is not sent.
fn too_large(bytes: usize) -> Option<Failure> {
    (bytes > MOST_BODY).then(|| {
        Failure::new(
            "The message was not sent: with its attachments the conversation is larger than the 25 MB that the ingress takes",
            "Take an attachment away, or begin a new conversation",
        )
    })
}

fn size(request: &crate::domain::conversation::ChatRequest) -> usize {
    request.messages.iter().map(Message::body_bytes).sum()
}

/// `a`, `a and b`, `a, b and c`.
fn and(names: &[String]) -> String {
    match names {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        names => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::conversation::{Attached, Image};
    use crate::domain::deployment::{
        ClusterView, Deployment, DeploymentState, Generation, ServedModel,
    };
    use crate::domain::environment::Environment;
    use crate::domain::exchange::Advance;
    use crate::domain::settings::Settings;
    use crate::protocol::{Answer, ChatEnding, Event, LocalAnswer, Question};
    use crate::state::chat::Act;

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

    /// On the demo, whose cluster says that `sees` sees, `blind` does not, and of `unknown` nothing.
    fn state(models: &[&str]) -> State {
        let mut state = State::new(Settings::default());
        let mut out = Vec::new();
        state.load_drafts(&mut out);
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
            state.add_pane();
            state.panes_mut().get_mut(index).pick_model(model);
        }
        state
    }

    fn attach(state: &mut State, read: Vec<Result<Attachment, Failure>>) -> usize {
        let mut out = Vec::new();
        state.attach(AttachSources::Dialog, &mut out);
        let (job, LocalQuestion::Attachments { room, .. }) = asked(&mut out) else {
            panic!("{out:?}")
        };
        assert!(state.is_attaching());
        answer(state, job, LocalAnswer::Attachments(Ok(read)));
        assert!(!state.is_attaching());
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
        assert_eq!(state.pictures_perhaps_unseen(), None);
        state.panes_mut().get_mut(0).pick_model("blind");
        let mut out = Vec::new();
        assert!(!state.send_draft(Duration::ZERO, &mut out) && out.is_empty());
        assert_eq!(
            told(&mut state),
            "blind cannot see pictures. Pick a model with vision"
        );
        state.panes_mut().get_mut(0).pick_model("unknown");
        let remark = state.pictures_perhaps_unseen();
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
        let why = state.pictures_unseen().expect("it would be sent them");
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
            state.pictures_unseen().map(|it| it.summary).as_deref(),
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
        state.attach(AttachSources::Dialog, &mut out);
        let (job, _) = asked(&mut out);
        let other = Environment::blank(EnvId("e1".to_owned()), "other");
        state.save_environment(other, None, &mut Vec::new());
        assert!(!state.is_attaching());
        answer(
            &mut state,
            job,
            LocalAnswer::Attachments(Ok(vec![Ok(note())])),
        );
        assert!(state.panes().chat(0).attached.is_empty());
        state.switch(&EnvId::demo(), &mut Vec::new());
        assert_eq!(state.panes().chat(0).attached, [note()]);
        state.attach(AttachSources::Dialog, &mut out);
        let (job, _) = asked(&mut out);
        state.stop_attaching(&mut out);
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
        again.load_drafts(&mut out);
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
}

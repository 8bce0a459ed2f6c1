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

impl AttachState {
    /// What is attached counts as not kept.
    pub(super) fn keep_again(&mut self) {
        self.kept.clear();
    }
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
            if before == now {
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
mod tests;

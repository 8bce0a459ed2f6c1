//! What is attached to drafts: reading it, and keeping it over a restart.

use super::environments::Environments;
use super::jobs::Outbox;
use super::notices::Notices;
use super::panes::{PaneTargets, Playgrounds, and};
use crate::domain::attachment::MOST_BODY;
use crate::domain::conversation::Attachment;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::settings::Settings;
use crate::protocol::{
    AttachSources, Command, DraftFiles, DraftsFound, JobId, LocalQuestion, Picture, Question,
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

    /// Reads what the user attaches to the draft of the environment in use, whose panes ask these `targets`.
    pub(super) fn attach(
        &mut self,
        sources: AttachSources,
        targets: PaneTargets<'_>,
        outbox: &mut Outbox<'_>,
    ) {
        let room = MOST_BODY.saturating_sub(targets.body_bytes());
        let question = LocalQuestion::Attachments { sources, room };
        let job = outbox.ask(Question::Local(question));
        let env = targets.environments.current().id.clone();
        self.reading.push((job, env));
    }

    /// Whether something is being read for the draft of this environment.
    pub fn is_attaching(&self, env: &EnvId) -> bool {
        self.reading.iter().any(|(_, of)| of == env)
    }

    /// What is being read for the draft of this environment is not wanted any more.
    pub(super) fn stop(&mut self, env: &EnvId, outbox: &mut Outbox<'_>) {
        let stopped = self.reading.extract_if(.., |(_, of)| of == env);
        stopped.for_each(|(job, _)| outbox.give_up(job));
    }

    /// Something was read: gives for whose draft. `None` when it is not wanted any more.
    fn take_reading(&mut self, job: JobId) -> Option<EnvId> {
        let at = self.reading.iter().position(|(of, _)| *of == job)?;
        Some(self.reading.swap_remove(at).1)
    }

    /// Attaches what was read to the draft that it was read for.
    pub(super) fn read(
        &mut self,
        job: JobId,
        outcome: Result<Vec<Result<Attachment, Failure>>, Failure>,
        (playgrounds, environments): (&mut Playgrounds, &Environments),
        notices: &mut Notices,
    ) {
        let Some(env) = self.take_reading(job) else {
            return;
        };
        let read = outcome.unwrap_or_else(|failure| vec![Err(failure)]);
        let targets = PaneTargets {
            panes: playgrounds.panes(),
            environments,
        };
        let instead = targets.instead();
        let blind = if environments.current().id == env {
            targets.blind_of(&targets.addressed())
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
                Ok(attachment) => playgrounds.attach(&env, attachment),
                Err(failure) => notices.fail(failure),
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
            notices.fail(Failure::new(summary, instead));
        }
    }

    /// Asks for what was attached when the window was closed.
    pub(super) fn load(&mut self, settings: &Settings, outbox: &mut Outbox<'_>) {
        let known = settings.environments.iter().map(|env| env.id.clone());
        let known = known.collect();
        let question = LocalQuestion::Drafts { known };
        self.loading = Some(outbox.ask(Question::Local(question)));
    }

    /// That came: it is put before what was attached meanwhile.
    pub(super) fn loaded(
        &mut self,
        job: JobId,
        outcome: Result<DraftsFound, Failure>,
        (playgrounds, settings): (&mut Playgrounds, &Settings),
        notices: &mut Notices,
    ) {
        if self.loading != Some(job) {
            return;
        }
        self.loading = None;
        self.loaded = true;
        match outcome {
            Ok(DraftsFound { drafts, notice }) => {
                notices.fail_if_any(notice);
                for (env, attached) in &drafts {
                    if settings.get(env).is_some() {
                        let panes = playgrounds.entry(env);
                        panes.chat_mut(0).put_before_kept(attached);
                    }
                }
                self.kept = drafts;
            }
            Err(failure) => notices.fail(failure),
        }
    }

    /// Keeps what has changed of what is attached.
    pub(super) fn remember(&mut self, playgrounds: &Playgrounds, outbox: &mut Outbox<'_>) {
        if !self.loaded {
            return;
        }
        let kept = &mut self.kept;
        for playground in playgrounds.iter() {
            let env = &playground.env;
            let now = playground.panes.chat(0).kept_attached();
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
            outbox.send(Command::KeepDraft {
                env: env.clone(),
                attached,
            });
        }
    }

    /// Nothing is kept of an environment that is deleted.
    pub(super) fn forget(&mut self, env: &EnvId, outbox: &mut Outbox<'_>) {
        self.stop(env, outbox);
        self.kept.retain(|(of, _)| of != env);
    }
}

#[cfg(test)]
mod tests;

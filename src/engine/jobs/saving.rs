//! What is saved without being waited for: settings, keys, drafts. One after the other, in their order.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Shared, own_fault};
use crate::domain::conversation::Attachment;
use crate::domain::environment::EnvId;
use crate::domain::settings::Settings;
use crate::protocol::{Event, KeyChange, Playgrounds};

/// The settings that are to be saved, with a key.
pub(super) type Save = (Box<Settings>, Option<KeyChange>);

/// What is kept without being asked for. It does not stand behind a keychain that waits for its user.
pub(super) enum Keep {
    /// What the Playground is left as.
    Playgrounds(Playgrounds),
    /// What is attached to a draft.
    Draft(EnvId, Vec<Attachment>),
    /// What is attached to drafts of an environment that is deleted.
    Forget(EnvId),
}

impl Shared {
    pub(super) async fn save_all(self: Arc<Self>, mut saves: mpsc::UnboundedReceiver<Save>) {
        while let Some((settings, key)) = saves.recv().await {
            let keys = self.connections.keys().clone();
            let changed: Vec<EnvId> = key
                .iter()
                .map(|change| change.env.clone())
                .chain(keys.staged_for())
                .collect();
            let saving = tokio::spawn(async move { keys.save(&settings, key.as_ref()).await });
            let outcome = saving.await.unwrap_or_else(|panic| Err(own_fault(&panic)));
            changed.iter().for_each(|env| self.connections.forget(env));
            self.saves.send_modify(|n| *n -= 1);
            self.emitter.emit(Event::SettingsSaved { outcome });
        }
    }

    pub(super) async fn keep_all(self: Arc<Self>, mut drafts: mpsc::UnboundedReceiver<Keep>) {
        while let Some(keep) = drafts.recv().await {
            let (files, keys) = (self.drafts.clone(), self.connections.keys().clone());
            let whose = match &keep {
                Keep::Playgrounds(changed) => changed.keys().cloned().collect(),
                Keep::Draft(env, _) | Keep::Forget(env) => vec![env.clone()],
            };
            let forms = matches!(keep, Keep::Playgrounds(_));
            let keeping = tokio::task::spawn_blocking(move || match keep {
                Keep::Playgrounds(changed) => keys.keep_playgrounds(&changed),
                Keep::Draft(env, attached) => files?.keep(&env, &attached),
                Keep::Forget(env) => files?.forget(&env),
            });
            let outcome = keeping.await.unwrap_or_else(|panic| Err(own_fault(&panic)));
            if forms {
                self.emitter.emit(Event::PlaygroundsKept {
                    envs: whose,
                    outcome,
                });
            } else {
                let told = |env| Event::DraftKept {
                    env,
                    outcome: outcome.clone(),
                };
                whose
                    .into_iter()
                    .map(told)
                    .for_each(|event| self.emitter.emit(event));
            }
        }
    }
}

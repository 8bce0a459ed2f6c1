//! Saves settings and keys, one after the other, in their order.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Shared, own_fault};
use crate::domain::environment::EnvId;
use crate::domain::settings::Settings;
use crate::protocol::{Event, KeyChange};

/// The settings that are to be saved, with a key.
pub(super) type Save = (Box<Settings>, Option<KeyChange>);

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
}

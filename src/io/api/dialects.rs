//! What the servers behind an API do not support, by model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::dialect::Dialect;
use crate::io::learned::LearnedStore;
use parking_lot::{Mutex, MutexGuard};

/// Dialects by model. Clones share the data.
#[derive(Debug, Clone, Default)]
pub struct Dialects(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<BTreeMap<String, Dialect>>,
    version: AtomicU64,
    /// Keeps the dialects for the next start.
    store: Option<LearnedStore>,
}

impl Dialects {
    /// Loads what was learned earlier, and saves what will be learned. Reads a file.
    pub fn kept(store: LearnedStore) -> Self {
        let known = Mutex::new(store.load().into_iter().collect());
        Self(Arc::new(Shared {
            known,
            version: AtomicU64::new(1),
            store: Some(store),
        }))
    }
    /// The dialect of a model; the default if nothing was learned.
    pub fn of(&self, model: &str) -> Dialect {
        self.lock().get(model).copied().unwrap_or_default()
    }

    /// Increases with each change, so that prepared requests can be checked for changes.
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// Adds what was refused. Returns notes about what is new.
    pub fn learn(&self, model: &str, refused: Dialect) -> Vec<&'static str> {
        let mut known = self.lock();
        let before = known.get(model).copied().unwrap_or_default();
        let now = before.and(refused);
        if now != before {
            known.insert(model.to_owned(), now);
            self.changed(model, now);
        }
        now.notes_since(before)
    }

    /// Reverts to `before`, since a change did not help.
    pub fn restore(&self, model: &str, before: Dialect) {
        self.lock().insert(model.to_owned(), before);
        self.changed(model, before);
    }

    fn changed(&self, model: &str, now: Dialect) {
        self.0.version.fetch_add(1, Ordering::Release);
        // If saving fails, Batida learns it again after the next start.
        if let Some(store) = &self.0.store {
            let _ = store.keep(model, now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Dialect>> {
        self.0.known.lock()
    }
}

//! What the servers behind an API do not support, by model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    /// Models whose dialect changed and has not proved itself yet.
    unproven: Mutex<BTreeSet<String>>,
    any_unproven: AtomicBool,
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
            ..Shared::default()
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

    /// Adds what was refused, for this run; [`Self::prove`] keeps it. Returns notes about what is new.
    pub fn learn(&self, model: &str, refused: Dialect) -> Vec<&'static str> {
        let mut known = self.lock();
        let before = known.get(model).copied().unwrap_or_default();
        let now = before.and(refused);
        if now != before {
            known.insert(model.to_owned(), now);
            self.0.version.fetch_add(1, Ordering::Release);
            self.0.unproven.lock().insert(model.to_owned());
            self.0.any_unproven.store(true, Ordering::Release);
        }
        now.notes_since(before)
    }

    /// Reverts to `before`, since a change did not help.
    pub fn restore(&self, model: &str, before: Dialect) {
        self.lock().insert(model.to_owned(), before);
        self.0.version.fetch_add(1, Ordering::Release);
        self.0.unproven.lock().remove(model);
    }

    /// Keeps the model's dialect for the next start, since a request in it has succeeded. Does nothing, and is cheap,
    /// where nothing was learned.
    pub fn prove(&self, model: &str) {
        if !self.0.any_unproven.load(Ordering::Acquire) {
            return;
        }
        let mut unproven = self.0.unproven.lock();
        if unproven.remove(model)
            && let Some(store) = &self.0.store
        {
            // If saving fails, Batida learns it again after the next start.
            let _ = store.keep(model, self.of(model));
        }
        self.0
            .any_unproven
            .store(!unproven.is_empty(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Dialect>> {
        self.0.known.lock()
    }
}

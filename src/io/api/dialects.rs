//! What the servers behind one API were found not to take, by model. Clones share it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::dialect::Dialect;
use crate::io::learned::LearnedStore;

/// Dialects by model.
#[derive(Debug, Clone, Default)]
pub struct Dialects(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<BTreeMap<String, Dialect>>,
    version: AtomicU64,
    /// Where it is kept for the next start.
    store: Option<LearnedStore>,
}

impl Dialects {
    /// Begins with what was learned earlier, and keeps what is learned from now on. Reads a file.
    pub fn kept(store: LearnedStore) -> Self {
        let known = Mutex::new(store.load().into_iter().collect());
        Self(Arc::new(Shared {
            known,
            version: AtomicU64::new(1),
            store: Some(store),
        }))
    }

    /// A model's.
    pub fn of(&self, model: &str) -> Dialect {
        self.lock().get(model).copied().unwrap_or_default()
    }

    /// Grows with each change: who has written a request knows by it whether to look again.
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// Takes what was refused along from now on; gives what is new of it, in words.
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

    /// Takes back what did not help.
    pub fn restore(&self, model: &str, before: Dialect) {
        self.lock().insert(model.to_owned(), before);
        self.changed(model, before);
    }

    fn changed(&self, model: &str, now: Dialect) {
        self.0.version.fetch_add(1, Ordering::Release);
        // Where it cannot be kept, the next start is refused once more and learns it again.
        if let Some(store) = &self.0.store {
            let _ = store.keep(model, now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Dialect>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What the servers behind one API were found not to take, by model. Clones share it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::dialect::Dialect;

/// Dialects by model.
#[derive(Debug, Clone, Default)]
pub struct Dialects(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<BTreeMap<String, Dialect>>,
    version: AtomicU64,
}

impl Dialects {
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
            self.0.version.fetch_add(1, Ordering::Release);
        }
        now.notes_since(before)
    }

    /// Takes back what did not help.
    pub fn restore(&self, model: &str, before: Dialect) {
        self.lock().insert(model.to_owned(), before);
        self.0.version.fetch_add(1, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Dialect>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

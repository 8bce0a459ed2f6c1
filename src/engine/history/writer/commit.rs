//! Collects queued data and writes it in transactions.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{
    CHUNK_REQUESTS, LEVEL_INTERVAL, MAX_FILES, MAX_HELD_BYTES, Renamed, Writer, Written, held_bytes,
};
use crate::domain::failure::Failure;
use crate::domain::history::{SessionId, SessionState};
use crate::domain::run::{LevelEnd, LevelReport};
use crate::engine::history::{HistoryNotice, MAX_QUEUED_REQUESTS, Message, count_lost, text_bytes};
use crate::io::history::Store;

impl Writer {
    /// Takes at most `most` queued requests, within the memory limit.
    pub(super) fn drain(&mut self, most: usize) {
        for _ in 0..most {
            let Ok((session, record, said)) = self.records.try_recv() else {
                break;
            };
            let text_bytes = said.as_ref().map_or(0, text_bytes);
            self.texts.fetch_sub(text_bytes, Ordering::Relaxed);
            if !self.live.contains_key(&session) {
                // The session started after the last read of messages. Its start was sent before its first request.
                while let Ok(message) = self.inbox.try_recv() {
                    match message {
                        began @ Message::Began { .. } => self.take(began),
                        other => self.backlog.push_back(other),
                    }
                }
            }
            let Some(live) = self.live.get(&session).filter(|live| !live.gone) else {
                continue;
            };
            let bytes = held_bytes(&record, said.as_ref());
            if self.held_bytes + bytes > MAX_HELD_BYTES {
                count_lost(&live.lost);
                continue;
            }
            self.held_bytes += bytes;
            self.held.push_back((session, record, said));
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.live.is_empty() && self.chats.is_empty() && self.info.is_empty()
    }

    /// Writes some of the queued data, or all of it when a session has ended. Returns whether much is left.
    pub(super) fn commit_some(&mut self) -> bool {
        let over = self.live.values().any(|live| live.over);
        let most = if over {
            MAX_QUEUED_REQUESTS
        } else {
            CHUNK_REQUESTS.max(self.records.len() / 16)
        };
        self.drain(most);
        self.commit_drained();
        self.records.len() >= CHUNK_REQUESTS
    }

    /// Writes all queued data. After a failure it is held and written later.
    pub(super) fn commit(&mut self) {
        self.drain(MAX_QUEUED_REQUESTS);
        self.commit_drained();
    }

    pub(super) fn commit_drained(&mut self) {
        let idle = self.is_idle();
        if Instant::now() < self.retry_at || (idle && self.store.is_some()) {
            return;
        }
        for _ in 0..MAX_FILES {
            let store = match self.store() {
                Ok(store) => store,
                Err(failure) => return self.trouble(failure),
            };
            let outcome = if idle {
                Ok(Default::default())
            } else {
                self.write(&store)
            };
            let broken = store.is_broken();
            let again = self.put_back(store);
            match outcome {
                Ok((written, renamed)) => {
                    self.renamed.extend(renamed);
                    return self.written(written);
                }
                // The notice about the damage was sent. Write to the new file at once, since the program may end.
                Err(_) if broken && again => {}
                Err(_) if broken => return,
                Err(failure) => return self.trouble(failure),
            }
        }
    }

    /// Writes one transaction. Returns the outcome for each session.
    pub(super) fn write(
        &self,
        store: &Store,
    ) -> Result<(Vec<(SessionId, Written)>, Renamed), Failure> {
        store.write(|tx| {
            let mut done = BTreeMap::new();
            for (id, live) in self.live.iter().filter(|(_, live)| !live.gone) {
                let lost = live.lost.load(Ordering::Relaxed);
                let (key, gone) = match live.key {
                    Some(key) => (key, !tx.count(key, live.kept, lost)?),
                    None => (tx.begin(&live.report, Some(SessionState::Running))?, false),
                };
                done.insert(
                    id.clone(),
                    Written {
                        key,
                        kept: live.kept,
                        levels: false,
                        gone,
                    },
                );
            }
            for (id, record, said) in &self.held {
                let (Some(live), Some(written)) = (self.live.get(id), done.get_mut(id)) else {
                    continue;
                };
                if !written.gone {
                    let place = live.target_of(record.level);
                    tx.request(written.key, written.kept, place, record, said.as_ref())?;
                    written.kept += 1;
                }
            }
            for (id, written) in done.iter_mut().filter(|(_, written)| !written.gone) {
                let live = &self.live[id];
                tx.count(written.key, written.kept, live.lost.load(Ordering::Relaxed))?;
                if live.info_pending {
                    tx.around(written.key, &live.report)?;
                }
                if live.over {
                    let state = live.interrupted.then_some(SessionState::Interrupted);
                    tx.finish(written.key, &live.report, state)?;
                } else if live.levels_from < live.report.levels.len()
                    && live.levels_at.elapsed() >= LEVEL_INTERVAL
                {
                    tx.advance(written.key, &live.report, live.levels_from)?;
                    written.levels = true;
                }
            }
            let mut renamed = Renamed::new();
            for chat in &self.chats {
                let name = |id: u64| (chat.session.clone(), id);
                let mut chat = chat.clone();
                if let Some(parent) = &mut chat.exchange.parent {
                    let known = renamed
                        .get(&name(*parent))
                        .or_else(|| self.renamed.get(&name(*parent)));
                    *parent = known.copied().unwrap_or(*parent);
                }
                let id = tx.chat(&chat)?;
                if id != chat.exchange.id {
                    renamed.insert(name(chat.exchange.id), id);
                }
            }
            for (id, surroundings) in &self.info {
                tx.chat_around(id, surroundings)?;
            }
            Ok((done.into_iter().collect(), renamed))
        })
    }

    pub(super) fn written(&mut self, written: Vec<(SessionId, Written)>) {
        let mut changed = !self.chats.is_empty() || !self.info.is_empty();
        let mut lost = std::mem::take(&mut self.lost_chats);
        self.held.clear();
        self.held_bytes = 0;
        self.chats.clear();
        self.info.clear();
        for (
            id,
            Written {
                key,
                kept,
                levels,
                gone,
            },
        ) in written
        {
            let Some(live) = self.live.get_mut(&id) else {
                continue;
            };
            changed |= live.key.is_none() || live.over || live.info_pending;
            live.key = Some(key);
            live.kept = kept;
            live.gone = gone;
            live.info_pending = false;
            lost += live.lost.load(Ordering::Relaxed);
            if levels {
                live.levels_at = Instant::now();
                let done = |level: &&LevelReport| level.ended != LevelEnd::Running;
                live.levels_from = live.report.levels.iter().take_while(done).count();
            }
        }
        self.live.retain(|_, live| !live.over);
        if std::mem::take(&mut self.troubled) && lost > 0 {
            let summary = format!(
                "The history works again. {lost} requests could not be stored in the \
                     meantime"
            );
            (self.tell)(HistoryNotice::Troubled(Failure::new(
                summary,
                "The figures of their sessions are complete",
            )));
        }
        if changed {
            (self.tell)(HistoryNotice::Changed);
        }
    }
}

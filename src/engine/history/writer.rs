//! The thread that writes: takes what was handed over every half second, in one transaction.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{Change, Message, Request, Told};
use crate::domain::failure::Failure;
use crate::domain::history::{Said, SessionId, SessionState, StoredRequest};
use crate::domain::run::{BenchReport, LevelReport, SessionEnd, Surroundings};
use crate::io::history::{ChatRecord, SessionKey, Store};
use crate::metrics::request::RequestRecord;

/// How often what has come is written.
const BATCH: Duration = Duration::from_millis(400);
/// So many requests are written at once, unless many more wait: a longer transaction would stand in a measurement's way.
const CHUNK: usize = 128;
/// Between two of them.
const BREATH: Duration = Duration::from_millis(4);
/// How often levels under way are written.
const LEVELS: Duration = Duration::from_secs(1);
/// How long the history is left alone after it failed.
const RETRY: Duration = Duration::from_secs(2);
/// How often other windows' changes are looked for.
const LOOK: Duration = Duration::from_secs(2);
/// How long words of what was deleted are taken out of the index when the program is closed.
const TIDY_AT_THE_END: Duration = Duration::from_secs(1);
/// What is held while nothing can be written.
const MOST_HELD: usize = 64 << 20;
const MOST_CHATS: usize = 1_000;

/// So many files are begun at most for what is in hand: the second one is not damaged, unless the disk is.
const MAX_FILES: usize = 3;

/// By conversation and the id that was asked for.
type Renamed = BTreeMap<(SessionId, u64), u64>;

pub(super) struct Writer {
    dir: Result<PathBuf, Failure>,
    inbox: Receiver<Message>,
    /// Messages that were passed over for a session's beginning; they come before the inbox.
    backlog: VecDeque<Message>,
    records: Receiver<Request>,
    /// Bytes of texts on their way, which leave it here.
    texts: Arc<AtomicUsize>,
    tell: Box<dyn Fn(Told) + Send>,
    store: Option<Store>,
    /// Sessions under way, and those that ended and are not written yet.
    live: BTreeMap<SessionId, Live>,
    held: VecDeque<Request>,
    held_bytes: usize,
    chats: VecDeque<ChatRecord>,
    /// Exchanges that are kept under another id than this window knows.
    renamed: Renamed,
    /// What conversations are held on.
    around: BTreeMap<SessionId, Surroundings>,
    lost_chats: u64,
    /// Since when nothing can be written, and that it was told.
    troubled: bool,
    retry_at: Instant,
    foreign: Option<i64>,
    looked_at: Instant,
    /// Something was deleted whose words are still in the index; whether taking them out has begun.
    untidy: Option<Tidying>,
}

/// See [`Store::tidy`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tidying {
    First,
    Further,
}

/// A session that this process writes.
struct Live {
    /// As far as it is known.
    report: BenchReport,
    /// `None` until its row is written.
    key: Option<SessionKey>,
    over: bool,
    /// Its levels from this number on are not written yet.
    levels_from: usize,
    levels_at: Instant,
    /// Requests that are written.
    kept: u64,
    /// Requests that found no room, on the way and here.
    lost: Arc<AtomicU64>,
    /// Somebody deleted it.
    gone: bool,
    /// What it runs on was found out and is not written yet.
    around: bool,
}

impl Writer {
    pub(super) fn new(
        dir: Result<PathBuf, Failure>,
        inbox: Receiver<Message>,
        (records, texts): (Receiver<Request>, Arc<AtomicUsize>),
        tell: Box<dyn Fn(Told) + Send>,
    ) -> Self {
        let now = Instant::now();
        Self {
            dir,
            inbox,
            backlog: VecDeque::new(),
            records,
            texts,
            tell,
            store: None,
            live: BTreeMap::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            chats: VecDeque::new(),
            renamed: Renamed::new(),
            around: BTreeMap::new(),
            lost_chats: 0,
            troubled: false,
            retry_at: now,
            foreign: None,
            looked_at: now,
            untidy: None,
        }
    }

    pub(super) fn run(mut self) {
        self.commit();
        let mut next = Instant::now() + BATCH;
        loop {
            match self.hear(next) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(message) => {
                    // What somebody waits for is not put off, nor is a session's first sign.
                    let urgent = matches!(
                        message,
                        Message::Flush(_) | Message::Damaged | Message::Began { .. }
                    );
                    self.take(message);
                    next = next.min(Instant::now() + BATCH);
                    if !urgent && Instant::now() < next {
                        continue;
                    }
                }
            }
            let more = self.commit_some();
            self.look();
            // Nor does it stand in a measurement's way.
            let tidying = self.untidy.is_some() && self.live.is_empty();
            if tidying {
                self.tidy();
            }
            let pause = match (more || tidying, self.is_idle()) {
                (true, _) => BREATH,
                (false, true) => LOOK,
                (false, false) => BATCH,
            };
            next = Instant::now() + pause;
        }
        // Those that were under way when the program was closed have said so before this.
        for live in self.live.values_mut().filter(|live| !live.over) {
            live.report.ended = SessionEnd::Failed("Batida was closed while it ran".to_owned());
            live.over = true;
        }
        self.retry_at = Instant::now();
        self.commit();
        // As far as nobody waits for it: the window has a while to be closed.
        let until = Instant::now() + TIDY_AT_THE_END;
        while self.untidy.is_some() && Instant::now() < until {
            self.tidy();
        }
    }

    fn hear(&mut self, until: Instant) -> Result<Message, RecvTimeoutError> {
        match self.backlog.pop_front() {
            Some(message) => Ok(message),
            None => self.inbox.recv_deadline(until),
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Began { report, lost } => {
                let id = SessionId(report.id.clone());
                self.live.insert(id, Live::new(*report, lost));
            }
            Message::Level {
                session,
                elapsed_s,
                level,
            } => {
                if let Some(live) = self.live.get_mut(&session) {
                    live.level(*level, elapsed_s);
                }
            }
            Message::Ended { session, report } => {
                if let Some(live) = self.live.get_mut(&session) {
                    live.report = *report;
                    live.over = true;
                }
            }
            Message::Broke { session, why } => {
                if let Some(live) = self.live.get_mut(&session) {
                    live.report.ended = SessionEnd::Failed(why);
                    live.over = true;
                }
            }
            Message::Chat(record) => {
                self.chats.push_back(*record);
                if self.chats.len() > MOST_CHATS {
                    self.chats.pop_front();
                    self.lost_chats += 1;
                }
            }
            Message::Around {
                session,
                surroundings,
            } => match self.live.get_mut(&session) {
                Some(live) => {
                    live.report.surroundings = Some(*surroundings);
                    live.around = true;
                }
                None if self.around.len() < MOST_CHATS => {
                    drop(self.around.insert(session, *surroundings))
                }
                None => {}
            },
            Message::Change(change, answer) => {
                // What was handed over before is there to be changed.
                self.commit();
                // Fails only when nobody waits any more.
                let _ = answer.send(self.change(&change));
            }
            Message::Damaged => self.damaged(),
            Message::Flush(answer) => {
                self.commit();
                // Fails only when nobody waits any more.
                let _ = answer.send(());
            }
            // Only the loop ends it.
            Message::Stop => {}
        }
    }

    // ---- the store --------------------------------------------------------------------------------------

    /// Takes the store out; it is put back by whoever finds it well.
    fn store(&mut self) -> Result<Store, Failure> {
        if let Some(store) = self.store.take().filter(Store::is_in_place) {
            if !store.is_marked() {
                return Ok(store);
            }
            self.replace(store);
        }
        let opened = Store::open(self.dir.as_ref().map_err(Clone::clone)?)?;
        // What others do from here on is news.
        self.foreign = opened.store.foreign_changes().ok();
        if let Some(notice) = opened.notice {
            (self.tell)(Told::Troubled(notice));
        }
        Ok(opened.store)
    }

    fn damaged(&mut self) {
        // A file with a mark is replaced now; whoever says so may have met one that is gone.
        match self.store() {
            Ok(store) => self.store = Some(store),
            Err(failure) => self.trouble(failure),
        }
    }

    /// Keeps the store, unless it makes no sense: then another is there at once. Gives whether that happened: what could
    /// not be written can be written now.
    fn put_back(&mut self, store: Store) -> bool {
        if !store.is_broken() {
            self.store = Some(store);
            return false;
        }
        if !self.replace(store) {
            return false;
        }
        match self.store() {
            Ok(store) => self.store = Some(store),
            Err(failure) => self.trouble(failure),
        }
        self.store.is_some()
    }

    /// Moves a damaged file aside; the new one holds all that the old one did, where that can be read. Gives whether it
    /// could be moved.
    fn replace(&mut self, store: Store) -> bool {
        let rebuilt = store.rebuilt();
        if rebuilt.is_none() {
            self.take_back(&store);
        }
        let moved = store.set_aside(rebuilt);
        let is_new = moved.is_ok();
        match moved {
            Ok(notice) => (self.tell)(Told::Troubled(notice)),
            Err(failure) => self.trouble(failure),
        }
        (self.tell)(Told::Changed);
        is_new
    }

    /// The sessions under way go into a new file from here on, and with them what can still be read of their requests.
    fn take_back(&mut self, store: &Store) {
        let mut requests: VecDeque<Request> = VecDeque::new();
        let mut room = MOST_HELD.saturating_sub(self.held_bytes);
        for (id, live) in &mut self.live {
            let kept = std::mem::take(&mut live.kept);
            live.levels_from = 0;
            let Some(key) = live.key.take() else { continue };
            let (id, before) = (Arc::new(id.clone()), requests.len());
            // Reading ends where the file makes no sense; what lies behind that is lost.
            let _ = store.bare_requests(key, &mut |StoredRequest { record, said, .. }| {
                let bytes = held_bytes(&record, said.as_ref());
                if let Some(left) = room.checked_sub(bytes) {
                    room = left;
                    self.held_bytes += bytes;
                    requests.push_back((Arc::clone(&id), Arc::new(record), said));
                }
                Ok(())
            });
            let lost = kept.saturating_sub((requests.len() - before) as u64);
            live.lost.fetch_add(lost, Ordering::Relaxed);
        }
        requests.append(&mut self.held);
        self.held = requests;
        self.renamed.clear();
    }

    /// Told once until it works again.
    fn trouble(&mut self, failure: Failure) {
        self.retry_at = Instant::now() + RETRY;
        if !self.troubled {
            self.troubled = true;
            (self.tell)(Told::Troubled(failure));
        }
    }

    fn change(&mut self, change: &Change) -> Result<(), Failure> {
        let store = self.store()?;
        let mut outcome = changed(&store, change);
        // What the new file does not hold cannot be changed in it, which is told.
        if self.put_back(store) && (outcome.is_err() || matches!(change, Change::Keep(..))) {
            let store = self.store()?;
            outcome = changed(&store, change);
            self.put_back(store);
        }
        if outcome.is_ok() {
            if matches!(change, Change::Delete(_)) {
                self.untidy = Some(Tidying::First);
            }
            (self.tell)(Told::Changed);
        }
        outcome
    }

    /// One step, between what is written: nobody waits for it.
    fn tidy(&mut self) {
        let Some(tidying) = self.untidy.take() else {
            return;
        };
        // Where it cannot be done now, the next deletion does it.
        match self.store() {
            Ok(store) => {
                let outcome = store.tidy(tidying == Tidying::First);
                self.put_back(store);
                self.untidy = matches!(outcome, Ok(true)).then_some(Tidying::Further);
            }
            Err(failure) => self.trouble(failure),
        }
    }

    fn look(&mut self) {
        if self.looked_at.elapsed() < LOOK {
            return;
        }
        self.looked_at = Instant::now();
        if self.store.as_ref().is_some_and(Store::is_marked) {
            return self.damaged();
        }
        let Some(now) = self
            .store
            .as_ref()
            .and_then(|store| store.foreign_changes().ok())
        else {
            return;
        };
        if self
            .foreign
            .replace(now)
            .is_some_and(|before| before != now)
        {
            (self.tell)(Told::Changed);
        }
    }

    // ---- writing ----------------------------------------------------------------------------------------

    /// Requests that have come since, `most` of them, and as many as may be held.
    fn drain(&mut self, most: usize) {
        for _ in 0..most {
            let Ok((session, record, said)) = self.records.try_recv() else {
                break;
            };
            let text_bytes = said.as_ref().map_or(0, super::text_bytes);
            self.texts.fetch_sub(text_bytes, Ordering::Relaxed);
            if !self.live.contains_key(&session) {
                // It began after the messages were read last: that was sent before its first request.
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
            if self.held_bytes + bytes > MOST_HELD {
                super::count_lost(&live.lost);
                continue;
            }
            self.held_bytes += bytes;
            self.held.push_back((session, record, said));
        }
    }

    fn is_idle(&self) -> bool {
        self.live.is_empty() && self.chats.is_empty() && self.around.is_empty()
    }

    /// Writes some of what has come, and all of it once a session is over. Gives whether much is left.
    fn commit_some(&mut self) -> bool {
        let over = self.live.values().any(|live| live.over);
        let most = if over {
            super::ON_THE_WAY
        } else {
            CHUNK.max(self.records.len() / 16)
        };
        self.drain(most);
        self.commit_drained();
        self.records.len() >= CHUNK
    }

    /// Writes all that has come. On failure it is held, and tried again later.
    fn commit(&mut self) {
        self.drain(super::ON_THE_WAY);
        self.commit_drained();
    }

    fn commit_drained(&mut self) {
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
                // The damage was told. What is in hand goes into the new file now: there may be no later.
                Err(_) if broken && again => {}
                Err(_) if broken => return,
                Err(failure) => return self.trouble(failure),
            }
        }
    }

    /// One transaction. Gives what became of each session.
    fn write(&self, store: &Store) -> Result<(Vec<(SessionId, Written)>, Renamed), Failure> {
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
                if live.around {
                    tx.around(written.key, &live.report)?;
                }
                if live.over {
                    tx.finish(written.key, &live.report)?;
                } else if live.levels_from < live.report.levels.len()
                    && live.levels_at.elapsed() >= LEVELS
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
            for (id, surroundings) in &self.around {
                tx.chat_around(id, surroundings)?;
            }
            Ok((done.into_iter().collect(), renamed))
        })
    }

    fn written(&mut self, written: Vec<(SessionId, Written)>) {
        let mut changed = !self.chats.is_empty() || !self.around.is_empty();
        let mut lost = std::mem::take(&mut self.lost_chats);
        self.held.clear();
        self.held_bytes = 0;
        self.chats.clear();
        self.around.clear();
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
            changed |= live.key.is_none() || live.over || live.around;
            live.key = Some(key);
            live.kept = kept;
            live.gone = gone;
            live.around = false;
            lost += live.lost.load(Ordering::Relaxed);
            if levels {
                live.levels_at = Instant::now();
                let done =
                    |level: &&LevelReport| level.ended != crate::domain::run::LevelEnd::Running;
                live.levels_from = live.report.levels.iter().take_while(done).count();
            }
        }
        self.live.retain(|_, live| !live.over);
        if std::mem::take(&mut self.troubled) && lost > 0 {
            let summary =
                format!("The history works again; {lost} requests could not be kept meanwhile");
            (self.tell)(Told::Troubled(Failure::new(
                summary,
                "The figures of their sessions are complete",
            )));
        }
        if changed {
            (self.tell)(Told::Changed);
        }
    }
}

/// What a request takes up while it is held.
fn held_bytes(record: &RequestRecord, said: Option<&Said>) -> usize {
    size_of::<RequestRecord>() + record.gaps_us.len() * 4 + said.map_or(0, super::text_bytes)
}

fn changed(store: &Store, change: &Change) -> Result<(), Failure> {
    match change {
        Change::Delete(what) => store.delete(what).map(|_| ()),
        Change::Baseline(session, on) => store.set_baseline(session, *on),
        Change::Tag(session, tags) => store.tag(session, tags),
        Change::Rename(session, title) => store.rename(session, title),
        Change::Keep(report, requests) => store.keep(report, requests).map(|_| ()),
    }
}

/// What became of a session in a transaction.
struct Written {
    key: SessionKey,
    kept: u64,
    levels: bool,
    gone: bool,
}

impl Live {
    fn new(report: BenchReport, lost: Arc<AtomicU64>) -> Self {
        Self {
            report,
            key: None,
            over: false,
            levels_from: 0,
            levels_at: Instant::now(),
            kept: 0,
            lost,
            gone: false,
            around: false,
        }
    }

    /// A level that ended, or goes on.
    fn level(&mut self, level: LevelReport, elapsed_s: f64) {
        self.report.took_s = elapsed_s;
        let at = self
            .report
            .levels
            .iter()
            .position(|known| known.index == level.index);
        match at {
            Some(at) => {
                self.report.levels[at] = level;
                self.levels_from = self.levels_from.min(at);
            }
            None => self.report.levels.push(level),
        }
    }

    /// The place in the plan of a level's model.
    fn target_of(&self, level: usize) -> usize {
        level / self.report.plan.load.levels().len().max(1)
    }
}

//! The writer's thread: writes the queued data every half second, in one transaction.

mod commit;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{Change, HistoryNotice, Message, Request};
use crate::domain::failure::Failure;
use crate::domain::history::{Said, SessionId, StoredRequest};
use crate::domain::run::{BenchReport, EnvironmentInfo, LevelReport, SessionEnd};
use crate::io::history::{ChatRecord, Rebuilt, SessionKey, Store};
use crate::metrics::request::RequestRecord;

/// How often queued data is written.
const BATCH_INTERVAL: Duration = Duration::from_millis(400);
/// Requests per transaction, unless many more are queued: a long transaction would disturb measurements.
const CHUNK_REQUESTS: usize = 128;
/// The pause between two transactions.
const CHUNK_PAUSE: Duration = Duration::from_millis(4);
/// How often running levels are written.
const LEVEL_INTERVAL: Duration = Duration::from_secs(1);
/// The pause after a failure.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// How often to check for changes of other windows.
const CHANGE_CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// How long deleted words are removed from the search index at the end of the program.
const FINAL_TIDY_TIME: Duration = Duration::from_secs(1);
/// Limit of data held while nothing can be written.
const MAX_HELD_BYTES: usize = 64 << 20;
/// Limit of chats held while nothing can be written.
const MAX_HELD_CHATS: usize = 1_000;

/// Limit of new files for the same data: a second one is damaged only if the disk is.
const MAX_FILES: usize = 3;

/// New ids by conversation and requested id.
type Renamed = BTreeMap<(SessionId, u64), u64>;

pub(super) struct Writer {
    dir: Result<PathBuf, Failure>,
    inbox: Receiver<Message>,
    /// Messages that were skipped to find the start of a session; handled before the inbox.
    backlog: VecDeque<Message>,
    records: Receiver<Request>,
    /// Bytes of queued texts.
    texts: Arc<AtomicUsize>,
    tell: Box<dyn Fn(HistoryNotice) + Send>,
    store: Option<Store>,
    /// Running sessions, and those that ended but are not written yet.
    live: BTreeMap<SessionId, Live>,
    held: VecDeque<Request>,
    held_bytes: usize,
    chats: VecDeque<ChatRecord>,
    /// Exchanges that were stored under another id than this window uses.
    renamed: Renamed,
    /// The environment info of conversations.
    info: BTreeMap<SessionId, EnvironmentInfo>,
    lost_chats: u64,
    /// Writing fails, and a notice was sent.
    troubled: bool,
    retry_at: Instant,
    foreign: Option<i64>,
    looked_at: Instant,
    /// Deleted words are still in the search index; the state of removing them.
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
    report: BenchReport,
    /// `None` until its row is written.
    key: Option<SessionKey>,
    over: bool,
    /// Its end is that of Batida, or of the job that ran it.
    interrupted: bool,
    /// Levels from this index on are not written yet.
    levels_from: usize,
    levels_at: Instant,
    /// The number of written requests.
    kept: u64,
    /// The number of lost requests, in the queue and here.
    lost: Arc<AtomicU64>,
    /// It was deleted.
    gone: bool,
    /// Its environment info is not written yet.
    info_pending: bool,
}

impl Writer {
    pub(super) fn new(
        dir: Result<PathBuf, Failure>,
        inbox: Receiver<Message>,
        (records, texts): (Receiver<Request>, Arc<AtomicUsize>),
        tell: Box<dyn Fn(HistoryNotice) + Send>,
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
            info: BTreeMap::new(),
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
        let mut next = Instant::now() + BATCH_INTERVAL;
        loop {
            match self.hear(next) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(message) => {
                    // Requested changes and the start of a session are written at once.
                    let urgent = matches!(
                        message,
                        Message::Flush(_) | Message::Damaged | Message::Began { .. }
                    );
                    self.take(message);
                    next = next.min(Instant::now() + BATCH_INTERVAL);
                    if !urgent && Instant::now() < next {
                        continue;
                    }
                }
            }
            let more = self.commit_some();
            self.look();
            // Short enough not to disturb measurements.
            let tidying = self.untidy.is_some() && self.live.is_empty();
            if tidying {
                self.tidy();
            }
            let pause = match (more || tidying, self.is_idle()) {
                (true, _) => CHUNK_PAUSE,
                (false, true) => CHANGE_CHECK_INTERVAL,
                (false, false) => BATCH_INTERVAL,
            };
            next = Instant::now() + pause;
        }
        // Sessions that were running when the program was closed have sent their end before this.
        for live in self.live.values_mut().filter(|live| !live.over) {
            live.report.ended = SessionEnd::Failed("Batida was closed during the run".to_owned());
            (live.over, live.interrupted) = (true, true);
        }
        self.retry_at = Instant::now();
        self.commit();
        // Within a limit, since the window is being closed.
        let until = Instant::now() + FINAL_TIDY_TIME;
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
                    (live.over, live.interrupted) = (true, true);
                }
            }
            Message::Chat(record) => {
                self.chats.push_back(*record);
                if self.chats.len() > MAX_HELD_CHATS {
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
                    live.info_pending = true;
                }
                None if self.info.len() < MAX_HELD_CHATS => {
                    drop(self.info.insert(session, *surroundings))
                }
                None => {}
            },
            Message::Change(change, answer) => {
                // Write earlier data first, so that it can be changed.
                if !matches!(change, Change::Workspace(_)) {
                    self.commit();
                }
                // Fails only if the caller no longer waits.
                let _ = answer.send(self.change(&change));
            }
            Message::Damaged => self.damaged(),
            Message::Flush(answer) => {
                self.commit();
                // Fails only if the caller no longer waits.
                let _ = answer.send(());
            }
            // Handled by the loop.
            Message::Stop => {}
        }
    }

    // ---- the store --------------------------------------------------------------------------------------

    /// Takes the store. The caller puts it back if it is intact.
    fn store(&mut self) -> Result<Store, Failure> {
        if let Some(store) = self.store.take().filter(Store::is_in_place) {
            if !store.is_marked() {
                return Ok(store);
            }
            self.replace(store);
        }
        let opened = Store::open(self.dir.as_ref().map_err(Clone::clone)?)?;
        // Changes of other windows count from here on.
        self.foreign = opened.store.foreign_changes().ok();
        if let Some(notice) = opened.notice {
            (self.tell)(HistoryNotice::Troubled(notice));
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

    /// Puts the store back. A damaged one is replaced at once. Returns whether that happened, so that failed writes can
    /// be repeated.
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

    /// Moves a damaged file aside; the new one holds what could be read of the old one. Gives whether it could be moved.
    fn replace(&mut self, store: Store) -> bool {
        let rebuilt = store.rebuilt();
        let keeps_workspace = rebuilt.as_ref().is_some_and(Rebuilt::has_workspace);
        if !rebuilt.as_ref().is_some_and(Rebuilt::has_history) {
            let salvaged = rebuilt.as_ref().and_then(Rebuilt::open);
            self.take_back(&store, salvaged.as_ref());
        }
        let moved = store.set_aside(rebuilt);
        let is_new = moved.is_ok();
        match moved {
            Ok(notice) => (self.tell)(HistoryNotice::Troubled(notice)),
            Err(failure) => self.trouble(failure),
        }
        if is_new && !keeps_workspace {
            (self.tell)(HistoryNotice::WorkspaceLost);
        }
        (self.tell)(HistoryNotice::Changed);
        is_new
    }

    /// Prepares the running sessions for a new file, with their requests that can still be read: from what was salvaged,
    /// where that has the session, else from the damaged file. They are taken out of what was salvaged, since they are
    /// written anew.
    fn take_back(&mut self, damaged: &Store, salvaged: Option<&Store>) {
        let mut requests: VecDeque<Request> = VecDeque::new();
        let mut room = MAX_HELD_BYTES.saturating_sub(self.held_bytes);
        for (id, live) in &mut self.live {
            let kept = std::mem::take(&mut live.kept);
            live.levels_from = 0;
            let Some(key) = live.key.take() else { continue };
            let salvaged = salvaged.filter(|salvaged| salvaged.row(id).is_ok());
            let store = salvaged.unwrap_or(damaged);
            let (named, before) = (Arc::new(id.clone()), requests.len());
            // Reading stops at the damage; requests after it are lost.
            let _ = store.bare_requests(key, &mut |StoredRequest { record, said, .. }| {
                let bytes = held_bytes(&record, said.as_ref());
                if let Some(left) = room.checked_sub(bytes) {
                    room = left;
                    self.held_bytes += bytes;
                    requests.push_back((Arc::clone(&named), Arc::new(record), said));
                }
                Ok(())
            });
            if let Some(salvaged) = salvaged {
                // Should it fail, the session is written under its id again, which reports the failure.
                let _ = salvaged.write(|tx| tx.delete(key));
            }
            let lost = kept.saturating_sub((requests.len() - before) as u64);
            live.lost.fetch_add(lost, Ordering::Relaxed);
        }
        requests.append(&mut self.held);
        self.held = requests;
        self.renamed.clear();
    }

    /// Sends a notice once, until writing works again.
    fn trouble(&mut self, failure: Failure) {
        self.retry_at = Instant::now() + RETRY_INTERVAL;
        if !self.troubled {
            self.troubled = true;
            (self.tell)(HistoryNotice::Troubled(failure));
        }
    }

    fn change(&mut self, change: &Change) -> Result<usize, Failure> {
        let store = self.store()?;
        let mut outcome = changed(&store, change);
        // What the new file does not hold cannot be changed in it, which is told.
        if self.put_back(store) && (outcome.is_err() || matches!(change, Change::Keep(..))) {
            let store = self.store()?;
            outcome = changed(&store, change);
            self.put_back(store);
        }
        // The workspace is not part of the history.
        if outcome.is_ok() && !matches!(change, Change::Workspace(_)) {
            if matches!(change, Change::Delete(_)) {
                self.untidy = Some(Tidying::First);
            }
            (self.tell)(HistoryNotice::Changed);
        }
        outcome
    }

    /// Removes some deleted words between two writes.
    fn tidy(&mut self) {
        let Some(tidying) = self.untidy.take() else {
            return;
        };
        // If that fails, the next deletion does it.
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
        if self.looked_at.elapsed() < CHANGE_CHECK_INTERVAL {
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
            (self.tell)(HistoryNotice::Changed);
        }
    }
}

/// The memory of a held request.
fn held_bytes(record: &RequestRecord, said: Option<&Said>) -> usize {
    size_of::<RequestRecord>() + record.gaps_us.len() * 4 + said.map_or(0, super::text_bytes)
}

fn changed(store: &Store, change: &Change) -> Result<usize, Failure> {
    match change {
        Change::Delete(what) => return store.delete(what),
        Change::Workspace(changes) => return store.keep_workspace(changes),
        Change::Baseline(session, on) => store.set_baseline(session, *on)?,
        Change::Tag(session, tags) => store.tag(session, tags)?,
        Change::Rename(session, title) => store.rename(session, title)?,
        Change::Keep(report, requests) => drop(store.keep(report, requests)?),
    }
    Ok(0)
}

/// The outcome for a session in a transaction.
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
            interrupted: false,
            levels_from: 0,
            levels_at: Instant::now(),
            kept: 0,
            lost,
            gone: false,
            info_pending: false,
        }
    }

    /// Updates a level that is running or has ended.
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

    /// The index of a level's model in the plan.
    fn target_of(&self, level: usize) -> usize {
        let plan = &self.report.plan;
        if plan.load.find().is_none() {
            return level / plan.load.levels().len().max(1);
        }
        // The levels of a search are as many as it needs: those before this one tell the model.
        let mut known = self.report.levels.iter().rev();
        let model = known.find(|known| known.index <= level);
        let target = |of: &LevelReport| {
            let mut targets = plan.targets.iter();
            targets
                .position(|target| target.model == of.model && target.deployment == of.deployment)
        };
        model.and_then(target).unwrap_or(0)
    }
}

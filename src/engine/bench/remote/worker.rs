//! One worker: its process, what it told of itself and of the level under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::clock::RemoteClock;
use super::part::Part;
use super::{Counts, Lanes, World};
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::history::Said;
use crate::domain::printable;
use crate::domain::units;
use crate::engine::bench::calibration::{Asker, PendingAsks};
use crate::engine::bench::worker::WorkerEvent;
use crate::io::worker_process::{ProcessEvent, WorkerProcess};
use crate::metrics::request::RequestRecord;
use crate::wire::worker::rows::{RowReader, WorkerRow};
use crate::wire::worker::{
    Counting, LevelOver, LevelSeen, PROTOCOL, WorkerAnswer, WorkerHello, WorkerOrder,
};

/// More requests than are sent between two looks.
const MOST_LATE: u64 = 1_000_000;
/// Of what a command writes that is no worker, so many characters are told.
const MAX_NOISE_CHARS: usize = 300;

/// What a worker's process let hear.
pub(super) enum Heard {
    /// An answer, and when it came.
    Answer(Instant, WorkerAnswer),
    /// A line that is none.
    Noise(String),
    /// It has ended, in words.
    Ended(String),
}

/// How far a worker is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// It gets ready for the session.
    Starting,
    /// It has nothing to do.
    Idle,
    /// It gets ready for a level.
    Preparing,
    /// It waits for the word to begin.
    Ready,
    /// It sends.
    Sending,
    /// It takes no part any more.
    Lost(Failure),
}

/// A worker of the session.
pub(super) struct RemoteWorker {
    /// Counts them from 0.
    pub(super) index: usize,
    /// Its command, as it was given.
    pub(super) command: String,
    process: Option<Arc<WorkerProcess>>,
    asks: PendingAsks,
    pub(super) hello: WorkerHello,
    pub(super) lanes: Lanes,
    pub(super) state: State,
    pub(super) clock: RemoteClock,
    rows: RowReader,
    /// What it wrote before it said hello.
    noise: String,
    /// When it was heard last.
    pub(super) heard: Instant,
    /// Rows that came, and those that it left out, of the whole session.
    received: u64,
    pub(super) dropped: u64,
    pub(super) images: [u64; 2],
    pub(super) learned: Vec<String>,
    /// Of the level under way.
    pub(super) seen: LevelSeen,
    pub(super) part: Part,
}

impl RemoteWorker {
    pub(super) fn start(
        index: usize,
        words: &[String],
        hidden: &[String],
        heard: Sender<(usize, Heard)>,
    ) -> Result<Self, Failure> {
        let command = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default();
        let asks = PendingAsks::default();
        let pending = asks.clone();
        let hear = move |event| {
            let heard_of = match event {
                ProcessEvent::Ended(words) => Heard::Ended(words),
                ProcessEvent::Line(at, line) => match serde_json::from_slice(&line) {
                    Ok(WorkerAnswer::Asked { n, result }) => {
                        return pending.answer(n, result);
                    }
                    Ok(answer) => Heard::Answer(at, answer),
                    Err(_) => Heard::Noise(String::from_utf8_lossy(&line).into_owned()),
                },
            };
            // Fails only when the session is gone.
            let _ = heard.send((index, heard_of));
        };
        let process = WorkerProcess::start(words, hidden, hear).map_err(|error| {
            let name = format!("Worker {} could not be started ({command})", index + 1);
            let advice = "Check the command of --worker-command";
            let why = crate::io::why(&error);
            Failure::new(format!("{name}: {why}"), advice).of_class(FaultClass::ThisMachine)
        })?;
        Ok(Self {
            index,
            command,
            process: Some(Arc::new(process)),
            asks,
            hello: WorkerHello::default(),
            lanes: 0..0,
            state: State::Starting,
            clock: RemoteClock::default(),
            rows: RowReader::default(),
            noise: String::new(),
            heard: Instant::now(),
            received: 0,
            dropped: 0,
            images: [0; 2],
            learned: Vec::new(),
            seen: LevelSeen::default(),
            part: Part::default(),
        })
    }

    /// `worker 1 (bench1)`
    pub(super) fn name(&self) -> String {
        let number = self.index + 1;
        match &self.hello.host {
            Some(host) => format!("worker {number} ({host})"),
            None => format!("worker {number}"),
        }
    }

    pub(super) fn send(&self, order: &WorkerOrder) {
        if let Some(process) = &self.process
            // Every order can be written.
            && let Ok(line) = serde_json::to_string(order)
        {
            process.send(line);
        }
    }

    pub(super) fn asker(&self) -> Option<Asker> {
        let process = Arc::clone(self.process.as_ref()?);
        Some(Asker::new(process, self.asks.clone()))
    }

    /// Whether it takes part in the session.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self.state, State::Lost(_))
    }

    /// Whether the level under way waits for it.
    pub(super) fn is_in_level(&self) -> bool {
        matches!(self.state, State::Preparing | State::Ready | State::Sending)
    }

    /// Why it takes no part.
    pub(super) fn failure(&self) -> Option<Failure> {
        match &self.state {
            State::Lost(failure) => Some(failure.clone()),
            _ => None,
        }
    }

    pub(super) fn not_ready(&self, within: Duration) -> Failure {
        let mut summary = format!(
            "Worker {} ({}) was not ready within {}",
            self.index + 1,
            self.command,
            units::write_duration(within)
        );
        if !self.noise.is_empty() {
            summary.push_str(": it wrote ");
            summary.push_str(&self.noise);
        }
        let advice = "Run its command in a terminal: it must start `batida worker` without asking anything. \
                      --workers-wait waits for longer";
        Failure::new(summary, advice).of_class(FaultClass::Timeout)
    }

    /// A line that is no answer: a greeting of the shell at first, later the end.
    pub(super) fn noise(&mut self, words: &str) {
        let words = printable::cut(&printable::one_line(words), MAX_NOISE_CHARS).into_owned();
        if self.hello.protocol.is_empty() {
            self.noise = words;
        } else {
            self.lose(format!("it wrote what is none of the protocol: {words}"));
        }
    }

    /// It takes no part from now on.
    pub(super) fn lose(&mut self, why: String) {
        let why = match why.as_str() {
            "" => "it ended".to_owned(),
            _ => printable::cut(&printable::one_line(&why), MAX_NOISE_CHARS).into_owned(),
        };
        let mut summary = format!("{} was lost: {why}", self.name());
        if !self.noise.is_empty() && self.hello.protocol.is_empty() {
            summary.push_str(&format!("; it wrote {}", self.noise));
        }
        summary[..1].make_ascii_uppercase();
        let advice = format!("Run `{}` in a terminal to see what it says", self.command);
        self.fail(Failure::new(summary, advice).of_class(FaultClass::Dropped));
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        if !self.is_there() {
            return;
        }
        if self.is_in_level() {
            self.part.lost_after = Some(self.part.began.map_or(Duration::ZERO, |it| it.elapsed()));
        }
        // What it had in flight is neither answered nor failed.
        let in_flight = std::mem::take(&mut self.seen.in_flight);
        self.seen.aborted = self.seen.aborted.saturating_add(in_flight);
        self.seen.queued = 0;
        self.asks.drop_all();
        self.state = State::Lost(failure);
        self.process = None;
    }

    pub(super) fn greet(&mut self, hello: WorkerHello) {
        if hello.protocol == PROTOCOL {
            self.hello = hello;
            return;
        }
        let (theirs, version) = (hello.protocol.clone(), hello.batida.clone());
        self.hello = hello;
        let ours = env!("CARGO_PKG_VERSION");
        self.fail(Failure::new(
            format!(
                "Worker {} speaks {theirs} (Batida {version}), and this Batida {ours} speaks {PROTOCOL}",
                self.index + 1
            ),
            "Install the same version of Batida on both machines",
        ));
    }

    pub(super) fn begun(&mut self, lanes: Lanes) {
        if self.state == State::Starting {
            self.lanes = lanes;
            self.state = State::Idle;
        }
    }

    pub(super) fn begin_session(&mut self) {
        self.heard = Instant::now();
    }

    pub(super) fn begin_level(&mut self) {
        self.seen = LevelSeen::default();
        self.part = Part::default();
        self.clock.forget();
        if self.is_in_level() {
            self.state = State::Idle;
        }
    }

    /// `now_ns`: of the session.
    pub(super) fn ping(&mut self, n: u64, now_ns: u64) {
        self.clock.ping(n, now_ns);
        self.send(&WorkerOrder::Ping { n });
    }

    /// The records of a part of its rows, as of this session.
    pub(super) fn rows(
        &mut self,
        seq: u64,
        base64: &str,
    ) -> Vec<(Arc<RequestRecord>, Option<Box<Said>>)> {
        let Some(rows) = self.rows.add(seq, base64) else {
            self.lose("a part of its rows is missing or cannot be read".to_owned());
            return Vec::new();
        };
        self.received += rows.len() as u64;
        let clock = self.clock;
        let here = |at: Duration| Duration::from_nanos(clock.here(at.as_nanos() as u64));
        let mut records = Vec::new();
        for WorkerRow { mut record, said } in rows {
            record.due = here(record.due);
            record.sent = here(record.sent);
            record.ended = here(record.ended);
            self.part.record(&record);
            records.push((Arc::new(record), said.map(Box::new)));
        }
        records
    }

    /// What it told of the level under way.
    pub(super) fn see(
        &mut self,
        seen: LevelSeen,
        counts: &[Arc<Counts>],
        world: &World,
        tell: &Sender<WorkerEvent>,
    ) {
        let clock = self.clock;
        let at = |ns: u64| world.began + Duration::from_nanos(clock.here(ns));
        let own = &counts[self.lanes.clone()];
        for (number, (lane, counts)) in seen.lanes.iter().zip(own).enumerate() {
            let since = if number == 0 {
                seen.since.iter().map(|ns| clock.here(*ns).max(1)).collect()
            } else {
                Vec::new()
            };
            counts.hear(lane, since);
            counts.own_watch.lock().hear(lane, at);
            self.part.read_late.add_counts(&lane.waits_us);
            self.part.read_late.add_counts(&lane.probes_us);
        }
        for [us, times] in &seen.late_us {
            let late = Duration::from_micros(*us);
            for _ in 0..(*times).min(MOST_LATE) {
                // Fails only when the session is gone.
                let _ = tell.send(WorkerEvent::Left { late });
            }
        }
        if self.part.began.is_none() && seen.first_measured.is_some() {
            self.part.began = Some(Instant::now());
        }
        self.seen = seen;
    }

    /// Its share of the level is over. Gives where its counting stands.
    pub(super) fn over(
        &mut self,
        over: LevelOver,
        counts: &[Arc<Counts>],
        world: &World,
        tell: &Sender<WorkerEvent>,
    ) -> Counting {
        let LevelOver {
            seen,
            counting,
            images,
            dropped,
            learned,
            cut,
            ..
        } = over;
        self.see(seen, counts, world, tell);
        self.images = images;
        self.part.dropped = dropped.saturating_sub(self.dropped);
        self.dropped = dropped;
        self.learned = learned;
        if let Some(why) = cut {
            self.lose(why);
        } else if self.is_in_level() {
            self.state = State::Idle;
        }
        counting
    }
}

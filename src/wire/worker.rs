//! `batida.worker/1`: what a coordinator and a worker process tell each other, a JSON object a line.
//!
//! The coordinator writes [`WorkerOrder`]s to the worker's standard input, the worker writes [`WorkerAnswer`]s to its standard
//! output. No line holds a secret: a worker finds its API key on its own machine. A line of a worker is at most
//! [`MAX_ANSWER_BYTES`] long, since container runtimes split longer ones. Moments are in ns of the worker's own session,
//! which begins when it takes [`WorkerOrder::Session`]; the coordinator learns by pings how its clock differs.
//!
//! ```text
//! coordinator                          worker
//!   session ────────────────────────────→  hello (as it starts), begun
//!   ask ─────────────────────────────────→  asked                        (fitting prompts)
//!   level ───────────────────────────────→  ready                        (requests written, connections open)
//!   ping … ──────────────────────────────→  pong …
//!   go ──────────────────────────────────→  rows …, seen …, over
//!   deadline, close, pause, resume, stop
//!   bye ─────────────────────────────────→  (ends)
//! ```

pub mod job;
pub mod rows;

use serde::{Deserialize, Serialize};

use crate::domain::conversation::Params;
use crate::domain::environment::{ApiAddress, Extra, HeaderName};
use crate::domain::failure::Failure;
use crate::domain::plan::{LevelLoad, Plan};
use crate::metrics::timeline::Figures;
use crate::prompts::fit::Fit;

/// The protocol's name with its major version: another one is refused. Whoever knows a newer minor version adds fields,
/// which older programs leave out.
pub const PROTOCOL: &str = "batida.worker/1";
/// A worker writes no longer line: container runtimes split at 16 KiB.
pub const MAX_ANSWER_BYTES: usize = 8 << 10;

/// Which part of a level is one worker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Counts those that take part from 0.
    pub index: u32,
    /// How many take part, from 1.
    pub of: u32,
}

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Of `n` things: parts differ by one at most, the first are the larger.
    pub fn part_of(self, n: u32) -> u32 {
        let of = self.of.max(1);
        n / of + u32::from(self.index < n % of)
    }

    /// Whether the conversation with this number in its level is its own.
    pub fn has(self, number: u64) -> bool {
        number % u64::from(self.of.max(1)) == u64::from(self.index)
    }
}

/// What a level's clients are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelKind {
    /// A number of clients, each of which waits for its answer.
    Closed,
    /// Requests at their moments.
    Open,
    /// Before the level: left out of its figures.
    Warmup,
}

/// What is to be sent in a level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelOrder {
    /// The level's index in the session.
    pub index: usize,
    /// Counts the orders of a session from 0: a level has one for its warm-up, and one.
    pub number: u64,
    /// The model's serving name.
    pub model: String,
    /// The load.
    pub load: LevelLoad,
    /// What its clients are for.
    pub kind: LevelKind,
    /// Clients, or connections that are opened ahead, of all shares together.
    pub clients: u32,
    /// Requests of all shares together; `None` for as many as are taken.
    pub requests: Option<u64>,
    /// Which of them are to be sent.
    pub share: Share,
    /// Where the session's counting of requests and conversations stands, for whoever has not counted along.
    pub from: Counting,
    /// The tokens of generated words.
    pub fit: Fit,
}

/// Where the counting of a session's requests and conversations stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counting {
    /// Requests.
    pub requests: u64,
    /// Conversations.
    pub conversations: u64,
}

/// The API as a worker is to reach it. The key is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerApi {
    /// Its address.
    pub address: ApiAddress,
    /// Whether it wants a key, which the worker must have.
    pub wants_key: bool,
    /// The header that carries the key; `None` for the usual one.
    pub key_header: Option<HeaderName>,
    /// Headers and query parameters besides, those without secrets.
    pub extras: Vec<Extra>,
    /// Certificate authorities to trust besides the system's, as PEM.
    pub ca_pem: Option<String>,
    /// Accept invalid certificates.
    pub accept_invalid_certs: bool,
    /// It is the built-in demo's, whose key everybody knows.
    pub is_demo: bool,
}

/// A file that a plan names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// Its bytes, base64.
    pub base64: String,
}

/// A session as a worker needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerSession {
    /// [`PROTOCOL`] of the coordinator.
    pub protocol: String,
    /// The version of the coordinator.
    pub batida: String,
    /// Names the session: requests carry `x-request-id: {id}-{i}`.
    pub id: String,
    /// What is asked for, with its seed.
    pub plan: Plan,
    /// The file of the plan's prompts.
    pub prompts: Option<PlanFile>,
    /// The plan's trace.
    pub trace: Option<PlanFile>,
    /// Where requests are sent to.
    pub api: WorkerApi,
    /// What is said is wanted with each request.
    pub texts: bool,
}

/// From the coordinator to a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum WorkerOrder {
    /// Get ready for a session: [`WorkerAnswer::Begun`].
    Session(Box<WorkerSession>),
    /// Send a request for one token: [`WorkerAnswer::Asked`].
    Ask {
        /// Names the question.
        n: u64,
        /// The model's serving name.
        model: String,
        /// Sampling parameters.
        params: Box<Params>,
        /// What the user says.
        text: String,
    },
    /// Get ready for a level: [`WorkerAnswer::Ready`].
    Level(Box<LevelOrder>),
    /// Tell the time: [`WorkerAnswer::Pong`].
    Ping {
        /// Names the question.
        n: u64,
    },
    /// Begin to send.
    Go {
        /// At this moment.
        at_ns: u64,
    },
    /// Send nothing new after this moment.
    Deadline {
        /// The moment.
        at_ns: u64,
    },
    /// Send nothing new; what is in flight may end.
    Close,
    /// Send nothing until told to go on.
    Pause,
    /// Go on.
    Resume,
    /// Close every connection and tell what there is.
    Stop,
    /// The session is over: end.
    Bye,
    /// One that a newer version has.
    #[serde(other)]
    Unknown,
}

/// From a worker to its coordinator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum WorkerAnswer {
    /// It has started.
    Hello(WorkerHello),
    /// The session can begin.
    Begun {
        /// Threads that send and read requests.
        lanes: usize,
    },
    /// To [`WorkerOrder::Ask`].
    Asked {
        /// The question's.
        n: u64,
        /// What came of it.
        result: Result<Box<Figures>, Box<Failure>>,
    },
    /// The level can begin.
    Ready {
        /// The order's.
        number: u64,
    },
    /// To [`WorkerOrder::Ping`].
    Pong {
        /// The question's.
        n: u64,
        /// When it was answered.
        at_ns: u64,
    },
    /// Requests that ended: a part of a stream of bytes, see [`rows`].
    Rows {
        /// Counts the parts of a session from 0.
        seq: u64,
        /// The bytes.
        base64: String,
    },
    /// What the level under way has come to.
    Seen(Box<LevelSeen>),
    /// The level is over: nothing of it is in flight, and all its rows were told.
    Over(Box<LevelOver>),
    /// It cannot go on.
    Fault(Box<Failure>),
    /// Nothing is under way, and it is there.
    Idle,
    /// One that a newer version has.
    #[serde(other)]
    Unknown,
}

/// A worker as it introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerHello {
    /// [`PROTOCOL`]
    pub protocol: String,
    /// Its version.
    pub batida: String,
    /// The machine's name, or the pod's.
    pub host: Option<String>,
    /// The cluster's node.
    pub node: Option<String>,
    /// e.g. `linux x86_64`
    pub system: String,
    /// Logical processors that it may use.
    pub cores: usize,
}

/// Counts of a level so far. Moments in ns; `None` for those that have not come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LevelSeen {
    /// The order's number.
    pub number: u64,
    /// Of each thread.
    pub lanes: Vec<LaneSeen>,
    /// When the last client began.
    pub all_in: Option<u64>,
    /// When the first client found nothing more to do.
    pub first_out: Option<u64>,
    /// When the first measured request left.
    pub first_measured: Option<u64>,
    /// When the last one did.
    pub last_sent: Option<u64>,
    /// When the last of those that left was due.
    pub last_due: Option<u64>,
    /// Times that a client waited for a request to be made.
    pub starved: u64,
    /// Measured requests in flight.
    pub in_flight: u64,
    /// Measured requests that were given up in flight.
    pub aborted: u64,
    /// Requests that were due and never sent.
    pub unsent: u64,
    /// Those that were due and still with the pacer.
    pub behind: u64,
    /// Requests of an open loop that were sent.
    pub launched: u64,
    /// Requests that wait for one of the places in flight.
    pub queued: u64,
    /// When requests left that are in flight now, or an even choice of them.
    pub since: Vec<u64>,
    /// How late requests of an open loop left since the last time, in µs: `[value, count]`.
    pub late_us: Vec<[u64; 2]>,
}

/// What one measuring thread counts and saw of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LaneSeen {
    /// Requests that it has in flight.
    pub in_flight: u32,
    /// Of them those whose answers come.
    pub streaming: u32,
    /// Requests that wait for a place.
    pub queued: u32,
    /// Chunks so far.
    pub chunks: u64,
    /// CPU time of the thread so far, in ns, and when it was looked at.
    pub cpu_ns: Option<[u64; 2]>,
    /// Since the last time, in µs, each `[value, count]`: how long bytes waited to be read.
    pub waits_us: Vec<[u64; 2]>,
    /// Likewise until the end of an answer was known.
    pub ends_us: Vec<[u64; 2]>,
    /// Likewise how late an alarm was noticed.
    pub probes_us: Vec<[u64; 2]>,
    /// Likewise how late timers fired.
    pub timers_us: Vec<[u64; 2]>,
    /// Reads of which the kernel did not tell.
    pub untold: u64,
}

/// The end of a level.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LevelOver {
    /// The last counts.
    pub seen: LevelSeen,
    /// Where its counting stands.
    pub counting: Counting,
    /// Images that were made, and the bytes of their files.
    pub images: [u64; 2],
    /// Requests that ended, measured or not, of the whole session.
    pub ended: u64,
    /// Of them those whose rows were left out, since nobody read fast enough.
    pub dropped: u64,
    /// The limits that an answer's headers speak of.
    pub limits: Vec<(String, String)>,
    /// What it had to leave out of requests, in words.
    pub learned: Vec<String>,
    /// Why it ended the level although nobody had ordered it to: it takes no part any more.
    pub cut: Option<String>,
}

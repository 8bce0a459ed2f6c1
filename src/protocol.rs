//! What the window and the engine say to each other. Commands ask, events tell.
//!
//! A command that takes time carries a [`JobId`] that the window made up; the events that answer it
//! carry it back, and [`Command::Cancel`] ends it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::domain::conversation::{Attachment, ChatRequest, Image, ToolCall};
pub use crate::domain::deployment::ProbeKind;
use crate::domain::deployment::{ClusterEvent, ClusterView};
use crate::domain::dialect::Dialect;
use crate::domain::embedding::{EmbedRequest, Embedded};
use crate::domain::environment::{ApiAddress, EnvId, Environment};
pub use crate::domain::failure::Failure;
use crate::domain::history::{
    Deletion, ExportFormat, Filing, HistoryPage, HistoryQuery, SessionId, StoredSession, Trend,
};
use crate::domain::library::{Library, LibraryChange};
use crate::domain::plan::Plan;
use crate::domain::run::{BenchProgress, BenchReport, Steer};
use crate::domain::settings::{PlaygroundForm, Settings};
use crate::import::environments::{Offer, Source};
use crate::metrics::compare::Comparison;
use crate::metrics::timeline::Figures;
use crate::sambastack::sizes::Sizes;
use crate::snippet::SnippetSpec;

/// Names one piece of work from its command to its last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// What the window asks of the engine.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields say it by name and type")]
pub enum Command {
    /// Find out where an environment's API is and whether there is a key: [`Event::PlaceOpened`].
    OpenPlace { job: JobId, place: Environment },
    /// Ask kubectl what is deployed: [`Event::ClusterLoaded`].
    LoadCluster { job: JobId, place: Environment },
    /// Ask kubectl what is deployed and follow it until the job is cancelled: [`Event::ClusterFollowed`].
    WatchCluster { job: JobId, place: Environment },
    /// Ask kubectl what has happened in the namespace: [`Event::ClusterEventsLoaded`].
    LoadClusterEvents { job: JobId, place: Environment },
    /// Ask kubectl what is written down of context lengths and batch sizes: [`Event::SizesLoaded`].
    LoadSizes { job: JobId, place: Environment },
    /// Follow a container's log until the job is cancelled: [`Event::LogAdvanced`] and one
    /// [`Event::LogEnded`].
    FollowLog {
        job: JobId,
        place: Environment,
        source: LogSource,
    },
    /// Ask the API which models it routes: [`Event::ApiModelsLoaded`].
    LoadApiModels { job: JobId, place: Environment },
    /// Ask models for one token each, those that make embeddings for one of a word, which is kept nowhere:
    /// [`Event::ModelProbed`] each, then [`Event::ProbesEnded`].
    Probe {
        job: JobId,
        place: Environment,
        targets: Vec<ProbeTarget>,
    },
    /// Chat, streamed: [`Event::ChatAdvanced`] and one [`Event::ChatEnded`].
    /// `filing`: where it is kept; `None` keeps nothing.
    Chat {
        job: JobId,
        place: Environment,
        request: Box<ChatRequest>,
        filing: Option<Filing>,
    },
    /// The same of several at once: all are sent at the same instant, or each when the one before it has ended,
    /// which is told by [`Event::ChatBegan`].
    ChatSideBySide { asks: Vec<Ask>, in_turn: bool },
    /// Make embeddings: [`Event::EmbeddingsMade`].
    Embed {
        job: JobId,
        place: Environment,
        request: EmbedRequest,
    },
    /// Run Home's checks: [`Event::CheckEnded`] each, then [`Event::ChecksEnded`].
    Check { job: JobId, place: Environment },
    /// Read the contexts of a kubeconfig: [`Event::ContextsListed`].
    ListContexts { job: JobId, place: Environment },
    /// Keep the settings, and an environment's key with them: [`Event::SettingsSaved`].
    SaveSettings {
        settings: Settings,
        key: Option<KeyChange>,
    },
    /// Keep what the Playground is left as, and nothing else of the settings: [`Event::PlaygroundsKept`].
    KeepPlaygrounds { changed: Playgrounds },
    /// Find out whether the system has a keychain: [`Event::KeychainProbed`].
    ProbeKeychain,
    /// Show a key in the clear: [`Event::KeyRevealed`].
    RevealKey { place: Environment },
    /// Read the environments of a file, with this kubectl where it is a kubeconfig: [`Event::EnvironmentsRead`].
    ReadEnvironments {
        job: JobId,
        path: PathBuf,
        kubectl: Option<PathBuf>,
    },
    /// Keep a key until the program ends, in place of the variable that the environment names. Only what goes wrong
    /// is told, as [`Event::SettingsSaved`].
    HoldKey { env: EnvId, key: SecretString },
    /// Take secret values of extra headers and query parameters, by [`Extra::slot`], for the settings that are saved next.
    ///
    /// [`Extra::slot`]: crate::domain::environment::Extra::slot
    StageExtras {
        env: EnvId,
        values: BTreeMap<String, SecretString>,
    },
    /// Show a notification on the desktop: [`Event::Notified`].
    Notify { title: String, body: String },
    /// Ask which version of SambaStack there is: [`Event::ReleaseLoaded`].
    LoadRelease { job: JobId, place: Environment },
    /// Put text on the clipboard: [`Event::Copied`]. `what` names it for people.
    Copy { what: String, text: String },
    /// Put a picture on the clipboard: [`Event::Copied`].
    CopyImage { what: String, picture: Picture },
    /// Write a snippet with the environment's key in it and copy that: [`Event::Copied`].
    CopyWithKey {
        place: Environment,
        spec: Box<SnippetSpec>,
    },
    /// Open the system's file dialog: [`Event::FilePicked`].
    PickFile { env: EnvId, purpose: FilePurpose },
    /// Read what the user attaches to a message: [`Event::AttachmentsRead`]. `room`: how many bytes of the request's
    /// body are left for it.
    Attach {
        job: JobId,
        sources: AttachSources,
        room: usize,
    },
    /// Decode an attached picture, with `edge` pixels on its longer side at most: [`Event::PictureDecoded`], unless it
    /// is cancelled.
    DecodePicture { job: JobId, image: Image, edge: u32 },
    /// Keep what is attached to an environment's draft over a restart; an empty list forgets it:
    /// [`Event::DraftKept`].
    KeepDraft {
        env: EnvId,
        attached: Vec<Attachment>,
    },
    /// Forget what is attached to drafts of an environment that is deleted, whichever window kept it:
    /// [`Event::DraftKept`].
    ForgetDrafts { env: EnvId },
    /// Read what was attached to drafts: [`Event::DraftsLoaded`].
    LoadDrafts {
        /// Names it.
        job: JobId,
        /// The environments there are; what is kept of others stays where it is.
        known: Vec<EnvId>,
    },
    /// Run a benchmark session: [`Event::BenchAdvanced`] and one [`Event::BenchEnded`]. [`Command::Cancel`]
    /// stops it and keeps the figures so far.
    RunBench {
        job: JobId,
        place: Environment,
        plan: Box<Plan>,
    },
    /// Pause a session, or let it go on.
    SteerBench { job: JobId, steer: Steer },
    /// Ask the user for a place and write a file there: [`Event::FileSaved`]. `what` names it for people.
    SaveFile {
        what: String,
        name: String,
        content: Arc<[u8]>,
    },
    /// Read the prompts that are kept: [`Event::PromptsLoaded`].
    LoadPrompts,
    /// Change the prompts that are kept: [`Event::PromptsLoaded`].
    ChangePrompts { change: LibraryChange },
    /// Let the user pick a file of prompts and take them over: [`Event::PromptsLoaded`] unless they picked none.
    ImportPrompts,
    /// Ask the history for rows: [`Event::HistoryLoaded`].
    LoadHistory { job: JobId, query: HistoryQuery },
    /// Ask for a session with all that is drawn of it: [`Event::SessionOpened`].
    OpenSession { job: JobId, session: SessionId },
    /// Ask for a model's figures over time: [`Event::TrendLoaded`].
    LoadTrend {
        job: JobId,
        model: String,
        deployment: Option<String>,
        since: Option<Timestamp>,
    },
    /// Hold two to six sessions against each other, the first being the baseline: [`Event::SessionsCompared`].
    /// `least_change`: the smallest change that matters, as a share.
    CompareSessions {
        job: JobId,
        sessions: Vec<SessionId>,
        least_change: f64,
    },
    /// Take sessions out of the history for good: [`Event::HistoryChanged`].
    DeleteSessions { what: Deletion },
    /// Make a session the baseline of its models on their deployments, or no longer:
    /// [`Event::HistoryChanged`].
    SetBaseline { session: SessionId, on: bool },
    /// Give a session other tags: [`Event::HistoryChanged`].
    TagSession {
        session: SessionId,
        tags: Vec<String>,
    },
    /// Give a session another title: [`Event::HistoryChanged`].
    RenameSession { session: SessionId, title: String },
    /// Ask the user for a place and write sessions there: [`Event::FileSaved`].
    ExportSessions {
        sessions: Vec<SessionId>,
        format: ExportFormat,
    },
    /// Ask the user for a result file, ours or another program's, and keep what is in it:
    /// [`Event::HistoryImported`].
    ImportSessions { job: JobId },
    /// End a job at once; what it has is kept.
    Cancel { job: JobId },
}

/// One of the chats of a [`Command::ChatSideBySide`]; the fields are those of [`Command::Chat`].
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as the command's fields")]
pub struct Ask {
    pub job: JobId,
    pub place: Environment,
    pub request: Box<ChatRequest>,
    pub filing: Option<Filing>,
}

/// The sessions of an imported file, and what in them means something else, in plain sentences.
pub type Kept = (Vec<SessionId>, Vec<String>);

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Red, green, blue and opacity of each pixel, row by row from the top.
    pub rgba: Arc<[u8]>,
}

/// Where attachments come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachSources {
    /// The user picks files.
    Dialog,
    /// These files.
    Files(Vec<PathBuf>),
    /// A picture from the clipboard.
    Pasted(Picture),
}

/// What the Playground is left as, by environment; `None` where nothing is to be kept.
pub type Playgrounds = BTreeMap<EnvId, Option<PlaygroundForm>>;

/// What is attached to a draft of an environment.
pub type DraftFiles = (EnvId, Vec<Attachment>);

/// What was attached to drafts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DraftsFound {
    /// By environment.
    pub drafts: Vec<DraftFiles>,
    /// What could not be read, and where it is now.
    pub notice: Option<Failure>,
}

/// What a picked file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilePurpose {
    /// An environment's kubeconfig.
    Kubeconfig,
    /// An environment's certificate authorities.
    CaFile,
    /// An environment's client certificate.
    ClientCert,
    /// The key of that.
    ClientKey,
    /// The kubectl program.
    Kubectl,
    /// Environments, to be added to one's own.
    Import,
}

/// What could be added of a file.
#[derive(Debug, Clone)]
pub struct EnvOffers {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub source: Source,
    /// In the file's order.
    pub offers: Vec<Offer>,
}

/// What is to become of an environment's key when the settings are saved.
#[derive(Debug, Clone)]
pub struct KeyChange {
    /// Whose key.
    pub env: EnvId,
    /// The new one, put where the environment says; `None` forgets it wherever it is.
    pub key: Option<SecretString>,
}

/// What the engine tells.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields say it by name and type")]
pub enum Event {
    /// An environment's API and key are known (or not).
    PlaceOpened {
        job: JobId,
        env: EnvId,
        api: Option<ApiAddress>,
        key: KeyStatus,
        trouble: Option<Failure>,
    },
    /// What the server of a model was found not to take in a request.
    DialectLearned {
        env: EnvId,
        model: String,
        dialect: Dialect,
    },
    /// One look at the cluster ended.
    ClusterLoaded {
        job: JobId,
        env: EnvId,
        outcome: Result<ClusterView, Failure>,
        took: Duration,
    },
    /// What is deployed, when it has changed, and how it is followed.
    ClusterFollowed {
        job: JobId,
        env: EnvId,
        view: Option<Box<ClusterView>>,
        link: ClusterLink,
    },
    /// What has happened in the namespace, newest first.
    ClusterEventsLoaded {
        job: JobId,
        env: EnvId,
        outcome: Result<Vec<ClusterEvent>, Failure>,
    },
    /// What is written down of context lengths and batch sizes.
    SizesLoaded {
        job: JobId,
        env: EnvId,
        outcome: Result<Arc<Sizes>, Failure>,
    },
    /// Further lines of a log, several at a time.
    LogAdvanced {
        job: JobId,
        env: EnvId,
        lines: Vec<String>,
    },
    /// The container has ended, or its log cannot be read.
    LogEnded {
        job: JobId,
        env: EnvId,
        outcome: Result<(), Failure>,
    },
    /// The API's model list came, or did not.
    ApiModelsLoaded {
        job: JobId,
        env: EnvId,
        outcome: Result<Vec<String>, Failure>,
        took: Duration,
    },
    /// A model has answered a probe, or not.
    ModelProbed {
        job: JobId,
        env: EnvId,
        model: String,
        at: Timestamp,
        outcome: Result<ProbeAnswer, Failure>,
    },
    /// All models that were to be probed have been, or it was cancelled.
    ProbesEnded { job: JobId, env: EnvId },
    /// One of several chats is sent now.
    ChatBegan { job: JobId },
    /// More of an answer: what came since the last one, and the figures so far.
    ChatAdvanced {
        job: JobId,
        reasoning: String,
        answer: String,
        /// All answer text before this turned out to be reasoning.
        turned: bool,
        /// All functions that were called so far, where that has changed; else none.
        calls: Vec<ToolCall>,
        figures: Box<Figures>,
    },
    /// The answer is complete, stopped or failed. What had arrived has been sent before.
    /// `answered_by`: another model than was asked.
    ChatEnded {
        job: JobId,
        ending: ChatEnding,
        figures: Box<Figures>,
        answered_by: Option<String>,
    },
    /// Embeddings came, or not.
    EmbeddingsMade {
        job: JobId,
        outcome: Result<Box<Embedded>, Failure>,
    },
    /// A session whose files are read begins: what is to be known of them before the first request.
    BenchBegan { job: JobId, told: Vec<String> },
    /// A session under way.
    BenchAdvanced {
        job: JobId,
        progress: Box<BenchProgress>,
    },
    /// A session is over, or never began.
    BenchEnded {
        job: JobId,
        outcome: Result<Arc<BenchReport>, Failure>,
    },
    /// Rows of the history.
    HistoryLoaded {
        job: JobId,
        outcome: Result<HistoryPage, Failure>,
    },
    /// A session of the history.
    SessionOpened {
        job: JobId,
        outcome: Result<Arc<StoredSession>, Failure>,
    },
    /// A model's figures over time.
    TrendLoaded {
        job: JobId,
        outcome: Result<Trend, Failure>,
    },
    /// Sessions were compared.
    SessionsCompared {
        job: JobId,
        outcome: Result<Arc<Comparison>, Failure>,
    },
    /// What is in the history has changed, here or in another window: rows that are shown are out of date.
    HistoryChanged,
    /// The history cannot be written or read; told once until it works again.
    HistoryTroubled { failure: Failure },
    /// A file was imported (as these sessions, with remarks), the user picked none, or it failed.
    HistoryImported {
        job: JobId,
        outcome: Result<Option<Kept>, Failure>,
    },
    /// A session that ended was held against the baseline of its model and deployment.
    HeldAgainstBaseline {
        job: JobId,
        comparison: Arc<Comparison>,
    },
    /// The prompts that are kept, after a look at them or a change; `told` is for the user.
    PromptsLoaded {
        outcome: Result<Library, Failure>,
        told: Option<String>,
    },
    /// A file was saved (where), the user gave no place, or it failed.
    FileSaved {
        what: String,
        outcome: Result<Option<PathBuf>, Failure>,
    },
    /// One of Home's checks ended.
    CheckEnded {
        job: JobId,
        env: EnvId,
        check: Check,
    },
    /// All of them did.
    ChecksEnded { job: JobId, env: EnvId },
    /// A kubeconfig's contexts.
    ContextsListed {
        job: JobId,
        env: EnvId,
        outcome: Result<Contexts, Failure>,
    },
    /// What the Playground was left as in these environments was written, or not.
    PlaygroundsKept {
        envs: Vec<EnvId>,
        outcome: Result<(), Failure>,
    },
    /// The settings were written, or not.
    SettingsSaved { outcome: Result<(), Failure> },
    /// Whether the system has a keychain that answers.
    KeychainProbed { outcome: Result<(), Failure> },
    /// A key in the clear.
    KeyRevealed {
        env: EnvId,
        outcome: Result<SecretString, Failure>,
    },
    /// The environments of a file.
    EnvironmentsRead {
        job: JobId,
        outcome: Result<Arc<EnvOffers>, Failure>,
    },
    /// The desktop has shown a notification, or shows none.
    Notified { outcome: Result<(), Failure> },
    /// SambaStack's version, as far as anybody says it.
    ReleaseLoaded {
        job: JobId,
        env: EnvId,
        outcome: Result<Option<String>, Failure>,
    },
    /// The clipboard took it, or not.
    Copied {
        what: String,
        outcome: Result<(), Failure>,
    },
    /// The user picked a file, none, or no dialog could be opened.
    FilePicked {
        env: EnvId,
        purpose: FilePurpose,
        outcome: Result<Option<PathBuf>, Failure>,
    },
    /// What was to be attached was read, or why not; nothing where nothing was picked.
    AttachmentsRead {
        job: JobId,
        read: Vec<Result<Attachment, Failure>>,
    },
    /// An attached picture's pixels.
    PictureDecoded {
        job: JobId,
        outcome: Result<Picture, Failure>,
    },
    /// What was attached to drafts when the window was closed, and what of it could not be read.
    DraftsLoaded {
        job: JobId,
        outcome: Result<DraftsFound, Failure>,
    },
    /// What is attached to an environment's draft was written, or not.
    DraftKept {
        env: EnvId,
        outcome: Result<(), Failure>,
    },
    /// A kubectl command or an HTTP request began or ended.
    ActivityChanged { activity: Activity },
    /// A job died of a fault in Batida itself.
    JobFailed { job: JobId, failure: Failure },
}

/// Whose log is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    /// The pod's name.
    pub pod: String,
    /// The container's.
    pub container: String,
    /// Of its last run, which has ended.
    pub previous: bool,
}

/// A model that is to be probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTarget {
    /// Its serving name.
    pub model: String,
    /// How.
    pub kind: ProbeKind,
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// Request sent → first text; `None` for an embedding, and for an answer without any text.
    pub ttft: Option<Duration>,
    /// Request sent → end of the answer.
    pub latency: Option<Duration>,
}

/// How what is deployed is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterLink {
    /// Every change arrives as it happens.
    Live,
    /// The cluster is not reached; it is tried again and again.
    Reconnecting(Failure),
    /// Something may be listed and not watched, so it is listed again and again.
    Polling {
        /// How often.
        every: Duration,
        /// Why it is not watched.
        why: Failure,
    },
    /// The user lacks the right to see something; what was seen before stays, and it is tried again and again.
    Forbidden(Failure),
    /// It is followed no longer: trying again would not help, or nobody wants it.
    Stopped(Failure),
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatEnding {
    /// Complete, with the server's `finish_reason`.
    Finished {
        /// Why the model stopped.
        reason: FinishReason,
    },
    /// The user stopped it.
    Stopped,
    /// An error, before or amid the answer.
    Failed(Failure),
}

/// Why the model stopped (`finish_reason`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    /// It had said all.
    Stop,
    /// `max_tokens` or the context's end.
    Length,
    /// A content filter.
    ContentFilter,
    /// It wants a tool called.
    ToolCalls,
    /// Something else, or the server did not say.
    Other(Option<String>),
}

impl FinishReason {
    /// As the API says it; `None` when the server gave no reason.
    pub fn word(&self) -> Option<String> {
        Some(match self {
            Self::Stop => "stop".to_owned(),
            Self::Length => "length".to_owned(),
            Self::ContentFilter => "content_filter".to_owned(),
            Self::ToolCalls => "tool_calls".to_owned(),
            Self::Other(reason) => return reason.clone(),
        })
    }

    /// Why a complete answer has no text, told to a person. `thought`: there was reasoning.
    pub fn why_empty(&self, thought: bool) -> &'static str {
        match (self, thought) {
            (Self::Length, true) => {
                "No answer: all the tokens went into reasoning. Raise max tokens, or lower the reasoning effort"
            }
            (_, true) => "No answer: the model only reasoned",
            (Self::Length, false) => {
                "No answer: max tokens or the context's end was reached before the first word"
            }
            (Self::ContentFilter, false) => "No answer: a content filter held it back",
            (Self::ToolCalls, false) => {
                "No answer: the model said that it calls a function, and named none"
            }
            (Self::Stop | Self::Other(_), false) => "No answer: the model sent no text and no call",
        }
    }
}

/// What is known of an environment's key. Never the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStatus {
    /// Found; its last characters, for recognition, when it is long enough to spare them.
    Present {
        /// At most four characters.
        tail: String,
    },
    /// The environment says there is none.
    NotNeeded,
    /// It should be there and is not, and why.
    Missing(Failure),
}

/// A kubeconfig's contexts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contexts {
    /// Their names, as kubectl orders them: by name.
    pub names: Vec<String>,
    /// The current one.
    pub current: Option<String>,
}

/// One of Home's checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What is checked, e.g. `Cluster reachable`.
    pub title: String,
    /// How it went.
    pub verdict: Verdict,
    /// What was found, or what is wrong.
    pub finding: String,
    /// What to do; empty when all is well.
    pub advice: String,
    /// The same for a command line, where that differs.
    pub cli_advice: Option<Box<str>>,
    /// A command that tells more, to be pasted in a shell; empty for none.
    pub command: String,
    /// The other program's own words.
    pub details: String,
    /// How long it took; `None` when nothing was asked.
    pub took: Option<Duration>,
}

impl Check {
    /// What to do, for a reader on a command line.
    pub fn advice_on_command_line(&self) -> &str {
        self.cli_advice.as_deref().unwrap_or(&self.advice)
    }
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, but look.
    Warning,
    /// It does not work.
    Bad,
    /// Not asked, since something it needs is missing.
    Skipped,
}

/// A kubectl command or an HTTP request that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Counts up; the ending carries the number of the beginning.
    pub id: u64,
    /// Where it was made.
    pub env: EnvId,
    /// kubectl or HTTP.
    pub kind: ActivityKind,
    /// The command as one can paste it in a shell. No key in it.
    pub line: Arc<str>,
    /// When it began.
    pub at: jiff::Timestamp,
    /// What it has said on standard error while it runs, e.g. a credential plugin that waits for a login; without control
    /// characters. At most 4,000 bytes.
    pub words: Arc<str>,
    /// How long it took and how it ended; `None` while it runs.
    pub ending: Option<ActivityEnding>,
}

/// Which door it went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivityKind {
    /// A subprocess.
    Kubectl,
    /// A subprocess that goes on until it is left, e.g. a watch.
    Follow,
    /// The API.
    Http,
    /// No request: what was found out from one, in words.
    Note,
}

/// How an activity ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityEnding {
    /// From beginning to end.
    pub took: Duration,
    /// Whether it did what it should.
    pub ok: bool,
    /// In words: `exit 0, 13.1 MB`, `HTTP 200`, `stopped`.
    pub outcome: String,
}

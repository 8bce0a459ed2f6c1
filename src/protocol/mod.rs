//! Commands from the window to the engine, and events from the engine to the window.
//!
//! A [`Question`] has one answer: [`Command::Ask`] brings [`Event::Answered`]. A command that has several events
//! carries a [`JobId`] that the window made up, and the events carry it back. [`Command::Cancel`] ends a job of either
//! kind.

mod activity;
mod cluster;
mod question;
mod unsaved;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

pub use self::activity::{Activity, ActivityEnding, ActivityKind};
pub use self::cluster::{
    Check, ClusterLink, Contexts, LogSource, ProbeAnswer, ProbeTarget, Verdict,
};
pub use self::question::{
    Answer, ApiAnswer, ApiKind, ApiQuestion, ClusterAnswer, ClusterKind, ClusterQuestion,
    HistoryAnswer, HistoryKind, HistoryQuestion, LocalAnswer, LocalKind, LocalQuestion, Question,
    QuestionKind,
};
pub use self::unsaved::{PathNeeded, PictureUse, Unsaved};
pub use self::values::{
    AttachSources, DraftFiles, DraftsFound, EnvOffers, FilePurpose, ImportedPrompts,
    ImportedSessions, KeyChange, KeyStatus, Opened, PickedFile, Picture,
};
use crate::domain::conversation::{Attachment, ChatRequest};
use crate::domain::deployment::ClusterView;
pub use crate::domain::deployment::ProbeKind;
use crate::domain::dialect::Dialect;
use crate::domain::environment::{EnvId, Environment};
use crate::domain::exchange::Advance;
pub use crate::domain::exchange::{ChatEnding, FinishReason};
pub use crate::domain::failure::Failure;
use crate::domain::history::{Deletion, ExportFormat, Filing, SessionId};
use crate::domain::library::{Library, LibraryChange};
use crate::domain::plan::Plan;
use crate::domain::run::{BenchProgress, BenchReport, Steer};
use crate::domain::settings::Settings;
use crate::domain::workspace::WorkspaceChange;
use crate::metrics::compare::Comparison;
use crate::metrics::timeline::Figures;
use crate::snippet::SnippetSpec;

/// Names one piece of work from its command to its last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// What the window asks of the engine.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields say it by name and type")]
pub enum Command {
    /// Answer a question: [`Event::Answered`].
    Ask { job: JobId, question: Question },
    /// End a job at once; what it has is kept.
    Cancel { job: JobId },

    /// Ask kubectl what is deployed and follow it until the job is cancelled: [`Event::ClusterFollowed`].
    WatchCluster { job: JobId, place: Environment },
    /// Follow a container's log until the job is cancelled: [`Event::LogAdvanced`] and one
    /// [`Event::LogEnded`].
    FollowLog {
        job: JobId,
        place: Environment,
        source: LogSource,
    },
    /// Send each model a request for one token, or for the embedding of one word, which is recorded nowhere:
    /// [`Event::ModelProbed`] each, then [`Event::ProbesEnded`].
    Probe {
        job: JobId,
        place: Environment,
        targets: Vec<ProbeTarget>,
    },
    /// Send chats, streamed. For each [`Event::ChatBegan`] when it is sent, [`Event::ChatAdvanced`] and one
    /// [`Event::ChatEnded`].
    Chat {
        asks: Vec<ChatAsk>,
        order: ChatOrder,
    },
    /// Run the checks: [`Event::CheckEnded`] each, then [`Event::ChecksEnded`].
    Check { job: JobId, place: Environment },
    /// Run a benchmark session: [`Event::BenchAdvanced`] and one [`Event::BenchEnded`]. [`Command::Cancel`]
    /// stops it and keeps the figures so far.
    RunBench {
        job: JobId,
        place: Environment,
        plan: Box<Plan>,
    },
    /// Pause a session, or let it go on.
    SteerBench { job: JobId, steer: Steer },

    /// Save the settings, and an environment's key with them: [`Event::SettingsSaved`].
    SaveSettings {
        settings: Settings,
        key: Option<KeyChange>,
    },
    /// Keep a change of the workspace: [`Event::WorkspaceKept`].
    Keep { change: WorkspaceChange },
    /// Hold a key in memory until the program ends, in place of the variable that the environment names. Only a failure
    /// is reported, as [`Event::SettingsSaved`].
    HoldKey { env: EnvId, key: SecretString },
    /// Take secret values of extra headers and query parameters, by [`Extra::slot`], for the settings that are saved next.
    ///
    /// [`Extra::slot`]: crate::domain::environment::Extra::slot
    StageExtras {
        env: EnvId,
        values: BTreeMap<String, SecretString>,
    },
    /// Keep what is attached to an environment's draft over a restart; an empty list forgets it:
    /// [`Event::WorkspaceKept`].
    KeepDraft {
        env: EnvId,
        attached: Vec<Attachment>,
    },
    /// Read the prompt library: [`Event::PromptsLoaded`].
    LoadPrompts,
    /// Change the prompt library, in the order of the commands: [`Event::PromptsLoaded`].
    ChangePrompts { change: LibraryChange },

    /// Delete sessions from the history permanently: [`Event::HistoryChanged`].
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

    /// Ask the user for a path and write sessions there: [`Event::FileSaved`].
    ExportSessions {
        sessions: Vec<SessionId>,
        format: ExportFormat,
    },
    /// Ask the user for a path and write a file there: [`Event::FileSaved`]. `what` names it for people.
    SaveFile {
        what: String,
        name: String,
        content: Arc<[u8]>,
    },
    /// Write it at the path that the user typed, where nothing is yet: [`Event::FileSaved`], or
    /// [`Event::PathNeeded`] again.
    SaveAt { unsaved: Unsaved, path: String },
    /// Draw an SVG as pixels and save them, or put them on the clipboard: [`Event::FileSaved`] or [`Event::Copied`].
    Draw {
        what: String,
        name: String,
        svg: String,
        then: PictureUse,
    },
    /// Put text on the clipboard: [`Event::Copied`]. `what` names it for people.
    Copy { what: String, text: String },
    /// Put a picture on the clipboard: [`Event::Copied`].
    CopyImage { what: String, picture: Picture },
    /// Write a snippet with the environment's key in it and copy that: [`Event::Copied`].
    CopyWithKey {
        place: Environment,
        spec: Box<SnippetSpec>,
    },
    /// Show a notification on the desktop: [`Event::Notified`].
    Notify { title: String, body: String },
}

/// One of the chats of a [`Command::Chat`].
#[derive(Debug, Clone)]
pub struct ChatAsk {
    /// Names it.
    pub job: JobId,
    /// Whose API is asked.
    pub place: Environment,
    /// What is sent.
    pub request: Box<ChatRequest>,
    /// Where it is recorded; `None` records nothing.
    pub filing: Option<Filing>,
}

/// When the chats of a [`Command::Chat`] are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChatOrder {
    /// All at the same instant.
    #[default]
    Together,
    /// Each when the one before it has ended.
    InTurn,
}

/// What the engine tells.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields say it by name and type")]
pub enum Event {
    /// A question was answered. `took`: from the question to its answer.
    Answered {
        job: JobId,
        answer: Answer,
        took: Duration,
    },
    /// Something failed in Batida itself. The job that it ended has its own last event.
    Faulted { failure: Failure },

    /// What the server of a model was found not to take in a request.
    DialectLearned {
        env: EnvId,
        model: String,
        dialect: Dialect,
    },
    /// What is deployed, when it has changed, and how it is followed.
    ClusterFollowed {
        job: JobId,
        env: EnvId,
        view: Option<Box<ClusterView>>,
        link: ClusterLink,
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
    /// A chat is sent now.
    ChatBegan { job: JobId },
    /// More of an answer.
    ChatAdvanced { job: JobId, advance: Box<Advance> },
    /// The answer is complete, stopped or failed. What had arrived has been sent before.
    /// `answered_by`: another model than was asked.
    ChatEnded {
        job: JobId,
        ending: ChatEnding,
        figures: Box<Figures>,
        answered_by: Option<String>,
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
    /// A session that ended was compared with the baseline of its model and deployment.
    ComparedWithBaseline {
        job: JobId,
        comparison: Arc<Comparison>,
    },
    /// One of the checks ended.
    CheckEnded {
        job: JobId,
        env: EnvId,
        check: Check,
    },
    /// All of them did.
    ChecksEnded { job: JobId, env: EnvId },

    /// What is in the history has changed, here or in another window: rows that are shown are out of date.
    HistoryChanged,
    /// The history cannot be written or read; reported once until it works again.
    HistoryTroubled { failure: Failure },
    /// The prompt library, after it was read or changed.
    PromptsLoaded { outcome: Result<Library, Failure> },
    /// The changes of the workspace are kept, or not; the latter is reported once until it works again. They are tried
    /// again.
    WorkspaceKept { outcome: Result<(), Failure> },
    /// A damaged database has lost some of the workspace: what the window has of it is to be kept again.
    WorkspaceLost,
    /// The settings were saved, or not.
    SettingsSaved { outcome: Result<(), Failure> },
    /// A file was saved (where), the user picked no path, or it failed.
    FileSaved {
        what: String,
        outcome: Result<Option<std::path::PathBuf>, Failure>,
    },
    /// There is no file dialog, or nothing could be written at the path that was typed: the user is to type a path.
    PathNeeded(Box<PathNeeded>),
    /// The clipboard took it, or not.
    Copied {
        what: String,
        outcome: Result<(), Failure>,
    },
    /// The desktop has shown a notification, or shows none.
    Notified { outcome: Result<(), Failure> },
    /// A kubectl command or an HTTP request began or ended.
    ActivityChanged { activity: Activity },
}

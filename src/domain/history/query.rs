//! Which sessions are asked for, and a page of them.

use jiff::Timestamp;

use super::{SessionKind, SessionRow};

/// Which sessions are asked for. Everything empty asks for all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistoryQuery {
    /// Words that must all occur in title, models, deployments, environment or tags, or begin a word that was said in
    /// the conversation.
    pub text: String,
    /// Of this kind.
    pub kind: Option<SessionKind>,
    /// That asked this model.
    pub model: Option<String>,
    /// That asked this deployment.
    pub deployment: Option<String>,
    /// In this environment.
    pub environment: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// Begun at or after this moment.
    pub since: Option<Timestamp>,
    /// Begun before this moment.
    pub until: Option<Timestamp>,
    /// Without those that a deletion by age spares: baselines, and sessions that run.
    pub deletable: bool,
    /// The column to sort by.
    pub sort: SortBy,
    /// From the smallest up; else the largest, or the latest, first.
    pub ascending: bool,
    /// How many rows to pass over.
    pub offset: u64,
    /// How many rows at most.
    pub limit: u64,
}

impl HistoryQuery {
    /// Whether it leaves no session out.
    pub fn is_open(&self) -> bool {
        let Self {
            sort,
            ascending,
            offset,
            limit,
            ..
        } = *self;
        *self
            == Self {
                sort,
                ascending,
                offset,
                limit,
                ..Self::default()
            }
    }
}

/// The columns that rows can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(missing_docs, reason = "named as the row's fields")]
pub enum SortBy {
    #[default]
    Began,
    Ended,
    Title,
    Deployment,
    Model,
    Requests,
    Ttft,
    Itl,
    Peak,
    Errors,
    Status,
    Tag,
}

impl SortBy {
    /// The columns by which `batida history list --sort` sorts.
    pub const NAMES: [(&'static str, Self); 11] = [
        ("began", Self::Began),
        ("title", Self::Title),
        ("deployment", Self::Deployment),
        ("model", Self::Model),
        ("requests", Self::Requests),
        ("ttft", Self::Ttft),
        ("itl", Self::Itl),
        ("peak", Self::Peak),
        ("errors", Self::Errors),
        ("status", Self::Status),
        ("tag", Self::Tag),
    ];
}

/// Some rows, and what is around them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HistoryPage {
    /// The rows asked for.
    pub rows: Vec<SessionRow>,
    /// The number of the first of them, from 0.
    pub offset: u64,
    /// How many sessions match, on all pages.
    pub total: u64,
    /// What can be filtered by, over the whole store.
    pub facets: Facets,
    /// What the store takes up on disk, in bytes.
    pub bytes: u64,
    /// Requests that are kept, over all sessions.
    pub requests: u64,
}

/// Values that occur in the store, each sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "named as the row's fields")]
pub struct Facets {
    pub models: Vec<String>,
    pub deployments: Vec<String>,
    pub environments: Vec<String>,
    pub tags: Vec<String>,
}

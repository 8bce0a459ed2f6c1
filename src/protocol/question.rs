//! Questions to the engine and their answers: each question has exactly one answer, and none is forgotten.
//!
//! `questions!` declares a question with its fields and with the type of what is found. The engine answers in one
//! `match`, and the window's state takes the answers in one `match`; a question that one of them leaves out does not
//! compile. A new question is a line here, an arm where it is answered and an arm where its answer is taken.
//!
//! The questions are grouped by what they concern, so that each group is answered beside the functions that find the
//! answers, and taken beside the fields that hold them.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

use super::{
    AttachSources, Contexts, DraftsFound, EnvOffers, FilePurpose, ImportedPrompts,
    ImportedSessions, Opened, PickedFile, Picture,
};
use crate::domain::conversation::{Attachment, Image};
use crate::domain::deployment::{ClusterEvent, ClusterView};
use crate::domain::embedding::{EmbedRequest, Embedded};
use crate::domain::environment::{EnvId, Environment};
use crate::domain::failure::Failure;
use crate::domain::history::{HistoryPage, HistoryQuery, SessionId, StoredSession, Trend};
use crate::metrics::compare::Comparison;
use crate::sambastack::sizes::Sizes;

/// Declares a group of questions: each with its fields, and with the type of what is found.
macro_rules! questions {
    (
        $(#[$about:meta])*
        $Question:ident, $Answer:ident, $Kind:ident {
            $( $(#[$doc:meta])* $Name:ident $({ $($field:ident: $type:ty),* $(,)? })? => $Found:ty, )*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug)]
        #[allow(missing_docs, reason = "the fields say it by name and type; a group may have none")]
        pub enum $Question {
            $( $(#[$doc])* $Name $({ $($field: $type),* })?, )*
        }

        /// The answers: each is what was found, or why it was not.
        #[derive(Debug, Clone)]
        pub enum $Answer {
            $( $(#[$doc])* $Name(Result<$Found, Failure>), )*
        }

        /// Which question it is, without its fields.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $Kind {
            $( $(#[$doc])* $Name, )*
        }

        impl $Question {
            /// Which question it is.
            pub fn kind(&self) -> $Kind {
                match self {
                    $( Self::$Name { .. } => $Kind::$Name, )*
                }
            }
        }

        impl $Kind {
            /// All of the group.
            #[cfg(test)]
            const ALL: &[Self] = &[$( Self::$Name, )*];

            /// The answer to a question that could not be answered.
            pub fn failed(self, why: Failure) -> $Answer {
                match self {
                    $( Self::$Name => $Answer::$Name(Err(why)), )*
                }
            }
        }

        #[cfg(test)]
        impl $Answer {
            fn kind(&self) -> $Kind {
                match self {
                    $( Self::$Name(_) => $Kind::$Name, )*
                }
            }

            fn failure(&self) -> Option<&Failure> {
                match self {
                    $( Self::$Name(outcome) => outcome.as_ref().err(), )*
                }
            }
        }
    };
}

questions! {
    /// Questions to kubectl about an environment's cluster.
    ClusterQuestion, ClusterAnswer, ClusterKind {
        /// What is deployed.
        View => ClusterView,
        /// What has happened in the namespace, newest first.
        Events => Vec<ClusterEvent>,
        /// The context lengths and batch sizes that are configured.
        Sizes => Arc<Sizes>,
        /// SambaStack's version; `None` where nothing on the cluster states it.
        Release => Option<String>,
        /// The contexts of the kubeconfig.
        Contexts => Contexts,
    }
}

questions! {
    /// Questions to an environment's API, and about its address and key.
    ApiQuestion, ApiAnswer, ApiKind {
        /// Where the API is, and whether there is a key.
        Open => Opened,
        /// The names of the models that it routes.
        Models => Vec<String>,
        /// Embeddings of texts.
        Embed { request: EmbedRequest } => Box<Embedded>,
        /// The key in the clear.
        RevealKey => SecretString,
    }
}

questions! {
    /// Questions to the history.
    HistoryQuestion, HistoryAnswer, HistoryKind {
        /// Rows of its table.
        Rows { query: HistoryQuery } => HistoryPage,
        /// A session with all that is drawn of it.
        Session { id: SessionId } => Arc<StoredSession>,
        /// A model's figures over time.
        Trend { model: String, deployment: Option<String>, since: Option<Timestamp> } => Trend,
        /// How two to six sessions compare with the first of them. `least_change`: the smallest change that matters,
        /// as a share.
        Compare { sessions: Vec<SessionId>, least_change: f64 } => Arc<Comparison>,
        /// The user picks a result file, of Batida or of another program, and its sessions are added; `None` when no
        /// file was picked.
        Import => Option<ImportedSessions>,
    }
}

questions! {
    /// Questions to this computer: its files, its dialogs, its keychain.
    LocalQuestion, LocalAnswer, LocalKind {
        /// Whether the system has a keychain that answers.
        Keychain => (),
        /// The environments of a file; this kubectl reads it where it is a kubeconfig.
        Environments { path: PathBuf, kubectl: Option<PathBuf> } => Arc<EnvOffers>,
        /// The user picks a file; `None` when they picked none.
        PickFile { env: EnvId, purpose: FilePurpose } => Option<PickedFile>,
        /// What the user attaches to a message. `room`: how many bytes are left for it in the request's body.
        Attachments { sources: AttachSources, room: usize } => Vec<Result<Attachment, Failure>>,
        /// The pixels of an attached picture, with at most `edge` of them on its longer side.
        Picture { image: Image, edge: u32 } => Picture,
        /// What was attached to drafts when the window was closed. `known`: the environments there are; the drafts of
        /// other environments stay where they are.
        Drafts { known: Vec<EnvId> } => DraftsFound,
        /// The user picks a file of prompts, which are added to the prompt library; `None` when they picked none.
        ImportPrompts => Option<ImportedPrompts>,
    }
}

/// A question, by what it concerns.
#[derive(Debug)]
pub enum Question {
    /// An environment's cluster.
    Cluster(Environment, ClusterQuestion),
    /// An environment's API.
    Api(Environment, ApiQuestion),
    /// The history.
    History(HistoryQuestion),
    /// The computer itself.
    Local(LocalQuestion),
}

/// The answer to a [`Question`].
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as the questions")]
pub enum Answer {
    Cluster(ClusterAnswer),
    Api(ApiAnswer),
    History(HistoryAnswer),
    Local(LocalAnswer),
}

/// Which question it is, without its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the questions")]
pub enum QuestionKind {
    Cluster(ClusterKind),
    Api(ApiKind),
    History(HistoryKind),
    Local(LocalKind),
}

impl Question {
    /// Which question it is.
    pub fn kind(&self) -> QuestionKind {
        match self {
            Self::Cluster(_, question) => QuestionKind::Cluster(question.kind()),
            Self::Api(_, question) => QuestionKind::Api(question.kind()),
            Self::History(question) => QuestionKind::History(question.kind()),
            Self::Local(question) => QuestionKind::Local(question.kind()),
        }
    }

    /// The environment that is asked about; `None` where the question concerns none.
    pub fn env(&self) -> Option<&EnvId> {
        match self {
            Self::Cluster(env, _) | Self::Api(env, _) => Some(&env.id),
            Self::History(_) | Self::Local(_) => None,
        }
    }
}

impl QuestionKind {
    /// The answer to a question that could not be answered.
    pub fn failed(self, why: Failure) -> Answer {
        match self {
            Self::Cluster(kind) => Answer::Cluster(kind.failed(why)),
            Self::Api(kind) => Answer::Api(kind.failed(why)),
            Self::History(kind) => Answer::History(kind.failed(why)),
            Self::Local(kind) => Answer::Local(kind.failed(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_fails_has_an_answer_of_its_own_kind() {
        macro_rules! check {
            ($($Kind:ident),*) => {
                $(for kind in $Kind::ALL {
                    let answer = kind.failed(Failure::new("why", ""));
                    assert_eq!(answer.kind(), *kind);
                    assert_eq!(answer.failure().map(|why| why.summary.as_str()), Some("why"));
                })*
            };
        }
        check!(ClusterKind, ApiKind, HistoryKind, LocalKind);
        let question = Question::Cluster(Environment::demo(), ClusterQuestion::Sizes);
        assert_eq!(question.env(), Some(&EnvId::demo()));
        let answer = question.kind().failed(Failure::new("why", ""));
        assert!(
            matches!(answer, Answer::Cluster(ClusterAnswer::Sizes(Err(_)))),
            "{answer:?}"
        );
    }
}

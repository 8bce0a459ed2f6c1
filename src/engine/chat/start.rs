//! When each of several chats is sent: together, or one after the other.

use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::protocol::{ChatAsk, ChatOrder};

/// When one of several chats is sent. Dropping it lets the others continue.
#[derive(Debug)]
pub enum Start {
    /// When all are ready.
    Together {
        /// Held until this one is ready.
        opening: Option<Arc<DropGuard>>,
        /// Cancelled when all are ready.
        all_open: CancellationToken,
    },
    /// After all previous ones have ended.
    InTurn {
        /// Cancelled when they end.
        before: Vec<CancellationToken>,
        /// Held until this one ends.
        held: DropGuard,
    },
}

impl Start {
    /// Waits until the chat can be sent.
    pub async fn wait(&mut self) {
        match self {
            Self::Together { opening, all_open } => {
                *opening = None;
                all_open.cancelled().await;
            }
            Self::InTurn { before, .. } => {
                for end in before {
                    end.cancelled().await;
                }
            }
        }
    }
}

/// Assigns each chat its start: all together, or one after the other.
pub fn starts(asks: Vec<ChatAsk>, order: ChatOrder) -> Vec<(ChatAsk, Start)> {
    let all_open = CancellationToken::new();
    let opening = Arc::new(all_open.clone().drop_guard());
    let mut ends: Vec<CancellationToken> = Vec::new();
    let start = |ask| {
        let start = match order {
            ChatOrder::Together => Start::Together {
                opening: Some(Arc::clone(&opening)),
                all_open: all_open.clone(),
            },
            ChatOrder::InTurn => {
                let (before, end) = (ends.clone(), CancellationToken::new());
                ends.push(end.clone());
                Start::InTurn {
                    before,
                    held: end.drop_guard(),
                }
            }
        };
        (ask, start)
    };
    asks.into_iter().map(start).collect()
}

//! The last kubectl commands and HTTP requests.

use std::collections::VecDeque;

use crate::domain::environment::EnvId;
use crate::protocol::{Activity, ActivityKind};

/// Of the lines together: a long conversation is sent anew with each message.
const MOST_BYTES: usize = 8 << 20;
const MOST: usize = 1_000;

/// The newest activities, bounded in number and size.
#[derive(Debug, Default)]
pub struct ActivityLog {
    entries: VecDeque<Activity>,
    bytes: usize,
}

impl ActivityLog {
    /// Oldest first.
    pub fn entries(&self) -> &VecDeque<Activity> {
        &self.entries
    }

    /// How many are under way; what goes on until it is left does not count.
    pub fn running(&self) -> usize {
        let awaited = |it: &&Activity| it.ending.is_none() && it.kind != ActivityKind::Follow;
        self.entries.iter().filter(awaited).count()
    }

    /// What a program of an environment says while it is waited for, e.g. that somebody must log in.
    pub fn words_of(&self, env: &EnvId) -> Option<&str> {
        let running = self
            .entries
            .iter()
            .rev()
            .filter(|it| it.ending.is_none() && it.env == *env);
        running.map(|it| &*it.words).find(|words| !words.is_empty())
    }

    /// Forgets all that have ended.
    pub fn clear(&mut self) {
        self.entries.retain(|activity| activity.ending.is_none());
        self.bytes = self
            .entries
            .iter()
            .map(|activity| activity.line.len())
            .sum();
    }

    pub(super) fn change(&mut self, activity: Activity) {
        if let Some(old) = self
            .entries
            .iter_mut()
            .rev()
            .find(|old| old.id == activity.id)
        {
            *old = activity;
            return;
        }
        // The ending of one that was dropped for room.
        if activity.ending.is_some() {
            return;
        }
        self.bytes += activity.line.len();
        self.entries.push_back(activity);
        while self.entries.len() > MOST || (self.bytes > MOST_BYTES && self.entries.len() > 1) {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= oldest.line.len();
            }
        }
    }
}

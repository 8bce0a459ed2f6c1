//! Requests that a limit refused.

use crate::domain::failure::FaultClass;

/// Measured requests that a limit refused.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Refused {
    /// For their rate or a quota.
    pub(super) for_rate: u64,
    /// Of them by an ingress.
    pub(super) by_ingress: u64,
    /// For a full queue.
    pub(super) for_queue: u64,
}

impl Refused {
    pub(super) fn add(&mut self, class: Option<FaultClass>) {
        let ingress = class == Some(FaultClass::IngressLimited);
        self.for_rate += u64::from(ingress || class == Some(FaultClass::RateLimited));
        self.by_ingress += u64::from(ingress);
        self.for_queue += u64::from(class == Some(FaultClass::QueueFull));
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.for_rate += other.for_rate;
        self.by_ingress += other.by_ingress;
        self.for_queue += other.for_queue;
    }
}

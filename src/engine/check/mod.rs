//! The checks in Environments: whether everything that Batida needs works, and what to do otherwise.
//!
//! They run in parallel and are reported in a fixed order.

mod api;
mod cluster;
pub mod workers;

use std::collections::BTreeMap;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use crate::domain::failure::Failure;
use crate::domain::units;
use crate::protocol::{Check, Verdict};

/// Runs all checks. Each is reported when it and those before it have ended.
pub async fn run(connection: &Connection, cancel: &CancellationToken, tell: impl Fn(Check)) {
    let report = InOrder::new(&tell);
    let all = async {
        // The API check sends the names that it routes before it tests the key.
        let (send_routed, routed) = oneshot::channel();
        tokio::join!(
            cluster::run(connection, &report, routed),
            api::run(connection, cancel, &report, send_routed)
        );
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = all => {}
    }
}

/// The position of a check on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Kubectl,
    Cluster,
    Namespace,
    Rights,
    Resources,
    Release,
    Api,
    Key,
    Rate,
    Deployments,
}

impl Slot {
    const ALL: [Self; 10] = [
        Self::Kubectl,
        Self::Cluster,
        Self::Namespace,
        Self::Rights,
        Self::Resources,
        Self::Release,
        Self::Api,
        Self::Key,
        Self::Rate,
        Self::Deployments,
    ];
}

/// Reports checks in order, and holds back those that ended early.
struct InOrder<'a, F> {
    tell: &'a F,
    kept: Mutex<(usize, BTreeMap<Slot, Vec<Check>>)>,
}

impl<'a, F: Fn(Check)> InOrder<'a, F> {
    fn new(tell: &'a F) -> Self {
        Self {
            tell,
            kept: Mutex::default(),
        }
    }

    /// Adds results. Later results for the same slot replace earlier ones that were not reported yet.
    fn put(&self, slot: Slot, checks: Vec<Check>) {
        let mut kept = self.kept.lock();
        let (next, waiting) = &mut *kept;
        waiting.insert(slot, checks);
        while let Some(checks) = Slot::ALL.get(*next).and_then(|slot| waiting.remove(slot)) {
            *next += 1;
            checks.into_iter().for_each(self.tell);
        }
    }
}

fn good(title: &str, finding: String, began: Option<Instant>) -> Check {
    Check {
        title: title.to_owned(),
        verdict: Verdict::Good,
        finding,
        advice: String::new(),
        cli_advice: None,
        command: String::new(),
        details: String::new(),
        took: began.map(|began| began.elapsed()),
    }
}

fn bad(title: &str, failure: &Failure, began: Instant) -> Check {
    let wait = failure
        .retry_after
        .map(|wait| format!(" (try again in {})", units::duration(wait)));
    Check {
        title: title.to_owned(),
        verdict: Verdict::Bad,
        finding: format!("{}{}", failure.summary, wait.unwrap_or_default()),
        advice: failure.advice.clone(),
        cli_advice: failure.cli_advice.clone(),
        command: String::new(),
        details: failure.details.clone(),
        took: Some(began.elapsed()),
    }
}

fn skipped(title: &str, why: &str) -> Check {
    Check {
        title: title.to_owned(),
        verdict: Verdict::Skipped,
        finding: why.to_owned(),
        advice: String::new(),
        cli_advice: None,
        command: String::new(),
        details: String::new(),
        took: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_results_wait_for_their_turn() {
        let told = Mutex::new(Vec::new());
        let tell = |check: Check| told.lock().push(check.title);
        let order = InOrder::new(&tell);
        let check = |title: &str| vec![skipped(title, "")];
        order.put(Slot::Cluster, check("early"));
        order.put(Slot::Cluster, check("cluster"));
        assert!(told.lock().is_empty());
        order.put(Slot::Kubectl, check("kubectl"));
        order.put(Slot::Namespace, Vec::new());
        order.put(Slot::Rights, [check("a"), check("b")].concat());
        assert_eq!(*told.lock(), ["kubectl", "cluster", "a", "b"]);
    }
}

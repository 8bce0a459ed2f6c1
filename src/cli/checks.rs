//! `batida check`: what works and what does not, a line each.

use std::io::Write as _;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::args::{CheckArgs, Common};
use super::{Ended, out, report};
use crate::engine::connection::Connection;
use crate::engine::{check, in_cluster};
use crate::protocol::{Check, Verdict};
use crate::wire::worker::job;

pub(super) async fn run(
    common: &Common,
    connection: &Connection,
    args: &CheckArgs,
    cancel: &CancellationToken,
) -> Result<(), Ended> {
    let done = Mutex::new(Vec::new());
    let tell = |check: Check| {
        if !common.json {
            report::check(&check);
        }
        done.lock().push(check);
    };
    if args.in_cluster {
        let kubectl = in_cluster::kubectl_of(connection)?;
        let namespace = args
            .worker_namespace
            .as_deref()
            .unwrap_or(&kubectl.namespace);
        if args.rbac {
            let mut stdout = out::stdout();
            stdout.write_all(job::role(namespace).as_bytes())?;
            return Ok(stdout.flush()?);
        }
        let checking = check::workers::run(kubectl, namespace, tell);
        // What was found until then is told.
        let _ = cancel.run_until_cancelled(checking).await;
    } else {
        check::run(connection, cancel, tell).await;
    }
    let done = done.into_inner();
    if common.json {
        report::checks_json(&done)?;
    }
    let bad = done.iter().any(|check| check.verdict == Verdict::Bad);
    if bad || cancel.is_cancelled() {
        Err(Ended::Told)
    } else {
        Ok(())
    }
}

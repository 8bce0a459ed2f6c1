//! A time limit that costs no timer per request.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use tokio::task::coop::unconstrained;
use tokio::time::Sleep;

/// Gives things up at their deadlines, each later than the one before. Its timer is set anew only when it goes off:
/// setting and clearing one for each request is a part of what a request costs.
#[derive(Default)]
pub(super) struct TimeLimit(Option<Pin<Box<Sleep>>>);

impl TimeLimit {
    /// `None` when `work` is not done at `deadline`, or at the moment that `over` names.
    pub(super) async fn hold<T>(
        &mut self,
        deadline: Instant,
        over: impl Fn() -> Option<Instant>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let deadline = deadline.into();
        let sleep = self
            .0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            let over = over().map(tokio::time::Instant::from);
            if let Some(over) = over.filter(|over| *over < sleep.deadline()) {
                sleep.as_mut().reset(over);
            }
            let deadline = over.map_or(deadline, |over| over.min(deadline));
            // Work that never has to wait uses up the task's budget, which the timer then would not be given.
            while pin!(unconstrained(sleep.as_mut())).poll(context).is_ready() {
                if sleep.deadline() >= deadline {
                    return Poll::Ready(None);
                }
                sleep.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

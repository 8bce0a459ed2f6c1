//! Lets the requests of an open loop go, each at its moment, from a thread that can sleep to the tenth of a millisecond.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::World;
use super::feed::Prepared;
use super::level::Level;
use crate::domain::failure::Failure;

/// Requests of an open loop that are due and wait for one of the places in flight.
const MOST_QUEUED: u64 = 4_096;
/// How long those that are due beyond them are counted.
const COUNTING: Duration = Duration::from_millis(500);

/// When a request of an open loop is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) due: Instant,
    /// How long the session had been paused when it was worked out.
    pub(super) paused: Duration,
    /// It has waited for a place in flight since it was due.
    pub(super) held: bool,
}

/// Begins to let the level's requests go, to one worker after the other. True once it has let the last one go.
pub(super) fn start(
    level: Arc<Level>,
    world: Arc<World>,
    launchers: Vec<impl Fn(&Arc<Level>, Prepared, Moment) + Send + 'static>,
) -> Result<Arc<AtomicBool>, Failure> {
    let done = Arc::new(AtomicBool::new(false));
    let finished = Finished(Arc::clone(&done));
    let work = move || {
        let _finished = finished;
        pace(&level, &world, &launchers);
    };
    thread::Builder::new()
        .name("bench-pacer".to_owned())
        .spawn(work)
        .map_err(super::no_thread)?;
    Ok(done)
}

/// Lets each request go at its moment. A pause shifts all that follow.
fn pace(level: &Arc<Level>, world: &World, launchers: &[impl Fn(&Arc<Level>, Prepared, Moment)]) {
    let began = level.began();
    let before = world.pauses.until(began);
    // What was due before it last stopped holding back was held back with it.
    let mut released = None;
    for (turn, prepared) in level.feed.iter().enumerate() {
        let mut held = false;
        loop {
            let now = Instant::now();
            if level.closing.load(Ordering::Relaxed) || world.cancel.is_cancelled() {
                if held {
                    let due_by = (now - began)
                        .saturating_sub(world.pauses.until(now).saturating_sub(before));
                    level
                        .behind
                        .store(1 + due_in(level, due_by, now + COUNTING), Ordering::Release);
                }
                return;
            }
            if world.paused.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            let paused = world.pauses.until(now);
            let due = began + prepared.due.unwrap_or_default() + paused.saturating_sub(before);
            if world.at_ns(due) >= level.deadline.load(Ordering::Relaxed) {
                return;
            }
            let left = due.saturating_duration_since(now);
            if left.is_zero() && level.queued.load(Ordering::Relaxed) >= MOST_QUEUED {
                // It keeps its moment, so that its wait counts; only its bytes wait here.
                held = true;
                released = Some(now);
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            if left.is_zero() {
                let held = held || released.is_some_and(|released| due <= released);
                level.outstanding.fetch_add(1, Ordering::Relaxed);
                launchers[turn % launchers.len()](level, prepared, Moment { due, paused, held });
                break;
            }
            // In pieces, so that an end or a pause is seen.
            thread::sleep(left.min(Duration::from_millis(20)));
        }
    }
}

/// How many of the level's further requests were due by then. Counts until `deadline` at most: they are still being
/// written.
fn due_in(level: &Level, due_by: Duration, deadline: Instant) -> u64 {
    let next = || level.feed.recv_deadline(deadline).ok();
    std::iter::from_fn(next)
        .take_while(|next| next.due.unwrap_or_default() <= due_by)
        .count() as u64
}

/// Says so when it is dropped, also by a panic.
struct Finished(Arc<AtomicBool>);

impl Drop for Finished {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

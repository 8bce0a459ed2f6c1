//! What the demo counts of its requests, published as vLLM does.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Shared;
use crate::demo::model::{DemoModel, Quirk};

/// The bounds of vLLM's histograms of latency, in seconds.
const BOUNDS: [f64; 21] = [
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0, 1_920.0, 7_680.0,
];

/// The requests of one model.
#[derive(Debug)]
pub(super) struct Queue {
    model: String,
    /// `None` for a model that works on all at once.
    slots: Option<Arc<Semaphore>>,
    waiting: AtomicU64,
    running: AtomicU64,
    done: AtomicU64,
    waits: Mutex<Waits>,
}

/// How long requests waited.
#[derive(Debug, Default)]
struct Waits {
    /// Of those up to each bound that were longer than the bound before; then the rest.
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

/// A request's place among those that a model works on. Dropped when it has ended.
#[derive(Debug)]
pub(super) struct Place {
    queue: Arc<Queue>,
    _slot: Option<OwnedSemaphorePermit>,
    /// How long it waited for the place.
    pub(super) waited: Duration,
}

/// Counts a request that waits, however that ends.
struct Waiting<'a>(&'a Queue);

impl Queue {
    pub(super) fn of(model: &DemoModel) -> Self {
        let slots = match model.quirk {
            Quirk::Slots(slots) => Some(Arc::new(Semaphore::new(slots as usize))),
            _ => None,
        };
        Self {
            model: model.name.clone(),
            slots,
            waiting: AtomicU64::new(0),
            running: AtomicU64::new(0),
            done: AtomicU64::new(0),
            waits: Mutex::default(),
        }
    }

    /// Waits for a place, first come, first served.
    pub(super) async fn enter(self: &Arc<Self>, came: Instant) -> Place {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(self);
        let slot = match &self.slots {
            // It is never closed.
            Some(slots) => Arc::clone(slots).acquire_owned().await.ok(),
            None => None,
        };
        drop(waiting);
        self.running.fetch_add(1, Ordering::Relaxed);
        let waited = if slot.is_some() {
            came.elapsed()
        } else {
            Duration::ZERO
        };
        self.waits.lock().add(waited);
        Place {
            queue: Arc::clone(self),
            _slot: slot,
            waited,
        }
    }
}

impl Waits {
    fn add(&mut self, waited: Duration) {
        let seconds = waited.as_secs_f64();
        let at = BOUNDS
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(BOUNDS.len());
        self.counts[at] += 1;
        self.sum += waited;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.running.fetch_sub(1, Ordering::Relaxed);
        self.queue.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// `GET /metrics`, for which vLLM wants no key either.
pub(super) async fn page(State(shared): State<Arc<Shared>>) -> Response {
    let headers = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (headers, text(&shared.queues)).into_response()
}

fn text(queues: &[Arc<Queue>]) -> String {
    let mut out = String::new();
    let mut simple = |name: &str, kind: &str, help: &str, of: fn(&Queue) -> &AtomicU64| {
        // Writing to a text cannot fail, here and below.
        let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for queue in queues {
            let value = of(queue).load(Ordering::Relaxed);
            let _ = writeln!(
                out,
                "{name}{{engine=\"0\",model_name=\"{}\"}} {value}.0",
                queue.model
            );
        }
    };
    simple(
        "vllm:num_requests_running",
        "gauge",
        "Number of requests in model execution batches.",
        |queue| &queue.running,
    );
    simple(
        "vllm:num_requests_waiting",
        "gauge",
        "Number of requests waiting to be processed.",
        |queue| &queue.waiting,
    );
    simple(
        "vllm:request_success_total",
        "counter",
        "Count of processed requests.",
        |queue| &queue.done,
    );
    let name = "vllm:request_queue_time_seconds";
    let help = "Histogram of time spent in WAITING phase for request.";
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} histogram\n");
    for queue in queues {
        let waits = queue.waits.lock();
        let model = &queue.model;
        let mut all = 0;
        let bounds = BOUNDS
            .iter()
            .map(|bound| format!("{bound:?}"))
            .chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(waits.counts) {
            all += count;
            let _ = writeln!(
                out,
                "{name}_bucket{{engine=\"0\",le=\"{bound}\",model_name=\"{model}\"}} {all}.0"
            );
        }
        let _ = writeln!(
            out,
            "{name}_count{{engine=\"0\",model_name=\"{model}\"}} {all}.0"
        );
        let _ = writeln!(
            out,
            "{name}_sum{{engine=\"0\",model_name=\"{model}\"}} {}",
            waits.sum.as_secs_f64()
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::scrape::{Engine, read};

    #[tokio::test]
    async fn the_page_says_who_runs_and_who_waits() {
        let queue = Arc::new(Queue::of(&DemoModel::quick("m", Quirk::Slots(1))));
        let other = Arc::new(Queue::of(&DemoModel::quick("other", Quirk::None)));
        let first = queue.enter(Instant::now()).await;
        let second = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.enter(Instant::now()).await }
        });
        while queue.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let all = [Arc::clone(&queue), other];
        let page = read(&text(&all), "m").expect("vLLM's");
        assert_eq!(page.engines, [Engine::Vllm]);
        assert_eq!(
            (page.reading.running, page.reading.queue),
            (Some(1.0), Some(1.0))
        );
        drop(first);
        let second = second.await.expect("it got the place");
        assert!(second.waited > Duration::ZERO);
        let page = read(&text(&all), "m").expect("vLLM's");
        assert_eq!(
            (page.reading.running, page.reading.queue),
            (Some(1.0), Some(0.0))
        );
        drop(second);
        assert_eq!(
            read(&text(&all), "m").expect("vLLM's").reading.running,
            Some(0.0)
        );
        assert!(
            text(&all).contains(
                "vllm:request_queue_time_seconds_count{engine=\"0\",model_name=\"m\"} 2.0"
            )
        );
    }
}

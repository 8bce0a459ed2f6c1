//! What a page of metrics says of a model: the names that each serving engine gives to the same few figures.

mod names;
mod series;

use std::collections::{BTreeMap, HashMap};

pub use self::names::Engine;
use self::names::{Figure, NAMES};
pub use self::series::Readings;
use crate::wire::prometheus::{Sample, samples};

/// Labels that hold a model's name: vLLM's and SGLang's, the router's.
const MODEL_LABELS: [&str; 3] = ["model_name", "model", "served_model_name"];
/// More models than any page is about.
const MAX_MODELS: usize = 1_000;

/// What one page, or the pages of several pods, said at a moment. Absent: not said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// Requests that wait.
    pub queue: Option<f64>,
    /// Requests being worked on.
    pub running: Option<f64>,
    /// The used part of the KV cache, 0 to 1.
    pub cache_use: Option<f64>,
    /// The busy part of the workers, 0 to 1.
    pub workers_busy: Option<f64>,
    /// For how long the request that has waited longest has been waiting, in seconds.
    pub longest_wait_s: Option<f64>,
    /// Since the server started.
    preemptions: Option<f64>,
    /// Tokens found in the prefix cache, since the server started.
    cache_hits: Option<f64>,
    /// Tokens looked for.
    cache_queries: Option<f64>,
    /// The share found, where the server says it itself.
    cache_hit_rate: Option<f64>,
    /// How long requests waited, in seconds: how many up to each bound, by the bits of the bound, which ascend as the
    /// bounds do.
    queue_time: BTreeMap<u64, f64>,
    /// How long they waited together, in seconds.
    queue_time_sum: Option<f64>,
}

/// What a page says, and of whom it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// Whose names it has.
    pub engines: Vec<Engine>,
    /// What it says of the model.
    pub reading: Reading,
}

/// The values of one model, before it is known which of several names counts.
#[derive(Debug, Default)]
struct Found {
    /// By figure, and the place of the name in [`NAMES`].
    values: BTreeMap<(Figure, usize), Vec<f64>>,
    buckets: BTreeMap<u64, f64>,
}

/// Reads a page for a model. `None` when no engine that is known wrote it.
///
/// Where series name a model, those of this one count; those of the only model that a page names count too, as a server
/// may name it by its path. Of several other models none does.
pub fn read(page: &str, model: &str) -> Option<Page> {
    let mut engines: Vec<Engine> = Vec::new();
    let mut models: HashMap<Option<String>, Found> = HashMap::new();
    for sample in samples(page) {
        let Some((place, known)) = names::find(sample.name) else {
            continue;
        };
        if !engines.contains(&known.engine) {
            engines.push(known.engine);
        }
        if known.figure.is_left_out(&sample) || sample.value.is_nan() {
            continue;
        }
        let of = MODEL_LABELS.iter().find_map(|label| sample.label(label));
        let of = of.map(|name| name.to_lowercase());
        if models.len() >= MAX_MODELS && !models.contains_key(&of) {
            continue;
        }
        models
            .entry(of)
            .or_default()
            .add(place, known.figure, &sample);
    }
    if engines.is_empty() {
        return None;
    }
    let wanted = Some(model.to_lowercase());
    let named = models.keys().flatten().count();
    let mut found = models.remove(&None).unwrap_or_default();
    let own = models.remove(&wanted).or_else(|| {
        let only = models.into_values().next();
        only.filter(|_| named == 1)
    });
    if let Some(own) = own {
        found.join(own);
    }
    Some(Page {
        engines,
        reading: found.reading(),
    })
}

impl Found {
    fn add(&mut self, place: usize, figure: Figure, sample: &Sample<'_>) {
        if figure == Figure::QueueTime {
            let bound = sample
                .label("le")
                .and_then(|bound| bound.parse::<f64>().ok());
            if let Some(bound) = bound.filter(|bound| *bound >= 0.0) {
                *self.buckets.entry(bound.to_bits()).or_default() += sample.value;
            }
            return;
        }
        self.values
            .entry((figure, place))
            .or_default()
            .push(sample.value);
    }

    fn join(&mut self, other: Self) {
        for (key, values) in other.values {
            self.values.entry(key).or_default().extend(values);
        }
        for (bound, count) in other.buckets {
            *self.buckets.entry(bound).or_default() += count;
        }
    }

    /// Of several names of a figure the first counts: a newer version writes its former name as well.
    fn reading(self) -> Reading {
        let of = |figure: Figure| {
            let mut named = self.values.range((figure, 0)..=(figure, NAMES.len()));
            let (_, values) = named.next()?;
            Some(figure.fold(values))
        };
        Reading {
            queue: of(Figure::Queue),
            running: of(Figure::Running),
            cache_use: of(Figure::CacheUse),
            workers_busy: of(Figure::WorkersBusy),
            longest_wait_s: of(Figure::LongestWait),
            preemptions: of(Figure::Preemptions),
            cache_hits: of(Figure::CacheHits),
            cache_queries: of(Figure::CacheQueries),
            cache_hit_rate: of(Figure::CacheHitRate),
            queue_time: self.buckets,
            queue_time_sum: of(Figure::QueueTimeSum),
        }
    }
}

impl Reading {
    /// What several pods say of the same model at the same moment: queues are added up, of caches the fullest counts.
    pub fn joined(pods: &[Self]) -> Self {
        let values =
            |of: fn(&Self) -> Option<f64>| pods.iter().filter_map(of).collect::<Vec<f64>>();
        let fold = |figure: Figure, of| {
            let values = values(of);
            (!values.is_empty()).then(|| figure.fold(&values))
        };
        let mut queue_time = BTreeMap::new();
        for (bound, count) in pods.iter().flat_map(|pod| &pod.queue_time) {
            *queue_time.entry(*bound).or_default() += count;
        }
        Self {
            queue: fold(Figure::Queue, |r| r.queue),
            running: fold(Figure::Running, |r| r.running),
            cache_use: fold(Figure::CacheUse, |r| r.cache_use),
            workers_busy: fold(Figure::WorkersBusy, |r| r.workers_busy),
            longest_wait_s: fold(Figure::LongestWait, |r| r.longest_wait_s),
            preemptions: fold(Figure::Preemptions, |r| r.preemptions),
            cache_hits: fold(Figure::CacheHits, |r| r.cache_hits),
            cache_queries: fold(Figure::CacheQueries, |r| r.cache_queries),
            cache_hit_rate: fold(Figure::CacheHitRate, |r| r.cache_hit_rate),
            queue_time,
            queue_time_sum: fold(Figure::QueueTimeSum, |r| r.queue_time_sum),
        }
    }

    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests;

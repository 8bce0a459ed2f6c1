//! What is looked at beside the requests, once a second: the server's own metrics, and how long the network takes.
//!
//! Both are tasks of the runtime that awaits the session, never of the measuring threads. They end with the session.

mod find;
mod source;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use self::source::Source;
use super::World;
use crate::domain::plan::{MetricsSource, Plan};
use crate::domain::run::{LevelReport, MetricsOrigin, Network, ServerPoint};
use crate::io::kubectl::Kubectl;
use crate::metrics::scrape::{Reading, Readings};
use crate::metrics::stats::{Histogram, Scale};

/// How often both are looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// A source that is slow is read for at most one part of so many of the time.
const PARTS_OF_TIME: u32 = 4;

/// The tasks, and what they found.
pub(super) struct Beside {
    found: Receiver<Found>,
    _tasks: Vec<AbortOnDropHandle<()>>,
    /// The model whose metrics are wanted.
    model: Arc<Mutex<String>>,
    /// A level has begun: each has a connection timed, however short it is.
    begun: Arc<Notify>,
    to_proxy: bool,
    readings: Readings,
    connects: Histogram,
    /// What the window has not been told yet.
    points: Vec<ServerPoint>,
    origin: Option<MetricsOrigin>,
    origin_is_new: bool,
}

enum Found {
    Origin(MetricsOrigin),
    Reading(Duration, Reading),
    Connected(Duration),
}

impl Beside {
    /// Begins to look.
    pub(super) fn start(
        world: &Arc<World>,
        plan: &Plan,
        kubectl: Option<&Kubectl>,
        sends_here: bool,
    ) -> Self {
        let (tell, found) = crossbeam_channel::unbounded();
        let model = Arc::new(Mutex::new(String::new()));
        let begun = Arc::new(Notify::new());
        let mut tasks = Vec::new();
        if plan.server_metrics != MetricsSource::Off {
            // Requests that are sent elsewhere take another way.
            if sends_here {
                let connecting = connect(Arc::clone(world), Arc::clone(&begun), tell.clone());
                tasks.push(AbortOnDropHandle::new(tokio::spawn(connecting)));
            }
            let reading = Scraper {
                world: Arc::clone(world),
                source: plan.server_metrics.clone(),
                deployments: find::deployments(plan),
                kubectl: kubectl.cloned(),
                model: Arc::clone(&model),
                tell,
            };
            tasks.push(AbortOnDropHandle::new(tokio::spawn(reading.run())));
        }
        Self {
            found,
            _tasks: tasks,
            model,
            begun,
            to_proxy: world.api.proxy().is_some(),
            readings: Readings::default(),
            connects: Histogram::new(Scale::Time),
            points: Vec::new(),
            origin: None,
            origin_is_new: false,
        }
    }

    /// A level begins: what was seen before it is not its own.
    pub(super) fn begin(&mut self, model: &str) {
        model.clone_into(&mut self.model.lock());
        self.fold();
        self.readings.clear();
        self.connects = Histogram::new(Scale::Time);
        self.begun.notify_one();
    }

    /// Takes what was found since.
    pub(super) fn fold(&mut self) {
        for found in self.found.try_iter() {
            match found {
                Found::Origin(origin) => {
                    self.origin_is_new = true;
                    self.origin = Some(origin);
                }
                Found::Connected(took) => self.connects.record(took),
                Found::Reading(at, reading) => {
                    self.points.push(ServerPoint {
                        at_s: at.as_secs_f64(),
                        queue: reading.queue,
                        running: reading.running,
                        workers_busy: reading.workers_busy,
                        cache_use: reading.cache_use,
                    });
                    self.readings.add(at, reading);
                }
            }
        }
    }

    /// Puts both into a level's report: the metrics of its steady part, or of the whole level where there was none.
    pub(super) fn describe(&self, level: &mut LevelReport) {
        let whole = || {
            let began = level.began_s?;
            Some([began, began + level.took_s?])
        };
        let window = level.steady_s.or_else(whole);
        level.server_metrics = window.and_then(|window| {
            self.readings
                .between(window.map(|s| Duration::from_secs_f64(s.max(0.0))))
        });
        level.network = (self.connects.count() > 0).then(|| Network {
            connect_ms: self.connects.stats(),
            to_proxy: self.to_proxy,
        });
    }

    /// Where the metrics come from, as far as it is known.
    pub(super) fn origin(&self) -> Option<MetricsOrigin> {
        self.origin.clone()
    }

    /// What the listener has not been told yet: readings, and what is said of their origin.
    pub(super) fn take(&mut self) -> (Vec<ServerPoint>, Option<String>) {
        let is_new = std::mem::take(&mut self.origin_is_new);
        let told = self
            .origin
            .as_ref()
            .filter(|_| is_new)
            .map(MetricsOrigin::told);
        (std::mem::take(&mut self.points), told)
    }
}

/// Opens a connection every second, and when a level begins.
async fn connect(world: Arc<World>, begun: Arc<Notify>, tell: Sender<Found>) {
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = begun.notified() => {}
        }
        // The requests tell why a connection cannot be opened.
        if let Ok(took) = world.dialer.measure_connect().await
            && tell.send(Found::Connected(took)).is_err()
        {
            return;
        }
    }
}

/// Reads the metrics every second.
struct Scraper {
    world: Arc<World>,
    source: MetricsSource,
    /// Whose pods are looked at.
    deployments: Vec<String>,
    kubectl: Option<Kubectl>,
    model: Arc<Mutex<String>>,
    tell: Sender<Found>,
}

/// How the readings went.
#[derive(Default)]
struct Tried {
    all: u64,
    failed: u64,
    /// Said something of the model.
    said: u64,
}

impl Scraper {
    async fn run(self) {
        let mut origin = MetricsOrigin::default();
        let mut source = match self.find().await {
            Ok(source) => source,
            Err(why) => {
                origin.note = Some(format!("none: {why}"));
                // Fails only when the session is over, here and below.
                let _ = self.tell.send(Found::Origin(origin));
                return;
            }
        };
        let mut tried = Tried::default();
        loop {
            let began = Instant::now();
            let model = self.model.lock().clone();
            let mut known = origin.clone();
            match source.read(&model).await {
                Ok(page) => {
                    known.from = source.told();
                    for engine in page.engines {
                        let name = engine.name().to_owned();
                        if !known.engines.contains(&name) {
                            known.engines.push(name);
                        }
                    }
                    tried.add(Ok(!page.reading.is_empty()));
                    known.note = tried.note(&model, None);
                    if !page.reading.is_empty() {
                        let at = self.world.at(Instant::now());
                        let _ = self.tell.send(Found::Reading(at, page.reading));
                    }
                }
                Err(why) => {
                    tried.add(Err(()));
                    known.note = tried.note(&model, Some(&why));
                }
            }
            if known != origin {
                origin = known;
                if self.tell.send(Found::Origin(origin.clone())).is_err() {
                    return;
                }
            }
            let took = began.elapsed();
            tokio::time::sleep(INTERVAL.max(took * PARTS_OF_TIME).saturating_sub(took)).await;
        }
    }

    async fn find(&self) -> Result<Source, String> {
        let api = &self.world.api;
        match &self.source {
            MetricsSource::Off => Err("they are off".to_owned()),
            MetricsSource::Url(url) => find::page(api, url)
                .await
                .map(|page| Source::Page(Box::new(page))),
            MetricsSource::Pods => find::pods(self.kubectl.as_ref(), &self.deployments)
                .await
                .map(|pods| Source::Pods(Box::new(pods))),
            MetricsSource::Auto => {
                let own = match find::own_page(api).await {
                    Ok(page) => return Ok(Source::Page(Box::new(page))),
                    Err(why) => why,
                };
                if self.kubectl.is_none() {
                    return Err(own);
                }
                let pods = find::pods(self.kubectl.as_ref(), &self.deployments).await;
                pods.map(|pods| Source::Pods(Box::new(pods)))
                    .map_err(|why| format!("{own}; {why}"))
            }
        }
    }
}

impl Tried {
    fn add(&mut self, outcome: Result<bool, ()>) {
        self.all += 1;
        self.failed += u64::from(outcome.is_err());
        self.said += u64::from(outcome == Ok(true));
    }

    /// What is to be known of the readings so far.
    fn note(&self, model: &str, why: Option<&str>) -> Option<String> {
        if self.failed > 0 {
            let (failed, all) = (self.failed, self.all);
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            return Some(format!("{failed} of {all} readings failed{why}"));
        }
        (self.said == 0).then(|| format!("nothing is said of {model}"))
    }
}

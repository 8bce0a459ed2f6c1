//! The session that a worker serves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::watch as steering;
use tokio_util::sync::CancellationToken;

use super::level::ServedLevel;
use super::outgoing::Rows;
use crate::domain::environment::EnvId;
use crate::domain::failure::Failure;
use crate::domain::history::Said;
use crate::domain::plan::{Load, Plan, Prompts};
use crate::domain::run::Steer;
use crate::engine::bench::calibration::{self, OneToken};
use crate::engine::bench::crew::LocalCrew;
use crate::engine::bench::files::Files;
use crate::engine::bench::{Controls, World, files_suffice, is_sound};
use crate::io::activity::Recorder;
use crate::io::api::{Api, Trust};
use crate::io::limits;
use crate::io::worker_files::{self, KeptFile};
use crate::io::worker_key::WorkerKey;
use crate::io::worker_pipes::AnswerWriter;
use crate::prompts::PromptSource;
use crate::wire::worker::rows::WorkerRow;
use crate::wire::worker::{
    LevelOrder, LevelOver, PlanFile, WorkerAnswer, WorkerOrder, WorkerSession,
};

/// Rows are told when so many bytes wait, or with the next counts.
const ENOUGH_ROWS: usize = 64 << 10;
/// What is in flight has so long to be let go of.
const LETTING_GO: Duration = Duration::from_secs(1);

/// A session under way.
pub(super) struct ServedSession {
    pub(super) world: Arc<World>,
    pub(super) crew: LocalCrew,
    pub(super) plan: Plan,
    files: Arc<Files>,
    cancel: CancellationToken,
    steer: steering::Sender<Steer>,
    level: Option<ServedLevel>,
    rows: Rows,
    /// Removed with the session.
    _files: Vec<KeptFile>,
}

impl ServedSession {
    /// Gets ready for it.
    pub(super) async fn begin(asked: WorkerSession, key: &WorkerKey) -> Result<Self, Failure> {
        let WorkerSession {
            id,
            mut plan,
            prompts,
            trace,
            api,
            texts,
            ..
        } = asked;
        is_sound(&plan)?;
        let mut kept = Vec::new();
        if let (Prompts::File(path), Some(file)) = (&mut plan.prompts, prompts) {
            *path = keep(&file, &mut kept)?;
        }
        if let (Load::Trace { file: path, .. }, Some(file)) = (&mut plan.load, trace) {
            *path = keep(&file, &mut kept)?;
        }
        let access = key.access(&api)?;
        let ca_file = match &api.ca_pem {
            Some(pem) => Some(worker_files::keep(pem.as_bytes(), &mut kept)?),
            None => None,
        };
        let trust = Trust {
            ca_file,
            accept_invalid_certs: api.accept_invalid_certs,
            client: None,
        };
        let recorder = Recorder::new(EnvId::ad_hoc(), |_| {});
        let open = move || Api::new(api.address, access, trust, recorder);
        // Reading certificates blocks.
        let api = tokio::task::spawn_blocking(open).await;
        let api = api.map_err(|error| {
            Failure::new("Batida failed to open the API", "Please report it")
                .with_details(error.to_string())
        })??;
        files_suffice(&plan, limits::raise_open_files(), limits::open_files())?;
        let files = Arc::new(Files::read(&plan).await?);
        let (steer, steered) = steering::channel(Steer::Resume);
        let cancel = CancellationToken::new();
        let controls = Controls {
            cancel: cancel.clone(),
            steer: steered,
        };
        let world = Arc::new(World {
            id,
            ..World::of(&plan, &api, texts, &controls)
        });
        let crew = LocalCrew::start(Arc::clone(&world), plan.clone(), Arc::clone(&files))?;
        Ok(Self {
            world,
            crew,
            plan,
            files,
            cancel,
            steer,
            level: None,
            rows: Rows::default(),
            _files: kept,
        })
    }

    pub(super) fn lanes(&self) -> usize {
        self.crew.threads()
    }

    /// Whether no level is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.level.is_none()
    }

    pub(super) fn take(&mut self, order: WorkerOrder, out: &mut AnswerWriter) {
        match order {
            WorkerOrder::Ping { n } => out.tell(&WorkerAnswer::Pong {
                n,
                at_ns: self.world.now_ns(),
            }),
            WorkerOrder::Ask {
                n,
                model,
                params,
                text,
            } => {
                let asking = OneToken {
                    world: Arc::clone(&self.world),
                    params: *params,
                    cancel: self.cancel.clone(),
                    elsewhere: None,
                };
                let out = out.clone();
                tokio::spawn(async move {
                    let result = calibration::ask_once(&asking, &model, text).await;
                    let result = result.map(Box::new).map_err(Box::new);
                    out.tell(&WorkerAnswer::Asked { n, result });
                });
            }
            WorkerOrder::Level(order) => match self.prepare(*order) {
                Ok(level) => self.level = Some(level),
                Err(failure) => out.tell(&WorkerAnswer::Fault(Box::new(failure))),
            },
            WorkerOrder::Go { at_ns } => {
                let at = self.world.began + Duration::from_nanos(at_ns);
                if let Some(level) = &mut self.level
                    && let Err(failure) = level.go(&self.crew, &self.plan, at)
                {
                    out.tell(&WorkerAnswer::Fault(Box::new(failure)));
                }
            }
            WorkerOrder::Deadline { at_ns } => {
                self.in_level(|level| level.deadline.store(at_ns.max(1), Ordering::Relaxed));
            }
            WorkerOrder::Close => {
                self.in_level(|level| level.closing.store(true, Ordering::Relaxed));
            }
            WorkerOrder::Pause => self.pause(true),
            WorkerOrder::Resume => self.pause(false),
            WorkerOrder::Stop => self.world.cancel.cancel(),
            WorkerOrder::Session(_) | WorkerOrder::Bye | WorkerOrder::Unknown => {}
        }
    }

    fn in_level(&self, change: impl FnOnce(&crate::engine::bench::level::Level)) {
        if let Some(level) = &self.level {
            change(&level.shared);
        }
    }

    fn pause(&self, paused: bool) {
        self.world.pauses.set(paused, Instant::now());
        self.world.paused.store(paused, Ordering::Relaxed);
        let steer = if paused { Steer::Pause } else { Steer::Resume };
        // Fails only when nobody waits for it.
        let _ = self.steer.send(steer);
    }

    fn prepare(&mut self, order: LevelOrder) -> Result<ServedLevel, Failure> {
        self.crew.counters.go_on_from(order.from);
        let material = self.files.material.clone();
        let mut source = PromptSource::new(&self.plan, material, Some(order.fit))?;
        if let Some(trace) = &self.files.trace {
            source = source.with_trace(trace.clone());
        }
        let shared = self.crew.prepare(&order, &source)?;
        self.crew.dial(&order);
        Ok(ServedLevel::new(order, shared))
    }

    /// Tells what has happened.
    pub(super) fn tick(&mut self, out: &mut AnswerWriter) {
        // Asked before folding: what was told before the last one was done is folded below.
        let over = self.level.as_ref().is_some_and(ServedLevel::is_over);
        self.fold(out);
        let Some(level) = &mut self.level else { return };
        level.look_ready(&self.crew, out);
        if over || level.is_due() || self.rows.waiting() >= ENOUGH_ROWS {
            self.rows.tell(out);
        }
        if over {
            let over = level.over(self.world.as_ref(), &self.crew, &self.rows);
            self.level = None;
            out.tell(&WorkerAnswer::Over(Box::new(over)));
        } else if level.is_due() {
            let seen = level.seen(&self.world, &self.crew);
            out.tell(&WorkerAnswer::Seen(Box::new(seen)));
        }
    }

    fn fold(&mut self, out: &AnswerWriter) {
        use crate::engine::bench::worker::WorkerEvent;
        for event in self.crew.events.try_iter() {
            match event {
                WorkerEvent::Ended(record, said) => {
                    let said = said.map(|said| self.clean(*said));
                    let record = Arc::unwrap_or_clone(record);
                    let row = WorkerRow { record, said };
                    self.rows.add(&row, out);
                }
                event => {
                    if let Some(level) = &mut self.level {
                        level.hear(event);
                    }
                }
            }
        }
    }

    /// An answer may repeat the key.
    fn clean(&self, said: Said) -> Said {
        let clean = |text: String| self.world.api.clean(&text);
        Said {
            prompt: clean(said.prompt),
            reasoning: clean(said.reasoning),
            answer: clean(said.answer),
        }
    }

    /// Closes every connection and tells what there is; `why`, where nobody has ordered it.
    pub(super) async fn end(mut self, out: &mut AnswerWriter, why: Option<String>) {
        self.cancel.cancel();
        self.world.cancel.cancel();
        let began = Instant::now();
        while let Some(level) = &self.level
            && level.is_busy()
            && began.elapsed() < LETTING_GO
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.fold(out);
        self.rows.tell(out);
        if let Some(level) = &mut self.level {
            let over = LevelOver {
                cut: why,
                ..level.over(&self.world, &self.crew, &self.rows)
            };
            out.tell(&WorkerAnswer::Over(Box::new(over)));
        }
    }
}

fn keep(file: &PlanFile, kept: &mut Vec<KeptFile>) -> Result<std::path::PathBuf, Failure> {
    let bytes = STANDARD.decode(&file.base64).map_err(|error| {
        Failure::new("A file of the plan came damaged", "Run it again")
            .with_details(error.to_string())
    })?;
    worker_files::keep(&bytes, kept)
}

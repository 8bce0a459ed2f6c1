//! One request: sent, its response received, its record made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::response::{IncomingResponse, NOT_OVER};
use super::time_limit::TimeLimit;
use super::{WorkerEvent, WorkerThread};
use crate::domain::history::Said;
use crate::domain::model_name::other_model;
use crate::domain::printable::cut;
use crate::engine::bench::feed;
use crate::engine::bench::level::Level;
use crate::engine::chat::MAX_NAME_CHARS;
use crate::io::http1::{Dialer, Ended, HttpConnection, WireError};
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::wire::answer::{AnswerReader, NewText};
use crate::wire::fault::Fault;

/// How long the end of a response is waited for behind its `[DONE]`.
const DRAIN: Duration = Duration::from_millis(250);
/// The same at a server that has once not ended one by then.
const DRAIN_HELD_OPEN: Duration = Duration::from_millis(2);

/// What a request takes besides a connection.
#[derive(Default)]
pub(super) struct Scratch {
    reader: AnswerReader,
    limit: TimeLimit,
}

/// A connection, and how long opening it took until a request has told of that.
pub(super) struct PooledConnection {
    connection: HttpConnection,
    took: Option<Duration>,
}

impl PooledConnection {
    pub(super) async fn dial(dialer: &Dialer) -> Result<Self, WireError> {
        let began = Instant::now();
        let connection = dialer.dial().await?;
        Ok(Self {
            connection,
            took: Some(began.elapsed()),
        })
    }
}

/// What became of a request.
pub(super) enum RequestOutcome {
    /// It was told. The answer is there where a later turn needs it.
    Done { failed: bool, answer: String },
    /// The server does not take a field of it: this is to be sent instead.
    Refused {
        again: RequestContext,
        instead: Bytes,
    },
}

/// What is to be known of a request beside its bytes.
pub(super) struct RequestContext {
    pub(super) index: u64,
    pub(super) phase: Phase,
    pub(super) due: Option<Instant>,
    /// Tokens that its prompt was to have.
    pub(super) wanted_prompt_tokens: Option<u32>,
    /// The last message, where the listener wants it with the answer.
    pub(super) prompt: Option<String>,
    /// It begins a conversation.
    pub(super) first_turn: bool,
    /// A later turn needs the answer.
    pub(super) wants_answer: bool,
}

impl RequestContext {
    fn keeps_text(&self) -> bool {
        self.wants_answer || self.prompt.is_some()
    }

    /// The answer for a later turn, empty where there is none, and what the listener wants of the texts.
    fn texts(self, response: &mut IncomingResponse<'_>) -> (String, Option<Box<Said>>) {
        if !self.keeps_text() {
            return (String::new(), None);
        }
        let NewText {
            reasoning, answer, ..
        } = response.text();
        let Some(prompt) = self.prompt else {
            return (answer, None);
        };
        let for_next = if self.wants_answer {
            answer.clone()
        } else {
            String::new()
        };
        let said = Said {
            prompt,
            reasoning,
            answer,
        };
        (for_next, Some(Box::new(said)))
    }
}

impl WorkerThread {
    /// Sends one request, receives its response and reports it. One that is refused for a field that Batida added is
    /// not reported: it is to be sent without that field.
    pub(super) async fn request(
        &self,
        level: &Level,
        context: RequestContext,
        request: &[u8],
    ) -> RequestOutcome {
        let world = &*self.world;
        let begun = Instant::now();
        let mut scratch = self.scratch.lock().pop().unwrap_or_default();
        let Scratch { reader, limit } = &mut *scratch;
        reader.renew(context.keeps_text());
        let over_at = AtomicU64::new(NOT_OVER);
        let measured = context.phase.is_load();
        let hang_up = match context.phase {
            Phase::HangUp => world
                .clients
                .hang_up(context.index)
                .map(|after| begun + after),
            _ => None,
        };
        let mut response = IncomingResponse::begin(
            self,
            level,
            reader,
            &over_at,
            (context.index, begun, measured),
        );
        response.flight(context.due.unwrap_or(begun));
        if measured {
            let now = world.at_ns(begun);
            level.first_measured.fetch_min(now, Ordering::Relaxed);
            if context.first_turn {
                level.last_sent.fetch_max(now, Ordering::Relaxed);
            }
        }
        let over = || {
            let over = match over_at.load(Ordering::Relaxed) {
                NOT_OVER => None,
                ns => Some(world.began + Duration::from_nanos(ns)),
            };
            over.into_iter().chain(hang_up).min()
        };
        let exchange = self.exchange(request, &mut response);
        let outcome = limit.hold(begun + world.timeout, over, exchange).await;
        let end = match &outcome {
            Some(Ok(_)) => response.whole.unwrap_or_else(Instant::now),
            _ => Instant::now(),
        };
        let due = context.due.unwrap_or(response.sent);
        let hung_up = outcome.is_none() && hang_up.is_some_and(|at| at <= end);
        let (connection, fault) = match response.over() {
            None if hung_up => (None, Some(Fault::hung_up())),
            _ => self.judge(level, outcome, &mut response, end),
        };
        if let Some(fault) = &fault
            && let Some(instead) = self.adapt(level, fault, &context, request)
        {
            // Neither a request nor one that was given up.
            response.reported = true;
            drop(response);
            self.scratch.lock().push(scratch);
            if let Some(pooled) = connection.filter(|pooled| pooled.connection.is_drained()) {
                self.pool.lock().push(pooled);
            }
            return RequestOutcome::Refused {
                again: context,
                instead,
            };
        }
        let (failed, answer) = self.report(level, context, fault, &mut response, (due, end));
        drop(response);
        self.scratch.lock().push(scratch);
        if let Some(pooled) = connection {
            self.give_back(pooled).await;
        }
        RequestOutcome::Done { failed, answer }
    }

    /// The connection that can be used again, and why the response is no good answer.
    fn judge(
        &self,
        level: &Level,
        outcome: Option<Result<PooledConnection, WireError>>,
        response: &mut IncomingResponse<'_>,
        end: Instant,
    ) -> (Option<PooledConnection>, Option<Fault>) {
        let world = &*self.world;
        let broken = match outcome {
            Some(Ok(open)) => return (Some(open), response.verdict(end, level)),
            broken => broken,
        };
        // The answer may be complete although its connection did not end in good order.
        let fault = match (response.over(), broken) {
            (Some(verdict), _) => verdict,
            (None, Some(Err(error))) => Some(world.api.fault_of_wire(&error, &level.model)),
            (None, _) => {
                let came = response.came();
                Some(world.api.fault_of_time(world.timeout, came, &level.model))
            }
        };
        (None, fault)
    }

    /// The request without the field that the server refused, where Batida added that field.
    fn adapt(
        &self,
        level: &Level,
        fault: &Fault,
        context: &RequestContext,
        request: &[u8],
    ) -> Option<Bytes> {
        let refused = Some(fault.refused).filter(|refused| !refused.is_usual())?;
        let instead = feed::adapted(request, refused, context.index, &self.world)?;
        self.world.api.learn(&level.model, refused);
        Some(instead)
    }

    /// Makes the record of a request and sends it to the session; gives whether the request failed, and the answer's
    /// text where a later turn needs it.
    fn report(
        &self,
        level: &Level,
        context: RequestContext,
        fault: Option<Fault>,
        response: &mut IncomingResponse<'_>,
        (due, end): (Instant, Instant),
    ) -> (bool, String) {
        let world = &*self.world;
        let ended = response.ended.unwrap_or(end);
        let wanted_prompt_tokens = context.wanted_prompt_tokens;
        let (index, phase) = (context.index, context.phase);
        let (answer, said) = context.texts(response);
        let error = fault.map(|fault| RequestError {
            class: Some(fault.class),
            status: fault.status,
            text: fault.failure.summary,
        });
        if response.measured && response.is_stamped && error.is_none() {
            let late = Instant::now().saturating_duration_since(ended);
            self.counts.reads.lock().ended(late);
        }
        response.landed(ended, error.is_some());
        let figures = response.reader.figures();
        if figures.at_once {
            response.reader.drop_gaps();
        }
        let other = other_model(&level.model, response.reader.model());
        let answered_by =
            other.map(|model| cut(&world.api.clean(model), MAX_NAME_CHARS).into_owned());
        let record = RequestRecord {
            index,
            level: level.index,
            phase,
            due: world.at(due),
            sent: world.at(response.sent),
            ended: world.at(ended),
            figures,
            first_byte: response.first_byte,
            chunks: response.reader.chunks(),
            gaps_us: response.reader.take_gaps(),
            bytes: response.bytes,
            wanted_prompt_tokens,
            answered_by,
            reconnected: response.reconnected,
            error,
        };
        let failed = record.error.is_some();
        if !failed {
            world.api.dialects().prove(&level.model);
        }
        self.counts
            .gaps
            .store(record.gaps_us.len(), Ordering::Relaxed);
        // Before the connection is drained: a stop during that loses nothing.
        self.tell(WorkerEvent::Ended(Arc::new(record), said));
        response.reported = true;
        (failed, answer)
    }

    /// Keeps a connection for the next request, once its response is at its end.
    async fn give_back(&self, mut pooled: PooledConnection) {
        if !pooled.connection.is_drained() {
            // A client of a closed loop waits here: for a server that holds its responses open, that is a new
            // connection each time, but no time.
            let limit = if self.held_open.load(Ordering::Relaxed) {
                DRAIN_HELD_OPEN
            } else {
                DRAIN
            };
            match tokio::time::timeout(limit, pooled.connection.drain()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => return self.held_open.store(true, Ordering::Relaxed),
            }
        }
        self.pool.lock().push(pooled);
    }

    async fn exchange(
        &self,
        request: &[u8],
        response: &mut IncomingResponse<'_>,
    ) -> Result<PooledConnection, WireError> {
        let free = std::iter::from_fn(|| self.pool.lock().pop())
            .find_map(|mut pooled| pooled.connection.is_usable().then_some(pooled));
        let mut pooled = match free {
            Some(mut pooled) => {
                // A warm-up leaves it for who is measured.
                response.connect = if response.measured {
                    pooled.took.take()
                } else {
                    None
                };
                response.was_open = true;
                pooled
            }
            None => {
                // Boxed: it is large, rare, and would be moved with each request.
                let mut pooled = Box::pin(PooledConnection::dial(&self.world.dialer)).await?;
                response.connect = pooled.took.take();
                pooled
            }
        };
        match pooled.connection.exchange(request, response).await {
            Ok(Ended::Whole | Ended::Enough) => Ok(pooled),
            // The server had closed it, which says nothing of the model. Once more, on a new one.
            Err(WireError::Stale(_)) => {
                response.reconnected = true;
                let mut pooled = Box::pin(PooledConnection::dial(&self.world.dialer)).await?;
                response.connect = pooled.took.take();
                pooled.connection.exchange(request, response).await?;
                Ok(pooled)
            }
            Err(error) => Err(error),
        }
    }
}

//! One chat request from sending to its figures. The same for the window and the command line.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::conversation::ChatRequest;
use crate::domain::dialect::Dialect;
use crate::domain::exchange::{Advance, ChatEnding};
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::model_name::other_model;
use crate::domain::units;
use crate::io::api::{Api, ChatStream, SILENCE};
use crate::metrics::timeline::Figures;
use crate::protocol::{ChatAsk, ChatOrder};
use crate::wire::answer::{AnswerError, AnswerReader, NewText, Step};
use crate::wire::fault::{self, Fault, RequestInfo};
use crate::wire::openai;
use crate::wire::silence::BodyActivity;

/// At most this often is progress told, however many tokens arrive.
const PACE: Duration = Duration::from_millis(33);

/// When one of several chats is sent. Dropping it makes room for the others, however it came to that.
#[derive(Debug)]
pub enum Start {
    /// Once all can be sent.
    Together {
        /// Held until this one can be.
        opening: Option<Arc<DropGuard>>,
        /// Cancelled when nobody holds that any more.
        all_open: CancellationToken,
    },
    /// Once all before have ended.
    InTurn {
        /// Cancelled at their ends.
        before: Vec<CancellationToken>,
        /// Held until this one's end.
        held: DropGuard,
    },
}

impl Start {
    /// Waits for the moment.
    pub async fn wait(&mut self) {
        match self {
            Self::Together { opening, all_open } => {
                *opening = None;
                all_open.cancelled().await;
            }
            Self::InTurn { before, .. } => {
                for end in before {
                    end.cancelled().await;
                }
            }
        }
    }
}

/// Each with when it is to be sent.
pub fn starts(asks: Vec<ChatAsk>, order: ChatOrder) -> Vec<(ChatAsk, Start)> {
    let all_open = CancellationToken::new();
    let opening = Arc::new(all_open.clone().drop_guard());
    let mut ends: Vec<CancellationToken> = Vec::new();
    let start = |ask| {
        let start = match order {
            ChatOrder::Together => Start::Together {
                opening: Some(Arc::clone(&opening)),
                all_open: all_open.clone(),
            },
            ChatOrder::InTurn => {
                let (before, end) = (ends.clone(), CancellationToken::new());
                ends.push(end.clone());
                Start::InTurn {
                    before,
                    held: end.drop_guard(),
                }
            }
        };
        (ask, start)
    };
    asks.into_iter().map(start).collect()
}

/// How an answer ended.
#[derive(Debug, Clone)]
pub struct ChatReport {
    /// Complete, stopped or failed.
    pub ending: ChatEnding,
    /// The figures; without latency unless complete.
    pub figures: Figures,
    /// `x-ratelimit-*` headers, where the server sent them.
    pub rate_limit: Vec<(String, String)>,
    /// What came over the wire.
    pub wire: Wire,
    /// The model that answered, where it is another one than was asked.
    pub answered_by: Option<String>,
    /// It is complete and holds neither text nor a call, which is no success: why.
    pub no_text: Option<&'static str>,
}

/// What came over the wire of an answer.
#[derive(Debug, Clone, Default)]
pub struct Wire {
    /// The response's head, from when the request was sent.
    pub first_byte: Option<Duration>,
    /// The gaps between chunks with text, in µs.
    pub gaps_us: Vec<u32>,
    /// Chunks with text.
    pub chunks: u64,
    /// Bytes of the body.
    pub bytes: u64,
    /// The server had closed the connection that was open, and the request was sent once more on a new one.
    pub reconnected: bool,
}

impl ChatReport {
    /// Of an answer of which nothing came.
    pub fn ended_early(ending: ChatEnding) -> Self {
        Self {
            ending,
            figures: Figures::default(),
            rate_limit: Vec::new(),
            wire: Wire::default(),
            answered_by: None,
            no_text: None,
        }
    }
}

/// Chats once. Everything that arrived is told through `on_advance` before this returns, also when it is
/// cancelled or fails. Cancelling closes the connection.
///
/// A request that the server refuses for a field that Batida added is sent again without it, and that is kept in mind.
pub async fn run(
    api: &Api,
    request: &ChatRequest,
    known: &[String],
    cancel: &CancellationToken,
    on_advance: impl FnMut(Advance),
) -> ChatReport {
    run_within(api, request, known, cancel, Limits::default(), on_advance).await
}

/// How long an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From sending to its end; `None` for as long as it takes.
    pub whole: Option<Duration>,
    /// Without an event that says something: comments, with which servers keep connections open, are none.
    pub silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            whole: None,
            silence: SILENCE,
        }
    }
}

/// The same as [`run`] with other limits.
pub async fn run_within(
    api: &Api,
    request: &ChatRequest,
    known: &[String],
    cancel: &CancellationToken,
    limits: Limits,
    mut on_advance: impl FnMut(Advance),
) -> ChatReport {
    // Thirty years: tokio has no moment that never comes.
    let deadline = Instant::now()
        + limits
            .whole
            .unwrap_or(Duration::from_secs(86_400 * 365 * 30));
    let before = api.dialects().of(&request.model);
    let mut dialect = before;
    loop {
        let (report, refused) = once(
            api,
            (request, dialect),
            known,
            cancel,
            (limits, deadline),
            &mut on_advance,
        )
        .await;
        let next = dialect.and(refused);
        let failed = matches!(report.ending, ChatEnding::Failed(_));
        // Each round leaves out more, so there are few. What had arrived is not asked for a second time.
        if failed && report.figures.ttft.is_none() && changes_body(request, dialect, next) {
            api.learn(&request.model, next);
            dialect = next;
            continue;
        }
        let still_refused = match &report.ending {
            ChatEnding::Failed(failure) => failure.class == Some(FaultClass::BadRequest),
            _ => false,
        };
        if still_refused && dialect != before {
            api.dialects().restore(&request.model, before);
        }
        return report;
    }
}

fn changes_body(request: &ChatRequest, now: Dialect, next: Dialect) -> bool {
    let written = |dialect| {
        let mut body = Vec::new();
        openai::write_stream_body(request, false, dialect, &mut body);
        body
    };
    now != next && written(now) != written(next)
}

/// One request; and which of Batida's own fields the server refuses, if it does.
async fn once(
    api: &Api,
    (request, dialect): (&ChatRequest, Dialect),
    known: &[String],
    cancel: &CancellationToken,
    (limits, deadline): (Limits, Instant),
    mut on_advance: impl FnMut(Advance),
) -> (ChatReport, Dialect) {
    let late = || {
        let whole = limits.whole.unwrap_or_default();
        let summary = format!(
            "{} had not answered in full after {}",
            api.address().host(),
            units::duration(whole)
        );
        let told = Failure::new(summary, "Allow more time, or ask for fewer tokens");
        ChatEnding::Failed(told.of_class(FaultClass::Timeout))
    };
    let opened = tokio::select! {
        biased;
        () = cancel.cancelled() => {
            return (ChatReport::ended_early(ChatEnding::Stopped), Dialect::default());
        }
        () = tokio::time::sleep_until(deadline) => {
            return (ChatReport::ended_early(late()), Dialect::default());
        }
        opened = api.chat(request, dialect, known) => opened,
    };
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(fault) => {
            return (
                ChatReport::ended_early(ChatEnding::Failed(fault.failure)),
                fault.refused,
            );
        }
    };
    let mut refused = Dialect::default();
    let set = openai::set_names(&request.params, false);
    let asked = RequestInfo {
        set: &set,
        ..api.asked(&request.model, known)
    };
    let mut reader = start(&stream);
    let mut heard_of = Heard::default();
    let mut on_advance = |advance: Advance| {
        heard_of.hear(&advance);
        on_advance(advance);
    };
    let sent = stream.sent;
    let mut bytes_read = 0;
    // When something was said last.
    let (mut heard, mut talk) = (Instant::now(), BodyActivity::default());
    let mut pace = tokio::time::interval_at(Instant::now() + PACE, PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ending = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break ChatEnding::Stopped,
            () = tokio::time::sleep_until(deadline) => break match reader.complete() {
                Some(reason) => ChatEnding::Finished { reason },
                None => late(),
            },
            piece = stream.next() => {
                let first = reader.timeline().ttft().is_none();
                let step = match piece {
                    Ok(Some((at, bytes))) => {
                        bytes_read += bytes.len() as u64;
                        if talk.has_data(&bytes) {
                            heard = Instant::now();
                        }
                        reader.take(at - stream.sent, &bytes)
                    }
                    Ok(None) => match reader.at_the_end(stream.sent.elapsed()) {
                        Ok(reason) => Step::Done(reason),
                        Err(why) => Step::Failed(why),
                    },
                    // After the finish reason nothing that matters was lost.
                    Err(fault) => match reader.complete() {
                        Some(reason) => Step::Done(reason),
                        None => break ChatEnding::Failed(fault.failure),
                    },
                };
                match step {
                    Step::Done(reason) => break ChatEnding::Finished { reason },
                    Step::More => {}
                    Step::Failed(why) => {
                        let fault = fault_of(why, &reader, &stream, &asked);
                        refused = fault.refused;
                        break ChatEnding::Failed(fault.failure);
                    }
                }
                // The first words are shown at once, the others at their pace.
                if first && reader.has_news() {
                    on_advance(advance(&mut reader));
                }
            }
            () = tokio::time::sleep_until(heard + limits.silence) => {
                break ChatEnding::Failed(api.fault_of_silence(limits.silence, &request.model).failure);
            }
            _ = pace.tick(), if reader.has_news() => on_advance(advance(&mut reader)),
            // A server that forgets `[DONE]` and keeps the connection is not waited for.
            () = over(sent, &reader) => {
                if let Some(reason) = reader.complete() {
                    break ChatEnding::Finished { reason };
                }
            }
        }
    };
    reader.finish_text();
    if reader.has_news() {
        on_advance(advance(&mut reader));
    }
    let figures = reader.figures();
    if figures.at_once {
        reader.drop_gaps();
    }
    let no_text = match &ending {
        ChatEnding::Finished { reason } if !heard_of.answer => {
            Some(reason.why_empty(heard_of.reasoning))
        }
        _ => None,
    };
    let wire = Wire {
        first_byte: Some(stream.head_at - stream.sent),
        gaps_us: reader.take_gaps(),
        chunks: reader.chunks(),
        bytes: bytes_read,
        reconnected: stream.reconnected,
    };
    let answered_by = other_model(&request.model, reader.model()).map(|model| api.clean(model));
    let rate_limit = stream.rate_limit().to_vec();
    let report = ChatReport {
        figures,
        rate_limit,
        ending,
        wire,
        answered_by,
        no_text,
    };
    (close(stream, report), refused)
}

/// Waits for when the answer is over although nothing says so; for ever where that is not known.
async fn over(sent: std::time::Instant, reader: &AnswerReader) {
    match reader.over_at() {
        Some(at) => tokio::time::sleep_until((sent + at).into()).await,
        None => std::future::pending().await,
    }
}

/// Writes down how it ended; a connection that is at its end is left to be used again.
fn close(mut stream: ChatStream, mut report: ChatReport) -> ChatReport {
    match &mut report.ending {
        ChatEnding::Finished { .. } => {
            let tokens = report
                .figures
                .tokens
                .map(|tokens| format!(", {} {}", tokens.n, tokens.noun()));
            stream.close(true, format!("HTTP 200{}", tokens.unwrap_or_default()));
            tokio::spawn(async move {
                let drain = async { while let Ok(Some(_)) = stream.next().await {} };
                // A server that keeps the stream open after its end gets no second connection's worth.
                let _ = tokio::time::timeout(Duration::from_secs(1), drain).await;
            });
        }
        ChatEnding::Stopped => stream.close(false, "stopped"),
        ChatEnding::Failed(failure) => {
            *failure = stream.redact(std::mem::take(failure));
            stream.close(false, failure.summary.clone());
        }
    }
    report
}

fn start(stream: &ChatStream) -> AnswerReader {
    let mut reader = AnswerReader::new(true);
    reader.head(stream.head_at - stream.sent, stream.connect);
    reader.collect_gaps(Vec::new());
    reader
}

/// What an answer has so far.
#[derive(Debug, Default)]
struct Heard {
    /// Text or a call.
    answer: bool,
    reasoning: bool,
}

impl Heard {
    fn hear(&mut self, advance: &Advance) {
        let says = |text: &str| !text.trim().is_empty();
        if advance.turned {
            self.reasoning |= self.answer;
            self.answer = false;
        }
        self.answer |= says(&advance.answer) || !advance.calls.is_empty();
        self.reasoning |= says(&advance.reasoning);
    }
}

fn advance(reader: &mut AnswerReader) -> Advance {
    let NewText {
        reasoning,
        answer,
        turned,
        calls,
    } = reader.take_news();
    Advance {
        reasoning,
        answer,
        turned,
        calls,
        figures: reader.figures(),
    }
}

/// What to tell the user of an answer that is none.
fn fault_of(
    why: AnswerError,
    reader: &AnswerReader,
    stream: &ChatStream,
    asked: &RequestInfo<'_>,
) -> Fault {
    let raw = || String::from_utf8_lossy(reader.raw());
    match why {
        AnswerError::Sent(error) => stream.broken(error, asked),
        AnswerError::Refused => stream.refused(&raw(), asked),
        AnswerError::NotAnAnswer => stream.not_an_answer(&raw(), asked),
        AnswerError::Cut(details) => fault::cut(asked, &details),
        AnswerError::Unreadable(event) => fault::unreadable(asked, &event),
        AnswerError::GaveUp(word) => fault::stopped_early(asked, &word),
    }
}

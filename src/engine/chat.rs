//! Sends a chat request and computes its figures, for the window and the command line.

mod start;

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub use self::start::{Start, starts};
use crate::domain::conversation::ChatRequest;
use crate::domain::dialect::Dialect;
use crate::domain::exchange::{Advance, ChatEnding, FinishReason};
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::model_name::other_model;
use crate::domain::printable::{cut, is_blank};
use crate::domain::units;
use crate::io::api::{Api, ChatStream, SILENCE};
use crate::metrics::timeline::Figures;
use crate::wire::answer::{AnswerError, AnswerReader, NewText, Step};
use crate::wire::fault::{self, Fault, RequestInfo};
use crate::wire::openai;

/// The shortest time between two progress reports.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(33);
/// Longer finish reasons and names of models are cut.
pub(super) const MAX_NAME_CHARS: usize = 200;

/// The result of a chat request.
#[derive(Debug, Clone)]
pub struct ChatReport {
    /// Complete, stopped or failed.
    pub ending: ChatEnding,
    /// The figures; latency only if the response is complete.
    pub figures: Figures,
    /// The `x-ratelimit-*` headers.
    pub rate_limit: Vec<(String, String)>,
    /// Facts about the transfer.
    pub wire: Wire,
    /// The model that responded, if it is not the requested one.
    pub answered_by: Option<String>,
    /// Why a complete response has neither text nor a tool call.
    pub no_text: Option<&'static str>,
    /// The response was taken for complete although the server sent no `[DONE]` and kept the connection open.
    pub kept_open: bool,
}

/// Facts about the transfer of a response.
#[derive(Debug, Clone, Default)]
pub struct Wire {
    /// The time until the response head arrived.
    pub first_byte: Option<Duration>,
    /// The gaps between chunks with text, in µs.
    pub gaps_us: Vec<u32>,
    /// Chunks with text.
    pub chunks: u64,
    /// Bytes of the body.
    pub bytes: u64,
    /// The server had closed an idle connection, and the request was sent again on a new one.
    pub reconnected: bool,
}

impl ChatReport {
    /// The result if no response arrived.
    pub fn ended_early(ending: ChatEnding) -> Self {
        Self {
            ending,
            figures: Figures::default(),
            rate_limit: Vec::new(),
            wire: Wire::default(),
            answered_by: None,
            no_text: None,
            kept_open: false,
        }
    }
}

/// Sends a chat request. Everything that arrived is passed to `on_advance` before this returns, even if it is cancelled or
/// fails. Cancelling closes the connection.
///
/// If the server refuses a field that Batida added, the request is sent again without it, and later ones omit it, too.
pub async fn run(
    api: &Api,
    request: &ChatRequest,
    known: &[String],
    cancel: &CancellationToken,
    on_advance: impl FnMut(Advance),
) -> ChatReport {
    run_within(api, request, known, cancel, Limits::default(), on_advance).await
}

/// Time limits of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From sending to the end; `None` means no limit.
    pub whole: Option<Duration>,
    /// Without a meaningful event. Comments, with which servers keep connections open, do not count.
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

/// Like [`run`], with other limits.
pub async fn run_within(
    api: &Api,
    request: &ChatRequest,
    known: &[String],
    cancel: &CancellationToken,
    limits: Limits,
    mut on_advance: impl FnMut(Advance),
) -> ChatReport {
    // Thirty years stand for no limit, since tokio has no infinite deadline.
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
        // Each round omits more fields, so there are few. After the first token, the request is not sent again.
        if failed && report.figures.ttft.is_none() && changes_body(api, request, dialect, next) {
            api.learn(&request.model, next);
            dialect = next;
            continue;
        }
        match &report.ending {
            ChatEnding::Finished { .. } => api.dialects().prove(&request.model),
            ChatEnding::Failed(failure)
                if failure.class == Some(FaultClass::BadRequest) && dialect != before =>
            {
                api.dialects().restore(&request.model, before);
            }
            _ => {}
        }
        return report;
    }
}

fn changes_body(api: &Api, request: &ChatRequest, now: Dialect, next: Dialect) -> bool {
    let written = |dialect| {
        let mut body = Vec::new();
        let form = openai::BodyForm {
            endpoint: api.endpoint(),
            dialect,
            ..Default::default()
        };
        openai::write_stream_body(request, form, &mut body);
        body
    };
    now != next && written(now) != written(next)
}

/// Sends one request. Also returns which of Batida's own fields the server refused.
async fn once(
    api: &Api,
    (request, dialect): (&ChatRequest, Dialect),
    known: &[String],
    cancel: &CancellationToken,
    (limits, deadline): (Limits, Instant),
    mut on_advance: impl FnMut(Advance),
) -> (ChatReport, Dialect) {
    let early = |ending| (ChatReport::ended_early(ending), Dialect::default());
    let opened = tokio::select! {
        biased;
        () = cancel.cancelled() => return early(ChatEnding::Stopped),
        () = tokio::time::sleep_until(deadline) => return early(too_late(api, limits)),
        opened = api.chat(request, dialect, known) => opened,
    };
    let stream = match opened {
        Ok(stream) => stream,
        Err(fault) => {
            return (
                ChatReport::ended_early(ChatEnding::Failed(fault.failure)),
                fault.refused,
            );
        }
    };
    let set = openai::set_names(&request.params, false);
    let asked = RequestInfo {
        set: &set,
        ..api.asked(&request.model, known)
    };
    let sent = stream.sent;
    let mut response = Response::new(stream);
    let ending = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break ChatEnding::Stopped,
            () = tokio::time::sleep_until(deadline) => break match response.reader.complete() {
                Some(reason) => ChatEnding::Finished { reason },
                None => too_late(api, limits),
            },
            piece = response.stream.next() => {
                let first = response.reader.timeline().ttft().is_none();
                if let Some(ending) = response.take(piece, &asked) {
                    break ending;
                }
                // The first text is shown at once, more text at intervals.
                if first {
                    response.report_progress(&mut on_advance);
                }
            }
            () = tokio::time::sleep_until(response.heard + limits.silence) => {
                break ChatEnding::Failed(api.fault_of_silence(limits.silence, &request.model).failure);
            }
            _ = response.interval.tick(), if response.reader.has_news() => {
                response.report_progress(&mut on_advance);
            }
            // Do not wait for a server that omits `[DONE]` and keeps the connection open.
            () = implied_end(sent, &response.reader) => {
                if let Some(reason) = response.reader.complete() {
                    response.kept_open = true;
                    break ChatEnding::Finished { reason };
                }
            }
        }
    };
    let refused = response.refused;
    response.reader.finish_text();
    response.report_progress(&mut on_advance);
    (response.into_report(api, &request.model, ending), refused)
}

fn too_late(api: &Api, limits: Limits) -> ChatEnding {
    let summary = format!(
        "{} did not complete the response within {}",
        api.address().host(),
        units::duration(limits.whole.unwrap_or_default())
    );
    let failure = Failure::new(summary, "Allow more time, or ask for fewer tokens");
    ChatEnding::Failed(failure.of_class(FaultClass::Timeout))
}

/// A response that is being read.
struct Response {
    stream: ChatStream,
    reader: AnswerReader,
    /// When progress is reported.
    interval: Interval,
    /// When the last meaningful event arrived.
    heard: Instant,
    bytes: u64,
    refused: Dialect,
    content: Content,
    kept_open: bool,
}

impl Response {
    fn new(stream: ChatStream) -> Self {
        let mut interval =
            tokio::time::interval_at(Instant::now() + PROGRESS_INTERVAL, PROGRESS_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            reader: start(&stream),
            stream,
            interval,
            heard: Instant::now(),
            bytes: 0,
            refused: Dialect::default(),
            content: Content::default(),
            kept_open: false,
        }
    }

    /// Reads a piece of the body. Returns the ending if the response has ended.
    fn take(
        &mut self,
        piece: Result<Option<(std::time::Instant, Vec<u8>)>, Fault>,
        asked: &RequestInfo<'_>,
    ) -> Option<ChatEnding> {
        let sent = self.stream.sent;
        let step = match piece {
            Ok(Some((at, bytes))) => {
                self.bytes += bytes.len() as u64;
                let step = self.reader.take(at - sent, &bytes);
                if let Some(after) = self.reader.heard_at() {
                    self.heard = (sent + after).into();
                }
                step
            }
            Ok(None) if self.bytes == 0 => {
                return Some(ChatEnding::Failed(self.stream.empty(asked).failure));
            }
            Ok(None) => {
                let ended = self.stream.ended_at.unwrap_or_else(std::time::Instant::now);
                match self.reader.at_the_end(ended - sent) {
                    Ok(reason) => Step::Done(reason),
                    Err(why) => Step::Failed(why),
                }
            }
            // After the finish reason, nothing important is missing.
            Err(fault) => match self.reader.complete() {
                Some(reason) => Step::Done(reason),
                None => return Some(ChatEnding::Failed(fault.failure)),
            },
        };
        match step {
            Step::Done(reason) => Some(ChatEnding::Finished { reason }),
            Step::More => None,
            Step::Failed(why) => {
                let fault = fault_of(why, &self.reader, &self.stream, asked);
                self.refused = fault.refused;
                Some(ChatEnding::Failed(fault.failure))
            }
        }
    }

    fn report_progress(&mut self, on_advance: &mut impl FnMut(Advance)) {
        if self.reader.has_news() {
            let advance = advance(&mut self.reader);
            self.content.add(&advance);
            on_advance(advance);
        }
    }

    fn into_report(mut self, api: &Api, model: &str, ending: ChatEnding) -> ChatReport {
        let figures = self.reader.figures();
        if figures.at_once {
            self.reader.drop_gaps();
        }
        let no_text = match &ending {
            ChatEnding::Finished { reason } if !self.content.answer => {
                Some(reason.why_empty(self.content.reasoning))
            }
            _ => None,
        };
        let wire = Wire {
            first_byte: Some(self.stream.head_at - self.stream.sent),
            gaps_us: self.reader.take_gaps(),
            chunks: self.reader.chunks(),
            bytes: self.bytes,
            reconnected: self.stream.reconnected,
        };
        let ending = match ending {
            ChatEnding::Finished {
                reason: FinishReason::Other(Some(word)),
            } => ChatEnding::Finished {
                reason: FinishReason::Other(Some(
                    cut(&api.clean(&word), MAX_NAME_CHARS).into_owned(),
                )),
            },
            other => other,
        };
        let report = ChatReport {
            figures,
            rate_limit: self.stream.rate_limit().to_vec(),
            ending,
            wire,
            answered_by: other_model(model, self.reader.model())
                .map(|model| cut(&api.clean(model), MAX_NAME_CHARS).into_owned()),
            no_text,
            kept_open: self.kept_open,
        };
        close(self.stream, report)
    }
}

/// Waits until the response counts as complete without an end marker; forever if that is unknown.
async fn implied_end(sent: std::time::Instant, reader: &AnswerReader) {
    match reader.over_at() {
        Some(at) => tokio::time::sleep_until((sent + at).into()).await,
        None => std::future::pending().await,
    }
}

/// Records the outcome, and reads the rest of a complete response so that the connection can be used again.
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
                // Do not wait for a server that keeps the stream open.
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
    if stream.embeds() {
        reader.expect_embedding();
    }
    reader.head(stream.head_at - stream.sent, stream.connect);
    reader.collect_gaps(Vec::new());
    reader
}

/// What a response contained so far.
#[derive(Debug, Default)]
struct Content {
    /// Text or a tool call.
    answer: bool,
    reasoning: bool,
}

impl Content {
    fn add(&mut self, advance: &Advance) {
        let says = |text: &str| !is_blank(text);
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

/// The fault of an invalid response.
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

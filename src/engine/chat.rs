//! One chat request from sending to its figures. The same for the window and the command line.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::domain::conversation::ChatRequest;
use crate::io::api::{Api, ChatStream};
use crate::metrics::timeline::{Figures, TextKind, Timeline, Usage};
use crate::protocol::{ChatEnding, FinishReason};
use crate::wire::fault::{self, Asked, Fault};
use crate::wire::openai::{self, Chunk, ThinkSplitter};
use crate::wire::sse::SseDecoder;

/// At most this often is progress told, however many tokens arrive.
const PACE: Duration = Duration::from_millis(33);
/// How long the usage or `[DONE]` is waited for after a finish reason.
const LINGER: Duration = Duration::from_secs(5);
/// A body that turns out to be no answer is kept up to here, to say what it was.
const MOST_RAW: usize = 64 << 10;
/// Of an answer that comes as one JSON document.
const MOST_WHOLE: usize = 32 << 20;

/// More of an answer.
#[derive(Debug, Clone)]
pub struct Advance {
    /// Thinking that came since the last one.
    pub reasoning: String,
    /// Answer text that came since the last one.
    pub answer: String,
    /// The figures so far.
    pub figures: Figures,
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
}

impl ChatReport {
    fn ended_early(ending: ChatEnding) -> Self {
        Self { ending, figures: Figures::default(), rate_limit: Vec::new() }
    }
}

/// Chats once. Everything that arrived is told through `on_advance` before this returns, also when it is
/// cancelled or fails. Cancelling closes the connection.
pub async fn run(
    api: &Api,
    request: &ChatRequest,
    known: &[String],
    cancel: &CancellationToken,
    mut on_advance: impl FnMut(Advance),
) -> ChatReport {
    let opened = tokio::select! {
        biased;
        () = cancel.cancelled() => return ChatReport::ended_early(ChatEnding::Stopped),
        opened = api.chat(request, known) => opened,
    };
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(fault) => return ChatReport::ended_early(ChatEnding::Failed(fault.failure)),
    };
    let asked = Asked { host: api.address().host(), model: &request.model, known, had_key: api.has_key() };
    let mut reader = Reader::new(&stream);
    let mut pace = tokio::time::interval_at(Instant::now() + PACE, PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ending = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break ChatEnding::Stopped,
            piece = stream.next() => {
                let first = reader.timeline.ttft().is_none();
                let step = match piece {
                    Ok(Some((at, bytes))) => reader.take(at - stream.sent, bytes.as_ref(), &asked),
                    Ok(None) => reader.at_the_end(stream.sent.elapsed(), &stream, &asked).map(Some),
                    Err(fault) => reader.when_broken(fault),
                };
                match step {
                    Ok(Some(reason)) => break ChatEnding::Finished { reason },
                    Ok(None) => {}
                    Err(fault) => break ChatEnding::Failed(fault.failure),
                }
                // The first words are shown at once, the others at their pace.
                if first && reader.has_news() {
                    on_advance(reader.news());
                }
            }
            _ = pace.tick(), if reader.has_news() => on_advance(reader.news()),
            // A server that forgets `[DONE]` and keeps the connection is not waited for.
            () = tokio::time::sleep(LINGER), if reader.finish.is_some() => {
                if let Some(reason) = reader.complete() {
                    break ChatEnding::Finished { reason };
                }
            }
        }
    };
    reader.finish_text();
    if reader.has_news() {
        on_advance(reader.news());
    }
    let report = ChatReport { figures: reader.figures(), rate_limit: stream.rate_limit().to_vec(), ending };
    close(stream, report)
}

/// Writes down how it ended; a connection that is at its end is left to be used again.
fn close(mut stream: ChatStream, mut report: ChatReport) -> ChatReport {
    match &mut report.ending {
        ChatEnding::Finished { .. } => {
            let tokens = report.figures.tokens.map(|tokens| format!(", {} {}", tokens.n, tokens.noun()));
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

/// What has been read of an answer.
struct Reader {
    timeline: Timeline,
    decoder: SseDecoder,
    splitter: ThinkSplitter,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    reasoning: String,
    answer: String,
    /// A chunk was read: this is an answer.
    is_answer: bool,
    /// One JSON document instead of events; `None` before the first byte that tells.
    whole: Option<bool>,
    /// When the finish reason or the usage came: the answer's end, should no `[DONE]` follow.
    complete_at: Option<Duration>,
    /// The whole document, or the beginning of what may be no answer.
    raw: Vec<u8>,
}

impl Reader {
    fn new(stream: &ChatStream) -> Self {
        let mut timeline = Timeline::default();
        timeline.first_byte(stream.head_at - stream.sent);
        if let Some(took) = stream.connect {
            timeline.connected(took);
        }
        Self {
            timeline,
            decoder: SseDecoder::default(),
            splitter: ThinkSplitter::default(),
            usage: None,
            finish: None,
            reasoning: String::new(),
            answer: String::new(),
            is_answer: false,
            whole: None,
            complete_at: None,
            raw: Vec::new(),
        }
    }

    /// Takes bytes that arrived at `at`; gives the reason when they complete the answer.
    fn take(&mut self, at: Duration, bytes: &[u8], asked: &Asked<'_>) -> Result<Option<FinishReason>, Fault> {
        // Servers mistake the content type; the first byte does not.
        if self.whole.is_none() {
            let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
            self.whole = first.map(|byte| *byte == b'{');
        }
        let whole = self.whole == Some(true);
        let most = if whole { MOST_WHOLE } else { MOST_RAW };
        if !self.is_answer && self.raw.len() < most {
            self.raw.extend_from_slice(bytes);
        }
        if whole {
            return Ok(None);
        }
        let mut decoder = std::mem::take(&mut self.decoder);
        let mut done = None;
        let pushed = decoder.push(bytes, |event| {
            if done.is_none() {
                done = self.event(at, &event.name, &event.data, asked);
            }
        });
        self.decoder = decoder;
        match done {
            Some(end) => end.map(Some),
            None => pushed.map(|()| None).map_err(|error| fault::cut(asked, &error.to_string())),
        }
    }

    /// One event: `Some` when it ends the answer.
    fn event(
        &mut self,
        at: Duration,
        name: &str,
        data: &str,
        asked: &Asked<'_>,
    ) -> Option<Result<FinishReason, Fault>> {
        if data.trim() == openai::DONE {
            self.is_answer = true;
            self.timeline.end(at);
            return Some(Ok(self.finish.clone().unwrap_or(FinishReason::Other(None))));
        }
        let error = match Chunk::parse(data) {
            Ok(Chunk { error: Some(error), .. }) => error,
            Ok(_) if name == "error" => serde_json::from_str(data).unwrap_or_default(),
            Ok(chunk) => {
                self.chunk(at, chunk);
                return None;
            }
            Err(_) if name == "error" => serde_json::Value::String(data.to_owned()),
            // Not ours to read, e.g. a gateway's ping.
            Err(_) => return None,
        };
        Some(Err(fault::from_stream(&error, asked)))
    }

    fn chunk(&mut self, at: Duration, chunk: Chunk<'_>) {
        self.is_answer = true;
        if let Some(text) = chunk.reasoning {
            self.timeline.text(TextKind::Reasoning, at);
            self.reasoning.push_str(&text);
        }
        if let Some(text) = chunk.content {
            let thought = self.splitter.is_thinking();
            let (mut told_reasoning, mut told_answer) = (false, false);
            let (reasoning, answer) = (&mut self.reasoning, &mut self.answer);
            self.splitter.push(&text, |kind, text| match kind {
                TextKind::Reasoning => {
                    told_reasoning = true;
                    reasoning.push_str(text);
                }
                TextKind::Answer | TextKind::Markup => {
                    told_answer = true;
                    answer.push_str(text);
                }
            });
            // A chunk is a token's arrival even while the splitter holds its text back.
            let kind = match (told_answer, told_reasoning || thought || self.splitter.is_thinking()) {
                (true, _) => TextKind::Answer,
                (false, true) => TextKind::Reasoning,
                (false, false) => TextKind::Markup,
            };
            self.timeline.text(kind, at);
        }
        if let Some(usage) = chunk.usage {
            self.usage.get_or_insert_default().merge(usage);
            self.complete_at = Some(at);
        }
        if let Some(reason) = chunk.finish {
            self.finish = Some(reason);
            self.complete_at = Some(at);
        }
    }

    /// The answer without `[DONE]`: it ended when its finish reason or its usage came.
    fn complete(&mut self) -> Option<FinishReason> {
        let reason = self.finish.clone()?;
        self.timeline.end(self.complete_at.unwrap_or_default());
        Some(reason)
    }

    /// The connection ended in good order.
    fn at_the_end(
        &mut self,
        at: Duration,
        stream: &ChatStream,
        asked: &Asked<'_>,
    ) -> Result<FinishReason, Fault> {
        if self.whole == Some(true) {
            return self.read_whole(at, stream, asked);
        }
        let mut last = Vec::new();
        self.decoder.finish(|event| last.push((event.name.into_owned(), event.data.into_owned())));
        for (name, data) in last {
            if let Some(end) = self.event(at, &name, &data, asked) {
                return end;
            }
        }
        if let Some(reason) = self.complete() {
            return Ok(reason);
        }
        if !self.is_answer && !self.raw.is_empty() {
            return Err(stream.not_an_answer(&String::from_utf8_lossy(&self.raw), asked));
        }
        Err(fault::cut(asked, "The stream ended without a finish reason and without [DONE]"))
    }

    /// The server did not stream: one document, of which nobody can tell when its first token was there.
    fn read_whole(
        &mut self,
        at: Duration,
        stream: &ChatStream,
        asked: &Asked<'_>,
    ) -> Result<FinishReason, Fault> {
        let raw = std::mem::take(&mut self.raw);
        let text = String::from_utf8_lossy(&raw);
        match Chunk::parse(&text) {
            Ok(Chunk { error: Some(_), .. }) => Err(stream.refused(&text, asked)),
            Ok(chunk) if chunk.content.is_some() || chunk.finish.is_some() || chunk.usage.is_some() => {
                self.reasoning.extend(chunk.reasoning);
                let (reasoning, answer) = (&mut self.reasoning, &mut self.answer);
                self.splitter.push(chunk.content.as_deref().unwrap_or_default(), |kind, text| match kind {
                    TextKind::Reasoning => reasoning.push_str(text),
                    TextKind::Answer | TextKind::Markup => answer.push_str(text),
                });
                self.usage = chunk.usage;
                self.timeline.end(at);
                Ok(chunk.finish.unwrap_or(FinishReason::Other(None)))
            }
            _ => Err(stream.not_an_answer(&text, asked)),
        }
    }

    /// The connection broke. After the finish reason nothing that matters was lost.
    fn when_broken(&mut self, fault: Fault) -> Result<Option<FinishReason>, Fault> {
        self.complete().map(Some).ok_or(fault)
    }

    fn finish_text(&mut self) {
        let (reasoning, answer) = (&mut self.reasoning, &mut self.answer);
        self.splitter.finish(|kind, text| match kind {
            TextKind::Reasoning => reasoning.push_str(text),
            TextKind::Answer | TextKind::Markup => answer.push_str(text),
        });
    }

    fn has_news(&self) -> bool {
        !self.reasoning.is_empty() || !self.answer.is_empty()
    }

    fn news(&mut self) -> Advance {
        Advance {
            reasoning: std::mem::take(&mut self.reasoning),
            answer: std::mem::take(&mut self.answer),
            figures: self.figures(),
        }
    }

    fn figures(&self) -> Figures {
        self.timeline.figures(self.usage.as_ref())
    }
}

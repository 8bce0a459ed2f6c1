//! An answer of a conversation, collected while it comes and kept when it has ended.

use std::time::Instant;

use jiff::Timestamp;

use super::Recorder;
use crate::domain::conversation::{Attachment, ChatRequest, Role, ToolResult};
use crate::domain::environment::Environment;
use crate::domain::failure::FaultClass;
use crate::domain::history::{Exchange, ExchangeEnding, Filing, SessionId, StoredRequest};
use crate::domain::run::EnvironmentInfo;
use crate::engine::chat::{Advance, ChatReport};
use crate::io::history::ChatRecord;
use crate::metrics::request::{Phase, RequestError, RequestRecord};
use crate::protocol::ChatEnding;

/// A conversation is called by so many characters of its first words.
const TITLE: usize = 60;

/// An answer under way.
#[derive(Debug)]
pub struct Kept {
    filing: Filing,
    environment: String,
    texts: bool,
    began: Instant,
    exchange: Exchange,
}

/// What was said since the last answer.
#[derive(Debug, Default)]
struct Asked {
    prompt: String,
    attachments: Vec<Attachment>,
    results: Vec<ToolResult>,
}

impl Asked {
    fn of(request: &ChatRequest) -> Option<Self> {
        let mut asked = Self::default();
        let behind = request
            .messages
            .iter()
            .rposition(|message| message.role == Role::Assistant);
        let since = behind.map_or(0, |at| at + 1);
        let called = behind.map_or(&[][..], |at| &request.messages[at].calls);
        for message in &request.messages[since..] {
            match (message.role, &message.call_id) {
                (Role::User, _) => {
                    asked.prompt.clone_from(&message.content);
                    asked.attachments.clone_from(&message.attachments);
                }
                (Role::Tool, Some(id)) => {
                    let name = called
                        .iter()
                        .find(|call| call.id == *id)
                        .map(|call| call.name.clone());
                    let content = message.content.clone();
                    asked.results.push(ToolResult {
                        id: id.clone(),
                        name: name.unwrap_or_default(),
                        content,
                    });
                }
                _ => {}
            }
        }
        (!request.messages.is_empty()).then_some(asked)
    }
}

impl Kept {
    /// Begins before the request is sent, see [`Kept::sent`]. `texts`: what is said is kept too.
    pub fn begin(filing: Filing, request: &ChatRequest, env: &Environment, texts: bool) -> Self {
        let system = request
            .messages
            .iter()
            .find(|message| texts && message.role == Role::System);
        let asked = Asked::of(request).filter(|_| texts).unwrap_or_default();
        let mut params = request.params.clone();
        if !texts {
            // A sequence that ends the answer is a piece of text too, and so are schemas.
            params.stop.clear();
            params.tools.clear();
            params.format = None;
        }
        let exchange = Exchange {
            id: filing.exchange,
            parent: filing.parent,
            at: Timestamp::now(),
            model: request.model.clone(),
            deployment: filing.deployment.clone(),
            system: system
                .map(|message| message.content.clone())
                .unwrap_or_default(),
            params,
            prompt: asked.prompt,
            attachments: asked.attachments,
            results: asked.results,
            reasoning: String::new(),
            answer: String::new(),
            calls: Vec::new(),
            ending: ExchangeEnding::Stopped,
            answered_by: None,
            figures: crate::metrics::timeline::Figures::default(),
        };
        Self {
            filing,
            environment: env.name.clone(),
            texts,
            began: Instant::now(),
            exchange,
        }
    }

    /// The request is sent now: before, it may have waited for others.
    pub fn sent(&mut self) {
        self.began = Instant::now();
        self.exchange.at = Timestamp::now();
    }

    /// Takes more of the answer.
    pub fn advance(&mut self, advance: &Advance) {
        if self.texts {
            if advance.turned {
                let thought = std::mem::take(&mut self.exchange.answer);
                self.exchange.reasoning.push_str(&thought);
            }
            self.exchange.reasoning.push_str(&advance.reasoning);
            self.exchange.answer.push_str(&advance.answer);
            if !advance.calls.is_empty() {
                self.exchange.calls.clone_from(&advance.calls);
            }
        }
    }

    /// What is to be kept of an answer that nobody waits for any more, e.g. as the window was closed.
    pub fn left(self) -> ChatRecord {
        self.end(&ChatReport::ended_early(ChatEnding::Stopped))
    }

    /// What is to be kept.
    pub fn end(self, report: &ChatReport) -> ChatRecord {
        let Self {
            filing,
            environment,
            texts: _,
            began,
            mut exchange,
        } = self;
        let figures = report.figures;
        let took = figures.latency.unwrap_or_else(|| began.elapsed());
        let (ending, error) = match &report.ending {
            ChatEnding::Finished { reason } => {
                let error = report.no_text.map(|why| RequestError {
                    class: Some(FaultClass::NoText),
                    status: None,
                    text: why.to_owned(),
                });
                (ExchangeEnding::Finished(reason.word()), error)
            }
            ChatEnding::Stopped => {
                let text = "stopped".to_owned();
                let error = RequestError {
                    class: Some(FaultClass::Cancelled),
                    status: None,
                    text,
                };
                (ExchangeEnding::Stopped, Some(error))
            }
            ChatEnding::Failed(failure) => {
                let text = failure.summary.clone();
                let error = RequestError {
                    class: failure.class,
                    status: None,
                    text,
                };
                (ExchangeEnding::Failed(failure.to_string()), Some(error))
            }
        };
        exchange.ending = ending;
        exchange.answered_by.clone_from(&report.answered_by);
        exchange.figures = figures;
        // A conversation that begins with a picture is called after its file.
        let named = exchange
            .attachments
            .first()
            .filter(|_| exchange.prompt.trim().is_empty());
        let said = named.map_or(&exchange.prompt, |attachment| &attachment.name);
        let title: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let title = match title.char_indices().nth(TITLE) {
            Some((end, _)) => format!("{}…", title[..end].trim_end()),
            None => title,
        };
        let record = RequestRecord {
            index: filing.exchange,
            level: 0,
            phase: Phase::Measured,
            due: std::time::Duration::ZERO,
            sent: std::time::Duration::ZERO,
            ended: took,
            figures,
            first_byte: report.wire.first_byte,
            gaps_us: report.wire.gaps_us.clone(),
            chunks: report.wire.chunks,
            bytes: report.wire.bytes,
            wanted_prompt_tokens: None,
            answered_by: report.answered_by.clone(),
            reconnected: report.wire.reconnected,
            error,
        };
        let request = StoredRequest {
            record,
            model: exchange.model.clone(),
            deployment: filing.deployment,
            said: None,
        };
        ChatRecord {
            session: filing.conversation,
            environment,
            surroundings: None,
            title,
            request,
            exchange,
        }
    }
}

/// An answer that is kept in any case: dropped before its end, with what had come of it.
#[derive(Debug)]
pub struct Keeping {
    recorder: Recorder,
    kept: Option<Kept>,
}

impl Keeping {
    /// Nothing is kept without `kept`.
    pub fn new(recorder: Recorder, kept: Option<Kept>) -> Self {
        Self { recorder, kept }
    }

    /// The request is sent now.
    pub fn sent(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.sent();
        }
    }

    /// Takes more of the answer.
    pub fn advance(&mut self, advance: &Advance) {
        if let Some(kept) = &mut self.kept {
            kept.advance(advance);
        }
    }

    /// Keeps it. Gives the conversation when where it is held is not known yet: see [`Recorder::around`].
    pub fn end(
        mut self,
        report: &ChatReport,
        surroundings: Option<EnvironmentInfo>,
    ) -> Option<SessionId> {
        let record = ChatRecord {
            surroundings,
            ..self.kept.take()?.end(report)
        };
        let asked = record
            .surroundings
            .is_none()
            .then(|| record.session.clone());
        self.recorder.chat(record);
        asked
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.recorder.chat(kept.left());
        }
    }
}

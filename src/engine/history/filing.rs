//! An answer of a conversation, collected while it comes and kept when it has ended.

use std::time::Instant;

use jiff::Timestamp;

use super::Recorder;
use crate::domain::conversation::{Attached, ChatRequest, Params, Role};
use crate::domain::environment::Environment;
use crate::domain::exchange::{Advance, ChatEnding, Reply, UserInput};
use crate::domain::failure::FaultClass;
use crate::domain::history::{Exchange, ExchangeEnding, Filing, SessionId, StoredRequest};
use crate::domain::run::EnvironmentInfo;
use crate::engine::chat::ChatReport;
use crate::io::api::Api;
use crate::io::history::ChatRecord;
use crate::metrics::request::{Phase, RequestError, RequestRecord};

/// A conversation is called by so many characters of its first words.
const TITLE: usize = 60;

/// An exchange under way, to be recorded.
#[derive(Debug)]
pub struct Kept {
    filing: Filing,
    environment: String,
    texts: bool,
    began: Instant,
    at: Timestamp,
    model: String,
    system: String,
    params: Params,
    reply: Reply,
    /// The API that answers, once the request is sent: its secrets are kept nowhere.
    api: Option<Api>,
}

impl Kept {
    /// Begins before the request is sent, see [`Kept::sent`]. `texts`: the texts are recorded too.
    pub fn begin(filing: Filing, request: &ChatRequest, env: &Environment, texts: bool) -> Self {
        let system = request
            .messages
            .iter()
            .find(|message| message.role == Role::System);
        Self {
            filing,
            environment: env.name.clone(),
            texts,
            began: Instant::now(),
            at: Timestamp::now(),
            model: request.model.clone(),
            system: system
                .map(|message| message.content.clone())
                .unwrap_or_default(),
            params: request.params.clone(),
            reply: Reply::default(),
            api: None,
        }
    }

    /// The request is sent now: before, it may have waited for others.
    pub fn sent(&mut self, api: &Api) {
        self.api = Some(api.clone());
        self.began = Instant::now();
        self.at = Timestamp::now();
    }

    /// Takes more of the answer.
    pub fn advance(&mut self, advance: &Advance) {
        self.reply.advance(advance);
    }

    /// What has come of it so far.
    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    fn exchange(self, ending: ExchangeEnding) -> Exchange {
        let Self {
            filing,
            environment,
            texts,
            at,
            model,
            system,
            mut params,
            reply,
            ..
        } = self;
        let Reply {
            reasoning,
            text,
            calls,
            answered_by,
            figures,
        } = reply;
        let UserInput {
            prompt,
            attachments,
            results,
        } = filing.said;
        if !texts {
            // A sequence that ends the answer is a piece of text too, and so are schemas.
            params.stop.clear();
            params.tools.clear();
            params.format = None;
        }
        let exchange = Exchange {
            id: filing.exchange,
            parent: filing.parent,
            pane: filing.pane,
            environment: filing.pane.map(|_| environment),
            at,
            model,
            deployment: filing.deployment,
            system,
            params,
            prompt,
            attachments,
            results,
            reasoning,
            answer: text,
            calls,
            ending,
            answered_by,
            figures,
        };
        if texts {
            exchange
        } else {
            exchange.without_texts()
        }
    }

    /// What is to be kept of an answer that nobody waits for any more, e.g. as the window was closed.
    pub fn left(self) -> ChatRecord {
        self.end(&ChatReport::ended_early(ChatEnding::Stopped))
    }

    /// What is to be kept.
    pub fn end(mut self, report: &ChatReport) -> ChatRecord {
        let figures = report.figures;
        let took = figures.latency.unwrap_or_else(|| self.began.elapsed());
        let (ending, error) = ended(report);
        self.reply.end(figures, report.answered_by.clone());
        let (session, environment) = (self.filing.conversation.clone(), self.environment.clone());
        let api = self.api.take();
        let mut exchange = self.exchange(ending);
        if let Some(api) = &api {
            without_secrets(api, &mut exchange);
        }
        let title = title(&exchange);
        let record = RequestRecord {
            index: exchange.id,
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
            deployment: exchange.deployment.clone(),
            said: None,
        };
        ChatRecord {
            session,
            environment,
            surroundings: None,
            title,
            request,
            exchange,
        }
    }
}

/// How the exchange ended, and what its request's error was.
fn ended(report: &ChatReport) -> (ExchangeEnding, Option<RequestError>) {
    let error = |class, text| RequestError {
        class,
        status: None,
        text,
    };
    match &report.ending {
        ChatEnding::Finished { reason } => {
            let no_text = report.no_text;
            let error = no_text.map(|why| error(Some(FaultClass::NoText), why.to_owned()));
            (ExchangeEnding::Finished(reason.word()), error)
        }
        ChatEnding::Stopped => {
            let error = error(Some(FaultClass::Cancelled), "stopped".to_owned());
            (ExchangeEnding::Stopped, Some(error))
        }
        ChatEnding::Failed(failure) => {
            let error = error(failure.class, failure.summary.clone());
            (ExchangeEnding::Failed(failure.to_string()), Some(error))
        }
    }
}

/// A conversation is called after its first words; one that begins with a picture, after the picture's file.
fn title(exchange: &Exchange) -> String {
    let named = exchange
        .attachments
        .first()
        .filter(|_| exchange.prompt.trim().is_empty());
    let said = named.map_or(&exchange.prompt, |attachment| &attachment.name);
    let title: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    match title.char_indices().nth(TITLE) {
        Some((end, _)) => format!("{}…", title[..end].trim_end()),
        None => title,
    }
}

/// A model may repeat the key anywhere, e.g. as the id of a call, and a user may have pasted it.
fn without_secrets(api: &Api, exchange: &mut Exchange) {
    // Numbers stay as they are, and pictures need no second copy.
    let figures = std::mem::take(&mut exchange.figures);
    let mut attachments = std::mem::take(&mut exchange.attachments);
    for attachment in &mut attachments {
        attachment.name = api.clean(&attachment.name);
        if let Attached::Text(text) = &mut attachment.content {
            *text = api.clean(text).into();
        }
    }
    let all = serde_json::to_value(&*exchange).map(|all| api.clean_json(all));
    *exchange = match all.and_then(serde_json::from_value) {
        Ok(clean) => clean,
        // No exchange is known of which this cannot be read; its texts would hold the key.
        Err(_) => exchange.clone().without_texts(),
    };
    exchange.figures = figures;
    exchange.attachments = attachments;
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

    /// As [`Kept::sent`].
    pub fn sent(&mut self, api: &Api) {
        if let Some(kept) = &mut self.kept {
            kept.sent(api);
        }
    }

    /// Takes more of the answer.
    pub fn advance(&mut self, advance: &Advance) {
        if let Some(kept) = &mut self.kept {
            kept.advance(advance);
        }
    }

    /// Keeps it. Gives the conversation when where it is held is not known yet: see [`Recorder::environment_info`].
    pub fn end(
        mut self,
        report: &ChatReport,
        surroundings: Option<EnvironmentInfo>,
    ) -> Option<SessionId> {
        let kept = self.kept.take()?;
        // Another pane of a comparison may ask another cluster than the conversation began on.
        let begins = kept.filing.pane.is_none();
        let record = ChatRecord {
            surroundings: surroundings.filter(|_| begins),
            ..kept.end(report)
        };
        let asked = (begins && record.surroundings.is_none()).then(|| record.session.clone());
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

//! What was asked for besides words: JSON of a form, functions to call. And what was found of it once the answer
//! had ended.

use super::{Answer, AnswerStatus, Asking, ChatState, UserInput};
use crate::domain::conversation::{AnswerFormat, ChatRequest, Params, Tool, ToolCall, ToolResult};
use crate::domain::exchange::Reply;
use crate::domain::json::{self, Checked, Held, Mistake, Schema, Violation};
use crate::protocol::FinishReason;
use crate::wire::openai::sent_tools;

/// How a block of JSON begins.
const BLOCK: &str = "```json\n";

/// What was asked for, and what was found.
#[derive(Debug, Clone, Default)]
pub struct Form {
    format: Option<AnswerFormat>,
    tools: Vec<Tool>,
    /// Whether the answer has its form; `None` while it comes, and where none was asked for.
    pub checked: Option<Checked>,
    /// The answer's JSON, a member a line.
    pub pretty: Option<String>,
    /// The answer as a block of code, while it comes and after; empty where it is none.
    pub block: String,
    /// Of each call; empty while the answer comes.
    pub calls: Vec<CallForm>,
    /// The calls can be given results.
    answerable: bool,
}

/// What was found of a function's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallForm {
    /// Its arguments, a member a line; as they came where they are no JSON.
    pub shown: String,
    /// What is to be said of it.
    pub check: CallCheck,
}

/// Whether a call makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallCheck {
    /// Its arguments hold to the function's schema.
    Good,
    /// No function of this name was offered.
    Unknown,
    /// Its arguments are no JSON.
    NoJson(Mistake),
    /// They do not hold to the function's schema.
    Violates {
        /// The first few places.
        first: Vec<Violation>,
        /// How many more there are.
        more: usize,
    },
    /// Nobody knows, and why.
    Unchecked(String),
}

impl CallCheck {
    fn of(call: &ToolCall, tools: &[Tool]) -> Self {
        let Some(tool) = tools.iter().find(|tool| tool.name.trim() == call.name) else {
            return Self::Unknown;
        };
        let arguments = if call.arguments.trim().is_empty() {
            "{}"
        } else {
            &call.arguments
        };
        let value = match json::read(arguments) {
            Ok(value) => value,
            Err(mistake) => return Self::NoJson(mistake),
        };
        let parameters = if tool.parameters.trim().is_empty() {
            r#"{"type":"object"}"#
        } else {
            &tool.parameters
        };
        match Schema::read(parameters).map(|schema| schema.check(&value, arguments.len())) {
            Ok(Held::Well) => Self::Good,
            Ok(Held::Badly { first, more }) => Self::Violates { first, more },
            Ok(Held::Unchecked(why)) | Err(why) => Self::Unchecked(why),
        }
    }

    /// In a sentence; `None` where all is well.
    pub fn told(&self) -> Option<String> {
        Some(match self {
            Self::Good => return None,
            Self::Unknown => "No function of this name was offered".to_owned(),
            Self::NoJson(mistake) => format!("The arguments are not JSON. {mistake}"),
            Self::Violates { first, more } => {
                let mut told: Vec<String> = first.iter().map(Violation::to_string).collect();
                if *more > 0 {
                    told.push(format!("and {more} more"));
                }
                format!(
                    "The arguments do not match the function's schema: {}",
                    told.join("; ")
                )
            }
            Self::Unchecked(why) => {
                format!("The arguments were not checked against the function's schema. {why}")
            }
        })
    }
}

impl Form {
    /// More of the answer's text has come; `before` is what there was.
    pub(super) fn grow(&mut self, before: &str, more: &str) {
        if self.format.is_none() {
            return;
        }
        if before.trim().is_empty() && more.trim_start().starts_with(['{', '[']) {
            self.block = format!("{BLOCK}{}", more.trim_start());
        } else if !self.block.is_empty() {
            self.block.push_str(more);
        }
    }

    /// The text so far was no answer.
    pub(super) fn renew(&mut self) {
        self.block.clear();
    }

    /// Of what is sent with these parameters.
    pub(super) fn of(params: &Params) -> Self {
        let tools = sent_tools(&params.tools).cloned().collect();
        Self {
            format: params.format.clone(),
            tools,
            ..Self::default()
        }
    }
}

impl Answer {
    /// Looks at what has come, now that nothing more does.
    pub(super) fn look(&mut self) {
        let Self {
            reply: Reply { text, calls, .. },
            status,
            form,
            ..
        } = self;
        form.answerable = false;
        let cut = match status {
            AnswerStatus::Finished(reason) => {
                matches!(reason, FinishReason::Length | FinishReason::ContentFilter)
            }
            AnswerStatus::Stopped | AnswerStatus::Failed(_) => true,
            AnswerStatus::Streaming(_) => return,
        };
        let silent = text.trim().is_empty();
        form.checked = match &form.format {
            // What there is to be said of no answer, the notice says.
            Some(format) if !silent => json::check_answer(format, text, cut),
            _ => None,
        };
        form.pretty = match &form.checked {
            Some(_) => json::pretty(text.trim()).or_else(|| json::pretty(json::fence_of(text)?)),
            None => None,
        };
        form.block = match &form.pretty {
            Some(pretty) if !matches!(form.checked, Some(Checked::Fenced(_))) => {
                format!("{BLOCK}{pretty}\n```")
            }
            _ => String::new(),
        };
        form.calls = calls
            .iter()
            .map(|call| CallForm {
                shown: json::pretty(&call.arguments).unwrap_or_else(|| call.arguments.clone()),
                check: CallCheck::of(call, &form.tools),
            })
            .collect();
        let whole = |call: &ToolCall| json::read(&call.arguments).is_ok();
        form.answerable = !cut || calls.iter().all(whole);
    }

    /// The calls that can be given a result: none while the answer comes, and none that was cut amid its arguments.
    pub fn answerable(&self) -> &[ToolCall] {
        if self.form.answerable {
            &self.reply.calls
        } else {
            &[]
        }
    }
}

impl ChatState {
    /// Whether the last answer waits for results of functions.
    pub fn awaits_results(&self) -> bool {
        self.conversation
            .turns
            .last()
            .is_some_and(|turn| !turn.answer.answerable().is_empty())
    }

    /// What is typed as the result of each of the last answer's calls.
    pub fn typed_results(&self) -> &[String] {
        self.conversation
            .turns
            .last()
            .map_or(&[], |turn| &turn.typed)
    }

    /// Types the result of a call of the last answer.
    pub fn type_result(&mut self, call: usize, text: String) {
        if let Some(turn) = self
            .conversation
            .turns
            .last_mut()
            .filter(|turn| call < turn.answer.reply.calls.len())
        {
            turn.typed
                .resize(turn.answer.reply.calls.len(), String::new());
            turn.typed[call] = text;
        }
    }

    /// Sends what is typed as results, all at once; what is not typed is sent empty.
    pub fn send_results(&mut self, asking: &Asking<'_>) -> Option<ChatRequest> {
        let results = self.drafted_results();
        if results.is_empty() {
            return None;
        }
        self.stop_editing();
        Some(self.ask(
            UserInput {
                results,
                ..UserInput::default()
            },
            asking,
        ))
    }

    /// The results as they are typed; none where none are awaited.
    pub(super) fn drafted_results(&self) -> Vec<ToolResult> {
        let Some(turn) = self.conversation.turns.last() else {
            return Vec::new();
        };
        let typed = |at: usize| turn.typed.get(at).cloned().unwrap_or_default();
        let calls = turn.answer.answerable().iter().enumerate();
        calls
            .map(|(at, call)| ToolResult {
                id: call.id.clone(),
                name: call.name.clone(),
                content: typed(at),
            })
            .collect()
    }

    /// Goes back to before the results that were sent with the turn at `index`, so that they can be typed anew. What
    /// followed is kept as a branch. Nothing where it has words, too: those are changed in the composer.
    pub(super) fn edit_results(&mut self, index: usize) -> bool {
        let Some(turn) = self.conversation.turns.get(index) else {
            return false;
        };
        let UserInput {
            prompt,
            attachments,
            results,
        } = &turn.said;
        if index == 0 || results.is_empty() || !prompt.trim().is_empty() || !attachments.is_empty()
        {
            return false;
        }
        let typed = results
            .iter()
            .map(|result| result.content.clone())
            .collect();
        self.conversation.leave(index);
        if let Some(last) = self.conversation.turns.last_mut() {
            last.typed = typed;
        }
        true
    }
}

#[cfg(test)]
mod tests;

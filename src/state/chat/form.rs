//! What was asked for besides words: JSON of a form, functions to call. And what was found of it once the answer
//! had ended.

use super::{Answer, AnswerStatus, Asking, ChatState, Saying};
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
            Saying {
                results,
                ..Saying::default()
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
        let Saying {
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
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::conversation::Role;
    use crate::domain::exchange::{Advance, NOT_ANSWERED};
    use crate::metrics::history::SessionHistory;
    use crate::metrics::timeline::Figures;
    use crate::protocol::{ChatEnding, JobId};
    use crate::state::chat::Act;

    fn asking(job: u64) -> Asking<'static> {
        Asking {
            job: JobId(job),
            model: "m",
            deployment: None,
            now: Duration::ZERO,
        }
    }

    fn call(id: &str, arguments: &str) -> ToolCall {
        ToolCall {
            id: id.to_owned(),
            name: "now".to_owned(),
            arguments: arguments.to_owned(),
        }
    }

    fn tool() -> Tool {
        let parameters =
            r#"{"type":"object","properties":{"zone":{"type":"string"}},"required":["zone"]}"#;
        Tool {
            name: "now".to_owned(),
            parameters: parameters.to_owned(),
            ..Tool::default()
        }
    }

    fn end(chat: &mut ChatState, text: &str, calls: Vec<ToolCall>, ending: ChatEnding) {
        let job = chat.running().expect("it answers");
        chat.advance(
            job,
            &Advance {
                calls,
                ..Advance::of("", text)
            },
            Duration::ZERO,
        );
        chat.end(
            job,
            ending,
            (Figures::default(), None),
            Duration::ZERO,
            &mut SessionHistory::default(),
        );
    }

    fn finished(reason: FinishReason) -> ChatEnding {
        ChatEnding::Finished { reason }
    }

    /// Asked for the time, and answered by these calls.
    fn called(calls: Vec<ToolCall>, ending: ChatEnding) -> ChatState {
        let mut chat = ChatState {
            draft: "What time is it?".to_owned(),
            ..ChatState::default()
        };
        chat.system.clear();
        chat.params.tools = vec![tool()];
        chat.send(&asking(1)).expect("it is sent");
        assert!(!chat.awaits_results(), "nothing has come");
        end(&mut chat, "", calls, ending);
        chat
    }

    fn told(request: &ChatRequest) -> Vec<String> {
        let one = |message: &crate::domain::conversation::Message| {
            let role = match message.role {
                Role::Tool => format!("tool {}", message.call_id.as_deref().unwrap_or_default()),
                role => format!("{role:?}"),
            };
            let calls: Vec<&str> = message.calls.iter().map(|call| call.id.as_str()).collect();
            format!("{role}: {}{}", message.content, calls.join(","))
        };
        request.messages.iter().map(one).collect()
    }

    #[test]
    fn results_are_sent_together_in_order_and_the_conversation_goes_on() {
        let calls = vec![
            call("a", r#"{"zone":"UTC"}"#),
            call("b", r#"{"zone":"CET"}"#),
        ];
        // Some say "stop" although they call.
        let mut chat = called(calls, finished(FinishReason::Stop));
        assert!(chat.awaits_results());
        chat.type_result(1, "13:00".to_owned());
        chat.type_result(7, "nobody asked".to_owned());
        assert_eq!(chat.typed_results(), ["", "13:00"]);
        let shown = told(&chat.request("m", &Saying::default(), &chat));
        let request = chat.ask_for(Act::SendResults, &asking(2)).expect("it asks");
        assert_eq!(told(&request), shown, "View code shows what would be sent");
        let results = [
            "User: What time is it?",
            "Assistant: a,b",
            "tool a: ",
            "tool b: 13:00",
        ];
        assert_eq!(told(&request), results);
        assert_eq!(chat.turns()[1].said.title(), "Results of now, now");
        end(
            &mut chat,
            "One o'clock",
            Vec::new(),
            finished(FinishReason::Stop),
        );
        assert_eq!(
            told(&chat.ask_for(Act::Again(1), &asking(3)).expect("it asks")),
            results,
            "again the same"
        );
        end(&mut chat, "1 pm", Vec::new(), finished(FinishReason::Stop));
        chat.turn_to(Act::Edit(1));
        assert_eq!((chat.turns().len(), chat.is_editing()), (1, false));
        assert_eq!(
            chat.typed_results(),
            ["", "13:00"],
            "they can be typed anew"
        );
        chat.type_result(0, "12:00".to_owned());
        let request = chat.ask_for(Act::SendResults, &asking(4)).expect("it asks");
        assert_eq!(told(&request)[2], "tool a: 12:00");
        assert_eq!(chat.branch(1), (2, 3));
    }

    #[test]
    fn a_message_instead_of_results_says_that_there_are_none() {
        let mut chat = called(
            vec![call("a", r#"{"zone":"UTC"}"#)],
            finished(FinishReason::ToolCalls),
        );
        chat.draft = "Never mind".to_owned();
        let result = format!("tool a: {NOT_ANSWERED}");
        let shown = told(&chat.request("m", &chat.drafted(), &chat));
        assert_eq!(
            shown,
            [
                "User: What time is it?",
                "Assistant: a",
                &result,
                "User: Never mind"
            ]
        );
        assert_eq!(told(&chat.send(&asking(2)).expect("it is sent")), shown);
        assert_eq!(chat.turns()[1].said.results[0].content, NOT_ANSWERED);
    }

    #[test]
    fn results_stay_in_the_conversation_when_nothing_came_back() {
        let mut chat = called(vec![call("a", "{}")], finished(FinishReason::ToolCalls));
        chat.send_results(&asking(2)).expect("it asks");
        end(
            &mut chat,
            "",
            Vec::new(),
            ChatEnding::Failed(crate::domain::failure::Failure::new("down", "")),
        );
        chat.draft = "Still there?".to_owned();
        let request = chat.send(&asking(3)).expect("it is sent");
        assert_eq!(
            told(&request),
            [
                "User: What time is it?",
                "Assistant: a",
                "tool a: ",
                "User: Still there?"
            ]
        );
    }

    #[test]
    fn a_call_that_was_stopped_amid_its_arguments_is_not_answered_and_not_sent_back() {
        let mut chat = called(vec![call("a", r#"{"zone":"U"#)], ChatEnding::Stopped);
        assert!(!chat.awaits_results() && chat.send_results(&asking(2)).is_none());
        assert!(matches!(
            chat.turns()[0].answer.form.calls[0].check,
            CallCheck::NoJson(_)
        ));
        chat.draft = "Go on".to_owned();
        assert_eq!(
            told(&chat.send(&asking(2)).expect("it is sent")),
            ["User: Go on"]
        );
        let whole = called(vec![call("a", r#"{"zone":"UTC"}"#)], ChatEnding::Stopped);
        assert!(whole.awaits_results(), "its arguments were all there");
    }

    #[test]
    fn calls_are_held_against_what_was_offered() {
        let odd = ToolCall {
            name: "then".to_owned(),
            ..call("c", "{}")
        };
        let calls = vec![
            call("a", r#"{"zone":"UTC"}"#),
            call("b", r#"{"zone":7}"#),
            odd,
            call("d", "UTC"),
        ];
        let chat = called(calls, finished(FinishReason::ToolCalls));
        let form = &chat.turns()[0].answer.form;
        assert_eq!(form.calls[0].shown, "{\n  \"zone\": \"UTC\"\n}");
        assert_eq!(form.calls[0].check.told(), None);
        let told = |at: usize| {
            form.calls[at]
                .check
                .told()
                .expect("there is something to say")
        };
        assert!(told(1).contains("/zone: 7 is not of type"), "{}", told(1));
        assert!(told(2).contains("No function of this name"), "{}", told(2));
        assert!(told(3).contains("not JSON. Line 1"), "{}", told(3));
        assert_eq!(form.calls[3].shown, "UTC");
    }

    #[test]
    fn an_answer_is_held_against_its_format_when_it_has_ended() {
        let mut chat = ChatState {
            draft: "x".to_owned(),
            ..ChatState::default()
        };
        chat.params.format = Some(AnswerFormat::JsonObject);
        chat.send(&asking(1)).expect("it is sent");
        // Changed meanwhile: the answer was asked for in another form.
        chat.params.format = None;
        chat.advance(
            JobId(1),
            &Advance::of("{\"not\": \"this\"}", "{\"a\""),
            Duration::ZERO,
        );
        assert_eq!(
            chat.turns()[0].answer.form.checked,
            None,
            "it is not whole yet"
        );
        assert_eq!(chat.turns()[0].answer.form.block, "```json\n{\"a\"");
        end(&mut chat, ":1}", Vec::new(), finished(FinishReason::Stop));
        let form = &chat.turns()[0].answer.form;
        assert_eq!(
            (&form.checked, form.pretty.as_deref()),
            (&Some(Checked::Object), Some("{\n  \"a\": 1\n}"))
        );
    }
}

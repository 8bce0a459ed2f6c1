//! `batida chat`: one question, streamed.

use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::args::{ChatArgs, Common};
use super::choose::{self, Chosen};
use super::{Ended, out, report};
use crate::domain::attachment::MOST_BODY;
use crate::domain::conversation::{AnswerFormat, ChatRequest, Message, Params, Role};
use crate::domain::exchange::{Advance, Reply, UserInput};
use crate::domain::failure::Failure;
use crate::domain::history::{Filing, HistorySettings, SessionId};
use crate::domain::json::{self, Checked};
use crate::domain::run::EnvironmentInfo;
use crate::engine;
use crate::engine::attach;
use crate::engine::chat::{self, ChatReport};
use crate::engine::connection::Connection;
use crate::engine::environment_info;
use crate::engine::history::filing::Kept;
use crate::io::api::Api;
use crate::io::files;
use crate::io::kubectl::Kubectl;
use crate::metrics::timeline::Figures;
use crate::protocol::{ChatEnding, FinishReason};
use crate::wire::fault;

/// How long the cluster's answer is waited for behind the model's.
const AROUND: Duration = Duration::from_millis(300);
/// More than the ingress takes.
const MOST_PROMPT: u64 = 25 << 20;

pub(super) async fn run(
    common: &Common,
    connection: &Connection,
    args: ChatArgs,
    keep: HistorySettings,
    cancel: &CancellationToken,
) -> Result<(), Ended> {
    let Prepared {
        format,
        said,
        api,
        chosen,
    } = prepare_or_tell(common.json, connection, &args, cancel).await?;
    let Chosen {
        model, deployment, ..
    } = chosen;
    let prompt = UserInput {
        attachments: said.attachments.clone(),
        ..UserInput::text(&said.content)
    };
    let request = request(&args, &model, said, format);
    // Dropped at the end: what it holds is written then.
    let history = super::open_history(common, args.no_history);
    let filing = Filing {
        conversation: SessionId(engine::new_id('c')),
        exchange: 0,
        parent: None,
        pane: None,
        deployment: deployment.clone(),
        said: prompt,
    };
    let kubectl = connection.kubectl.clone().filter(|_| history.is_some());
    let collecting = kubectl.map(|kubectl| collect_info(kubectl, deployment));
    let mut printer = Printer::new(common.json, args.reasoning);
    let mut kept = Kept::begin(filing, &request, &connection.env, keep.chat_texts);
    kept.sent(api);
    let limits = chat::Limits {
        whole: args.timeout,
        ..chat::Limits::default()
    };
    let known = connection.known();
    let report = chat::run_within(api, &request, &known, cancel, limits, |advance| {
        kept.advance(&advance);
        if printer.advance(&advance).is_err() {
            // The rest cannot be printed either, and the end of the program says why.
            cancel.cancel();
        }
    })
    .await;
    let Reply {
        text: answer,
        reasoning,
        ..
    } = kept.reply().clone();
    if let Some(history) = &history {
        let mut record = kept.end(&report);
        record.surroundings = match collecting {
            Some(collecting) => collected(collecting).await,
            None => None,
        };
        history.recorder().chat(record);
    }
    let cut = !matches!(&report.ending, ChatEnding::Finished { reason } if *reason != FinishReason::Length);
    let format = request.params.format.as_ref();
    let checked = format.and_then(|format| json::check_answer(format, &answer, cut));
    if common.json {
        let texts = (&*answer, &*reasoning);
        report::json(&as_json(&model, texts, checked.as_ref(), &report))?;
    } else {
        printer.end(&answer)?;
        tell_figures(&report, &model, args.quiet);
    }
    verdict(report, checked, common.json)
}

/// As [`prepare`]. With `is_json` a failure is printed as the whole output.
async fn prepare_or_tell<'a>(
    is_json: bool,
    connection: &'a Connection,
    args: &ChatArgs,
    cancel: &CancellationToken,
) -> Result<Prepared<'a>, Ended> {
    let prepared = tokio::select! {
        () = cancel.cancelled() => return Err(Ended::Told),
        prepared = prepare(connection, args) => prepared,
    };
    match prepared {
        Ok(prepared) => Ok(prepared),
        Err(failure) if is_json => {
            let report = ChatReport::ended_early(ChatEnding::Failed(failure));
            let model = args.model.as_deref().unwrap_or_default();
            report::json(&as_json(model, ("", ""), None, &report))?;
            Err(Ended::Told)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// What is sent, with the system prompt before what the user said.
fn request(
    args: &ChatArgs,
    model: &str,
    said: Message,
    format: Option<AnswerFormat>,
) -> ChatRequest {
    let system = args.system.trim();
    let system = (!system.is_empty()).then(|| Message::new(Role::System, system));
    ChatRequest {
        model: model.to_owned(),
        messages: system.into_iter().chain([said]).collect(),
        params: Params {
            format,
            ..args.params()
        },
    }
}

/// Collects the releases and the deployment for the history, beside the answer so that it delays nothing.
fn collect_info(
    kubectl: Kubectl,
    deployment: Option<String>,
) -> AbortOnDropHandle<EnvironmentInfo> {
    let deployments: Vec<String> = deployment.into_iter().collect();
    AbortOnDropHandle::new(tokio::spawn(async move {
        environment_info::collect(&kubectl, &deployments).await
    }))
}

/// What was collected; `None` where nothing was, or not in time.
async fn collected(collecting: AbortOnDropHandle<EnvironmentInfo>) -> Option<EnvironmentInfo> {
    let found = tokio::time::timeout(AROUND, collecting).await.ok()?.ok()?;
    (found != EnvironmentInfo::default()).then_some(found)
}

/// Prints an answer while it streams, and its reasoning where that is wanted.
struct Printer {
    /// Nothing is printed before the end.
    silent: bool,
    reasoning: bool,
    /// The last line of the reasoning has no end yet, so that what follows must begin a new line.
    is_line_open: bool,
    out: out::Door,
}

impl Printer {
    fn new(silent: bool, reasoning: bool) -> Self {
        Self {
            silent,
            reasoning,
            is_line_open: false,
            out: out::content(),
        }
    }

    fn advance(&mut self, advance: &Advance) -> io::Result<()> {
        if self.silent {
            return Ok(());
        }
        if advance.turned {
            report::error_line("batida: the text above was reasoning: it ended with </think>");
        }
        if self.reasoning && !advance.reasoning.is_empty() {
            report::error_text(&advance.reasoning);
            self.is_line_open = !advance.reasoning.ends_with('\n');
        }
        if !advance.answer.is_empty() {
            self.end_line();
        }
        self.out.write_all(advance.answer.as_bytes())?;
        self.out.flush()
    }

    fn end(&mut self, answer: &str) -> io::Result<()> {
        if !answer.is_empty() && !answer.ends_with('\n') {
            writeln!(out::content())?;
        }
        self.end_line();
        Ok(())
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.is_line_open) {
            report::error_text("\n");
        }
    }
}

/// Says who answered and how fast.
fn tell_figures(report: &ChatReport, model: &str, quiet: bool) {
    if let Some(other) = &report.answered_by {
        report::error_line(&format!("batida: {other} answered, not {model}"));
    }
    if let ChatEnding::Finished {
        reason: FinishReason::Other(Some(word)),
    } = &report.ending
    {
        let line = format!(
            "batida: the server stopped with the unknown finish reason {word:?}: the answer may be incomplete"
        );
        report::error_line(&line);
    }
    if report.kept_open {
        report::error_line(
            "batida: the server kept the response open after its end and sent no [DONE]: text that it sends later is not shown",
        );
    }
    if !quiet && report.figures != Figures::default() {
        let model = report.answered_by.as_deref().unwrap_or(model);
        report::figures(model, &report.figures);
    }
}

/// The exit of the command, after why the answer is none or not in the format that was asked for.
fn verdict(report: ChatReport, checked: Option<Checked>, is_json: bool) -> Result<(), Ended> {
    match report.ending {
        ChatEnding::Finished { .. } => {}
        ChatEnding::Stopped => return Err(Ended::Told),
        ChatEnding::Failed(_) if is_json => return Err(Ended::Told),
        ChatEnding::Failed(failure) => return Err(failure.into()),
    }
    if let Some(why) = report.no_text {
        if !is_json {
            report::error_line(&format!("batida: {why}"));
        }
        return Err(Ended::Told);
    }
    let Some(checked) = checked.filter(|checked| !checked.holds()) else {
        return Ok(());
    };
    if !is_json {
        tell_form(&checked);
    }
    if checked.fails() {
        Err(Ended::Crossed)
    } else {
        Ok(())
    }
}

/// The form that the answer must have.
fn read_format(object: bool, schema: Option<&Path>) -> Result<Option<AnswerFormat>, Failure> {
    if object {
        return Ok(Some(AnswerFormat::JsonObject));
    }
    let Some(file) = schema else { return Ok(None) };
    let unread = |why: String| {
        Failure::new(
            format!("The schema in {} cannot be used: {why}", file.display()),
            "It must be a JSON object",
        )
    };
    let schema = files::read_now(file, MOST_PROMPT).map_err(|odd| unread(odd.why()))?;
    let schema =
        String::from_utf8(schema).map_err(|_| unread("it is not UTF-8 text".to_owned()))?;
    match json::read(&schema) {
        Ok(value) if value.is_object() => {}
        Ok(_) => return Err(unread("it is no object".to_owned())),
        Err(mistake) => return Err(unread(mistake.to_string())),
    }
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .chars()
        .map(plain)
        .take(64)
        .collect();
    Ok(Some(AnswerFormat::JsonSchema {
        name,
        schema,
        strict: true,
    }))
}

/// Why the answer is not what was asked for.
fn tell_form(checked: &Checked) {
    report::error_line(&format!("batida: {}", checked.told()));
    let (first, more) = checked.violations();
    for violation in first {
        report::error_line(&format!("  {violation}"));
    }
    if more > 0 {
        report::error_line(&format!("  and {more} more"));
    }
}

fn form_json(checked: &Checked) -> serde_json::Value {
    let (first, more) = checked.violations();
    let violations: Vec<_> = first
        .iter()
        .map(|it| json!({"place": it.place, "what": it.what}))
        .collect();
    let holds = (checked.holds() || checked.fails()).then(|| checked.holds());
    json!({"holds": holds, "told": checked.told(), "violations": violations, "more": more})
}

/// What a chat needs before anything is sent.
struct Prepared<'a> {
    format: Option<AnswerFormat>,
    said: Message,
    api: &'a Api,
    chosen: Chosen,
}

/// What is wrong with the arguments is found before anybody is asked for anything.
async fn prepare<'a>(connection: &'a Connection, args: &ChatArgs) -> Result<Prepared<'a>, Failure> {
    let (object, schema) = (args.json_object, args.json_schema.clone());
    let format = reading(move || read_format(object, schema.as_deref())).await?;
    let given = args.prompt.clone();
    let mut said = Message::new(Role::User, reading(move || read_prompt(&given)).await?);
    let room = MOST_BODY.saturating_sub(said.body_bytes() + args.system.len());
    said.attachments = attach::read_files(args.attach.clone(), room).await?;
    let api = connection.api_with_key()?;
    let chosen = choose::model(
        connection,
        args.deployment.as_deref(),
        args.model.as_deref(),
    )
    .await?;
    if said
        .attachments
        .iter()
        .any(|attachment| attachment.image().is_some())
    {
        chosen.expect_sight(connection).await?;
    }
    Ok(Prepared {
        format,
        said,
        api,
        chosen,
    })
}

/// Standard input, or a pipe, may never end: whoever waits for it can still be interrupted.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|panic| {
            Err(Failure::new(
                "Reading what to send failed in Batida itself",
                panic.to_string(),
            ))
        })
}

fn read_prompt(given: &str) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        report::error_line("Type the prompt, then Ctrl-D");
    }
    let text = whole_text(stdin.lock()).map_err(|error| {
        Failure::new(
            format!("The prompt on standard input cannot be read: {error}"),
            "It must be UTF-8 text",
        )
    })?;
    Ok(text.trim_end().to_owned())
}

/// All of it, or nothing: a part would be another prompt.
fn whole_text(from: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(MOST_PROMPT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_PROMPT {
        return Err(std::io::Error::other(format!(
            "it is larger than {} MB",
            MOST_PROMPT >> 20
        )));
    }
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is no UTF-8"))
}

fn reason_name(reason: &FinishReason) -> &str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Other(Some(reason)) => reason,
        FinishReason::Other(None) => "no reason given",
    }
}

fn as_json(
    model: &str,
    (answer, reasoning): (&str, &str),
    checked: Option<&Checked>,
    ended: &ChatReport,
) -> serde_json::Value {
    let (ending, finish, failure) = match &ended.ending {
        ChatEnding::Finished { reason } => {
            let why = ended
                .no_text
                .map(|why| report::failure_json(&fault::no_text(why).failure));
            (
                if why.is_some() { "failed" } else { "finished" },
                Some(reason_name(reason)),
                why,
            )
        }
        ChatEnding::Stopped => ("stopped", None, None),
        ChatEnding::Failed(failure) => ("failed", None, Some(report::failure_json(failure))),
    };
    json!({
        "model": model,
        "answered_by": ended.answered_by,
        "answer": answer,
        "reasoning": reasoning,
        "ending": ending,
        "finish_reason": finish,
        "form": checked.map(form_json),
        "figures": report::figures_json(&ended.figures),
        "failure": failure,
        "kept_open": ended.kept_open,
    })
}

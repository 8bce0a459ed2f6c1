//! `batida chat`: one question, streamed.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal as _, Read, Write as _};
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
use crate::domain::exchange::{Reply, UserInput};
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
use crate::metrics::timeline::Figures;
use crate::protocol::{ChatEnding, FinishReason};
use crate::wire::fault;

/// How long the cluster's answer is waited for behind the model's.
const AROUND: Duration = Duration::from_millis(300);
/// More than the ingress takes.
const MOST_PROMPT: u64 = 25 << 20;

pub(super) async fn run(
    common: &Common,
    place: &Connection,
    args: ChatArgs,
    keep: HistorySettings,
    cancel: &CancellationToken,
) -> Result<(), Ended> {
    let prepared = tokio::select! {
        () = cancel.cancelled() => return Err(Ended::Told),
        prepared = prepare(place, &args) => prepared,
    };
    let Prepared {
        format,
        said,
        api,
        chosen,
    } = match prepared {
        Ok(prepared) => prepared,
        Err(failure) if common.json => {
            let ending = ChatEnding::Failed(failure);
            let report = ChatReport::ended_early(ending);
            report::json(&as_json(
                args.model.as_deref().unwrap_or_default(),
                ("", ""),
                None,
                &report,
            ))?;
            return Err(Ended::Told);
        }
        Err(failure) => return Err(failure.into()),
    };
    let Chosen {
        model, deployment, ..
    } = chosen;
    let mut messages = Vec::new();
    if !args.system.trim().is_empty() {
        messages.push(Message::new(Role::System, args.system.trim()));
    }
    let prompt = UserInput {
        attachments: said.attachments.clone(),
        ..UserInput::text(&said.content)
    };
    messages.push(said);
    let params = Params {
        format,
        ..args.params()
    };
    let request = ChatRequest {
        model: model.clone(),
        messages,
        params,
    };
    // The reasoning's last line has no end yet: what follows must begin a line of its own.
    let mut thought_open = false;
    // Dropped at the end: what it holds is written then.
    let history = super::open_history(common, args.no_history);
    let filing = Filing {
        conversation: SessionId(engine::new_id('c')),
        exchange: 0,
        parent: None,
        deployment: deployment.clone(),
        said: prompt,
    };
    // Asked beside the answer: it holds up nothing, and what is not known by its end is missing.
    let kubectl = place.kubectl.clone().filter(|_| history.is_some());
    let deployments: Vec<String> = deployment.into_iter().collect();
    let asking = kubectl.map(|kubectl| {
        AbortOnDropHandle::new(tokio::spawn(async move {
            environment_info::collect(&kubectl, &deployments).await
        }))
    });
    let mut printed = out::content();
    let mut kept = Kept::begin(filing, &request, &place.env, keep.chat_texts);
    kept.sent(api);
    let limits = chat::Limits {
        whole: args.timeout,
        ..chat::Limits::default()
    };
    let report = chat::run_within(api, &request, &place.known(), cancel, limits, |advance| {
        kept.advance(&advance);
        if common.json {
            return;
        }
        if advance.turned {
            report::error_line("batida: the text above was reasoning: it ended with </think>");
        }
        if args.reasoning && !advance.reasoning.is_empty() {
            report::error_text(&advance.reasoning);
            thought_open = !advance.reasoning.ends_with('\n');
        }
        if thought_open && !advance.answer.is_empty() {
            report::error_text("\n");
            thought_open = false;
        }
        if printed
            .write_all(advance.answer.as_bytes())
            .and_then(|()| printed.flush())
            .is_err()
        {
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
        if let Some(asking) = asking {
            let found = tokio::time::timeout(AROUND, asking)
                .await
                .ok()
                .and_then(Result::ok);
            record.surroundings = found.filter(|found| *found != EnvironmentInfo::default());
        }
        history.recorder().chat(record);
    }
    let cut = !matches!(&report.ending, ChatEnding::Finished { reason } if *reason != FinishReason::Length);
    let format = request.params.format.as_ref();
    let checked = format.and_then(|format| json::check_answer(format, &answer, cut));
    if common.json {
        report::json(&as_json(
            &model,
            (&answer, &reasoning),
            checked.as_ref(),
            &report,
        ))?;
    } else {
        if !answer.is_empty() && !answer.ends_with('\n') {
            writeln!(out::content())?;
        }
        if thought_open {
            report::error_text("\n");
        }
        if let Some(other) = &report.answered_by {
            report::error_line(&format!("batida: {other} answered, not {model}"));
        }
        if !args.quiet && report.figures != Figures::default() {
            report::figures(
                report.answered_by.as_ref().unwrap_or(&model),
                &report.figures,
            );
        }
    }
    match report.ending {
        ChatEnding::Finished { .. } => {
            if let Some(why) = report.no_text {
                if !common.json {
                    report::error_line(&format!("batida: {why}"));
                }
                return Err(Ended::Told);
            }
            let Some(checked) = checked.filter(|checked| !checked.holds()) else {
                return Ok(());
            };
            if !common.json {
                tell_form(&checked);
            }
            if checked.fails() {
                Err(Ended::Crossed)
            } else {
                Ok(())
            }
        }
        ChatEnding::Stopped => Err(Ended::Told),
        ChatEnding::Failed(_) if common.json => Err(Ended::Told),
        ChatEnding::Failed(failure) => Err(failure.into()),
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
    let schema = File::open(file)
        .and_then(whole_text)
        .map_err(|error| match error.kind() {
            ErrorKind::IsADirectory => unread("it is a folder".to_owned()),
            _ => unread(error.to_string()),
        })?;
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
async fn prepare<'a>(place: &'a Connection, args: &ChatArgs) -> Result<Prepared<'a>, Failure> {
    let (object, schema) = (args.json_object, args.json_schema.clone());
    let format = reading(move || read_format(object, schema.as_deref())).await?;
    let given = args.prompt.clone();
    let mut said = Message::new(Role::User, reading(move || read_prompt(&given)).await?);
    let room = MOST_BODY.saturating_sub(said.body_bytes() + args.system.len());
    said.attachments = attach::read_files(args.attach.clone(), room).await?;
    let api = place.api_with_key()?;
    let chosen = choose::model(place, args.deployment.as_deref(), args.model.as_deref()).await?;
    if said
        .attachments
        .iter()
        .any(|attachment| attachment.image().is_some())
    {
        chosen.expect_sight(place).await?;
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
fn whole_text(from: impl Read) -> std::io::Result<String> {
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
    })
}

//! Advice on what to try, worded for the window or the command line, with or without a cluster.

use super::{Endpoint, RequestInfo};
use crate::domain::environment::KEY_VARIABLE;
use crate::domain::failure::{Advice, Failure};

/// Parameters that Batida sends on its own.
const OWN: [&str; 2] = ["stream_options", "stream"];

/// For faults that a wrong API address causes.
pub(super) fn address() -> Advice {
    Advice::by_face(
        "Check the API domain in Environments. It must be the API's host, not the web page's",
        "Check the address given with --api or in the environment. It must be the API's host, not the web page's",
    )
}

/// For a host that answers and does not have what was asked for.
pub(super) fn not_there(asked: &RequestInfo<'_>) -> Advice {
    match asked.what {
        // Some APIs have no list of models, and chat well.
        Endpoint::Models => Advice::by_face(
            "Some APIs have no list of models: pick a model of the cluster. If this API has one, check the API domain in Environments",
            "Some APIs have no list of models: name a model with --model. If this API has one, check the address of --api or of the environment",
        ),
        Endpoint::Chat | Endpoint::Completions | Endpoint::Embeddings => address(),
    }
}

/// For faults that a wrong or missing key causes.
pub(super) fn key(asked: &RequestInfo<'_>) -> Advice {
    if !asked.had_key {
        return Advice::by_face(
            "Enter an API key in the environment's settings in Environments",
            format!("Set ${KEY_VARIABLE}, or pass --key-env VAR"),
        );
    }
    let check = Advice::by_face(
        "Check this environment's key in Environments",
        "Check the key in the variable that --key-env or the environment names",
    );
    if asked.cluster {
        check.then("Keys are created in SambaStack's web UI")
    } else {
        check
    }
}

/// For servers that failed or did not respond.
pub(super) fn server(asked: &RequestInfo<'_>) -> Advice {
    if asked.cluster {
        return Advice::by_face(
            "Try again. If it keeps failing, check the model's pods",
            "Try again. If it keeps failing, check `batida deployments`",
        );
    }
    "Try again. If it keeps failing, check the server's log or ask its operator".into()
}

/// For requests that are larger than the gateway or the server accepts.
pub(super) fn size(asked: &RequestInfo<'_>) -> Advice {
    if asked.cluster {
        return "SambaStack's ingress accepts requests of up to 25 MB. Clear the conversation or shorten the prompt"
            .into();
    }
    "Clear the conversation or shorten the prompt. A gateway in front of the server may set the limit"
        .into()
}

/// A failure whose advice does not point to a body that is not there.
pub(super) fn without_body(failure: Failure) -> Failure {
    let pointing = Failure::new("", whole_response());
    if failure.advice != pointing.advice {
        return failure;
    }
    Failure {
        advice: "The server gave no reason. Check its log, or ask its operator".to_owned(),
        cli_advice: None,
        ..failure
    }
}

/// Where only the server's own message can help.
pub(super) fn whole_response() -> Advice {
    Advice::by_face(
        "See the details for the server's full response",
        "The server's full response is below",
    )
}

/// For a rejected parameter, if the user or Batida set it. `named`: whether the server's message names a parameter.
pub(super) fn parameter<'a>(
    asked: &RequestInfo<'a>,
    named: impl Fn(&str) -> bool,
) -> Option<Advice> {
    if let Some(name) = asked.set.iter().find(|name| named(name)) {
        let typed = match *name {
            "max_tokens" => {
                "Change or remove --max-tokens (`batida bench`: --output-tokens none)".to_owned()
            }
            "ignore_eos" => "Remove --ignore-eos".to_owned(),
            "enable_thinking" | "chat_template_kwargs" => "Remove --thinking".to_owned(),
            "seed" => "Change or remove --seed (`batida bench`: --sampling-seed)".to_owned(),
            "response_format" => "Remove --json-object or --json-schema".to_owned(),
            "tools" => "Send the request without functions".to_owned(),
            other => format!("Change or remove --{}", other.replace('_', "-")),
        };
        return Some(Advice::by_face(
            format!("Change or clear the parameter {name} and try again"),
            format!("{typed} and try again"),
        ));
    }
    let own = OWN.iter().find(|name| named(name))?;
    Some(
        format!("Batida adds {own} to get token counts, and this server does not support it")
            .into(),
    )
}

//! What to try, for who reads it and where: window or command line, with a cluster or without.

use super::{Asked, What};
use crate::domain::environment::KEY_VARIABLE;
use crate::domain::failure::Advice;

/// What Batida sends without being told to.
const OWN: [&str; 2] = ["stream_options", "stream"];

/// The address of the API is in question.
pub(super) fn address() -> Advice {
    Advice::by_face(
        "Check the API domain on Home: it is the API's host, not the web page's",
        "Check the address of --api, or of the environment: it is the API's host, not the web page's",
    )
}

/// The host answers, and has not what was asked for.
pub(super) fn not_there(asked: &Asked<'_>) -> Advice {
    match asked.what {
        // Some APIs have none, and chat well.
        What::Models => Advice::by_face(
            "The API may have none: a model of the cluster can be picked all the same. If it should have one, check the API domain on Home",
            "The API may have none: name a model with --model all the same. If it should have one, check the address of --api, or of the environment",
        ),
        What::Chat | What::Embeddings => address(),
    }
}

/// The key is in question.
pub(super) fn key(asked: &Asked<'_>) -> Advice {
    if !asked.had_key {
        return Advice::by_face(
            "Give the environment a key on Home",
            format!("Set ${KEY_VARIABLE}, or say --key-env VAR"),
        );
    }
    let check = Advice::by_face(
        "Check the key of this environment on Home",
        "Check the key: the variable of --key-env, or that of the environment",
    );
    if asked.cluster {
        check.then("Keys are made in SambaStack's own web page")
    } else {
        check
    }
}

/// The server failed, or is silent, and may do so again.
pub(super) fn server(asked: &Asked<'_>) -> Advice {
    if asked.cluster {
        return Advice::by_face(
            "Try again; if it stays so, look at the model's pods",
            "Try again; if it stays so, look at `batida deployments`",
        );
    }
    "Try again; if it stays so, look at the server's log, or ask whoever runs it".into()
}

/// The request is larger than a gateway or the server takes.
pub(super) fn size(asked: &Asked<'_>) -> Advice {
    if asked.cluster {
        return "SambaStack's ingress takes bodies up to 25 MB: clear the conversation or shorten the prompt"
            .into();
    }
    "Clear the conversation or shorten the prompt; a gateway before the server may set the limit"
        .into()
}

/// Nothing is known that would help but the server's own words.
pub(super) fn whole_answer() -> Advice {
    Advice::by_face(
        "The details have the server's whole answer",
        "The server's whole answer is below",
    )
}

/// A parameter was refused: what to change, when it is one that the user set. `named`: those the server names.
pub(super) fn parameter<'a>(asked: &Asked<'a>, named: impl Fn(&str) -> bool) -> Option<Advice> {
    if let Some(name) = asked.set.iter().find(|name| named(name)) {
        let typed = match *name {
            "max_tokens" => {
                "Change or leave out --max-tokens (`batida bench`: --output-tokens none)".to_owned()
            }
            "ignore_eos" => "Leave out --ignore-eos".to_owned(),
            "enable_thinking" | "chat_template_kwargs" => "Leave out --thinking".to_owned(),
            "seed" => "Change or leave out --seed (`batida bench`: --sampling-seed)".to_owned(),
            "response_format" => "Leave out --json-object or --json-schema".to_owned(),
            "tools" => "This request carries functions, which the server refuses".to_owned(),
            other => format!("Change or leave out --{}", other.replace('_', "-")),
        };
        return Some(Advice::by_face(
            format!("Change or clear the parameter {name} and try again"),
            format!("{typed} and try again"),
        ));
    }
    let own = OWN.iter().find(|name| named(name))?;
    Some(
        format!("Batida sends {own} by itself, to be told the token counts: this server does not know it")
            .into(),
    )
}

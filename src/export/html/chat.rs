//! A conversation as it can be read.

use std::fmt::Write as _;

use super::{facts, head};
use crate::chart::svg::escape;
use crate::domain::conversation::{Attached, Attachment};
use crate::domain::history::{Exchange, ExchangeEnding, SessionRow};
use crate::domain::printable::cut;
use crate::domain::run::EnvironmentInfo;
use crate::export::words::{self, Fact};

pub(super) fn write(
    out: &mut String,
    row: &SessionRow,
    surroundings: Option<&EnvironmentInfo>,
    exchanges: &[Exchange],
) {
    out.push_str("<section class=\"session\">\n");
    head(out, row);
    let mut system = None;
    for exchange in exchanges {
        if system != Some(&exchange.system) && !exchange.system.is_empty() {
            turn(out, "System prompt", "", &exchange.system);
        }
        system = Some(&exchange.system);
        one(out, exchange, exchanges);
    }
    if exchanges.is_empty() {
        out.push_str("<p class=\"under\">No messages</p>\n");
    }
    let mut known: Vec<Fact> = vec![("Environment", row.environment.clone())];
    if let Some(around) = surroundings {
        known.extend(
            around
                .sambastack
                .clone()
                .map(|version| ("SambaStack", version)),
        );
        known.extend(
            around
                .kubernetes
                .clone()
                .map(|version| ("Kubernetes", version)),
        );
        known.extend(
            around
                .deployments
                .iter()
                .map(|found| ("Deployment", found.name.clone())),
        );
    }
    known.push(("Session", row.id.0.clone()));
    out.push_str("<h2>Environment</h2>\n");
    facts(out, "Surroundings", &known);
    out.push_str("</section>\n");
}

fn one(out: &mut String, exchange: &Exchange, all: &[Exchange]) {
    let mut who = format!("You · {}", words::moment(exchange.at));
    // Whoever asked again, or went on from an earlier answer, sees it.
    let before = all
        .iter()
        .take_while(|other| other.id != exchange.id)
        .last();
    if before.map(|other| other.id) != exchange.parent {
        let parent = exchange
            .parent
            .and_then(|id| all.iter().position(|other| other.id == id));
        who.push_str(&parent.map_or(" · regenerated".to_owned(), |at| {
            format!(" · after answer {}", at + 1)
        }));
    }
    for result in &exchange.results {
        turn(
            out,
            &format!("Result of {}", words::function(&result.name)),
            " user",
            &result.content,
        );
    }
    let said_otherwise = !exchange.attachments.is_empty() || !exchange.results.is_empty();
    if !exchange.prompt.is_empty() || !said_otherwise {
        turn(out, &who, " user", kept(&exchange.prompt));
    }
    for attachment in &exchange.attachments {
        attached(out, attachment);
    }
    let model = match &exchange.deployment {
        Some(deployment) => format!("{} of {deployment}", exchange.model),
        None => exchange.model.clone(),
    };
    // Writing to a text cannot fail, here and below.
    let _ = write!(
        out,
        "<div class=\"turn\"><p class=\"who\">{}</p>",
        escape(&model)
    );
    if !exchange.reasoning.is_empty() {
        let _ = write!(
            out,
            "<details><summary>Reasoning</summary><div class=\"text\">{}</div></details>",
            escape(&exchange.reasoning)
        );
    }
    if exchange.calls.is_empty() || !exchange.answer.is_empty() {
        let _ = write!(
            out,
            "<div class=\"text\">{}</div>",
            escape(kept(&exchange.answer))
        );
    }
    for call in &exchange.calls {
        let name = escape(words::function(&call.name));
        let arguments = words::arguments(call);
        let _ = write!(
            out,
            "<p class=\"who\">Calls {name}</p><div class=\"text\">{}</div>",
            escape(&arguments)
        );
    }
    let figures = words::figures(exchange);
    if !figures.is_empty() {
        let _ = write!(out, "<p class=\"figures\">{}</p>", escape(&figures));
    }
    match &exchange.ending {
        ExchangeEnding::Finished(_) => {}
        ExchangeEnding::Stopped => {
            out.push_str("<p class=\"figures look\">Stopped by the user</p>")
        }
        ExchangeEnding::Failed(why) => {
            let _ = write!(
                out,
                "<p class=\"figures bad\">{}</p>",
                escape(&cut(why, crate::export::MAX_MESSAGE))
            );
        }
    }
    out.push_str("</div>\n");
}

/// A picture as it was sent, or a text under its name.
fn attached(out: &mut String, attachment: &Attachment) {
    let told = escape(&format!("{} · {}", attachment.name, attachment.told()));
    let _ = match &attachment.content {
        Attached::Image(image) => {
            let (source, name) = (escape(&image.data_url()), escape(&attachment.name));
            let (width, height) = (image.width, image.height);
            writeln!(
                out,
                "<figure class=\"attached\"><img src=\"{source}\" alt=\"{name}\" width=\"{width}\" \
                 height=\"{height}\" /><figcaption class=\"under\">{told}</figcaption></figure>"
            )
        }
        Attached::Text(text) => writeln!(
            out,
            "<details class=\"attached\"><summary>{told}</summary><div class=\"text\">{}</div></details>",
            escape(text)
        ),
    };
}

fn turn(out: &mut String, who: &str, class: &str, text: &str) {
    let (who, text) = (escape(who), escape(text));
    let _ = writeln!(
        out,
        "<div class=\"turn\"><p class=\"who\">{who}</p><div class=\"text{class}\">{text}</div></div>"
    );
}

fn kept(text: &str) -> &str {
    if text.is_empty() {
        "(text not kept)"
    } else {
        text
    }
}

//! A conversation as it can be read.

use maud::{Markup, html};

use super::facts;
use crate::domain::conversation::{Attached, Attachment, ToolCall};
use crate::domain::history::{Exchange, ExchangeEnding, SessionRow};
use crate::domain::printable::cut;
use crate::domain::run::EnvironmentInfo;
use crate::export::MAX_MESSAGE;
use crate::export::words::{self, Fact};

pub(super) fn section(
    row: &SessionRow,
    surroundings: Option<&EnvironmentInfo>,
    exchanges: &[Exchange],
) -> Markup {
    let earlier = std::iter::once(None).chain(exchanges.iter().map(Some));
    html! {
        @for (exchange, before) in exchanges.iter().zip(earlier) {
            @if before.is_none_or(|before| before.system != exchange.system) && !exchange.system.is_empty() {
                (turn("System prompt", false, &exchange.system))
            }
            (question(exchange, before, exchanges))
            (answer(exchange))
        }
        @if exchanges.is_empty() { p.under { "No messages" } }
        h2 { "Environment" }
        (facts("ClusterContext", &around(row, surroundings)))
    }
}

fn around(row: &SessionRow, surroundings: Option<&EnvironmentInfo>) -> Vec<Fact> {
    let mut known: Vec<Fact> = vec![("Environment", row.environment.clone())];
    if let Some(around) = surroundings {
        let versions = [
            ("SambaStack", &around.sambastack),
            ("Kubernetes", &around.kubernetes),
        ];
        known.extend(
            versions
                .into_iter()
                .filter_map(|(name, version)| Some((name, version.clone()?))),
        );
        let deployments = around.deployments.iter();
        known.extend(deployments.map(|found| ("Deployment", found.name.clone())));
    }
    known.push(("Session", row.id.0.clone()));
    known
}

/// What the user sent: results of functions, the prompt, attachments. `before` is the exchange above it.
fn question(exchange: &Exchange, before: Option<&Exchange>, all: &[Exchange]) -> Markup {
    let mut who = format!("You · {}", words::moment(exchange.at));
    // Whoever asked again, or went on from an earlier answer, sees it.
    if before.map(|before| before.id) != exchange.parent {
        let parent = exchange
            .parent
            .and_then(|id| all.iter().position(|other| other.id == id));
        who.push_str(&match (parent, exchange.pane) {
            (Some(at), _) => format!(" · after answer {}", at + 1),
            (None, Some(_)) => " · in another pane".to_owned(),
            (None, None) => " · regenerated".to_owned(),
        });
    }
    let said_otherwise = !exchange.attachments.is_empty() || !exchange.results.is_empty();
    html! {
        @for result in &exchange.results {
            (turn(&format!("Result of {}", words::function(&result.name)), true, &result.content))
        }
        @if !exchange.prompt.is_empty() || !said_otherwise { (turn(&who, true, kept(&exchange.prompt))) }
        @for attachment in &exchange.attachments { (attached(attachment)) }
    }
}

fn answer(exchange: &Exchange) -> Markup {
    let figures = words::figures(exchange);
    html! {
        div.turn {
            p.who {
                (exchange.model)
                @if let Some(deployment) = &exchange.deployment { " of " (deployment) }
                @if let Some(environment) = &exchange.environment { " on " (environment) }
            }
            @if !exchange.reasoning.is_empty() {
                details { summary { "Reasoning" } div.text { (exchange.reasoning) } }
            }
            @if exchange.calls.is_empty() || !exchange.answer.is_empty() {
                div.text { (kept(&exchange.answer)) }
            }
            @for call in &exchange.calls { (called(call)) }
            @if !figures.is_empty() { p.figures { (figures) } }
            @match &exchange.ending {
                ExchangeEnding::Finished(_) => {}
                ExchangeEnding::Stopped => { p.figures.look { "Stopped by the user" } }
                ExchangeEnding::Failed(why) => { p.figures.bad { (cut(why, MAX_MESSAGE)) } }
            }
        }
    }
}

fn called(call: &ToolCall) -> Markup {
    html! {
        p.who { "Calls " (words::function(&call.name)) }
        div.text { (words::arguments(call)) }
    }
}

/// A picture as it was sent, or a text under its name.
fn attached(attachment: &Attachment) -> Markup {
    let told = format!("{} · {}", attachment.name, attachment.told());
    match &attachment.content {
        Attached::Image(image) => html! {
            figure.attached {
                img src=(image.data_url()) alt=(attachment.name) width=(image.width) height=(image.height);
                figcaption.under { (told) }
            }
        },
        Attached::Text(text) => html! {
            details.attached { summary { (told) } div.text { (text) } }
        },
    }
}

fn turn(who: &str, user: bool, text: &str) -> Markup {
    html! {
        div.turn { p.who { (who) } div.text.user[user] { (text) } }
    }
}

fn kept(text: &str) -> &str {
    if text.is_empty() {
        "(text not kept)"
    } else {
        text
    }
}

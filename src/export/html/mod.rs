//! A report that opens offline: one page, its charts within, no script, nothing from elsewhere.
//!
//! Whatever comes from outside (names, errors, messages) is escaped by `html!`, within texts and attributes; the page's
//! own policy forbids scripts and loads besides.

mod bench;
mod charts;
mod chat;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Exported, words};
use crate::chart::svg;
use crate::domain::history::{SessionBody, SessionRow};
use crate::domain::printable::printable;
use crate::domain::run::INTERVALS;
use crate::domain::units::{self, ABSENT};

const STYLE: &str = include_str!("style.css");

/// The page of these sessions.
pub(super) fn page(sessions: &[Exported<'_>]) -> String {
    let title = match sessions {
        [one] => one.row.title.clone(),
        several => units::counted(several.len(), "session"),
    };
    document(
        &title,
        &html! {
            @for (i, session) in sessions.iter().enumerate() {
                section.session {
                    (head(session.row))
                    @match session.body {
                        SessionBody::Bench { report, traces } => {
                            (bench::section(&format!("b{i}"), report, traces))
                        }
                        SessionBody::Chat { surroundings, exchanges } => {
                            (chat::section(session.row, surroundings.as_ref(), exchanges))
                        }
                    }
                }
            }
        },
    )
}

/// The page around what is shown on it. What acts or hides is shown, as on a terminal.
fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; img-src data:; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Batida" }
                style { (PreEscaped(svg::STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                main {
                    p.brand { "Batida" }
                    (body)
                    footer {
                        "Written by Batida " (env!("CARGO_PKG_VERSION")) ". Times are in UTC. TTFT counts from when a \
                         request was due (open loop) or sent (closed loop) to its first text, reasoning included; ITL is \
                         the gap between chunks, pooled; TPOT is (last token − first token) / (tokens − 1); throughput \
                         is over a level’s steady part. Below a figure stands its interval; " (INTERVALS) ". " (ABSENT)
                        " stands where nothing is known."
                    }
                }
            }
        }
        "\n"
    };
    printable(&page.into_string()).into_owned()
}

/// What stands above every session.
fn head(row: &SessionRow) -> Markup {
    let mut parts = vec![words::moment(row.began)];
    parts.extend((!row.environment.is_empty()).then(|| row.environment.clone()));
    parts.extend((!row.models.is_empty()).then(|| row.models.join(", ")));
    parts.extend(row.source.clone());
    html! {
        h1 { (row.title) }
        p.under { (parts.join(" · ")) }
        @if !row.tags.is_empty() || row.baseline {
            p.tags {
                @if row.baseline { span.tag { "baseline" } }
                @for tag in &row.tags { span.tag { (tag) } }
            }
        }
    }
}

fn facts<T: AsRef<str>>(title: &str, facts: &[(T, String)]) -> Markup {
    html! {
        div.card {
            h3 { (title) }
            dl { @for (name, value) in facts { dt { (name.as_ref()) } dd { (value) } } }
        }
    }
}

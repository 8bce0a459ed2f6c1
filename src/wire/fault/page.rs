//! Web pages in place of an API's answer: a gateway's error page, a login portal, a proxy's notice.

use std::time::Duration;

use super::{Asked, Fault, FaultClass, Reply, advice, clip, one_line, try_again, with_status};
use crate::domain::failure::{Advice, Failure};

/// Whether a reply is a web page.
pub(super) fn is_one(reply: &Reply<'_>) -> bool {
    let start: String = reply
        .body
        .trim_start()
        .chars()
        .take(15)
        .collect::<String>()
        .to_ascii_lowercase();
    start.starts_with("<!doctype html")
        || start.starts_with("<html")
        || (reply
            .content_type
            .to_ascii_lowercase()
            .contains("text/html")
            && start.starts_with('<'))
}

/// What it means. `retry_after`: how long the reply asks to wait.
pub(super) fn fault(reply: &Reply<'_>, retry_after: Option<Duration>, asked: &Asked<'_>) -> Fault {
    let host = asked.host;
    let said = sentence(reply.body);
    let gateway = match program(reply.body) {
        Some(name) => format!("The gateway ({name})"),
        None => "The gateway".to_owned(),
    };
    let limiter = if asked.cluster {
        "The ingress"
    } else {
        "A gateway before the API"
    };
    let (class, what) = match reply.status {
        200..=399 => (
            FaultClass::NotAnApi,
            format!("{host} answered with a web page instead of the API"),
        ),
        413 => (
            FaultClass::BadRequest,
            format!("{limiter} refused the request: it is too large"),
        ),
        429 => (
            FaultClass::IngressLimited,
            format!("{limiter} limits the rate, and the limit was reached"),
        ),
        502 | 503 => (
            FaultClass::Server,
            format!("{gateway} reached no server behind it"),
        ),
        504 => (
            FaultClass::Timeout,
            format!("{gateway} waited for the server behind it and gave up"),
        ),
        500 | 505..=599 => (
            FaultClass::Server,
            format!("{gateway} or the server behind it failed"),
        ),
        401 | 403 => (
            FaultClass::KeyRefused,
            "A gateway before the API refused the request".to_owned(),
        ),
        _ => (
            FaultClass::NotAnApi,
            format!("{host} answered with a web page"),
        ),
    };
    let summary = match reply.status {
        200..=299 if said.is_empty() => what,
        200..=299 => format!("{what}: {said}"),
        status => with_status(&what, Some(status), &said),
    };
    let advice = match class {
        FaultClass::NotAnApi => Advice::by_face(
            "Check the API domain on Home: this looks like a web page's or a login portal's address",
            "Check the address of --api, or of the environment: this looks like a web page's or a login portal's",
        ),
        FaultClass::BadRequest => advice::size(asked),
        FaultClass::IngressLimited if asked.cluster => {
            "SambaStack's ingress allows 240 requests a minute by default: wait a little".into()
        }
        FaultClass::IngressLimited => try_again(retry_after).into(),
        FaultClass::KeyRefused => {
            "Check whether the API is behind a login, a VPN or an allow list".into()
        }
        _ => advice::server(asked),
    };
    let mut details = format!("HTTP {}", reply.status);
    if !said.is_empty() {
        details = format!("{details}\nPage title: {said}");
    }
    details = format!("{details}\n{}", clip(reply.body.trim(), 2_000));
    let failure = Failure {
        retry_after,
        ..Failure::new(summary, advice).with_details(details)
    };
    Fault::new(class, Some(reply.status), failure)
}

/// The page's title, or its first heading, without the status that begins it.
fn sentence(body: &str) -> String {
    let lower = body.to_ascii_lowercase();
    let between = |name: &str| {
        let open = lower.find(&format!("<{name}"))?;
        let from = open + lower[open..].find('>')? + 1;
        let to = from + lower[from..].find(&format!("</{name}"))?;
        let text = without_tags(body.get(from..to)?);
        let text = one_line(&text);
        let text = text
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start_matches([' ', ':', '-']);
        (!text.is_empty()).then(|| text.to_owned())
    };
    between("title")
        .or_else(|| between("h1"))
        .unwrap_or_default()
}

fn without_tags(html: &str) -> String {
    let mut out = String::new();
    let mut within = false;
    for c in html.chars() {
        match c {
            '<' => within = true,
            '>' => within = false,
            c if !within => out.push(c),
            _ => {}
        }
    }
    out.replace("&amp;", "&")
        .replace("&nbsp;", " ")
        .replace("&#39;", "'")
        .replace("&quot;", "\"")
}

/// The program that signs its error pages.
fn program(body: &str) -> Option<&'static str> {
    let lower = clip(body, 4_000).to_ascii_lowercase();
    [
        ("openresty", "OpenResty"),
        ("nginx", "nginx"),
        ("cloudflare", "Cloudflare"),
        ("haproxy", "HAProxy"),
        ("envoy", "Envoy"),
        ("traefik", "Traefik"),
        ("squid", "Squid"),
        ("apache", "Apache"),
        (
            "microsoft-azure-application-gateway",
            "Azure Application Gateway",
        ),
        ("awselb", "AWS load balancer"),
    ]
    .iter()
    .find(|(word, _)| lower.contains(word))
    .map(|(_, name)| *name)
}

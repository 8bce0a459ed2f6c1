//! Web pages in place of an API response: a gateway's error page, a login portal, a proxy's notice.

use std::time::Duration;

use super::words::{try_again, with_status};
use super::{Fault, FaultClass, HttpResponse, RequestInfo, advice, clip, one_line};
use crate::domain::failure::{Advice, Failure};

/// Whether a reply is a web page.
pub(super) fn is_one(reply: &HttpResponse<'_>) -> bool {
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

/// The fault that the page stands for. `retry_after`: how long the response asks to wait.
pub(super) fn fault(
    reply: &HttpResponse<'_>,
    retry_after: Option<Duration>,
    asked: &RequestInfo<'_>,
) -> Fault {
    let host = asked.host;
    let said = sentence(reply.body);
    let gateway = match program(reply.body) {
        Some(name) => format!("The gateway ({name})"),
        None => "The gateway".to_owned(),
    };
    let limiter = if asked.cluster {
        "The ingress"
    } else {
        "A gateway in front of the API"
    };
    let (class, what) = match reply.status {
        200..=399 => (
            FaultClass::NotAnApi,
            format!("{host} returned a web page instead of an API response"),
        ),
        413 => (
            FaultClass::BadRequest,
            format!("{limiter} rejected the request: it is too large"),
        ),
        429 => (
            FaultClass::IngressLimited,
            format!("{limiter} limits the request rate, and the limit was reached"),
        ),
        502 | 503 => (
            FaultClass::Server,
            format!("{gateway} could not reach the server behind it"),
        ),
        504 => (
            FaultClass::Timeout,
            format!("{gateway} timed out waiting for the server behind it"),
        ),
        500 | 505..=599 => (
            FaultClass::Server,
            format!("{gateway} or the server behind it failed"),
        ),
        401 | 403 => (
            FaultClass::KeyRefused,
            "A gateway in front of the API rejected the request".to_owned(),
        ),
        _ => (FaultClass::NotAnApi, format!("{host} returned a web page")),
    };
    let summary = match reply.status {
        200..=299 if said.is_empty() => what,
        200..=299 => format!("{what}: {said}"),
        status => with_status(&what, Some(status), &said),
    };
    let advice = match class {
        FaultClass::NotAnApi => Advice::by_face(
            "Check the API domain in Environments. It looks like the address of a web page or a login portal",
            "Check the address given with --api or in the environment. It looks like the address of a web page or a login portal",
        ),
        FaultClass::BadRequest => advice::size(asked),
        FaultClass::IngressLimited if asked.cluster => {
            "SambaStack's ingress allows 240 requests per minute by default. Wait a moment and try again".into()
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

/// The page's title, else its first heading, without a leading status code.
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

/// The gateway software that names itself on the page.
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

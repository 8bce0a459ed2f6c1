//! Redirects, which Batida does not follow: the key would go along.

use super::{Fault, FaultClass, HttpResponse, RequestInfo, clip, details};
use crate::domain::failure::{Advice, Failure};

pub(super) fn redirect(reply: &HttpResponse<'_>, asked: &RequestInfo<'_>) -> Fault {
    let bare = asked.host.split('/').next().unwrap_or(asked.host);
    let status = reply.status;
    // The query may hold a token.
    let to = reply
        .location
        .map(|to| clip(to.split(['?', '#']).next().unwrap_or_default().trim(), 200));
    let to = to.filter(|to| !to.is_empty());
    let summary = match &to {
        Some(to) => format!("{bare} redirects to {to} (HTTP {status})"),
        None => format!("{bare} redirects to an unnamed address (HTTP {status})"),
    };
    const NOT_FOLLOWED: &str =
        "Batida does not follow redirects, because the key would be sent along";
    let advice = match to.as_deref().map_or(Target::Unknown, |to| target_of(to, asked)) {
        Target::Api(root) => {
            format!("Enter {root} as the API domain. {NOT_FOLLOWED}").into()
        }
        Target::Itself => {
            "The address redirects to itself. Check the server and the proxy in front of it, e.g. which of them ends TLS"
                .into()
        }
        Target::NotHttp => Advice::by_face(
            "No API is at such an address. Check the API domain in Environments",
            "No API is at such an address. Check the address given with --api or in the environment",
        ),
        Target::Elsewhere => Advice::by_face(
            "The target is no API: it may be a login portal. Check the API domain in Environments, and whether the API is behind a login or a VPN",
            "The target is no API: it may be a login portal. Check the address given with --api or in the environment, and whether the API is behind a login or a VPN",
        ),
        Target::Unknown => {
            format!("Enter the address of the API itself as the API domain. {NOT_FOLLOWED}").into()
        }
    };
    let failure = Failure::new(summary, advice).with_details(details(reply));
    Fault::new(FaultClass::NotAnApi, Some(status), failure)
}

/// Where a redirect leads.
enum Target {
    /// To an API, reached with this API domain.
    Api(String),
    /// To the requested address.
    Itself,
    /// To an address that no client of HTTP can reach, e.g. `javascript:`.
    NotHttp,
    /// To something that is no API.
    Elsewhere,
    /// Not known.
    Unknown,
}

fn target_of(to: &str, asked: &RequestInfo<'_>) -> Target {
    let scheme = if asked.plain { "http" } else { "https" };
    let Ok(base) = url::Url::parse(&format!("{scheme}://{}/", asked.host)) else {
        return Target::Unknown;
    };
    let Ok(url) = base.join(to) else {
        return Target::Unknown;
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Target::NotHttp;
    }
    let whole = url.path();
    let path = whole.trim_end_matches('/');
    let ends = ["/chat/completions", "/models", "/embeddings"];
    let Some(known) = ends.iter().find_map(|end| path.strip_suffix(end)) else {
        return if url.origin() == base.origin() {
            Target::Unknown
        } else {
            Target::Elsewhere
        };
    };
    let root = format!("{}{known}", url.origin().ascii_serialization());
    // Batida adds `/v1` to an address without it, so it can be left out.
    let root = root.strip_suffix("/v1").unwrap_or(&root).to_owned();
    match root
        .strip_prefix(scheme)
        .and_then(|rest| rest.strip_prefix("://"))
    {
        Some(same) if same == asked.host && path == whole => Target::Itself,
        Some(same) if same == asked.host => Target::Unknown,
        _ => Target::Api(root),
    }
}

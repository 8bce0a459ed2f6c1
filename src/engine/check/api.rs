//! The API: reachable, its certificate, its clock, the key, the rate limit.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{InOrder, Slot, bad, good, skipped};
use crate::domain::conversation::{ChatRequest, Message, Params, Role};
use crate::domain::deployment::embeds_by_name;
use crate::domain::failure::{Advice, Failure, FaultClass};
use crate::domain::units;
use crate::engine::chat;
use crate::engine::place::Place;
use crate::protocol::{ChatEnding, Check, KeyStatus, Verdict};
use crate::wire::certificate::Certificate;
use crate::wire::fault::Fault;

/// `routed` is told the names that the API routes; dropped where there are none to be told.
pub(super) async fn run(
    place: &Place,
    cancel: &CancellationToken,
    told: &InOrder<'_, impl Fn(Check)>,
    routed: oneshot::Sender<Vec<String>>,
) {
    let began = Instant::now();
    let end = |api: Check, key: Check| {
        told.put(Slot::Api, vec![api]);
        told.put(Slot::Key, vec![key]);
        told.put(Slot::Rate, Vec::new());
    };
    let api = match &place.api {
        Ok(api) => api,
        Err(failure) => {
            return end(
                bad(TITLE, failure, began),
                skipped(KEY, "There is no API to ask"),
            );
        }
    };
    let models = match place.models_from(api).await {
        Ok(models) => models,
        Err(fault) => {
            drop(routed);
            match unlisted(&fault) {
                Unlisted::Silent => {
                    return end(
                        bad(TITLE, &fault.failure, began),
                        skipped(KEY, "The API was not reached"),
                    );
                }
                Unlisted::Failing => {
                    let why = "The API answered, but is not at work";
                    return end(bad(TITLE, &fault.failure, began), skipped(KEY, why));
                }
                Unlisted::Refused => {
                    let finding = format!(
                        "{} · it answers, and refuses to list its models",
                        tls_of(place)
                    );
                    // A key that is not where it should be tells more than that none was sent.
                    let failure = place.api_with_key().err().unwrap_or(fault.failure);
                    return end(good(TITLE, finding, Some(began)), bad(KEY, &failure, began));
                }
                Unlisted::NoList => {
                    let (api, key) = without_list(place, &fault, cancel, began).await;
                    return end(api, key);
                }
            }
        }
    };
    // Fails only where there is no cluster to be looked at.
    let _ = routed.send(models.ids.clone());
    let listed = match models.ids.len() {
        0 => "no models".to_owned(),
        n => units::counted(n, "model"),
    };
    let finding = format!("{} · {listed} listed", tls_of(place));
    let mut checks = vec![good(TITLE, finding, Some(began))];
    if is_secure(place) && place.env.accept_invalid_certs {
        checks[0].verdict = Verdict::Warning;
    }
    checks.extend(models.certificate.as_ref().map(certificate));
    checks.extend(models.clock_skew.map(clock));
    told.put(Slot::Api, checks);
    let tried = check_key(place, &models.ids, cancel).await;
    told.put(Slot::Key, vec![tried.check]);
    told.put(Slot::Rate, tried.rate.into_iter().collect());
}

const TITLE: &str = "API reachable";
const KEY: &str = "API key accepted";

fn is_secure(place: &Place) -> bool {
    place.address().is_some_and(|address| address.is_secure())
}

/// TLS or none, and the proxy on the way.
fn tls_of(place: &Place) -> String {
    let tls = match (is_secure(place), place.env.accept_invalid_certs) {
        (true, false) => "TLS ok",
        (true, true) => "TLS unchecked",
        (false, _) => "no TLS",
    };
    match place.api.as_ref().ok().and_then(|api| api.proxy()) {
        Some(proxy) => format!("{tls} · through the proxy {proxy}"),
        None => tls.to_owned(),
    }
}

/// Why there is no list of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unlisted {
    /// Nothing answered.
    Silent,
    /// A server answered that it does not work now.
    Failing,
    /// It lists its models to others.
    Refused,
    /// It has no list, or none that can be read: that says nothing of its chat.
    NoList,
}

fn unlisted(fault: &Fault) -> Unlisted {
    match (fault.class, fault.status) {
        (_, None) => Unlisted::Silent,
        (FaultClass::KeyRefused, _) => Unlisted::Refused,
        (_, Some(200..=299 | 404 | 405 | 501)) => Unlisted::NoList,
        _ => Unlisted::Failing,
    }
}

/// Whether the chat is there where the list of models is not. The name is one that no server knows: what matters is what
/// refuses it.
async fn without_list(
    place: &Place,
    fault: &Fault,
    cancel: &CancellationToken,
    began: Instant,
) -> (Check, Check) {
    const STAND_IN: &str = "batida-check";
    let tried = check_key(place, &[STAND_IN.to_owned()], cancel).await;
    let finding = format!("{} · it answers; {}", tls_of(place), fault.failure.summary);
    let advice = Advice::by_face(
        "Without a list, only models of the cluster can be picked",
        "Name a model with --model: without a list none can be offered",
    );
    let there = Failure::new(finding, advice).with_details(fault.failure.details.clone());
    let there = Check {
        verdict: Verdict::Warning,
        ..bad(TITLE, &there, began)
    };
    match tried.failure {
        Some(failure) if failure.class == Some(FaultClass::NotAnApi) => (
            bad(TITLE, &failure, began),
            skipped(KEY, "There is no chat to try it with"),
        ),
        Some(Failure {
            class: Some(FaultClass::ModelNotFound | FaultClass::BadRequest),
            ..
        }) => (there, skipped(KEY, "The API lists no model to try it with")),
        _ => (there, tried.check),
    }
}

/// Soon enough to ask for a new one.
const SOON: Duration = Duration::from_secs(14 * 86_400);

fn certificate(shown: &Certificate) -> Check {
    let Certificate { issuer, expires } = shown;
    let days = |left: Duration| units::counted((left.as_secs() / 86_400) as usize, "day");
    let on = expires.strftime("%Y-%m-%d");
    let advice = "Ask whoever runs the API for a new certificate";
    let (verdict, finding, advice) = match shown.left(Timestamp::now()) {
        Some(left) if left > SOON => (
            Verdict::Good,
            format!("expires in {} ({on})", days(left)),
            "",
        ),
        Some(left) => (
            Verdict::Warning,
            format!("expires in {} ({on})", days(left)),
            advice,
        ),
        None => (Verdict::Warning, format!("has expired ({on})"), advice),
    };
    let check = good(
        "TLS certificate",
        format!("signed by {issuer} · {finding}"),
        None,
    );
    Check {
        verdict,
        advice: advice.to_owned(),
        ..check
    }
}

/// `skew`: how far the server's clock is ahead, in whole seconds.
fn clock(skew: i64) -> Check {
    if skew.abs() <= 30 {
        // The header has whole seconds, and the answer was under way.
        let finding = if skew.abs() <= 2 {
            "agrees with the server's".to_owned()
        } else {
            format!("{} s apart", skew.abs())
        };
        return good("Clock", finding, None);
    }
    let which = if skew > 0 { "ahead of" } else { "behind" };
    let check = good(
        "Clock",
        format!(
            "the server's clock is {} s {which} this machine's",
            skew.abs()
        ),
        None,
    );
    let advice = "Set this machine's clock by the network (timedatectl set-ntp true). Certificates and tokens depend on it";
    Check {
        verdict: Verdict::Warning,
        advice: advice.to_owned(),
        ..check
    }
}

/// What became of a one-token chat.
struct Tried {
    check: Check,
    rate: Option<Check>,
    /// Why it failed.
    failure: Option<Failure>,
}

impl Tried {
    fn told(check: Check) -> Self {
        Self {
            check,
            rate: None,
            failure: None,
        }
    }
}

/// A one-token chat: the model list is public and proves nothing.
async fn check_key(place: &Place, models: &[String], cancel: &CancellationToken) -> Tried {
    let began = Instant::now();
    let api = match place.api_with_key() {
        Ok(api) => api,
        Err(failure) => return Tried::told(bad(KEY, &failure, began)),
    };
    let chats = |name: &&String| !embeds_by_name(name);
    let Some(model) = models.iter().find(chats).or(models.first()) else {
        return Tried::told(skipped(KEY, "The API lists no model to try it with"));
    };
    let request = ChatRequest {
        model: model.clone(),
        messages: vec![Message::new(Role::User, "Hi")],
        params: Params {
            max_tokens: Some(1),
            ..Params::default()
        },
    };
    let limit = cancel.child_token();
    let bound = tokio::time::sleep(Duration::from_secs(60));
    let chat = chat::run(api, &request, models, &limit, |_| {});
    let report = tokio::select! {
        report = chat => report,
        () = bound => {
            let summary = format!("{model} did not answer a one-token chat within a minute");
            let failure = Failure::new(summary, may_be_loading(place));
            return Tried::told(Check { verdict: Verdict::Warning, ..bad(KEY, &failure, began) });
        }
    };
    match report.ending {
        ChatEnding::Finished { .. } => {
            let finding = match place.key {
                KeyStatus::NotNeeded => format!("none was needed · one-token chat on {model}"),
                _ => format!("one-token chat on {model}"),
            };
            let rate = check_rate(&report.rate_limit);
            Tried {
                check: good(KEY, finding, Some(began)),
                rate,
                failure: None,
            }
        }
        ChatEnding::Stopped => Tried::told(skipped(KEY, "It was cancelled")),
        ChatEnding::Failed(failure) => {
            // A full queue or a refused parameter says nothing against the key.
            let refused = failure.class == Some(FaultClass::KeyRefused);
            let verdict = if refused {
                Verdict::Bad
            } else {
                Verdict::Warning
            };
            let check = Check {
                verdict,
                ..bad(KEY, &failure, began)
            };
            Tried {
                check,
                rate: None,
                failure: Some(failure),
            }
        }
    }
}

fn may_be_loading(place: &Place) -> Advice {
    if place.kubectl.is_some() {
        return Advice::by_face(
            "It may be loading; look at its pods",
            "It may be loading; see `batida deployments`",
        );
    }
    "It may be loading; try again in a while".into()
}

fn check_rate(headers: &[(String, String)]) -> Option<Check> {
    if headers.is_empty() {
        return None;
    }
    let finding = headers
        .iter()
        .map(|(name, value)| {
            format!(
                "{} {value}",
                name.trim_start_matches("x-ratelimit-").replace('-', " ")
            )
        })
        .collect::<Vec<_>>()
        .join(" · ");
    let used_up = headers
        .iter()
        .any(|(name, value)| name.contains("remaining") && value == "0");
    let verdict = if used_up {
        Verdict::Warning
    } else {
        Verdict::Good
    };
    Some(Check {
        verdict,
        ..good("Rate limit", finding, None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dialect::Dialect;

    #[test]
    fn only_silence_is_not_reached() {
        let fault = |class, status| Fault {
            class,
            status,
            failure: Failure::default(),
            refused: Dialect::default(),
        };
        for (class, status, is) in [
            (FaultClass::Unreachable, None, Unlisted::Silent),
            (FaultClass::KeyRefused, Some(401), Unlisted::Refused),
            (FaultClass::KeyRefused, Some(403), Unlisted::Refused),
            (FaultClass::Server, Some(503), Unlisted::Failing),
            (FaultClass::RateLimited, Some(429), Unlisted::Failing),
            (FaultClass::NotAnApi, Some(404), Unlisted::NoList),
            (FaultClass::NotAnApi, Some(200), Unlisted::NoList),
        ] {
            assert_eq!(unlisted(&fault(class, status)), is, "{class:?} {status:?}");
        }
    }

    #[test]
    fn a_clock_that_is_off_is_a_warning_with_its_direction() {
        assert_eq!(
            (clock(1).verdict, clock(-20).verdict),
            (Verdict::Good, Verdict::Good)
        );
        assert_eq!(clock(-20).finding, "20 s apart");
        assert_eq!(
            clock(90).finding,
            "the server's clock is 90 s ahead of this machine's"
        );
        assert_eq!(
            (clock(-90).verdict, clock(-90).advice.is_empty()),
            (Verdict::Warning, false)
        );
    }

    #[test]
    fn a_certificate_that_ends_soon_is_a_warning() {
        let ends_in = |days: i64| {
            let expires =
                Timestamp::from_second(Timestamp::now().as_second() + days * 86_400 + 60).unwrap();
            certificate(&Certificate {
                issuer: "Internal CA".to_owned(),
                expires,
            })
        };
        assert!(
            ends_in(30)
                .finding
                .starts_with("signed by Internal CA · expires in 30 days (")
        );
        assert_eq!(ends_in(30).verdict, Verdict::Good);
        assert_eq!(
            (ends_in(5).verdict, ends_in(5).advice.is_empty()),
            (Verdict::Warning, false)
        );
        assert!(ends_in(-5).finding.contains("has expired ("));
    }
}

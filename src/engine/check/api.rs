//! Checks of the API: connection, certificate, clock, key and rate limit.

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
use crate::engine::connection::Connection;
use crate::protocol::{ChatEnding, Check, KeyStatus, Verdict};
use crate::wire::certificate::Certificate;
use crate::wire::fault::Fault;

/// Sends the model names that the API routes to `routed`; drops it if the API has no such list.
pub(super) async fn run(
    connection: &Connection,
    cancel: &CancellationToken,
    report: &InOrder<'_, impl Fn(Check)>,
    routed: oneshot::Sender<Vec<String>>,
) {
    let began = Instant::now();
    let end = |api: Check, key: Check| {
        report.put(Slot::Api, vec![api]);
        report.put(Slot::Key, vec![key]);
        report.put(Slot::Rate, Vec::new());
    };
    let api = match &connection.api {
        Ok(api) => api,
        Err(failure) => {
            return end(
                bad(UNREACHABLE, failure, began),
                skipped(KEY_NOT_CHECKED, "There is no API"),
            );
        }
    };
    let models = match connection.models_from(api).await {
        Ok(models) => models,
        Err(fault) => {
            drop(routed);
            match unlisted(&fault) {
                Unlisted::Silent => {
                    return end(
                        bad(UNREACHABLE, &fault.failure, began),
                        skipped(KEY_NOT_CHECKED, "The API is unreachable"),
                    );
                }
                Unlisted::Failing => {
                    let why = "The API responds, but is not available";
                    return end(
                        bad("API not available", &fault.failure, began),
                        skipped(KEY_NOT_CHECKED, why),
                    );
                }
                Unlisted::Refused => {
                    let finding = format!(
                        "{} · the API responds, but refuses to list its models",
                        tls_of(connection)
                    );
                    // A missing key explains the refusal better.
                    let failure = connection.api_with_key().err().unwrap_or(fault.failure);
                    return end(
                        good(REACHABLE, finding, Some(began)),
                        bad(KEY_NOT_ACCEPTED, &failure, began),
                    );
                }
                Unlisted::NoList => {
                    let (api, key) = without_list(connection, &fault, cancel, began).await;
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
    let finding = format!("{} · {listed} listed", tls_of(connection));
    let mut checks = vec![good(REACHABLE, finding, Some(began))];
    if is_secure(connection) && connection.env.accept_invalid_certs {
        checks[0].verdict = Verdict::Warning;
    }
    checks.extend(models.certificate.as_ref().map(certificate));
    checks.extend(models.clock_skew.map(clock));
    report.put(Slot::Api, checks);
    let tried = check_key(connection, &models.ids, cancel).await;
    report.put(Slot::Key, vec![tried.check]);
    report.put(Slot::Rate, tried.rate.into_iter().collect());
}

const REACHABLE: &str = "API reachable";
const UNREACHABLE: &str = "API unreachable";
const KEY_ACCEPTED: &str = "API key accepted";
const KEY_NOT_ACCEPTED: &str = "API key not accepted";
const KEY_NOT_CHECKED: &str = "API key not checked";

fn is_secure(connection: &Connection) -> bool {
    connection
        .address()
        .is_some_and(|address| address.is_secure())
}

/// Whether TLS is used, and the proxy.
fn tls_of(connection: &Connection) -> String {
    let tls = match (is_secure(connection), connection.env.accept_invalid_certs) {
        (true, false) => "TLS ok",
        (true, true) => "TLS not verified",
        (false, _) => "no TLS",
    };
    match connection.api.as_ref().ok().and_then(|api| api.proxy()) {
        Some(proxy) => format!("{tls} · through the proxy {proxy}"),
        None => tls.to_owned(),
    }
}

/// Why there is no model list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unlisted {
    /// No response.
    Silent,
    /// The server reports that it is not available.
    Failing,
    /// The server refused the key.
    Refused,
    /// The server has no readable list. Its chat may work.
    NoList,
}

fn unlisted(fault: &Fault) -> Unlisted {
    match (fault.class, fault.status) {
        (_, None) => Unlisted::Silent,
        (FaultClass::KeyRefused, _) => Unlisted::Refused,
        (_, Some(404 | 405 | 501)) | (FaultClass::NotAnApi, Some(200..=299)) => Unlisted::NoList,
        _ => Unlisted::Failing,
    }
}

/// Checks the chat endpoint if there is no model list. No server has a model of this name, so the kind of refusal shows
/// whether the endpoint exists.
async fn without_list(
    connection: &Connection,
    fault: &Fault,
    cancel: &CancellationToken,
    began: Instant,
) -> (Check, Check) {
    const STAND_IN: &str = "batida-check";
    let tried = check_key(connection, &[STAND_IN.to_owned()], cancel).await;
    let finding = format!(
        "{} · the API responds; {}",
        tls_of(connection),
        fault.failure.summary
    );
    let advice = Advice::by_face(
        "Without a list, only models of the cluster can be selected",
        "Set a model with --model, since the API lists none",
    );
    let there = Failure::new(finding, advice).with_details(fault.failure.details.clone());
    let there = Check {
        verdict: Verdict::Warning,
        ..bad(REACHABLE, &there, began)
    };
    match tried.failure {
        Some(failure) if failure.class == Some(FaultClass::NotAnApi) => (
            bad("API not found", &failure, began),
            skipped(KEY_NOT_CHECKED, "There is no chat endpoint"),
        ),
        Some(Failure {
            class: Some(FaultClass::ModelNotFound | FaultClass::BadRequest),
            ..
        }) => (there, skipped(KEY_NOT_CHECKED, NO_MODEL)),
        _ => (there, tried.check),
    }
}

const NO_MODEL: &str = "The API lists no models, so the key cannot be tested";

/// Warn this long before a certificate expires.
const EXPIRES_SOON: Duration = Duration::from_secs(14 * 86_400);

fn certificate(shown: &Certificate) -> Check {
    let Certificate { issuer, expires } = shown;
    let days = |left: Duration| units::counted((left.as_secs() / 86_400) as usize, "day");
    let on = expires.strftime("%Y-%m-%d");
    let advice = "Ask the API's operator for a new certificate";
    let (verdict, finding, advice) = match shown.left(Timestamp::now()) {
        Some(left) if left > EXPIRES_SOON => (
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
        // The header has whole seconds, and the response took some time.
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
    let advice = "Synchronize this machine's clock (timedatectl set-ntp true). Certificates and \
         tokens depend on it";
    Check {
        verdict: Verdict::Warning,
        advice: advice.to_owned(),
        ..check
    }
}

/// The outcome of a one-token chat.
struct KeyCheck {
    check: Check,
    rate: Option<Check>,
    failure: Option<Failure>,
}

impl KeyCheck {
    fn of(check: Check) -> Self {
        Self {
            check,
            rate: None,
            failure: None,
        }
    }
}

/// Sends a one-token chat, since the public model list does not prove the key.
async fn check_key(
    connection: &Connection,
    models: &[String],
    cancel: &CancellationToken,
) -> KeyCheck {
    let began = Instant::now();
    let api = match connection.api_with_key() {
        Ok(api) => api,
        Err(failure) => return KeyCheck::of(bad(KEY_NOT_ACCEPTED, &failure, began)),
    };
    let chats = |name: &&String| !embeds_by_name(name);
    let Some(model) = models.iter().find(chats).or(models.first()) else {
        return KeyCheck::of(skipped(KEY_NOT_CHECKED, NO_MODEL));
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
            let summary = format!("{model} did not respond to a one-token chat within a minute");
            let failure = Failure::new(summary, may_be_loading(connection));
            return KeyCheck::of(Check { verdict: Verdict::Warning, ..bad(KEY_NOT_CHECKED, &failure, began) });
        }
    };
    match report.ending {
        ChatEnding::Finished { .. } => {
            let title = match connection.key {
                KeyStatus::NotNeeded => "No API key required",
                _ => KEY_ACCEPTED,
            };
            let finding = format!("one-token chat on {model}");
            let rate = check_rate(&report.rate_limit);
            KeyCheck {
                check: good(title, finding, Some(began)),
                rate,
                failure: None,
            }
        }
        ChatEnding::Stopped => KeyCheck::of(skipped(KEY_NOT_CHECKED, "Cancelled")),
        ChatEnding::Failed(failure) => {
            // A full queue or a refused parameter does not mean that the key is wrong.
            let refused = failure.class == Some(FaultClass::KeyRefused);
            let check = if refused {
                bad(KEY_NOT_ACCEPTED, &failure, began)
            } else {
                Check {
                    verdict: Verdict::Warning,
                    ..bad(KEY_NOT_CHECKED, &failure, began)
                }
            };
            KeyCheck {
                check,
                rate: None,
                failure: Some(failure),
            }
        }
    }
}

fn may_be_loading(connection: &Connection) -> Advice {
    if connection.kubectl.is_some() {
        return Advice::by_face(
            "The model may be loading. Check its pods",
            "The model may be loading. See `batida deployments`",
        );
    }
    "The model may be loading. Try again later".into()
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
    fn only_silence_means_unreachable() {
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
            // An error in place of the list.
            (FaultClass::KeyRefused, Some(200), Unlisted::Refused),
            (FaultClass::Server, Some(200), Unlisted::Failing),
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

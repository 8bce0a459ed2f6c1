//! The API: reachable, its certificate, its clock, the key, the rate limit.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{InOrder, Slot, bad, good, skipped};
use crate::domain::conversation::{ChatRequest, Message, Params, Role};
use crate::domain::deployment::embeds_by_name;
use crate::domain::failure::{Failure, FaultClass};
use crate::domain::units;
use crate::engine::chat;
use crate::engine::place::Place;
use crate::protocol::{ChatEnding, Check, KeyStatus, Verdict};
use crate::wire::certificate::Certificate;

pub(super) async fn run(place: &Place, cancel: &CancellationToken, told: &InOrder<'_, impl Fn(Check)>) {
    let began = Instant::now();
    let models = match place.models().await {
        Ok(models) => models,
        Err(failure) => {
            told.put(Slot::Api, vec![bad("API reachable", &failure, began)]);
            told.put(Slot::Key, vec![skipped("API key accepted", "The API was not reached")]);
            return told.put(Slot::Rate, Vec::new());
        }
    };
    let secure = place.address().is_some_and(|address| address.root().starts_with("https://"));
    let tls = match (secure, place.env.accept_invalid_certs) {
        (true, false) => "TLS ok",
        (true, true) => "TLS unchecked",
        (false, _) => "no TLS",
    };
    let finding = format!("{tls} · {} listed", units::counted(models.ids.len(), "model"));
    let mut checks = vec![good("API reachable", finding, Some(began))];
    if secure && place.env.accept_invalid_certs {
        checks[0].verdict = Verdict::Warning;
    }
    checks.extend(models.certificate.as_ref().map(certificate));
    checks.extend(models.clock_skew.map(clock));
    told.put(Slot::Api, checks);
    let (key, rate) = check_key(place, &models.ids, cancel).await;
    told.put(Slot::Key, vec![key]);
    told.put(Slot::Rate, rate.into_iter().collect());
}

/// Soon enough to ask for a new one.
const SOON: Duration = Duration::from_secs(14 * 86_400);

fn certificate(shown: &Certificate) -> Check {
    let Certificate { issuer, expires } = shown;
    let days = |left: Duration| units::counted((left.as_secs() / 86_400) as usize, "day");
    let on = expires.strftime("%Y-%m-%d");
    let advice = "Ask whoever runs the API for a new certificate";
    let (verdict, finding, advice) = match shown.left(Timestamp::now()) {
        Some(left) if left > SOON => (Verdict::Good, format!("expires in {} ({on})", days(left)), ""),
        Some(left) => (Verdict::Warning, format!("expires in {} ({on})", days(left)), advice),
        None => (Verdict::Warning, format!("has expired ({on})"), advice),
    };
    let check = good("TLS certificate", format!("signed by {issuer} · {finding}"), None);
    Check { verdict, advice: advice.to_owned(), ..check }
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
    let check = good("Clock", format!("the server's clock is {} s {which} this machine's", skew.abs()), None);
    let advice = "Set this machine's clock by the network (timedatectl set-ntp true). Certificates and tokens depend on it";
    Check { verdict: Verdict::Warning, advice: advice.to_owned(), ..check }
}

/// A one-token chat: the model list is public and proves nothing.
async fn check_key(place: &Place, models: &[String], cancel: &CancellationToken) -> (Check, Option<Check>) {
    const TITLE: &str = "API key accepted";
    let began = Instant::now();
    let api = match place.api_with_key() {
        Ok(api) => api,
        Err(failure) => return (bad(TITLE, &failure, began), None),
    };
    let chats = |name: &&String| !embeds_by_name(name);
    let Some(model) = models.iter().find(chats).or(models.first()) else {
        return (skipped(TITLE, "The API lists no model to try it with"), None);
    };
    let request = ChatRequest {
        model: model.clone(),
        messages: vec![Message::new(Role::User, "Hi")],
        params: Params { max_tokens: Some(1), ..Params::default() },
    };
    let limit = cancel.child_token();
    let bound = tokio::time::sleep(Duration::from_secs(60));
    let chat = chat::run(api, &request, models, &limit, |_| {});
    let report = tokio::select! {
        report = chat => report,
        () = bound => {
            let failure = Failure::new(format!("{model} did not answer a one-token chat within a minute"), "It may be loading; look at its pods");
            return (Check { verdict: Verdict::Warning, ..bad(TITLE, &failure, began) }, None);
        }
    };
    match report.ending {
        ChatEnding::Finished { .. } => {
            let finding = match place.key {
                KeyStatus::NotNeeded => format!("none was needed · one-token chat on {model}"),
                _ => format!("one-token chat on {model}"),
            };
            (good(TITLE, finding, Some(began)), check_rate(&report.rate_limit))
        }
        ChatEnding::Stopped => (skipped(TITLE, "It was cancelled"), None),
        ChatEnding::Failed(failure) => {
            // A full queue or a refused parameter says nothing against the key.
            let refused = failure.class == Some(FaultClass::KeyRefused);
            let verdict = if refused { Verdict::Bad } else { Verdict::Warning };
            (Check { verdict, ..bad(TITLE, &failure, began) }, None)
        }
    }
}

fn check_rate(headers: &[(String, String)]) -> Option<Check> {
    if headers.is_empty() {
        return None;
    }
    let finding = headers
        .iter()
        .map(|(name, value)| format!("{} {value}", name.trim_start_matches("x-ratelimit-").replace('-', " ")))
        .collect::<Vec<_>>()
        .join(" · ");
    let used_up = headers.iter().any(|(name, value)| name.contains("remaining") && value == "0");
    let verdict = if used_up { Verdict::Warning } else { Verdict::Good };
    Some(Check { verdict, ..good("Rate limit", finding, None) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_a_warning_with_its_direction() {
        assert_eq!((clock(1).verdict, clock(-20).verdict), (Verdict::Good, Verdict::Good));
        assert_eq!(clock(-20).finding, "20 s apart");
        assert_eq!(clock(90).finding, "the server's clock is 90 s ahead of this machine's");
        assert_eq!((clock(-90).verdict, clock(-90).advice.is_empty()), (Verdict::Warning, false));
    }

    #[test]
    fn a_certificate_that_ends_soon_is_a_warning() {
        let ends_in = |days: i64| {
            let expires = Timestamp::from_second(Timestamp::now().as_second() + days * 86_400 + 60).unwrap();
            certificate(&Certificate { issuer: "Internal CA".to_owned(), expires })
        };
        assert!(ends_in(30).finding.starts_with("signed by Internal CA · expires in 30 days ("));
        assert_eq!(ends_in(30).verdict, Verdict::Good);
        assert_eq!((ends_in(5).verdict, ends_in(5).advice.is_empty()), (Verdict::Warning, false));
        assert!(ends_in(-5).finding.contains("has expired ("));
    }
}

//! When the credentials in a kubeconfig expire.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;

use crate::wire::certificate::Certificate;

/// Makes `kubectl config view --raw --flatten --minify -o jsonpath=…` print the client certificate and the token of
/// the current context on two lines.
pub const TEMPLATE: &str =
    "jsonpath={.users[0].user.client-certificate-data}{\"\\n\"}{.users[0].user.token}{\"\\n\"}";

/// Which credential has expired, as the end of a sentence; `None` if none has or the expiry is unknown.
pub fn expired(printed: &str, now: Timestamp) -> Option<String> {
    let mut lines = printed.lines();
    let certificate = lines
        .next()
        .and_then(certificate_expiry)
        .map(|at| ("the client certificate", at));
    let token = lines
        .next()
        .and_then(token_expiry)
        .map(|at| ("the token", at));
    let (what, at) = [certificate, token]
        .into_iter()
        .flatten()
        .find(|(_, at)| *at < now)?;
    Some(format!(
        "{what} in the kubeconfig expired on {}",
        at.strftime("%Y-%m-%d")
    ))
}

/// The expiry of a certificate in PEM in base64, as kubeconfigs hold it.
fn certificate_expiry(data: &str) -> Option<Timestamp> {
    let pem = String::from_utf8(STANDARD.decode(data.trim()).ok()?).ok()?;
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END")?;
    let body: String = body.split_whitespace().collect();
    Some(Certificate::read(&STANDARD.decode(body).ok()?)?.expires)
}

/// The expiry of a JWT; `None` for other tokens.
fn token_expiry(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Option<f64>,
    }
    let payload = token.trim().split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Timestamp::from_second(claims.exp? as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_expired_is_named() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let token = |exp: i64| {
            format!(
                "e30.{}.sig",
                URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{exp}}}"))
            )
        };
        let told = "the token in the kubeconfig expired on 2025-01-01";
        assert_eq!(
            expired(&format!("\n{}\n", token(1_735_700_000)), now).as_deref(),
            Some(told)
        );
        assert_eq!(expired(&format!("\n{}\n", token(4_000_000_000)), now), None);
        for other in ["", "\n", "\nabc\n", "\na.b.c\n", "rubbish\n\n"] {
            assert_eq!(expired(other, now), None, "{other}");
        }
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.not_after = rcgen::date_time_ymd(2026, 3, 1);
        let pem = params
            .self_signed(&rcgen::KeyPair::generate().unwrap())
            .unwrap()
            .pem();
        let told = "the client certificate in the kubeconfig expired on 2026-03-01";
        assert_eq!(
            expired(&format!("{}\n\n", STANDARD.encode(&pem)), now).as_deref(),
            Some(told)
        );
    }
}

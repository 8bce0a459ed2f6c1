//! Turns kubectl's exit code and messages into results and failures.

use std::time::Duration;

use super::process::{Output, words_of};
use super::{Kubectl, KubectlError, MAX_OUTPUT_BYTES, MIN_LOGIN_WAIT};
use crate::domain::failure::{Advice, Failure};
use crate::domain::units;
use crate::io::activity::Recording;
use crate::wire::kubectl::{KubectlFault, explain, missing_credentials};

impl Kubectl {
    /// Checks the exit code first: a failed command may print a valid, empty list.
    pub(super) fn evaluate(
        &self,
        answer: Output,
        recording: Recording,
    ) -> Result<Vec<u8>, KubectlError> {
        let Output {
            stdout,
            stderr,
            status,
        } = answer;
        let told = match status.code() {
            Some(code) => format!("exit {code}"),
            None => status.to_string(),
        };
        if stdout.len() > MAX_OUTPUT_BYTES {
            recording.end(false, "killed: too much output");
            return Err(KubectlError::new(
                KubectlFault::TooMuch,
                Failure::new(
                    format!("kubectl printed more than {} MB", MAX_OUTPUT_BYTES >> 20),
                    Advice::rerun_kubectl(""),
                ),
            ));
        }
        if status.success() {
            recording.end(true, format!("{told}, {}", bytes(stdout.len())));
            return Ok(stdout);
        }
        // A plugin printed instructions and waited for the user.
        let waited = recording.has_spoken() && recording.elapsed() >= MIN_LOGIN_WAIT;
        recording.end(false, told.clone());
        let words = words_of(&stderr);
        let (fault, failure) =
            missing_credentials(&stdout).unwrap_or_else(|| self.explained(&words, &told, waited));
        Err(KubectlError::new(fault, failure))
    }

    /// Explains kubectl's message, or how it ended (`told`) without one. `waited`: a plugin had printed instructions and
    /// waited for the user.
    pub(super) fn explained(
        &self,
        words: &str,
        told: &str,
        waited: bool,
    ) -> (KubectlFault, Failure) {
        let (fault, mut failure) = explain(words);
        if words.is_empty() {
            failure.summary = format!("{} ({told})", failure.summary);
        }
        match fault {
            KubectlFault::PluginFailed if waited => {
                failure.summary =
                    format!("The login was not completed: {}", lowered(&failure.summary));
                let told = Failure::new(failure.summary, LOG_IN).with_details(failure.details);
                (KubectlFault::LoginUnfinished, told)
            }
            KubectlFault::Refused | KubectlFault::ProxyAuth | KubectlFault::ProxyRefused => {
                if let Some((variable, proxy)) = self.proxy() {
                    let before = format!("kubectl may use the proxy {proxy} (from {variable}). ");
                    failure.advice.insert_str(0, &before);
                    failure.cli_advice = failure
                        .cli_advice
                        .map(|advice| format!("{before}{advice}").into());
                }
                (fault, failure)
            }
            fault => (fault, failure),
        }
    }

    /// The proxy in kubectl's environment, without its password, and the name of the variable.
    fn proxy(&self) -> Option<(&'static str, String)> {
        let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
        let (name, value) = names
            .iter()
            .find_map(|name| Some((*name, self.variable(name)?)))?;
        let value = value.to_string_lossy();
        let place = value.rsplit('@').next().unwrap_or_default();
        let place = place.split_once("://").map_or(place, |(_, place)| place);
        Some((name, place.trim_end_matches('/').to_owned()))
    }
}

const LOG_IN: &str = "Try again and follow the plugin's instructions (see the details), or log \
     in once in a terminal, e.g. with kubectl get pods";

/// The failure at a time limit. `login`: a credential plugin was waiting for the user. `words` is kubectl's output on
/// standard error.
pub(super) fn too_slow(waited: Duration, words: String, login: bool) -> KubectlError {
    let seconds = units::counted(waited.as_secs_f64().round() as usize, "second");
    let (fault, summary, advice): (_, _, Advice) = if login {
        (
            KubectlFault::LoginUnfinished,
            format!(
                "The kubeconfig's credential plugin waited {seconds} for a login that was not \
                 completed"
            ),
            LOG_IN.into(),
        )
    } else {
        (
            KubectlFault::Deadline,
            format!(
                "kubectl did not finish within {} s and was stopped",
                waited.as_secs_f64().round()
            ),
            Advice::rerun_kubectl(
                "Check the VPN. A credential plugin that waits without a message is another \
                 possible cause",
            ),
        )
    };
    KubectlError::new(fault, Failure::new(summary, advice).with_details(words))
}

/// The sentence with a lower-case first letter.
fn lowered(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

fn bytes(count: usize) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

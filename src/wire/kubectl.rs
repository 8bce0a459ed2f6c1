//! Explains kubectl's error output: what happened, and what to do.

mod configuration;
pub mod credentials;
mod network;
mod plugin;
mod server;
mod words;

use crate::domain::failure::{Advice, Failure};

pub use plugin::may_start_a_plugin;
pub use words::{own_words, plain};

/// The kinds of failure of kubectl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KubectlFault {
    /// The server refused the connection.
    Refused,
    /// The name does not resolve.
    HostUnknown,
    /// No route, or the network is down.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The connection was closed before the response was complete.
    Disconnected,
    /// The server's certificate is not signed by the kubeconfig's authority.
    UnknownCa,
    /// The server's certificate is for another name.
    WrongName,
    /// The server's certificate has expired or is not valid yet.
    CertExpired,
    /// The server rejected the credentials.
    Unauthorized,
    /// The kubeconfig has no credentials, so that kubectl asked for a user name and a password.
    NoCredentials,
    /// The user is not allowed to do this.
    Forbidden,
    /// The cluster does not have this resource type, or this path.
    KindMissing,
    /// The object does not exist.
    ObjectMissing,
    /// The kubeconfig has no such context.
    ContextMissing,
    /// The kubeconfig does not exist.
    KubeconfigMissing,
    /// The kubeconfig cannot be read or parsed.
    KubeconfigBroken,
    /// A certificate file that the kubeconfig names does not exist.
    CertFileMissing,
    /// The credential plugin is not installed.
    PluginMissing,
    /// The credential plugin failed.
    PluginFailed,
    /// The credential plugin needs input from a terminal.
    PluginInteractive,
    /// The credential plugin waited for a login that did not happen.
    LoginUnfinished,
    /// This kubectl does not support the kubeconfig's credential plugin or its version.
    PluginOutdated,
    /// A proxy requires a user name and a password (407).
    ProxyAuth,
    /// A proxy refused to connect to the cluster.
    ProxyRefused,
    /// The API server cannot answer at the moment.
    Overloaded,
    /// The version to watch from is too old.
    Expired,
    /// The resource does not support this request, e.g. a watch.
    NotAllowed,
    /// The kubeconfig says https, the server speaks http.
    HttpOnHttps,
    /// The kubeconfig says http, the server speaks https.
    HttpsOnHttp,
    /// A web page answered instead of the Kubernetes API.
    NotKubernetes,
    /// kubectl is not installed. Reported by the system, not by kubectl.
    ProgramMissing,
    /// kubectl cannot be run. Reported by the system, not by kubectl.
    ProgramBroken,
    /// Batida's own deadline passed.
    Deadline,
    /// kubectl printed more than Batida keeps.
    TooMuch,
    /// Something else.
    Other,
}

impl KubectlFault {
    /// Whether retrying is useless until the user has changed something on this machine.
    pub fn needs_a_person(self) -> bool {
        matches!(
            self,
            Self::ProgramMissing
                | Self::ProgramBroken
                | Self::KubeconfigMissing
                | Self::KubeconfigBroken
                | Self::ContextMissing
                | Self::CertFileMissing
                | Self::PluginMissing
                | Self::PluginInteractive
                | Self::LoginUnfinished
                | Self::PluginOutdated
                | Self::NoCredentials
        )
    }

    /// Whether every other request to the same cluster will fail in the same way.
    pub fn is_of_the_connection(self) -> bool {
        !matches!(
            self,
            Self::Forbidden
                | Self::KindMissing
                | Self::ObjectMissing
                | Self::Overloaded
                | Self::Expired
                | Self::NotAllowed
                | Self::Timeout
                | Self::Deadline
                | Self::Disconnected
                | Self::TooMuch
                | Self::Other
        )
    }
}

/// Explains what kubectl wrote to standard error before it exited with an error.
pub fn explain(stderr: &str) -> (KubectlFault, Failure) {
    let words = own_words(stderr);
    let (fault, summary, advice) = read(&words);
    (fault, Failure::new(summary, advice).with_details(words))
}

/// The failure of a kubectl that asked for a user name and a password on standard output.
pub fn missing_credentials(stdout: &[u8]) -> Option<(KubectlFault, Failure)> {
    let prompt = b"Please enter Username";
    stdout.starts_with(prompt).then(|| {
        let failure = Failure::new(
            "The kubeconfig has no credentials for this cluster",
            "Choose another context, or get a kubeconfig with a token, a client certificate or a credential plugin",
        );
        (KubectlFault::NoCredentials, failure.with_details("kubectl asked for a user name on its standard output"))
    })
}

/// Whether a server's address in the kubeconfig may have a path, as Rancher's do. Only `false` is certain.
///
/// This is a text search, not a parser: an address in any unusual notation counts as one with a path.
pub fn may_have_server_path(kubeconfig: &str) -> bool {
    let mut servers = 0;
    for (at, word) in kubeconfig.match_indices("server") {
        let rest = kubeconfig[at + word.len()..]
            .trim_start_matches(['"', '\''])
            .trim_start_matches(' ');
        let Some(value) = rest.strip_prefix(':') else {
            continue;
        };
        let line = value
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches([' ', '\t', '"', '\'']);
        let url = line
            .split(['"', '\'', ' ', '\t', ',', '}', '\r'])
            .next()
            .unwrap_or_default();
        let Some((_, place)) = url.split_once("://") else {
            return true;
        };
        if place.is_empty() || place.trim_end_matches('/').contains('/') {
            return true;
        }
        servers += 1;
    }
    // A backslash could spell the key or a slash in another way.
    servers == 0 || kubeconfig.contains('\\')
}

/// Advice for clusters behind Rancher.
const RANCHER: &str = "For a cluster behind Rancher, the server's address in the kubeconfig must end \
                       with /k8s/clusters/ and the cluster's ID. Download the kubeconfig again from \
                       the cluster's page in Rancher";

/// The failure when a web page came instead of JSON.
pub fn not_kubernetes(page: &str) -> Failure {
    let title = between(page, "<title>", "</title>")
        .map(str::trim)
        .filter(|title| !title.is_empty());
    let called = title
        .map(|title| format!(" (“{}”)", clipped(&plain(title), 80)))
        .unwrap_or_default();
    let lower = page.to_lowercase();
    let advice = if lower.contains("rancher") {
        RANCHER.to_owned()
    } else {
        format!(
            "This is usually a login portal or a proxy. Log in to the network or the VPN, or correct the server's \
             address in the kubeconfig. {RANCHER}"
        )
    };
    Failure::new(
        format!("A web page{called} answered instead of the Kubernetes API"),
        advice,
    )
    .with_details(clipped(page.trim(), 2_000))
}

/// The failure when the server has no pods at this address, so that it is not a Kubernetes API.
pub fn no_api_at_this_address() -> Failure {
    Failure::new(
        "The server has no Kubernetes API at this address (404)",
        format!("Check the server's address in the kubeconfig, with its path. {RANCHER}"),
    )
}

/// Whether the failure is a missing permission.
pub fn says_forbidden(failure: &Failure) -> bool {
    failure.summary.contains(MAY_NOT)
}

/// Part of every summary about a missing permission; [`says_forbidden`] recognises it.
const MAY_NOT: &str = " may not ";

type Reading = (KubectlFault, String, Advice);

fn reading(fault: KubectlFault, summary: impl Into<String>, advice: impl Into<Advice>) -> Reading {
    (fault, summary.into(), advice.into())
}

/// Tries the most specific faults first: the message of one fault may quote that of another.
fn read(words: &str) -> Reading {
    let last = words
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    plugin::read(words)
        .or_else(|| configuration::read(words, last))
        .or_else(|| network::read_tls(words))
        .or_else(|| network::read_proxy(last))
        .or_else(|| server::read(last))
        .or_else(|| network::read(last))
        .unwrap_or_else(|| read_other(last))
}

fn read_other(last: &str) -> Reading {
    let said = last
        .strip_prefix("error: ")
        .or_else(|| last.strip_prefix("Error: "))
        .unwrap_or(last);
    let said = said
        .strip_prefix("Unable to connect to the server: ")
        .unwrap_or(said)
        .trim()
        .trim_end_matches('.');
    if said.is_empty() {
        return reading(
            KubectlFault::Other,
            "kubectl failed without an error message",
            Advice::rerun_kubectl(""),
        );
    }
    reading(
        KubectlFault::Other,
        format!("kubectl failed: {}", clipped(said, 200)),
        Advice::rerun_kubectl("See the details for its full output"),
    )
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

/// From `start` to the end of its line.
fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.lines()
        .next()
        .map(str::trim_end)
        .filter(|rest| !rest.is_empty())
}

fn clipped(text: &str, most: usize) -> String {
    crate::domain::printable::cut(text, most).into_owned()
}

#[cfg(test)]
mod tests;

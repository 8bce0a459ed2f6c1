//! kubectl's stderr, read into a failure that a person understands.

mod configuration;
pub mod credentials;
mod network;
mod plugin;
mod server;
mod words;

use crate::domain::failure::{Advice, Failure};

pub use plugin::may_start_a_plugin;
pub use words::{own_words, plain};

/// What kind of fault kubectl met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KubectlFault {
    /// Nothing listens there.
    Refused,
    /// The name does not resolve.
    HostUnknown,
    /// No route, or the network is down.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The connection was closed amid the answer.
    Disconnected,
    /// The server's certificate is signed by nobody known.
    UnknownCa,
    /// The server's certificate is for another name.
    WrongName,
    /// The server's certificate is of another time.
    CertExpired,
    /// The credentials were refused.
    Unauthorized,
    /// The kubeconfig has no credentials, so that kubectl asked for a name and a password.
    NoCredentials,
    /// The user has no right to it.
    Forbidden,
    /// The cluster does not know the kind, or the path.
    KindMissing,
    /// The kind is known, the object is not.
    ObjectMissing,
    /// The kubeconfig has no such context.
    ContextMissing,
    /// The kubeconfig does not exist.
    KubeconfigMissing,
    /// The kubeconfig cannot be read or understood.
    KubeconfigBroken,
    /// A certificate file that the kubeconfig names does not exist.
    CertFileMissing,
    /// The credential plugin is not installed.
    PluginMissing,
    /// The credential plugin failed.
    PluginFailed,
    /// The credential plugin wants to ask somebody.
    PluginInteractive,
    /// The credential plugin waited for somebody to log in, and nobody has.
    LoginUnfinished,
    /// This kubectl does not take the kubeconfig's credential plugin: its kind was removed, or its version.
    PluginOutdated,
    /// A proxy on the way wants a user name and a password (407).
    ProxyAuth,
    /// A proxy on the way refused to connect to the cluster.
    ProxyRefused,
    /// The server is there and cannot answer now.
    Overloaded,
    /// What is to be watched from is too long ago.
    Expired,
    /// The kind cannot be asked in this way, e.g. not watched.
    NotAllowed,
    /// The kubeconfig says https, the server speaks http.
    HttpOnHttps,
    /// The kubeconfig says http, the server speaks https.
    HttpsOnHttp,
    /// Something answers which is no Kubernetes: a web page.
    NotKubernetes,
    /// kubectl itself is not there. Told by the system, not by kubectl.
    ProgramMissing,
    /// kubectl is there and cannot be run. Told by the system, not by kubectl.
    ProgramBroken,
    /// Batida's own deadline passed.
    Deadline,
    /// kubectl printed more than Batida keeps.
    TooMuch,
    /// Something else.
    Other,
}

impl KubectlFault {
    /// Whether trying again is useless until a person has changed something on this machine.
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

    /// Whether every other question to the same cluster will meet it too.
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

/// What kubectl's stderr says when it exits with an error.
pub fn explain(stderr: &str) -> (KubectlFault, Failure) {
    let words = own_words(stderr);
    let (fault, summary, advice) = read(&words);
    (fault, Failure::new(summary, advice).with_details(words))
}

/// kubectl asked for a name and a password, on standard output, and nobody was there to answer.
pub fn asked_for_a_name(stdout: &[u8]) -> Option<(KubectlFault, Failure)> {
    let prompt = b"Please enter Username";
    stdout.starts_with(prompt).then(|| {
        let failure = Failure::new(
            "The kubeconfig has no credentials for this cluster",
            "Choose another context, or get a kubeconfig with a token, a client certificate or a credential plugin",
        );
        (KubectlFault::NoCredentials, failure.with_details("kubectl asked for a user name on its standard output"))
    })
}

/// Whether a kubeconfig may name a server with a path, as Rancher's do; only `false` is certain.
///
/// A glance and no parser: what is not written in the plainest way counts as a path.
pub fn may_name_a_path(kubeconfig: &str) -> bool {
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
    // An escape could spell the key, or a slash, in another way.
    servers == 0 || kubeconfig.contains('\\')
}

/// What the address of a cluster behind Rancher must look like.
const RANCHER: &str = "Behind Rancher the server's address in the kubeconfig ends with /k8s/clusters/ and the cluster's ID: \
                       download the kubeconfig again from the cluster's page in Rancher";

/// A web page came where JSON should.
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
        format!("A web page{called} answers where the Kubernetes API should"),
        advice,
    )
    .with_details(clipped(page.trim(), 2_000))
}

/// The server has no pods at this address, so it is no Kubernetes API.
pub fn no_api_at_this_address() -> Failure {
    Failure::new(
        "The server has no Kubernetes API at this address (404)",
        format!("Check the server's address in the kubeconfig, with its path. {RANCHER}"),
    )
}

/// Whether a failure says that the user lacks a right.
pub fn says_forbidden(failure: &Failure) -> bool {
    failure.summary.contains(MAY_NOT)
}

/// Between the user and the verb, in every sentence about a right that is missing.
const MAY_NOT: &str = " may not ";

type Reading = (KubectlFault, String, Advice);

fn reading(fault: KubectlFault, summary: impl Into<String>, advice: impl Into<Advice>) -> Reading {
    (fault, summary.into(), advice.into())
}

/// What is most particular is looked for first: the words of one fault may quote those of another.
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
            "kubectl failed without saying why",
            Advice::rerun_kubectl(""),
        );
    }
    reading(
        KubectlFault::Other,
        format!("kubectl failed: {}", clipped(said, 200)),
        Advice::rerun_kubectl("The details have all that it said"),
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

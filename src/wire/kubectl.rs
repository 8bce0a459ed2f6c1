//! kubectl's stderr, read into a failure that a person understands.

use crate::domain::failure::{Advice, Failure};

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
        let rest = kubeconfig[at + word.len()..].trim_start_matches(['"', '\'']).trim_start_matches(' ');
        let Some(value) = rest.strip_prefix(':') else { continue };
        let line = value.lines().next().unwrap_or_default().trim_start_matches([' ', '\t', '"', '\'']);
        let url = line.split(['"', '\'', ' ', '\t', ',', '}', '\r']).next().unwrap_or_default();
        let Some((_, place)) = url.split_once("://") else { return true };
        if place.is_empty() || place.trim_end_matches('/').contains('/') {
            return true;
        }
        servers += 1;
    }
    // An escape could spell the key, or a slash, in another way.
    servers == 0 || kubeconfig.contains('\\')
}

/// A web page came where JSON should.
pub fn not_kubernetes(page: &str) -> Failure {
    let title = between(page, "<title>", "</title>").map(str::trim).filter(|title| !title.is_empty());
    let called = title.map(|title| format!(" (“{}”)", clipped(title, 80))).unwrap_or_default();
    Failure::new(
        format!("A web page{called} answers where the Kubernetes API should"),
        "This is usually a login portal or a proxy. Log in to the network or the VPN, or correct the server's \
         address in the kubeconfig",
    )
    .with_details(clipped(page.trim(), 2_000))
}

/// stderr without the lines that kubectl logs for developers.
pub fn own_words(stderr: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut in_block = false;
    for line in stderr.lines() {
        let line = line.trim_end();
        if in_block {
            in_block = !line.trim_start().starts_with('>');
            continue;
        }
        if is_klog(line) {
            in_block = line.ends_with("=<") || (line.contains('‹') && !line.contains('›'));
            continue;
        }
        if line.contains("err=‹") {
            in_block = !line.contains('›');
            continue;
        }
        kept.push(line);
    }
    kept.join("\n").trim().to_owned()
}

/// klog begins with a letter for the severity and the month and day: `E1123 06:01:02.3 …`.
fn is_klog(line: &str) -> bool {
    let mut bytes = line.bytes();
    matches!(bytes.next(), Some(b'E' | b'W' | b'I' | b'F'))
        && bytes.by_ref().take(4).filter(u8::is_ascii_digit).count() == 4
        && bytes.next() == Some(b' ')
}

type Reading = (KubectlFault, String, Advice);

fn reading(fault: KubectlFault, summary: impl Into<String>, advice: impl Into<Advice>) -> Reading {
    (fault, summary.into(), advice.into())
}

/// What is most particular is looked for first: the words of one fault may quote those of another.
fn read(words: &str) -> Reading {
    let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    read_plugin(words)
        .or_else(|| read_configuration(words, last))
        .or_else(|| read_tls(words))
        .or_else(|| read_server(last))
        .or_else(|| read_network(last))
        .unwrap_or_else(|| read_other(last))
}

fn read_plugin(words: &str) -> Option<Reading> {
    if words.contains("cannot support interactive mode") || words.contains("standard input is not a terminal")
    {
        return Some(reading(
            KubectlFault::PluginInteractive,
            "The kubeconfig's credential plugin wants to ask you something, which it can only do in a terminal",
            Advice::by_face(
                "Log in once in a terminal (run the command from the Activity drawer there), then try again",
                "Log in once: run kubectl itself in a terminal with the same --kubeconfig and --context, then try again",
            ),
        ));
    }
    if !words.contains("exec: ") {
        return None;
    }
    if let Some(plugin) = between(words, "exec: executable ", " not found") {
        return Some(reading(
            KubectlFault::PluginMissing,
            format!("The kubeconfig's credential plugin {plugin} is not installed"),
            format!(
                "Install {plugin}, or give its whole path in the kubeconfig: a program started from the desktop \
                 may have a shorter PATH than your shell"
            ),
        ));
    }
    if let Some((plugin, code)) = between(words, "exec: executable ", "\n")
        .or_else(|| words.split_once("exec: executable ").map(|(_, rest)| rest))
        .and_then(|rest| rest.split_once(" failed with exit code "))
    {
        let code = code.split_whitespace().next().unwrap_or_default();
        return Some(reading(
            KubectlFault::PluginFailed,
            format!("The kubeconfig's credential plugin {plugin} failed with exit code {code}"),
            "Its own words are in the details. Often it is enough to log in again in a terminal",
        ));
    }
    // `exec: fork/exec /path: permission denied` and other ways of not running.
    words.contains("getting credentials: exec").then(|| {
        reading(
            KubectlFault::PluginFailed,
            "The kubeconfig's credential plugin failed",
            "Its own words are in the details. Often it is enough to log in again in a terminal",
        )
    })
}

fn read_configuration(words: &str, last: &str) -> Option<Reading> {
    let context = after(words, "context was not found for specified context: ")
        .or_else(|| between(words, "context \"", "\" does not exist"))
        .or_else(|| after(words, "cannot locate context "));
    if let Some(context) = context {
        let context = context.trim_matches('"');
        return Some(reading(
            KubectlFault::ContextMissing,
            format!("The kubeconfig has no context {context}"),
            "Choose one of its contexts in the environment's settings",
        ));
    }
    for (kind, mark) in [
        ("certificate authority", "unable to read certificate-authority "),
        ("client certificate", "unable to read client-cert "),
        ("client key", "unable to read client-key "),
    ] {
        let Some(rest) = after(words, mark) else { continue };
        let path = rest.split(" for ").next().unwrap_or(rest);
        return Some(reading(
            KubectlFault::CertFileMissing,
            format!("The kubeconfig names a {kind} file that cannot be read: {path}"),
            "Put the file there, or correct its path in the kubeconfig (relative paths start at the kubeconfig's \
             folder)",
        ));
    }
    if let Some(rest) = after(words, "error loading config file \"") {
        let (path, why) = rest.split_once("\": ").unwrap_or((rest.trim_end_matches('"'), ""));
        let summary = if why.contains("permission denied") {
            format!("The kubeconfig {path} cannot be read: permission denied")
        } else {
            format!("The kubeconfig {path} is not a valid one")
        };
        return Some(reading(
            KubectlFault::KubeconfigBroken,
            summary,
            "Compare it with the file that your cluster's administrator gave you; the details say where it breaks",
        ));
    }
    if let Some(path) = between(last, "stat ", ": no such file or directory") {
        return Some(reading(
            KubectlFault::KubeconfigMissing,
            format!("The kubeconfig {path} does not exist"),
            "Choose another file in the environment's settings",
        ));
    }
    let broken = [
        "invalid configuration: ",
        "Missing or incomplete configuration info",
        "unable to load root certificates",
    ]
    .iter()
    .any(|mark| words.contains(mark));
    (broken || last.contains("tls: failed to find any PEM data") || last.contains("illegal base64 data")).then(|| {
        reading(
            KubectlFault::KubeconfigBroken,
            "The kubeconfig is incomplete or broken",
            "Compare it with the file that your cluster's administrator gave you; the details say what is wrong",
        )
    })
}

fn read_tls(words: &str) -> Option<Reading> {
    if words.contains("certificate signed by unknown authority")
        || words.contains("certificate is not trusted")
    {
        return Some(reading(
            KubectlFault::UnknownCa,
            "The server's certificate is signed by an authority that the kubeconfig does not know",
            "Put the right certificate-authority in the kubeconfig. If it was right until yesterday, the cluster may \
             have been set up anew, or something between you and it answers in its place",
        ));
    }
    if words.contains("certificate is valid for ")
        || words.contains("doesn't contain any IP SANs")
        || words.contains("not valid for any names")
    {
        let (names, host) = after(words, "certificate is valid for ")
            .and_then(|rest| rest.rsplit_once(", not "))
            .map_or((None, None), |(names, host)| (Some(names), Some(host)));
        let host = host
            .or_else(|| between(words, "cannot validate certificate for ", " because"))
            .unwrap_or("this address");
        let names = names.map(|names| format!(", but for {names}")).unwrap_or_default();
        return Some(reading(
            KubectlFault::WrongName,
            format!("The server's certificate is not for {host}{names}"),
            "Use one of the certificate's names as the server in the kubeconfig, or set tls-server-name there",
        ));
    }
    if words.contains("certificate has expired or is not yet valid") {
        return Some(reading(
            KubectlFault::CertExpired,
            match after(words, "current time ") {
                Some(when) => format!("The server's certificate is out of date: it is now {when}"),
                None => "The server's certificate is out of date".to_owned(),
            },
            "Check this machine's clock. If it is right, the cluster's administrator has to renew the certificate",
        ));
    }
    None
}

fn read_server(last: &str) -> Option<Reading> {
    if last.contains("You must be logged in to the server") || last.contains("(Unauthorized)") {
        return Some(reading(
            KubectlFault::Unauthorized,
            "The cluster refused your credentials",
            "The token or client certificate in the kubeconfig has probably expired: log in again, or ask for a new \
             kubeconfig",
        ));
    }
    if last.contains("(Expired)") || last.contains("(Gone)") || last.contains("too old resource version") {
        return Some(reading(
            KubectlFault::Expired,
            "The cluster no longer knows what has changed since then",
            "Refresh to list everything anew",
        ));
    }
    if last.contains("(MethodNotAllowed)") {
        return Some(reading(
            KubectlFault::NotAllowed,
            "The API server does not allow this kind to be asked in this way",
            "Something between kubectl and the API server may refuse watches: ask the cluster's administrator",
        ));
    }
    if last.contains("HTTP request to an HTTPS server") {
        return Some(reading(
            KubectlFault::HttpsOnHttp,
            "The kubeconfig says http, but the server speaks https",
            "Write https:// before the server's address in the kubeconfig",
        ));
    }
    if last.contains("(BadRequest): the server rejected our request for an unknown reason") {
        // kubectl swallows the server's words; on a plain GET nothing else was seen to cause it.
        return Some(reading(
            KubectlFault::HttpsOnHttp,
            "The server rejected the request, probably because it speaks https where the kubeconfig says http",
            "Write https:// before the server's address in the kubeconfig",
        ));
    }
    if last.contains("the server doesn't have a resource type")
        || last.contains("the server could not find the requested resource")
        || last.contains("(NotFound): Unable to list")
        || last.contains("no matches for kind")
    {
        let kind = between(last, "resource type \"", "\"")
            .or_else(|| between(last, "Resource=", "\""))
            .or_else(|| between(last, "no matches for kind \"", "\""));
        return Some(reading(
            KubectlFault::KindMissing,
            match kind {
                Some(kind) => format!("The cluster does not know the resource {kind}"),
                None => "The cluster does not know this resource".to_owned(),
            },
            "Check that this is the right context and that SambaStack is installed on it",
        ));
    }
    let code = between(last, "Error from server (", ")");
    let message = last.split_once("): ").map_or(last, |(_, message)| message);
    match code {
        Some("Forbidden") => Some(read_forbidden(message)),
        Some("NotFound") => {
            let object = message.strip_suffix(" not found").unwrap_or(message);
            Some(reading(
                KubectlFault::ObjectMissing,
                format!("{object} does not exist"),
                "Refresh: it may have been deleted. Check the namespace too",
            ))
        }
        Some("ServiceUnavailable" | "TooManyRequests" | "Timeout" | "InternalError" | "ServerTimeout") => {
            let summary = match code {
                Some("TooManyRequests") => "The cluster's API server takes no more requests for now",
                Some("InternalError") => "The cluster's API server met an error of its own",
                _ => "The cluster's API server cannot answer now",
            };
            Some(reading(
                KubectlFault::Overloaded,
                summary,
                "It is overloaded or starting. Try again in a minute",
            ))
        }
        _ => None,
    }
}

fn read_forbidden(message: &str) -> Reading {
    let user = between(message, "User \"", "\"").unwrap_or("this user");
    let verb = between(message, "\" cannot ", " ").unwrap_or("read");
    let resource = between(message, "resource \"", "\"")
        .or_else(|| message.split(" is forbidden").next())
        .unwrap_or("this resource");
    let group = between(message, "in API group \"", "\"").filter(|group| !group.is_empty());
    let place = between(message, "in the namespace \"", "\"");
    let full = group.map_or_else(|| resource.to_owned(), |group| format!("{resource}.{group}"));
    let summary = match place {
        Some(namespace) => format!("{user} may not {verb} {full} in the namespace {namespace}"),
        None => format!("{user} may not {verb} {full}"),
    };
    let advice = match place {
        Some(namespace) => format!(
            "Ask the cluster's administrator for a role that allows get and list of {full} in {namespace}, or choose \
             another context or namespace"
        ),
        None => format!("Ask the cluster's administrator for a role that allows get and list of {full}"),
    };
    reading(KubectlFault::Forbidden, summary, advice)
}

fn read_network(last: &str) -> Option<Reading> {
    if last.contains("server gave HTTP response to HTTPS client") {
        return Some(reading(
            KubectlFault::HttpOnHttps,
            "The kubeconfig says https, but the server speaks http",
            "Check the server's address and port in the kubeconfig",
        ));
    }
    // However looking the name up failed: the name server's own troubles read like the cluster's.
    if last.contains("dial tcp: lookup ") || last.contains("no such host") {
        let host = after(last, "dial tcp: lookup ").map(|rest| rest.split([' ', ':']).next().unwrap_or(rest));
        return Some(reading(
            KubectlFault::HostUnknown,
            match host {
                Some(host) => format!("The cluster's host {host} cannot be found"),
                None => "The cluster's host cannot be found".to_owned(),
            },
            "Is the VPN on? If it is, check the server's name in the kubeconfig",
        ));
    }
    if last.contains(" was refused") || last.contains("connection refused") {
        let address = between(last, "The connection to the server ", " was refused")
            .or_else(|| between(last, "dial tcp ", ": connect"));
        let advice = if address.is_some_and(|address| address.ends_with("localhost:8080")) {
            "kubectl asks localhost:8080 when its kubeconfig is empty or has no current context: choose a kubeconfig \
             and a context in the environment's settings"
        } else {
            "Check that the cluster runs and that the kubeconfig has its address. A proxy that is down (HTTPS_PROXY, \
             proxy-url) reads the same"
        };
        return Some(reading(
            KubectlFault::Refused,
            match address {
                Some(address) => format!("Nothing answers at {address}: the connection was refused"),
                None => "The cluster refused the connection".to_owned(),
            },
            advice,
        ));
    }
    let timeouts = [
        "deadline exceeded",
        "Client.Timeout",
        "TLS handshake timeout",
        "i/o timeout",
        "request canceled",
        "timed out",
    ];
    if timeouts.iter().any(|mark| last.contains(mark)) {
        let address = between(last, "dial tcp ", ": i/o timeout");
        return Some(reading(
            KubectlFault::Timeout,
            match address {
                Some(address) => format!("The cluster at {address} did not answer in time"),
                None => "The cluster did not answer in time".to_owned(),
            },
            "Is the VPN on? A firewall that drops packets looks like this too. Otherwise the API server may be \
             overloaded: try again in a minute",
        ));
    }
    if last.contains("no route to host") || last.contains("network is unreachable") {
        return Some(reading(
            KubectlFault::Unreachable,
            "There is no way to the cluster from this network",
            "Check the network and the VPN",
        ));
    }
    let cut = last.ends_with(" EOF") || last.ends_with(": EOF") || last.contains("unexpected EOF");
    (cut || last.contains("connection reset")
        || last.contains("connection lost")
        || last.contains("broken pipe"))
    .then(|| {
        reading(
            KubectlFault::Disconnected,
            "The connection to the cluster was cut before the answer was complete",
            "Try again. If it happens each time, look at the proxy or load balancer before the cluster",
        )
    })
}

fn read_other(last: &str) -> Reading {
    let said = last.strip_prefix("error: ").or_else(|| last.strip_prefix("Error: ")).unwrap_or(last);
    let said =
        said.strip_prefix("Unable to connect to the server: ").unwrap_or(said).trim().trim_end_matches('.');
    if said.is_empty() {
        return reading(KubectlFault::Other, "kubectl failed without saying why", Advice::rerun_kubectl(""));
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
    rest.lines().next().map(str::trim_end).filter(|rest| !rest.is_empty())
}

fn clipped(text: &str, most: usize) -> String {
    crate::domain::printable::cut(text, most).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(stderr: &str, fault: KubectlFault, summary: &str) {
        let (found, failure) = explain(stderr);
        assert_eq!((found, failure.summary.as_str()), (fault, summary), "{stderr}");
        assert!(!failure.advice.is_empty());
        assert!(!failure.summary.ends_with('.') && !failure.advice.ends_with('.'), "{failure}");
        assert_eq!(failure.details, own_words(stderr));
    }

    #[test]
    fn each_row_of_the_facts_has_its_own_sentence() {
        use KubectlFault::*;
        check(
            "The connection to the server 10.1.2.3:6443 was refused - did you specify the right host or port?",
            Refused,
            "Nothing answers at 10.1.2.3:6443: the connection was refused",
        );
        check(
            "Unable to connect to the server: dial tcp: lookup api.example.com on 127.0.0.53:53: no such host",
            HostUnknown,
            "The cluster's host api.example.com cannot be found",
        );
        for line in [
            "Unable to connect to the server: context deadline exceeded",
            "Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
            "Unable to connect to the server: net/http: TLS handshake timeout",
        ] {
            check(line, Timeout, "The cluster did not answer in time");
        }
        check(
            "Unable to connect to the server: dial tcp 10.1.2.3:6443: i/o timeout",
            Timeout,
            "The cluster at 10.1.2.3:6443 did not answer in time",
        );
        for line in [
            "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "Unable to connect to the server: x509: certificate signed by unknown authority (possibly because of \"x\")",
        ] {
            check(
                line,
                UnknownCa,
                "The server's certificate is signed by an authority that the kubeconfig does not know",
            );
        }
        check(
            "Unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for a.example, b.example, not localhost",
            WrongName,
            "The server's certificate is not for localhost, but for a.example, b.example",
        );
        check(
            "Unable to connect to the server: x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs",
            WrongName,
            "The server's certificate is not for 127.0.0.1",
        );
        check(
            "Unable to connect to the server: x509: certificate has expired or is not yet valid: current time 2026-11-23T06:00:00Z is after 2025-01-01T00:00:00Z",
            CertExpired,
            "The server's certificate is out of date: it is now 2026-11-23T06:00:00Z is after 2025-01-01T00:00:00Z",
        );
        for line in [
            "error: You must be logged in to the server (Unauthorized)",
            "error: You must be logged in to the server (the server has asked for the client to provide credentials)",
        ] {
            check(line, Unauthorized, "The cluster refused your credentials");
        }
        check(
            "Error from server (Forbidden): bundledeployments.sambanova.ai is forbidden: User \"limited\" cannot list resource \"bundledeployments\" in API group \"sambanova.ai\" in the namespace \"sambastack\"",
            Forbidden,
            "limited may not list bundledeployments.sambanova.ai in the namespace sambastack",
        );
        check(
            "Error from server (Forbidden): pods is forbidden: User \"limited\" cannot list resource \"pods\" in API group \"\" in the namespace \"sambastack\"",
            Forbidden,
            "limited may not list pods in the namespace sambastack",
        );
        check(
            "error: the server doesn't have a resource type \"modeldeployments\"",
            KindMissing,
            "The cluster does not know the resource modeldeployments",
        );
        check(
            "Error from server (NotFound): the server could not find the requested resource",
            KindMissing,
            "The cluster does not know this resource",
        );
        check(
            "Error from server (NotFound): Unable to list \"sambanova.ai/v1alpha1, Resource=modeldeployments\": the server could not find the requested resource",
            KindMissing,
            "The cluster does not know the resource modeldeployments",
        );
        check(
            "Error from server (NotFound): bundledeployments.sambanova.ai \"nope\" not found",
            ObjectMissing,
            "bundledeployments.sambanova.ai \"nope\" does not exist",
        );
        for line in [
            "Error in configuration: context was not found for specified context: prod",
            "error: context \"prod\" does not exist",
        ] {
            check(line, ContextMissing, "The kubeconfig has no context prod");
        }
        check(
            "error: stat /home/a b/kube.yaml: no such file or directory",
            KubeconfigMissing,
            "The kubeconfig /home/a b/kube.yaml does not exist",
        );
        check(
            "error: error loading config file \"/tmp/x.yaml\": yaml: line 2: mapping values are not allowed in this context",
            KubeconfigBroken,
            "The kubeconfig /tmp/x.yaml is not a valid one",
        );
        check(
            "error: unable to read certificate-authority /tmp/ca.crt for demo due to open /tmp/ca.crt: no such file or directory",
            CertFileMissing,
            "The kubeconfig names a certificate authority file that cannot be read: /tmp/ca.crt",
        );
        check(
            "Error in configuration: \n* unable to read client-cert /tmp/c.crt for u due to open /tmp/c.crt: no such file or directory\n* unable to read client-key /tmp/c.key for u due to open /tmp/c.key: no such file or directory",
            CertFileMissing,
            "The kubeconfig names a client certificate file that cannot be read: /tmp/c.crt",
        );
        check(
            "Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin not found\n\nIt looks like you are trying to use a client-go credential plugin that is not installed.\n\nTo learn more about this feature, consult the documentation available at:\n      https://kubernetes.io/docs/",
            PluginMissing,
            "The kubeconfig's credential plugin gke-gcloud-auth-plugin is not installed",
        );
        check(
            "login first\nlogin first\nUnable to connect to the server: getting credentials: exec: executable oidc-login failed with exit code 3",
            PluginFailed,
            "The kubeconfig's credential plugin oidc-login failed with exit code 3",
        );
        check(
            "Unable to connect to the server: getting credentials: exec plugin cannot support interactive mode: standard input is not a terminal",
            PluginInteractive,
            "The kubeconfig's credential plugin wants to ask you something, which it can only do in a terminal",
        );
        check(
            "Error from server (ServiceUnavailable): the server is currently unable to handle the request",
            Overloaded,
            "The cluster's API server cannot answer now",
        );
        check(
            "Unable to connect to the server: http: server gave HTTP response to HTTPS client",
            HttpOnHttps,
            "The kubeconfig says https, but the server speaks http",
        );
        check(
            "Error from server (BadRequest): Client sent an HTTP request to an HTTPS server.",
            HttpsOnHttp,
            "The kubeconfig says http, but the server speaks https",
        );
        check(
            "Error from server (BadRequest): the server rejected our request for an unknown reason",
            HttpsOnHttp,
            "The server rejected the request, probably because it speaks https where the kubeconfig says http",
        );
        check(
            "Unable to connect to the server: dial tcp: lookup h on [::1]:53: read udp [::1]:4->[::1]:53: read: connection refused",
            HostUnknown,
            "The cluster's host h cannot be found",
        );
        check(
            "Unable to connect to the server: EOF",
            Disconnected,
            "The connection to the cluster was cut before the answer was complete",
        );
        check("error: something else.", Other, "kubectl failed: something else");
        check("", Other, "kubectl failed without saying why");
    }

    #[test]
    fn an_empty_kubeconfig_is_recognised_by_where_kubectl_asks() {
        let (_, failure) = explain(
            "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
        );
        assert!(failure.advice.contains("no current context"), "{failure}");
    }

    #[test]
    fn what_kubectl_logs_for_developers_is_dropped() {
        let stderr = "E1123 06:01:02.345678   12 memcache.go:265] couldn't get current server API group list: Get \"https://x\"\n\
            E1123 06:01:02.345678   12 memcache.go:265] \"Unhandled Error\" err=<\n\
            \tgetting credentials: exec: executable nope not found\n\
            \t\n\
            \tIt looks like …\n \
            >\n\
            I1123 06:01:02.345678   12 x.go:1] err=‹\n\
            \tmore\n \
            ›\n >\n\
            error: You must be logged in to the server (Unauthorized)\n";
        assert_eq!(own_words(stderr), "error: You must be logged in to the server (Unauthorized)");
    }

    #[test]
    fn a_path_of_a_server_is_never_overlooked() {
        for (kubeconfig, may) in [
            ("clusters:\n- cluster:\n    server: https://h:6443\n  name: a\n", false),
            ("clusters:\n- cluster:\n    server: https://h:6443/\n  name: a\n", false),
            ("{\"clusters\":[{\"cluster\":{\"server\":\"https://h:6443\"}}]}", false),
            ("server: 'https://h'\r\n", false),
            ("server: https://h\n    server: https://h/k8s/clusters/c-1\n", true),
            ("{\"server\": \"https://h/k8s\"}", true),
            ("server: h/k8s\n", true),
            ("server: |\n  https://h/k8s\n", true),
            ("server: &s https://h/k8s\n", true),
            ("server:\n  https://h/k8s\n", true),
            ("\"serv\\u0065r\": https://h/k8s\nserver: https://h\n", true),
            ("clusters: []\n", true),
            ("", true),
        ] {
            assert_eq!(may_name_a_path(kubeconfig), may, "{kubeconfig}");
        }
    }

    #[test]
    fn a_web_page_is_called_by_its_title() {
        let failure = not_kubernetes("<html><title> Log in </title><body></body></html>");
        assert_eq!(failure.summary, "A web page (“Log in”) answers where the Kubernetes API should");
    }

    proptest! {
        #[test]
        fn any_words_are_explained(stderr in "(\\PC|\n|E1123 |err=‹|›|exec: executable | not found| failed with exit code |Error from server \\(|\\): |dial tcp: lookup |context \"|certificate is valid for |, not ){0,40}") {
            let (_, failure) = explain(&stderr);
            prop_assert!(!failure.summary.is_empty());
            not_kubernetes(&stderr);
        }
    }
}

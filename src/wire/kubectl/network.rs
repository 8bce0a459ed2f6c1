//! Faults of the connection: TLS, proxies, name servers.

use super::{KubectlFault, Reading, after, between, reading};

pub(super) fn read_tls(words: &str) -> Option<Reading> {
    if words.contains("certificate signed by unknown authority")
        || words.contains("certificate is not trusted")
    {
        return Some(reading(
            KubectlFault::UnknownCa,
            "The server's certificate is not signed by the certificate authority in the kubeconfig",
            "Put the right certificate-authority in the kubeconfig. If it worked before, the cluster \
             may have been rebuilt, or another machine may be answering in its place",
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
        let names = names
            .map(|names| format!(", but for {names}"))
            .unwrap_or_default();
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
                Some(when) => match (
                    when.split_once(" is after "),
                    when.split_once(" is before "),
                ) {
                    (Some((_, end)), _) => {
                        format!("The server's certificate expired on {}", day(end))
                    }
                    (_, Some((_, begin))) => {
                        format!(
                            "The server's certificate is not valid before {}",
                            day(begin)
                        )
                    }
                    _ => format!("The server's certificate is out of date: it is now {when}"),
                },
                None => "The server's certificate is out of date".to_owned(),
            },
            "Check this machine's clock. If it is right, the cluster's administrator has to renew the certificate",
        ));
    }
    None
}

pub(super) fn read(last: &str) -> Option<Reading> {
    if last.contains("server gave HTTP response to HTTPS client") {
        return Some(reading(
            KubectlFault::HttpOnHttps,
            "The kubeconfig says https, but the server speaks http",
            "In the kubeconfig's server address, use the port that speaks https (usually 6443 or 443), or http:// if the \
             server has none",
        ));
    }
    // Before "connection refused": the name server's own errors contain it too.
    if last.contains("dial tcp: lookup ") || last.contains("no such host") {
        let host = after(last, "dial tcp: lookup ")
            .map(|rest| rest.split([' ', ':']).next().unwrap_or(rest));
        return Some(reading(
            KubectlFault::HostUnknown,
            match host {
                Some(host) => format!("Could not resolve the cluster's host name {host}"),
                None => "Could not resolve the cluster's host name".to_owned(),
            },
            "Check that the VPN is on, and check the server's name in the kubeconfig",
        ));
    }
    if last.contains(" was refused") || last.contains("connection refused") {
        return Some(read_refused(last));
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
            "Check that the VPN is on. A firewall that drops packets causes the same error. The API \
             server may also be overloaded: try again in a minute",
        ));
    }
    if last.contains("no route to host") || last.contains("network is unreachable") {
        return Some(reading(
            KubectlFault::Unreachable,
            "There is no route to the cluster from this network",
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
            "The connection to the cluster closed before the response was complete",
            "Try again. If it happens every time, check the proxy or load balancer in front of the cluster",
        )
    })
}

fn read_refused(last: &str) -> Reading {
    let address = between(last, "The connection to the server ", " was refused")
        .or_else(|| between(last, "dial tcp ", ": connect"));
    let advice = if address.is_some_and(|address| address.ends_with("localhost:8080")) {
        "This happens when the kubeconfig is empty or has no current context. Choose a kubeconfig and a context"
    } else {
        "Check that the cluster is running and that the kubeconfig has its address. A proxy that \
         is down (HTTPS_PROXY, proxy-url) causes the same error"
    };
    reading(
        KubectlFault::Refused,
        match address {
            Some("localhost:8080") => {
                "The kubeconfig does not name a cluster, so kubectl tried localhost:8080, where nothing answers"
                    .to_owned()
            }
            Some(address) => format!("Could not reach the cluster at {address}: connection refused"),
            None => "The cluster refused the connection".to_owned(),
        },
        advice,
    )
}

/// `2025-01-01T00:00:00Z` → `2025-01-01`
fn day(moment: &str) -> &str {
    moment.split('T').next().unwrap_or(moment)
}

/// A proxy answered in place of the server. Of a refused CONNECT kubectl prints only the status.
pub(super) fn read_proxy(last: &str) -> Option<Reading> {
    if last.contains("Proxy Authentication Required") || last.contains("status code 407") {
        return Some(reading(
            KubectlFault::ProxyAuth,
            "The proxy in front of the cluster requires a user name and a password (407)",
            "Add them to the proxy's address (http://user:password@proxy:port) in HTTPS_PROXY or the \
             kubeconfig's proxy-url. If the cluster needs no proxy, list its host in NO_PROXY",
        ));
    }
    let status = last
        .strip_prefix("Unable to connect to the server: ")?
        .trim();
    // The API server's own status is printed as "Error from server (…)".
    let refused = [
        "Forbidden",
        "Bad Gateway",
        "Service Unavailable",
        "Gateway Timeout",
        "Gateway Time-out",
        "Bad Request",
        "Method Not Allowed",
        "Not Found",
        "Unauthorized",
    ];
    refused.contains(&status).then(|| {
        reading(
            KubectlFault::ProxyRefused,
            format!("The proxy in front of the cluster refused to connect to it: {status}"),
            "Check HTTPS_PROXY and the kubeconfig's proxy-url. If the cluster needs no proxy, list \
             its host in NO_PROXY",
        )
    })
}

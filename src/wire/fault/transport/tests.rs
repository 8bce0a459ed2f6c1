//! Failures of the connection, and the sentences that explain them.

use super::*;
use crate::wire::fault::from_reply;

#[track_caller]
fn check(reply: &HttpResponse<'_>, class: FaultClass, words: [&str; 2]) {
    let asked = RequestInfo {
        host: "api.example.com",
        proxy: Some("http://proxy.corp:3128"),
        ..RequestInfo::default()
    };
    let fault = from_reply(reply, &asked);
    let told = fault.failure.to_string();
    assert_eq!(
        (fault.class, fault.status),
        (class, Some(reply.status)),
        "{told}"
    );
    for words in words {
        assert!(told.contains(words), "{words:?} is not in {told:?}");
    }
}

#[test]
fn a_redirect_says_where_to_and_what_to_type() {
    let to = |location| HttpResponse {
        status: 301,
        location: Some(location),
        ..HttpResponse::default()
    };
    check(
        &to("https://api.example.com/v1/models"),
        FaultClass::NotAnApi,
        [
            "redirects to https://api.example.com/v1/models",
            "redirects to itself",
        ],
    );
    check(
        &to("https://login.example.com/realms/a?token=geheim"),
        FaultClass::NotAnApi,
        [
            "redirects to https://login.example.com/realms/a (HTTP 301)",
            "it may be a login portal",
        ],
    );
    for (location, words) in [
        (
            "http://api.example.com/v1/models",
            "Enter http://api.example.com as",
        ),
        (
            "https://other.example.com/v1/models",
            "Enter https://other.example.com as",
        ),
        ("/v1/chat/completions", "redirects to itself"),
        ("javascript:alert(1)", "No API is at such an address"),
        ("//login.example.com/", "it may be a login portal"),
    ] {
        check(&to(location), FaultClass::NotAnApi, [location, words]);
    }
    let cached = HttpResponse {
        status: 304,
        ..HttpResponse::default()
    };
    check(
        &cached,
        FaultClass::NotAnApi,
        ["nothing has changed", "Turn off caching"],
    );
    check(
        &to("/v1/models/"),
        FaultClass::NotAnApi,
        [
            "redirects to /v1/models/ (HTTP",
            "does not follow redirects",
        ],
    );
    check(
        &HttpResponse {
            status: 302,
            ..HttpResponse::default()
        },
        FaultClass::NotAnApi,
        ["redirects to an unnamed address", "(HTTP 302)"],
    );
}

#[test]
fn refusals_about_the_connection_are_no_refusals_of_the_request() {
    let html = |status, body| HttpResponse {
        status,
        content_type: "text/html",
        body,
        ..HttpResponse::default()
    };
    for body in [
        "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>",
        "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
        "Client sent an HTTP request to an HTTPS server.\n",
    ] {
        check(
            &html(400, body),
            FaultClass::Tls,
            [
                "speaks TLS on this port",
                "Enter https://api.example.com as",
            ],
        );
    }
    check(
        &html(400, "<center>No required SSL certificate was sent</center>"),
        FaultClass::Tls,
        ["requires a client certificate", "issues them"],
    );
    check(
        &html(407, "<h1>Proxy Authentication Required</h1>"),
        FaultClass::Proxy,
        [
            "The proxy http://proxy.corp:3128 requires a user name and a password",
            "user:password@",
        ],
    );
    check(
        &html(504, "<title>504 Gateway Time-out</title>"),
        FaultClass::Timeout,
        ["timed out waiting for the server behind it", "504"],
    );
}

#[test]
fn what_this_machine_lacks_is_not_the_servers_fault() {
    let asked = RequestInfo {
        host: "api.example.com/v1",
        ..RequestInfo::default()
    };
    for (lack, words) in [
        (LocalLimit::Files, "ulimit -n"),
        (LocalLimit::Ports, "no local port"),
        (LocalLimit::Memory, "memory"),
    ] {
        let fault = TransportError::LocalLimit(lack).into_fault(&asked, String::new());
        let told = fault.failure.to_string();
        assert_eq!(fault.class, FaultClass::ThisMachine, "{told}");
        assert!(
            told.starts_with("This machine could not open a connection to api.example.com:"),
            "{told}"
        );
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_proxy_that_speaks_no_http_is_named() {
    let asked = RequestInfo {
        host: "api.example.com",
        proxy: Some("http://proxy.corp:3128"),
        plain: true,
        ..RequestInfo::default()
    };
    for kind in [
        TransportError::NotHttp,
        TransportError::Http2Only,
        TransportError::WantsTls,
    ] {
        let fault = kind.clone().into_fault(&asked, String::new());
        let told = fault.failure.to_string();
        assert_eq!(fault.class, FaultClass::Proxy, "{told}");
        assert!(
            told.starts_with("The proxy http://proxy.corp:3128 does not answer in HTTP/1.1"),
            "{told}"
        );
        // Through a tunnel, and through SOCKS, it is the host that answers.
        for asked in [
            RequestInfo {
                plain: false,
                ..asked
            },
            RequestInfo {
                proxy: Some("socks5://proxy.corp:1080"),
                ..asked
            },
            RequestInfo {
                proxy: None,
                ..asked
            },
        ] {
            let fault = kind.clone().into_fault(&asked, String::new());
            assert_ne!(fault.class, FaultClass::Proxy, "{}", fault.failure);
        }
    }
}

#[test]
fn a_connection_that_broke_does_not_promise_what_may_not_be_there() {
    let told = TransportError::Broken
        .into_fault(&RequestInfo::default(), String::new())
        .failure
        .to_string();
    assert!(
        told.contains("Try again") && !told.contains("kept"),
        "{told}"
    );
}

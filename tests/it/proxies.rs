//! Proxies on the way: named wherever one is in use, and told apart from the API when it is what fails.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::support::batida::{Said, finish, start};
use crate::support::scripted::{Reply, Request, ScriptedServer, Then};
use crate::support::shell::{Shell, check_words};

/// No name server knows it: only a proxy finds it.
const API: &str = "http://api.test";
const SECURE: &str = "https://api.test";

fn good(request: &Request, reply: &mut Reply<'_>) {
    if request.method == "GET" {
        reply.json(200, &json!({"object": "list", "data": [{"id": "m"}]}));
    } else {
        reply.answer(&["It ", "works", "."]);
    }
}

fn through(mut command: Command, variable: &str, proxy: &str) -> Said {
    finish(start(command.env(variable, proxy)))
}

#[test]
fn a_proxy_is_used_and_named_without_its_password() {
    let proxy = ScriptedServer::start(|request, reply| {
        good(request, reply);
        Then::KeepOpen
    });
    let shown = proxy.url();
    let with_password = shown.replace("http://", "http://me:geheim77@");
    let shell = Shell::new();
    let said = through(
        shell.command(API, &["chat", "Hello"]),
        "HTTP_PROXY",
        &with_password,
    );
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "It works.\n"),
        "{said:?}"
    );
    let first = &proxy.requests()[0];
    assert_eq!(
        first.target, "http://api.test/v1/models",
        "a proxy wants the whole address"
    );
    assert_eq!(
        first.header("proxy-authorization"),
        Some("Basic bWU6Z2VoZWltNzc=")
    );
    let said = through(shell.command(API, &["check"]), "ALL_PROXY", &with_password);
    check_words(&said.out, &[&format!("through the proxy {shown}")]);
    assert!(!format!("{said:?}").contains("geheim"), "{said:?}");
    // Not for this machine, nor for what is excepted.
    let mut command = shell.command(API, &["chat", "--model", "m", "Hello"]);
    command.env("NO_PROXY", "api.test");
    let said = through(command, "HTTP_PROXY", &shown);
    assert_eq!(said.code, Some(1));
    check_words(&said.err, &["Could not resolve the host name api.test"]);
    assert!(!said.err.contains("proxy"), "{said:?}");
}

#[test]
fn a_proxy_that_is_not_there_is_what_is_told() {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|it| it.local_addr())
        .expect("a port")
        .port();
    let dead = format!("http://127.0.0.1:{port}");
    let shell = Shell::new();
    for api in [API, SECURE] {
        let said = through(
            shell.command(api, &["chat", "--model", "m", "Hello"]),
            "ALL_PROXY",
            &dead,
        );
        assert_eq!(said.code, Some(1));
        let words = [
            &format!("Could not reach the proxy {dead}: connection refused")[..],
            "$NO_PROXY",
        ];
        check_words(&said.err, &words);
        let said = through(shell.command(api, &["check"]), "ALL_PROXY", &dead);
        check_words(&said.out, &words);
    }
    let args = [
        "bench",
        "--model",
        "m",
        "--prompts",
        "prompts.txt",
        "--requests",
        "2",
        "--json",
        "--quiet",
    ];
    let said = through(shell.command(API, &args), "ALL_PROXY", &dead);
    check_words(&said.out, &["\"proxy\"", "Could not reach the proxy"]);
}

#[test]
fn a_proxy_that_answers_with_no_http_is_what_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 1_024];
            // It answers whatever it is asked.
            let _ = stream
                .read(&mut request)
                .and_then(|_| stream.write_all(b"220 mail.corp ESMTP ready\r\n"));
        }
    });
    let shell = Shell::new();
    let said = through(
        shell.command(API, &["chat", "--model", "m", "Hello"]),
        "HTTP_PROXY",
        &proxy,
    );
    assert_eq!(said.code, Some(1));
    check_words(
        &said.err,
        &[
            &format!("The proxy {proxy} does not answer in HTTP"),
            "220 mail.corp",
            "$NO_PROXY",
        ],
    );
    assert!(!said.err.contains("api.test answers"), "{said:?}");
}

#[test]
fn a_proxy_that_wants_a_password_says_so_plain_and_through_a_tunnel() {
    let proxy = ScriptedServer::start(|_, reply| {
        let headers = [
            ("proxy-authenticate", "Basic realm=\"x\""),
            ("content-type", "text/html"),
        ];
        reply.full(
            407,
            &headers,
            "<html><h1>Proxy Authentication Required</h1></html>",
        );
        Then::Close
    });
    let shell = Shell::new();
    for api in [API, SECURE] {
        let said = through(
            shell.command(api, &["chat", "--model", "m", "Hello"]),
            "ALL_PROXY",
            &proxy.url(),
        );
        assert_eq!(said.code, Some(1));
        let words = format!(
            "The proxy {} requires a user name and a password (HTTP 407)",
            proxy.url()
        );
        check_words(&said.err, &[&words, "http://user:password@host:port"]);
        let login = proxy.url().replace("http://", "http://me:wrong@");
        let said = through(
            shell.command(api, &["chat", "--model", "m", "Hello"]),
            "ALL_PROXY",
            &login,
        );
        let words = format!(
            "The proxy {} rejected the user name or the password (HTTP 407)",
            proxy.url()
        );
        check_words(&said.err, &[&words, "%40"]);
        assert!(!said.err.contains("wrong@"), "{said:?}");
    }
    assert!(
        proxy
            .requests()
            .iter()
            .any(|it| it.method == "CONNECT" && it.target == "api.test:443")
    );
}

#[test]
fn a_proxy_that_makes_no_connection_says_why() {
    let proxy = ScriptedServer::start(|request, reply| {
        if request.method == "CONNECT" {
            reply.raw("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
        } else {
            reply.full(
                503,
                &[("content-type", "text/html")],
                "<html><title>503</title></html>",
            );
        }
        Then::Close
    });
    let shell = Shell::new();
    let said = through(
        shell.command(SECURE, &["chat", "--model", "m", "Hello"]),
        "HTTPS_PROXY",
        &proxy.url(),
    );
    let words = format!(
        "The proxy {} could not connect to api.test: HTTP 502 Bad Gateway",
        proxy.url()
    );
    check_words(&said.err, &[&words]);
    let said = through(
        shell.command(API, &["chat", "--model", "m", "Hello"]),
        "HTTP_PROXY",
        &proxy.url(),
    );
    check_words(
        &said.err,
        &[
            "(HTTP 503)",
            &format!("(through the proxy {})", proxy.url()),
        ],
    );
}

#[test]
fn a_variable_that_names_no_proxy_is_not_passed_over() {
    let shell = Shell::new();
    let said = through(
        shell.command(API, &["chat", "--model", "m", "Hello"]),
        "HTTP_PROXY",
        "quic://geheim@x:1",
    );
    assert_eq!(said.code, Some(1));
    check_words(
        &said.err,
        &[
            "$HTTP_PROXY does not contain a valid proxy",
            "socks5h://host:port",
        ],
    );
    assert!(!said.err.contains("geheim"), "{said:?}");
}

/// A SOCKS5 proxy that connects everything to one server; with a login if wanted. Gives its address.
fn socks(to: std::net::SocketAddr, login: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || -> Option<()> {
                let take = |stream: &mut TcpStream, n: usize| {
                    let mut bytes = vec![0; n];
                    stream.read_exact(&mut bytes).ok().map(|()| bytes)
                };
                let methods = take(&mut stream, 2)?[1];
                take(&mut stream, methods.into())?;
                stream
                    .write_all(if login.is_some() { &[5, 2] } else { &[5, 0] })
                    .ok()?;
                if let Some(login) = login {
                    let user = take(&mut stream, 2)?[1];
                    let user = take(&mut stream, user.into())?;
                    let password = take(&mut stream, 1)?[0];
                    let password = take(&mut stream, password.into())?;
                    let given =
                        [user, password].map(|text| String::from_utf8_lossy(&text).into_owned());
                    let fits = given.join(":") == login;
                    stream.write_all(&[1, u8::from(!fits)]).ok()?;
                    fits.then_some(())?;
                }
                let ask = take(&mut stream, 5)?;
                assert_eq!(ask[3], 3, "a name, to be found by the proxy");
                let name = take(&mut stream, ask[4].into())?;
                assert_eq!(name, b"api.test");
                take(&mut stream, 2)?;
                stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
                let behind = TcpStream::connect(to).ok()?;
                let (mut a, mut b) = (stream.try_clone().ok()?, behind.try_clone().ok()?);
                let (mut stream, mut behind) = (stream, behind);
                let there = thread::spawn(move || {
                    let _ = std::io::copy(&mut a, &mut b);
                    let _ = b.shutdown(Shutdown::Write);
                });
                let _ = std::io::copy(&mut behind, &mut stream);
                let _ = stream.shutdown(Shutdown::Write);
                there.join().ok()
            });
        }
    });
    address.to_string()
}

#[test]
fn a_star_and_a_port_that_is_none_are_read() {
    let shell = Shell::new();
    // No host of this documentation network answers; a proxy that is not there would be named.
    let mut command = shell.command(
        "http://192.0.2.9:81",
        &["chat", "--model", "m", "--timeout", "300ms", "Hello"],
    );
    command.env("NO_PROXY", "*");
    let said = through(command, "HTTP_PROXY", "http://127.0.0.1:1");
    assert_eq!(said.code, Some(1));
    assert!(!said.err.contains("proxy"), "{said:?}");
    let said = through(
        shell.command(API, &["chat", "--model", "m", "Hello"]),
        "HTTP_PROXY",
        "http://127.0.0.1:99999",
    );
    check_words(&said.err, &["$HTTP_PROXY does not contain a valid proxy"]);
}

#[test]
fn a_proxy_that_says_that_it_failed_is_named() {
    let proxy = ScriptedServer::start(|_, reply| {
        reply.full(
            503,
            &[
                ("x-squid-error", "ERR_DNS_FAIL 0"),
                ("content-type", "text/html"),
            ],
            "<html></html>",
        );
        Then::Close
    });
    let said = through(
        Shell::new().command(API, &["chat", "--model", "m", "Hello"]),
        "HTTP_PROXY",
        &proxy.url(),
    );
    let words = format!(
        "The proxy {} could not connect to api.test: HTTP 503, ERR_DNS_FAIL 0",
        proxy.url()
    );
    check_words(&said.err, &[&words]);
}

/// A SOCKS5 proxy that answers each greeting with this.
fn greets(with: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream
                .read(&mut [0; 64])
                .and_then(|_| stream.write_all(with));
        }
    });
    address
}

#[test]
fn logins_that_a_socks_proxy_does_not_need_or_not_take_are_told_apart() {
    let server = ScriptedServer::start(|request, reply| {
        good(request, reply);
        Then::KeepOpen
    });
    let shell = Shell::new();
    let chat = |proxy: &str| {
        let command = shell.command(API, &["chat", "--model", "m", "Hello"]);
        through(command, "ALL_PROXY", proxy)
    };
    let open = socks(server.address(), None);
    let said = chat(&format!("socks5h://me:geheim77@{open}"));
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "It works.\n"),
        "{said:?}"
    );
    let none = greets(&[5, 0xff]);
    let said = chat(&format!("socks5h://me:geheim77@{none}"));
    check_words(
        &said.err,
        &["accepts neither a user name with a password nor connections without"],
    );
    let mail = greets(b"220 mail.corp ESMTP\r\n");
    let said = chat(&format!("socks5h://{mail}"));
    check_words(&said.err, &["its answer is not that of a SOCKS proxy"]);
    let said = chat(&format!("socks5h://{none}"));
    check_words(
        &said.err,
        &[
            "requires a user name and a password",
            "socks5h://user:password@host:port",
        ],
    );
    let said = through(
        shell.command(
            "http://[2001:db8::1]:8000",
            &["chat", "--model", "m", "Hello"],
        ),
        "ALL_PROXY",
        &format!("socks4://{none}"),
    );
    check_words(&said.err, &["connects only to IPv4 addresses", "socks5://"]);
}

#[test]
fn socks_proxies_are_used_and_named() {
    let server = ScriptedServer::start(|request, reply| {
        good(request, reply);
        Then::KeepOpen
    });
    let shell = Shell::new();
    let open = socks(server.address(), None);
    let said = through(
        shell.command(API, &["chat", "Hello"]),
        "ALL_PROXY",
        &format!("socks5h://{open}"),
    );
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "It works.\n"),
        "{said:?}"
    );
    assert_eq!(
        server.requests()[0].target,
        "/v1/models",
        "the proxy does not read requests"
    );
    let said = through(
        shell.command(API, &["check"]),
        "ALL_PROXY",
        &format!("socks5h://{open}"),
    );
    check_words(&said.out, &[&format!("through the proxy socks5h://{open}")]);
    let locked = socks(server.address(), Some("me:geheim77"));
    for (login, code) in [("me:geheim77", 0), ("me:wrong", 1)] {
        let proxy = format!("socks5h://{login}@{locked}");
        let said = through(
            shell.command(API, &["chat", "--model", "m", "Hello"]),
            "ALL_PROXY",
            &proxy,
        );
        assert_eq!(said.code, Some(code), "{said:?}");
        if code == 1 {
            check_words(
                &said.err,
                &[&format!(
                    "The proxy socks5h://{locked} rejected the user name or the password"
                )],
            );
        }
    }
}

//! Certificates, of both sides, and versions of TLS: what curl accepts works, and what does not work is named.

use std::fs;
use std::net::SocketAddr;

use serde_json::json;
use tokio_rustls::rustls::SupportedProtocolVersion;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::support::batida::Said;
use crate::support::scripted::{ScriptedServer, Then};
use crate::support::shell::{Shell, check_words};
use crate::support::tls::{Shows, front};

/// `openssl req -x509 -nodes -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1,DNS:localhost`: `CA:TRUE`.
const SELF_SIGNED: [&str; 2] = [
    include_str!("../fixtures/tls/self-signed.pem"),
    include_str!("../fixtures/tls/self-signed.key"),
];
/// The same with `/CN=localhost` and without alternative names.
const NAME_ONLY: [&str; 2] = [
    include_str!("../fixtures/tls/name-only.pem"),
    include_str!("../fixtures/tls/name-only.key"),
];

const NEW: &[&SupportedProtocolVersion] = &[&TLS13];
const OLD: &[&SupportedProtocolVersion] = &[&TLS12];

fn server() -> ScriptedServer {
    ScriptedServer::start(|request, reply| {
        if request.method == "GET" {
            reply.json(200, &json!({"object": "list", "data": [{"id": "m"}]}));
        } else {
            reply.answer(&["It ", "works", "."]);
        }
        Then::KeepOpen
    })
}

fn chat(shell: &Shell, host: &str, at: SocketAddr, args: &[&str]) -> Said {
    shell.run(
        &format!("https://{host}:{}", at.port()),
        &[&["chat", "Hello"], args].concat(),
    )
}

#[track_caller]
fn check_works(said: &Said) {
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "It works.\n"),
        "{said:?}"
    );
}

#[test]
fn a_certificate_that_signed_itself_is_trusted_where_it_is_given() {
    let server = server();
    let at = front(
        &Shows::new(SELF_SIGNED[0], SELF_SIGNED[1]),
        server.address(),
    );
    let shell = Shell::new();
    fs::write(shell.path("ca.pem"), SELF_SIGNED[0]).expect("written");
    fs::write(shell.path("other.pem"), NAME_ONLY[0]).expect("written");
    for host in ["127.0.0.1", "localhost"] {
        check_works(&chat(&shell, host, at, &["--ca", "ca.pem"]));
        let said = chat(&shell, host, at, &[]);
        check_words(
            &said.err,
            &[
                "signed by an authority that this machine does not trust",
                "--ca",
            ],
        );
        let said = chat(&shell, host, at, &["--ca", "other.pem"]);
        check_words(
            &said.err,
            &["signed by an authority that this machine does not trust"],
        );
    }
    let url = format!("https://localhost:{}", at.port());
    let (said, report) = shell.bench(&url, 3, &["--ca", "ca.pem"]);
    assert_eq!(report["levels"][0]["requests"]["ok"], json!(3), "{said:?}");
    if cfg!(target_os = "linux") {
        assert_eq!(report["levels"][0]["watch"]["clock"], "kernel", "{said:?}");
    }

    // Without alternative names, the common name counts, as curl takes it.
    let at = front(&Shows::new(NAME_ONLY[0], NAME_ONLY[1]), server.address());
    check_works(&chat(&shell, "localhost", at, &["--ca", "other.pem"]));
    let said = chat(&shell, "127.0.0.1", at, &["--ca", "other.pem"]);
    check_words(&said.err, &["is for a different host name"]);
}

/// An authority, and what it signed. PEM.
struct Signed {
    authority: String,
    certificate: String,
    key: String,
}

fn signed(change: impl Fn(&mut rcgen::CertificateParams)) -> Signed {
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names are fine");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Internal CA");
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let authority = params
        .self_signed(&authority_key)
        .expect("it signs itself")
        .pem();
    let issuer = rcgen::Issuer::new(params, authority_key);
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = rcgen::CertificateParams::new(names).expect("names");
    change(&mut params);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &issuer).expect("signed").pem();
    Signed {
        authority,
        certificate,
        key: key.serialize_pem(),
    }
}

#[test]
fn a_certificate_that_could_sign_too_is_judged_by_its_authority_name_and_time() {
    // `openssl req -x509 -CA` makes such.
    let ca = |params: &mut rcgen::CertificateParams| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    };
    let server = server();
    let shell = Shell::new();
    for (change, words) in [
        (
            Box::new(ca) as Box<dyn Fn(&mut rcgen::CertificateParams)>,
            "",
        ),
        (
            Box::new(move |params: &mut rcgen::CertificateParams| {
                ca(params);
                params.not_after = rcgen::date_time_ymd(2021, 1, 1);
            }),
            "has expired on 2021-01-01",
        ),
        (
            Box::new(move |params: &mut rcgen::CertificateParams| {
                ca(params);
                params.not_before = rcgen::date_time_ymd(2099, 1, 1);
                params.not_after = rcgen::date_time_ymd(2100, 1, 1);
            }),
            "is not valid yet: it is from 2099-01-01",
        ),
        (
            Box::new(|params: &mut rcgen::CertificateParams| {
                params.not_after = rcgen::date_time_ymd(2021, 1, 1);
            }),
            "has expired on 2021-01-01",
        ),
        (
            Box::new(|params: &mut rcgen::CertificateParams| {
                params.subject_alt_names = vec![
                    rcgen::SanType::DnsName("*.example".try_into().expect("a name")),
                    rcgen::SanType::IpAddress([192, 0, 2, 9].into()),
                ];
            }),
            "is for a different host name: it covers *.example, 192.0.2.9",
        ),
        (
            Box::new(move |params: &mut rcgen::CertificateParams| {
                ca(params);
                params.subject_alt_names = vec![rcgen::SanType::DnsName(
                    "a.example".try_into().expect("a name"),
                )];
            }),
            "is for a different host name: it covers a.example",
        ),
    ] {
        let made = signed(change);
        let at = front(&Shows::new(&made.certificate, &made.key), server.address());
        fs::write(shell.path("ca.pem"), &made.authority).expect("written");
        let said = chat(&shell, "localhost", at, &["--ca", "ca.pem"]);
        if words.is_empty() {
            check_works(&said);
        } else {
            check_words(&said.err, &[words]);
        }
        if words.is_empty() {
            fs::write(shell.path("ca.pem"), signed(|_| {}).authority).expect("written");
            let said = chat(&shell, "localhost", at, &["--ca", "ca.pem"]);
            check_words(
                &said.err,
                &["signed by an authority that this machine does not trust"],
            );
        }
    }
}

#[test]
fn a_server_that_wants_a_client_certificate_says_so_and_gets_it() {
    let server = server();
    let shell = Shell::new();
    let own = signed(|_| {});
    let me = signed(|params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth]
    });
    let stranger = signed(|params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth]
    });
    for (name, text) in [
        ("ca.pem", own.authority.clone()),
        ("me.pem", me.certificate.clone()),
        ("me.key", me.key.clone()),
        ("both.pem", format!("{}{}", me.certificate, me.key)),
        (
            "stranger.pem",
            format!("{}{}", stranger.certificate, stranger.key),
        ),
        (
            "no.key",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
                .to_owned(),
        ),
    ] {
        fs::write(shell.path(name), text).expect("written");
    }
    for versions in [NEW, OLD] {
        let shows = Shows {
            client_authority: Some(me.authority.clone()),
            versions,
            ..Shows::new(&own.certificate, &own.key)
        };
        let at = front(&shows, server.address());
        let said = chat(&shell, "localhost", at, &["--ca", "ca.pem"]);
        check_words(
            &said.err,
            &["requires a client certificate", "--client-cert"],
        );
        let both = [
            "--ca",
            "ca.pem",
            "--client-cert",
            "me.pem",
            "--client-key",
            "me.key",
        ];
        check_works(&chat(&shell, "localhost", at, &both));
        check_works(&chat(
            &shell,
            "localhost",
            at,
            &["--ca", "ca.pem", "--client-cert", "both.pem"],
        ));
        let url = format!("https://localhost:{}", at.port());
        let (said, report) = shell.bench(&url, 3, &both);
        assert_eq!(report["levels"][0]["requests"]["ok"], json!(3), "{said:?}");
        let said = chat(
            &shell,
            "localhost",
            at,
            &["--ca", "ca.pem", "--client-cert", "stranger.pem"],
        );
        check_words(&said.err, &["rejected the client certificate"]);
    }
    let at = front(&Shows::new(&own.certificate, &own.key), server.address());
    let said = chat(
        &shell,
        "localhost",
        at,
        &["--client-cert", "me.pem", "--client-key", "no.key"],
    );
    check_words(
        &said.err,
        &["The client key no.key is not usable: it is encrypted"],
    );
    let said = chat(&shell, "localhost", at, &["--client-cert", "gone.pem"]);
    check_words(
        &said.err,
        &["The client certificate gone.pem is not usable"],
    );
}

#[test]
fn a_certificate_of_version_1_works_where_it_is_given_and_where_none_is_verified() {
    let server = server();
    let shell = Shell::new();
    let own = include_str!("../fixtures/tls/version-1.pem");
    fs::write(shell.path("ca.pem"), own).expect("written");
    for (versions, works) in [(NEW, true), (OLD, false)] {
        let shows = Shows {
            versions,
            ..Shows::new(own, include_str!("../fixtures/tls/version-1.key"))
        };
        let at = front(&shows, server.address());
        check_works(&chat(&shell, "localhost", at, &["--insecure"]));
        let said = chat(&shell, "localhost", at, &["--ca", "ca.pem"]);
        if works {
            check_works(&said);
        } else {
            check_words(
                &said.err,
                &["version 1 of the certificate format, with TLS 1.2"],
            );
        }
    }
}

#[test]
fn a_handshake_without_anything_in_common_says_so() {
    // What OpenSSL answers whose only cipher or curve the client does not offer: an alert, "handshake failure".
    let alert = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = alert.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in alert.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = std::io::Read::read(&mut stream, &mut [0; 4_096]);
            let _ = std::io::Write::write_all(&mut stream, b"\x15\x03\x03\x00\x02\x02\x28");
        }
    });
    let said = chat(&Shell::new(), "127.0.0.1", at, &["--model", "m"]);
    check_words(
        &said.err,
        &["no cipher, curve or kind of certificate in common", "P-521"],
    );
}

#[test]
fn servers_of_old_tls_and_of_http_2_alone_are_named() {
    // What a server of TLS 1.0 answers to a greeting of 1.2: an alert, "protocol version".
    let alert = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = alert.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in alert.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = std::io::Read::read(&mut stream, &mut [0; 4_096]);
            let _ = std::io::Write::write_all(&mut stream, b"\x15\x03\x01\x00\x02\x02\x46");
        }
    });
    let shell = Shell::new();
    let said = chat(&shell, "127.0.0.1", at, &["--insecure", "--model", "m"]);
    check_words(
        &said.err,
        &["supports only TLS 1.1 or older", "TLS 1.2 or 1.3"],
    );

    let server = server();
    let shows = Shows {
        protocols: vec![b"h2".to_vec()],
        ..Shows::new(SELF_SIGNED[0], SELF_SIGNED[1])
    };
    let at = front(&shows, server.address());
    let said = chat(&shell, "127.0.0.1", at, &["--insecure", "--model", "m"]);
    check_words(&said.err, &["speaks only HTTP/2"]);

    // The wrong scheme; the other way is among the tests of chat.
    let at = front(
        &Shows::new(SELF_SIGNED[0], SELF_SIGNED[1]),
        server.address(),
    );
    let said = shell.run(&format!("http://{at}"), &["chat", "--model", "m", "Hello"]);
    check_words(
        &said.err,
        &["speaks TLS on this port", &format!("Enter https://{at} as")],
    );
}

//! TLS before a small server, with every setting that a test needs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// What a server shows and wants.
#[derive(Debug)]
pub(crate) struct Shows {
    /// PEM.
    pub(crate) certificate: String,
    /// PEM.
    pub(crate) key: String,
    /// Wants a client certificate of this authority (PEM).
    pub(crate) client_authority: Option<String>,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    /// ALPN.
    pub(crate) protocols: Vec<Vec<u8>>,
}

impl Shows {
    pub(crate) fn new(certificate: &str, key: &str) -> Self {
        Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            client_authority: None,
            versions: rustls::ALL_VERSIONS,
            protocols: Vec::new(),
        }
    }

    fn config(&self) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions)
            .expect("the provider knows TLS");
        let builder = match &self.client_authority {
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                roots.add(certificate(pem)).expect("an authority");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
            None => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key");
        let key = rustls::crypto::ring::sign::any_supported_type(&key).expect("a key for signing");
        let shown = CertifiedKey::new(vec![certificate(&self.certificate)], key);
        // Unlike `with_single_cert` it takes certificates of version 1.
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
        config.alpn_protocols = self.protocols.clone();
        config
    }
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

/// TLS on a port of its own before another address, on a thread of its own until the test's process ends.
pub(crate) fn front(shows: &Shows, behind: SocketAddr) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(shows.config()));
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("an address"))
                .expect("the test waits for it");
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Clients that hang up are what is tested.
                    let Ok(mut front) = acceptor.accept(stream).await else {
                        return;
                    };
                    let Ok(mut back) = TcpStream::connect(behind).await else {
                        return;
                    };
                    let _ = tokio::io::copy_bidirectional(&mut front, &mut back).await;
                });
            }
        });
    });
    told.recv().expect("it listens")
}

/// The server's certificate, and what its kubeconfig trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Plain http.
    Off,
    /// As it should be.
    Good,
    /// The kubeconfig trusts another authority.
    UnknownCa,
    /// For another host.
    WrongName,
    /// Of another year.
    Expired,
    /// Good, but the kubeconfig says `http`.
    TakenForHttp,
    /// Plain http, but the kubeconfig says `https`.
    HttpTakenForHttps,
}

pub(crate) fn acceptor(tls: Tls, dir: &Path) -> Option<TlsAcceptor> {
    let ca = authority();
    let trusted = if tls == Tls::UnknownCa {
        authority()
    } else {
        ca.clone()
    };
    std::fs::write(dir.join("ca.pem"), &trusted.0).expect("a temporary folder can be written");
    if matches!(tls, Tls::Off | Tls::HttpTakenForHttps) {
        return None;
    }
    let names = match tls {
        Tls::WrongName => vec!["a.example".to_owned(), "b.example".to_owned()],
        _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
    };
    let mut params = rcgen::CertificateParams::new(names).expect("the names are names");
    if tls == Tls::Expired {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let key = rcgen::KeyPair::generate().expect("a key can be made");
    let certificate = params
        .signed_by(&key, &ca.1)
        .expect("the authority can sign");
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("the key is a key");
    let config = rustls::ServerConfig::builder_with_provider(
        rustls::crypto::ring::default_provider().into(),
    )
    .with_safe_default_protocol_versions()
    .expect("the provider knows TLS")
    .with_no_client_auth()
    .with_single_cert(vec![certificate.der().clone()], key)
    .expect("the key fits the certificate");
    Some(TlsAcceptor::from(Arc::new(config)))
}

type Authority = (String, Arc<rcgen::Issuer<'static, rcgen::KeyPair>>);

fn authority() -> Authority {
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names are fine");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key can be made");
    let certificate = params.self_signed(&key).expect("it signs itself");
    (certificate.pem(), Arc::new(rcgen::Issuer::new(params, key)))
}

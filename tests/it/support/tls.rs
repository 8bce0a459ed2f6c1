//! TLS before a small server, with every setting that a test needs.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
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
        let mut config = builder
            .with_single_cert(vec![certificate(&self.certificate)], key)
            .expect("the key fits");
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

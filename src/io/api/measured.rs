//! The same API for a benchmark: its own lean connections, and the same words for what goes wrong on them.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::{Api, Head, Trust, no_authorities, no_certificate, tls_trouble, transport_of};
use crate::domain::failure::Failure;
use crate::io::http1::{Dialer, ResponseHead, WireError};
use crate::wire::answer::Broken;
use crate::wire::fault::{self, Asked, Fault, Transport};

impl Api {
    /// Opens connections for measuring.
    ///
    /// # Errors
    /// When the CA file cannot be read, or the address cannot be connected to.
    pub fn dialer(&self) -> Result<Dialer, Failure> {
        let url = self.address.chat();
        let proxy = if self.address.is_loopback() { None } else { proxy_for(&url) };
        let tls = Arc::new(tls(&self.trust, self.address.is_secure())?);
        Dialer::new(&self.access.url(&url), &self.access.lines(), tls, proxy)
    }

    /// What a connection's trouble means.
    pub fn fault_of_wire(&self, error: &WireError, model: &str) -> Fault {
        let asked = self.asked(model, &[]);
        let of_io = |error: &std::io::Error, connecting| {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            tls.map(tls_trouble).or_else(|| transport_of(error, connecting)).unwrap_or(Transport::Broken)
        };
        let kind = match error {
            WireError::Unknown(_) => Transport::HostUnknown,
            WireError::ConnectTimeout => Transport::ConnectTimeout,
            WireError::Connect(error) => of_io(error, true),
            WireError::Broken(error) => of_io(error, false),
            WireError::NotHttp(_) => Transport::NotHttp,
        };
        self.redact(kind.into_fault(&asked, error.to_string()))
    }

    /// A request that was given up after `limit`; see [`fault::given_up`].
    pub fn fault_of_time(&self, limit: std::time::Duration, came: Option<(u64, u64)>, model: &str) -> Fault {
        fault::given_up(limit, came, &self.asked(model, &[]))
    }

    /// What a response means that is no good answer: a status that is no success, or (`broken`) a body that
    /// is none. `body` is its beginning; `set` are the parameters that the user set.
    pub fn fault_of_reply(
        &self,
        head: &ResponseHead,
        body: &str,
        broken: Option<Broken>,
        (model, set): (&str, &[&'static str]),
    ) -> Fault {
        let asked = Asked { set, ..self.asked(model, &[]) };
        let redactor = self.access.redactor();
        let clean = |text: &str| redactor.clean(text).into_owned();
        // Before anything of it is cut off.
        let body = &*redactor.clean(body);
        let head = Head {
            status: head.status,
            content_type: head.get("content-type").unwrap_or_default().to_ascii_lowercase(),
            retry_after: head.get("retry-after").map(clean),
            date: head.get("date").map(clean),
            rate_limit: self.rate_limit(head),
        };
        let fault = match broken {
            None | Some(Broken::Refused) => fault::from_reply(&head.reply(body), &asked),
            Some(Broken::Sent(error)) => fault::from_stream(&redactor.clean_json(error), &asked),
            Some(Broken::NotAnAnswer) => fault::not_an_answer(&head.reply(body), &asked),
            Some(Broken::Cut(details)) => fault::cut(&asked, &details),
            Some(Broken::Unreadable(event)) => fault::unreadable(&asked, &event),
            Some(Broken::GaveUp(word)) => fault::gave_up(&asked, &word),
        };
        self.redact(fault)
    }

    /// The `x-ratelimit-*` headers; one that echoes the key is left out.
    pub fn rate_limit(&self, head: &ResponseHead) -> Vec<(String, String)> {
        let limits = head.headers().filter(|(name, _)| name.starts_with("x-ratelimit-"));
        let clean = limits.filter(|(_, value)| !self.access.redactor().finds_in(value));
        clean.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// The proxy that the environment's variables name for an address, and its `Proxy-Authorization`.
fn proxy_for(url: &str) -> Option<(url::Url, Option<String>)> {
    let found = hyper_util::client::proxy::matcher::Matcher::from_env().intercept(&url.parse().ok()?)?;
    let authorization = found.basic_auth().and_then(|value| value.to_str().ok()).map(str::to_owned);
    Some((url::Url::parse(&found.uri().to_string()).ok()?, authorization))
}

fn tls(trust: &Trust, wanted: bool) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let odd = |details: String| {
        Failure::new("This machine has no certificate authorities to trust", no_authorities())
            .with_details(details)
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| odd(error.to_string()))?;
    if !wanted {
        // No certificate is looked at, so a machine without any must not fail here.
        return Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth());
    }
    if trust.accept_invalid_certs {
        let verifier = Arc::new(AcceptAny(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let Some(path) = &trust.ca_file else {
        let builder = builder.with_platform_verifier().map_err(|error| odd(error.to_string()))?;
        return Ok(builder.with_no_client_auth());
    };
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| no_certificate(path, error.to_string()))?;
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(certificates, provider)
        .map_err(|error| no_certificate(path, error.to_string()))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// For environments that say so: whoever sits between can read the key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

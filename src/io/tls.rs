//! TLS settings: trusted certificates and the client certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate, X509Version};

use super::files;
use crate::domain::failure::{Advice, Failure, FaultClass};

/// All authorities that a system trusts have about 0.25 MiB.
const MAX_CERTIFICATE_FILE_BYTES: u64 = 16 << 20;

/// Which server certificates are trusted, and the client certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// A PEM file of certificates to trust in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// Accept any server certificate.
    pub accept_invalid_certs: bool,
    /// For servers that require a client certificate.
    pub client: Option<ClientCertificate>,
}

/// The paths of a client certificate and its key. The key itself is not kept here, since it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// A PEM file with the certificate and its chain.
    pub certificate: PathBuf,
    /// A PEM file with the key; `None` if the certificate file contains it.
    pub key: Option<PathBuf>,
}

/// The TLS configuration for one API.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    /// The server has requested a client certificate, but there is none.
    pub(super) wants_client: Arc<AtomicBool>,
}

/// Builds the TLS configuration for one API. `wanted`: whether TLS will be used.
pub(super) fn open(trust: &Trust, wanted: bool) -> Result<Tls, Failure> {
    let wants_client = Arc::new(AtomicBool::new(false));
    let config = Arc::new(config(trust, wanted, &wants_client)?);
    Ok(Tls {
        config,
        wants_client,
    })
}

fn config(
    trust: &Trust,
    wanted: bool,
    wants_client: &Arc<AtomicBool>,
) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let odd = |details: String| {
        let advice = Advice::by_face(
            "Install the package ca-certificates, or set a CA certificate file in \
             Environments",
            "Install the package ca-certificates, or set a CA certificate file with --ca",
        );
        Failure::new(
            "This machine has no trusted certificate authorities",
            advice,
        )
        .with_details(details)
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| odd(error.to_string()))?;
    let builder = match &trust.ca_file {
        // Certificates are not verified, so a machine without authorities must not fail here.
        _ if !wanted => builder.with_root_certificates(rustls::RootCertStore::empty()),
        _ if trust.accept_invalid_certs => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAny(provider))),
        file => {
            let verifier = match file {
                Some(path) => Authorities::with_file(path, provider)?,
                None => Authorities::system(provider).map_err(|error| odd(error.to_string()))?,
            };
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let mut config = match &trust.client {
        Some(client) if wanted => {
            let (chain, key) = read_client(client)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                let shown = client.certificate.display();
                Failure::new(
                    format!("The client certificate {shown} is not usable: {error}"),
                    CLIENT_ADVICE,
                )
                .of_class(FaultClass::Tls)
            })?
        }
        _ => builder
            .with_client_cert_resolver(Arc::new(NoClientCertificate(Arc::clone(wants_client)))),
    };
    // A server that supports only HTTP/2 reports that in the handshake.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Notes that a server requested a client certificate: with TLS 1.2 the final error does not say so.
#[derive(Debug)]
struct NoClientCertificate(Arc<AtomicBool>);

impl ResolvesClientCert for NoClientCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        // Otherwise rustls would not call `resolve`.
        true
    }
}

const CLIENT_ADVICE: &str = "Both must be PEM files: the certificate with its chain, and the \
     unencrypted key";

fn read_client(
    client: &ClientCertificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Failure> {
    let unread = |what: &str, path: &Path, why: &str| {
        let summary = format!("The {what} {} is not usable: {why}", path.display());
        Failure::new(summary, CLIENT_ADVICE).of_class(FaultClass::Tls)
    };
    let (certificate, key) = (
        &client.certificate,
        client.key.as_ref().unwrap_or(&client.certificate),
    );
    let read = |what: &str, path: &Path| {
        files::read_now(path, MAX_CERTIFICATE_FILE_BYTES)
            .map_err(|error| unread(what, path, &error.why().to_string()))
    };
    let pem = read("client certificate", certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.unwrap_or_default();
    if chain.is_empty() {
        return Err(unread(
            "client certificate",
            certificate,
            "it contains no certificate",
        ));
    }
    let pem = read("client key", key)?;
    let encrypted = memchr::memmem::find(&pem, b"ENCRYPTED").is_some();
    let parsed = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        let why = if encrypted {
            "it is encrypted"
        } else {
            "it contains no key"
        };
        unread("client key", key, why)
    })?;
    Ok((chain, parsed))
}

/// Reads the certificates of a CA file.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let shown = path.display();
    let pem = files::read_now(path, MAX_CERTIFICATE_FILE_BYTES).map_err(|unread| {
        Failure::new(
            format!(
                "The CA certificate file {shown} could not be read: {}",
                unread.why()
            ),
            Advice::by_face(
                "Check its path in Environments",
                "Check the path in --ca, or that of the environment",
            ),
        )
    })?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| no_certificate(path, error.to_string()))?;
    let readable = |der: &CertificateDer<'_>| X509Certificate::from_der(der).is_ok();
    if certificates.is_empty() || !certificates.iter().all(readable) {
        return Err(no_certificate(path, String::new()));
    }
    Ok(certificates)
}

fn no_certificate(path: &Path, details: String) -> Failure {
    let summary = format!("{} contains no readable certificate", path.display());
    let advice =
        "It must be a PEM file: one or more blocks that start with -----BEGIN CERTIFICATE-----";
    Failure::new(summary, advice).with_details(details)
}

/// Trusts the system's authorities and those of a file, like curl with `--cacert`. A server may also present one of the
/// file's certificates itself, or an authority's certificate that is signed by one of them. `openssl req -x509` creates
/// such certificates, which rustls refuses as server certificates.
#[derive(Debug)]
struct Authorities {
    usual: rustls_platform_verifier::Verifier,
    /// Of the file.
    certificates: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Authorities {
    fn system(provider: Arc<CryptoProvider>) -> Result<Self, rustls::Error> {
        Ok(Self {
            usual: rustls_platform_verifier::Verifier::new(Arc::clone(&provider))?,
            certificates: Vec::new(),
            provider,
        })
    }

    fn with_file(path: &Path, provider: Arc<CryptoProvider>) -> Result<Self, Failure> {
        let certificates = read_certificates(path)?;
        // A certificate that rustls does not accept as an authority is only compared byte by byte.
        let is_authority = |der: &&CertificateDer<'static>| {
            rustls::RootCertStore::empty()
                .add(CertificateDer::clone(der))
                .is_ok()
        };
        let authorities: Vec<_> = certificates.iter().filter(is_authority).cloned().collect();
        let usual = rustls_platform_verifier::Verifier::new_with_extra_roots(
            authorities,
            Arc::clone(&provider),
        )
        .map_err(|error| no_certificate(path, error.to_string()))?;
        Ok(Self {
            usual,
            certificates,
            provider,
        })
    }

    /// Whether a certificate is in the file, or signed by one in the file.
    fn vouches_for(&self, der: &CertificateDer<'_>, shown: &X509Certificate<'_>) -> bool {
        self.certificates.iter().any(|own| {
            own.as_ref() == der.as_ref()
                || X509Certificate::from_der(own).is_ok_and(|(_, own)| {
                    own.subject() == shown.issuer()
                        && own.is_ca()
                        && own.validity().is_valid()
                        && shown.verify_signature(Some(own.public_key())).is_ok()
                })
        })
    }
}

impl ServerCertVerifier for Authorities {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let usual = match self
            .usual
            .verify_server_cert(shown, between, name, ocsp, now)
        {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        let Ok((_, read)) = X509Certificate::from_der(shown) else {
            return Err(usual);
        };
        let misnamed = || CertificateError::NotValidForNameContext {
            expected: name.to_owned(),
            presented: names_of(&read),
        };
        if !self.vouches_for(shown, &read) {
            return Err(match usual {
                rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                ) => misnamed().into(),
                other => other,
            });
        }
        let moment = |time: x509_parser::time::ASN1Time| {
            let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
            UnixTime::since_unix_epoch(Duration::from_secs(seconds))
        };
        let validity = read.validity();
        let (not_before, not_after) = (moment(validity.not_before), moment(validity.not_after));
        if now > not_after {
            let time = now;
            return Err(CertificateError::ExpiredContext { time, not_after }.into());
        }
        if now < not_before {
            let time = now;
            return Err(CertificateError::NotValidYetContext { time, not_before }.into());
        }
        if is_named(&read, name) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(misnamed().into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual
            .verify_tls12_signature(message, cert, signed)
            .map_err(|error| explained(error, cert))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let usual = self.usual.verify_tls13_signature(message, cert, signed);
        // rustls reads no certificates of version 1, which some devices make for themselves. Their keys it reads.
        usual
            .or_else(|error| match X509Certificate::from_der(cert) {
                Ok((_, read)) if read.version() == X509Version::V1 => {
                    rustls::crypto::verify_tls13_signature_with_raw_key(
                        message,
                        &SubjectPublicKeyInfoDer::from(read.public_key().raw),
                        signed,
                        &self.provider.signature_verification_algorithms,
                    )
                }
                _ => Err(error),
            })
            .map_err(|error| explained(error, cert))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// The algorithm of a certificate's key, where rustls cannot verify its signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct UnsupportedKey(pub(super) String);

/// The error of a signature that could not be verified, with the reason in the certificate's key if it lies there.
fn explained(error: rustls::Error, certificate: &CertificateDer<'_>) -> rustls::Error {
    use x509_parser::public_key::PublicKey;
    let Ok((_, read)) = X509Certificate::from_der(certificate) else {
        return error;
    };
    let what = match read.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < 2_048 => {
            format!("an RSA key of {} bits", key.key_size())
        }
        _ if read.version() == X509Version::V1 => {
            "version 1 of the certificate format, with TLS 1.2".to_owned()
        }
        _ => return error,
    };
    let other = OtherError(Arc::new(UnsupportedKey(what)));
    CertificateError::Other(other).into()
}

/// The names and addresses that a certificate is valid for.
fn names_of(certificate: &X509Certificate<'_>) -> Vec<String> {
    use x509_parser::extensions::GeneralName;
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|it| &it.value.general_names);
    let names: Vec<String> = names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
                let ip = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from));
                Some(ip.ok()?.to_string())
            }
            _ => None,
        })
        .collect();
    if names.is_empty() {
        let common = certificate.subject().iter_common_name();
        return common
            .filter_map(|name| name.as_str().ok().map(str::to_owned))
            .collect();
    }
    names
}

/// Whether a certificate is valid for this name: by its alternative names or, without any, by its common name, as in
/// curl.
fn is_named(certificate: &X509Certificate<'_>, name: &ServerName<'_>) -> bool {
    use x509_parser::extensions::GeneralName;
    let wanted = name.to_str().to_ascii_lowercase();
    let ip = match name {
        ServerName::IpAddress(ip) => Some(std::net::IpAddr::from(*ip)),
        _ => None,
    };
    let matches = |pattern: &str| {
        let pattern = pattern.trim_end_matches('.').to_ascii_lowercase();
        let wanted = wanted.trim_end_matches('.');
        let wild = pattern
            .strip_prefix("*.")
            .filter(|rest| rest.contains('.') && ip.is_none());
        let behind = wanted.split_once('.').map(|(_, rest)| rest);
        pattern == wanted || wild.is_some() && wild == behind
    };
    let names = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|names| &names.value.general_names);
    let is_name = |name: &&GeneralName<'_>| {
        matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_))
    };
    match names.filter(|names| names.iter().any(|name| is_name(&name))) {
        Some(names) => names.iter().any(|name| match (name, ip) {
            (GeneralName::DNSName(pattern), None) => matches(pattern),
            (GeneralName::IPAddress(bytes), Some(std::net::IpAddr::V4(ip))) => {
                *bytes == ip.octets()
            }
            (GeneralName::IPAddress(bytes), Some(std::net::IpAddr::V6(ip))) => {
                *bytes == ip.octets()
            }
            _ => false,
        }),
        None => certificate
            .subject()
            .iter_common_name()
            .any(|name| name.as_str().is_ok_and(matches)),
    }
}

/// Accepts any certificate, for environments with that setting. Anyone on the network path can read the key.
///
/// Nor does it verify that the server has the certificate's key: who may show any certificate has the key of one. So
/// keys work that rustls cannot verify with, e.g. RSA of 1024 bits.
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.0.signature_verification_algorithms.supported_schemes();
        schemes.extend([
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED448,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]);
        schemes
    }
}

#[cfg(test)]
mod tests;

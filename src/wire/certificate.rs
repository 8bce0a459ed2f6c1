//! The issuer and the expiry date of an X.509 certificate.

use std::time::Duration;

use jiff::Timestamp;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The parts of a certificate that Batida shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The issuer's common name, else its organisation, else its whole name.
    pub issuer: String,
    /// The end of its validity.
    pub expires: Timestamp,
}

impl Certificate {
    /// Parses DER. `None` if it is not a certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, read) = X509Certificate::from_der(der).ok()?;
        let issuer = read.issuer();
        let name = issuer
            .iter_common_name()
            .chain(issuer.iter_organization())
            .find_map(|it| it.as_str().ok());
        let expires = Timestamp::from_second(read.validity().not_after.timestamp()).ok()?;
        Some(Self {
            issuer: name.map_or_else(|| issuer.to_string(), str::to_owned),
            expires,
        })
    }

    /// The time until it expires; `None` once it has.
    pub fn left(&self, now: Timestamp) -> Option<Duration> {
        Duration::try_from(self.expires.duration_since(now)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_and_expiry_are_read() {
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.distinguished_name = rcgen::DistinguishedName::new();
        authority
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Internal CA");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = rcgen::Issuer::new(authority, rcgen::KeyPair::generate().unwrap());
        let mut params = rcgen::CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2027, 3, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let read = Certificate::read(params.signed_by(&key, &issuer).unwrap().der()).unwrap();
        assert_eq!(read.issuer, "Internal CA");
        assert_eq!(read.expires.to_string(), "2027-03-01T00:00:00Z");
        let at = |text: &str| read.left(text.parse().unwrap());
        assert_eq!(at("2027-02-28T23:00:00Z"), Some(Duration::from_secs(3_600)));
        assert_eq!(at("2027-03-02T00:00:00Z"), None);
        assert_eq!(Certificate::read(b"no certificate"), None);
    }
}

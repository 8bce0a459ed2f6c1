//! What is trusted, and what is not.

use super::*;

#[test]
fn a_key_that_cannot_be_verified_with_is_named() {
    let told = |pem: &str| {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        explained(CertificateError::BadSignature.into(), &certificate).to_string()
    };
    let weak = told(include_str!("../../../tests/fixtures/tls/weak.pem"));
    assert!(weak.contains("an RSA key of 1024 bits"), "{weak}");
    let sound = told(include_str!("../../../tests/fixtures/tls/self-signed.pem"));
    assert_eq!(
        sound,
        rustls::Error::from(CertificateError::BadSignature).to_string()
    );
}

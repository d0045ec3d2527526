//! Signing requests: the proof that a sensor holds a private key, and its public key. Nothing else is read.

use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};
use x509_parser::{
    certification_request::X509CertificationRequest,
    oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY},
    prelude::FromDer,
};

/// An uncompressed point on P-256.
const POINT_BYTES: usize = 65;
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// Why a signing request is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("the signing request has {0} bytes, at most {REQUEST_BYTES_MAX} are allowed")]
    TooLong(usize),
    #[error("the signing request is not a PKCS #10 request in DER")]
    Malformed,
    #[error("the signing request's key is not an ECDSA key on P-256")]
    Key,
    #[error("the signing request is not signed by the key in it")]
    Signature,
}

/// A sensor's public key, of which it proved to have the private part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SensorKey(Vec<u8>);

impl SensorKey {
    /// Takes the key from a signing request (DER) after checking the request's signature.
    pub(crate) fn from_request(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLong(der.len()));
        }
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_unreadable| RequestError::Malformed)?;
        if !rest.is_empty() {
            return Err(RequestError::Malformed);
        }
        let key = &request.certification_request_info.subject_pki;
        let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        let point = key.subject_public_key.data.as_ref();
        let known = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == Some(OID_EC_P256);
        if !known || point.len() != POINT_BYTES {
            return Err(RequestError::Key);
        }
        request.verify_signature().map_err(|_unreadable| RequestError::Signature)?;
        Ok(Self(point.to_vec()))
    }
}

impl PublicKeyData for SensorKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

//! TLS for the listeners of sensors: 1.3 only, and no resumption. A resumed connection would skip the client certificate, so that a
//! revoked sensor could come back by a ticket.

use std::sync::Arc;

use rustls::{
    ConfigBuilder, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
    WantsVerifier,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, UnixTime},
    server::{
        NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};

use super::{Authority, ServerIdentity};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("cannot set up TLS")]
    Config(#[from] rustls::Error),
    #[error("cannot set up the check of client certificates")]
    Verifier(#[from] VerifierBuilderError),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn builder() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, rustls::Error> {
    ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])
}

fn finish(mut config: ServerConfig) -> Arc<ServerConfig> {
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// For ingest, with the check that decides about client certificates.
///
/// The handshake asks for a certificate and demands the proof that the peer holds its key, but lets every certificate pass, and none;
/// the listener applies the check right after. Refusing in the handshake would be no stronger, since enrolment speaks HTTP/2 with
/// strangers anyway, and mute: a tonic client reports an alert as "connection closed" (tried), while a gRPC status reaches the sensor's
/// log word for word.
pub(crate) fn ingest_tls(
    authority: &Authority,
    identity: ServerIdentity,
) -> Result<(Arc<ServerConfig>, Arc<dyn ClientCertVerifier>), TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    let check = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build()?;
    let later = Arc::new(CheckedLater(Arc::clone(&check)));
    let config = builder()?.with_client_cert_verifier(later).with_single_cert(identity.chain, identity.key)?;
    Ok((finish(config), check))
}

/// Checks the proof of the key and leaves the certificate to the listener.
#[derive(Debug)]
struct CheckedLater(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for CheckedLater {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// For enrolment: the peer has no certificate yet.
pub(crate) fn enrolment_tls(identity: ServerIdentity) -> Result<Arc<ServerConfig>, TlsError> {
    Ok(finish(builder()?.with_no_client_auth().with_single_cert(identity.chain, identity.key)?))
}

//! Joining: a token in, an identity out.

use bongsu_event::SensorId;
use bongsu_proto::{
    join_token::JoinToken,
    limits,
    v1::{EnrolRequest, EnrolResponse, enrolment_client::EnrolmentClient},
};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use sha2::{Digest as _, Sha256};

use super::{Identity, tls};
use crate::uplink::connect::{ConnectError, connect};

/// Why the sensor could not join.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrolError {
    /// No key could be made.
    #[error("cannot make a key and a signing request")]
    Key(#[from] rcgen::Error),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// Nobody answered as the token says.
    #[error("cannot reach the correlator at {address}")]
    Connect {
        /// Where.
        address: String,
        /// Why not.
        #[source]
        source: ConnectError,
    },
    /// The correlator says no.
    #[error("the correlator at {address} refuses: {message}")]
    Refused {
        /// Where.
        address: String,
        /// Its words.
        message: String,
    },
    /// The correlator's answer does not fit the token or our key.
    #[error("the answer of {address} makes no sense: {what}")]
    Answer {
        /// Where.
        address: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The token names no address and none was given.
    #[error("there is no address to join at")]
    NoAddress,
}

/// Spends the token at the first of its addresses that answers.
pub(crate) async fn enrol(token: &JoinToken, host_name: Vec<u8>) -> Result<Identity, EnrolError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let signing_request = CertificateParams::default().serialize_request(&key)?;
    let request =
        EnrolRequest { secret: token.secret.to_vec(), signing_request: signing_request.der().to_vec(), host_name };
    let config = tls::enrolment(token.authority_sha256)?;
    let mut failure = EnrolError::NoAddress;
    for address in &token.addresses {
        let channel = match connect(address, config.clone()).await {
            Ok((channel, _)) => channel,
            Err(source) => {
                failure = EnrolError::Connect { address: address.clone(), source };
                continue;
            }
        };
        let mut client = EnrolmentClient::new(channel).max_decoding_message_size(limits::ENROLMENT_BYTES_MAX);
        // A refusal is final: the secret was shown, and another address is the same correlator.
        let answer = client.enrol(request).await.map_err(|status| EnrolError::Refused {
            address: address.clone(),
            message: format!("{} ({:?})", status.message(), status.code()),
        })?;
        let nonsense = |what| EnrolError::Answer { address: address.clone(), what };
        return identity(token, address, &key, &answer.into_inner()).map_err(nonsense);
    }
    Err(failure)
}

fn identity(
    token: &JoinToken,
    answered: &str,
    key: &KeyPair,
    answer: &EnrolResponse,
) -> Result<Identity, &'static str> {
    if Sha256::digest(&answer.authority)[..] != token.authority_sha256 {
        return Err("it names another authority than the token");
    }
    let sensor_id: SensorId = answer.sensor_id.parse().ok().ok_or("its sensor id is none")?;
    let port = u16::try_from(answer.ingest_port).ok().filter(|port| *port > 0).ok_or("its ingest port is none")?;
    check_certificate(&answer.certificate, key)?;
    // The address that answered comes first.
    let mut addresses = vec![ingest_address(answered, port)];
    for address in token.addresses.iter().map(|address| ingest_address(address, port)) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let certificate = |der: &[u8]| pem::encode(&pem::Pem::new("CERTIFICATE", der));
    Ok(Identity {
        sensor_id,
        addresses,
        certificate: certificate(&answer.certificate),
        key: key.serialize_pem(),
        authority: certificate(&answer.authority),
    })
}

fn ingest_address(enrolment: &str, port: u16) -> String {
    let host = enrolment.rsplit_once(':').map_or(enrolment, |(host, _)| host);
    format!("{host}:{port}")
}

fn check_certificate(der: &[u8], key: &KeyPair) -> Result<(), &'static str> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok().ok_or("its certificate is none")?;
    match certificate.public_key().subject_public_key.data == key.public_key_raw() {
        true => Ok(()),
        false => Err("its certificate is for another key"),
    }
}

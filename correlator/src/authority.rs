//! The authority: the certificate authority of this installation, made at first start, and what it signs.
//!
//! Owns `ca.key` (0600) and `ca.crt` in the state directory. Signs two things only: a certificate for our own listeners, made anew at
//! each start with a key that never touches the disk, and client certificates for sensors, written from scratch. Of a signing request
//! nothing but the public key is taken, after its signature proved that the sender holds the private one: whatever else it asks for
//! (CA:TRUE, other names, the year 4096) is not even read.
//!
//! There are no name constraints. Nobody trusts this authority but our own sensors, which pin it at enrolment, and the names we are
//! reached under change with the configuration; a sensor's name is checked against the pinned key in the store instead.

mod request;
mod tls;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bongsu_event::{SensorId, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};

use crate::state_dir::{WriteFileError, write_file};

pub(crate) use request::{RequestError, SensorKey};
pub(crate) use tls::{TlsError, enrolment_tls, ingest_tls};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const AUTHORITY_VALID: Duration = DAY.saturating_mul(3_650);
const SERVER_VALID: Duration = DAY.saturating_mul(730);
const SENSOR_VALID: Duration = DAY.saturating_mul(365);
/// Clocks differ; a certificate is valid a little before it was made.
const BACKDATED: Duration = Duration::from_secs(60 * 60);

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Write(#[from] WriteFileError),
    #[error("{path} is no key of ours")]
    Key { path: PathBuf, source: rcgen::Error },
    #[error("{path} is no certificate")]
    Certificate { path: PathBuf, source: pem::PemError },
    #[error("cannot sign {what}")]
    Sign { what: &'static str, source: rcgen::Error },
}

/// The certificate authority.
pub(crate) struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate for our listeners, with its key.
pub(crate) struct ServerIdentity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Reads the authority from the state directory; makes it when it is not there.
    pub(crate) fn open(state_dir: &Path, now: Timestamp) -> Result<Self, AuthorityError> {
        let (key_path, certificate_path) = (state_dir.join("ca.key"), state_dir.join("ca.crt"));
        let key = match read(&key_path)? {
            Some(text) => {
                KeyPair::from_pem(&text).map_err(|source| AuthorityError::Key { path: key_path.clone(), source })?
            }
            None => {
                let key = KeyPair::generate().map_err(|source| AuthorityError::Sign { what: "a key", source })?;
                write_file(&key_path, key.serialize_pem().as_bytes(), 0o600)?;
                key
            }
        };
        let params = authority_params(&key, now);
        // A start that died between the two files left a key whose certificate nobody has seen.
        let certificate = match read(&certificate_path)? {
            Some(text) => pem::parse(text)
                .map(|pem| CertificateDer::from(pem.into_contents()))
                .map_err(|source| AuthorityError::Certificate { path: certificate_path, source })?,
            None => {
                let what = "its own certificate";
                let made = params.self_signed(&key).map_err(|source| AuthorityError::Sign { what, source })?;
                write_file(&certificate_path, made.pem().as_bytes(), 0o644)?;
                made.into()
            }
        };
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// Its certificate.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of its certificate: what a join token pins.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// A certificate for our listeners under those names, with a new key.
    pub(crate) fn server(&self, names: &[String], now: Timestamp) -> Result<ServerIdentity, AuthorityError> {
        let sign = |source| AuthorityError::Sign { what: "the certificate of the listeners", source };
        let key = KeyPair::generate().map_err(sign)?;
        let mut params = CertificateParams::new(names).map_err(sign)?;
        params.distinguished_name = common_name("Bongsu correlator");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        bound(&mut params, now, SERVER_VALID);
        let certificate = params.signed_by(&key, &self.issuer).map_err(sign)?;
        Ok(ServerIdentity {
            // The authority is shown as well: a sensor that joins knows it by its hash only.
            chain: vec![certificate.into(), self.certificate.clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }

    /// A sensor's certificate: says who it is and lets it do nothing but connect.
    pub(crate) fn sensor(
        &self,
        id: SensorId,
        key: &SensorKey,
        now: Timestamp,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let sign = |source| AuthorityError::Sign { what: "a sensor's certificate", source };
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&id.to_string());
        params.subject_alt_names = vec![SanType::URI(id.0.urn().to_string().try_into().map_err(sign)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        bound(&mut params, now, SENSOR_VALID);
        Ok(params.signed_by(key, &self.issuer).map_err(sign)?.into())
    }
}

impl SensorKey {
    /// The key as certificates carry it: what the store pins.
    pub(crate) fn pinned(&self) -> Vec<u8> {
        self.subject_public_key_info()
    }
}

/// What leaf certificates have in common.
fn bound(params: &mut CertificateParams, now: Timestamp, valid: Duration) {
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    set_validity(params, now, valid);
}

/// Its name comes from its key, so that another installation's certificate is told apart by its issuer and not by a bad signature.
fn authority_params(key: &KeyPair, now: Timestamp) -> CertificateParams {
    let digest = Sha256::digest(key.subject_public_key_info());
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&format!("Bongsu authority {short}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now, AUTHORITY_VALID);
    params
}

fn set_validity(params: &mut CertificateParams, now: Timestamp, valid: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = now.since(Timestamp(0));
    params.not_before = epoch + since.saturating_sub(BACKDATED);
    params.not_after = epoch + since + valid;
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn read(path: &Path) -> Result<Option<String>, AuthorityError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AuthorityError::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests;

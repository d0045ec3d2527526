use std::os::unix::fs::PermissionsExt as _;

use uuid::Uuid;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer as _, X509Certificate},
    public_key::PublicKey,
};

use super::*;

/// 2026-11-22T09:11:12Z.
const NOW: Timestamp = Timestamp(1_795_338_672_000_000_000);

fn parse(der: &[u8]) -> X509Certificate<'_> {
    let (rest, certificate) = X509Certificate::from_der(der).unwrap();
    assert!(rest.is_empty());
    certificate
}

fn request(params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
    params.serialize_request(key).unwrap().der().to_vec()
}

#[test]
fn the_authority_is_made_once_and_its_key_is_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let first = Authority::open(dir.path(), NOW).unwrap();
    let second = Authority::open(dir.path(), NOW.saturating_add(DAY)).unwrap();
    assert_eq!(first.certificate(), second.certificate());
    assert_eq!(first.fingerprint(), second.fingerprint());
    let mode = fs::metadata(dir.path().join("ca.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let certificate = parse(first.certificate());
    assert!(certificate.is_ca());
    assert_eq!(certificate.basic_constraints().unwrap().unwrap().value.path_len_constraint, Some(0));
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
    certificate.verify_signature(None).unwrap();
    // Signed by the key that was read back, under the certificate that was read back.
    let server = second.server(&["localhost".to_owned()], NOW).unwrap();
    parse(&server.chain[0]).verify_signature(Some(certificate.public_key())).unwrap();
}

#[test]
fn of_a_signing_request_only_the_key_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path(), NOW).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut greedy = CertificateParams::new(["correlator.example".to_owned()]).unwrap();
    greedy.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    greedy.distinguished_name = common_name("root");
    greedy.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let taken = SensorKey::from_request(&request(&greedy, &key)).unwrap();
    assert_eq!(taken.pinned(), key.subject_public_key_info());

    let id = SensorId(Uuid::from_u128(7));
    let der = authority.sensor(id, &taken, NOW).unwrap();
    let certificate = parse(&der);
    assert!(!certificate.is_ca());
    assert_eq!(certificate.subject().to_string(), format!("CN={id}"));
    let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(*names, [GeneralName::URI(&format!("urn:uuid:{id}"))]);
    let extended = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && !extended.server_auth && !extended.any);
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign());
    let seconds = NOW.0 / 1_000_000_000;
    let validity = certificate.validity();
    assert_eq!(validity.not_before.timestamp(), seconds - 3_600);
    assert_eq!(validity.not_after.timestamp(), seconds + 365 * 86_400);
    assert!(matches!(certificate.public_key().parsed().unwrap(), PublicKey::EC(_)));
    assert_eq!(certificate.public_key().raw, taken.pinned());
    certificate.verify_signature(Some(parse(authority.certificate()).public_key())).unwrap();
}

#[test]
fn requests_that_prove_nothing_are_refused() {
    let key = KeyPair::generate().unwrap();
    let good = request(&CertificateParams::default(), &key);
    let mut forged = good.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert!(matches!(SensorKey::from_request(&forged), Err(RequestError::Signature)));
    let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let other = request(&CertificateParams::default(), &other);
    assert!(matches!(SensorKey::from_request(&other), Err(RequestError::Key)));
    assert!(matches!(SensorKey::from_request(&vec![0; 9_000]), Err(RequestError::TooLong(9_000))));
    for cut in 0..good.len() {
        assert!(matches!(SensorKey::from_request(&good[..cut]), Err(RequestError::Malformed)), "cut at {cut}");
    }
    let trailing = [good.as_slice(), b"x"].concat();
    assert!(matches!(SensorKey::from_request(&trailing), Err(RequestError::Malformed)));
}

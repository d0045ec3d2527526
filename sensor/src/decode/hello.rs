//! The name in a TLS ClientHello (RFC 8446, RFC 6066). Total over any bytes; what is cut has no name.

use bstr::BString;

const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;

/// The server's name that the client asks for; `None` when it asks for none, or the name lies behind the end.
pub(super) fn server_name(record: &[u8]) -> Option<BString> {
    let mut bytes = Bytes(record);
    // Record: type, version, length. Handshake: type, length. Hello: version, random.
    if bytes.take(5)?[0] != 0x16 || bytes.take(4)?[0] != CLIENT_HELLO {
        return None;
    }
    bytes.take(2 + 32)?;
    let session = usize::from(bytes.byte()?);
    bytes.take(session)?;
    let suites = bytes.number()?;
    bytes.take(suites.into())?;
    let compressions = usize::from(bytes.byte()?);
    bytes.take(compressions)?;
    let _extensions = bytes.number()?;
    loop {
        let (kind, len) = (bytes.number()?, bytes.number()?);
        let mut content = Bytes(bytes.take(len.into())?);
        if kind == SERVER_NAME {
            let _list = content.number()?;
            let (kind, len) = (content.byte()?, content.number()?);
            return if kind == HOST_NAME && len > 0 { content.take(len.into()).map(BString::from) } else { None };
        }
    }
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2).map(|taken| u16::from_be_bytes([taken[0], taken[1]]))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    /// What a real client says first.
    pub(crate) fn client_hello(name: &str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let mut client = ClientConnection::new(Arc::new(config), name.to_owned().try_into().unwrap()).unwrap();
        let mut said = Vec::new();
        client.write_tls(&mut said).unwrap();
        said
    }

    #[test]
    fn the_name_that_a_real_client_asks_for_is_found() {
        assert_eq!(server_name(&client_hello("beacon.example.org")).unwrap(), "beacon.example.org");
        assert_eq!(server_name(&client_hello("192.0.2.7")), None, "a client asks by name only for names");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8), cut in any::<prop::sample::Index>()) {
            let mut bytes = client_hello("beacon.example.org");
            for (at, byte) in noise {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _name = server_name(&bytes[..cut.index(bytes.len())]);
        }
    }
}

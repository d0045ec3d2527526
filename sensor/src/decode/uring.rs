//! Records of what programs leave to an io_uring.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use bongsu_event::{IoUring, IoUringOperation};
use bongsu_sensor_abi as abi;

use super::{
    DecodeError, head,
    path::{self, Text},
};

pub(super) fn ring(bytes: &[u8]) -> Result<IoUring, DecodeError> {
    let record: abi::IoUring = head(bytes)?;
    let operation = u8::try_from(record.operation).map_err(|_large| DecodeError::Operation(record.operation))?;
    let mut text = Text::behind::<abi::IoUring>(bytes);
    let cut = record.header.flags & abi::IoUring::PATH_CUT != 0;
    let path = path::located(&mut text, record.path, cut)?;
    let has_path = record.path.walk_len != 0 || record.path.name_len != 0;
    Ok(IoUring {
        operation: IoUringOperation(operation),
        path: has_path.then_some(path),
        remote: internet(&record.address),
    })
}

/// The address in a `struct sockaddr_in` or `sockaddr_in6`; `None` for any other.
fn internet(address: &[u8; abi::IoUring::ADDRESS_LEN]) -> Option<SocketAddr> {
    let [f0, f1, p0, p1, a, b, c, d, ..] = *address;
    let port = u16::from_be_bytes([p0, p1]);
    let ip = match i32::from(u16::from_ne_bytes([f0, f1])) {
        libc::AF_INET => Ipv4Addr::new(a, b, c, d).into(),
        libc::AF_INET6 => Ipv6Addr::from(<[u8; 16]>::try_from(address.get(8..24)?).ok()?).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::{Header, PathText, Record as _};

    fn decoded(operation: u32, lens: (u16, u16), address: &[u8], text: &[u8]) -> Result<IoUring, DecodeError> {
        let mut record = abi::IoUring { header: Header::default(), operation, ..abi::IoUring::default() };
        record.path = PathText { walk_len: lens.0, name_len: lens.1 };
        record.address[..address.len()].copy_from_slice(address);
        ring(&[record.as_bytes(), text].concat())
    }

    #[test]
    fn a_path_is_seen_from_its_directory_and_no_text_is_no_path() {
        let with = |lens, text| decoded(36, lens, &[], text).unwrap().path;
        assert_eq!(with((4, 2), b"b\0a\0c\0"), Some("/a/b/c".into()));
        assert_eq!(with((0, 3), b"/c\0"), Some("/c".into()));
        assert_eq!(with((4, 0), b"b\0a\0"), Some("/a/b".into()));
        assert_eq!(with((0, 0), b""), None);
        assert_eq!(decoded(36, (4, 2), &[], b"b\0"), Err(DecodeError::Text));
    }

    #[test]
    fn addresses_are_those_of_the_internet_or_none() {
        let mut mapped = vec![10, 0, 0, 80, 0, 0, 0, 0];
        mapped.extend(Ipv4Addr::new(10, 1, 2, 3).to_ipv6_mapped().octets());
        let remote = |address: &[u8]| decoded(16, (0, 0), address, b"").unwrap().remote.map(|it| it.to_string());
        assert_eq!(remote(&[2, 0, 1, 187, 192, 0, 2, 7]), Some("192.0.2.7:443".to_owned()));
        assert_eq!(remote(&mapped), Some("10.1.2.3:80".to_owned()));
        // A socket of this host's file system, and none at all.
        assert_eq!(remote(b"\x01\0/run/docker.sock"), None);
        assert_eq!(remote(&[]), None);
    }

    #[test]
    fn an_operation_that_is_no_byte_is_refused() {
        assert_eq!(decoded(256, (0, 0), &[], b""), Err(DecodeError::Operation(256)));
    }
}

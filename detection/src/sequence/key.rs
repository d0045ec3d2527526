//! Group keys: the values of the key fields as bytes that no two different groups share.

use std::{net::IpAddr, sync::Arc};

use bongsu_event::{
    StoredEvent,
    catalogue::{FieldId, Value},
};

use super::Scope;

/// The key of the group that `event` falls into; `None` when it has no value in one of the fields.
///
/// Each value is its type, its length and its bytes, so that neither types nor borders between values can be confused.
pub(super) fn encode(scope: Scope, fields: &[FieldId], event: &StoredEvent) -> Option<Arc<[u8]>> {
    let mut key = Vec::with_capacity(64);
    match scope {
        Scope::Host => put(&mut key, b'h', event.id.sensor.0.as_bytes()),
        Scope::Fleet => {}
    }
    for field in fields {
        match field.read(event) {
            Value::Absent => return None,
            Value::Text(text) => put(&mut key, b't', &text),
            Value::Number(number) => put(&mut key, b'n', &number.to_be_bytes()),
            Value::Flag(flag) => put(&mut key, b'f', &[u8::from(flag)]),
            Value::Address(address) => match address.to_canonical() {
                IpAddr::V4(address) => put(&mut key, b'a', &address.octets()),
                IpAddr::V6(address) => put(&mut key, b'a', &address.octets()),
            },
        }
    }
    Some(key.into())
}

fn put(key: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    key.push(kind);
    key.extend((bytes.len() as u64).to_be_bytes());
    key.extend(bytes);
}

/// The values of a key in order, as a person reads them. The host of [`Scope::Host`] is left out.
pub(super) fn values(mut key: &[u8]) -> Vec<String> {
    let mut values = Vec::new();
    while let Some((&kind, rest)) = key.split_first() {
        let Some((length, rest)) = rest.split_first_chunk() else { break };
        let length = usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((bytes, rest)) = rest.split_at_checked(length) else { break };
        values.extend(shown(kind, bytes));
        key = rest;
    }
    values
}

fn shown(kind: u8, bytes: &[u8]) -> Option<String> {
    match kind {
        b't' => Some(crate::entity::shown(bytes)),
        b'n' => bytes.try_into().ok().map(|bytes| i64::from_be_bytes(bytes).to_string()),
        b'f' => Some(if bytes == [0] { "no" } else { "yes" }.to_owned()),
        b'a' => match <[u8; 4]>::try_from(bytes) {
            Ok(bytes) => Some(IpAddr::from(bytes).to_string()),
            Err(_) => <[u8; 16]>::try_from(bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    }
}

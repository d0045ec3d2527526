//! Capabilities and namespaces.

use bongsu_event::{Capabilities, NamespaceChange, NamespaceKinds, NamespaceWay};

use super::{DecodeError, invalid};
use crate::v1::{self, namespace_change::Way};

pub(super) fn encode(capabilities: Capabilities) -> v1::Capabilities {
    let Capabilities { effective, permitted, inheritable } = capabilities;
    v1::Capabilities { effective, permitted, inheritable }
}

pub(super) fn decode(wire: Option<v1::Capabilities>, field: &'static str) -> Result<Capabilities, DecodeError> {
    let v1::Capabilities { effective, permitted, inheritable } = wire.ok_or(DecodeError::Missing { field })?;
    Ok(Capabilities { effective, permitted, inheritable })
}

pub(super) fn encode_change(change: NamespaceChange) -> v1::NamespaceChange {
    let way = match change.way {
        NamespaceWay::Unshare => Way::Unshare,
        NamespaceWay::Join => Way::Join,
    };
    v1::NamespaceChange { way: way.into(), kinds: change.kinds.0 }
}

pub(super) fn decode_change(change: &v1::NamespaceChange) -> Result<NamespaceChange, DecodeError> {
    let way = match change.way() {
        Way::Unshare => NamespaceWay::Unshare,
        Way::Join => NamespaceWay::Join,
        Way::Unspecified => return Err(invalid("namespace_change.way", change.way)),
    };
    Ok(NamespaceChange { way, kinds: NamespaceKinds(change.kinds) })
}

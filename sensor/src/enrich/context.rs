//! Where a process stands, by its record.

use bongsu_event::{Context, Namespaces};
use bongsu_sensor_abi::Place;
use bstr::BString;

use super::container;

/// What the record says, and the pod by its cgroup.
pub(super) fn of(place: &Place, cgroup: &[u8]) -> Context {
    let namespaces = Namespaces { mount: place.mount, pid: place.pid, net: place.net, user: place.user };
    Context {
        session: (place.session != 0).then_some(place.session),
        terminal: terminal(&place.terminal),
        capabilities: Some(place.capabilities),
        namespaces: (namespaces != Namespaces::default()).then_some(namespaces),
        pod: container::pod(cgroup),
        container_names: None,
    }
}

/// As people name it. The driver of the pseudo-terminals calls `pts0` what lies under /dev as `pts/0`; for others the two are the same.
fn terminal(name: &[u8; 16]) -> Option<BString> {
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    match name.strip_prefix(b"pts") {
        _ if name.is_empty() => None,
        Some(number) if number.first().is_some_and(u8::is_ascii_digit) => Some([b"pts/", number].concat().into()),
        _ => Some(name.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_named_as_under_dev() {
        for (driver, people) in [("", None), ("pts12", Some("pts/12")), ("tty1", Some("tty1")), ("ptsx", Some("ptsx"))]
        {
            let mut name = [0; 16];
            name[..driver.len()].copy_from_slice(driver.as_bytes());
            assert_eq!(terminal(&name), people.map(BString::from));
        }
    }

    #[test]
    fn what_the_kernel_did_not_say_is_absent() {
        let none = of(&Place::default(), b"/");
        assert_eq!(none, Context { capabilities: Some(0), ..Context::default() });
    }
}

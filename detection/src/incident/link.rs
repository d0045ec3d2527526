//! How strongly two findings belong together.
//!
//! The answer depends on the two and on nothing else, neither on what came before nor on what else is known, so that the order
//! in which findings arrive cannot decide what belongs together. For that reason how common an entity is is not counted: it is read off the
//! entity. A process that is much older than what it started is one from which everything on the host descends.

use std::{cmp::Ordering, net::IpAddr, time::Duration};

use bstr::{BString, ByteSlice};

use super::profile::{Above, Profile};
use crate::Detector;

/// From here on two findings belong together. Weights are in hundredths of that.
pub(super) const ENOUGH: u32 = 100;

/// Two findings by one account are one matter when they are no further apart.
const USER_NEAR: Duration = Duration::from_mins(15);

/// Where a file is nobody's but its maker's.
const OWN_PLACES: [&[u8]; 5] = [b"/tmp/", b"/var/tmp/", b"/dev/shm/", b"/home/", b"/root/"];

/// The weight of everything that the two share.
pub(super) fn weight(a: &Profile, b: &Profile, idle: Duration) -> u32 {
    let gap = if a.first <= b.first { b.first.since(a.last) } else { a.first.since(b.last) };
    if gap > idle {
        return 0;
    }
    if shared(&a.events, &b.events, Ord::cmp).next().is_some() {
        return ENOUGH;
    }
    let evidence = shared(&a.evidence, &b.evidence, Ord::cmp).next().map_or(0, |_| ENOUGH);
    if a.sensor != b.sensor {
        return evidence + addresses(a, b, 100, 40);
    }
    evidence + addresses(a, b, 100, 70) + processes(a, b) + users(a, b, gap) + files(a, b) + rules(a, b)
}

fn processes(a: &Profile, b: &Profile) -> u32 {
    let acts = shared(&a.processes, &b.processes, Ord::cmp).next().is_some();
    let is_above = |a: &Profile, b: &Profile| a.above.iter().any(|above| b.processes.binary_search(&above.key).is_ok());
    if acts || is_above(a, b) || is_above(b, a) {
        return ENOUGH;
    }
    let both = shared(&a.above, &b.above, |a, b| a.key.cmp(&b.key));
    both.map(|(a, b)| common_ancestor(a).min(common_ancestor(b))).max().unwrap_or(0)
}

/// What it says that a finding's process descends from this one: less the older it is and the further up.
fn common_ancestor(above: &Above) -> u32 {
    let by_age = match above.age {
        0..=600 => 110,
        601..=3600 => 80,
        3601..=86_400 => 40,
        _ => 15,
    };
    by_age * 10 / (10 + u32::try_from(above.depth.min(20)).unwrap_or(20))
}

fn users(a: &Profile, b: &Profile, gap: Duration) -> u32 {
    let weigh = |user: &BString| match user.as_bytes() {
        // Everything important is done by root; less than that it says only when somebody else is named as well.
        b"root" if a.names_a_person() || b.names_a_person() => 10,
        b"root" => 30,
        _ if gap <= USER_NEAR => 100,
        _ => 50,
    };
    shared(&a.users, &b.users, Ord::cmp).map(|(user, _)| weigh(user)).max().unwrap_or(0)
}

fn addresses(a: &Profile, b: &Profile, public: u32, private: u32) -> u32 {
    let weigh = |address: &IpAddr| match reach(address) {
        Reach::Host => 0,
        // Gateways, proxies and monitors meet everybody.
        Reach::Site => private,
        Reach::World => public,
    };
    shared(&a.addresses, &b.addresses, Ord::cmp).map(|(address, _)| weigh(address)).max().unwrap_or(0)
}

fn files(a: &Profile, b: &Profile) -> u32 {
    let own = |file: &BString| OWN_PLACES.iter().any(|place| file.starts_with(place)) || file.starts_with(b"/memfd:");
    let weigh = |file: &BString| if own(file) { 80 } else { 10 };
    shared(&a.files, &b.files, Ord::cmp).map(|(file, _)| weigh(file)).max().unwrap_or(0)
}

/// The same rule about the same accounts, files and addresses is the same thing again, such as a job that runs every ten minutes.
fn rules(a: &Profile, b: &Profile) -> u32 {
    if a.rule != b.rule {
        return 0;
    }
    let again = a.users == b.users && a.files == b.files && a.addresses == b.addresses;
    if again || a.detector == Detector::Integrity { ENOUGH } else { 50 }
}

/// How far an address can be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Only on the host itself.
    Host,
    /// Within a site: private and link-local ones.
    Site,
    /// Everywhere.
    World,
}

pub(super) fn reach(address: &IpAddr) -> Reach {
    match address {
        _ if address.is_loopback() || address.is_unspecified() || address.is_multicast() => Reach::Host,
        IpAddr::V4(v4)
            if v4.is_private() || v4.is_link_local() || v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64 =>
        {
            Reach::Site
        }
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => Reach::Site,
        _ => Reach::World,
    }
}

/// The pairs of equal elements of two sorted lists.
fn shared<'a, T>(a: &'a [T], b: &'a [T], order: impl Fn(&T, &T) -> Ordering) -> impl Iterator<Item = (&'a T, &'a T)> {
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    std::iter::from_fn(move || {
        loop {
            match order(left.peek()?, right.peek()?) {
                Ordering::Less => left.next(),
                Ordering::Greater => right.next(),
                Ordering::Equal => return left.next().zip(right.next()),
            };
        }
    })
}

//! Under which names sensors reach this machine.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
};

use rustls::pki_types::DnsName;

/// Reserved for documentation: nothing is ever sent there, the kernel only says from where it would go.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The names for join tokens, best first: those of the configuration, or what this machine knows of itself.
pub(super) fn names(configured: &[String], listening: SocketAddr) -> Vec<String> {
    if !configured.is_empty() {
        return configured.to_vec();
    }
    if !listening.ip().is_unspecified() {
        return vec![listening.ip().to_string()];
    }
    let mut names: Vec<String> = outward().map(|address| address.to_string()).into_iter().collect();
    names.extend(host_name());
    names.push(Ipv4Addr::LOCALHOST.to_string());
    names
}

/// The names for the listeners' certificates: those, and this machine's own for itself.
pub(super) fn certificate_names(names: &[String]) -> Vec<String> {
    let mut all = names.to_vec();
    for own in ["localhost", "127.0.0.1", "::1"] {
        if !all.iter().any(|name| name == own) {
            all.push(own.to_owned());
        }
    }
    all
}

/// `host:port` for each name.
pub(super) fn addresses(names: &[String], port: u16) -> Vec<String> {
    let with_port = |name: &String| match name.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, port).to_string(),
        Err(_) => format!("{name}:{port}"),
    };
    names.iter().map(with_port).collect()
}

fn outward() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_unspecified())
}

fn host_name() -> Option<String> {
    let name = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).ok()?;
    let name = name.trim();
    DnsName::try_from(name).is_ok().then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_or_listened_on_wins_over_guesses() {
        let any = "0.0.0.0:8472".parse().unwrap();
        let one = "127.0.0.1:8472".parse().unwrap();
        let configured = ["bongsu.example".to_owned(), "::1".to_owned()];
        assert_eq!(names(&configured, any), configured);
        assert_eq!(names(&[], one), ["127.0.0.1"]);
        assert_eq!(names(&[], any).last().map(String::as_str), Some("127.0.0.1"));
        assert_eq!(addresses(&configured, 8472), ["bongsu.example:8472", "[::1]:8472"]);
        assert_eq!(certificate_names(&configured), ["bongsu.example", "::1", "localhost", "127.0.0.1"]);
    }
}

//! Name services are libraries of the system's, which the resolver loads when the first name is looked up. No code can be loaded any more
//! when the filter of system calls is in force, so they are loaded before: those that `hosts:` in nsswitch.conf names, when the
//! correlator's address is a name at all.

use std::{ffi::CString, fs, net::IpAddr};

const SWITCH: &str = "/etc/nsswitch.conf";
/// Services that one line may name.
const SERVICES_MAX: usize = 16;

/// Loads what looking up these addresses (`host:port`) may need.
pub(super) fn load(addresses: &[String]) {
    if addresses.iter().all(|address| is_number(address)) {
        return;
    }
    let text = fs::read_to_string(SWITCH).unwrap_or_default();
    for service in services(&text) {
        // The resolver itself passes over a service whose library is not there.
        tracing::debug!(service, loaded = load_library(&service), "name service");
    }
}

fn is_number(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// `hosts: files mymachines resolve [!UNAVAIL=return] dns`: the words outside brackets.
fn services(text: &str) -> Vec<String> {
    let line = text.lines().find_map(|line| line.split('#').next()?.trim().strip_prefix("hosts:"));
    let is_name = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    line.unwrap_or_default().split_whitespace().filter(is_name).take(SERVICES_MAX).map(str::to_owned).collect()
}

fn load_library(service: &str) -> bool {
    let Ok(name) = CString::new(format!("libnss_{service}.so.2")) else { return false };
    // SAFETY: the name is a string that ends with NUL. Loading runs the library's constructors: the resolver would load the same libraries
    // by the same names. It is never unloaded.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    !handle.is_null()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_of_a_line_are_its_words_without_the_conditions() {
        let text = "passwd: files\n# hosts: nis\nhosts:  files resolve [!UNAVAIL=return] dns ../x # y\n";
        assert_eq!(services(text), ["files", "resolve", "dns"]);
        assert_eq!(services(""), Vec::<String>::new());
    }

    #[test]
    fn addresses_that_are_numbers_need_no_name_service() {
        assert!(is_number("127.0.0.1:7700") && is_number("[::1]:7700"));
        assert!(!is_number("correlator.example:7700"));
    }
}

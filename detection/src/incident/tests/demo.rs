//! The attack of the demo, with an administrator and a job at work on the same host.

use super::*;
use crate::incident::{score, severity, title};

const ATTACKER: &str = "203.0.113.66";

/// The web server has run for ten days; the attack begins at this second.
const T: i64 = 864_000;

fn with(mut finding: Finding, severity: Severity, techniques: &[&str]) -> Finding {
    finding.severity = severity;
    finding.techniques = techniques.iter().map(|id| (*id).to_owned()).collect();
    finding
}

/// The attack in order of time.
fn attack() -> Vec<Finding> {
    let start = u64::try_from(T).unwrap();
    let nginx = process(800, 20);
    let [shell, script, memfd, setuid] = [1, 2, 3, 4].map(|at| process(5000 + at, start + 60 + u64::from(at)));
    let sudo = process(4900, start + 50);
    let chain = |keys: &[ProcessKey]| -> Vec<Entity> {
        let acting = keys.first().map(|key| acts(*key));
        acting.into_iter().chain(keys[1..].iter().map(|key| above(*key))).chain([user("deploy")]).collect()
    };
    let also = |mut entities: Vec<Entity>, more: &[Entity]| {
        entities.extend_from_slice(more);
        entities
    };
    let mut findings: Vec<Finding> = (0..5)
        .map(|at| {
            let failed = finding(
                "ssh-failed-login",
                10 + at,
                T + i64::try_from(at).unwrap(),
                &[user("deploy"), address(ATTACKER)],
            );
            with(failed, Severity::Low, &["T1110.001"])
        })
        .collect();
    let sequence = Finding {
        id: FindingId::new("sequence", b"deploy", &[event(10)]),
        detector: Detector::Sequence,
        title: "Brute force, login, root".into(),
        first: Timestamp(T * 1_000_000_000),
        events: vec![event(10), event(11), event(12), event(13), event(14), event(20), event(21)],
        confidence: 90,
        ..finding("sequence", 21, T + 50, &[user("deploy"), address(ATTACKER), acts(sudo)])
    };
    let yara = Finding {
        detector: Detector::Yara,
        ..finding("demo_implant", 32, T + 63, &[acts(memfd), Entity::Evidence(EvidenceId([7; 32]))])
    };
    findings.extend([
        with(sequence, Severity::High, &["T1078", "T1110.001", "T1548.003"]),
        with(finding("web-shell", 30, T + 61, &chain(&[shell, nginx])), Severity::High, &["T1059.004", "T1505.003"]),
        with(
            finding("exec-from-tmp", 31, T + 62, &also(chain(&[script, shell, nginx]), &[file("/tmp/.x.sh")])),
            Severity::Medium,
            &["T1059.004"],
        ),
        with(finding("memfd-exec", 32, T + 63, &chain(&[memfd, script, shell, nginx])), Severity::High, &["T1620"]),
        with(yara, Severity::High, &[]),
        with(
            finding(
                "odd-connection",
                33,
                T + 64,
                &also(chain(&[memfd, script, shell, nginx]), &[address("127.0.0.1")]),
            ),
            Severity::Medium,
            &["T1071.001"],
        ),
        with(
            finding("setuid-root", 34, T + 65, &chain(&[setuid, memfd, script, shell])),
            Severity::Medium,
            &["T1548.001"],
        ),
        with(
            finding(
                "shadow-read",
                35,
                T + 66,
                &also(chain(&[setuid, memfd, script, shell]), &[user("root"), file("/etc/shadow")]),
            ),
            Severity::High,
            &["T1003.008"],
        ),
        anomaly(31, T + 60, T + 66),
    ]);
    findings
}

/// What else happens on the host at the same time.
fn bystanders() -> Vec<Finding> {
    let start = u64::try_from(T).unwrap();
    let (bash, sudo) = (process(4000, start - 7000), process(4500, start + 30));
    let (job_shell, job) = (process(4600, start + 40), process(4601, start + 40));
    vec![
        // An administrator uses sudo, which the same rule remarks.
        finding("setuid-root", 50, T + 30, &[acts(sudo), above(bash), user("admin"), file("/usr/bin/sudo")]),
        // A backup job of root reads what the same rule watches.
        finding("shadow-read", 51, T + 40, &[acts(job), above(job_shell), user("root"), file("/etc/shadow")]),
    ]
}

#[test]
fn the_attack_is_one_incident_and_bystanders_are_none_of_it() {
    let attack = attack();
    let mut all = attack.clone();
    all.splice(6..6, bystanders());
    let (groups, pending) = partition(&mut grouper(), &all);
    let mut expected: Vec<FindingId> = attack.iter().map(|finding| finding.id).collect();
    expected.sort_unstable();
    assert_eq!(pending, []);
    assert_eq!(groups.len(), 3, "the attack, the administrator and the job");
    assert!(groups.contains(&expected));
}

#[test]
fn its_score_title_and_severity_say_what_it_is() {
    let attack = attack();
    let told = score(&attack);
    assert_eq!(told.value, told.parts.iter().map(|part| part.points).sum::<u32>().min(100));
    let reasons: Vec<String> = told.parts.iter().map(|part| format!("{} {}", part.points, part.reason)).collect();
    assert_eq!(
        reasons,
        [
            "47 high finding, 90 % certain: Brute force, login, root",
            "12 8 more rules in the same incident",
            "12 7 stages of an attack",
            "6 9 ATT&CK techniques",
            "12 sigma, sequence, anomaly, yara agree",
            "5 the steps came in the order of an attack",
            "8 a yara rule matched bytes taken from the host",
            "4 the host behaved unlike itself (anomaly score 99)",
        ]
    );
    assert_eq!(severity(&attack), Severity::Critical);
    assert_eq!(title(&attack), "Brute force, login, root, user deploy, address 203.0.113.66 and 8 more findings");
    // The job alone is what its rule says.
    let job = &bystanders()[1..];
    assert_eq!((score(job).value, severity(job)), (31, Severity::Medium));
    assert_eq!(title(job), "shadow-read");
}

#[test]
fn it_is_the_same_incident_after_a_restart_in_the_middle() {
    let attack = attack();
    for cut in 0..attack.len() {
        let mut before = grouper();
        let mut incident = None;
        let mut members = Vec::new();
        let mut pending: Vec<&Finding> = Vec::new();
        for finding in &attack[..cut] {
            let placement = before.place(finding);
            pending.push(finding);
            incident = placement.incident.or(incident);
            let (joined, rest): (Vec<_>, Vec<_>) =
                pending.into_iter().partition(|finding| placement.joined.contains(&finding.id));
            members.extend(joined.into_iter().cloned());
            pending = rest;
        }
        let mut after = grouper();
        if let Some(incident) = incident {
            after.restore(incident, &members);
        }
        for finding in pending.into_iter().chain(&attack[cut..]) {
            after.place(finding);
        }
        for finding in &attack {
            assert_eq!(after.place(finding).incident, Some(IncidentKey(1)), "cut at {cut}: {}", finding.rule);
        }
    }
}

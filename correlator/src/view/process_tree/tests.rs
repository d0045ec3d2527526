use std::fmt::Write as _;

use bongsu_event::{Activity, Exec};

use super::*;
use crate::view::testing::{acts, ancestor, exec, finding, login, process, stored};

fn drawn(nodes: &[ProcessNode]) -> String {
    fn draw(nodes: &[ProcessNode], depth: usize, text: &mut String) {
        for node in nodes {
            let (events, findings) = (node.event_ids.len(), node.finding_ids.len());
            let indent = "  ".repeat(depth);
            writeln!(text, "{indent}{} {} e{events} f{findings}", node.pid, node.executable).unwrap();
            draw(&node.children, depth + 1, text);
        }
    }
    let mut text = String::new();
    draw(nodes, 0, &mut text);
    text
}

fn tree(events: &[StoredEvent], findings: &[bongsu_detection::Finding]) -> Vec<ProcessNode> {
    grow(events, &Speakers::of(findings))
}

fn child_of(pid: u32, ancestors: &[u32]) -> bongsu_event::Event {
    let mut child = process(pid, &format!("/bin/{pid}"), &["x"]);
    child.ancestors = ancestors.iter().map(|pid| ancestor(*pid, &format!("/bin/{pid}"))).collect();
    acts(child, Activity::Exec(Exec::default()))
}

#[test]
fn processes_stand_once_under_their_ancestors_oldest_first() {
    let events = [
        stored(1, 1, exec("/bin/sh")),
        stored(2, 2, child_of(900, &[813, 812, 1])),
        stored(3, 3, child_of(815, &[812])),
        stored(4, 4, exec("/bin/dash")),
        stored(5, 5, login("backup")),
    ];
    let findings = [finding("shell", &events[..1])];
    insta::assert_snapshot!(drawn(&tree(&events, &findings)), @r"
    1 /usr/lib/systemd/systemd e0 f0
      812 /usr/sbin/nginx e0 f0
        813 /bin/dash e2 f1
          900 /bin/900 e1 f0
        815 /bin/815 e1 f0
    ");
}

#[test]
fn claims_of_a_circle_are_not_believed() {
    let events = [
        stored(1, 1, child_of(10, &[20, 30])),
        stored(2, 2, child_of(30, &[10, 30, 20])),
        stored(3, 3, child_of(40, &[40])),
    ];
    insta::assert_snapshot!(drawn(&tree(&events, &[])), @r"
    30 /bin/30 e1 f0
      20 /bin/20 e0 f0
        10 /bin/10 e1 f0
    40 /bin/40 e1 f0
    ");
}

#[test]
fn the_same_key_on_two_hosts_is_two_processes() {
    let mut elsewhere = stored(2, 2, exec("/bin/sh"));
    elsewhere.id.sensor = SensorId(uuid::Uuid::from_u128(7));
    assert_eq!(tree(&[stored(1, 1, exec("/bin/sh")), elsewhere], &[]).len(), 2);
}

#[test]
fn a_line_of_thousands_is_cut_into_trees_that_a_reader_can_follow() {
    let events: Vec<_> = (1..3_000).map(|pid| stored(pid.into(), pid.into(), child_of(pid + 1, &[pid]))).collect();
    let nodes = tree(&events, &[]);
    fn depth(node: &ProcessNode) -> usize {
        1 + node.children.iter().map(depth).max().unwrap_or(0)
    }
    fn count(node: &ProcessNode) -> usize {
        1 + node.children.iter().map(count).sum::<usize>()
    }
    assert_eq!(nodes.iter().map(depth).max(), Some(DEPTH_MAX));
    assert_eq!(nodes.iter().map(count).sum::<usize>(), 3_000);
}

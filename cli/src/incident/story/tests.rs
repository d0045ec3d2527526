use super::*;

const INCIDENT: &str = r##"{
  "id": "BGS-1", "title": "A login after guessing, then a shell under a web server, on web-1", "severity": "critical",
  "score": 92, "status": "open", "hosts": ["web-1"],
  "first_seen": "2026-11-22T09:00:01.000000000Z", "last_seen": "2026-11-22T09:02:13.000000000Z", "finding_count": 1,
  "techniques": [{"id": "T1059.004", "name": "Unix Shell"}, {"id": "T9999", "name": ""}],
  "score_parts": [{"reason": "the worst finding is critical", "points": 80}, {"reason": "two detectors agree", "points": 12}],
  "findings": [{
    "id": "f1", "rule_id": "shell_under_web_server", "title": "A shell under a web server", "detector": "sigma",
    "severity": "high", "confidence": 80, "techniques": [{"id": "T1059.004", "name": "Unix Shell"}], "host": "web-1",
    "sensor_id": "s", "first_seen": "", "last_seen": "", "event_ids": ["e2", "e3", "e4"], "entities": {},
    "reasons": ["ParentImage ends with /nginx", "Image ends with /sh"],
    "repeats": 9984, "repeated_until": "2026-11-22T09:02:13.000000000Z"
  }],
  "timeline": [
    {"event_id": "e1", "time": "2026-11-22T09:00:01.000000000Z", "host": "web-1", "action": "login-failure",
     "text": "backup failed to log in from 203.0.113.7 by password", "user": "backup", "process_key": null, "finding_ids": [], "fields": {}},
    {"event_id": "e2", "time": "2026-11-22T09:01:01.250000000Z", "host": "web-1", "action": "exec",
     "text": "nginx (pid 812) started /bin/sh -c id (pid 813), which is told in a line that is longer than the terminal", "user": "www-data",
     "process_key": "k", "finding_ids": ["f1"], "fields": {}},
    {"event_id": "e3", "time": "2026-11-22T09:01:02.000000000Z", "host": "web-1", "action": "exit", "text": "\u001b[2Jx", "user": null, "process_key": "k", "finding_ids": ["f1"], "fields": {}},
    {"event_id": "e4", "time": "2026-11-23T09:01:02.000000000Z", "host": "web-1", "action": "exit", "text": "y", "user": null, "process_key": "k", "finding_ids": ["f1"], "fields": {}}
  ],
  "process_tree": [{"key": "k0", "pid": 812, "executable": "/usr/sbin/nginx", "command_line": "", "user": "root", "event_ids": [], "finding_ids": [], "children": [
    {"key": "k", "pid": 813, "executable": "/bin/sh", "command_line": "sh -c id", "user": "www-data", "event_ids": ["e2", "e3"], "finding_ids": ["f1"], "children": [
      {"key": "k2", "pid": 814, "executable": "/usr/bin/id", "command_line": "id", "user": null, "event_ids": ["e4"], "finding_ids": [], "children": []}]},
    {"key": "k3", "pid": 815, "executable": "/usr/sbin/nginx", "command_line": "nginx", "user": null, "event_ids": [], "finding_ids": [], "children": []}]}],
  "advice": {"source": "template", "model": null,
    "story": [{"text": "Somebody guessed passwords of backup from 203.0.113.7.", "event_ids": ["e1"]},
              {"text": "Then nginx started a shell, which it never does in its daily work, and the shell ran id.", "event_ids": ["e2", "e3", "e4"]}],
    "next_steps": [{"text": "Block the address.", "command": "nft add rule inet filter input ip saddr 203.0.113.7 drop"}, {"text": "Ask backup's owner.", "command": null}],
    "notes": []},
  "evidence": [{"sha256": "aa", "size": 12, "host": "web-1", "sensor_id": "s", "path": "/tmp/x", "process_key": "k", "incident_ids": ["BGS-1"], "stored_at": "",
    "verdict": {"outcome": "matched", "yara_rules": ["miner"], "detail": null}, "custody": []}],
  "anomaly": {"score": 97.4, "reasons": ["exec per minute 40, usually 2"]},
  "blind_spots": []
}"##;

#[test]
fn an_incident_reads_like_a_story_on_eighty_columns() {
    let incident: Incident = serde_json::from_str(INCIDENT).unwrap();
    let story = tell(&incident, 80);
    insta::assert_snapshot!(story);
    assert!(story.lines().all(|line| line.chars().count() <= 80 || line.contains('$')), "{story}");
}

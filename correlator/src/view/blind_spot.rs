//! What we know we do not know about a host, in sentences.

use bongsu_api::{Ledger, Sensor};

/// One sentence for each reason why something could have happened on this host that the store does not show.
pub(crate) fn blind_spots(sensor: &Sensor) -> Vec<String> {
    let host = &sensor.host;
    let mut spots = Vec::new();
    match sensor.status.as_str() {
        "online" => {}
        "never-seen" => spots.push(format!("{host}: the sensor has never reported; nothing of this host is known.")),
        _ => spots.push(format!(
            "{host}: the sensor has been silent since {}; nothing after that is known.",
            sensor.last_seen.as_deref().unwrap_or("it was enrolled")
        )),
    }
    for hook in sensor.hooks.iter().filter(|hook| hook.rung == "none") {
        let because = if hook.detail.is_empty() { String::new() } else { format!(" ({})", hook.detail) };
        spots.push(format!("{host}: {} events are not seen at all: no hook could be attached{because}.", hook.name));
    }
    for hook in sensor.hooks.iter().filter(|hook| hook.rung == "silent") {
        spots.push(format!("{host}: {} events may be missing: the hook {}.", hook.name, hook.detail));
    }
    for hook in &sensor.hooks {
        let missed = hook.programs.iter().map(|program| program.missed).fold(0, u64::saturating_add);
        if missed > 0 {
            let times = if missed == 1 { "once".to_owned() } else { format!("{missed} times") };
            spots
                .push(format!("{host}: {} events may be missing: the kernel passed the hook over {times}.", hook.name));
        }
    }
    for ledger in &sensor.ledgers {
        spots.extend(of_ledger(ledger).into_iter().map(|spot| format!("{host}: {spot}")));
    }
    spots
}

fn of_ledger(ledger: &Ledger) -> Vec<String> {
    let mut spots = Vec::new();
    if ledger.ring_lost > 0 {
        let (events, were) = counted(ledger.ring_lost);
        spots.push(format!(
            "{events} of {} {were} lost in the kernel because they came faster than the sensor could read.",
            ledger.kernel_emitted
        ));
    }
    if ledger.suppressed > 0 {
        let (events, were) = counted(ledger.suppressed);
        spots.push(format!(
            "{events} {were} left out because a process had used up its budget; `suppressed` events say which."
        ));
    }
    for shed in &ledger.shed {
        let (events, were) = counted(shed.count);
        spots.push(format!("{events} of class {} {were} given up by the sensor: {}.", shed.class, shed.reason));
    }
    if ledger.spooled > 0 {
        spots.push(format!("{} still on the host, waiting to be sent.", counted(ledger.spooled).0));
    }
    if !ledger.balanced {
        let shed = ledger.shed.iter().map(|shed| shed.count).fold(0, u64::saturating_add);
        spots.push(format!(
            "the ledger of epoch {} does not balance: {} numbered = {} stored + {} spooled + {shed} given up; \
             {} emitted by the kernel = {} read + {} lost.",
            ledger.epoch,
            ledger.last_seq,
            ledger.stored,
            ledger.spooled,
            ledger.kernel_emitted,
            ledger.read,
            ledger.ring_lost
        ));
    }
    spots
}

fn counted(count: u64) -> (String, &'static str) {
    if count == 1 { ("1 event".to_owned(), "was") } else { (format!("{count} events"), "were") }
}

#[cfg(test)]
mod tests {
    use bongsu_api::{Hook, HookProgram, Shed};

    use super::*;

    fn sound() -> Sensor {
        let hook = |name: &str, rung: &str| Hook {
            name: name.into(),
            rung: rung.into(),
            detail: String::new(),
            programs: Vec::new(),
        };
        let ledger = Ledger {
            epoch: 7,
            kernel_emitted: 100,
            read: 100,
            ring_lost: 0,
            suppressed: 0,
            last_seq: 90,
            stored: 90,
            spooled: 0,
            shed: Vec::new(),
            balanced: true,
            as_of: None,
        };
        Sensor {
            id: String::new(),
            host: "web-1".into(),
            status: "online".into(),
            last_seen: None,
            kernel: String::new(),
            version: String::new(),
            hooks: vec![hook("exec", "raw_tracepoint"), hook("connect", "tracepoint")],
            ledgers: vec![ledger],
        }
    }

    #[test]
    fn a_sound_sensor_has_none() {
        assert_eq!(blind_spots(&sound()), Vec::<String>::new());
    }

    #[test]
    fn each_loss_is_told_by_its_cause() {
        let mut sensor = sound();
        sensor.status = "offline".into();
        sensor.last_seen = Some("2026-11-22T09:00:00Z".into());
        (sensor.hooks[0].rung, sensor.hooks[0].detail) = ("silent".into(), "does not notice x any more".into());
        sensor.hooks[0].programs = vec![HookProgram { name: "exec".into(), runs: 0, ns_per_run: None, missed: 2 }];
        (sensor.hooks[1].rung, sensor.hooks[1].detail) = ("none".into(), "kernel too old".into());
        let ledger = &mut sensor.ledgers[0];
        (ledger.read, ledger.ring_lost, ledger.spooled, ledger.stored) = (99, 1, 4, 80);
        ledger.suppressed = 30;
        ledger.shed = vec![Shed { class: "file".into(), reason: "spool-full".into(), count: 5 }];
        ledger.balanced = false;
        insta::assert_snapshot!(blind_spots(&sensor).join("\n"), @r"
        web-1: the sensor has been silent since 2026-11-22T09:00:00Z; nothing after that is known.
        web-1: connect events are not seen at all: no hook could be attached (kernel too old).
        web-1: exec events may be missing: the hook does not notice x any more.
        web-1: exec events may be missing: the kernel passed the hook over 2 times.
        web-1: 1 event of 100 was lost in the kernel because they came faster than the sensor could read.
        web-1: 30 events were left out because a process had used up its budget; `suppressed` events say which.
        web-1: 5 events of class file were given up by the sensor: spool-full.
        web-1: 4 events still on the host, waiting to be sent.
        web-1: the ledger of epoch 7 does not balance: 90 numbered = 80 stored + 4 spooled + 5 given up; 100 emitted by the kernel = 99 read + 1 lost.
        ");
    }
}

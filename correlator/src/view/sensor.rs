//! Sensors and their ledgers as the API shows them.

use bongsu_api::{Hook, HookProgram, Ledger, Sensor, Shed};
use bongsu_event::Shown;

use super::finding::text;
use crate::store::{HookRow, LedgerRow, ProgramRow, SensorRow};

/// Whether a sensor has a session now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It has.
    Online,
    /// It has not.
    Offline,
}

/// A sensor with its ledgers, newest epoch first.
pub(crate) fn sensor(row: &SensorRow, presence: Presence, ledgers: &[LedgerRow]) -> Sensor {
    let status = match (presence, row.last_seen) {
        (Presence::Online, _) => "online",
        (Presence::Offline, Some(_)) => "offline",
        (Presence::Offline, None) => "never-seen",
    };
    Sensor {
        id: row.id.to_string(),
        host: Shown(&row.host).to_string(),
        status: status.to_owned(),
        last_seen: row.last_seen.map(|time| time.to_string()),
        kernel: text(&row.kernel),
        version: text(&row.version),
        hooks: row.hooks.iter().map(hook).collect(),
        ledgers: ledgers.iter().map(ledger).collect(),
    }
}

fn hook(row: &HookRow) -> Hook {
    Hook {
        name: text(&row.name),
        rung: text(&row.rung),
        detail: text(&row.detail),
        programs: row.programs.iter().map(program).collect(),
    }
}

fn program(row: &ProgramRow) -> HookProgram {
    HookProgram {
        name: text(&row.name),
        runs: row.runs,
        ns_per_run: row.run_ns.checked_div(row.runs),
        missed: row.missed,
    }
}

fn ledger(row: &LedgerRow) -> Ledger {
    let figures = &row.figures;
    let shed =
        |shed: &crate::store::ShedRow| Shed { class: text(&shed.class), reason: text(&shed.reason), count: shed.count };
    Ledger {
        epoch: row.epoch,
        kernel_emitted: figures.kernel_emitted,
        read: figures.read,
        ring_lost: figures.ring_lost,
        suppressed: figures.suppressed,
        last_seq: figures.last_seq,
        stored: row.stored,
        spooled: figures.spooled,
        shed: figures.shed.iter().map(shed).collect(),
        balanced: row.imbalance.is_none(),
        as_of: row.reported.then(|| figures.as_of.to_string()),
    }
}

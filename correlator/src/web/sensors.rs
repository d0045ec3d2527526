//! The sensors: what each one sees, and where every event went.

use bongsu_api::{Hook, Ledger, Sensor};
use maud::{Markup, html};

use super::layout::{self, Place, counted, page};
use crate::view::blind_spots;

/// The page.
pub(super) fn sensors(sensors: &[Sensor]) -> Markup {
    let body = html! {
        div.heading { h1 { "Sensors" } p.line { (counted(sensors.len(), "sensor", "sensors")) " enrolled" } }
        @for sensor in sensors { (one(sensor)) }
        section {
            h2 { "Watch another host" }
            p { "This makes a token that works once, and prints the command to run on the new host:" }
            (layout::command("bongsu sensor token create"))
        }
    };
    page("Sensors", Place::Sensors, &body)
}

fn one(sensor: &Sensor) -> Markup {
    let spots = blind_spots(sensor);
    html! {
        article.sensor {
            h2 { span.dot.(if sensor.status == "online" { "on" } else { "off" }) {} (sensor.host) " " span.line { (sensor.status) } }
            p.line {
                @if let Some(seen) = &sensor.last_seen { "last seen " (layout::time(seen)) " · " }
                @if !sensor.kernel.is_empty() { "kernel " (sensor.kernel) " · " }
                @if !sensor.version.is_empty() { "sensor " (sensor.version) " · " }
                code { (sensor.id) }
            }
            @if spots.is_empty() {
                p.sound { "Every event is accounted for." }
            } @else {
                ul.blind { @for spot in &spots { li { (spot) } } }
            }
            @for (place, ledger) in sensor.ledgers.iter().enumerate() {
                @if place == 0 { (figures(ledger)) } @else {
                    details { summary { "Epoch " (ledger.epoch) @if !ledger.balanced { " (not balanced)" } } (figures(ledger)) }
                }
            }
            @if !sensor.hooks.is_empty() {
                details { summary { "Hooks: " (attached(&sensor.hooks)) " of " (sensor.hooks.len()) " attached" } (hooks(&sensor.hooks)) }
            }
        }
    }
}

fn attached(hooks: &[Hook]) -> usize {
    hooks.iter().filter(|hook| hook.rung != "none" && hook.rung != "silent").count()
}

fn hooks(hooks: &[Hook]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { "Hook" } th { "Attached to" } th { "Cost" } th { "Remarks" } } }
            tbody { @for hook in hooks { tr {
                td { (hook.name) } td { code { (hook.rung) } } td { (cost(hook)) } td { (hook.detail) }
            } } }
        } }
    }
}

/// What the kernel counted of the hook's programs; nothing when it did not count.
fn cost(hook: &Hook) -> Markup {
    html! {
        @for program in &hook.programs {
            @if let Some(ns) = program.ns_per_run { div { code { (program.name) } " " (program.runs) " runs of " (ns) " ns" } }
        }
    }
}

/// The two equations of promise 3.
fn figures(ledger: &Ledger) -> Markup {
    let shed = ledger.shed.iter().map(|shed| shed.count).fold(0, u64::saturating_add);
    html! {
        @if ledger.as_of.is_none() { p.line { "The sensor has not said yet where its events went; " (ledger.stored) " are stored." } }
        @else { div.scroll { table.ledger {
            tr {
                td { (ledger.kernel_emitted) span { "emitted by the kernel" } } td { "=" }
                td { (ledger.read) span { "read" } } td { "+" }
                td { (ledger.ring_lost) span { "lost in the rings" } } td {} td {}
            }
            tr {
                td { (ledger.last_seq) span { "numbered" } } td { "=" }
                td { (ledger.stored) span { "stored" } } td { "+" }
                td { (ledger.spooled) span { "on the host" } } td { "+" }
                td { (shed) span { "given up" } }
            }
        } } }
        @if ledger.suppressed > 0 {
            p.line { (ledger.suppressed) " more were left out in the kernel: their processes had used up their budgets." }
        }
        @if let Some(as_of) = &ledger.as_of { p.line { "as of " (layout::time(as_of)) } }
    }
}

//! Bytes taken from hosts for an incident: what YARA says of them, and who did what with them.

use bongsu_api::{Evidence, Incident};
use maud::{Markup, html};

use super::{command, layout};

pub(super) fn section(incident: &Incident) -> Markup {
    html! {
        @if !incident.evidence.is_empty() {
            section aria-labelledby="evidence" {
                h2 #evidence { "Evidence" }
                @for evidence in &incident.evidence { (one(evidence)) }
            }
        }
    }
}

fn one(evidence: &Evidence) -> Markup {
    let verdict = &evidence.verdict;
    html! {
        article.evidence #{ "x" (evidence.sha256) } {
            p.title {
                code { (evidence.path) }
                span.verdict.(if verdict.outcome == "matched" { "s5" } else { "s0" }) { "YARA: " (verdict.outcome) }
            }
            @if !verdict.yara_rules.is_empty() { ul.chips { @for rule in &verdict.yara_rules { li { b { (rule) } } } } }
            @if let Some(detail) = &verdict.detail { p.line { (detail) } }
            dl.fields {
                dt { "SHA-256" } dd.whole { (evidence.sha256) }
                dt { "size" } dd { (evidence.size) " bytes" }
                dt { "host" } dd { (evidence.host) }
                dt { "stored" } dd { (layout::time(&evidence.stored_at)) }
            }
            (command(&format!("bongsu evidence fetch {}", evidence.sha256)))
            details {
                summary { "Custody: " (layout::counted(evidence.custody.len(), "entry", "entries")) }
                ol.custody {
                    @for entry in &evidence.custody {
                        li { (layout::time(&entry.time)) " " b { (entry.action) } " by " (entry.actor) @if !entry.detail.is_empty() { ": " (entry.detail) } }
                    }
                }
            }
        }
    }
}

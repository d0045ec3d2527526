//! The findings of an incident.

use bongsu_api::{Finding, Incident};
use maud::{Markup, html};

use super::{Places, class, fires, layout, techniques};

pub(super) fn section(incident: &Incident, places: &Places<'_>) -> Markup {
    html! {
        section aria-labelledby="findings" {
            h2 #findings { "Findings" }
            ol.findings { @for finding in &incident.findings { (one(finding, places)) } }
        }
    }
}

fn one(finding: &Finding, places: &Places<'_>) -> Markup {
    html! {
        li #{ "f-" (finding.id) } class=(class(&finding.severity)) {
            p.title { (fires(&finding.severity)) b { (finding.title) } (places.cite(&finding.event_ids)) }
            div.meta {
                p.line {
                    (finding.detector) " " code { (finding.rule_id) } " · confidence " (finding.confidence)
                    " · " (finding.host) " · " (layout::time(&finding.first_seen))
                }
                @if let Some(until) = &finding.repeated_until {
                    p.line { "found " b { (finding.repeats) } " more times, until " (layout::time(until)) }
                }
                (techniques(&finding.techniques))
            }
            @if !finding.reasons.is_empty() || !finding.entities.is_empty() {
                details {
                    summary { "Why" }
                    ul { @for reason in &finding.reasons { li { code { (reason) } } } }
                    @if !finding.entities.is_empty() {
                        dl.fields {
                            @for (kind, names) in &finding.entities { dt { (kind) } dd { (names.join(", ")) } }
                        }
                    }
                }
            }
        }
    }
}

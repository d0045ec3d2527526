//! The timeline of an incident: a row for each event, coloured where a finding speaks of it.

use bongsu_api::{Finding, Incident, TimelineEntry};
use maud::{Markup, html};

use super::{Places, class, layout};

pub(super) fn section(incident: &Incident, places: &Places<'_>) -> Markup {
    let several_hosts = incident.summary.hosts.len() > 1;
    let days = incident.timeline.chunk_by(|one, next| layout::date(&one.time) == layout::date(&next.time));
    let (mut number, mut before) = (0, &[][..]);
    html! {
        section aria-labelledby="timeline" {
            h2 #timeline { "Timeline" }
            @for day in days {
                h3.day { (day.first().map_or("", |entry| layout::date(&entry.time))) " UTC" }
                ol.timeline {
                    @for entry in day {
                        ({
                            number += 1;
                            // A finding about many events in a row is named at the first of them.
                            let speakers = if entry.finding_ids == before { Vec::new() } else { places.speakers(&entry.finding_ids) };
                            before = &entry.finding_ids;
                            row(entry, number, several_hosts, places.colour(&entry.finding_ids), &speakers)
                        })
                    }
                }
            }
        }
    }
}

fn row(entry: &TimelineEntry, number: usize, several_hosts: bool, colour: &str, speakers: &[&Finding]) -> Markup {
    html! {
        li #{ "e-" (entry.event_id) } class=(colour) {
            a.number href={ "#e-" (entry.event_id) } { (number) }
            time datetime=(entry.time) title=(entry.time) { (layout::clock(&entry.time, 12)) }
            div.event {
                details {
                    summary {
                        @if several_hosts { b { (entry.host) } ": " }
                        (entry.text)
                    }
                    (fields(entry))
                }
                @for finding in speakers {
                    a.speaks.(class(&finding.severity)) href={ "#f-" (finding.id) } { (finding.title) }
                }
            }
        }
    }
}

fn fields(entry: &TimelineEntry) -> Markup {
    html! {
        dl.fields {
            dt { "event id" } dd { (entry.event_id) }
            @for (name, value) in &entry.fields { dt { (name) } dd { (value) } }
        }
    }
}

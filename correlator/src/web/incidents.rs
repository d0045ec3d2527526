//! The list of incidents.

use bongsu_api::{IncidentQuery, IncidentSummary, Page};
use bongsu_event::Severity;
use maud::{Markup, html};

use super::layout::{self, Place, class, counted, fires, page};

/// The page. `sensors` is how many there are, for those who have no incident to look at.
pub(super) fn incidents(list: &Page<IncidentSummary>, asked: &IncidentQuery, sensors: usize) -> Markup {
    let body = html! {
        div.heading {
            h1 { "Incidents" }
            (filters(asked))
        }
        @if list.items.is_empty() { (nothing(asked, sensors)) } @else {
            ol.incidents {
                @for incident in &list.items { li { (row(incident)) } }
            }
            @if let Some(next) = &list.next {
                p.more { a href=(address(asked, Some(next))) { "Older incidents" } }
            }
        }
    };
    page("Incidents", Place::Incidents, &body)
}

fn row(incident: &IncidentSummary) -> Markup {
    html! {
        a.incident.(class(&incident.severity)) href={ "/incidents/" (incident.id) } {
            span.rank { (fires(&incident.severity)) span.score { (incident.score) } }
            span.what {
                span.title { (incident.title) }
                span.line {
                    b { (incident.id) }
                    " · " (incident.hosts.join(", "))
                    " · " (counted(incident.finding_count, "finding", "findings"))
                    @if incident.status != "open" { " · " (incident.status) }
                }
                @if !incident.techniques.is_empty() {
                    span.line {
                        @for (place, technique) in incident.techniques.iter().enumerate() {
                            @if place > 0 { " · " }
                            span title=(technique.name) { (technique.id) }
                        }
                    }
                }
            }
            span.when { (layout::time(&incident.last_seen)) }
        }
    }
}

fn filters(asked: &IncidentQuery) -> Markup {
    let statuses = [(Some("open"), "Open"), (Some("closed"), "Closed"), (None, "All")];
    let levels = Severity::ALL.into_iter().skip(1).map(|level| (Some(level.as_str()), level.as_str()));
    html! {
        nav.filters aria-label="Filters" {
            span {
                @for (status, name) in statuses {
                    (choice(&IncidentQuery { status: status.map(str::to_owned), ..asked.clone() }, asked, name))
                }
            }
            span {
                (choice(&IncidentQuery { severity: None, ..asked.clone() }, asked, "any severity"))
                @for (level, name) in levels {
                    (choice(&IncidentQuery { severity: level.map(str::to_owned), ..asked.clone() }, asked, name))
                }
            }
            @if let Some(host) = &asked.host {
                span { "host " b { (host) } " " a href=(address(&IncidentQuery { host: None, ..asked.clone() }, None)) { "all hosts" } }
            }
        }
    }
}

fn choice(query: &IncidentQuery, asked: &IncidentQuery, name: &str) -> Markup {
    let here = (&query.status, &query.severity) == (&asked.status, &asked.severity);
    html! { a href=(address(query, None)) aria-current=[here.then_some("true")] { (name) } }
}

/// The address of the list as asked for, from `after` on. `status` is always in it, because the bare address means open ones.
fn address(asked: &IncidentQuery, after: Option<&str>) -> String {
    let status = asked.status.as_deref().unwrap_or("all");
    let mut address = format!("/?status={}", encoded(status));
    for (name, value) in [("severity", asked.severity.as_deref()), ("host", asked.host.as_deref()), ("after", after)] {
        if let Some(value) = value {
            address.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    address
}

/// Percent-encoded, all but the letters and digits that need no thought.
fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

fn nothing(asked: &IncidentQuery, sensors: usize) -> Markup {
    let filtered = asked.severity.is_some() || asked.host.is_some() || asked.after.is_some();
    html! {
        div.nothing {
            @if filtered {
                p { "No incident is like that." }
                p { a href="/" { "Show all open incidents" } }
            } @else if sensors == 0 {
                p { "No sensor has joined yet, so nothing is being watched." }
                p { "This makes a token and prints the command to run on the host you want to watch:" }
                (layout::command("bongsu sensor token create"))
            } @else {
                p { "All quiet. " (counted(sensors, "sensor watches", "sensors watch")) "." }
                p { a href="/sensors" { "See what they see and what they lost" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_stays_while_paging() {
        let asked =
            IncidentQuery { host: Some("web 1&x".into()), severity: Some("high".into()), ..IncidentQuery::default() };
        assert_eq!(address(&asked, Some("BGS-7")), "/?status=all&severity=high&host=web%201%26x&after=BGS-7");
    }
}

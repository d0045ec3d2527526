//! `bongsu incident`: what happened.

mod story;

use bongsu_api::{Incident, IncidentSummary, Page};

use crate::{
    args::{Format, IncidentList, IncidentVerb, Status},
    client::{Client, RequestError},
    exit::Exit,
    failure::Failure,
    output::{self, fires, safe, to_the_minute},
};

/// As many as one request may ask for.
const PAGE_MAX: u32 = 200;

pub(crate) async fn run(verb: IncidentVerb, format: Format, client: &Client) -> Result<Exit, Failure> {
    match verb {
        IncidentVerb::List(asked) => {
            let items = list(&asked, client).await?;
            output::list(format, &items, ["ID", "SEVERITY", "SCORE", "STATUS", "HOSTS", "LAST SEEN", "TITLE"], row)?;
        }
        IncidentVerb::Show { id } => {
            let incident: Incident = client.get(&["incidents", &full_id(&id)], &[]).await?;
            output::one(format, &incident, story::tell)?;
        }
    }
    Ok(Exit::Done)
}

async fn list(asked: &IncidentList, client: &Client) -> Result<Vec<IncidentSummary>, RequestError> {
    let severity = asked.severity.map(|severity| severity.to_string());
    let status = asked.status.map(|status| match status {
        Status::Open => "open",
        Status::Closed => "closed",
    });
    let asked_for = [("status", status), ("severity", severity.as_deref()), ("host", asked.host.as_deref())];
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let wanted =
            asked.limit.saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX)).min(PAGE_MAX).to_string();
        let query: Vec<_> = asked_for
            .into_iter()
            .chain([("after", after.as_deref()), ("limit", Some(wanted.as_str()))])
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let page: Page<IncidentSummary> = client.get(&["incidents"], &query).await?;
        let empty = page.items.is_empty();
        items.extend(page.items);
        after = page.next;
        if empty || after.is_none() || items.len() >= asked.limit as usize {
            return Ok(items);
        }
    }
}

fn row(incident: &IncidentSummary) -> [String; 7] {
    [
        safe(&incident.id),
        format!("{} {}", fires(&incident.severity), safe(&incident.severity)),
        incident.score.to_string(),
        safe(&incident.status),
        safe(&incident.hosts.join(", ")),
        to_the_minute(&incident.last_seen),
        safe(&incident.title),
    ]
}

/// `1` and `bgs-1` mean `BGS-1`.
fn full_id(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { format!("BGS-{text}") } else { text.to_ascii_uppercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_may_be_named_by_its_number() {
        for name in ["7", "bgs-7", "BGS-7"] {
            assert_eq!(full_id(name), "BGS-7");
        }
    }
}

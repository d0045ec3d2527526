//! `bongsu event`: all that was seen.

use bongsu_api::{Page, TimelineEntry};

use crate::{
    args::{EventList, EventVerb, Format},
    client::{Client, RequestError},
    exit::Exit,
    failure::Failure,
    output::{self, safe},
};

/// As many as one request may ask for.
const PAGE_MAX: u32 = 1_000;

pub(crate) async fn run(verb: EventVerb, format: Format, client: &Client) -> Result<Exit, Failure> {
    let EventVerb::List(asked) = verb;
    let (items, more) = list(&asked, client).await?;
    output::list(format, &items, ["TIME (UTC)", "HOST", "ACTION", "USER", "WHAT HAPPENED"], row)?;
    if more && matches!(format, Format::Table) {
        output::complain(&format_args!("There are more than these {}: --limit shows them.", items.len()));
    }
    Ok(Exit::Done)
}

/// Parts of the list until there are enough, or no more; and whether there are more.
async fn list(asked: &EventList, client: &Client) -> Result<(Vec<TimelineEntry>, bool), RequestError> {
    let moment = |moment: &Option<crate::args::Moment>| moment.as_ref().map(|moment| moment.0.clone());
    let (since, until) = (moment(&asked.since), moment(&asked.until));
    let asked_for = [
        ("host", asked.host.as_deref()),
        ("action", asked.action.as_deref()),
        ("since", since.as_deref()),
        ("until", until.as_deref()),
        ("contains", asked.contains.as_deref()),
    ];
    let mut items: Vec<TimelineEntry> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let missing = asked.limit.saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX));
        let limit = missing.min(PAGE_MAX).to_string();
        let query: Vec<_> = asked_for
            .into_iter()
            .chain([("after", after.as_deref()), ("limit", Some(limit.as_str()))])
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let page: Page<TimelineEntry> = client.get(&["events"], &query).await?;
        items.extend(page.items);
        after = page.next;
        // A part may be empty and still have a next: it tells how far the correlator looked.
        if after.is_none() || items.len() >= asked.limit as usize {
            return Ok((items, after.is_some()));
        }
    }
}

fn row(event: &TimelineEntry) -> [String; 5] {
    // Milliseconds are enough to tell what came before what.
    let time: String = event.time.chars().take(23).collect();
    [
        safe(&time.replacen('T', " ", 1)),
        safe(&event.host),
        safe(&event.action),
        safe(event.user.as_deref().unwrap_or("-")),
        safe(&event.text),
    ]
}

//! `bongsu sensor`: the hosts' sensors, what they see and what they lost.

use bongsu_api::{JoinToken, Page, Sensor};

use crate::{
    args::{Format, SensorVerb, TokenVerb},
    client::Client,
    exit::Exit,
    failure::Failure,
    output::{self, safe, to_the_minute},
};

pub(crate) async fn run(verb: SensorVerb, format: Format, client: &Client) -> Result<Exit, Failure> {
    match verb {
        SensorVerb::List => {
            let page: Page<Sensor> = client.get(&["sensors"], &[]).await?;
            let head = ["HOST", "STATUS", "LAST SEEN", "HOOKS", "EVENTS", "LOST", "LEDGER", "VERSION", "ID"];
            output::list(format, &page.items, head, row)?;
        }
        SensorVerb::Token(TokenVerb::Create) => {
            let token: JoinToken = client.post(&["tokens"]).await?;
            output::one(format, &token, |token, _| {
                format!(
                    "Run this on the new host, as root, before {}; it works once:\n\n  {}\n",
                    safe(&token.expires_at),
                    safe(&token.command)
                )
            })?;
        }
    }
    Ok(Exit::Done)
}

fn row(sensor: &Sensor) -> [String; 9] {
    let attached = sensor.hooks.iter().filter(|hook| hook.rung != "none").count();
    let sum = |figure: fn(&bongsu_api::Ledger) -> u64| {
        sensor.ledgers.iter().map(figure).fold(0, u64::saturating_add).to_string()
    };
    let lost = |ledger: &bongsu_api::Ledger| {
        ledger.shed.iter().map(|shed| shed.count).fold(ledger.ring_lost, u64::saturating_add)
    };
    let ledger = match (sensor.ledgers.is_empty(), sensor.ledgers.iter().all(|ledger| ledger.balanced)) {
        (true, _) => "none yet",
        (false, true) => "balanced",
        (false, false) => "NOT BALANCED",
    };
    [
        safe(&sensor.host),
        safe(&sensor.status),
        sensor.last_seen.as_deref().map_or_else(|| "never".to_owned(), to_the_minute),
        format!("{attached}/{}", sensor.hooks.len()),
        sum(|ledger| ledger.stored),
        sum(lost),
        ledger.to_owned(),
        safe(&sensor.version),
        safe(&sensor.id),
    ]
}

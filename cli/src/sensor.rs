//! `bongsu sensor`: the hosts' sensors, what they see and what they lost.

use bongsu_api::{JoinToken, Ledger, Page, Sensor};

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
        SensorVerb::Show { sensor } => {
            let page: Page<Sensor> = client.get(&["sensors"], &[]).await?;
            let is_meant = |one: &&Sensor| one.id == sensor || one.host == sensor;
            let found: Vec<&Sensor> = page.items.iter().filter(is_meant).collect();
            match found[..] {
                [one] => output::one(format, one, |one, _| hooks(one))?,
                [] => return Err(Failure::NoSensor { sensor }),
                _ => return Err(Failure::ManySensors { sensor }),
            }
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

/// Where each hook stands, and what its programs cost where the kernel counted it.
fn hooks(sensor: &Sensor) -> String {
    let mut text = format!("{} ({}), kernel {}\n", safe(&sensor.host), safe(&sensor.status), safe(&sensor.kernel));
    if let Some(ledger) = sensor.ledgers.first() {
        let Ledger { kernel_emitted, ring_lost, suppressed, last_seq, stored, .. } = ledger;
        text.push_str(&format!(
            "events: {kernel_emitted} by the kernel, {ring_lost} lost there, {suppressed} left out by budgets; {last_seq} numbered, {stored} stored\n"
        ));
    }
    text.push('\n');
    let head = format!("{:<22} {:<18} {:>10} {:>7} {:>7}  RUNG", "HOOK", "PROGRAM", "RUNS", "NS/RUN", "MISSED");
    text.push_str(&head);
    text.push('\n');
    for hook in &sensor.hooks {
        if hook.programs.is_empty() {
            line(&mut text, &hook.name, "-", ["-", "-", "-"].map(str::to_owned), &hook.rung);
        }
        for (place, program) in hook.programs.iter().enumerate() {
            // Hook and rung once, beside the first of its programs.
            let (name, rung) = if place == 0 { (hook.name.as_str(), hook.rung.as_str()) } else { ("", "") };
            let ns = program.ns_per_run.map_or_else(|| "-".to_owned(), |ns| ns.to_string());
            line(&mut text, name, &program.name, [program.runs.to_string(), ns, program.missed.to_string()], rung);
        }
    }
    for hook in sensor.hooks.iter().filter(|hook| !hook.detail.is_empty()) {
        text.extend(["\n", &safe(&hook.name), ": ", &safe(&hook.detail)]);
    }
    text.push('\n');
    text
}

fn line(text: &mut String, hook: &str, program: &str, [runs, ns, missed]: [String; 3], rung: &str) {
    let line = format!("{:<22} {:<18} {runs:>10} {ns:>7} {missed:>7}  {}", safe(hook), safe(program), safe(rung));
    text.push_str(line.trim_end());
    text.push('\n');
}

fn row(sensor: &Sensor) -> [String; 9] {
    // What a kernel has nothing of is neither seen nor missed.
    let needed = || sensor.hooks.iter().filter(|hook| hook.rung != "needless");
    let attached = needed().filter(|hook| hook.rung != "none").count();
    let sum = |figure: fn(&Ledger) -> u64| sensor.ledgers.iter().map(figure).fold(0, u64::saturating_add).to_string();
    let lost = |ledger: &Ledger| ledger.shed.iter().map(|shed| shed.count).fold(ledger.ring_lost, u64::saturating_add);
    let ledger = match (sensor.ledgers.is_empty(), sensor.ledgers.iter().all(|ledger| ledger.balanced)) {
        (true, _) => "none yet",
        (false, true) => "balanced",
        (false, false) => "NOT BALANCED",
    };
    [
        safe(&sensor.host),
        safe(&sensor.status),
        sensor.last_seen.as_deref().map_or_else(|| "never".to_owned(), to_the_minute),
        format!("{attached}/{}", needed().count()),
        sum(|ledger| ledger.stored),
        sum(lost),
        ledger.to_owned(),
        safe(&sensor.version),
        safe(&sensor.id),
    ]
}

#[cfg(test)]
mod tests {
    use bongsu_api::{Hook, HookProgram};

    use super::*;

    #[test]
    fn hooks_are_shown_with_what_each_of_their_programs_costs() {
        let program =
            |name: &str, runs, ns_per_run, missed| HookProgram { name: name.into(), runs, ns_per_run, missed };
        let hook = |name: &str, rung: &str, detail: &str, programs: &[HookProgram]| Hook {
            name: name.into(),
            rung: rung.into(),
            detail: detail.into(),
            programs: programs.to_vec(),
        };
        let sensor = Sensor {
            id: "s".into(),
            host: "web\u{1b}[2J".into(),
            status: "online".into(),
            last_seen: None,
            kernel: "6.1".into(),
            version: "1".into(),
            hooks: vec![
                hook(
                    "accept",
                    "tracepoint:a,b",
                    "",
                    &[program("accept", 12, Some(450), 0), program("accept4", 0, None, 3)],
                ),
                hook("connect", "none", "refused\n", &[]),
            ],
            ledgers: vec![Ledger {
                epoch: 1,
                kernel_emitted: 9,
                read: 8,
                ring_lost: 1,
                suppressed: 30,
                last_seq: 8,
                stored: 7,
                spooled: 1,
                shed: Vec::new(),
                balanced: true,
                as_of: None,
            }],
        };
        insta::assert_snapshot!(hooks(&sensor), @r"
        web\x1b[2J (online), kernel 6.1
        events: 9 by the kernel, 1 lost there, 30 left out by budgets; 8 numbered, 7 stored

        HOOK                   PROGRAM                  RUNS  NS/RUN  MISSED  RUNG
        accept                 accept                     12     450       0  tracepoint:a,b
                               accept4                     0       -       3
        connect                -                           -       -       -  none

        connect: refused\x0a
        ");
    }
}

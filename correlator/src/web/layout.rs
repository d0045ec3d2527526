//! What all pages share: the frame, fires, times, techniques.

use std::fmt::Display;

use bongsu_api::Technique;
use bongsu_event::Severity;
use maud::{DOCTYPE, Markup, html};

/// Which part of the product a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Incidents,
    Sensors,
    /// Nobody is logged in, so there is nowhere to go.
    Outside,
}

/// A whole page. `title` is for the tab; the page brings its own heading.
pub(super) fn page(title: &str, place: Place, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Bongsu" }
                link rel="stylesheet" href="/static/style.css";
                link rel="icon" type="image/svg+xml" href="/static/beacon.svg";
            }
            body {
                svg.defs aria-hidden="true" {
                    symbol #fire viewBox="0 0 16 20" {
                        path d="M8 0c.5 3.3 2.4 4.6 3.9 6.6 1.5 1.9 2.6 3.8 2.6 6.4 0 4-2.9 7-6.5 7s-6.5-3-6.5-7c0-2.5 1-4.4 2.6-6 .2 1.5.8 2.5 1.8 3.1C5.6 6.8 5.9 3 8 0z" {}
                    }
                }
                @if place != Place::Outside {
                    header.top {
                        a.mark href="/" { (flame("lit")) "Bongsu" }
                        nav aria-label="Pages" {
                            (tab("/", "Incidents", place == Place::Incidents))
                            (tab("/sensors", "Sensors", place == Place::Sensors))
                        }
                        form method="post" action="/logout" { button.quiet { "Log out" } }
                    }
                }
                main { (body) }
            }
        }
    }
}

fn tab(path: &str, name: &str, here: bool) -> Markup {
    html! { a href=(path) aria-current=[here.then_some("page")] { (name) } }
}

fn flame(class: &str) -> Markup {
    html! { svg.fire.(class) aria-hidden="true" { use href="#fire" {} } }
}

/// One to five fires, as the beacon towers had them.
pub(super) fn fires(severity: &str) -> Markup {
    let lit = severity.parse::<Severity>().map_or(0, Severity::fires);
    html! {
        span.fires.(class(severity)) role="img" aria-label={ (severity) ", " (lit) " of 5 fires" } title=(severity) {
            @for place in 1..=5 { (flame(if place <= lit { "lit" } else { "out" })) }
        }
    }
}

/// The class that colours by severity; only ever one of our own words.
pub(super) fn class(severity: &str) -> &'static str {
    match severity.parse::<Severity>() {
        Ok(Severity::Info) => "s1",
        Ok(Severity::Low) => "s2",
        Ok(Severity::Medium) => "s3",
        Ok(Severity::High) => "s4",
        Ok(Severity::Critical) => "s5",
        Err(_) => "s0",
    }
}

/// `2026-11-22 09:00:01 UTC`, exact in the attribute.
pub(super) fn time(time: &str) -> Markup {
    html! { time datetime=(time) title=(time) { (date(time)) " " (clock(time, 8)) " UTC" } }
}

/// `2026-11-22`.
pub(super) fn date(time: &str) -> &str {
    time.split_once('T').map_or("", |(date, _)| date)
}

/// `09:00:01.250` or less of it.
pub(super) fn clock(time: &str, characters: usize) -> String {
    let clock = time.split_once('T').map_or(time, |(_, clock)| clock);
    clock.trim_end_matches('Z').chars().take(characters).collect()
}

/// ATT&CK techniques, each a link to its description where the id has the form of one.
pub(super) fn techniques(techniques: &[Technique]) -> Markup {
    html! {
        @if !techniques.is_empty() {
            ul.chips aria-label="ATT&CK techniques" {
                @for technique in techniques {
                    li {
                        @match attack_path(&technique.id) {
                            Some(path) => a href={ "https://attack.mitre.org/techniques/" (path) "/" } rel="noreferrer noopener" { (technique_text(technique)) },
                            None => (technique_text(technique)),
                        }
                    }
                }
            }
        }
    }
}

fn technique_text(technique: &Technique) -> Markup {
    html! { b { (technique.id) } @if !technique.name.is_empty() { " " (technique.name) } }
}

/// `T1110.001` as `T1110/001`; nothing for what is not an id.
fn attack_path(id: &str) -> Option<String> {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let (technique, sub) =
        id.strip_prefix('T')?.split_once('.').map_or((&id[1..], None), |(one, two)| (one, Some(two)));
    match sub {
        None if digits(technique, 4) => Some(format!("T{technique}")),
        Some(sub) if digits(technique, 4) && digits(sub, 3) => Some(format!("T{technique}/{sub}")),
        _ => None,
    }
}

/// A command to copy: one click takes all of it.
pub(super) fn command(command: &str) -> Markup {
    html! { pre.command tabindex="0" { code { (command) } } }
}

/// `1 finding`, `2 findings`.
pub(super) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, one: &str, many: &str) -> String {
    format!("{count} {}", if count == N::from(1) { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_techniques_become_links() {
        assert_eq!(attack_path("T1110").as_deref(), Some("T1110"));
        assert_eq!(attack_path("T1110.001").as_deref(), Some("T1110/001"));
        for other in ["T111", "T1110.1", "T1110.001.1", "T1110/../..", "x", "", "T１１１０"] {
            assert_eq!(attack_path(other), None, "{other}");
        }
    }
}

//! The processes of an incident under their ancestors. As deep as the view lets trees be.

use bongsu_api::{Incident, ProcessNode};
use maud::{Markup, html};

use super::Places;

pub(super) fn section(incident: &Incident, places: &Places<'_>) -> Markup {
    html! {
        @if !incident.process_tree.is_empty() {
            section aria-labelledby="processes" {
                h2 #processes { "Processes" }
                div.scroll { (branch(&incident.process_tree, places)) }
            }
        }
    }
}

fn branch(nodes: &[ProcessNode], places: &Places<'_>) -> Markup {
    html! {
        ul.tree {
            @for node in nodes {
                li {
                    @if node.children.is_empty() { div.leaf { (process(node, places)) } } @else {
                        details open { summary { (process(node, places)) } (branch(&node.children, places)) }
                    }
                }
            }
        }
    }
}

fn process(node: &ProcessNode, places: &Places<'_>) -> Markup {
    html! {
        span.process.(places.colour(&node.finding_ids)) title=(node.executable) {
            code { @if node.command_line.is_empty() { (node.executable) } @else { (node.command_line) } }
            span.line { " " (node.pid) @if let Some(user) = &node.user { " · " (user) } }
            (places.cite(&node.event_ids))
        }
    }
}

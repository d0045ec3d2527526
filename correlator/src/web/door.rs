//! What somebody sees who is not logged in, and what nobody should see often.

use maud::{Markup, html};

use super::layout::{self, Place, page};

/// How to get in. `refused` says why what was tried did not work.
pub(super) fn login(refused: Option<&str>) -> Markup {
    let body = html! {
        div.door {
            h1 { "Log in to Bongsu" }
            @if let Some(refused) = refused { p.blind { (refused) } }
            p { "There is no password. You get in by a link that works once." }
            p { "The correlator printed one at its first start. This makes another, on the correlator's machine and as its user:" }
            (layout::command("bongsu-correlator link"))
            p.line {
                "The command line and other programs use a token instead: the file " code { "admin-token" } " in the state directory."
            }
        }
    };
    page("Log in", Place::Outside, &body)
}

/// Asks before the link is used up, so that a program that looks at links for people does not use it.
pub(super) fn confirm(secret: &str) -> Markup {
    let body = html! {
        div.door {
            h1 { "Log in to Bongsu" }
            p { "This link works once, and only in the browser that uses it." }
            form method="post" action={ "/login/" (secret) } { button.primary { "Log in" } }
        }
    };
    page("Log in", Place::Outside, &body)
}

/// A browser does not send our cookie when another site led here. Coming back from our own page, it does.
pub(super) fn come_back(path: &str) -> Markup {
    html! {
        (maud::DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content={ "0; url=" (path) };
                title { "Bongsu" }
            }
            body { p { a href=(path) { "Go on" } } }
        }
    }
}

/// A page for what went wrong.
pub(super) fn trouble(title: &str, sentence: &str) -> Markup {
    let body = html! {
        div.door { h1 { (title) } p { (sentence) } p { a href="/" { "To the incidents" } } }
    };
    page(title, Place::Outside, &body)
}

//! The one place that turns what the store holds into the types of the REST API.
//!
//! Owns the words: the sentence of an event, the names of techniques, blind spots. All but the loading is pure: rows in, API types
//! out. Every text that came from a host is escaped here, once, so that the API, the pages, the notifications and the terminal show
//! the same. Bounded: host strings are cut, trees have a depth, a timeline has a length.

mod blind_spot;
mod finding;
mod process_tree;
mod sentence;
mod technique;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;

//! Telling people: one Slack message per incident, by an incoming webhook.
//!
//! Owns what a message says and when it is posted. Decides by severity and score alone (promise 7). Every host string in it is
//! escaped for Slack. Bounded by the message's own limits and by the number of attempts; a message given up is counted and logged.

mod config;
mod message;
mod slack;
mod text;

pub(crate) use config::{Config, ConfigFile};
pub(crate) use slack::Slack;

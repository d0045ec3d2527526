//! The pages: the only room with HTML.
//!
//! Owns how things look to a person with a browser. Refuses scripts, styles from elsewhere and anything that is not its own
//! (the content security policy says so to the browser as well); works without JavaScript, from 360 px up, by day and night.

mod door;
mod incident;
mod incidents;
mod layout;
mod sensors;
#[cfg(test)]
mod tests;

//! `bongsu-correlator`: joins what the sensors see into incidents.

#![allow(dead_code, reason = "the rooms below are being joined; goes away with the wiring in app.rs")]

mod advise;
mod api;
mod authority;
mod clock;
mod courier;
mod deliver;
mod evidence;
mod export;
mod intake;
mod notify;
mod store;
mod view;
mod web;

fn main() {}

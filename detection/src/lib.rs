//! The pure engines: rules, sequences, anomaly scoring, incident grouping. (event, time) in, findings out.
//!
//! No tokio, no clock, no files, no network: what comes out depends on what went in and on nothing else.

pub mod entity;
mod finding;
pub mod sequence;
#[expect(dead_code, reason = "the rule compiler that reads it is being written")]
mod yaml;

pub use finding::{Detector, Entity, EvidenceWish, Finding, FindingId, ParseDetectorError};

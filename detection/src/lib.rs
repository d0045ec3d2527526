//! The pure engines: rules, sequences, anomaly scoring, incident grouping. (event, time) in, findings out.
//!
//! No tokio, no clock, no files, no network: what comes out depends on what went in and on nothing else.

pub mod anomaly;
mod engine;
pub mod entity;
mod finding;
pub mod incident;
pub mod rule;
pub mod sequence;
mod shipped;
pub mod trial;
mod yaml;

pub use engine::{Engine, Loaded, RuleFile};
pub use finding::{Detector, Entity, EvidenceWish, Finding, FindingId, ParseDetectorError};
pub use shipped::shipped;

//! The wire between sensor and correlator: the generated messages and the only conversions between them and
//! [`bongsu_event::Event`].
//!
//! This room refuses whatever breaks [`limits`], before it costs memory, and never makes what it would refuse to read.
//! What a sensor spools, what travels and what the correlator stores are the same bytes: [`convert::to_bytes`].

pub mod batch;
pub mod convert;
pub mod join_token;
pub mod limits;
mod scan;

/// The messages and services of `bongsu/v1/*.proto`, generated (see `tests/regenerate.rs`).
#[expect(missing_docs, unused_qualifications, clippy::all, reason = "generated")]
pub mod v1 {
    include!("gen/bongsu.v1.rs");
}

/// The protocol's version, as `Hello` says it.
pub const PROTOCOL: u32 = 1;

//! The harness: real programs, real attacks, and what it takes to tell whether they did what they promise.

pub mod attack;
pub mod noop;
pub mod programs;
pub mod wait;

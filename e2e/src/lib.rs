//! The harness: real programs, real attacks, and what it takes to tell whether they did what they promise.

pub mod attack;
pub mod child;
pub mod noop;
pub mod programs;
pub mod storm;
pub mod usage;
pub mod wait;

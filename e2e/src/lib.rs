//! The harness: real programs, real attacks, and what it takes to tell whether they did what they promise.

pub mod attack;
pub mod child;
pub mod console;
pub mod noop;
pub mod ordinary;
pub mod programs;
pub mod storm;
pub mod stored;
pub mod usage;
pub mod wait;

//! The harness: real programs, real attacks, and what it takes to tell whether they did what they promise.

pub mod attack;
pub mod child;
pub mod console;
pub mod container;
pub mod containers;
pub mod ecs;
pub mod elasticsearch;
pub mod kernel_time;
pub mod llm;
pub mod noop;
pub mod ordinary;
pub mod peer;
pub mod programs;
pub mod receiver;
pub mod site;
pub mod slack;
pub mod stored;
pub mod storm;
pub mod turn;
pub mod usage;
pub mod verdict;
pub mod wait;

//! The real programs in the real kernel, and real actions. Skipped, with the reason printed, only where there is no root or no BPF.

mod budget;
mod close;
mod connection;
mod exec;
mod figures;
mod file;
mod file_race;
mod flood;
mod lab;
mod lockdown;
mod login;
mod mount;
mod network;
mod packet;
mod place;
mod pod;
mod privilege;
mod process;
mod pulse;
mod soak;
mod storm;
mod tamper;
mod tree;
mod uring;

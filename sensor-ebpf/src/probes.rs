//! One hook family a file.

mod exec;
mod exit;
mod fork;

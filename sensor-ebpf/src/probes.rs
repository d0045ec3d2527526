//! One hook family a file.
//!
//! System calls are watched as they return, one tracepoint for each call and nothing on the others' way. Calls made in the 32-bit mode of
//! a 64-bit kernel and operations of io_uring do not come by there: that is the limit of these rungs.

mod accept;
mod attribute;
mod bind;
mod bpf;
mod capabilities;
mod chmod;
mod chown;
mod close;
mod connect;
mod credentials;
mod delete;
mod exec;
mod exec_failed;
mod exit;
mod fork;
mod kexec;
mod link;
mod listen;
mod memory;
mod module;
mod mount;
mod mounting;
mod namespace;
mod open;
mod packet;
mod pam;
mod ptrace;
mod raw_socket;
mod rename;
mod set_name;
mod shell;
mod truncate;
mod uring;

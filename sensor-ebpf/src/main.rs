//! The programs that run in the kernel: small, bounded, no policy beyond the filters userland puts into maps.
//!
//! Each program turns one hook into one record of `bongsu-sensor-abi` and puts it into one of two rings. Where members of kernel
//! structs lie comes from [`globals::OFFSETS`], which the loader fills from the running kernel's BTF, so that one object serves
//! every kernel since 5.8.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod asked;
mod budget;
mod connection;
mod file;
mod globals;
mod held;
mod login;
mod maps;
mod packet;
mod pending;
mod pid;
mod place;
mod probes;
mod record;
mod socket;
mod tamper;
mod task;
mod walk;
mod writing;

/// The kernel checks this before it lets a program use the tracing helpers.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program from which this can be reached.
    loop {}
}

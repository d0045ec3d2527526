//! What the allocator keeps. It is glibc's, and made for programs that want memory back soon; a sensor wants to be small.

/// Blocks from this size on are mapped for themselves and go back to the system when they are freed. glibc's own threshold starts here
/// and moves up to the largest block it ever saw freed, and the reading of the kernel's type information frees blocks of megabytes.
#[cfg(target_env = "gnu")]
const MAPPED_FROM: libc::c_int = 128 * 1024;

/// An arena more than one, as there are two sides that work at the same time: the reader and the spool. glibc makes one for each thread.
#[cfg(target_env = "gnu")]
const ARENAS: libc::c_int = 2;

/// Sets the bounds. To be called before there are threads.
pub(crate) fn bound() {
    #[cfg(target_env = "gnu")]
    for (what, value) in [(libc::M_ARENA_MAX, ARENAS), (libc::M_MMAP_THRESHOLD, MAPPED_FROM)] {
        // SAFETY: mallopt takes two numbers and touches the allocator's own settings only, under its own lock.
        let taken = unsafe { libc::mallopt(what, value) };
        debug_assert_eq!(taken, 1, "glibc knows both");
    }
}

/// Gives what is free back to the system, once something large is gone.
pub(crate) fn release() {
    // SAFETY: malloc_trim may be called at any time from any thread; it gives away only what nobody has.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

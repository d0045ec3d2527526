//! The read-only globals that the loader sets before it loads the programs.

use bongsu_sensor_abi::{Offsets, Settings};

/// Where members lie in this kernel's structs.
#[unsafe(no_mangle)]
pub(crate) static OFFSETS: Offsets = Offsets::UNKNOWN;

/// What else differs from one run to the next.
#[unsafe(no_mangle)]
pub(crate) static SETTINGS: Settings = Settings::UNKNOWN;

/// The offset of a member, as it is at run time.
///
/// Volatile, or the compiler would put in the placeholder that stands in the object. The verifier knows the frozen value and
/// treats it as a constant.
macro_rules! offset {
    ($field:ident) => {{
        // SAFETY: reading a static.
        let offset = unsafe { core::ptr::read_volatile(&raw const $crate::globals::OFFSETS.$field) };
        offset as u64
    }};
}

/// A setting, as it is at run time.
macro_rules! setting {
    ($field:ident) => {{
        // SAFETY: reading a static.
        unsafe { core::ptr::read_volatile(&raw const $crate::globals::SETTINGS.$field) }
    }};
}

pub(crate) use {offset, setting};

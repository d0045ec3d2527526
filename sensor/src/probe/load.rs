//! From the embedded object to programs that can be attached.

use aya::{Ebpf, EbpfError, EbpfLoader};
use bongsu_sensor_abi::Record;

use super::offsets::{Layout, OffsetsError};

/// The kernel programs, compiled by `cargo xtask ebpf` and put here by build.rs; empty when there were none.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/kernel-programs"));

/// Why the kernel programs could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// Nothing to load.
    #[error("this sensor was built without its kernel programs: run cargo xtask ebpf, then build again")]
    NoPrograms,
    /// Nothing to adapt them to.
    #[error("cannot fit the kernel programs to this kernel")]
    Offsets(#[from] OffsetsError),
    /// /sys does not say.
    #[error("cannot tell how many processors there may be")]
    Cpus(#[source] std::io::Error),
    /// The kernel would not have the maps, or the object is broken.
    #[error("cannot load the kernel programs (root, or CAP_BPF with CAP_PERFMON and CAP_SYS_ADMIN, is needed)")]
    Refused(#[source] EbpfError),
}

/// Creates the maps and sets the globals; no program is loaded yet. The kernel's BTF is not asked: what the programs need of it is in
/// `layout`.
pub(crate) fn load(layout: &Layout) -> Result<Ebpf, LoadError> {
    if OBJECT.is_empty() {
        return Err(LoadError::NoPrograms);
    }
    let cpus = aya::util::nr_cpus().map_err(|(_, error)| LoadError::Cpus(error))?;
    let cpus = u32::try_from(cpus).unwrap_or(u32::MAX);
    EbpfLoader::new()
        .map_max_entries("SCRATCH", cpus.saturating_mul(2))
        .map_max_entries("BUSY", cpus)
        .btf(None)
        .override_global("OFFSETS", layout.offsets.as_bytes(), true)
        .override_global("SETTINGS", layout.settings.as_bytes(), true)
        .load(OBJECT)
        .map_err(LoadError::Refused)
}

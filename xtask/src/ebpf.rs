//! Builds the kernel programs, by the toolchain that set-up found.

mod stack;

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::{
    command::{root, run, say, target_dir},
    setup::{BpfToolchain, Tools},
};

/// The processor that the other verbs build for, as compilers name it.
const NATIVE: &str = "x86_64";

/// Builds `sensor-ebpf` and puts the object where `sensor/build.rs` embeds it from.
pub(crate) fn build(tools: &Tools) -> Result<()> {
    build_for(tools, NATIVE).map(drop)
}

/// The same for kernels of that processor: the kernel's registers differ. Says where the object lies.
pub(crate) fn build_for(tools: &Tools, processor: &str) -> Result<PathBuf> {
    let BpfToolchain { cargo, rustc, .. } = &tools.bpf;
    // A target directory of its own: another rustc builds here, and sharing one would make each rebuild the other's work.
    let target = target_dir().join(if processor == NATIVE {
        "ebpf-build".to_owned()
    } else {
        format!("ebpf-build-{processor}")
    });
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--locked", "--package", "bongsu-sensor-ebpf", "--profile", "ebpf"])
        .args(["-Zbuild-std=core", "--target", "bpfel-unknown-none"])
        .env("RUSTC", rustc)
        // Debian's compiler is a stable one that carries its own rust-src; -Zbuild-std wants leave to be unstable.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", &target)
        .env("PATH", tools.path_with_linker()?)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            [
                "-Clinker=bpf-linker",
                "-Cdebuginfo=2",
                "-Clink-arg=--btf",
                &format!("--cfg=bpf_target_arch={processor:?}"),
                // The same programs from every checkout.
                &format!("--remap-path-prefix={}=.", root().display()),
            ]
            .join("\u{1f}"),
        )
        // Incremental builds make other programs of the same source.
        .env("CARGO_INCREMENTAL", "0")
        // What rustup and cargo set for this process would lead the other cargo astray.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER");
    run(&mut command).context("cannot build the kernel programs")?;

    let built = target.join("bpfel-unknown-none/ebpf/bongsu-sensor-ebpf");
    let object = object_path(processor);
    fs::create_dir_all(object.parent().expect("the object lies in a directory"))?;
    let bytes = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    stack::check(&bytes)?;
    // Written only when it changed, so that the sensor is not rebuilt for nothing.
    if fs::read(&object).ok().as_deref() != Some(&bytes) {
        fs::write(&object, &bytes).with_context(|| format!("cannot write {}", object.display()))?;
        say(&format!("kernel programs built: {} KiB", bytes.len() / 1024));
    }
    Ok(object)
}

/// Where the object lies; the native one where `sensor/build.rs` looks for it.
fn object_path(processor: &str) -> PathBuf {
    let folder = if processor == NATIVE { "ebpf".to_owned() } else { format!("ebpf-{processor}") };
    root().join("target").join(folder).join("bongsu-sensor-ebpf")
}

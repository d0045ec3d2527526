//! Puts the kernel programs into the sensor, so that one file is all a host needs.
//!
//! They are compiled by another compiler for another target (`cargo xtask ebpf`) and lie in `target/ebpf` of the checkout, or where
//! BONGSU_EBPF_OBJECT says. Where there are none the sensor is built all the same and says at run time what it lacks: checks and
//! work on the other rooms need no eBPF toolchain.

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it for build scripts"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it for build scripts"));
    let folder = manifest.parent().expect("a member of the workspace lies in its folder").join("target/ebpf");
    let stdout = &mut io::stdout();
    let say = |stdout: &mut io::Stdout, line: String| io::Write::write_all(stdout, format!("{line}\n").as_bytes());

    say(stdout, "cargo::rerun-if-env-changed=BONGSU_EBPF_OBJECT".to_owned())?;
    let object = match env::var_os("BONGSU_EBPF_OBJECT") {
        Some(path) => {
            let path = PathBuf::from(path);
            say(stdout, format!("cargo::rerun-if-changed={}", path.display()))?;
            path
        }
        None => {
            // The folder and not the file: cargo takes a file that is not there for one that always changes.
            fs::create_dir_all(&folder)?;
            say(stdout, format!("cargo::rerun-if-changed={}", folder.display()))?;
            folder.join("bongsu-sensor-ebpf")
        }
    };
    let bytes = match fs::read(&object) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    fs::write(out.join("kernel-programs"), bytes)
}

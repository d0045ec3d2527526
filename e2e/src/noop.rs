//! The smallest static program there is: it ends at once with code 0. Written here byte by byte, so that a storm of it needs no
//! compiler and measures the kernel and the sensor, not a dynamic linker.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

/// `mov eax, 60 (exit); xor edi, edi; syscall`.
#[cfg(target_arch = "x86_64")]
const CODE: [u8; 9] = [0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05];
#[cfg(target_arch = "x86_64")]
const MACHINE: u16 = 62;

/// `mov x8, 93 (exit); mov x0, 0; svc 0`.
#[cfg(target_arch = "aarch64")]
const CODE: [u8; 12] = [0xa8, 0x0b, 0x80, 0xd2, 0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4];
#[cfg(target_arch = "aarch64")]
const MACHINE: u16 = 183;

const HEADERS: u64 = 64 + 56;
const BASE: u64 = 0x40_0000;

/// Writes the program to `path`, executable by everybody.
///
/// # Errors
/// As writing a file and changing its mode.
pub fn write(path: &Path) -> io::Result<()> {
    fs::write(path, image())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// An ELF64 executable with one loadable segment that holds the headers and the code (System V ABI, chapters 4 and 5).
fn image() -> Vec<u8> {
    let size = HEADERS + CODE.len() as u64;
    let mut elf = Vec::new();
    elf.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    for half in [2_u16, MACHINE] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend(1_u32.to_le_bytes());
    for word in [BASE + HEADERS, 64, 0] {
        elf.extend(word.to_le_bytes()); // entry, program headers, no section headers
    }
    elf.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 64, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    for word in [1_u32, 5] {
        elf.extend(word.to_le_bytes()); // PT_LOAD, readable and executable
    }
    for word in [0, BASE, BASE, size, size, 0x1000] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(CODE);
    elf
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_smallest_program_starts_and_ends_with_code_0() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("noop");
        write(&path).unwrap();
        assert_eq!(Command::new(&path).arg("one").status().unwrap().code(), Some(0));
    }
}

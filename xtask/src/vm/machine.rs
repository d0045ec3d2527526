//! The emulated machines: which processor, and what of Debian and QEMU goes with it.

use std::{path::Path, process::Command};

use super::{configuration::Configuration, kernel::Kernel};

/// All tests take three minutes in a guest, most of them for starting 10,000 programs; a busy machine may need several times that.
const DEADLINE_SECONDS: &str = "1200";

/// A kind of machine.
pub(super) struct Machine {
    /// The processor, as compilers name it.
    pub(super) processor: &'static str,
    /// The same in Debian's words.
    pub(super) debian: &'static str,
    /// The package with its emulator.
    pub(super) package: &'static str,
    emulator: &'static str,
    /// The board.
    board: &'static [&'static str],
    /// The first serial port.
    console: &'static str,
}

pub(super) const MACHINES: [Machine; 2] = [
    Machine {
        processor: "x86_64",
        debian: "amd64",
        package: "qemu-system-x86",
        emulator: "qemu-system-x86_64",
        board: &["-cpu", "max"],
        console: "ttyS0",
    },
    Machine {
        processor: "aarch64",
        debian: "arm64",
        package: "qemu-system-arm",
        emulator: "qemu-system-aarch64",
        // Signing pointers as the architecture says takes the emulator most of its time.
        board: &["-machine", "virt", "-cpu", "max,pauth-impdef=on"],
        console: "ttyAMA0",
    },
];

impl Machine {
    /// Whether this machine is of that kind: then the guest has its programs and tests.
    pub(super) fn is_native(&self) -> bool {
        self.processor == std::env::consts::ARCH
    }

    /// The emulator with that kernel, started in that way; its console goes to `log`.
    pub(super) fn start(&self, kernel: &Kernel, way: &Configuration, initramfs: &Path, log: &Path) -> Command {
        let mut machine = Command::new("timeout");
        machine
            .args(["--foreground", "--kill-after=10", DEADLINE_SECONDS, self.emulator])
            .args(self.board)
            // One processor: attaching patches the kernel's running text, and the emulator loses that race between two.
            .args(["-accel", "tcg", "-smp", "1", "-m", "1536"])
            .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial"])
            .arg(format!("file:{}", log.display()))
            .arg("-kernel")
            .arg(&kernel.image)
            .arg("-initrd")
            .arg(initramfs)
            .arg("-append")
            .arg(format!(
                "console={} quiet oops=panic panic=-1 suite={} {}",
                self.console,
                way.suite.name(),
                way.parameters
            ));
        machine
    }
}

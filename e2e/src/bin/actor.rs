//! The harmless programs of the demo's attack, all in one file that takes its part from the name it is called by:
//!
//! - `nginx`: stands for a web server with a hole: runs what it is given through a shell, as a web shell would;
//! - `loader`: copies the file it is given into memory and runs it from there;
//! - `implant`: calls home (a listener on the loopback), then runs the set-uid program it is given;
//! - `backup-helper`: set-uid root; opens /etc/shadow, reads one byte, and says nothing of it.
//!
//! Nothing here harms: it reads one byte it forgets, and speaks only to 127.0.0.1.

use std::{
    env,
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use nix::sys::memfd::{MFdFlags, memfd_create};

fn main() -> Result<ExitCode> {
    let mut arguments = env::args_os();
    let called = arguments.next().context("a program has a name")?;
    let rest: Vec<_> = arguments.collect();
    match Path::new(&called).file_name().map(OsStrExt::as_bytes) {
        Some(b"nginx") => {
            let status = Command::new("/bin/sh").arg("-c").args(&rest).status()?;
            Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
        }
        Some(b"loader") => {
            let [file, rest @ ..] = rest.as_slice() else { bail!("usage: loader FILE [ARGUMENT ...]") };
            let mut image = File::from(memfd_create(c"kworker", MFdFlags::empty())?);
            image.write_all(&fs::read(file)?)?;
            let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&image));
            Err(Command::new(path).arg0("implant").args(rest).exec().into())
        }
        Some(b"implant") => {
            let [home, next @ ..] = rest.as_slice() else { bail!("usage: implant ADDRESS [PROGRAM ...]") };
            call_home(home.to_str().context("the address is not text")?)?;
            let [program, arguments @ ..] = next else { return Ok(ExitCode::SUCCESS) };
            let status = Command::new(program).args(arguments).status()?;
            Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some(b"backup-helper") => {
            let mut byte = [0];
            File::open("/etc/shadow")?.read_exact(&mut byte)?;
            Ok(ExitCode::SUCCESS)
        }
        name => bail!("no part is called {:?}", name.map(String::from_utf8_lossy)),
    }
}

/// Says a word, and waits until the other side has closed.
fn call_home(address: &str) -> Result<()> {
    let mut home = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    home.write_all(b"here\n")?;
    home.read_to_end(&mut Vec::new())?;
    Ok(())
}

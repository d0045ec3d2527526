//! The demo's attack: every step is really done, on this machine, and none of them harms it.
//!
//! The account that is attacked exists on every Debian and Ubuntu (`backup`), cannot log in, and owns nothing but what is made here.
//!
//! ```text
//! auth.log   6 failed passwords for backup from 203.0.113.7, then one accepted
//! nginx (as backup)                       a copy of the actor; stands for a web server with a hole
//!   sh -c ...                             the shell it should never start
//!     stage.sh                            a script written to a temporary directory and made executable
//!       loader -> implant                 run from a memfd, so that no file holds it
//!         connects to a listener on 127.0.0.1
//!         backup-helper                   set-uid root
//!           opens /etc/shadow
//! ```

mod ground;
mod log;

use std::{
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};

pub use ground::Ground;
pub use log::AuthLog;

/// The account that is attacked.
pub const ACCOUNT: &str = "backup";

/// Where the attack comes from: an address that documentation owns (RFC 5737), so it is nobody's.
pub const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

/// How many passwords are tried before one fits.
pub const GUESSES: u32 = 6;

/// One step, as it is told before it is done.
#[derive(Debug, Clone, Copy)]
pub struct Step(pub &'static str);

/// Does it all; `tell` is called before each step.
///
/// # Errors
/// When a step could not be done: then the attack did not happen as told.
pub fn run(ground: &Ground, log: &mut AuthLog, mut tell: impl FnMut(Step)) -> Result<()> {
    tell(Step("guesses the password of an account over ssh until one fits"));
    for _ in 0..GUESSES {
        log.failed_password(ACCOUNT, ATTACKER)?;
    }
    log.accepted_password(ACCOUNT, ATTACKER)?;

    tell(Step("makes a web server start a shell"));
    tell(Step("writes a script to a temporary directory, makes it executable and runs it"));
    tell(Step("runs a program from memory, which connects out"));
    tell(Step("becomes root through a set-uid program and reads /etc/shadow"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on the loopback")?;
    let home = listener.local_addr()?;
    let call = thread::spawn(move || answer_one_call(&listener));
    web_server(ground, home)?;
    call.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Starts the web server of the story, whose hole runs the rest.
fn web_server(ground: &Ground, home: SocketAddr) -> Result<()> {
    let script = ground.path("stage.sh");
    let (loader, implant, helper) = (ground.path("loader"), ground.path("implant"), ground.path("backup-helper"));
    let payload = format!(
        "id >/dev/null; printf '#!/bin/sh\\n{} {} {home} {}\\n' > {script}; chmod +x {script}; {script}",
        loader.display(),
        implant.display(),
        helper.display(),
        script = script.display(),
    );
    let status = Command::new(ground.path("nginx"))
        .arg(payload)
        .uid(ground.uid())
        .gid(ground.gid())
        .current_dir(ground.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("cannot start the web server of the story")?;
    if !status.success() {
        bail!("the attack did not get through: its web server ended with {status}");
    }
    Ok(())
}

fn answer_one_call(listener: &TcpListener) -> Result<()> {
    let (call, _) = listener.accept().context("nobody called home")?;
    let mut word = String::new();
    BufReader::new(call).read_line(&mut word)?;
    if word != "here\n" {
        bail!("somebody else called: {word:?}");
    }
    Ok(())
}

//! The opener: a second process of the sensor, which alone may look at other users' processes.
//!
//! Landlock forbids whoever is confined by it to look at processes that are not: no /proc/PID/exe, cwd or ns for them. The sensor wants these
//! (images as evidence; processes that no record explained) and wants to be confined. So a child, made before anything is in memory,
//! keeps CAP_SYS_PTRACE, and opens for the sensor what it names by a pid and one of a few words. It parses nothing, has no network, starts
//! nothing and opens for reading only; the sensor has no such right any more.
//!
//! ```text
//! sensor -- what, pid --> opener -- error, or the link's text, or an open descriptor --> sensor
//! ```
//! It ends when the sensor does, which the closed socket tells; when it ends before, the sensor ends with an error.
//! Before [`Opener::hand_over`], and where there is none (tests, the verb `probes`), the same is done without it.

mod serve;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    sync::{Mutex, OnceLock, PoisonError},
};

use nix::unistd::{ForkResult, fork};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, SocketType, recvmsg,
    send, socketpair,
};

/// The kernel's longest path.
const TEXT_MAX: usize = 4096;
const REQUEST_BYTES: usize = 5;
const ERROR_BYTES: usize = 4;

/// What can be asked of a process, by the words of /proc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Executable,
    Directory,
    MountNamespace,
    PidNamespace,
    NetNamespace,
    UserNamespace,
}

/// In the order of their numbers on the socket.
const LINKS: [Link; 6] = [
    Link::Executable,
    Link::Directory,
    Link::MountNamespace,
    Link::PidNamespace,
    Link::NetNamespace,
    Link::UserNamespace,
];
/// The number that asks for the image itself.
const IMAGE: u8 = 0xff;

/// The process that does it; there is at most one.
static IN_FORCE: OnceLock<Opener> = OnceLock::new();

/// Our end.
#[derive(Debug)]
pub(crate) struct Opener {
    /// One question at a time: the answer to it is the next that comes.
    socket: Mutex<OwnedFd>,
}

impl Link {
    fn path(self, pid: u32) -> String {
        let name = match self {
            Self::Executable => "exe",
            Self::Directory => "cwd",
            Self::MountNamespace => "ns/mnt",
            Self::PidNamespace => "ns/pid",
            Self::NetNamespace => "ns/net",
            Self::UserNamespace => "ns/user",
        };
        format!("/proc/{pid}/{name}")
    }
}

/// Where a link of a process leads, or its text.
pub(crate) fn link(pid: u32, link: Link) -> io::Result<Vec<u8>> {
    match IN_FORCE.get() {
        Some(opener) => {
            let number = LINKS.iter().position(|known| *known == link).and_then(|at| u8::try_from(at).ok());
            Ok(opener.ask(number.ok_or(io::ErrorKind::InvalidInput)?, pid)?.0)
        }
        None => read_link(pid, link),
    }
}

/// The image of the process with this pid, open for reading.
pub(crate) fn image(pid: u32) -> io::Result<File> {
    match IN_FORCE.get() {
        Some(opener) => {
            let (_, image) = opener.ask(IMAGE, pid)?;
            image.map(File::from).ok_or_else(|| io::Error::other("the opener sent no image"))
        }
        None => open_image(pid),
    }
}

fn read_link(pid: u32, link: Link) -> io::Result<Vec<u8>> {
    fs::read_link(link.path(pid)).map(|path| path.into_os_string().into_vec())
}

fn open_image(pid: u32) -> io::Result<File> {
    File::open(Link::Executable.path(pid))
}

/// Makes the process. To be called while this one has a single thread, and nothing in memory that the other should not have.
pub(crate) fn start() -> io::Result<Opener> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    // SAFETY: there is one thread, so the child finds no lock held by another that it lacks.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(ours);
            serve::run(&theirs)
        }
        ForkResult::Parent { .. } => {
            drop(theirs);
            let opener = Opener { socket: Mutex::new(ours) };
            // Its first word: whether it gave its rights up.
            opener.answer().map(|_| opener)
        }
    }
}

impl Opener {
    /// From now on it does what this process cannot any more.
    pub(crate) fn hand_over(self) {
        // A second one would only be dropped, and end.
        let (Ok(()) | Err(_)) = IN_FORCE.set(self);
    }

    fn ask(&self, what: u8, pid: u32) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
        let [a, b, c, d] = pid.to_le_bytes();
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        send(&*socket, &[what, a, b, c, d], SendFlags::NOSIGNAL)?;
        receive(&socket)
    }

    fn answer(&self) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
        receive(&self.socket.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn receive(socket: &OwnedFd) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = vec![0; ERROR_BYTES + TEXT_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let buffer = &mut [IoSliceMut::new(&mut bytes)];
        match recvmsg(socket, buffer, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?.bytes,
        }
    };
    let image = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    bytes.truncate(received);
    let Some((error, text)) = bytes.split_first_chunk::<ERROR_BYTES>() else {
        return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the opener is gone"));
    };
    match i32::from_le_bytes(*error) {
        0 => Ok((text.to_vec(), image)),
        number => Err(io::Error::from_raw_os_error(number)),
    }
}

//! Steps of the kernel's file system layer that come to nothing.
//!
//! Calls that fail do not reach the functions that hooks may stand on: those are entered with a file in hand. So the steps here get as far as
//! these functions, and there either fail by the nature of what they are done to (a directory) or leave everything as it was.
//!
//! Whether a step got there is seen in how it ended. One that ended in another way, stopped on its way by a read-only mount, a missing right or
//! a security module, says nothing of any hook.

use std::{
    ffi::{CStr, CString},
    fs, io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    io::Errno,
};

/// A step. Making a symbolic link is not among them: nothing makes one fail that late on every file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touch {
    /// Of a directory, which unlink(2) does not remove.
    Unlink,
    /// Of a directory to the name it has, which by definition does nothing.
    Rename,
    /// Of a directory, which can have no second name.
    Link,
    /// Of memory of ours.
    Mode,
    /// Of memory of ours, to none.
    Owner,
    /// Of a directory, which has none that could be set.
    Length,
}

/// For a sensor without a folder. What unlinks and links here is stopped too early: those steps are not made then.
const FIXED: &CStr = c"/proc/self/fd";
/// What the sensor makes in its folder.
const NAME: &str = "pulse";

/// What the steps are done to.
pub(super) struct Touched {
    /// A directory.
    directory: CString,
    /// No file, in a directory of its own where the sensor has one.
    link: CString,
    memory: OwnedFd,
}

impl Touched {
    pub(super) fn new(folder: Option<&Path>) -> io::Result<Self> {
        let (directory, link) = match folder {
            Some(folder) => {
                let directory = folder.join(NAME);
                fs::create_dir_all(&directory)?;
                (c_string(&directory)?, c_string(&directory.join("link"))?)
            }
            None => (FIXED.to_owned(), c"/proc/self/fd/link".to_owned()),
        };
        Ok(Self { directory, link, memory: memfd_create(NAME, MemfdFlags::CLOEXEC)? })
    }

    /// Does it.
    ///
    /// # Errors
    /// When it did not get where it should have.
    pub(super) fn touch(&self, touch: Touch) -> io::Result<()> {
        let (directory, memory) = (self.directory.as_ptr(), self.memory.as_raw_fd());
        // SAFETY: the strings end with NUL, and the descriptor is open; none of these calls writes to our memory.
        let (returned, expected) = unsafe {
            match touch {
                Touch::Unlink => (libc::unlink(directory), Err(Errno::ISDIR)),
                Touch::Rename => (libc::rename(directory, directory), Ok(())),
                Touch::Link => (libc::link(directory, self.link.as_ptr()), Err(Errno::PERM)),
                Touch::Mode => (libc::fchmod(memory, 0o600), Ok(())),
                Touch::Owner => (libc::fchown(memory, libc::uid_t::MAX, libc::gid_t::MAX), Ok(())),
                Touch::Length => (libc::truncate(directory, 0), Err(Errno::ISDIR)),
            }
        };
        let error = io::Error::last_os_error();
        let ended = if returned == 0 { Ok(()) } else { Err(error.raw_os_error()) };
        if ended == expected.map_err(|errno| Some(errno.raw_os_error())) {
            return Ok(());
        }
        Err(if returned == 0 { io::Error::other("succeeded where it should not") } else { error })
    }
}

fn c_string(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

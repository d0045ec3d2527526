//! The other process: gives up its rights, then answers until nobody can ask any more.

use std::{
    fs::File,
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
};

use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg},
    thread::set_name,
};

use super::{IMAGE, LINKS, REQUEST_BYTES, open_image, read_link};
use crate::rights;

/// The error that is told when the system gave no number.
const UNKNOWN: i32 = libc::EIO;

/// Never returns: what lies above on the stack is the sensor's.
pub(super) fn run(socket: &OwnedFd) -> ! {
    let code = match prepare(socket) {
        Ok(()) => i32::from(answer_all(socket).is_err()),
        Err(error) => {
            tracing::error!(error = &*error as &dyn std::error::Error, "the opener cannot give up its rights");
            let (Ok(()) | Err(_)) = answer(socket, libc::EPERM, &[], None);
            1
        }
    };
    // SAFETY: ends this process at once, without what the sensor would do at its end.
    unsafe { libc::_exit(code) }
}

fn prepare(socket: &OwnedFd) -> Result<(), Box<dyn std::error::Error>> {
    // A service manager or a terminal tells every process of the service to stop; this one stops after the sensor, which still may ask.
    for told in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        // SAFETY: no handler is installed, so none can do what a handler must not.
        unsafe { signal(told, SigHandler::SigIgn) }?;
    }
    set_name(c"bongsu-opener")?;
    close_all_but(socket)?;
    rights::keep_for_opener()?;
    answer(socket, 0, &[], None)?;
    Ok(())
}

/// Nothing of the sensor's stays open here, but what it logs to.
fn close_all_but(socket: &OwnedFd) -> io::Result<()> {
    let kept = socket.as_raw_fd().cast_unsigned();
    for (first, last) in [(3, kept.saturating_sub(1)), (kept + 1, u32::MAX)] {
        if first > last {
            continue;
        }
        // SAFETY: nobody uses these descriptors any more: this process will end without looking at what it inherited.
        let result = unsafe { libc::syscall(libc::SYS_close_range, i64::from(first), i64::from(last), 0_i64) };
        match result {
            0 => {}
            // Kernels before 5.9. It was made first of all, so that there is hardly anything to close.
            _ if io::Error::last_os_error().raw_os_error() == Some(libc::ENOSYS) => {}
            _ => return Err(io::Error::last_os_error()),
        }
    }
    Ok(())
}

fn answer_all(socket: &OwnedFd) -> io::Result<()> {
    let mut request = [0; REQUEST_BYTES];
    loop {
        let length = match recv(socket, &mut request, RecvFlags::empty()) {
            Err(Errno::INTR) => continue,
            other => other?.0,
        };
        if length == 0 {
            // The sensor has ended.
            return Ok(());
        }
        let [what, pid @ ..] = request;
        let pid = u32::from_le_bytes(pid);
        let found = match what {
            _ if length != REQUEST_BYTES => Err(Errno::INVAL.into()),
            IMAGE => open_image(pid).map(|image| (Vec::new(), Some(image))),
            number => match LINKS.get(usize::from(number)) {
                Some(link) => read_link(pid, *link).map(|text| (text, None)),
                None => Err(Errno::INVAL.into()),
            },
        };
        match found {
            Ok((text, image)) => answer(socket, 0, &text, image.as_ref())?,
            Err(error) => answer(socket, error.raw_os_error().unwrap_or(UNKNOWN), &[], None)?,
        }
    }
}

fn answer(socket: &OwnedFd, error: i32, text: &[u8], image: Option<&File>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptor = image.map(|image| [image.as_fd()]);
    if let Some(descriptor) = &descriptor {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptor));
    }
    let error = error.to_le_bytes();
    sendmsg(socket, &[IoSlice::new(&error), IoSlice::new(text)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

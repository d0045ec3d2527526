//! Requests in from the socket on stdin, answers out on stdout, one at a time, until the correlator closes its end.

use std::{
    fs::File,
    io::{self, IoSliceMut, Write},
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use serde::Serialize;

use crate::{
    protocol::{ANSWER_BYTES_MAX, REQUEST_BYTES_MAX, Request},
    scan::{Engine, Health, failed},
};

/// Why serving ended before the correlator closed its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// Stdin is not what it should be.
    #[error(
        "cannot receive on stdin, which must be a SOCK_SEQPACKET socket: this program is started by bongsu-correlator"
    )]
    Receive(#[source] io::Error),
    /// The correlator is gone.
    #[error("cannot answer on stdout")]
    Answer(#[source] io::Error),
    /// An answer that breaks our own bounds.
    #[error("an answer of {0} bytes, more than the protocol allows")]
    AnswerTooLong(usize),
    /// The engine panicked; what it holds cannot be trusted any more.
    #[error("the engine broke down, and the worker ends with it")]
    Broken,
}

/// Serves until the correlator closes its end.
pub(crate) fn serve(stdin: BorrowedFd<'_>, out: &mut impl Write, engine: &mut Engine<'_>) -> Result<(), ServeError> {
    while let Some(packet) = receive(stdin).map_err(ServeError::Receive)? {
        let (response, health) = match packet {
            Packet::Scan(request, file) => engine.answer(&request, file),
            Packet::Refused(why) => (failed(0, why), Health::Sound),
        };
        send(out, &response)?;
        if health == Health::Broken {
            return Err(ServeError::Broken);
        }
    }
    Ok(())
}

/// Writes one answer with its length before it.
pub(crate) fn send(out: &mut impl Write, answer: &impl Serialize) -> Result<(), ServeError> {
    let body = serde_json::to_vec(answer).map_err(|error| ServeError::Answer(error.into()))?;
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= ANSWER_BYTES_MAX);
    let length = length.ok_or(ServeError::AnswerTooLong(body.len()))?;
    let write = |out: &mut dyn Write| {
        out.write_all(&length.to_be_bytes())?;
        out.write_all(&body)?;
        out.flush()
    };
    write(out).map_err(ServeError::Answer)
}

enum Packet {
    Scan(Request, File),
    Refused(&'static str),
}

/// The next packet; `None` when the other end is closed. A packet that is wrong spoils itself only: the socket keeps their borders.
fn receive(stdin: BorrowedFd<'_>) -> io::Result<Option<Packet>> {
    let mut bytes = [0; REQUEST_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match recvmsg(stdin, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    let mut files: Vec<OwnedFd> = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            files.extend(fds);
        }
    }
    if received.bytes == 0 && files.is_empty() {
        return Ok(None);
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Ok(Some(Packet::Refused("the request is longer than the protocol allows")));
    }
    let Ok(request) = serde_json::from_slice::<Request>(&bytes[..received.bytes]) else {
        return Ok(Some(Packet::Refused("the request is not one of this protocol")));
    };
    Ok(Some(match <[OwnedFd; 1]>::try_from(files) {
        Ok([file]) => Packet::Scan(request, file.into()),
        Err(_) => Packet::Refused("a request must carry exactly one open file"),
    }))
}

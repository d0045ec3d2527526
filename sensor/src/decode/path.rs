//! Paths as the records carry them: walks, names, and the two put together.

use bongsu_sensor_abi::PathText;
use bstr::{BString, ByteSlice};

use super::DecodeError;

/// Stands for the root end of a walk that was too deep to finish. No path contains it otherwise: the kernel has no empty component.
const CUT: &[u8] = b"//...";

/// The text behind a head, taken piece by piece.
pub(super) struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// What lies behind the head `H`.
    pub(super) fn behind<H>(bytes: &'a [u8]) -> Self {
        Self(bytes.get(size_of::<H>()..).unwrap_or_default())
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: u16) -> Result<&'a [u8], DecodeError> {
        let (piece, rest) = self.0.split_at_checked(usize::from(len)).ok_or(DecodeError::Text)?;
        self.0 = rest;
        Ok(piece)
    }
}

/// The absolute path of a walk: its components stand leaf first, each followed by NUL.
pub(super) fn walk(bytes: &[u8], cut: bool) -> BString {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let mut path = Vec::with_capacity(bytes.len() + 1 + CUT.len());
    if cut {
        path.extend_from_slice(CUT);
    }
    if !bytes.is_empty() {
        for component in bytes.rsplit_str(b"\0") {
            path.push(b'/');
            path.extend_from_slice(component);
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path.into()
}

/// A string with or without its NUL.
pub(super) fn string(bytes: &[u8]) -> BString {
    bytes.strip_suffix(b"\0").unwrap_or(bytes).into()
}

/// A path that is a walk, or a name seen from a walk.
pub(super) fn located(text: &mut Text<'_>, lens: PathText, cut: bool) -> Result<BString, DecodeError> {
    let directory = walk(text.take(lens.walk_len)?, cut);
    let name = string(text.take(lens.name_len)?);
    if lens.name_len == 0 {
        return Ok(directory);
    }
    // An absolute name comes with the walk to the process's root, to which it is relative.
    Ok(join(&directory, name.trim_start_with(|c| c == '/')))
}

/// `name` as seen from `directory`, with `.` and `..` taken out. Symbolic links are not followed: by now they may be others.
pub(super) fn join(directory: &[u8], name: &[u8]) -> BString {
    let start: &[u8] = if name.starts_with(b"/") { b"" } else { directory };
    let mut path: Vec<u8> = start.strip_suffix(b"/").unwrap_or(start).to_vec();
    for component in name.split_str(b"/") {
        match component {
            b"" | b"." => {}
            b".." => path.truncate(path.rfind_byte(b'/').unwrap_or(0)),
            _ => {
                path.push(b'/');
                path.extend_from_slice(component);
            }
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path.into()
}

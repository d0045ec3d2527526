//! Real container runtimes, started for one story in a room of their own and gone with it.
//!
//! They are Debian's (or Ubuntu's) packages, which `cargo xtask test` unpacks and nobody installs. There is no registry: the image is made here, of
//! a busybox.

mod containerd;
mod cri;
mod docker;
mod image;
mod room;

pub use containerd::{Containerd, Pod};
pub use docker::Docker;
pub use image::NAME as IMAGE;
pub use room::Room;

//! Two images in an archive as `docker save` writes it, with one layer: a busybox.

use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Room;

/// What it is called.
pub const NAME: &str = "bongsu.example/shop/web:1.27";
/// What holds pods together. An image of its own: runtimes do not tell two names of one image apart.
pub(super) const PAUSE: &str = "bongsu.example/pause:1";

/// Makes the archive in the room's folder, and gives its path.
pub(super) fn make(room: &Room) -> Result<PathBuf> {
    let (root, archive) = (room.path("image/root"), room.path("image/archive"));
    for folder in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::create_dir_all(&archive)?;
    fs::copy(room.busybox()?, root.join("bin/busybox"))?;
    for name in ["sh", "sleep", "true"] {
        symlink("busybox", root.join("bin").join(name))?;
    }
    let tar = |from: &PathBuf, to: &PathBuf| -> Result<()> {
        // Readers want the bare names, without the folder's own.
        let names = fs::read_dir(from)?.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
        let made = Command::new("tar").arg("-cf").arg(to).arg("-C").arg(from).args(names).output()?;
        ensure!(made.status.success(), "tar: {}", String::from_utf8_lossy(&made.stderr));
        Ok(())
    };
    let layer = archive.join("layer.tar");
    tar(&root, &layer)?;
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let diff = format!("sha256:{}", digest(&fs::read(&layer)?));
    let mut manifest = Vec::new();
    for name in [NAME, PAUSE] {
        let config = json!({
            "architecture": architecture, "os": "linux",
            "config": {"Cmd": ["/bin/sleep", "100000"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [diff]}, "history": [{"created_by": name}],
        })
        .to_string();
        let file = format!("{}.json", digest(config.as_bytes()));
        fs::write(archive.join(&file), &config)?;
        manifest.push(json!({"Config": file, "RepoTags": [name], "Layers": ["layer.tar"]}));
    }
    fs::write(archive.join("manifest.json"), Value::from(manifest).to_string())?;
    let image = room.path("image.tar");
    tar(&archive, &image)?;
    Ok(image)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

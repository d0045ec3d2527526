//! What Docker and Podman keep on disk of their containers.
//!
//! Asking them over their sockets would take the right to command them, which is root's; these files only have to be readable. They belong
//! to root, and only the runtime writes them: in whole and under another name first, so that nobody reads half of one. Environments and
//! secrets stand in them as well, and are passed over.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use serde::Deserialize;

use super::{Names, PodNames};

/// Of a file that is about one container.
const ONE_MAX: u64 = 1024 * 1024;
/// Of one that is about all.
const ALL_MAX: u64 = 16 * 1024 * 1024;
/// What the kubelet calls the container that holds a pod together, where it is one of Docker's.
const SANDBOX: &str = "POD";

#[derive(Deserialize)]
struct Docker {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Config")]
    config: DockerConfig,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(rename = "Image", default)]
    image: String,
    #[serde(rename = "Labels", default)]
    labels: Option<HashMap<String, String>>,
}

#[derive(Deserialize)]
struct Stored {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    /// JSON again.
    #[serde(default)]
    metadata: String,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(rename = "image-name", default)]
    image: String,
    /// CRI-O stores its containers in the same place and the same way, under names of its own making. It is to be asked itself.
    #[serde(rename = "pod-name", default)]
    pod: String,
}

/// What the container is called, by the files below a data directory of either; `None` when they do not know it.
pub(super) fn names(directory: &Path, id: &str) -> Option<Names> {
    // Ids are digits, and so no path leads elsewhere; this room does not rely on others for that.
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    docker(directory, id).or_else(|| podman(directory, id))
}

fn docker(directory: &Path, id: &str) -> Option<Names> {
    let path = directory.join("containers").join(id).join("config.v2.json");
    let Docker { id: own, name, config } = serde_json::from_slice(&read(&path, ONE_MAX)?).ok()?;
    if own != id {
        return None;
    }
    let mut labels = config.labels.unwrap_or_default();
    let pod = PodNames::labelled(&mut labels);
    let name = name.strip_prefix('/').unwrap_or(&name).to_owned();
    Some(match labels.remove("io.kubernetes.container.name").filter(|_| pod.is_some()) {
        Some(within) if within == SANDBOX => Names { pod, ..Names::default() },
        within => Names { name: within.unwrap_or(name), image: config.image, pod },
    })
}

fn podman(directory: &Path, id: &str) -> Option<Names> {
    let path = directory.join("overlay-containers/containers.json");
    let all: Vec<Stored> = serde_json::from_slice(&read(&path, ALL_MAX)?).ok()?;
    let stored = all.into_iter().find(|stored| stored.id == id)?;
    let metadata: Metadata = serde_json::from_str(&stored.metadata).unwrap_or_default();
    let name = stored.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    metadata.pod.is_empty().then_some(Names { name, image: metadata.image, pod: None })
}

/// The file, when it is there and no longer than it may be.
fn read(path: &Path, bytes_max: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if u64::try_from(bytes.len()).is_ok_and(|bytes| bytes <= bytes_max) => Some(bytes),
        Ok(_) => {
            tracing::debug!(path = %path.display(), bytes_max, "a file about containers is too long");
            None
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "a file about containers cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bstr::ByteSlice as _;
    use serde_json::json;

    use super::*;

    const ID: &str = "c0ffee0000000000000000000000000000000000000000000000000000000001";

    /// As Docker 20.10 and 28 write it, shortened.
    fn docker_file(labels: &serde_json::Value) -> Vec<u8> {
        json!({
            "State": {"Running": true, "Pid": 17}, "ID": ID, "Path": "/bin/sh", "Args": ["-c", "x"],
            "Config": {"Hostname": "c0ffee", "Env": ["SECRET=1"], "Image": "nginx:1.27", "Labels": labels},
            "Image": "sha256:ac62995fa70299360f009687741a8cb6253bb64f5a272f46584e6e806e6ed67e", "Name": "/shop-db",
        })
        .to_string()
        .into_bytes()
    }

    fn kept(path: &str, bytes: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        folder
    }

    fn of_docker(bytes: &[u8]) -> Option<Names> {
        names(kept(&format!("containers/{ID}/config.v2.json"), bytes).path(), ID)
    }

    fn of_podman(bytes: &[u8]) -> Option<Names> {
        names(kept("overlay-containers/containers.json", bytes).path(), ID)
    }

    #[test]
    fn dockers_containers_have_the_names_that_people_gave_them() {
        let expected = Names { name: "shop-db".to_owned(), image: "nginx:1.27".to_owned(), pod: None };
        assert_eq!(of_docker(&docker_file(&json!({"com.docker.compose.project": "shop"}))), Some(expected.clone()));
        assert_eq!(of_docker(&docker_file(&json!(null))), Some(expected));
    }

    #[test]
    fn pods_that_run_on_docker_are_known_by_the_kubelets_labels() {
        let labels = |name: &str| {
            json!({"io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.uid": "u",
                   "io.kubernetes.container.name": name})
        };
        let pod = Some(PodNames { uid: "u".to_owned(), name: "web-1".to_owned(), namespace: "shop".to_owned() });
        let container = Names { name: "nginx".to_owned(), image: "nginx:1.27".to_owned(), pod: pod.clone() };
        assert_eq!(of_docker(&docker_file(&labels("nginx"))), Some(container));
        assert_eq!(of_docker(&docker_file(&labels("POD"))), Some(Names { pod, ..Names::default() }));
    }

    #[test]
    fn podmans_containers_are_found_among_all_and_those_of_cri_o_are_left_to_it() {
        let all = |metadata: &str| {
            json!([{"id": "f".repeat(64), "names": ["other"], "metadata": "{}"},
                   {"id": ID, "names": ["shop-cache"], "image": "ac62", "metadata": metadata, "flags": {"MountLabel": ""}}])
            .to_string()
        };
        let named = |image: &str| Some(Names { name: "shop-cache".to_owned(), image: image.to_owned(), pod: None });
        let metadata = r#"{"image-name":"docker.io/library/redis:7","name":"shop-cache","created-at":1795375327}"#;
        assert_eq!(of_podman(all(metadata).as_bytes()), named("docker.io/library/redis:7"));
        assert_eq!(of_podman(all("not JSON").as_bytes()), named(""));
        assert_eq!(of_podman(all(r#"{"image-name":"x","pod-name":"k8s_web"}"#).as_bytes()), None);
    }

    #[test]
    fn what_is_not_as_it_should_be_names_nothing() {
        assert_eq!(of_docker(docker_file(&json!({})).replace(b"c0ffee00", b"decaf000").as_slice()), None, "of another");
        assert_eq!(of_docker(&docker_file(&json!({}))[..100]), None, "half of it");
        assert_eq!(of_docker(&vec![b' '; usize::try_from(ONE_MAX).unwrap() + 1]), None, "too long");
        assert_eq!(of_podman(b"{}"), None);
        let folder = kept("config.v2.json", &docker_file(&json!({})));
        assert_eq!(names(folder.path(), ".."), None, "no path");
        assert_eq!(names(&folder.path().join("nowhere"), ID), None);
    }
}

//! A container's id and a pod's, by the path of the cgroup.

use bongsu_event::Pod;
use bstr::{BString, ByteSlice};

use crate::runtime::Names;

/// Every common runtime (docker, containerd, CRI-O, podman) names the cgroup by an id of 64 hexadecimal digits, alone or as in
/// `docker-ID.scope` and `cri-containerd-ID.scope`. The innermost one counts: containers nest.
pub(super) fn id(cgroup: &[u8]) -> Option<BString> {
    const DIGITS: usize = 64;
    cgroup.rsplit_str("/").find_map(|component| {
        let name = component.strip_suffix(b".scope").unwrap_or(component);
        let id = name.get(name.len().checked_sub(DIGITS)?..)?;
        let alone = name.len() == DIGITS || name.get(name.len() - DIGITS - 1) == Some(&b'-');
        (alone && id.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))).then(|| id.into())
    })
}

/// The kubelet's cgroups: `kubepods[-QOS]-podUID.slice` with systemd's driver, which writes the UID's hyphens as underscores, or
/// `podUID` somewhere under `kubepods` with its own. A static pod's UID is a hash without hyphens. What the pod is called stands in no
/// cgroup; the runtime knows.
pub(super) fn pod(cgroup: &[u8]) -> Option<Pod> {
    let mut below = false;
    for component in cgroup.split_str("/") {
        let name = component.strip_suffix(b".slice").unwrap_or(component);
        below |= name == b"kubepods" || name.starts_with(b"kubepods-") || name.ends_with(b"-kubepods");
        let Some(at) = name.rfind(b"pod").filter(|at| below && (*at == 0 || name.get(at - 1) == Some(&b'-'))) else {
            continue;
        };
        let uid: Vec<u8> =
            name[at + b"pod".len()..].iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
        if is_pod_uid(&uid) {
            return Some(Pod { uid: uid.into(), ..Pod::default() });
        }
    }
    None
}

/// What the runtime says, beside the UID.
pub(crate) fn named(pod: &Pod, names: &Names) -> Pod {
    let Names { name, namespace, image } = names.clone();
    Pod { uid: pod.uid.clone(), name: name.into(), namespace: namespace.into(), image: image.into() }
}

fn is_pod_uid(uid: &[u8]) -> bool {
    let digits = uid.iter().filter(|byte| **byte != b'-').count();
    let hyphens = uid.len() - digits;
    digits == 32 && (hyphens == 0 || hyphens == 4) && uid.iter().all(|byte| *byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtimes_ways_of_naming_are_known() {
        let digits = "0123456789abcdef".repeat(4);
        let yes = [
            format!("/docker/{digits}"),
            format!("/docker/{digits}/init.scope"),
            format!("/system.slice/docker-{digits}.scope"),
            format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{digits}.scope"),
            format!("/machine.slice/libpod-{digits}.scope/container"),
        ];
        for cgroup in yes {
            assert_eq!(id(cgroup.as_bytes()), Some(BString::from(digits.clone())), "{cgroup}");
        }
        let no = ["/", "", "/user.slice/session-1.scope", &format!("/x{digits}"), &digits.to_uppercase()];
        for cgroup in no {
            assert_eq!(id(cgroup.as_bytes()), None, "{cgroup}");
        }
    }

    #[test]
    fn a_pod_is_known_by_both_cgroup_drivers() {
        let uid = "d5b1f7f4-0a3c-4c5e-9a52-0f5b6f3f1c11";
        let (flat, digits) = (uid.replace('-', "_"), "0123456789abcdef".repeat(4));
        let hash = &digits[..32];
        let yes = [
            (
                format!(
                    "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{flat}.slice/crio-{digits}.scope"
                ),
                uid,
            ),
            (format!("/kubepods.slice/kubepods-pod{flat}.slice/cri-containerd-{digits}.scope"), uid),
            (format!("/kubepods/burstable/pod{uid}/{digits}"), uid),
            (format!("/kubepods/pod{hash}/{digits}"), hash),
            (format!("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{flat}.slice/x.scope"), uid),
        ];
        for (cgroup, uid) in yes {
            assert_eq!(pod(cgroup.as_bytes()).map(|pod| pod.uid), Some(BString::from(uid)), "{cgroup}");
        }
        let no =
            ["/", "/kubepods.slice", "/kubepods/podinfo", &format!("/user.slice/pod{uid}"), "/machine.slice/libpod-x"];
        for cgroup in no {
            assert_eq!(pod(cgroup.as_bytes()), None, "{cgroup}");
        }
    }
}

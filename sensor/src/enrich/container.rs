//! A container's id, by the path of its cgroup.

use bstr::{BString, ByteSlice};

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
}

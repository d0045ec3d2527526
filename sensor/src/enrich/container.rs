//! A container's id and a pod's, by the path of the cgroup.

use bongsu_event::{ContainerNames, Context, Pod};
use bstr::{BString, ByteSlice};

use crate::runtime::Names;

/// Every common runtime (docker, containerd, CRI-O, podman) names the cgroup by an id of 64 hexadecimal digits, alone or as in
/// `docker-ID.scope` and `cri-containerd-ID.scope`. The innermost one counts: containers nest. A kubelet that uses systemd's driver with a
/// runtime that does not makes a cgroup whose whole name is `kubepods-podUID.slice:cri-containerd:ID`.
pub(super) fn id(cgroup: &[u8]) -> Option<BString> {
    const DIGITS: usize = 64;
    cgroup.rsplit_str("/").find_map(|component| {
        let name = component.strip_suffix(b".scope").unwrap_or(component);
        let (before, id) = name.split_at_checked(name.len().checked_sub(DIGITS)?)?;
        let alone = matches!(before.last(), None | Some(b'-' | b':'));
        // Who watches over the container from outside has a cgroup by its id, too.
        let is_inside = !before.ends_with(b"conmon-");
        let is_id = id.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
        (alone && is_inside && is_id).then(|| id.into())
    })
}

/// The kubelet's cgroups: `kubepods[-QOS]-podUID.slice` with systemd's driver, which writes the UID's hyphens as underscores, or
/// `podUID` somewhere under `kubepods` with its own. A static pod's UID is a hash without hyphens. What the pod is called stands in no
/// cgroup; the runtime knows.
pub(super) fn pod(cgroup: &[u8]) -> Option<Pod> {
    let mut below = false;
    for component in cgroup.split_str("/") {
        let name = component.split_once_str(":").map_or(component, |(slice, _)| slice);
        let name = name.strip_suffix(b".slice").unwrap_or(name);
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

/// What the runtime says goes beside what the cgroup says. The pod's UID is the cgroup's where there is one.
pub(crate) fn name(context: &mut Context, names: &Names) {
    if let Some(said) = &names.pod {
        let pod = context.pod.get_or_insert_default();
        if pod.uid.is_empty() {
            pod.uid = said.uid.as_str().into();
        }
        pod.name = said.name.as_str().into();
        pod.namespace = said.namespace.as_str().into();
    }
    if !names.name.is_empty() || !names.image.is_empty() {
        let names = ContainerNames { name: names.name.as_str().into(), image: names.image.as_str().into() };
        context.container_names = Some(names);
    }
}

/// Whether a runtime said what the container is called. The one that only holds a pod together has a pod's name and none of its own.
pub(crate) fn is_named(context: &Context) -> bool {
    context.container_names.is_some() || context.pod.as_ref().is_some_and(|pod| !pod.name.is_empty())
}

fn is_pod_uid(uid: &[u8]) -> bool {
    let digits = uid.iter().filter(|byte| **byte != b'-').count();
    let hyphens = uid.len() - digits;
    digits == 32 && (hyphens == 0 || hyphens == 4) && uid.iter().all(|byte| *byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::PodNames;

    #[test]
    fn the_runtimes_ways_of_naming_are_known() {
        let digits = "0123456789abcdef".repeat(4);
        let yes = [
            format!("/docker/{digits}"),
            format!("/docker/{digits}/init.scope"),
            format!("/system.slice/docker-{digits}.scope"),
            format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{digits}.scope"),
            format!("/machine.slice/libpod-{digits}.scope/container"),
            format!("/libpod_parent/libpod-{digits}"),
            format!("/kubepods-pod1.slice:cri-containerd:{digits}"),
            format!("/docker/{}/docker/{digits}", "f".repeat(64)),
        ];
        for cgroup in yes {
            assert_eq!(id(cgroup.as_bytes()), Some(BString::from(digits.clone())), "{cgroup}");
        }
        let no = [
            "/",
            "",
            "/user.slice/session-1.scope",
            &format!("/x{digits}"),
            &digits.to_uppercase(),
            &format!("/machine.slice/libpod-conmon-{digits}.scope"),
            &format!("/system.slice/crio-conmon-{digits}.scope"),
        ];
        for cgroup in no {
            assert_eq!(id(cgroup.as_bytes()), None, "{cgroup}");
        }
    }

    #[test]
    fn what_the_runtime_says_stands_beside_what_the_cgroup_says() {
        let pod = |uid: &str| PodNames { uid: uid.to_owned(), name: "web-1".to_owned(), namespace: "shop".to_owned() };
        let says = |pod| Names { name: "nginx".to_owned(), image: "nginx:1.27".to_owned(), pod };
        let called = Some(ContainerNames { name: "nginx".into(), image: "nginx:1.27".into() });
        let named_pod = |uid: &str| Pod { uid: uid.into(), name: "web-1".into(), namespace: "shop".into() };

        let mut mirrored = Context { pod: Some(Pod { uid: "hash".into(), ..Pod::default() }), ..Context::default() };
        assert!(!is_named(&mirrored));
        name(&mut mirrored, &says(Some(pod("another"))));
        assert_eq!((&mirrored.pod, &mirrored.container_names), (&Some(named_pod("hash")), &called));

        let mut elsewhere = Context::default();
        name(&mut elsewhere, &says(Some(pod("u"))));
        assert_eq!((&elsewhere.pod, &elsewhere.container_names), (&Some(named_pod("u")), &called));

        let mut alone = Context::default();
        name(&mut alone, &says(None));
        assert_eq!((&alone.pod, &alone.container_names), (&None, &called));

        let mut sandbox = Context::default();
        name(&mut sandbox, &Names { pod: Some(pod("u")), ..Names::default() });
        assert_eq!(sandbox.container_names, None);
        assert!([&mirrored, &elsewhere, &alone, &sandbox].into_iter().all(is_named));
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
            (format!("/system.slice/kubepods-besteffort-pod{flat}.slice:cri-containerd:{digits}"), uid),
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

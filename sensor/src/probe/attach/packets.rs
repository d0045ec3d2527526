//! The two programs that see packets, at the root of the cgroup tree.

use std::{fs, fs::File, path::PathBuf};

use aya::{
    Ebpf,
    programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, Program},
};

use super::RungError;

/// Both or neither: half a conversation would look whole.
pub(super) fn attach(ebpf: &mut Ebpf, outgoing: &'static str, incoming: &'static str) -> Result<(), RungError> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let root = File::open(root(&mounts).ok_or(RungError::NoCgroups)?).map_err(RungError::Cgroups)?;
    one(ebpf, outgoing, &root, CgroupSkbAttachType::Egress)?;
    let result = one(ebpf, incoming, &root, CgroupSkbAttachType::Ingress);
    if result.is_err()
        && let Ok(program) = program(ebpf, outgoing)
        && let Err(error) = program.unload()
    {
        tracing::debug!(outgoing, %error, "cannot detach what the failed rung had attached");
    }
    result
}

fn one(ebpf: &mut Ebpf, name: &'static str, root: &File, way: CgroupSkbAttachType) -> Result<(), RungError> {
    let program = program(ebpf, name)?;
    program.load()?;
    // A link stands beside whatever others have attached there, without asking for it by a flag.
    program.attach(root, way, CgroupAttachMode::Single)?;
    Ok(())
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut CgroupSkb, RungError> {
    match ebpf.program_mut(name) {
        Some(Program::CgroupSkb(program)) => Ok(program),
        _ => Err(RungError::NoProgram(name)),
    }
}

/// Where the root of the cgroup2 tree is mounted. A line is `id parent major:minor ROOT POINT options ... - TYPE source options`.
fn root(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (root == "/" && file_system.starts_with("cgroup2 ")).then(|| PathBuf::from(point))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_the_cgroup_tree_is_found_among_the_mounts() {
        let mounts = "24 1 0:22 / /proc rw - proc proc rw\n31 24 0:27 /part /mnt rw - cgroup2 cgroup2 rw
32 24 0:26 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n33 24 0:27 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n";
        assert_eq!(root(mounts), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(root("garbage"), None);
    }
}

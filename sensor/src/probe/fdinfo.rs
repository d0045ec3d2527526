//! What /proc says of a descriptor, line by line (`key:\tvalue`; proc(5), fdinfo).

/// The number after that key; `None` when this kernel does not write it.
pub(super) fn number(fdinfo: &str, key: &str) -> Option<u64> {
    let mut lines = fdinfo.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| *name == key).and_then(|(_, value)| value.trim().parse().ok())
}

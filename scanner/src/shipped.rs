//! The yara rules that come with the product, compiled into this binary so that no file can be missing on the host.

/// The name and text of every file in `rules/yara/`; a test compares the list with the folder.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("coin_miner.yar", include_str!("../../rules/yara/coin_miner.yar")),
    ("container_escape.yar", include_str!("../../rules/yara/container_escape.yar")),
    ("credential_files.yar", include_str!("../../rules/yara/credential_files.yar")),
    ("demo_implant.yar", include_str!("../../rules/yara/demo_implant.yar")),
    ("dropper_script.yar", include_str!("../../rules/yara/dropper_script.yar")),
    ("eicar.yar", include_str!("../../rules/yara/eicar.yar")),
    ("memfd_loader.yar", include_str!("../../rules/yara/memfd_loader.yar")),
    ("packed_elf.yar", include_str!("../../rules/yara/packed_elf.yar")),
    ("preload_rootkit.yar", include_str!("../../rules/yara/preload_rootkit.yar")),
    ("reverse_shell.yar", include_str!("../../rules/yara/reverse_shell.yar")),
    ("web_shell.yar", include_str!("../../rules/yara/web_shell.yar")),
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::FILES;

    #[test]
    fn every_file_of_the_folder_is_shipped() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/yara");
        let found: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".yar"))
            .collect();
        let listed: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(found, listed);
    }
}

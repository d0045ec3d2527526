//! How a kernel is started, and what is expected of the sensor on it.

use super::suite::Suite;

/// A test that has nothing to look at under a configuration, and why.
pub(super) type Skip = (&'static str, &'static str);

/// A way to start a kernel.
pub(super) struct Configuration {
    /// As the table in docs/kernel-support.md names it.
    pub(super) name: &'static str,
    /// What is added to the kernel's command line. The kernel hands what it does not know to the init script.
    pub(super) parameters: &'static str,
    /// The tests that run.
    pub(super) suite: Suite,
    /// The tests of the suite that say they are skipped: these and no others.
    pub(super) skips: &'static [Skip],
    /// The hooks that may stand lower than on their best rung: how low, 0 for none at all. A hook that is named neither here nor in
    /// [`LOWER_EVERYWHERE`] must stand on its best.
    pub(super) rungs: &'static [(&'static str, usize)],
}

const NOT_LOCKED: Skip =
    ("probe::tests::lockdown::a_kernel_that_hides_its_memory_is_named_in_one_line", "this kernel hides nothing");
const NO_VERSION_1: Skip =
    ("probe::tests::tree::a_container_is_known_where_version_1_says_it", "no version 1 hierarchy is mounted");
const NO_VERSION_2: Skip =
    ("probe::tests::tree::a_containers_first_program_is_known_to_be_in_it", "no version 2 hierarchy is mounted");
const NO_PACKETS: &str = "no version 2 hierarchy is mounted to attach to";

/// As `rungs`, whatever the configuration: the attach points are other ones in older kernels; lines typed into shells are not asked for.
pub(super) const LOWER_EVERYWHERE: &[(&str, usize)] =
    &[("io-uring", 2), ("exec-failed", 2), ("file-attribute", 2), ("shell-line", 0)];

/// Every way, on each of the kernels.
pub(super) const CONFIGURATIONS: &[Configuration] = &[
    // As Debian starts it: landlock, lockdown, yama, apparmor and BPF among the security modules, nothing locked.
    Configuration {
        name: "plain",
        parameters: "cgroups=unified",
        suite: Suite::All,
        skips: &[NOT_LOCKED, NO_VERSION_1],
        rungs: &[],
    },
    Configuration {
        name: "bpf-lsm",
        parameters: "cgroups=unified lsm=lockdown,bpf",
        suite: Suite::Once,
        skips: &[NO_VERSION_1],
        rungs: &[],
    },
    Configuration {
        name: "no-bpf-lsm",
        parameters: "cgroups=unified lsm=lockdown",
        suite: Suite::Once,
        skips: &[NO_VERSION_1],
        rungs: &[],
    },
    Configuration {
        name: "integrity",
        parameters: "cgroups=unified lsm=lockdown,bpf lockdown=integrity",
        suite: Suite::Once,
        skips: &[NO_VERSION_1],
        rungs: &[],
    },
    // The kernel refuses programs that read its memory, and tracefs.
    Configuration {
        name: "confidentiality",
        parameters: "cgroups=unified lsm=lockdown,bpf lockdown=confidentiality",
        suite: Suite::Blind,
        skips: &[],
        rungs: &[],
    },
    Configuration {
        name: "cgroup-v1",
        parameters: "cgroups=version1",
        suite: Suite::Once,
        skips: &[
            NO_VERSION_2,
            ("probe::tests::packet::a_question_over_udp_and_its_answer_are_told_by_the_one_who_asks", NO_PACKETS),
            ("probe::tests::packet::a_tls_client_s_first_words_name_whom_it_asks_for", NO_PACKETS),
        ],
        rungs: &[("packets", 0)],
    },
    // Version 1 for the controllers, and version 2 beside it without any: systemd's way until version 247.
    Configuration { name: "cgroup-hybrid", parameters: "cgroups=hybrid", suite: Suite::Once, skips: &[], rungs: &[] },
];

/// The ways on a processor that is not this machine's.
pub(super) const FOREIGN: &[Configuration] = &[Configuration {
    name: "plain",
    parameters: "cgroups=unified",
    suite: Suite::All,
    skips: &[NOT_LOCKED, NO_VERSION_1],
    rungs: &[],
}];

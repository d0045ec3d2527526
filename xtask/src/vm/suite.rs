//! Which tests a guest runs. All of them run on each kernel as it comes; a kernel that is started otherwise is shown each family once.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command::output;

/// A set of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suite {
    /// Every test of the probes.
    All,
    /// Each family of hooks once, where each hook stands, and whom things are attributed to.
    Once,
    /// Where programs may not read the kernel's memory: that this is said, and that logs are followed all the same.
    Blind,
}

const ROOM: &str = "probe::tests::";

/// Of [`Suite::Once`], below [`ROOM`].
const ONCE: &[&str] = &[
    "connection::the_end_of_a_connection_says_what_went_over_it_for_both_ends",
    "exec::a_program_that_could_not_be_started_is_told_and_the_search_of_path_is_not",
    "file::a_file_made_and_one_written_are_told_apart",
    "file::deletions_are_told_however_they_are_asked_for",
    "file::mode_changes_carry_the_new_mode",
    "file::renames_carry_both_names",
    "network::a_change_of_identity_shows_who_it_was_and_who_it_is",
    "network::a_connection_is_told_by_the_one_who_begins_it",
    "network::each_hook_says_on_which_rung_it_stands",
    "network::listening_and_accepting_are_told_with_both_ends",
    "packet::a_question_over_udp_and_its_answer_are_told_by_the_one_who_asks",
    "packet::a_tls_client_s_first_words_name_whom_it_asks_for",
    "place::a_file_put_into_a_containers_layer_is_told_from_the_images_own",
    "place::an_exec_says_where_the_process_stands",
    "privilege::a_change_of_capabilities_shows_the_sets_before_and_after",
    "privilege::new_namespaces_show_their_kinds_and_what_else_unshare_does_is_not_told",
    "process::a_fork_names_the_child_and_the_child_is_known",
    "process::an_exec_is_told_field_by_field",
    "process::exits_carry_the_code_or_the_signal",
    "process::what_the_kernel_emitted_was_read_or_is_counted_as_lost",
    "tamper::a_bpf_program_that_somebody_else_loads_shows_its_own_name_and_type",
    "tamper::a_memfd_shows_its_name_and_flags",
    "tamper::a_module_shows_the_name_it_carries_when_it_comes_and_when_it_goes",
    "tamper::raw_and_packet_sockets_are_told_and_other_sockets_are_not",
    "tamper::taking_hold_of_a_process_and_changing_it_is_told_with_the_target_and_reading_is_not",
    "tamper::writing_into_anothers_memory_is_told_whichever_way_it_is_done",
    "tree::a_container_is_known_where_version_1_says_it",
    "tree::a_containers_first_program_is_known_to_be_in_it",
    "tree::whoever_adopts_a_process_did_not_make_it",
];

/// The families that [`Suite::Once`] leaves out: they test how much, how long or how dear, which no configuration changes.
const NOT_REPEATED: &[&str] = &[
    "budget",
    "exec_race",
    "figures",
    "file_race",
    "flood",
    "lockdown",
    "mount_race",
    "pulse",
    "soak",
    "socket_race",
    "storm",
];

const BLIND: &[&str] = &["probe::tests::lockdown::", "tail::tests::", "spool::tests::events_are_numbered_from_one"];

impl Suite {
    pub(super) const EACH: [Self; 3] = [Self::All, Self::Once, Self::Blind];

    /// What the init script knows it by.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Once => "once",
            Self::Blind => "blind",
        }
    }

    /// Whether one of its tests says where the hooks stand.
    pub(super) fn tells_rungs(self) -> bool {
        self != Self::Blind
    }

    /// What the test program is given: a test runs when one of these is part of its name. Of a family that nothing here knows all `tests` run.
    pub(super) fn filters(self, tests: &[String]) -> Vec<String> {
        match self {
            Self::All => vec!["probe::".to_owned()],
            Self::Once => {
                let named = ONCE.iter().map(|test| format!("{ROOM}{test}"));
                named.chain(unknown_families(tests).map(|family| format!("{ROOM}{family}::"))).collect()
            }
            Self::Blind => BLIND.iter().copied().map(str::to_owned).collect(),
        }
    }
}

fn unknown_families(tests: &[String]) -> impl Iterator<Item = &str> {
    let mut families: Vec<&str> =
        tests.iter().filter_map(|test| Some(test.strip_prefix(ROOM)?.split_once("::")?.0)).collect();
    families.dedup();
    let is_known = |family: &str| {
        NOT_REPEATED.contains(&family) || ONCE.iter().any(|test| test.split("::").next() == Some(family))
    };
    families.into_iter().filter(move |family| !is_known(family))
}

/// The tests of the probes that a guest can run, after a look at whether the suites fit them: a test that got another name would be left
/// out without a word.
pub(super) fn check(program: &str) -> Result<Vec<String>> {
    let list = |which: &[&str]| output(Command::new(program).args(["--list", "--format", "terse"]).args(which));
    let (all, by_hand) = (list(&[])?, list(&["--ignored"])?);
    let names = |listed: &str| -> Vec<String> {
        listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
    };
    let (mut tests, by_hand) = (names(&all), names(&by_hand));
    let wrong = misfits(&tests);
    if !wrong.is_empty() {
        bail!("xtask/src/vm/suite.rs does not fit the tests of the probes: {}", wrong.join("; "));
    }
    tests.retain(|test| test.starts_with("probe::") && !by_hand.contains(test));
    Ok(tests)
}

fn misfits(tests: &[String]) -> Vec<String> {
    let filters = Suite::EACH.into_iter().flat_map(|suite| suite.filters(&[]));
    let unknown = filters.filter(|filter| !tests.iter().any(|test| test.contains(filter.as_str())));
    unknown.map(|filter| format!("there is no test {filter}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_gone_is_noticed_and_a_family_that_is_new_is_run() {
        let mut tests: Vec<String> = Suite::EACH.into_iter().flat_map(|suite| suite.filters(&[])).collect();
        assert_eq!(misfits(&tests), Vec::<String>::new());
        tests.push("probe::tests::a_new_one::a_password_is_told".to_owned());
        assert!(Suite::Once.filters(&tests).contains(&"probe::tests::a_new_one::".to_owned()));
        tests.retain(|test| !test.contains("memfd"));
        assert_eq!(misfits(&tests), ["there is no test probe::tests::tamper::a_memfd_shows_its_name_and_flags"]);
    }
}

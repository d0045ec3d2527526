//! The rules that come with the product, as they lie in `rules/`, compiled into the programs that want them.

use crate::RuleFile;

macro_rules! files {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../rules/", $path)))),*]
    };
}

/// Every rule file below `rules/`, yara rules apart. A test compares the list with the folder.
static FILES: &[(&str, &str)] = files! {
    "linux/account_created.yml"
    "linux/account_file_written.yml"
    "linux/admin_group_joined.yml"
    "linux/authorized_keys_written.yml"
    "linux/coin_miner.yml"
    "linux/cron_written.yml"
    "linux/defences_stopped.yml"
    "linux/deleted_exec.yml"
    "linux/download_to_shell.yml"
    "linux/encoded_shell.yml"
    "linux/failed_login.yml"
    "linux/history_removed.yml"
    "linux/host_namespace_entered.yml"
    "linux/log_removed.yml"
    "linux/login_success.yml"
    "linux/memory_exec.yml"
    "linux/module_loaded_from_elsewhere.yml"
    "linux/preload_written.yml"
    "linux/privilege_change.yml"
    "linux/reverse_shell.yml"
    "linux/root_password_login.yml"
    "linux/second_root.yml"
    "linux/sensitive_file_read.yml"
    "linux/set_credentials_unusual.yml"
    "linux/setuid_bit_set.yml"
    "linux/setuid_unusual.yml"
    "linux/sudo_elevation.yml"
    "linux/sudo_refused.yml"
    "linux/system_account_login.yml"
    "linux/systemd_unit_written.yml"
    "linux/temp_chmod.yml"
    "linux/temp_connect.yml"
    "linux/temp_exec.yml"
    "linux/temp_listen.yml"
    "linux/web_server_download.yml"
    "linux/web_server_shell.yml"
    "sequence/brute_force_to_root.yml"
    "sequence/made_executable_and_run.yml"
    "sequence/password_guessing.yml"
    "sequence/web_shell_to_brought_in_program.yml"
};

/// The shipped rules. Their paths are those below `rules/`.
#[must_use]
pub fn shipped() -> Vec<RuleFile> {
    FILES.iter().map(|(path, text)| RuleFile { path: (*path).to_owned(), text: (*text).to_owned() }).collect()
}

//! Evidence: the very bytes, and a verification that notices one changed bit.

use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use bongsu_e2e::{
    noop,
    site::{Site, SiteOptions},
    turn, verdict,
};

#[test]
fn a_program_run_from_a_temporary_directory_is_fetched_byte_for_byte_and_a_changed_byte_is_noticed() -> Result<()> {
    let _turn = turn::take();
    let mut site = Site::start(SiteOptions::default())?;
    site.wait_for_sensor()?;
    let folder = tempfile::Builder::new().prefix("bongsu-story-").tempdir_in("/tmp")?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let program = folder.path().join("brought-in");
    noop::write(&program)?;
    let bytes = fs::read(&program)?;
    ensure!(Command::new(&program).status()?.success(), "it does not run");

    let evidence = site.until("the program is evidence and was scanned", Duration::from_secs(30), |site| {
        let found = site.console().evidence()?.into_iter().find(|evidence| evidence.path.ends_with("/brought-in"));
        let evidence = found.context("not asked for yet")?;
        ensure!(evidence.verdict.outcome == "no-match", "the scan says {}", evidence.verdict.outcome);
        Ok(evidence)
    })?;
    let fetched = site.path("fetched");
    site.console().fetch_evidence(&evidence.sha256, &fetched)?;
    verdict::sha256_is(&fetched, &evidence.sha256)?;
    ensure!(fs::read(&fetched)? == bytes, "the bytes are not those that ran");
    let file = fetched.to_string_lossy().into_owned();
    let verify = || site.console().run(&["evidence", "verify", &file]);
    ensure!(verify()?.status.success(), "what was fetched does not verify");

    let mut changed = bytes;
    changed[100] ^= 1;
    fs::set_permissions(&fetched, fs::Permissions::from_mode(0o600))?;
    fs::write(&fetched, changed)?;
    let refused = verify()?;
    ensure!(refused.status.code() == Some(1), "verify ended with {}", refused.status);
    let custody =
        site.console().evidence()?.into_iter().find(|it| it.sha256 == evidence.sha256).context("it is gone")?;
    for step in ["requested", "received", "scanned", "fetched"] {
        ensure!(custody.custody.iter().any(|entry| entry.action == step), "custody does not say {step}: {custody:?}");
    }
    site.end()
}

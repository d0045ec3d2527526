//! A kernel that lets no program read its memory. `cargo xtask vm-test` starts one.

use crate::{
    kernel::Kernel,
    probe::{LADDERS, ProbeConfig, StartError, attach},
};

/// Whether this kernel was started with lockdown=confidentiality.
fn is_confidential() -> bool {
    std::fs::read_to_string("/sys/kernel/security/lockdown").is_ok_and(|state| state.contains("[confidentiality]"))
}

#[test]
fn a_kernel_that_hides_its_memory_is_named_in_one_line() {
    if !is_confidential() {
        return println!("skipped: this kernel is not locked down for confidentiality");
    }
    let error = attach(&ProbeConfig::default()).err().expect("the kernel lets programs read its memory");
    assert!(matches!(error, StartError::LockedDown), "{error}");
    let said = error.to_string();
    assert!(said.contains("lockdown=confidentiality") && said.contains("lockdown=integrity"), "{said}");
    assert!(!said.contains('\n'), "{said}");

    // The sensor runs on for the logs, and the host's page says of each hook that it is blind and why.
    let (kernel, events) = Kernel::start(Kernel::prepare(&ProbeConfig::default()).unwrap()).unwrap();
    assert!(events.is_none(), "nothing comes");
    let hooks = kernel.hooks();
    assert_eq!(hooks.len(), LADDERS.len());
    for hook in hooks {
        assert_eq!((hook.rung.as_str(), hook.detail), ("none", said.clone()), "{}", hook.name);
    }
}

//! The generated code is checked in, so that building needs no generator; this test keeps it true to the .proto files.

use std::{env, fs, path::Path};

#[test]
fn the_generated_code_is_what_the_proto_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["bongsu/v1/event.proto", "bongsu/v1/session.proto", "bongsu/v1/enrolment.proto"];
    let descriptors = protox::compile(files, [root]).expect("the .proto files compile");
    let fresh = tempfile::tempdir().unwrap();
    tonic_prost_build::configure().out_dir(fresh.path()).compile_fds(descriptors).expect("code can be generated");

    let checked_in = root.join("src/gen/bongsu.v1.rs");
    let fresh = fs::read_to_string(fresh.path().join("bongsu.v1.rs")).unwrap();
    if env::var_os("BONGSU_REGENERATE").is_some() {
        fs::write(&checked_in, fresh).unwrap();
        return;
    }
    let checked_in = fs::read_to_string(checked_in).unwrap();
    assert!(fresh == checked_in, "src/gen is stale: run this test with BONGSU_REGENERATE=1 and commit the result");
}

//! Containers whose names the runtime knows.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use bongsu_event::{Activity, ContainerNames, Pod};
use bstr::BString;

use super::{lab::Lab, tree::Cgroup};
use crate::{
    probe::ProbeConfig,
    runtime::{
        Places,
        tests::{CONTAINER, UID, serve},
    },
};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_container_shows_its_ids_at_once_and_its_names_as_soon_as_the_runtime_has_said_them() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("runtime.sock");
    let _server = serve(&socket);
    let containers = Places { sockets: vec![socket], ..Places::default() };
    let Some(mut lab) = Lab::open_with(&ProbeConfig { containers, ..ProbeConfig::default() }) else { return };
    let names = [format!("kubepods-names{}", std::process::id()), format!("pod{UID}"), CONTAINER.to_owned()];
    let Some(cgroup) = Cgroup::make(&names.each_ref().map(String::as_str)) else {
        return println!("skipped: no cgroup2 here");
    };
    let work = format!(
        "echo $$ > {}/cgroup.procs; exec /bin/sh -c 'while read line; do /bin/true; done'",
        cgroup.path().display()
    );
    let mut shell = Command::new("/bin/sh").args(["-c", &work]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    let named = Pod { uid: UID.into(), name: "web-7d4b9".into(), namespace: "shop".into() };
    let names = ContainerNames { name: "nginx".into(), image: "docker.io/library/nginx:1.27".into() };
    let began = Instant::now();
    loop {
        input.write_all(b"\n").unwrap();
        let parent = shell.id();
        let mut seen = None;
        lab.each(|event| {
            let Some(process) = &event.process else { return false };
            let ours = process.ancestors.first().is_some_and(|above| above.pid == parent);
            if ours && matches!(event.activity, Activity::Exec(_)) {
                seen = Some(process.clone());
            }
            ours && matches!(event.activity, Activity::Exit { .. })
        });
        let process = seen.expect("a program ran");
        assert_eq!(process.container, Some(BString::from(CONTAINER)));
        let pod = process.context.pod.clone().unwrap();
        if pod == named {
            assert_eq!(process.context.container_names, Some(names));
            break;
        }
        assert_eq!(pod, Pod { uid: UID.into(), ..Pod::default() }, "ids at once");
        assert_eq!(process.context.container_names, None);
        assert!(began.elapsed() < PATIENCE, "no names");
    }
    drop(input);
    assert!(shell.wait().unwrap().success());
}

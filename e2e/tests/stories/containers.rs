//! Whose container a process is in, told by the sensor of what real runtimes run.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bongsu_e2e::{
    containers::{Containerd, Docker, IMAGE, Pod, Room},
    site::{Site, SiteOptions},
    stored::Stored,
    turn,
};
use bongsu_proto::v1;

const PATIENCE: Duration = Duration::from_secs(30);
/// Goes on until it is ended, a program every moment.
const WORK: [&str; 3] = ["/bin/sh", "-c", "while /bin/true; do /bin/sleep 0.3; done"];

/// The process of an event that is in that container.
fn inside<'a>(stored: &'a Stored, container: &str) -> Option<&'a v1::Process> {
    let process = stored.event.process.as_ref()?;
    (process.container.as_deref() == Some(container.as_bytes())).then_some(process)
}

fn context(process: &v1::Process) -> v1::Context {
    process.context.clone().unwrap_or_default()
}

fn names(name: &str) -> Option<v1::ContainerNames> {
    Some(v1::ContainerNames { name: name.into(), image: IMAGE.into() })
}

/// Execs in that container, the first of which is what the container was started for: what runc does to make it is in no container.
fn started_with(site: &Site, container: &str, command: &[&str]) -> Result<Vec<v1::Process>> {
    let mut execs = site.database()?.events("exec")?;
    execs.sort_by_key(|stored| stored.event.time);
    let all: Vec<v1::Process> = execs.iter().filter_map(|stored| inside(stored, container)).cloned().collect();
    let first = all.first().context("none of its programs is stored")?;
    let args: Vec<Vec<u8>> = command.iter().map(|word| word.as_bytes().to_vec()).collect();
    ensure!(first.args == args, "the first program in it is {first:?}");
    let of_the_runtime = execs.iter().filter_map(|stored| stored.event.process.as_ref());
    let of_the_runtime: Vec<_> = of_the_runtime.filter(|process| process.executable.ends_with(b"/runc")).collect();
    ensure!(!of_the_runtime.is_empty(), "what the runtime did to start it was not seen");
    ensure!(of_the_runtime.iter().all(|process| process.container.is_none()), "{of_the_runtime:?}");
    Ok(all)
}

#[test]
fn containers_of_pods_are_told_by_id_from_their_first_program_on_and_by_name_once_containerd_has_said_it() -> Result<()>
{
    let _turn = turn::take();
    let Some(room) = Room::open()? else { return Ok(()) };
    let mut containerd = Containerd::start(&room)?;
    let socket = containerd.socket();
    let sensor = format!("[probes]\ncontainer_runtime = \"{}\"\ncontainer_directories = []\n", socket.display());
    let mut site = Site::start(SiteOptions::default().sensor(&sensor))?;
    site.wait_for_sensor()?;
    let pod = Pod { name: "web-7d4b9", namespace: "shop", uid: uuid::Uuid::new_v4().to_string() };
    let sandbox = containerd.run_pod(&pod)?;
    let container = containerd.run_container(&sandbox, &pod, "nginx", &WORK)?;
    let unnamed = v1::Pod { uid: pod.uid.as_bytes().to_vec(), ..v1::Pod::default() };
    let named = v1::Pod { name: pod.name.into(), namespace: pod.namespace.into(), ..unnamed.clone() };

    let execs = site.until("its programs have names", PATIENCE, |site| {
        let execs = started_with(site, &container, &WORK)?;
        ensure!(
            context(execs.last().context("no exec")?).container_names.is_some(),
            "no names in {} execs",
            execs.len()
        );
        Ok(execs)
    })?;
    let first_named = execs.iter().position(|process| context(process).container_names.is_some());
    let (before, after) = execs.split_at(first_named.context("none has")?);
    ensure!(before.iter().all(|process| context(process).pod.as_ref() == Some(&unnamed)), "{before:?}");
    for process in after {
        let context = context(process);
        ensure!(context.pod.as_ref() == Some(&named) && context.container_names == names("nginx"), "{process:?}");
    }
    // The pause container is in the same pod, and has no name of its own.
    let pause = started_with(&site, &sandbox, &["/bin/sleep", "100000"])?;
    ensure!(pause.iter().all(|process| context(process).pod.is_some_and(|its| its.uid == unnamed.uid)), "{pause:?}");

    one_that_is_gone_before_anybody_can_ask(&mut site, &containerd, &sandbox, &pod)?;
    names_come_back_with_the_runtime(&mut site, &mut containerd, &container, &named)?;
    site.end()
}

fn one_that_is_gone_before_anybody_can_ask(
    site: &mut Site,
    containerd: &Containerd<'_>,
    sandbox: &str,
    pod: &Pod,
) -> Result<()> {
    let brief = containerd.run_container(sandbox, pod, "brief", &["/bin/true", "and gone"])?;
    containerd.forget_container(&brief)?;
    let execs =
        site.until("its program is told", PATIENCE, |site| started_with(site, &brief, &["/bin/true", "and gone"]))?;
    let pods: Vec<_> = execs.iter().map(|process| context(process).pod.unwrap_or_default().uid).collect();
    ensure!(pods == [pod.uid.as_bytes()], "{execs:?}");
    Ok(())
}

/// The sensor starts while the runtime is away: containers that run have their ids, and names as soon as it is back.
fn names_come_back_with_the_runtime(
    site: &mut Site,
    containerd: &mut Containerd<'_>,
    container: &str,
    named: &v1::Pod,
) -> Result<()> {
    containerd.stop()?;
    site.kill_sensor()?;
    let told = |site: &Site| -> Result<usize> {
        let execs = site.database()?.events("exec")?;
        Ok(execs.iter().filter_map(|stored| inside(stored, container)).count())
    };
    let before = told(site)?;
    site.start_sensor()?;
    let last = |site: &Site| -> Result<v1::Process> {
        ensure!(told(site)? > before, "nothing of it since the sensor started");
        let execs = site.database()?.events("exec")?;
        execs.iter().rev().find_map(|stored| inside(stored, container)).cloned().context("no exec in it")
    };
    site.until("it is told by its ids alone", PATIENCE, |site| {
        let (process, uid) = (last(site)?, named.uid.clone());
        let expected = Some(v1::Pod { uid, ..v1::Pod::default() });
        ensure!(context(&process).pod == expected && context(&process).container_names.is_none(), "{process:?}");
        Ok(())
    })?;
    containerd.start_again()?;
    site.until("it has its names again", PATIENCE, |site| {
        let context = context(&last(site)?);
        ensure!(context.pod.as_ref() == Some(named) && context.container_names == names("nginx"), "{context:?}");
        Ok(())
    })
}

#[test]
fn dockers_containers_are_told_by_id_and_by_the_name_that_somebody_gave_them() -> Result<()> {
    let _turn = turn::take();
    let Some(room) = Room::open()? else { return Ok(()) };
    let docker = Docker::start(&room)?;
    let sensor = format!(
        "[probes]\ncontainer_runtime = \"{}\"\ncontainer_directories = [\"{}\"]\n",
        docker.containerd_socket().display(),
        docker.directory().display()
    );
    // One runs before the sensor does.
    let older = docker.run("older", &WORK, false)?;
    let mut site = Site::start(SiteOptions::default().sensor(&sensor))?;
    site.wait_for_sensor()?;
    let container = docker.run("shop-db", &WORK, false)?;
    let passing = docker.run("passing", &["/bin/true", "in passing"], true)?;
    for (id, name) in [(&older, "older"), (&container, "shop-db")] {
        site.until("its programs have names", PATIENCE, |site| {
            let execs = site.database()?.events("exec")?;
            let last = execs.iter().rev().find_map(|stored| inside(stored, id)).context("no exec in it")?;
            ensure!(context(last).container_names == names(name) && context(last).pod.is_none(), "{last:?}");
            Ok(())
        })?;
    }
    started_with(&site, &container, &WORK)?;
    site.until("what was gone at once is told", PATIENCE, |site| {
        started_with(site, &passing, &["/bin/true", "in passing"])
    })?;
    site.end()
}

//! From what the kernel said to what an event says: names for numbers, processes for pids, wall time for the time since boot.
//!
//! This room owns the process table, the user names and the clock's offset. It reads /proc only for processes that no record explained,
//! and the user database only when its file changed; the way of an ordinary event touches neither.

pub(crate) mod clock;
pub(crate) mod container;
mod context;
mod network;
mod suppressed;
mod tamper;
mod users;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bongsu_event::{
    Activity, Context, Credentials, Event, Exec, ExecFailed, FileActivity, Process, ProcessKey, Timestamp,
};
use bongsu_sensor_abi::{Creds, TaskRef, User};
use bstr::BString;

use crate::{
    config::Environment,
    decode::{Action, Decoded, FileAction, Program},
    process_table::{
        self, NewProgram, Newcomer, ProcessTable,
        image::Images,
        proc_fs::{self, Shown, TICK_NS},
    },
    runtime::Containers,
};
use clock::Clock;
use users::Users;

/// How often containers without names are asked for again.
const UNNAMED_EVERY: Duration = Duration::from_secs(5);

/// Turns records into events, in the order in which the kernel wrote them.
pub(crate) struct Enricher {
    boot: u64,
    table: ProcessTable,
    users: Users,
    clock: Clock,
    images: Images,
    unfollowed: network::Unfollowed,
    environment: Environment,
    containers: Containers,
    /// When those without names were looked for last.
    looked: Instant,
}

impl Enricher {
    /// Of the boot that is running; the users are those of `passwd`.
    pub(crate) fn new(boot: u64, passwd: PathBuf, environment: Environment, containers: Containers) -> Self {
        Self {
            boot,
            table: ProcessTable::default(),
            users: Users::new(passwd),
            clock: Clock::now(),
            images: Images::new(boot),
            unfollowed: network::Unfollowed::default(),
            environment,
            containers,
            looked: Instant::now(),
        }
    }

    /// Where evidence comes from.
    pub(crate) fn images(&self) -> &Images {
        &self.images
    }

    /// Takes in every process there is. Call it once the hooks are attached: what happens meanwhile waits in the rings and wins.
    pub(crate) fn seed(&mut self) -> std::io::Result<()> {
        self.refresh();
        let shown: Vec<Shown> = proc_fs::pids()?.into_iter().filter_map(|pid| proc_fs::read(pid).ok()).collect();
        let starts: ahash::AHashMap<u32, u64> = shown.iter().map(|shown| (shown.pid, shown.start_ticks)).collect();
        for shown in shown {
            let parent = starts.get(&shown.parent_pid).map(|start| self.key(shown.parent_pid, *start));
            self.take_in(shown, parent);
        }
        Ok(())
    }

    /// Once for each batch: looks at the clock, the user database and what has been kept long enough.
    pub(crate) fn refresh(&mut self) {
        self.clock = Clock::now();
        let now = Instant::now();
        self.name_containers(now);
        self.users.refresh();
        self.images.expire(now);
    }

    /// Gives processes the names that their containers have got, and asks again for those that have none.
    fn name_containers(&mut self, now: Instant) {
        for (id, names) in self.containers.news() {
            self.table.name_container(&id, &names);
        }
        if now.saturating_duration_since(self.looked) > UNNAMED_EVERY {
            self.looked = now;
            for id in self.table.unnamed_containers() {
                self.containers.names(&id);
            }
        }
    }

    /// What is in a container gets its names, as far as they are known already.
    fn name(&mut self, container: Option<&BString>, context: &mut Context) {
        if let Some(names) = container.and_then(|id| self.containers.names(id)) {
            container::name(context, names);
        }
    }

    /// Keeps the image of a program that will be gone with its process. To be called before anything else is done with its record.
    pub(crate) fn keep_image(&self, decoded: &Decoded) {
        if let Action::Exec(program) = &decoded.action
            && (program.image.memfd || program.image.deleted)
            && let Err(error) = self.images.keep(self.key_of(decoded.task))
        {
            tracing::debug!(pid = decoded.task.pid, %error, "an image without a name was gone before it could be kept");
        }
    }

    /// The event that a record tells of; `None` for what is no news.
    pub(crate) fn enrich(&mut self, decoded: Decoded) -> Option<Event> {
        let Decoded { time_ns, task, user, action } = decoded;
        let key = self.key_of(task);
        let time = self.clock.wall(time_ns);
        let (process, activity) = match action {
            Action::Exec(program) => self.exec(task, *program),
            Action::Fork { child, parent } => {
                let maker = self.process(task);
                let newcomer = self.newcomer(child, Some(parent));
                let child = newcomer.key;
                self.table.fork(key, newcomer);
                (maker, Activity::Fork { child })
            }
            Action::Exit { code, signal } => {
                let process = self.process(task);
                if !self.table.exit(key) {
                    return None;
                }
                (process, Activity::Exit { code, signal })
            }
            Action::ExecFailed { path, error } => {
                (self.process(task), Activity::ExecFailed(ExecFailed { path, error }))
            }
            Action::SetName { before, after } => {
                // One that is not known yet is read from /proc, perhaps with the new name already.
                self.process(task);
                self.table.set_name(key, after);
                (self.process(task), Activity::SetName { before })
            }
            Action::SetCredentials { before, after } => {
                let shown = self.process(task);
                let after = self.credentials(&after);
                if shown.credentials == after {
                    // glibc makes every thread of a process repeat the call; the first one told it.
                    return None;
                }
                self.table.set_credentials(key, &after);
                (self.process(task), Activity::SetCredentials { before: self.credentials(&before) })
            }
            Action::SetCapabilities { before, after } => {
                (self.process(task), Activity::SetCapabilities { before, after })
            }
            Action::Namespace(change) => (self.process(task), Activity::Namespace(change)),
            Action::Tamper(action) => (self.process(task), self.tamper(action)),
            Action::Authentication(said) => (self.process(task), Activity::Authentication(said)),
            Action::ShellLine { line } => (self.process(task), Activity::ShellLine { line }),
            Action::File(file) => {
                let FileAction { operation, path, previous_path, mode, owner, attribute, identity: _ } = file;
                let file = FileActivity { operation, path, previous_path, mode, owner, attribute };
                (self.process(task), Activity::File(file))
            }
            Action::IoUring(ring) => (self.process(task), Activity::IoUring(ring)),
            Action::Mount(mount) => (self.process(task), Activity::Mount(mount)),
            Action::Network(network) => {
                self.unfollowed.count(&network);
                return Some(Event { time, process: self.owner(task, user), activity: Activity::Network(network) });
            }
            Action::Suppressed(left) => {
                return Some(Event { time, process: self.owner(task, user), activity: self.suppressed(left) });
            }
            // A word to the reader, not an event.
            Action::Noisy(_) => return None,
            Action::Packet(said) => return Some(Event { time, process: self.owner(task, user), activity: *said? }),
        };
        Some(Event { time, process: Some(self.acting_as(user, process)), activity })
    }

    /// The process with the identities that its thread had as it acted: of a process's own change of them the table may not have heard, and threads
    /// may have others than their process.
    fn acting_as(&self, user: User, mut process: Arc<Process>) -> Arc<Process> {
        let Credentials { real, effective, .. } = &process.credentials;
        if user != User::UNKNOWN && (real.id, effective.id) != (user.uid, user.euid) {
            let (real, effective) = (self.users.account(user.uid), self.users.account(user.euid));
            let credentials = &mut Arc::make_mut(&mut process).credentials;
            (credentials.real, credentials.effective) = (real, effective);
        }
        process
    }

    fn exec(&mut self, task: TaskRef, program: Program) -> (Arc<Process>, Activity) {
        let newcomer = self.newcomer(task, Some(program.parent));
        // An unknown parent is read now, while it is likely to be there.
        self.process(program.parent);
        let container = container::id(&program.cgroup);
        let mut context = context::of(&program.place, &program.cgroup);
        self.name(container.as_ref(), &mut context);
        let new = NewProgram {
            comm: program.comm,
            executable: program.executable,
            args: program.args,
            args_cut: program.args_cut,
            cwd: program.cwd,
            credentials: self.credentials(&program.creds),
            context,
            container,
        };
        let previous_executable = self.table.exec(newcomer, new);
        let environment = self.environment.chosen(program.environment);
        let exec = Exec {
            previous_executable,
            script: program.script,
            image: program.image,
            inode: program.inode,
            device: program.device,
            links: program.links,
            environment,
        };
        let shown = self.process(task);
        // The event has the arguments in full; what the table holds of them is bounded.
        self.table.shorten_args(self.key_of(task));
        (shown, Activity::Exec(exec))
    }

    /// The process as events show it; one that nothing told of yet is asked of /proc, once.
    fn process(&mut self, task: TaskRef) -> Arc<Process> {
        let key = self.key_of(task);
        if !self.table.contains(key) {
            match proc_fs::read(task.pid).ok().filter(|shown| shown.start_ticks == key.start) {
                Some(shown) => {
                    let parent = proc_fs::start_ticks(shown.parent_pid).ok();
                    let parent = parent.map(|start| self.key(shown.parent_pid, start));
                    self.take_in(shown, parent);
                }
                None => self.table.seed(self.newcomer(task, None), unknown()),
            }
        }
        self.table.shown(key).unwrap_or_else(|| {
            // The table holds what was just put in; this arm keeps even a mistake there from costing an event.
            Arc::new(process_table::build(key, self.clock.wall(task.start_ns), unknown(), Arc::default()))
        })
    }

    fn take_in(&mut self, shown: Shown, parent: Option<ProcessKey>) {
        let key = self.key(shown.pid, shown.start_ticks);
        let start = self.clock.wall(shown.start_ticks.saturating_mul(TICK_NS));
        let container = container::id(&shown.cgroup);
        let mut context = Context { pod: container::pod(&shown.cgroup), ..shown.context };
        self.name(container.as_ref(), &mut context);
        let program = NewProgram {
            comm: shown.comm,
            executable: shown.executable,
            args: shown.args,
            args_cut: shown.args_cut,
            cwd: shown.cwd,
            credentials: self.credentials(&shown.creds),
            container,
            context,
        };
        self.table.seed(Newcomer { key, start, parent }, program);
    }

    fn newcomer(&self, task: TaskRef, parent: Option<TaskRef>) -> Newcomer {
        // The first process has a parent with pid 0, which is no process.
        let parent = parent.filter(|parent| parent.pid != 0).map(|parent| self.key_of(parent));
        Newcomer { key: self.key_of(task), start: self.start(task), parent }
    }

    /// The start time in whole ticks, so that a process shows the same one whoever told us of it.
    fn start(&self, task: TaskRef) -> Timestamp {
        self.clock.wall(task.start_ns / TICK_NS * TICK_NS)
    }

    fn key_of(&self, task: TaskRef) -> ProcessKey {
        self.key(task.pid, task.start_ns / TICK_NS)
    }

    fn key(&self, pid: u32, start: u64) -> ProcessKey {
        ProcessKey { boot: self.boot, pid, start }
    }

    fn credentials(&self, creds: &Creds) -> Credentials {
        Credentials {
            real: self.users.account(creds.uid),
            effective: self.users.account(creds.euid),
            gid: creds.gid,
            egid: creds.egid,
            login: (creds.login != u32::MAX).then(|| self.users.account(creds.login)),
        }
    }
}

/// What is shown of a process that was gone before anybody could ask.
fn unknown() -> NewProgram {
    NewProgram {
        comm: BString::default(),
        executable: BString::default(),
        args: Vec::new(),
        args_cut: false,
        cwd: BString::default(),
        credentials: Credentials::default(),
        container: None,
        context: Context::default(),
    }
}

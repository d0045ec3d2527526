//! Events to bytes: the ones [`convert::to_bytes`] makes, with what neighbours share encoded once.

use bongsu_event::{Ancestor, Event, Process};
use bongsu_proto::convert::{self, EncodeError};

use crate::recent::Recent;

/// Encodes events; remembers the last processes and lines of ancestors.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    processes: Recent<Process, Vec<u8>>,
    lines: Recent<[Ancestor], Vec<u8>>,
}

impl Encoder {
    /// The event as it is spooled, sent and stored.
    pub(super) fn encode(&mut self, event: &Event) -> Result<Vec<u8>, EncodeError> {
        let Self { processes, lines } = self;
        let process = event.process.as_ref().map(|process| {
            let encode = |process: &Process| {
                let line = lines.get_or_make(&process.ancestors, convert::line_to_bytes);
                convert::process_to_bytes(process, line)
            };
            processes.get_or_make(process, encode).as_slice()
        });
        convert::assemble(event, process)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bongsu_event::{Account, Activity, Context, Credentials, ProcessKey, Timestamp};

    use super::*;

    fn event(number: u32, process: &Arc<Process>) -> Event {
        let activity = Activity::Fork { child: ProcessKey { boot: 1, pid: number, start: 1 } };
        Event { time: Timestamp(number.into()), process: Some(Arc::clone(process)), activity }
    }

    fn process(pid: u32, ancestors: &Arc<[Ancestor]>) -> Arc<Process> {
        Arc::new(Process {
            key: ProcessKey { boot: 1, pid, start: 1 },
            pid,
            start: Timestamp(1),
            comm: "sh".into(),
            executable: "/bin/sh".into(),
            args: vec!["sh".into(), pid.to_string().into()],
            args_cut: false,
            cwd: "/".into(),
            credentials: Credentials::default(),
            container: None,
            context: Context::default(),
            ancestors: Arc::clone(ancestors),
        })
    }

    #[test]
    fn what_is_remembered_is_what_would_have_been_encoded() {
        let key = ProcessKey { boot: 1, pid: 1, start: 1 };
        let init = ["init", "splash"].map(Into::into).to_vec();
        let above = |executable: &str| Ancestor {
            key,
            pid: 1,
            comm: "init".into(),
            executable: executable.into(),
            args: init.clone(),
            user: Account::default(),
        };
        let lines: [Arc<[Ancestor]>; 2] = [[above("/init")].into(), [above("/systemd")].into()];
        let processes: Vec<Arc<Process>> = (0..40).map(|pid| process(pid, &lines[pid as usize % 2])).collect();
        let mut encoder = Encoder::default();
        for number in 0..400 {
            // Some again at once, some after a while, some after too long.
            let event = event(number, &processes[(number / 2 * number % 40) as usize]);
            assert_eq!(encoder.encode(&event).unwrap(), convert::to_bytes(&event).unwrap());
        }
    }
}

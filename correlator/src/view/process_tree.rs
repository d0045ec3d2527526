//! The processes of a timeline under their ancestors.
//!
//! Who is whose child is the hosts' claim, so nothing here trusts it: a process has one parent (the first one told of), a parent
//! that would close a circle is not taken, and no branch is deeper than [`DEPTH_MAX`].

use std::collections::{BTreeMap, HashMap};

use bongsu_api::ProcessNode;
use bongsu_event::{Ancestor, Process, ProcessKey, SensorId, StoredEvent};

use super::{
    sentence::{Brief, User},
    timeline::{Speakers, in_order},
};

/// How deep a branch gets; below it a new root begins. Real trees are half as deep, and JSON readers refuse to follow forever.
const DEPTH_MAX: usize = 24;

/// How far up a process's ancestors are followed to see that none of them is itself. A longer line is a lie.
const LINE_MAX: usize = 256;

/// A process key says nothing of its host, and a host may claim another's.
type Place = (SensorId, ProcessKey);

#[derive(Default)]
struct Known {
    executable: String,
    command_line: String,
    user: Option<String>,
    parent: Option<ProcessKey>,
    event_ids: Vec<String>,
    finding_ids: Vec<String>,
}

/// The trees of all processes that act in the events, oldest first.
pub(crate) fn grow(events: &[StoredEvent], speakers: &Speakers<'_>) -> Vec<ProcessNode> {
    let mut forest = Forest::default();
    for event in in_order(events) {
        if let Some(process) = event.event.process.as_deref() {
            forest.add(event, process, &speakers.ids(event.id));
        }
    }
    forest.into_nodes()
}

#[derive(Default)]
struct Forest(BTreeMap<Place, Known>);

impl Forest {
    fn add(&mut self, event: &StoredEvent, process: &Process, finding_ids: &[String]) {
        let sensor = event.id.sensor;
        let known = self.0.entry((sensor, process.key)).or_default();
        // The latest event shows the program that the process became.
        known.executable = Brief(&process.executable).to_string();
        known.command_line = Brief(&process.command_line()).to_string();
        known.user = Some(User(&process.credentials.real).to_string());
        known.event_ids.push(event.id.to_string());
        for id in finding_ids {
            if !known.finding_ids.contains(id) {
                known.finding_ids.push(id.clone());
            }
        }
        let mut child = process.key;
        for ancestor in process.ancestors.iter().take(Process::ANCESTORS_MAX) {
            self.learn(sensor, ancestor);
            self.join(sensor, child, ancestor.key);
            child = ancestor.key;
        }
    }

    /// What an event says of an ancestor is taken only where no event of its own said more.
    fn learn(&mut self, sensor: SensorId, ancestor: &Ancestor) {
        let known = self.0.entry((sensor, ancestor.key)).or_default();
        if known.executable.is_empty() {
            let image = if ancestor.executable.is_empty() { &ancestor.comm } else { &ancestor.executable };
            known.executable = Brief(image).to_string();
            known.user = Some(User(&ancestor.user).to_string());
        }
        if known.command_line.is_empty() {
            known.command_line = Brief(&ancestor.command_line()).to_string();
        }
    }

    fn join(&mut self, sensor: SensorId, child: ProcessKey, parent: ProcessKey) {
        let has_parent = self.0.get(&(sensor, child)).is_some_and(|known| known.parent.is_some());
        let line: Vec<_> = self.line_of(sensor, parent).take(LINE_MAX + 1).collect();
        if has_parent || line.len() > LINE_MAX || line.contains(&child) {
            return;
        }
        if let Some(known) = self.0.get_mut(&(sensor, child)) {
            known.parent = Some(parent);
        }
    }

    /// The process, its parent, and so on. Ends because `join` never closes a circle.
    fn line_of(&self, sensor: SensorId, key: ProcessKey) -> impl Iterator<Item = ProcessKey> {
        std::iter::successors(Some(key), move |key| self.0.get(&(sensor, *key)).and_then(|known| known.parent))
    }

    fn into_nodes(self) -> Vec<ProcessNode> {
        let mut felling = Felling { children: HashMap::new(), roots: Vec::new(), known: self.0 };
        for (place, known) in &felling.known {
            match known.parent {
                Some(parent) => felling.children.entry((place.0, parent)).or_default().push(*place),
                None => felling.roots.push(*place),
            }
        }
        let mut nodes = Vec::new();
        while !felling.roots.is_empty() {
            let roots = std::mem::take(&mut felling.roots);
            nodes.extend(felling.build(roots, 1));
        }
        nodes
    }
}

/// A forest while it is made into nodes.
struct Felling {
    known: BTreeMap<Place, Known>,
    children: HashMap<Place, Vec<Place>>,
    roots: Vec<Place>,
}

impl Felling {
    /// Recursion is at most [`DEPTH_MAX`] deep: what would be deeper is put among the roots.
    fn build(&mut self, mut places: Vec<Place>, depth: usize) -> Vec<ProcessNode> {
        places.sort_unstable_by_key(|(sensor, key)| (*sensor, key.boot, key.start, key.pid));
        let mut nodes = Vec::with_capacity(places.len());
        for place in places {
            let mut under = self.children.remove(&place).unwrap_or_default();
            if depth == DEPTH_MAX {
                self.roots.append(&mut under);
            }
            let itself = self.known.remove(&place).unwrap_or_default();
            nodes.push(ProcessNode {
                key: place.1.to_string(),
                pid: place.1.pid,
                executable: itself.executable,
                command_line: itself.command_line,
                user: itself.user,
                event_ids: itself.event_ids,
                finding_ids: itself.finding_ids,
                children: self.build(under, depth + 1),
            });
        }
        nodes
    }
}

#[cfg(test)]
mod tests;

//! The findings that others may join, and the matters they make.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
};

use ahash::AHashMap;
use bongsu_event::{EventId, EvidenceId, SensorId, Timestamp};

use super::{
    IncidentKey, Limits, Placement,
    link::{self, ENOUGH, Reach},
    matter::{Matter, Standing},
    profile::Profile,
};
use crate::{Detector, Finding, FindingId};

/// Findings of other hosts that a new one is compared with, for each thing it names.
const WIDE_MAX: usize = 64;

/// A finding that others may join.
#[derive(Debug)]
struct Node {
    id: FindingId,
    profile: Profile,
    matter: u64,
    /// When it was placed, by the correlator's clock; unknown while nobody has told the time.
    placed: Option<Timestamp>,
}

/// An anomaly that waits for an incident.
#[derive(Debug)]
struct Waiting {
    id: FindingId,
    profile: Profile,
    placed: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Host {
    nodes: BTreeSet<u64>,
    anomalies: VecDeque<Waiting>,
}

/// Where a finding that was placed is.
#[derive(Debug, Clone, Copy)]
enum Known {
    Node(u64),
    /// An anomaly in this matter.
    Joined(u64),
    Waiting,
}

/// What joins findings of different hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wide {
    Event(EventId),
    Evidence(EvidenceId),
    Address(IpAddr),
}

/// Says where each finding belongs.
#[derive(Debug)]
pub struct Grouper {
    limits: Limits,
    next_incident: u64,
    numbers: u64,
    nodes: AHashMap<u64, Node>,
    matters: AHashMap<u64, Matter>,
    hosts: AHashMap<SensorId, Host>,
    wide: AHashMap<Wide, BTreeSet<u64>>,
    known: AHashMap<FindingId, Known>,
    now: Option<Timestamp>,
    swept: Option<Timestamp>,
    forgotten: u64,
}

impl Grouper {
    /// Knows nothing yet. The first incident it opens gets the name `next`.
    #[must_use]
    pub fn new(limits: Limits, next: IncidentKey) -> Self {
        Self {
            limits,
            next_incident: next.0,
            numbers: 0,
            nodes: AHashMap::new(),
            matters: AHashMap::new(),
            hosts: AHashMap::new(),
            wide: AHashMap::new(),
            known: AHashMap::new(),
            now: None,
            swept: None,
            forgotten: 0,
        }
    }

    /// Takes up an open incident with its findings, after a restart. Findings that were pending are placed again, see [`Self::place_kept`].
    pub fn restore(&mut self, incident: IncidentKey, findings: &[Finding]) {
        let number = self.number();
        self.next_incident = self.next_incident.max(incident.0.saturating_add(1));
        self.matters.insert(number, Matter::of(incident));
        for finding in findings.iter().filter(|finding| finding.detector != Detector::Anomaly) {
            self.remember(finding.id, Profile::of(finding), number, Standing::Member);
        }
        let anomalies = findings.iter().filter(|finding| finding.detector == Detector::Anomaly);
        let anomalies: Vec<FindingId> = anomalies.map(|finding| finding.id).collect();
        self.known.extend(anomalies.iter().map(|id| (*id, Known::Joined(number))));
        if let Some(matter) = self.matters.get_mut(&number) {
            matter.anomalies = anomalies;
        }
    }

    /// Says where a finding belongs. The same finding again changes nothing.
    pub fn place(&mut self, finding: &Finding) -> Placement {
        self.place_as(finding, Standing::New)
    }

    /// Says where a finding belongs that is kept already, so that it never counts as a repetition.
    pub fn place_kept(&mut self, finding: &Finding) -> Placement {
        self.place_as(finding, Standing::Kept)
    }

    fn place_as(&mut self, finding: &Finding, standing: Standing) -> Placement {
        if let Some(place) = self.known.get(&finding.id) {
            let matter = match place {
                Known::Node(node) => self.nodes.get(node).map(|node| node.matter),
                Known::Joined(matter) => Some(*matter),
                Known::Waiting => None,
            };
            let incident = matter.and_then(|matter| self.matters.get(&matter)).and_then(|matter| matter.incident);
            return Placement { incident, ..Placement::default() };
        }
        let profile = Profile::of(finding);
        if finding.detector == Detector::Anomaly {
            return self.place_anomaly(finding.id, profile);
        }
        self.make_room(profile.sensor);
        let linked = self.linked(&profile);
        let number = self.number();
        self.matters.insert(number, Matter::default());
        let (matter, merged) = self.merge(number, linked);
        let repeats = self.remember(finding.id, profile, matter, standing);
        Placement { repeats, ..self.settle(matter, merged) }
    }

    /// Tells the time by the correlator's clock, so that old findings are forgotten. Going back is ignored.
    pub fn advance(&mut self, now: Timestamp) {
        let now = self.now.map_or(now, |before| before.max(now));
        self.now = Some(now);
        let kept_for = self.limits.kept_for;
        if self.swept.is_some_and(|swept| now.since(swept) < kept_for / 100) {
            return;
        }
        self.swept = Some(now);
        // What came before the time was known came now.
        let is_old = |placed: &mut Option<Timestamp>| now.since(*placed.get_or_insert(now)) > kept_for;
        let old: Vec<u64> =
            self.nodes.iter_mut().filter_map(|(number, node)| is_old(&mut node.placed).then_some(*number)).collect();
        for host in self.hosts.values_mut() {
            while host.anomalies.front_mut().is_some_and(|first| is_old(&mut first.placed)) {
                if let Some(first) = host.anomalies.pop_front() {
                    self.known.remove(&first.id);
                }
            }
        }
        old.into_iter().for_each(|node| self.forget(node));
    }

    /// Nothing joins this incident any more: somebody has closed it.
    pub fn close(&mut self, incident: IncidentKey) {
        let of_it = self.matters.values().filter(|matter| matter.incident == Some(incident));
        let nodes: Vec<u64> = of_it.flat_map(|matter| matter.nodes.iter().copied()).collect();
        nodes.into_iter().for_each(|node| self.forget(node));
    }

    /// Findings forgotten for want of room before their time.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The matters that a finding belongs to, oldest first.
    fn linked(&self, profile: &Profile) -> BTreeSet<u64> {
        let own = self.hosts.get(&profile.sensor).into_iter().flat_map(|host| host.nodes.iter());
        let others = wide(profile).into_iter().filter_map(|wide| self.wide.get(&wide));
        let others = others.flat_map(|nodes| nodes.iter().rev().take(WIDE_MAX));
        let mut linked = BTreeSet::new();
        for node in own.chain(others).filter_map(|number| self.nodes.get(number)) {
            // One link is enough: in a storm nearly all of them are of one matter.
            if !linked.contains(&node.matter) && link::weight(profile, &node.profile, self.limits.idle) >= ENOUGH {
                linked.insert(node.matter);
            }
        }
        linked
    }

    /// Takes a finding into a matter; gives the one that it only repeats.
    fn remember(&mut self, id: FindingId, profile: Profile, matter: u64, standing: Standing) -> Option<FindingId> {
        let number = self.number();
        let repeated = self.matters.entry(matter).or_default().add(number, id, &profile, standing);
        self.hosts.entry(profile.sensor).or_default().nodes.insert(number);
        for wide in wide(&profile) {
            self.wide.entry(wide).or_default().insert(number);
        }
        self.known.insert(id, Known::Node(number));
        self.nodes.insert(number, Node { id, profile, matter, placed: self.now });
        repeated
    }

    /// Makes one matter of several; gives its number and the incidents that are no more.
    fn merge(&mut self, number: u64, others: BTreeSet<u64>) -> (u64, Vec<IncidentKey>) {
        // The one with the most findings takes in the rest, so that few change hands.
        let size = |number: &u64| self.matters.get(number).map_or(0, |matter| matter.nodes.len());
        let all: BTreeSet<u64> = others.into_iter().chain([number]).collect();
        let home = all.iter().copied().max_by_key(size).unwrap_or(number);
        let mut matter = self.matters.remove(&home).unwrap_or_default();
        let mut merged = Vec::new();
        for number in all.into_iter().filter(|number| *number != home) {
            let Some(other) = self.matters.remove(&number) else { continue };
            for node in &other.nodes {
                self.nodes.entry(*node).and_modify(|node| node.matter = home);
            }
            self.known.extend(other.anomalies.iter().map(|id| (*id, Known::Joined(home))));
            merged.extend(matter.absorb(other));
        }
        self.matters.insert(home, matter);
        merged.sort_unstable();
        (home, merged)
    }

    /// Opens an incident if there is reason to, and hands over what has joined it.
    fn settle(&mut self, number: u64, merged: Vec<IncidentKey>) -> Placement {
        let Some(matter) = self.matters.get_mut(&number) else { return Placement::default() };
        let opened = matter.incident.is_none() && matter.is_worth();
        if opened {
            matter.incident = Some(IncidentKey(self.next_incident));
            self.next_incident += 1;
        }
        if matter.incident.is_none() {
            return Placement::default();
        }
        let mut joined = matter.take_pending();
        for sensor in matter.sensors() {
            let Some(host) = self.hosts.get_mut(&sensor) else { continue };
            host.anomalies.retain(|waiting| {
                let joins = matter.overlaps(&waiting.profile, self.limits.margin);
                if joins {
                    joined.insert((waiting.profile.first, waiting.id));
                    self.known.insert(waiting.id, Known::Joined(number));
                }
                !joins
            });
        }
        let anomalies = joined.iter().filter(|(_, id)| matches!(self.known.get(id), Some(Known::Joined(_))));
        matter.anomalies.extend(anomalies.map(|(_, id)| *id));
        let joined = joined.into_iter().map(|(_, id)| id).collect();
        Placement { incident: matter.incident, opened, merged, joined, repeats: None }
    }

    fn place_anomaly(&mut self, id: FindingId, profile: Profile) -> Placement {
        let nodes = self.hosts.get(&profile.sensor).into_iter().flat_map(|host| &host.nodes);
        let mut candidates: BTreeMap<u64, u32> = BTreeMap::new();
        for node in nodes.filter_map(|number| self.nodes.get(number)) {
            let weight = link::weight(&profile, &node.profile, self.limits.idle);
            let best = candidates.entry(node.matter).or_default();
            *best = weight.max(*best);
        }
        let overlapping = candidates.into_iter().filter_map(|(number, weight)| {
            let matter = self.matters.get(&number).filter(|matter| matter.overlaps(&profile, self.limits.margin))?;
            Some((weight, std::cmp::Reverse(matter.incident?), number))
        });
        if let Some((_, std::cmp::Reverse(incident), number)) = overlapping.max() {
            self.known.insert(id, Known::Joined(number));
            if let Some(matter) = self.matters.get_mut(&number) {
                matter.anomalies.push(id);
            }
            return Placement { incident: Some(incident), joined: vec![id], ..Placement::default() };
        }
        self.known.insert(id, Known::Waiting);
        let host = self.hosts.entry(profile.sensor).or_default();
        host.anomalies.push_back(Waiting { id, profile, placed: self.now });
        if host.anomalies.len() > self.limits.anomalies_max
            && let Some(oldest) = host.anomalies.pop_front()
        {
            self.known.remove(&oldest.id);
            self.forgotten += 1;
        }
        Placement::default()
    }

    /// Makes room for one more finding of a host: the oldest of the rule that has most goes.
    fn make_room(&mut self, sensor: SensorId) {
        let Some(host) = self.hosts.get(&sensor).filter(|host| host.nodes.len() >= self.limits.findings_max.max(1))
        else {
            return;
        };
        let mut by_rule: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
        for (number, node) in host.nodes.iter().filter_map(|number| Some((number, self.nodes.get(number)?))) {
            by_rule.entry(&node.profile.rule).or_insert((0, *number)).0 += 1;
        }
        if let Some(oldest) = by_rule.into_values().max_by_key(|(count, _)| *count).map(|(_, oldest)| oldest) {
            self.forget(oldest);
            self.forgotten += 1;
        }
    }

    fn forget(&mut self, number: u64) {
        let Some(node) = self.nodes.remove(&number) else { return };
        self.known.remove(&node.id);
        if let Some(host) = self.hosts.get_mut(&node.profile.sensor) {
            host.nodes.remove(&number);
        }
        for wide in wide(&node.profile) {
            if let Some(nodes) = self.wide.get_mut(&wide) {
                nodes.remove(&number);
                if nodes.is_empty() {
                    self.wide.remove(&wide);
                }
            }
        }
        let matter = self.matters.get_mut(&node.matter);
        if matter.is_some_and(|matter| matter.forget(number, node.id, node.profile.first))
            && let Some(matter) = self.matters.remove(&node.matter)
        {
            for id in &matter.anomalies {
                self.known.remove(id);
            }
        }
    }
}

/// What joins a finding to those of other hosts.
fn wide(profile: &Profile) -> Vec<Wide> {
    let events = profile.events.iter().map(|event| Wide::Event(*event));
    let evidence = profile.evidence.iter().map(|evidence| Wide::Evidence(*evidence));
    let public = profile.addresses.iter().filter(|address| link::reach(address) == Reach::World);
    events.chain(evidence).chain(public.map(|address| Wide::Address(*address))).collect()
}

//! What an incident has been told already: a rule that fires ten thousand times is told by its first findings and a number.
//!
//! A finding that repeats what others of its rule have said on its host stays part of grouping, so that what comes of it finds its way here,
//! but nobody needs to keep it whole.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use bongsu_event::SensorId;

use super::profile::Profile;
use crate::{Detector, Entity, FindingId};

/// So many findings of a rule on a host are whole, whatever they say.
const WHOLE: usize = 16;
/// After that only those that name a file that no other named, up to so many files,
const FILES_MAX: usize = 64;
/// or an account, address or evidence; counted apart, so that a flood of files cannot hide who did it.
const PARTIES_MAX: usize = 64;

/// Every rule's findings on every host, of one matter.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<(SensorId, String), OfRule>);

#[derive(Debug)]
struct OfRule {
    first: FindingId,
    whole: usize,
    files: BTreeSet<Entity>,
    parties: BTreeSet<Entity>,
}

impl Told {
    /// Takes note of a finding that is kept whole.
    pub(super) fn keep(&mut self, id: FindingId, profile: &Profile) {
        let of_rule = self.0.entry((profile.sensor, profile.rule.clone())).or_insert_with(|| OfRule::from(id));
        of_rule.whole += 1;
        of_rule.learn(profile);
    }

    /// The first finding of the rule, when one with this profile says nothing that the kept ones do not say.
    pub(super) fn repeated(&self, profile: &Profile) -> Option<FindingId> {
        // Verdicts about bytes are few, and each is its own.
        if profile.detector == Detector::Yara {
            return None;
        }
        let of_rule = self.0.get(&(profile.sensor, profile.rule.clone()))?;
        (of_rule.whole >= WHOLE && !of_rule.is_news(profile)).then_some(of_rule.first)
    }

    /// Takes in what another matter was told.
    pub(super) fn absorb(&mut self, other: Self) {
        for (key, theirs) in other.0 {
            match self.0.entry(key) {
                Entry::Vacant(vacant) => drop(vacant.insert(theirs)),
                Entry::Occupied(mut ours) => ours.get_mut().absorb(theirs),
            }
        }
    }
}

impl From<FindingId> for OfRule {
    fn from(first: FindingId) -> Self {
        Self { first, whole: 0, files: BTreeSet::new(), parties: BTreeSet::new() }
    }
}

impl OfRule {
    fn learn(&mut self, profile: &Profile) {
        self.files.extend(files(profile));
        self.parties.extend(parties(profile));
    }

    fn is_news(&self, profile: &Profile) -> bool {
        (self.files.len() < FILES_MAX && files(profile).any(|file| !self.files.contains(&file)))
            || (self.parties.len() < PARTIES_MAX && parties(profile).any(|party| !self.parties.contains(&party)))
    }

    fn absorb(&mut self, other: Self) {
        self.whole += other.whole;
        self.files.extend(other.files);
        self.parties.extend(other.parties);
    }
}

fn files(profile: &Profile) -> impl Iterator<Item = Entity> {
    profile.files.iter().cloned().map(Entity::File)
}

fn parties(profile: &Profile) -> impl Iterator<Item = Entity> {
    let users = profile.users.iter().cloned().map(Entity::User);
    let addresses = profile.addresses.iter().copied().map(Entity::Address);
    users.chain(addresses).chain(profile.evidence.iter().copied().map(Entity::Evidence))
}

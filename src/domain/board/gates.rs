//! Limits on how many jobs of a project or a group run at a time.
//!
//! A gate counts the jobs that run under one limit, and knows the lanes whose waiting jobs need it. It is *open*
//! while their heads may be taken. Between two events a gate is open exactly when it has room.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use super::account::{Account, LimitKind};
use crate::ids::JobId;
use crate::queue::Rank;

/// What a gate limits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct GateKey {
    pub(super) kind: LimitKind,
    pub(super) org: String,
    /// Of the project or the group.
    pub(super) name: String,
}

/// The gates through which a job goes, and what it says about its group's limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) under: Under,
    pub(super) limit: u32,
}

/// The gates of a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Under {
    pub(super) project: Option<u32>,
    pub(super) group: Option<u32>,
}

impl Under {
    pub(super) fn gates(self) -> impl Iterator<Item = u32> {
        self.project.into_iter().chain(self.group)
    }
}

/// One limit.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) key: Arc<GateKey>,
    /// Of a project: what was set.
    set: Option<u32>,
    /// Of a group: the limits that its waiting and running jobs say, each with their number.
    said: BTreeMap<u32, u32>,
    /// Jobs that hold a slot, with the number of slots and their project.
    holders: BTreeMap<JobId, (u32, Arc<str>)>,
    held: u32,
    /// The first waiting job of each of its lanes.
    pub(super) heads: BTreeSet<(Rank, u32)>,
    pub(super) open: bool,
}

impl Gate {
    pub(super) fn limit(&self) -> Option<u32> {
        self.set.or_else(|| self.said.keys().next().copied())
    }

    pub(super) fn has_room(&self) -> bool {
        self.limit().is_none_or(|limit| self.held < limit)
    }

    /// Jobs that it would let through now.
    pub(super) fn room(&self) -> u32 {
        self.limit().map_or(u32::MAX, |limit| limit.saturating_sub(self.held))
    }

    pub(super) fn held(&self) -> u32 {
        self.held
    }

    /// The jobs that hold a slot, in order of submission, each with its project.
    pub(super) fn holders(&self) -> impl Iterator<Item = (JobId, &str)> {
        self.holders.iter().map(|(job, (_, project))| (*job, &**project))
    }

    fn hold(&mut self, job: JobId, project: &Arc<str>) {
        self.holders.entry(job).or_insert_with(|| (0, Arc::clone(project))).0 += 1;
        self.held += 1;
    }

    fn release(&mut self, job: JobId) {
        let Some((slots, _)) = self.holders.get_mut(&job) else { return };
        *slots -= 1;
        if *slots == 0 {
            self.holders.remove(&job);
        }
        self.held -= 1;
    }

    fn unsay(&mut self, limit: u32) {
        if let Some(times) = self.said.get_mut(&limit) {
            *times -= 1;
            if *times == 0 {
                self.said.remove(&limit);
            }
        }
    }

    fn is_used(&self) -> bool {
        self.set.is_some() || self.held > 0 || !self.said.is_empty() || !self.heads.is_empty()
    }
}

/// All gates, by dense index; an index is used again after its gate was forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Gates {
    all: Vec<Gate>,
    by_key: HashMap<Arc<GateKey>, u32>,
    vacant: Vec<u32>,
    /// What each job that holds slots went through, once for each slot.
    holds: HashMap<JobId, Vec<Ticket>>,
    /// Gates of which something changed in this step.
    touched: Vec<u32>,
}

impl Gates {
    /// The gates for the jobs of this account; those that are not known are made.
    pub(super) fn ticket(&mut self, account: &Account) -> Ticket {
        let project = (!account.project.is_empty()).then(|| self.project(&account.org, &account.project));
        let group = account.concurrency.as_ref().map(|told| {
            let (org, name) = (account.org.clone(), told.group.clone());
            self.gate(GateKey { kind: LimitKind::Group, org, name })
        });
        Ticket { under: Under { project, group }, limit: account.concurrency.as_ref().map_or(0, |told| told.limit) }
    }

    fn project(&mut self, org: &str, name: &str) -> u32 {
        self.gate(GateKey { kind: LimitKind::Project, org: org.to_owned(), name: name.to_owned() })
    }

    fn gate(&mut self, key: GateKey) -> u32 {
        if let Some(index) = self.by_key.get(&key).copied() {
            self.touched.push(index);
            return index;
        }
        let key = Arc::new(key);
        let (said, holders, heads) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let gate = Gate { key: Arc::clone(&key), set: None, said, holders, held: 0, heads, open: true };
        let index = if let Some(index) = self.vacant.pop() {
            self[index] = gate;
            index
        } else {
            self.all.push(gate);
            u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
        };
        self.by_key.insert(key, index);
        self.touched.push(index);
        index
    }

    /// The gates that jobs of this account go through, as far as they are known.
    pub(super) fn find(&self, account: &Account) -> impl Iterator<Item = &Gate> {
        let key = |kind, name: &str| GateKey { kind, org: account.org.clone(), name: name.to_owned() };
        let group = account.concurrency.as_ref().map(|told| key(LimitKind::Group, &told.group));
        let keys = [key(LimitKind::Project, &account.project)].into_iter().chain(group);
        keys.filter_map(|key| self.by_key.get(&key)).map(|gate| &self[*gate])
    }

    /// Sets how many jobs of a project may run at a time.
    pub(super) fn set(&mut self, org: &str, project: &str, running: Option<u32>) {
        let gate = self.project(org, project);
        self[gate].set = running;
    }

    /// A job of this account waits or runs from now on.
    pub(super) fn say(&mut self, ticket: Ticket) {
        if let Some(group) = ticket.under.group {
            self.touched.push(group);
            *self[group].said.entry(ticket.limit).or_insert(0) += 1;
        }
    }

    /// It neither waits nor runs any more.
    pub(super) fn unsay(&mut self, ticket: Ticket) {
        self.touched.extend(ticket.under.gates());
        if let Some(group) = ticket.under.group {
            self[group].unsay(ticket.limit);
        }
    }

    /// The job takes a slot.
    pub(super) fn hold(&mut self, job: JobId, ticket: Ticket) {
        self.holds.entry(job).or_default().push(ticket);
        let project =
            ticket.under.project.map_or_else(|| Arc::from(""), |gate| Arc::from(self[gate].key.name.as_str()));
        for gate in ticket.under.gates() {
            self.touched.push(gate);
            self[gate].hold(job, &project);
        }
    }

    /// The job gives a slot back.
    pub(super) fn release(&mut self, job: JobId) {
        let Some(tickets) = self.holds.get_mut(&job) else { return };
        let ticket = tickets.pop();
        if tickets.is_empty() {
            self.holds.remove(&job);
        }
        let Some(ticket) = ticket else { return };
        for gate in ticket.under.gates() {
            self[gate].release(job);
        }
        self.unsay(ticket);
    }

    /// Tells whether one more job may run under these limits.
    pub(super) fn have_room(&self, under: Under) -> bool {
        under.gates().all(|gate| self[gate].has_room())
    }

    pub(super) fn are_open(&self, under: Under) -> bool {
        under.gates().all(|gate| self[gate].open)
    }

    /// The gates of which something changed since they were asked for last, each once.
    pub(super) fn take_touched(&mut self) -> Vec<u32> {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// Whether something changed since `take_touched`.
    pub(super) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Forgets a gate that nobody needs.
    pub(super) fn forget_unused(&mut self, gate: u32) {
        if self[gate].is_used() {
            return;
        }
        let key = Arc::clone(&self[gate].key);
        if self.by_key.get(&key) == Some(&gate) {
            self.by_key.remove(&key);
            self.vacant.push(gate);
        }
    }
}

impl Index<u32> for Gates {
    type Output = Gate;
    fn index(&self, gate: u32) -> &Gate {
        &self.all[gate as usize]
    }
}

impl IndexMut<u32> for Gates {
    fn index_mut(&mut self, gate: u32) -> &mut Gate {
        &mut self.all[gate as usize]
    }
}

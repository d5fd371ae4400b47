//! The lanes: waiting jobs of one class that need the same limits.
//!
//! A lane whose gates are all open is *listed*: its first job stands among the heads of its class, where a freed
//! slot looks. A limit that is reached takes its lanes off the lists, so that they cost the others nothing.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};

use super::gates::Under;
use super::{Board, Waiting};
use crate::ids::JobId;
use crate::queue::{JobQueue, Rank};

/// One lane; it is forgotten with its last job.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    pub(super) class: u32,
    pub(super) under: Under,
    pub(super) queue: JobQueue,
    pub(super) listed: bool,
}

/// All lanes, by dense index; an index is used again after its lane was forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    all: Vec<Lane>,
    by_key: HashMap<(u32, Under), u32>,
    vacant: Vec<u32>,
}

impl Lanes {
    fn find_or_add(&mut self, class: u32, under: Under) -> u32 {
        if let Some(lane) = self.by_key.get(&(class, under)) {
            return *lane;
        }
        let lane = self.vacant.pop().unwrap_or_else(|| {
            self.all.push(Lane::default());
            u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
        });
        self[lane] = Lane { class, under, ..Lane::default() };
        self.by_key.insert((class, under), lane);
        lane
    }

    fn forget(&mut self, lane: u32) {
        let Lane { class, under, .. } = std::mem::take(&mut self[lane]);
        self.by_key.remove(&(class, under));
        self.vacant.push(lane);
    }
}

impl Index<u32> for Lanes {
    type Output = Lane;
    fn index(&self, lane: u32) -> &Lane {
        &self.all[lane as usize]
    }
}

impl IndexMut<u32> for Lanes {
    fn index_mut(&mut self, lane: u32) -> &mut Lane {
        &mut self.all[lane as usize]
    }
}

impl Board {
    /// Lets a job wait; returns its lane.
    pub(super) fn push(&mut self, class: u32, under: Under, rank: Rank) -> u32 {
        let lane = self.lanes.find_or_add(class, under);
        if self.lanes[lane].queue.is_empty() {
            self.classes.add_lane(class, lane);
        }
        let before = self.lanes[lane].queue.head();
        self.lanes[lane].queue.push(rank);
        self.head_moved(lane, before);
        lane
    }

    /// Takes a job out of the queue, wherever it stands in it.
    pub(super) fn pull(&mut self, job: JobId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&job)?;
        let lane = waiting.lane;
        let before = self.lanes[lane].queue.head();
        self.lanes[lane].queue.remove(Rank::new(waiting.priority, job));
        self.head_moved(lane, before);
        if self.lanes[lane].queue.is_empty() {
            self.classes.remove_lane(self.lanes[lane].class, lane, self.tick);
            self.lanes.forget(lane);
        }
        Some(waiting)
    }

    /// Makes class and gates agree with the head of a lane that was `before`.
    fn head_moved(&mut self, lane: u32, before: Option<Rank>) {
        let now = self.lanes[lane].queue.head();
        if before == now {
            return;
        }
        for gate in self.lanes[lane].under.gates() {
            let heads = &mut self.gates[gate].heads;
            if let Some(head) = before {
                heads.remove(&(head, lane));
            }
            heads.extend(now.map(|head| (head, lane)));
        }
        let known = &mut self.lanes[lane];
        match before.filter(|_| known.listed) {
            Some(head) => self.classes.unlist(known.class, head, lane),
            None => known.listed = now.is_some() && self.gates.are_open(known.under),
        }
        if let Some(head) = now.filter(|_| known.listed) {
            self.classes.list(known.class, head, lane);
        }
    }

    /// Opens or closes a gate, and with it the lanes that no other gate keeps closed.
    pub(super) fn swing(&mut self, gate: u32, open: bool) {
        self.gates[gate].open = open;
        for (head, lane) in &self.gates[gate].heads {
            let known = &mut self.lanes[*lane];
            let listed = self.gates.are_open(known.under);
            if listed == known.listed {
                continue;
            }
            known.listed = listed;
            if listed {
                self.classes.list(known.class, *head, *lane);
            } else {
                self.classes.unlist(known.class, *head, *lane);
            }
        }
    }
}

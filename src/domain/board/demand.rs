//! What waits, for those who can start machines.

use std::collections::HashMap;

use super::{Board, QueuedJob};
use crate::ids::RunnerId;
use crate::pool::{ClassDemand, Template};

/// What a runner does, for those who stop machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Slots that are taken.
    pub jobs: u32,
    /// Changes with every job that it is given.
    pub last_used: u64,
}

impl Board {
    /// The waiting jobs that no limit keeps back, by class, with the templates whose runners could take them.
    ///
    /// Costs O(classes · templates + lanes). A class that no template fits is left out. Jobs behind a limit count as far as it
    /// has room: a machine for the others would have nothing to do.
    #[must_use]
    pub fn demand(&self, templates: &[Template]) -> Vec<ClassDemand> {
        if self.paused {
            // A machine would have nothing to do.
            return Vec::new();
        }
        let mut room: HashMap<u32, u32> = HashMap::new();
        let mut demand = Vec::new();
        for (_, class) in self.classes.iter().filter(|(_, class)| !class.lanes.is_empty()) {
            let fits = |template: &Template| class.key.accepts(&template.attributes, &template.scope);
            let pools: Vec<usize> =
                templates.iter().enumerate().filter(|(_, template)| fits(template)).map(|(at, _)| at).collect();
            if pools.is_empty() {
                continue;
            }
            let mut jobs = 0_u32;
            for lane in class.lanes.iter().map(|lane| &self.lanes[*lane]) {
                let mut may_go = u32::try_from(lane.queue.len()).unwrap_or(u32::MAX);
                for gate in lane.under.gates() {
                    may_go = may_go.min(*room.entry(gate).or_insert_with(|| self.gates[gate].room()));
                }
                for gate in lane.under.gates() {
                    room.entry(gate).and_modify(|left| *left -= may_go);
                }
                jobs = jobs.saturating_add(may_go);
            }
            demand.push(ClassDemand { jobs, pools });
        }
        demand
    }

    /// Which of the templates could take the job; costs nothing that depends on the board.
    #[must_use]
    pub fn could_take(job: &QueuedJob, templates: &[Template]) -> Vec<usize> {
        let fits = |template: &Template| {
            super::serves(&template.scope, &job.account.org) && job.filter.matches(&template.attributes)
        };
        templates.iter().enumerate().filter(|(_, template)| fits(template)).map(|(at, _)| at).collect()
    }

    /// What each of the runners does; nothing for one that is not known.
    #[must_use]
    pub fn use_of(&self, runners: &[RunnerId]) -> Vec<Option<Use>> {
        let seen = |runner: &RunnerId| {
            let entry = &self.runners[self.runners.find(*runner)?];
            Some(Use { jobs: entry.used, last_used: entry.last_used })
        };
        runners.iter().map(seen).collect()
    }
}

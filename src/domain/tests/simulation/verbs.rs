//! The wrapper's verbs other than `run`.

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::wire::control::{ErrCode, LostWhy, SpoolState};

use super::host::{Claim, Process, Spool};
use super::link::{Ask, Said};
use super::world::World;

/// Looks that a verb waits for a launcher between claim and start.
const SETTLE_LOOKS: u32 = 3;

impl World {
    pub fn verb(&mut self, host: usize, ask: Ask, channel: usize, waited: u32) -> Option<Process> {
        match ask {
            Ask::Run(_) => return None,
            Ask::Hello => {
                let unreadable = self.random.one_in(20) && !self.calm;
                let id = if unreadable { "unknown".into() } else { self.hosts[host].instance_id() };
                self.say(channel, Said::Hello(id));
                return None;
            }
            Ask::Status => {
                let known = &self.hosts[host];
                let list = known.spools.keys().filter(|id| matches!(known.look(**id), Ok(Some(_)))).copied().collect();
                self.say(channel, Said::List(list));
                return None;
            }
            Ask::AckRemove(attempt) => {
                let forgotten = self.truth.forgotten(attempt, &self.store);
                self.hold(attempt.job, forgotten);
                self.hosts[host].remove(attempt);
                return None;
            }
            Ask::Remove(attempt) => {
                let forgotten = self.truth.forgotten(attempt, &self.store);
                self.hold(attempt.job, forgotten);
                if !matches!(self.hosts[host].look(attempt), Ok(Some(SpoolState::Run { .. } | SpoolState::Reserved))) {
                    self.hosts[host].remove(attempt);
                }
                return None;
            }
            Ask::At(..) | Ask::Fence(_) | Ask::Kill(_) | Ask::Cancel(_) => {}
        }
        let (Ask::At(attempt, _) | Ask::Fence(attempt) | Ask::Kill(attempt) | Ask::Cancel(attempt)) = ask else {
            return None;
        };
        if let Ask::Kill(_) | Ask::Cancel(_) = ask
            && let Some(spool) = self.hosts[host].spools.get_mut(&attempt)
            && spool.dir
        {
            spool.cancel.get_or_insert(StopReason::User);
        }
        let known = &mut self.hosts[host];
        if let Ask::Fence(_) = ask
            && known.look(attempt) == Ok(None)
        {
            let full = known.disk_full;
            if !full {
                known.spools.insert(attempt, Spool { claim: Some(Claim::Fenced), dir: true, ..Spool::default() });
            }
            self.say(channel, if full { Said::Err(ErrCode::NoSpace) } else { Said::Fenced });
            return None;
        }
        let unsettled =
            |look| matches!(look, Ok(Some(SpoolState::Reserved | SpoolState::Lost { why: LostWhy::NoStart, .. })));
        if unsettled(known.look(attempt)) && waited < SETTLE_LOOKS {
            return Some(Process::Verb { ask, channel, waited: waited + 1 });
        }
        known.decide_empty_claim(attempt);
        self.answer(host, ask, attempt, channel)
    }

    /// What a verb does when no launcher is on its way.
    fn answer(&mut self, host: usize, ask: Ask, attempt: AttemptId, channel: usize) -> Option<Process> {
        let look = self.hosts[host].look(attempt);
        let said = match (ask, look) {
            (Ask::Kill(_) | Ask::Cancel(_), Ok(Some(SpoolState::Run { .. }))) => {
                self.stop(host, attempt);
                return None;
            }
            (_, Ok(None)) => Said::None,
            (_, Err(())) => Said::Err(ErrCode::Removed),
            (_, Ok(Some(SpoolState::Fenced))) => Said::Fenced,
            (Ask::At(_, next), Ok(Some(state))) => {
                if state == SpoolState::Reserved {
                    self.say(channel, Said::Err(ErrCode::Refused));
                    return None;
                }
                if self.hosts[host].spools.get(&attempt).is_some_and(|spool| spool.started.is_some()) {
                    self.say(channel, Said::At);
                }
                return Some(Process::Streamer { attempt, channel, next, end_said: false });
            }
            (_, Ok(Some(state))) => Said::State(state),
        };
        if !matches!(ask, Ask::Cancel(_)) {
            self.say(channel, said);
        }
        None
    }

    fn stop(&mut self, host: usize, attempt: AttemptId) {
        let Some(spool) = self.hosts[host].spools.get_mut(&attempt) else { return };
        spool.dying = true;
        if !spool.waiter_alive
            && let Some(result) = self.hosts[host].record(attempt, 137)
        {
            self.truth.seen(attempt).results.push(result);
        }
    }
}

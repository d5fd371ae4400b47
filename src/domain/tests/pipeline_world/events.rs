//! What jobs and people do to the world.

use shuntyard_domain::change::{ChangeState, Signed};
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::stage::{Action, End, JobStanding, Refusal, Status, cancelled_at_the_door, check, trigger};
use uuid::Uuid;

use super::{World, is_live, phase_of};

impl World {
    /// Does what a person asks for, or says why it is not allowed.
    pub fn person(&mut self, action: Action) -> Result<(), Refusal> {
        let view = self.view();
        check(&view, action)?;
        let signed = || Signed { at_ms: 4, by: "bob".into() };
        match action {
            Action::Approve => {
                self.change.state = ChangeState::Merged;
                self.change.approved = Some(signed());
            }
            Action::Deliver => self.change.delivered = Some(signed()),
            Action::Trigger | Action::RerunFailed => {
                let stage = view.latest.as_ref().unwrap().run.stage;
                self.run_again(stage, action == Action::RerunFailed)?;
            }
            Action::Cancel => {
                let end = cancelled_at_the_door(&view).map(|new| {
                    assert!(self.start_stage(new.stage, new.number, None, None), "a run is open");
                    End { status: Status::Failed, at_ms: 4 }
                });
                let run = self.runs.last_mut().unwrap();
                run.cancel = Some(signed());
                run.end = end;
            }
            Action::Close => self.change.state = ChangeState::Closed,
        }
        Ok(())
    }

    pub fn run_again(&mut self, stage: Stage, failed_only: bool) -> Result<(), Refusal> {
        let new = trigger(&self.view(), stage, failed_only)?;
        assert!(self.start_stage(new.stage, new.number, Some("bob".into()), new.repeats), "a number is used twice");
        Ok(())
    }

    /// An event in the words of the fixtures; `Err` says why it is refused.
    pub fn event(&mut self, text: &str) -> Result<(), String> {
        let words: Vec<&str> = text.split(' ').collect();
        let told = |refusal: Refusal| refusal.to_string();
        match words.as_slice() {
            ["begin" | "restart"] => Ok(()),
            ["taken", stage] => {
                self.taken.insert(stage.parse().unwrap(), ChangeId(Uuid::from_u128(99)));
                Ok(())
            }
            ["freed", stage] => {
                self.taken.remove(&stage.parse().unwrap());
                Ok(())
            }
            ["trigger", stage] => self.run_again(stage.parse().unwrap(), false).map_err(told),
            ["rerun", stage] => self.run_again(stage.parse().unwrap(), true).map_err(told),
            [action] => self.person(action.parse().unwrap()).map_err(told),
            [ending, phase, rows @ ..] => {
                for row in rows {
                    self.job(ending, phase, row.parse().unwrap());
                }
                Ok(())
            }
            [] => panic!("an event without words"),
        }
    }

    /// Moves the live job of a row of the latest run.
    fn job(&mut self, ending: &str, phase: &str, row: u32) {
        let ((project, phase), run) = (phase_of(phase), self.runs.last().unwrap().id);
        let of =
            |p: &&shuntyard_domain::stage::PhaseRun| p.stage_run == run && p.project == project && p.phase == phase;
        let phase_run = self.phases.iter().find(of).expect("the phase has not started").id;
        let wanted = |job: &&mut super::Job| job.phase_run == phase_run && job.at.row == row && is_live(job);
        let job = self.jobs.iter_mut().find(wanted).expect("no live job of that row");
        match ending {
            "run" => job.standing = JobStanding::Running,
            "pass" => job.standing = JobStanding::Passed,
            "fail" => job.standing = JobStanding::Failed,
            "lose" => job.standing = JobStanding::Lost,
            "stop" => {
                job.marked = Some(StopReason::User);
                job.standing = JobStanding::Failed;
            }
            other => panic!("unknown event {other}"),
        }
    }
}

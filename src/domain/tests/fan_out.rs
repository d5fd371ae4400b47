//! Fan-outs: cases under fixtures/fan_outs, and the rules in random histories.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde::Deserialize;
use shuntyard_domain::change::Signed;
use shuntyard_domain::fan_out::{
    FanOut, FanOutEnd, FanOutJob, FanOutRow, FanOutStatus, Pace, RowNotRun, RowStanding, Share, Step, halted, steps,
};
use shuntyard_domain::filter::Filter;
use shuntyard_domain::ids::{FanOutId, JobId, RunnerId};
use shuntyard_domain::job::JobSpec;
use shuntyard_domain::stage::JobStanding;
use uuid::Uuid;

fn signed() -> Option<Signed> {
    Some(Signed { at_ms: 1, by: "ada".into() })
}

fn fan_out(pace: Pace) -> FanOut {
    FanOut {
        id: FanOutId(Uuid::from_u128(1)),
        enterprise: "default".into(),
        org: "default".into(),
        project: String::new(),
        title: "t".into(),
        spec: JobSpec::shell("true"),
        filter: Filter::default(),
        priority: 0,
        pace,
        left_out: Vec::new(),
        repeats: None,
        created: Signed { at_ms: 0, by: "ada".into() },
        cancel: None,
        end: None,
        version: 0,
    }
}

const fn runner(number: u32) -> RunnerId {
    RunnerId(Uuid::from_u128(1000 + number as u128))
}

fn job(number: u32, standing: JobStanding, is_marked: bool) -> FanOutJob {
    FanOutJob {
        id: JobId(Uuid::from_u128(5000 + u128::from(number))),
        standing,
        state: String::new(),
        is_marked,
        exit_code: None,
        started_at_ms: None,
        finished_at_ms: None,
        stop_reason: None,
        not_run_reason: None,
    }
}

/// One letter a row: `.` not started, `q` queued, `r` running, `m` running and marked, `s` succeeded, `f` failed, `l` lost,
/// `n` not run, `d` its runner is deleted before it started, `D` while its job waits.
fn rows(letters: &str) -> (Vec<FanOutRow>, BTreeSet<RunnerId>) {
    let mut gone = BTreeSet::new();
    let row = |(number, letter): (u32, char)| {
        let mut row = FanOutRow::new(number, runner(number), format!("h{number}"));
        let standing = match letter {
            'q' | 'D' => Some(JobStanding::Waiting),
            'r' | 'm' => Some(JobStanding::Running),
            's' => Some(JobStanding::Passed),
            'f' => Some(JobStanding::Failed),
            'l' => Some(JobStanding::Lost),
            _ => None,
        };
        row.job = standing.map(|standing| job(number, standing, letter == 'm'));
        row.not_run = (letter == 'n').then_some(RowNotRun::CanaryFailed);
        if matches!(letter, 'd' | 'D') {
            gone.insert(row.runner);
        }
        row
    };
    let rows = (0..).zip(letters.chars()).map(row).collect();
    (rows, gone)
}

fn told(step: &Step) -> String {
    let numbers = |rows: &[u32]| rows.iter().map(|row| format!(" {row}")).collect::<String>();
    match step {
        Step::Start { rows } => format!("start{}", numbers(rows)),
        Step::LeaveOut { rows, reason } => format!("leave out{}: {reason}", numbers(rows)),
        Step::Cancel { jobs } => {
            let rows: Vec<u32> = jobs.iter().map(|job| (job.0.as_u128() - 5000) as u32).collect();
            format!("cancel{}", numbers(&rows))
        }
        Step::Finish { status } => format!("finish {status}"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    rows: String,
    #[serde(default)]
    pace: Pace,
    #[serde(default)]
    cancelled: bool,
    then: Vec<String>,
}

#[test]
fn each_case_leads_to_its_steps() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../fixtures/fan_outs/cases.json")).unwrap();
    assert!(cases.len() >= 18);
    for case in cases {
        let (rows, gone) = rows(&case.rows);
        let fan_out = FanOut { cancel: signed().filter(|_| case.cancelled), ..fan_out(case.pace) };
        let said: Vec<String> = steps(&fan_out, &rows, &gone).iter().map(told).collect();
        assert_eq!(said, case.then, "{}", case.about);
    }
}

/// What happens between two looks.
#[derive(Clone, Debug)]
enum Event {
    /// A live job goes on: which of them, and whether it ends well.
    Runs(usize),
    Ends(usize, bool),
    Cancel,
    Delete(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any::<usize>().prop_map(Event::Runs),
        8 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(which, well)| Event::Ends(which, well)),
        1 => Just(Event::Cancel),
        1 => any::<usize>().prop_map(Event::Delete),
    ]
}

fn share() -> impl Strategy<Value = Option<Share>> {
    prop_oneof![
        2 => Just(None),
        2 => (1..12_u32).prop_map(|count| Some(Share::Count(count))),
        1 => (1..=100_u32).prop_map(|percent| Some(Share::Percent(percent))),
    ]
}

/// A store, and what was seen of it.
struct World {
    fan_out: FanOut,
    rows: Vec<FanOutRow>,
    gone: BTreeSet<RunnerId>,
    started: Vec<u32>,
}

impl World {
    fn live(&self) -> Vec<usize> {
        let live = self.rows.iter().enumerate().filter(|(_, row)| row.standing() == RowStanding::Live);
        live.map(|(index, _)| index).collect()
    }

    fn failed(&self) -> usize {
        let gone = |row: &&FanOutRow| row.not_run == Some(RowNotRun::RunnerDeleted) && row.job.is_none();
        self.rows.iter().filter(|row| row.standing() == RowStanding::Failed).count()
            + self.rows.iter().filter(gone).count()
    }

    /// Looks and stores until nothing is to be done.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..50 {
            let steps = steps(&self.fan_out, &self.rows, &self.gone);
            if steps.is_empty() {
                return Ok(());
            }
            for step in steps {
                self.carry_out(step)?;
            }
            let batch = self.fan_out.pace.batch_of(self.rows.len() as u32) as usize;
            prop_assert!(self.live().len() <= batch, "{} live rows, {batch} may be", self.live().len());
        }
        Err(TestCaseError::fail("it does not come to rest"))
    }

    fn carry_out(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Start { rows } => {
                let pace = self.fan_out.pace;
                let most = pace.max_failures_of(self.rows.len() as u32) as usize;
                prop_assert!(self.failed() <= most && self.fan_out.cancel.is_none(), "started behind a halt");
                for number in rows {
                    let canaries = &self.rows[..pace.canary.min(number) as usize];
                    let proved = canaries.iter().all(|row| row.standing() == RowStanding::Succeeded);
                    prop_assert!(number < pace.canary || proved, "row {number} started before the canaries succeeded");
                    let row = &mut self.rows[number as usize];
                    prop_assert!(row.job.is_none() && row.not_run.is_none(), "row {number} has two jobs");
                    row.job = Some(job(number, JobStanding::Waiting, false));
                    self.started.push(number);
                }
            }
            Step::LeaveOut { rows, reason } => {
                for number in rows {
                    let row = &mut self.rows[number as usize];
                    prop_assert!(row.not_run.is_none());
                    row.not_run = Some(reason);
                }
            }
            Step::Cancel { jobs } => {
                for row in &mut self.rows {
                    let Some(job) = row.job.as_mut().filter(|job| jobs.contains(&job.id)) else { continue };
                    prop_assert!(!job.is_marked, "asked twice");
                    job.is_marked = true;
                    if job.standing == JobStanding::Waiting {
                        job.standing = JobStanding::Failed;
                    }
                }
            }
            Step::Finish { status } => {
                prop_assert!(self.fan_out.end.is_none());
                self.fan_out.end = Some(FanOutEnd { status, at_ms: 9 });
            }
        }
        Ok(())
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Cancel => self.fan_out.cancel = signed(),
            Event::Delete(which) => {
                let row = &self.rows[which % self.rows.len()];
                let runs = row.job.as_ref().is_some_and(|job| job.standing == JobStanding::Running);
                // A runner with a running job is deleted only by force, which ends the job.
                if !runs {
                    self.gone.insert(row.runner);
                }
            }
            Event::Runs(which) | Event::Ends(which, _) => {
                let live = self.live();
                let Some(index) = live.get(which % live.len().max(1)) else { return };
                if let Some(job) = &mut self.rows[*index].job {
                    job.standing = match event {
                        Event::Ends(_, true) => JobStanding::Passed,
                        Event::Ends(..) => JobStanding::Failed,
                        _ => JobStanding::Running,
                    };
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_row_is_lost_and_no_limit_is_broken_whatever_happens(
        count in 1..25_u32, canary in 0..6_u32, batch in share(), max_failures in share(),
        events in prop::collection::vec(event(), 0..80),
    ) {
        let pace = Pace { canary: canary.min(count), batch, max_failures };
        let (rows, gone) = rows(&".".repeat(count as usize));
        let mut world = World { fan_out: fan_out(pace), rows, gone, started: Vec::new() };
        world.settle()?;
        for event in &events {
            let before = halted(&world.fan_out, &world.rows);
            world.happens(event);
            world.settle()?;
            prop_assert!(before.is_none() || halted(&world.fan_out, &world.rows).is_some(), "a halt is for good");
        }
        // Then every job ends well.
        for _ in 0..=count {
            world.live().into_iter().for_each(|_| world.happens(&Event::Ends(0, true)));
            world.settle()?;
        }
        let end = world.fan_out.end.map(|end| end.status);
        prop_assert!(end.is_some(), "it never ends: {:?}", world.rows);
        for row in &world.rows {
            prop_assert!(row.job.is_some() || row.not_run.is_some(), "row {} is lost", row.number);
        }
        let mut once = world.started.clone();
        once.dedup();
        prop_assert_eq!(&once, &world.started);
        prop_assert!(world.started.is_sorted(), "in the order of the rows");
        let all = world.rows.iter().all(|row| row.standing() == RowStanding::Succeeded);
        prop_assert_eq!(all, end == Some(FanOutStatus::Succeeded));
        let is_halted = halted(&world.fan_out, &world.rows).is_some();
        let left_out = world.rows.iter().filter(|row| row.job.is_none() && !world.gone.contains(&row.runner)).count();
        prop_assert!(left_out == 0 || is_halted, "left out without a reason");
    }
}

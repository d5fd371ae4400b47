//! A store in memory that does what the reconciler says, and refuses what a real one would refuse.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod events;
pub mod words;

use std::collections::BTreeMap;

use shuntyard_domain::change::{Change, ChangeState, Signed, Source};
use shuntyard_domain::ids::{ChangeId, JobId, PhaseRunId, StageRunId};
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::plan::{PhasePlan, Planned, stage_plan};
use shuntyard_domain::project_config::{ProjectConfig, parse};
use shuntyard_domain::stage::{
    ChangeView, End, JobStanding, PhaseRun, PhaseView, RowJob, RunPlan, RunView, StageRun, Status, Step, Turn, steps,
};
use shuntyard_domain::tenancy::{Name, PipelinePath};
use uuid::Uuid;

/// A job of a row.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub phase_run: PhaseRunId,
    pub at: Turn,
    pub standing: JobStanding,
    pub marked: Option<StopReason>,
}

/// One change and all that is stored about it.
#[derive(Clone, Debug)]
pub struct World {
    pub change: Change,
    /// `Err`: the source's configuration has faults.
    pub config: Result<ProjectConfig, String>,
    /// Its text.
    pub text: String,
    pub consumers: Vec<(PipelinePath, ChangeId, ProjectConfig)>,
    pub runs: Vec<StageRun>,
    pub phases: Vec<PhaseRun>,
    pub jobs: Vec<Job>,
    pub taken: BTreeMap<Stage, ChangeId>,
    ids: u128,
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn path(project: &str) -> PipelinePath {
    PipelinePath { enterprise: name("default"), org: name("acme"), project: name(project), pipeline: name("master") }
}

impl World {
    pub fn new(config: &str) -> Self {
        let by = Signed { at_ms: 1, by: "ada".into() };
        let change = Change {
            id: ChangeId(Uuid::from_u128(1)),
            at: path("hello"),
            title: "Ends the greeting".into(),
            description: String::new(),
            state: ChangeState::Open,
            source: Source::None,
            submitted: by,
            approved: None,
            delivered: None,
            version: 1,
        };
        Self {
            change,
            config: parse(config).map_err(|faults| faults[0].to_string()),
            text: config.into(),
            consumers: Vec::new(),
            runs: Vec::new(),
            phases: Vec::new(),
            jobs: Vec::new(),
            taken: BTreeMap::new(),
            ids: 100,
        }
    }

    fn new_id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    pub fn run(&self, id: StageRunId) -> &StageRun {
        self.runs.iter().find(|run| run.id == id).unwrap()
    }

    pub fn plan_of(&self, phase: &PhaseRun) -> &PhasePlan {
        let RunPlan::Made(plan) = &self.run(phase.stage_run).plan else { panic!("a phase of a run without a plan") };
        plan.find(&phase.project, phase.phase).unwrap()
    }

    pub fn phase_run(&self, id: PhaseRunId) -> &PhaseRun {
        self.phases.iter().find(|phase| phase.id == id).unwrap()
    }

    pub fn run_view(&self, run: &StageRun) -> RunView {
        let view = |phase: &PhaseRun| {
            let mut jobs: BTreeMap<u32, Vec<RowJob>> = BTreeMap::new();
            for job in self.jobs.iter().filter(|job| job.phase_run == phase.id) {
                let row = RowJob { id: job.id, standing: job.standing, is_marked: job.marked.is_some() };
                jobs.entry(job.at.row).or_default().push(row);
            }
            PhaseView { run: phase.clone(), jobs }
        };
        let phases = self.phases.iter().filter(|phase| phase.stage_run == run.id).map(view).collect();
        RunView { run: run.clone(), phases }
    }

    pub fn view(&self) -> ChangeView {
        let latest = self.runs.last();
        let repeated = latest.and_then(|run| run.repeats).map(|id| self.run_view(self.run(id)));
        let mut numbers = BTreeMap::new();
        for run in &self.runs {
            let highest = numbers.entry(run.stage).or_insert(0);
            *highest = run.number.max(*highest);
        }
        ChangeView {
            change: self.change.clone(),
            numbers,
            latest: latest.map(|run| self.run_view(run)),
            repeated,
            taken: self.taken.clone(),
        }
    }

    /// Does one step; `false` when the store refuses it, because it was done before.
    pub fn apply(&mut self, step: &Step) -> bool {
        match step.clone() {
            Step::StartStage { stage, number } => self.start_stage(stage, number, None, None),
            Step::PlanStage { run } => self.make_plan(run),
            Step::StartPhase { run, project, phase, carried } => {
                let same = |p: &&PhaseRun| p.stage_run == run && p.project == project && p.phase == phase;
                if self.phases.iter().any(|p| same(&p)) || self.run(run).end.is_some() {
                    return false;
                }
                let id = PhaseRunId(self.new_id());
                self.phases.push(PhaseRun { id, stage_run: run, project, phase, carried, created_at_ms: 2, end: None });
                true
            }
            Step::SubmitRows { phase_run, rows } => self.submit(phase_run, &rows),
            Step::CancelJobs { jobs, reason } => {
                let mut changed = false;
                for job in self.jobs.iter_mut().filter(|job| jobs.contains(&job.id) && is_live(job)) {
                    changed |= job.marked.is_none();
                    job.marked.get_or_insert(reason);
                    // A waiting job ends at once; a running one when its host has confirmed.
                    if job.standing == JobStanding::Waiting {
                        job.standing = JobStanding::Failed;
                    }
                }
                changed
            }
            Step::FinishPhase { phase_run, status } => {
                let phase = self.phases.iter_mut().find(|phase| phase.id == phase_run).unwrap();
                end_once(&mut phase.end, status)
            }
            Step::FinishStage { run, status } => {
                let run = self.runs.iter_mut().find(|r| r.id == run).unwrap();
                end_once(&mut run.end, status)
            }
        }
    }

    pub fn start_stage(
        &mut self,
        stage: Stage,
        number: u32,
        triggered_by: Option<String>,
        repeats: Option<StageRunId>,
    ) -> bool {
        let taken = self.runs.iter().any(|run| (run.stage, run.number) == (stage, number) || run.end.is_none());
        if !taken {
            let id = StageRunId(self.new_id());
            let (change, plan) = (self.change.id, RunPlan::Unread);
            let run = StageRun {
                id,
                change,
                stage,
                number,
                triggered_by,
                repeats,
                plan,
                cancel: None,
                created_at_ms: 2,
                end: None,
                version: 1,
            };
            self.runs.push(run);
        }
        !taken
    }

    fn make_plan(&mut self, run: StageRunId) -> bool {
        let stage = self.run(run).stage;
        let of = |at, change, config| Planned {
            at,
            change,
            source: &Source::None,
            config,
            settings: None,
            local: None,
            template: None,
            output_cap_bytes: 1 << 20,
        };
        let plan = match &self.config {
            Err(fault) => RunPlan::Faulty(fault.clone()),
            Ok(config) => {
                let consumers: Vec<_> = self.consumers.iter().map(|(at, id, config)| of(at, *id, config)).collect();
                RunPlan::Made(stage_plan(stage, of(&self.change.at, self.change.id, config), &consumers))
            }
        };
        let run = self.runs.iter_mut().find(|r| r.id == run).unwrap();
        let unread = run.plan == RunPlan::Unread;
        if unread {
            run.plan = plan;
        }
        unread
    }

    fn submit(&mut self, phase_run: PhaseRunId, rows: &[Turn]) -> bool {
        let stored = |at: &Turn| self.jobs.iter().any(|job| job.phase_run == phase_run && job.at == *at);
        if rows.iter().any(stored) || self.phase_run(phase_run).end.is_some() {
            return false;
        }
        for at in rows {
            let id = JobId(self.new_id());
            self.jobs.push(Job { id, phase_run, at: *at, standing: JobStanding::Waiting, marked: None });
        }
        true
    }

    /// Does what the reconciler says until it says nothing; returns every step, in order.
    pub fn settle(&mut self) -> Vec<Step> {
        let mut done = Vec::new();
        loop {
            let next = steps(&self.view());
            if next.is_empty() {
                return done;
            }
            for step in next {
                assert!(self.apply(&step), "said twice: {step:?} after {done:#?}");
                done.push(step);
            }
            assert!(done.len() < 5_000, "it does not end: {:#?}", &done[..40]);
        }
    }
}

pub fn is_live(job: &Job) -> bool {
    matches!(job.standing, JobStanding::Waiting | JobStanding::Running)
}

fn end_once(end: &mut Option<End>, status: Status) -> bool {
    let open = end.is_none();
    end.get_or_insert(End { status, at_ms: 3 });
    open
}

/// `PHASE`, or `PROJECT:PHASE` for a consumer.
pub fn phase_of(text: &str) -> (Name, Phase) {
    let (project, phase) = text.split_once(':').unwrap_or(("hello", text));
    (name(project), phase.parse().unwrap())
}

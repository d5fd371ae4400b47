//! The reconciler against random configurations and random orders of what jobs, people and a forgetful
//! dispatcher do: it always ends, never goes ahead of itself, and its verdicts are those of a naive reading.

mod pipeline_world;

use std::collections::BTreeMap;

use pipeline_world::words::may_fail;
use pipeline_world::{Job, World, is_live, path};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};
use shuntyard_domain::change::ChangeState;
use shuntyard_domain::ids::{ChangeId, StageRunId};
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::pipeline::{Gate, next};
use shuntyard_domain::plan::PhasePlan;
use shuntyard_domain::project_config::parse;
use shuntyard_domain::stage::{
    JobStanding, PhaseRun, RunPlan, StageRun, Standing, Status, Step, TURNS_MAX, allowed, stage_shown, standing, steps,
};
use uuid::Uuid;

/// What happens next; an index picks among what there is.
#[derive(Clone, Debug)]
enum Happens {
    /// The dispatcher does one of the steps, and forgets the others.
    OneStep(Index),
    /// It does all of them, twice.
    AllStepsTwice,
    /// A job goes on: started, or ended in some way.
    Job(Index, JobStanding),
    /// A person cancels one job.
    CancelJob(Index),
    /// A person does something that is allowed.
    Person(Index),
    /// Another change enters or leaves a shared stage.
    Taken(Index),
    /// The source says something else from now on: a git ref has moved.
    OtherConfig,
}

fn happens() -> impl Strategy<Value = Happens> {
    let ending = prop_oneof![
        2 => Just(JobStanding::Running),
        5 => Just(JobStanding::Passed),
        2 => Just(JobStanding::Failed),
        1 => Just(JobStanding::Lost),
    ];
    prop_oneof![
        5 => any::<Index>().prop_map(Happens::OneStep),
        6 => Just(Happens::AllStepsTwice),
        8 => (any::<Index>(), ending).prop_map(|(job, to)| Happens::Job(job, to)),
        1 => any::<Index>().prop_map(Happens::CancelJob),
        2 => any::<Index>().prop_map(Happens::Person),
        1 => any::<Index>().prop_map(Happens::Taken),
        1 => Just(Happens::OtherConfig),
    ]
}

/// A config.json in which every setting that concerns the reconciler is chosen at random.
fn config() -> impl Strategy<Value = Value> {
    let phase = (
        prop::collection::vec(any::<bool>(), 1..5),
        prop::bool::weighted(0.3),
        prop::option::of(1u32..4),
        prop::bool::weighted(0.5),
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(phase, Phase::ALL.len()).prop_map(|phases| {
        let (mut filters, mut settings, mut skipped) = (Map::new(), Map::new(), Vec::new());
        for (phase, (may_fail, fail_fast, max_parallel, on_lost, runs, skip)) in Phase::ALL.iter().zip(phases) {
            let row = |row: usize| json!({ "os": [format!("os{row}")] });
            let tolerated: Vec<Value> =
                may_fail.iter().enumerate().filter(|(row, may)| **may && row % 2 == 0).map(|(n, _)| row(n)).collect();
            let mut own = json!({ "fail_fast": fail_fast, "retry": { "on_lost": on_lost } });
            if runs {
                own["run"] = "make".into();
            }
            if let Some(most) = max_parallel {
                own["max_parallel"] = most.into();
            }
            if !tolerated.is_empty() {
                own["continue_on_error"] = tolerated.into();
            }
            if skip {
                skipped.push(phase.as_str());
            }
            filters.insert(phase.to_string(), (0..may_fail.len()).map(row).collect());
            settings.insert(phase.to_string(), own);
        }
        json!({ "job_dispatch": { "version": "v2", "filters": filters }, "phases": settings, "skip_phases": skipped })
    })
}

/// A run of the world that looks over the reconciler's shoulder.
struct Watched {
    world: World,
    /// Whether its end was asked for when a run ended.
    was_stopping: BTreeMap<StageRunId, bool>,
    /// The configuration that the source does not have now.
    other: String,
}

impl Watched {
    fn new(config: &Value, other: &Value) -> Self {
        Self { world: World::new(&config.to_string()), was_stopping: BTreeMap::new(), other: other.to_string() }
    }

    fn does(&mut self, step: &Step) {
        self.check(step);
        if let Step::FinishStage { run, .. } = step {
            let stopping = self.is_stopping(self.world.run(*run));
            self.was_stopping.insert(*run, stopping);
        }
        assert!(self.world.apply(step), "it says what was done before: {step:?}");
        assert!(!self.world.apply(step), "done twice: {step:?}");
    }

    fn is_stopping(&self, run: &StageRun) -> bool {
        run.cancel.is_some() || self.world.change.state == ChangeState::Closed
    }

    fn jobs<'a>(&'a self, phase: &'a PhaseRun) -> impl Iterator<Item = &'a Job> {
        self.world.jobs.iter().filter(|job| job.phase_run == phase.id)
    }

    /// What must hold whenever the step is said.
    fn check(&self, step: &Step) {
        let world = &self.world;
        match step {
            Step::StartStage { stage, .. } => {
                assert!(world.runs.iter().all(|run| run.end.is_some()), "two runs at a time");
                assert!(!world.taken.contains_key(stage), "{stage} is taken");
                if let Some((before, gate)) = Stage::ALL
                    .iter()
                    .find_map(|s| Some((*s, next(*s)?.1)).filter(|_| next(*s).is_some_and(|n| n.0 == *stage)))
                {
                    let last = world.runs.last().unwrap();
                    let passed = last.end.is_some_and(|end| end.status != Status::Failed);
                    assert!(last.stage == before && passed, "{stage} follows a {before} that has not passed");
                    assert!(
                        gate.is_none_or(|gate: Gate| world.change.has_passed(gate)),
                        "past a closed gate into {stage}"
                    );
                }
            }
            Step::StartPhase { run, project, phase, carried } => {
                let run = world.run(*run);
                assert!(!self.is_stopping(run), "a phase starts in a run that stops");
                let RunPlan::Made(plan) = &run.plan else { panic!("a phase without a plan") };
                let of = |(_, plan): &(usize, &PhasePlan)| plan.phase == *phase && plan.project == *project;
                let (group, own) = plan.phases().find(of).unwrap();
                for (row, job) in carried {
                    let job = world.jobs.iter().find(|earlier| earlier.id == *job).unwrap();
                    let from = world.plan_of(world.phase_run(job.phase_run));
                    assert!(run.repeats.is_some() && job.standing == JobStanding::Passed && job.at.row == *row);
                    assert_eq!(from, own, "a row is carried over that would run something else");
                }
                for (_, before) in plan.phases().filter(|(earlier, _)| *earlier < group) {
                    let same =
                        |p: &&PhaseRun| p.stage_run == run.id && p.phase == before.phase && p.project == before.project;
                    let end = world.phases.iter().find(same).and_then(|phase| phase.end);
                    assert!(end.is_some_and(|end| end.status != Status::Failed), "{phase} starts early: {before:?}");
                }
            }
            Step::SubmitRows { phase_run, rows } => {
                let phase = world.phase_run(*phase_run);
                let plan = world.plan_of(phase);
                assert!(plan.skip.is_none() && !self.is_stopping(world.run(phase.stage_run)));
                let live = self.jobs(phase).filter(|job| is_live(job)).count();
                assert!(plan.max_parallel.is_none_or(|most| live + rows.len() <= most as usize), "too many at a time");
                let fatal = |job: &Job| job.standing == JobStanding::Failed && !may_fail(plan, job.at.row);
                assert!(!plan.fail_fast || !self.jobs(phase).any(fatal), "queued behind a failure");
                for at in rows {
                    assert!(!phase.carried.contains_key(&at.row), "a row runs that was carried over");
                    let before: Vec<&Job> = self.jobs(phase).filter(|job| job.at.row == at.row).collect();
                    assert_eq!(at.turn as usize, before.len() + 1);
                    let again =
                        |job: &&Job| job.standing == JobStanding::Lost && job.marked.is_none() && plan.retry_on_lost;
                    assert!(before.iter().all(again) && at.turn <= TURNS_MAX, "started again: {before:?}");
                }
            }
            Step::CancelJobs { jobs, reason } => {
                for job in world.jobs.iter().filter(|job| jobs.contains(&job.id)) {
                    let phase = world.phase_run(job.phase_run);
                    assert!(is_live(job) && job.marked.is_none());
                    let stopping = self.is_stopping(world.run(phase.stage_run));
                    assert!(stopping == (*reason == StopReason::User) && (stopping || world.plan_of(phase).fail_fast));
                }
            }
            Step::FinishPhase { phase_run, .. } => {
                let phase = world.phase_run(*phase_run);
                assert!(!self.jobs(phase).any(is_live), "a phase ends before its jobs");
            }
            Step::FinishStage { run, .. } => {
                let open = world.phases.iter().any(|phase| phase.stage_run == *run && phase.end.is_none());
                assert!(!open, "a stage ends before its phases");
            }
            Step::PlanStage { .. } => {}
        }
    }

    fn happens(&mut self, what: &Happens) {
        match what {
            Happens::OneStep(index) => {
                let said = steps(&self.world.view());
                if !said.is_empty() {
                    self.does(index.get(&said));
                }
            }
            Happens::AllStepsTwice => {
                let said = steps(&self.world.view());
                assert_eq!(said, steps(&self.world.view()));
                said.iter().for_each(|step| self.does(step));
            }
            Happens::Job(index, to) => self.job(*index, *to),
            Happens::CancelJob(index) => {
                let mut live: Vec<&mut Job> = self.world.jobs.iter_mut().filter(|job| is_live(job)).collect();
                if !live.is_empty() {
                    let nth = index.index(live.len());
                    live[nth].marked.get_or_insert(StopReason::User);
                    live[nth].standing = JobStanding::Failed;
                }
            }
            Happens::Person(index) => {
                let actions = allowed(&self.world.view());
                if !actions.is_empty() {
                    self.world.person(*index.get(&actions)).expect("what is allowed is not refused");
                }
            }
            Happens::Taken(index) => {
                let stage = *index.get(Stage::ALL);
                if self.world.taken.remove(&stage).is_none() {
                    self.world.taken.insert(stage, ChangeId(Uuid::from_u128(9)));
                }
            }
            Happens::OtherConfig => {
                let now = std::mem::replace(&mut self.world.text, self.other.clone());
                self.world.config = Ok(parse(&self.other).unwrap());
                self.other = now;
            }
        }
    }

    fn job(&mut self, index: Index, to: JobStanding) {
        let mut live: Vec<&mut Job> = self.world.jobs.iter_mut().filter(|job| is_live(job)).collect();
        if !live.is_empty() {
            let nth = index.index(live.len());
            live[nth].standing = to;
        }
    }

    /// Lets everything end: no person does anything any more.
    fn drain(&mut self, endings: &[JobStanding]) {
        for round in 0.. {
            loop {
                let said = steps(&self.world.view());
                if said.is_empty() {
                    break;
                }
                said.iter().for_each(|step| self.does(step));
            }
            let Some(job) = self.world.jobs.iter_mut().find(|job| is_live(job)) else { break };
            job.standing = endings[round % endings.len()];
            assert!(round < 2_000, "it does not end");
        }
        let (view, standing) = (self.world.view(), standing(&self.world.view()));
        assert!(!matches!(standing, Standing::Running { .. }), "stuck: {}", self.world.shown());
        assert!(!matches!(standing, Standing::Moving { to } if !view.taken.contains_key(&to)), "it does not go on");
        self.world.runs.iter().for_each(|run| self.judge(run));
    }

    /// Holds a run's end, and those of its phases, against a naive reading of its jobs.
    fn judge(&self, run: &StageRun) {
        let end = run.end.expect("every run has ended").status;
        assert_eq!(stage_shown(&self.world.run_view(run)).0, end);
        let RunPlan::Made(plan) = &run.plan else { return assert_eq!(end, Status::Failed) };
        let (mut failed, mut skipped) = (false, true);
        for group in &plan.groups {
            let mut group_failed = false;
            for plan in group {
                let same = |p: &&PhaseRun| p.stage_run == run.id && p.phase == plan.phase && p.project == plan.project;
                let Some(phase) = self.world.phases.iter().find(same) else {
                    assert!(failed || self.was_stopping[&run.id], "{} was forgotten", plan.phase);
                    continue;
                };
                assert!(!failed, "{} started behind a failed group", plan.phase);
                let verdict = self.verdict(plan, phase);
                assert_eq!(
                    phase.end.unwrap().status,
                    verdict,
                    "{}: {:?}",
                    plan.phase,
                    self.jobs(phase).collect::<Vec<_>>()
                );
                group_failed |= verdict == Status::Failed;
                skipped &= verdict == Status::Skipped;
            }
            failed |= group_failed;
        }
        let expected = match (failed || self.was_stopping[&run.id], skipped) {
            (true, _) => Status::Failed,
            (false, true) => Status::Skipped,
            (false, false) => Status::Passed,
        };
        assert_eq!(end, expected);
    }

    fn verdict(&self, plan: &PhasePlan, phase: &PhaseRun) -> Status {
        if plan.skip.is_some() {
            return Status::Skipped;
        }
        let is_good = |row: u32| {
            let last = self.jobs(phase).filter(|job| job.at.row == row).max_by_key(|job| job.at.turn);
            match last {
                Some(job) => job.standing == JobStanding::Passed || may_fail(plan, row),
                None => phase.carried.contains_key(&row),
            }
        };
        if (0..u32::try_from(plan.rows.len()).unwrap()).all(is_good) { Status::Passed } else { Status::Failed }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_it_ends_in_order_and_judges_as_a_naive_reading_does(
        config in config(), other in config(), consumer in prop::option::of(config()), script in prop::collection::vec(happens(), 0..250),
        endings in prop::collection::vec(prop::sample::select(
            vec![JobStanding::Passed, JobStanding::Passed, JobStanding::Passed, JobStanding::Failed, JobStanding::Lost]), 1..20),
    ) {
        let mut watched = Watched::new(&config, &other);
        if let Some(config) = consumer {
            let config = parse(&config.to_string()).unwrap();
            watched.world.consumers.push((path("shop"), ChangeId(Uuid::from_u128(10)), config));
        }
        script.iter().for_each(|what| watched.happens(what));
        watched.drain(&endings);
    }

    #[test]
    fn a_change_whose_jobs_all_pass_arrives_when_people_let_it(config in config()) {
        let mut watched = Watched::new(&config, &config);
        let mut gates = 0;
        loop {
            watched.drain(&[JobStanding::Passed]);
            match standing(&watched.world.view()) {
                Standing::AtGate { gate: Gate::Approve, .. } => watched.world.event("approve").unwrap(),
                Standing::AtGate { gate: Gate::Deliver, .. } => watched.world.event("deliver").unwrap(),
                other => break prop_assert_eq!(other, Standing::Arrived),
            }
            gates += 1;
        }
        prop_assert_eq!(gates, 2);
        let way: Vec<Stage> = watched.world.runs.iter().map(|run| run.stage).collect();
        prop_assert_eq!(way, Stage::ALL);
    }
}

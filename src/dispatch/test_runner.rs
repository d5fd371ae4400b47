//! Test: the examination of a runner, over its own connection and through its own wrapper; asked for by a person, or
//! made now and then by the dispatcher (`check`).

mod check;
mod examine;
mod small_job;

use shuntyard_domain::facts::facts_from;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::probe::{Report, TestKind, TestRecord};
use shuntyard_domain::runner::{Health, Runner, RunnerState};
use shuntyard_domain::wire::api::StepEvent;
use shuntyard_domain::wrapper::ProbedHost;
use tokio::sync::mpsc;
use tracing::info_span;

use super::inventory::Known;
use super::steps::{Failure, Steps};
use super::{DispatchError, Dispatcher};
use crate::ssh::Target;
use crate::store::{Connection, StoreError, runner_by_id, runner_test_put, runner_update};
pub(super) use check::{CheckPlan, Checks};
use examine::{Depth, Examination, Stop};

/// What a Test found out.
pub(super) struct Examined {
    /// One line a probe, Chef's `command_output`.
    pub report: String,
    /// By which means a job's processes are found when it is stopped.
    pub stop_means: Vec<String>,
}

/// What a Test needs to know of a runner that may not be enrolled yet.
pub(super) struct Examinee<'r> {
    pub target: Target,
    pub wrapper_path: &'r str,
    pub wrapper_version: &'r str,
}

/// What a whole examination has come to.
struct Outcome {
    report: Report,
    lines: String,
    stop_means: Option<Vec<String>>,
    host: Option<ProbedHost>,
    stopped: Option<Stop>,
}

impl Dispatcher {
    /// Tests a runner; its health is `pending` when this answers, and the result is stored at the end.
    ///
    /// # Errors
    /// `NoRunner` for an unknown name; `Store` when the health cannot be stored.
    pub async fn test(&self, hostname: &str) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        let known = self.known_by_name(hostname)?;
        self.may_be_tested(&known.runner)?;
        let id = known.runner.id;
        let begin = |runner: &mut Runner| {
            // What the Test before had found counts until this one has ended.
            runner.health = Health::Pending { unhealthy: runner.health.keeps_jobs_away() };
        };
        self.change_record(id, begin).await?;
        let (steps, listener) = Steps::new();
        let engine = self.clone();
        let span = info_span!("test", runner.name = hostname);
        self.0.tasks.spawn(span, move |_| async move {
            let Outcome { report, lines, stop_means, host, stopped } =
                engine.examine_wholly(&known, &steps, Depth::Test).await;
            let failed = match stopped {
                Some(Stop::Unfit(step, failure)) => Some((step, failure)),
                Some(Stop::NoConnection(why)) => Some(("login", Failure::new(why, "run the Test again"))),
                None => None,
            };
            let health = match &failed {
                None => Health::Ok { command_output: lines },
                Some((step, failure)) => {
                    Health::Error { command_output: format!("{step}: {}\n{}", failure.why, failure.try_next) }
                }
            };
            let change = move |runner: &mut Runner| {
                runner.health = health;
                if let Some(means) = stop_means {
                    runner.installation.stop_means = means;
                }
                if let Some(host) = host {
                    runner.facts = facts_from(&host);
                    runner.installation.tools = host.tools;
                }
            };
            let record = TestRecord { at_ms: engine.0.clock.now_ms(), kind: TestKind::Test, report };
            if let Err(error) = engine.keep_test(id, record, change).await {
                tracing::error!(%error, "the result of the Test could not be stored");
            }
            if matches!(known.runner.state, RunnerState::Pending | RunnerState::Quarantined) {
                // Nothing is kept open to a host that nobody trusts.
                engine.0.pool.forget(id);
            }
            match failed {
                None => steps.finished(engine.runner_body(&known.runner.hostname).await.ok(), Vec::new()),
                Some((step, failure)) => steps.failed(step, failure, Vec::new(), Vec::new()),
            }
        });
        Ok(listener)
    }

    /// Connection, wrapper and a small job. The name of the failed step comes with its failure.
    pub(super) async fn examine(
        &self,
        examinee: &Examinee<'_>,
        steps: &Steps,
    ) -> Result<Examined, (&'static str, Failure)> {
        let mut examination = Examination::new(self, examinee, steps, Depth::Test);
        match examination.essentials().await {
            Ok((_, hello)) => Ok(Examined { report: examination.lines, stop_means: hello.means }),
            Err(Stop::Unfit(step, failure)) => Err((step, failure)),
            Err(Stop::NoConnection(why)) => Err(("login", Failure::new(why, "try again"))),
        }
    }

    /// Everything, of a runner that is in the inventory.
    async fn examine_wholly(&self, known: &Known, steps: &Steps, depth: Depth) -> Outcome {
        let installation = &known.runner.installation;
        let examinee = Examinee {
            target: self.target(known),
            wrapper_path: &installation.wrapper_path,
            wrapper_version: &installation.wrapper_version,
        };
        let mut examination = Examination::new(self, &examinee, steps, depth);
        let (mut stop_means, mut host) = (None, None);
        let examined = async {
            let (mut lease, hello) = examination.essentials().await?;
            stop_means = Some(hello.means);
            host = examination.ask_host(&mut lease, installation.system_mode).await?;
            drop(lease);
            // Not when it cannot be told: a job may be about to need the sessions.
            let busy = !self.jobs_on(known.runner.id).await.is_ok_and(|jobs| jobs.is_empty());
            examination.sessions(known.runner.slots, busy).await;
            Ok(())
        };
        let stopped = examined.await.err();
        let why = match &stopped {
            Some(Stop::Unfit(step, _)) => format!("not reached: the step {step} failed"),
            Some(Stop::NoConnection(_)) | None => "the host does not say".to_owned(),
        };
        examination.skip_the_rest(&why);
        examination.complain();
        Outcome { report: examination.report, lines: examination.lines, stop_means, host, stopped }
    }

    /// Stores what a Test found, with what it changes of the runner, in one commit.
    async fn keep_test(
        &self,
        id: RunnerId,
        record: TestRecord,
        change: impl FnOnce(&mut Runner) + Send + 'static,
    ) -> Result<(), DispatchError> {
        let engine = self.clone();
        self.to_the_end(async move {
            let write = move |c: &mut Connection| {
                let Some(mut runner) = runner_by_id(c, id)? else { return Ok(None) };
                runner_test_put(c, id, &record)?;
                let before = runner.clone();
                change(&mut runner);
                // A check that finds what was known leaves the record and its listeners alone.
                if runner == before { Ok(Some(before)) } else { runner_update(c, &runner).map(Some) }
            };
            let stored: Result<Option<Runner>, StoreError> = engine.0.store.write(write).await;
            let stored = stored?.ok_or_else(|| DispatchError::NoRunner(id.to_string()))?;
            if engine.0.inventory.get(id).is_none_or(|known| known.runner.version < stored.version) {
                engine.record_changed(stored);
            }
            Ok(())
        })
        .await
    }
}

//! The plan of a stage run: read from the change's own source when the stage starts, and stored with it.

use shuntyard_domain::change::{Change, Source};
use shuntyard_domain::ids::{ChangeId, StageRunId};
use shuntyard_domain::phase::Stage;
use shuntyard_domain::plan::{Delivered, Planned, StagePlan, consumers, stage_plan};
use shuntyard_domain::project_config::{ProjectConfig, parse};
use shuntyard_domain::stage::{ChangeView, RunPlan, StageRun};
use shuntyard_domain::tenancy::PipelinePath;

use super::source::{Parsed, parsed};
use crate::dispatch::engine_error::{bad, told};
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{
    GivenConfig, StoreError, change_given, changes_delivered_last, stage_run_config, stage_run_keep_config,
    stage_run_update, stage_runs_of,
};

/// A project beside the change's own, with what its phases do.
struct Beside {
    change: Change,
    parsed: Parsed,
}

impl Dispatcher {
    /// Reads the configuration of a run, and stores its plan or what is wrong.
    ///
    /// # Errors
    /// `Store`; what is wrong with the source is stored, as the reason why the run fails.
    pub(super) async fn make_plan(&self, view: &ChangeView, run: StageRunId) -> Result<(), DispatchError> {
        let Some(latest) = view.latest.as_ref().filter(|latest| latest.run.id == run) else { return Ok(()) };
        let (change, stage) = (&view.change, latest.run.stage);
        let (texts, planned) = match self.texts_of(change).await {
            Ok(texts) => {
                let plan = self.plan_of_change(change, stage, &texts).await;
                (Some(texts), plan)
            }
            Err(error) => (None, Err(error)),
        };
        let plan = match planned {
            Ok(plan) => RunPlan::Made(plan),
            Err(DispatchError::Store(error)) => return Err(error.into()),
            Err(error) => {
                let why = sentence(&error);
                tracing::info!(change.id = %change.id, %stage, why, "the stage cannot be planned");
                RunPlan::Faulty(why)
            }
        };
        let next = StageRun { plan, ..latest.run.clone() };
        let write = move |c: &mut crate::store::Connection| {
            stage_run_update(c, &next)?;
            texts.map_or(Ok(()), |texts| stage_run_keep_config(c, run, &texts.config))
        };
        let stored: Result<(), StoreError> = self.0.store.write(write).await;
        stored?;
        self.0.feed.change_changed(change.id);
        Ok(())
    }

    /// The texts in the change's own source.
    pub(super) async fn texts_of(&self, change: &Change) -> Result<GivenConfig, DispatchError> {
        let id = change.id;
        let given = self.0.store.read(move |c| change_given(c, id)).await?;
        self.texts(&change.source, given).await
    }

    /// Plans a stage of a change that is stored.
    pub(super) async fn plan_of_change(
        &self,
        change: &Change,
        stage: Stage,
        texts: &GivenConfig,
    ) -> Result<StagePlan, DispatchError> {
        self.plan(&change.at, change.id, &change.source, stage, &parsed(texts)?).await
    }

    /// Plans a stage, with the consumers that take part in it.
    pub(super) async fn plan(
        &self,
        at: &PipelinePath,
        change: ChangeId,
        source: &Source,
        stage: Stage,
        own: &Parsed,
    ) -> Result<StagePlan, DispatchError> {
        let beside = if stage == Stage::Union { self.beside(at).await? } else { Vec::new() };
        let own = self.planned(at, change, source, own);
        let consumers: Vec<Planned<'_>> = beside
            .iter()
            .map(|beside| self.planned(&beside.change.at, beside.change.id, &beside.change.source, &beside.parsed))
            .collect();
        Ok(stage_plan(stage, own, &consumers))
    }

    fn planned<'a>(
        &'a self,
        at: &'a PipelinePath,
        change: ChangeId,
        source: &'a Source,
        parsed: &'a Parsed,
    ) -> Planned<'a> {
        Planned {
            at,
            change,
            source,
            config: &parsed.config,
            settings: Some(parsed.settings()),
            local: parsed.local.as_ref(),
            template: self.0.pipelines.template.as_ref(),
            output_cap_bytes: self.0.logs.cap_bytes(),
        }
    }

    /// The consumers of a project: what depends on it among that which was delivered last.
    async fn beside(&self, at: &PipelinePath) -> Result<Vec<Beside>, DispatchError> {
        let enterprise = at.enterprise.clone();
        let delivered = self.0.store.read(move |c| {
            let mut delivered = Vec::new();
            for change in changes_delivered_last(c, Some(&enterprise))? {
                // The configuration of its latest run; its source may be gone.
                let last = stage_runs_of(c, change.id)?.pop();
                let text = last.map(|run| stage_run_config(c, run.id)).transpose()?.flatten();
                delivered.push((change, text));
            }
            Ok::<_, StoreError>(delivered)
        });
        let delivered: Vec<(Change, Option<String>)> = delivered.await?;
        let parsed_once: Vec<(Change, ProjectConfig)> =
            delivered.into_iter().filter_map(|(change, text)| Some((change, parse(&text?).ok()?))).collect();
        let known: Vec<Delivered<'_>> = parsed_once
            .iter()
            .map(|(change, config)| Delivered {
                at: &change.at,
                change: change.id,
                delivered_at_ms: change.delivered.as_ref().map_or(0, |signed| signed.at_ms),
                config,
            })
            .collect();
        let taking_part: Vec<ChangeId> = consumers(at, &known).iter().map(|consumer| consumer.change).collect();
        let place = |change: &Change| taking_part.iter().position(|id| *id == change.id);
        let mut taking_part: Vec<(usize, Change)> =
            parsed_once.into_iter().filter_map(|(change, _)| Some((place(&change)?, change))).collect();
        taking_part.sort_by_key(|(place, _)| *place);
        let mut beside = Vec::new();
        for (_, change) in taking_part {
            let read = self.texts_of(&change).await.and_then(|texts| parsed(&texts));
            let parsed = read.map_err(|error| unreadable(&change, error))?;
            beside.push(Beside { change, parsed });
        }
        Ok(beside)
    }
}

/// A consumer cannot take part: the stage cannot say that it works with the change.
fn unreadable(change: &Change, error: DispatchError) -> DispatchError {
    match error {
        DispatchError::Store(error) => error.into(),
        error => {
            let (project, why) = (&change.at.project, sentence(&error));
            bad(
                "source",
                format!("project `{project}` depends on this one, and its change {} cannot be read: {why}", change.id),
                &[],
            )
        }
    }
}

/// Why there is no plan, for people: every fault of a configuration on a line of its own.
fn sentence(error: &DispatchError) -> String {
    match error {
        DispatchError::BadConfig(faults) => {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            format!("the configuration has faults:\n{}", lines.join("\n"))
        }
        error => told(error),
    }
}

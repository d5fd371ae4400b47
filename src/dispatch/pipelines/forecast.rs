//! What would run, where, and what could not, before anything runs.

use shuntyard_domain::change::{Change, Source};
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::plan::{StagePlan, differences, forecast};
use shuntyard_domain::stage::{RunPlan, StageRun, Status};
use shuntyard_domain::tenancy::PipelinePath;
use shuntyard_domain::wire::pipelines::{LastRun, PlanBody, PlanRequest, StagePlanBody};
use shuntyard_domain::wire::time_text::rfc3339;
use uuid::Uuid;

use super::source::{Parsed, parsed};
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{GivenConfig, StoreError, change_find, stage_run_last_planned};

impl Dispatcher {
    /// Plans stages for a configuration that belongs to no change yet.
    ///
    /// # Errors
    /// `BadConfig` with every fault; `BadRequest`
    pub async fn plan_for(&self, at: PipelinePath, request: PlanRequest) -> Result<PlanBody, DispatchError> {
        let parsed = parsed(&GivenConfig { config: request.config, local_phases: request.local_phases })?;
        let nobody = ChangeId(Uuid::nil());
        self.forecasts(&at, nobody, &Source::None, request.stages, &parsed).await
    }

    /// Plans stages for a change, from its own source.
    ///
    /// # Errors
    /// `NoChange`; `Blob` when its files are gone; `BadConfig`
    pub async fn plan_of(&self, id: ChangeId, stages: Vec<Stage>) -> Result<PlanBody, DispatchError> {
        let change = self.stored_change(id).await?;
        let parsed = parsed(&self.texts_of(&change).await?)?;
        self.forecasts(&change.at, id, &change.source, stages, &parsed).await
    }

    /// The configuration of a change, from its own source.
    ///
    /// # Errors
    /// `NoChange`; `Blob` when its files are gone.
    pub async fn config_of(&self, id: ChangeId) -> Result<GivenConfig, DispatchError> {
        self.texts_of(&self.stored_change(id).await?).await
    }

    async fn stored_change(&self, id: ChangeId) -> Result<Change, DispatchError> {
        let found = self.0.store.read(move |c| change_find(c, id)).await?;
        found.ok_or(DispatchError::NoChange(id))
    }

    async fn forecasts(
        &self,
        at: &PipelinePath,
        change: ChangeId,
        source: &Source,
        asked: Vec<Stage>,
        parsed: &Parsed,
    ) -> Result<PlanBody, DispatchError> {
        let inventory: Vec<_> = self.0.inventory.all().iter().map(|known| known.for_board()).collect();
        let mut stages = Vec::new();
        for stage in Stage::ALL.iter().copied().filter(|stage| asked.is_empty() || asked.contains(stage)) {
            let plan = self.plan(at, change, source, stage, parsed).await?;
            let last = self.last_run(at, stage).await?;
            stages.push(StagePlanBody {
                forecast: forecast(&plan, &at.org, &inventory),
                differences: last.as_ref().map(|(_, last)| differences(last, &plan)).unwrap_or_default(),
                last: last.map(|(last, _)| last),
            });
        }
        Ok(PlanBody { stages })
    }

    /// The last run of a stage of a pipeline, and its plan.
    async fn last_run(&self, at: &PipelinePath, stage: Stage) -> Result<Option<(LastRun, StagePlan)>, DispatchError> {
        let at = at.clone();
        let read = self.0.store.read(move |c| {
            let Some(run) = stage_run_last_planned(c, &at, stage)? else { return Ok(None) };
            let title = change_find(c, run.change)?.map(|change| change.title).unwrap_or_default();
            Ok::<_, StoreError>(Some((run, title)))
        });
        Ok(read.await?.and_then(|(run, title)| last(run, title)))
    }
}

fn last(run: StageRun, title: String) -> Option<(LastRun, StagePlan)> {
    let RunPlan::Made(plan) = run.plan else { return None };
    let told = LastRun {
        change: run.change,
        title,
        number: run.number,
        status: run.end.map_or(Status::Running, |end| end.status),
        created_at: rfc3339(run.created_at_ms),
    };
    Some((told, plan))
}

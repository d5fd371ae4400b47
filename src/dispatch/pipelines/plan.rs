//! The plan of a stage run: read from the change's own source when the stage starts, and stored with it.

use shuntyard_domain::change::{Change, Source};
use shuntyard_domain::ids::{ChangeId, StageRunId};
use shuntyard_domain::phase::Stage;
use shuntyard_domain::plan::{Delivered, Planned, StagePlan, consumers, stage_plan};
use shuntyard_domain::project_config::{ProjectConfig, parse};
use shuntyard_domain::stage::{ChangeView, RunPlan, StageRun};
use shuntyard_domain::tenancy::PipelinePath;

use super::source::{Parsed, parsed};
use crate::blobs::BlobError;
use crate::dispatch::engine_error::{bad, told};
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{
    GivenConfig, StoreError, change_given, changes_delivered_last, stage_run_keep_config, stage_run_last_config,
    stage_run_update,
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
            // Our own trouble is no fault of the change; it passes.
            Err(error) if is_ours(&error) => return Err(error),
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
        self.within_quotas(at, stage_plan(stage, own, &consumers)).await
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
                // As it was planned last; its source may be gone.
                let text = stage_run_last_config(c, change.id)?;
                delivered.push((change, text));
            }
            Ok::<_, StoreError>(delivered)
        });
        let delivered: Vec<(Change, Option<String>)> = delivered.await?;
        let mut parsed_once: Vec<(Change, ProjectConfig)> = Vec::new();
        for (change, text) in delivered {
            // Without knowing what it depends on, nobody can say that it takes no part.
            let config = text
                .ok_or_else(|| bad("config", "no run of it was ever planned", &[]))
                .and_then(|text| parse(&text).map_err(DispatchError::BadConfig))
                .map_err(|error| unreadable(&change, error))?;
            parsed_once.push((change, config));
        }
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

/// Tells trouble of the dispatcher from what is wrong with a source.
const fn is_ours(error: &DispatchError) -> bool {
    use BlobError::{Directory, File, ReceiverGone};
    matches!(
        error,
        DispatchError::Store(_)
            | DispatchError::Interrupted
            | DispatchError::Blob(Directory { .. } | File { .. } | ReceiverGone(_))
    )
}

/// A consumer cannot take part: the stage cannot say that it works with the change.
fn unreadable(change: &Change, error: DispatchError) -> DispatchError {
    match error {
        error if is_ours(&error) => error,
        error => {
            let (project, why) = (&change.at.project, sentence(&error));
            bad(
                "source",
                format!(
                    "change {} of project `{project}`, which may depend on this one, cannot be read: {why}",
                    change.id
                ),
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

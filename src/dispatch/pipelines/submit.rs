//! New changes.

use shuntyard_domain::change::{Change, ChangeState, Signed, Source, check_words};
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::tenancy::PipelinePath;
use shuntyard_domain::wire::pipelines::SubmitChange;

use super::source::parsed;
use crate::dispatch::engine_error::bad;
use crate::dispatch::{DispatchError, Dispatcher, new_id};
use crate::store::{Connection, GivenConfig, MadeKind, StoreError, change_insert, change_keep_given, pipeline_ensure};

impl Dispatcher {
    /// Stores a change, which begins in verify at once. Its pipeline, and what that lies in, is made when missing.
    ///
    /// # Errors
    /// `BadName`, `BadRequest`, `BadConfig` with every fault, `Blob`; nothing is stored then.
    pub async fn submit_change(
        &self,
        at: PipelinePath,
        request: SubmitChange,
        by: &str,
    ) -> Result<ChangeId, DispatchError> {
        check_words(&request.title, &request.description)?;
        request.source.check()?;
        let given = given(&request)?;
        if let Source::Workspace { digest } = request.source {
            self.check_workspace(Some(digest)).await?;
        }
        let (enterprise, org, project) = (at.enterprise.as_str(), at.org.as_str(), at.project.as_str());
        self.check_git((enterprise, org, project), request.source.git(None).as_ref(), false).await?;
        let id = ChangeId(new_id());
        // What verify would refuse is refused now.
        let texts = self.texts(&request.source, given.clone()).await?;
        self.plan(&at, id, &request.source, Stage::Verify, &parsed(&texts)?).await?;
        let now_ms = self.0.clock.now_ms();
        let change = Change {
            id,
            at: at.clone(),
            title: request.title.trim().to_owned(),
            description: request.description,
            state: ChangeState::Open,
            source: request.source,
            submitted: Signed { at_ms: now_ms, by: by.to_owned() },
            approved: None,
            delivered: None,
            version: 0,
        };
        let engine = self.clone();
        self.to_the_end(async move {
            let write = move |c: &mut Connection| {
                pipeline_ensure(c, &at, now_ms)?;
                change_insert(c, &change)?;
                given.map_or(Ok::<_, StoreError>(()), |given| change_keep_given(c, id, &given))
            };
            let written = engine.0.store.create(MadeKind::Change, id, write).await;
            // Also when it failed: a commit may have failed in appearance only.
            engine.ask_about(id);
            written?;
            engine.0.feed.change_changed(id);
            Ok(id)
        })
        .await
    }
}

/// The texts beside a source that has none of its own.
fn given(request: &SubmitChange) -> Result<Option<GivenConfig>, DispatchError> {
    let own = request.source.workspace().is_some();
    match (&request.config, &request.local_phases) {
        (Some(_), _) | (_, Some(_)) if own => {
            Err(bad("config", "a workspace has its own configuration", &["nothing, beside a workspace"]))
        }
        (None, Some(_)) => Err(bad("local_phases", "project.toml comes with a config.json", &["`config` beside it"])),
        (None, None) if !own => {
            Err(bad("config", "the dispatcher cannot read this source itself", &["the text of config.json"]))
        }
        (None, None) => Ok(None),
        (Some(config), local_phases) => {
            Ok(Some(GivenConfig { config: config.clone(), local_phases: local_phases.clone() }))
        }
    }
}

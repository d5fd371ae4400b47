//! What the phases of a plan may have: each project its own quotas, the same as of jobs that are submitted by themselves.

use shuntyard_domain::plan::{PhasePlan, StagePlan};
use shuntyard_domain::tenancy::PipelinePath;

use crate::dispatch::quotas::Asked;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::project_quotas_find;

impl Dispatcher {
    /// The plan, unless a phase of it is larger than its project may have.
    ///
    /// # Errors
    /// `OverQuota` for the first phase that is, `Store`.
    pub(super) async fn within_quotas(&self, at: &PipelinePath, plan: StagePlan) -> Result<StagePlan, DispatchError> {
        let (quotas, usual_bytes, at) = (self.0.quotas, self.0.logs.cap_bytes(), at.clone());
        let check = move |c: &mut crate::store::Connection| {
            for (_, phase) in plan.phases().filter(|(_, phase)| phase.skip.is_none()) {
                let place = phase.elsewhere.as_ref().unwrap_or(&at);
                let project = phase.project.as_str();
                let own = project_quotas_find(c, (place.enterprise.as_str(), place.org.as_str(), project))?;
                quotas.check_sizes(&own, project, &asked(phase, usual_bytes))?;
            }
            Ok::<_, DispatchError>(plan)
        };
        self.0.store.read(check).await
    }
}

/// What a phase asks for; the path is where config.json says it. What is kept of any job's output is not asked for.
fn asked(phase: &PhasePlan, usual_bytes: u64) -> Asked {
    let named = |key: &str| format!("phases.{}.{key}", phase.phase);
    Asked {
        later_jobs: 0,
        script: Some((named("run"), phase.spec.script.len())),
        rows: phase.rows.len(),
        log: Some((named("output_cap_mib"), phase.spec.output_cap_bytes)).filter(|(_, bytes)| *bytes != usual_bytes),
    }
}

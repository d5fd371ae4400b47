//! Why jobs wait: a sentence for each, and the whole explanation of one below its row.

use std::collections::HashMap;

use maud::{Markup, html};
use shuntyard_domain::explain::Explanation;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::Job;

use super::Shown;
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::ui::waits;

/// Different reasons that are asked for at a time: the board looks at every runner for each.
const MAX_REASONS: usize = 20;

/// Why jobs wait.
pub(super) struct Why {
    sentences: HashMap<JobId, String>,
    /// Of the job of which that was asked.
    full: Option<(JobId, Explanation)>,
    shown: Shown,
}

impl Why {
    pub(super) async fn of(api: &Api, waiting: &[Job], shown: Shown) -> Result<Self, ApiError> {
        let asked = waiting.iter().find(|job| Some(job.id) == shown.why);
        let full = match asked {
            Some(job) => api.dispatcher.explain(job).await?.map(|told| (job.id, told)),
            None => None,
        };
        Ok(Self { sentences: sentences(api, waiting).await?, full, shown })
    }

    /// What stands where no job waits.
    pub(super) fn nobody(&self) -> &'static str {
        if self.shown.first() > 1 { "None waits that far back." } else { "Nothing waits." }
    }

    /// The sentence, which leads to the full explanation below the row.
    pub(super) fn sentence(&self, id: JobId) -> Markup {
        let open = self.full.as_ref().is_some_and(|(of, _)| *of == id);
        let to = Shown::address(self.shown.first(), (!open).then_some(id));
        html! { @if let Some(sentence) = self.sentences.get(&id) {
            div.muted.reason { a href={ (to) "#j-" (id) } aria-expanded=(open) { @if open { "less" } @else { "why" } } " " (sentence) }
        } }
    }

    /// A row of `columns`, when it is the one.
    pub(super) fn below(&self, id: JobId, columns: u32) -> Markup {
        html! { @if let Some((_, told)) = self.full.as_ref().filter(|(of, _)| *of == id) {
            tr.below { td colspan=(columns) { (waits::why(told, true)) } }
        } }
    }
}

/// Why each waiting job waits, in a sentence; asked once for those that differ in nothing that matters for it.
async fn sentences(api: &Api, jobs: &[Job]) -> Result<HashMap<JobId, String>, ApiError> {
    let mut known: HashMap<String, String> = HashMap::new();
    let mut reasons = HashMap::new();
    for job in jobs {
        let group = job.spec.concurrency.as_ref().map(|concurrency| &concurrency.group);
        let alike = format!("{} {} {} {group:?}", job.filter.canonical(), job.origin.org, job.origin.project);
        if !known.contains_key(&alike) && known.len() < MAX_REASONS {
            let told = api.dispatcher.explain(job).await?;
            known.insert(alike.clone(), told.map(|told| told.summary).unwrap_or_default());
        }
        if let Some(reason) = known.get(&alike) {
            reasons.insert(job.id, reason.clone());
        }
    }
    Ok(reasons)
}

//! What the jobs that wait are waiting for, asked a few at a time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use shuntyard_domain::ids::JobId;
use tokio::time::Instant;

use super::{News, Watch, is_waiting};
use crate::client::Client;

/// A job that waits longer than this deserves a word.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// What a job waits for is asked again this often; a new answer is shown.
pub const ASK_AGAIN: Duration = Duration::from_secs(10);
/// Questions of this kind at a time.
pub const QUESTIONS: usize = 4;

impl Watch<'_> {
    pub(super) fn ask_what_they_wait_for(&mut self) {
        let (client, now) = (self.client, Instant::now());
        for (index, row) in self.rows.iter_mut().enumerate() {
            if row.ask_at.is_some_and(|at| at <= now) {
                row.ask_at = None;
                let (job, questions) = (row.job.id, Arc::clone(&self.questions));
                self.underway.push(Box::pin(async move {
                    let _turn = questions.acquire().await;
                    News::WaitsFor(index, waits_for(client, job).await)
                }));
            }
        }
    }

    pub(super) fn say_what_it_waits_for(&mut self, index: usize, summary: Option<String>) {
        let row = &mut self.rows[index];
        // It may have started, or ended, while the answer was on its way.
        if row.ended || !is_waiting(&row.job) {
            return;
        }
        row.ask_at = Some(Instant::now() + ASK_AGAIN);
        if let Some(summary) = summary.filter(|summary| row.said != *summary) {
            self.view.remark(index, &format!("queued: {summary}"));
            row.said = summary;
        }
    }
}

/// The sentence that says what a job waits for; no answer is no reason to disturb the run.
pub async fn waits_for(client: &Client, job: JobId) -> Option<String> {
    let explanation: Value = client.get(&format!("jobs/{job}/explain")).await.ok()?;
    Some(explanation.get("summary")?.as_str()?.to_owned())
}

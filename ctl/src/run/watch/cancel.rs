//! Ctrl-C: the jobs are cancelled and awaited, or left.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Method;
use shuntyard_domain::ids::JobId;

use super::{News, Watch};
use crate::client::Client;
use crate::client_error::ClientError;
use crate::terminal::note;

pub const CANCEL_AGAIN: Duration = Duration::from_secs(1);
/// Cancels that are under way at a time.
pub(super) const CANCELS: usize = 16;

impl Watch<'_> {
    pub(super) fn cancel(&mut self) {
        self.interrupted = true;
        let client = self.client;
        let mut count = 0;
        for (index, row) in self.rows.iter().enumerate().filter(|(_, row)| !row.ended) {
            let (job, cancels) = (row.job.id, Arc::clone(&self.cancels));
            self.underway.push(Box::pin(async move {
                let _turn = cancels.acquire().await;
                News::CancelAnswered(index, cancel(client, job).await)
            }));
            count += 1;
        }
        let jobs = if count == 1 { "the job".to_owned() } else { format!("{count} jobs") };
        note(&format!("cancelling {jobs} and waiting for the end; Ctrl-C again to leave"));
    }

    /// Takes news until the server has answered every cancel; what cannot be shown any more is dropped.
    pub(super) async fn await_cancels(&mut self) {
        while self.rows.iter().any(|row| !row.ended && !row.cancel_accepted) {
            let Some(news) = self.underway.next().await else { return };
            if self.take(news).is_err() {
                return;
            }
        }
    }

    pub(super) fn leave(&self) {
        for row in self.rows.iter().filter(|row| !row.ended) {
            let job = row.job.id;
            if row.cancel_accepted {
                note(&format!("job {job} is being cancelled by the server: shunt logs -f {job}"));
            } else {
                note(&format!("the server has not confirmed the cancel of job {job}: shunt cancel {job}"));
            }
        }
    }
}

/// Asks until the server has answered: it may be restarting just now.
async fn cancel(client: &Client, job: JobId) -> Result<(), ClientError> {
    let url = client.url(&format!("jobs/{job}"), &[]);
    loop {
        match client.answer(Method::DELETE, &url, None).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_passing() => tokio::time::sleep(CANCEL_AGAIN).await,
            Err(error) => return Err(error),
        }
    }
}

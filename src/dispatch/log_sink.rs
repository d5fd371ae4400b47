//! An attempt's log writer, driven from async code: every disk operation runs on a blocking thread.

use bytes::Bytes;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::outcome::LogSummary;
use shuntyard_domain::output::Cksum;

use super::DispatchError;
use crate::logs::{LogError, LogStore, LogWriter};

/// Owns the writer while it is not on a blocking thread.
pub(super) struct LogSink {
    logs: LogStore,
    attempt: AttemptId,
    /// Opened at the first use, and again after an error.
    writer: Option<LogWriter>,
    stored_bytes: u64,
}

impl LogSink {
    pub(super) fn new(logs: LogStore, attempt: AttemptId) -> Self {
        let stored_bytes = logs.stored_bytes(attempt);
        Self { logs, attempt, writer: None, stored_bytes }
    }

    /// Where the next byte belongs.
    pub(super) const fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Appends chunks that follow each other from `offset` on.
    pub(super) async fn append(&mut self, offset: u64, chunks: Vec<Bytes>) -> Result<u64, DispatchError> {
        let appended = self.on_writer(move |writer| {
            let mut at = offset;
            for chunk in &chunks {
                writer.append(at, chunk)?;
                at += chunk.len() as u64;
            }
            Ok(writer.stored_bytes())
        });
        let appended = appended.await;
        // A part may have been stored.
        self.stored_bytes = appended.as_ref().map_or_else(|_| self.logs.stored_bytes(self.attempt), |stored| *stored);
        appended
    }

    /// Cuts it to its cap, syncs, and answers what is stored. An attempt without output has no file.
    pub(super) async fn seal(&mut self) -> Result<LogSummary, DispatchError> {
        if self.stored_bytes == 0 && self.writer.is_none() {
            return Ok(LogSummary { cksum: Cksum::default().value(), ..LogSummary::default() });
        }
        self.on_writer(|writer| {
            if writer.stored_bytes() > 0 {
                writer.seal()?;
            }
            Ok(writer.summary())
        })
        .await
    }

    async fn on_writer<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut LogWriter) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, DispatchError> {
        let (logs, attempt, writer) = (self.logs.clone(), self.attempt, self.writer.take());
        let done = tokio::task::spawn_blocking(move || {
            let mut writer = match writer {
                Some(writer) => writer,
                None => logs.writer(attempt)?,
            };
            let answer = work(&mut writer)?;
            Ok::<_, LogError>((writer, answer))
        });
        let (writer, answer) = done.await.map_err(|_| DispatchError::Interrupted)??;
        self.writer = Some(writer);
        Ok(answer)
    }
}

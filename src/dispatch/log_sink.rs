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
    /// Where the channel's next byte belongs. Not what is stored: a write that failed may have stored a part.
    received_bytes: u64,
}

impl LogSink {
    pub(super) fn new(logs: LogStore, attempt: AttemptId) -> Self {
        let stored_bytes = logs.stored_bytes(attempt);
        Self { logs, attempt, writer: None, stored_bytes, received_bytes: 0 }
    }

    /// Bytes stored, as far as it is known.
    pub(super) const fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Answers the offset from which a new channel is to send; what it brings belongs there and behind.
    pub(super) const fn begin_channel(&mut self) -> u64 {
        self.received_bytes = self.stored_bytes;
        self.received_bytes
    }

    /// Appends the channel's next chunks; answers how much is stored then.
    pub(super) async fn append(&mut self, chunks: Vec<Bytes>) -> Result<u64, DispatchError> {
        let offset = self.received_bytes;
        self.received_bytes += chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
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

#[cfg(test)]
mod tests {
    use shuntyard_domain::ids::JobId;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn output_belongs_where_its_channel_has_it_and_not_behind_what_a_failed_write_has_left() {
        let dir = tempfile::tempdir().unwrap();
        let logs = LogStore::open(dir.path()).unwrap();
        let attempt = AttemptId { job: JobId(Uuid::from_u128(1)), attempt: 1 };
        let mut sink = LogSink::new(logs.clone(), attempt);
        assert_eq!(sink.begin_channel(), 0);
        // Written by a try of which only the error is known.
        logs.writer(attempt).unwrap().append(0, b"one two").unwrap();
        for chunk in ["one ", "two ", "three"] {
            sink.append(vec![Bytes::from(chunk)]).await.unwrap();
        }
        assert_eq!(logs.read(attempt, 0, 99).unwrap(), b"one two three");
        assert_eq!(sink.begin_channel(), 13);
    }
}

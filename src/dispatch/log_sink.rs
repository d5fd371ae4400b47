//! An attempt's log writer, driven from async code: every disk operation runs on a blocking thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::mask::Patterns;
use shuntyard_domain::outcome::{Came, LogSummary};
use shuntyard_domain::output::Cksum;

use super::DispatchError;
use super::masking::Masking;
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
    /// Of a job that was handed secrets. Behind a lock because it works on the writer's thread; never waited for.
    masking: Option<Arc<Mutex<Masking>>>,
    /// The connection came back, and no byte has come since.
    reattached: bool,
}

impl LogSink {
    pub(super) fn new(logs: LogStore, attempt: AttemptId, masks: Option<Arc<Patterns>>) -> Self {
        let stored_bytes = logs.stored_bytes(attempt);
        let masking = masks.map(|masks| Arc::new(Mutex::new(Masking::new(masks))));
        Self { logs, attempt, writer: None, stored_bytes, received_bytes: 0, masking, reattached: false }
    }

    /// Bytes stored, as far as it is known.
    pub(super) const fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// How far the output is here: stored, or held back because it may be the beginning of a secret.
    pub(super) const fn reached_bytes(&self) -> u64 {
        if self.masking.is_some() { self.received_bytes } else { self.stored_bytes }
    }

    /// How much has come in all; grows with every byte that was not here before.
    pub(super) fn came_bytes(&self) -> u64 {
        self.masking.as_ref().map_or(self.stored_bytes, |masking| locked(masking).came().bytes)
    }

    /// Answers the offset from which a new channel is to send; what it brings belongs there and behind.
    pub(super) fn begin_channel(&mut self) -> u64 {
        self.received_bytes = match &self.masking {
            Some(masking) => locked(masking).begin(self.stored_bytes),
            None => self.stored_bytes,
        };
        self.received_bytes
    }

    /// Takes notice that the attempt is followed again; where it goes on is noted with the first byte.
    pub(super) const fn reattached(&mut self) {
        self.reattached = true;
    }

    /// Appends the channel's next chunks; answers how much is stored then.
    pub(super) async fn append(&mut self, chunks: Vec<Bytes>) -> Result<u64, DispatchError> {
        let (offset, masking) = (self.received_bytes, self.masking.clone());
        self.received_bytes += chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        let reattached = std::mem::take(&mut self.reattached);
        let appended = self.on_writer(move |writer| {
            let mut at = offset;
            if reattached {
                writer.reattached();
            }
            for chunk in &chunks {
                match &masking {
                    Some(masking) => {
                        let (at, masked) = locked(masking).feed(at, chunk);
                        writer.append(at, &masked)?;
                    }
                    None => drop(writer.append(at, chunk)?),
                }
                at += chunk.len() as u64;
            }
            Ok(writer.stored_bytes())
        });
        let appended = appended.await;
        // A part may have been stored.
        self.stored_bytes = appended.as_ref().map_or_else(|_| self.logs.stored_bytes(self.attempt), |stored| *stored);
        appended
    }

    /// Takes the host's word where the output ends; tells whether no more than that has come, or it has to come again.
    pub(super) fn ends_at(&mut self, length: u64) -> bool {
        self.masking.as_ref().is_none_or(|masking| locked(masking).ends_at(length))
    }

    /// Cuts it to its cap and to the `length` that its host has told, syncs, and answers what is stored and what came. An
    /// attempt without output has no file.
    pub(super) async fn seal(&mut self, length: Option<u64>) -> Result<(LogSummary, Came), DispatchError> {
        let rest = self.masking.as_ref().map(|masking| locked(masking).finish());
        let rest = rest.filter(|(_, rest)| !rest.is_empty());
        let summary = if self.stored_bytes == 0 && self.writer.is_none() && rest.is_none() {
            LogSummary { cksum: Cksum::default().value(), ..LogSummary::default() }
        } else {
            self.seal_file(rest, length).await?
        };
        self.stored_bytes = summary.bytes;
        let came = self.masking.as_ref().map(|masking| locked(masking).came());
        Ok((summary, came.unwrap_or_else(|| summary.into())))
    }

    async fn seal_file(
        &mut self,
        rest: Option<(u64, Vec<u8>)>,
        length: Option<u64>,
    ) -> Result<LogSummary, DispatchError> {
        let summary = self.on_writer(move |writer| {
            if let Some((at, rest)) = rest {
                writer.append(at, &rest)?;
            }
            if let Some(length) = length {
                writer.cut(length)?;
            }
            if writer.stored_bytes() > 0 {
                writer.seal()?;
            }
            Ok(writer.summary())
        });
        summary.await
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

fn locked(masking: &Mutex<Masking>) -> MutexGuard<'_, Masking> {
    masking.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut sink = LogSink::new(logs.clone(), attempt, None);
        assert_eq!(sink.begin_channel(), 0);
        // Written by a try of which only the error is known.
        logs.writer(attempt).unwrap().append(0, b"one two").unwrap();
        for chunk in ["one ", "two ", "three"] {
            sink.append(vec![Bytes::from(chunk)]).await.unwrap();
        }
        assert_eq!(logs.read(attempt, 0, 99).unwrap(), b"one two three");
        assert_eq!(sink.begin_channel(), 13);
    }

    const SAID: &[u8] = b"first correct horse battery, then correct horse battery; and the end";

    fn masked_sink(logs: &LogStore) -> LogSink {
        let attempt = AttemptId { job: JobId(Uuid::from_u128(1)), attempt: 1 };
        LogSink::new(logs.clone(), attempt, Some(Arc::new(Patterns::of(["correct horse battery"]))))
    }

    /// Ends a sink to which all was sent, and holds it to what was said.
    async fn expect_sealed(logs: &LogStore, mut sink: LogSink) {
        let mut sum = Cksum::default();
        sum.update(SAID);
        let (stored, came) = sink.seal(Some(SAID.len() as u64)).await.unwrap();
        assert_eq!((came.bytes, came.cksum, stored.bytes), (SAID.len() as u64, sum.value(), SAID.len() as u64));
        let text = String::from_utf8(logs.read(sink.attempt, 0, 999).unwrap()).unwrap();
        let hidden = "*".repeat(21);
        assert_eq!(text, format!("first {hidden}, then {hidden}; and the end"));
    }

    #[tokio::test]
    async fn a_masked_log_goes_on_over_channels_and_restarts_and_its_sum_is_of_what_came() {
        for cut in 0..SAID.len() {
            let dir = tempfile::tempdir().unwrap();
            let logs = LogStore::open(dir.path()).unwrap();
            let mut sink = masked_sink(&logs);
            assert_eq!(sink.begin_channel(), 0);
            sink.append(vec![Bytes::from_static(&SAID[..cut])]).await.unwrap();
            assert!(sink.reached_bytes() == cut as u64 && sink.stored_bytes() <= cut as u64);
            if cut % 2 == 0 {
                // As after a restart: what came is not known any more.
                sink = masked_sink(&logs);
            }
            let from = sink.begin_channel();
            assert!(from <= sink.stored_bytes() && (cut % 2 == 1 || from == 0), "{from} of {cut}");
            for chunk in SAID[from as usize..].chunks(7) {
                sink.append(vec![Bytes::from_static(chunk)]).await.unwrap();
            }
            assert!(sink.ends_at(SAID.len() as u64));
            expect_sealed(&logs, sink).await;
        }
    }

    #[tokio::test]
    async fn what_comes_behind_the_end_of_a_masked_log_lets_it_come_again_without_that() {
        let dir = tempfile::tempdir().unwrap();
        let logs = LogStore::open(dir.path()).unwrap();
        let mut sink = masked_sink(&logs);
        let more = Bytes::from([SAID, b" and another process"].concat());
        sink.append(vec![more.clone()]).await.unwrap();
        assert!(!sink.ends_at(SAID.len() as u64));
        assert_eq!(sink.begin_channel(), 0);
        sink.append(vec![more]).await.unwrap();
        assert!(sink.ends_at(SAID.len() as u64));
        expect_sealed(&logs, sink).await;
    }
}

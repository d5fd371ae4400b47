//! One webhook's messages, one after the other: claim, send, note, until none is due.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::context;
use crate::dispatch::engine_error::told;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::outgoing::{Answer, BadDestination, BadSecret, Call, CallError, SigningSecret};
use crate::sealed::SealError;
use crate::store::{Claimed, Connection, StoreError, Tried, WebhookRow, delivery_claim, delivery_tried, webhook_find};

/// For one try, from the name to the answer.
const TRY_LIMIT: Duration = Duration::from_secs(10);
/// After this time a try that nobody has noted is taken for lost: the limit, and time to store its end.
const LOST_AFTER_MS: i64 = 15_000;
/// The pause after the first failed try; it doubles.
const FIRST_PAUSE_MS: i64 = 2_000;
const LONGEST_PAUSE_MS: i64 = 3_600_000;
/// What is read of an answer, so that the connection can be used again; it is not kept.
const ANSWER_BYTES: usize = 4096;

/// Why a message got no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSent {
    #[error(transparent)]
    Url(#[from] BadDestination),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the secret cannot be opened")]
    Sealed(#[from] SealError),
    #[error("the stored secret is damaged: give the webhook another one")]
    Secret(#[from] BadSecret),
}

impl Dispatcher {
    /// Sends what is due, in order; ends when nothing is, or at a stop.
    pub(super) async fn deliver_due(&self, webhook: &str, stop: &CancellationToken) -> Result<(), DispatchError> {
        let mut ended: Option<(Claimed, Tried)> = None;
        loop {
            let (id, now_ms, stopping) = (webhook.to_owned(), self.0.clock.now_ms(), stop.is_cancelled());
            let last = ended.take();
            let note_and_claim = move |c: &mut Connection| -> Result<Option<(WebhookRow, Claimed)>, StoreError> {
                if let Some((claimed, tried)) = last {
                    delivery_tried(c, &claimed, now_ms, &tried)?;
                }
                let Some(row) = webhook_find(c, &id)?.filter(|row| row.enabled && !stopping) else { return Ok(None) };
                Ok(delivery_claim(c, &id, now_ms, now_ms + LOST_AFTER_MS)?.map(|claimed| (row, claimed)))
            };
            let Some((row, claimed)) = self.0.store.write(note_and_claim).await? else { return Ok(()) };
            // A stop does not wait for a slow receiver: the try counts as lost, and is made again.
            let answer = tokio::select! {
                answer = self.send(&row, &claimed.id, claimed.body.clone()) => answer,
                () = stop.cancelled() => return Ok(()),
            };
            let tried = self.judge(&row, &claimed, answer);
            self.0.metrics.webhook_tried(if matches!(tried, Tried::Delivered { .. }) { "delivered" } else { "failed" });
            ended = Some((claimed, tried));
        }
    }

    /// One try.
    pub(super) async fn send(&self, row: &WebhookRow, message_id: &str, body: String) -> Result<Answer, NotSent> {
        let to = self.0.caller.destination(&row.url)?;
        let plain = self.0.sealer.open(&context(&row.id), &row.sealed_secret)?;
        let secret = SigningSecret::parse(std::str::from_utf8(&plain).map_err(|_| BadSecret::NotASecret)?)?;
        let call = Call {
            to: &to,
            secret: &secret,
            message_id,
            now_ms: self.0.clock.now_ms(),
            body: body.into_bytes(),
            limit: TRY_LIMIT,
            answer_bytes: ANSWER_BYTES,
        };
        Ok(self.0.caller.post(call).await?)
    }

    /// Whatever went wrong is tried again until the message's time is over: receivers are mended, names and networks change.
    fn judge(&self, row: &WebhookRow, claimed: &Claimed, answer: Result<Answer, NotSent>) -> Tried {
        let (status, error) = match answer {
            Ok(answer) => match refusal(&answer) {
                None => return Tried::Delivered { status: answer.status },
                Some(refusal) => (Some(answer.status), refusal),
            },
            Err(error) => (None, told(&error)),
        };
        let next = self.0.clock.now_ms() + pause_ms(claimed.attempts, random_share());
        let next_try_at_ms = (next <= claimed.until_ms).then_some(next);
        if next_try_at_ms.is_none() {
            tracing::warn!(webhook.name = row.name, delivery.id = claimed.id, error, "a message was given up");
        } else {
            tracing::debug!(webhook.name = row.name, delivery.id = claimed.id, error, "a message was not delivered");
        }
        Tried::Failed { status, error, next_try_at_ms }
    }
}

/// Why an answer does not count; None when it does.
pub(super) fn refusal(answer: &Answer) -> Option<String> {
    match answer.status {
        _ if answer.is_success() => None,
        300..=399 => Some(format!("the receiver answered {}, and redirects are not followed", answer.status)),
        status => Some(format!("the receiver answered {status}")),
    }
}

/// The pause after so many failed tries: doubling, and up to a quarter more, so that receivers are not called in step.
fn pause_ms(attempts: i64, share: f64) -> i64 {
    let doublings = (attempts - 1).clamp(0, 20);
    let pause = (FIRST_PAUSE_MS << doublings).min(LONGEST_PAUSE_MS);
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    let jitter = (pause as f64 / 4.0 * share) as i64;
    pause + jitter
}

/// From 0 to 1.
fn random_share() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_a_quarter() {
        let pauses: Vec<i64> = (1..=13).map(|attempts| pause_ms(attempts, 0.0) / 1000).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]);
        assert_eq!(pause_ms(1, 1.0), 2500);
        assert_eq!(pause_ms(i64::MAX, 1.0), 4_500_000);
        assert_eq!(pause_ms(0, 0.0), 2000);
    }
}

//! One call of a provider: its body, its signature, what its answer means.

use std::time::Duration;

use shuntyard_domain::pool::name::PoolName;
use shuntyard_domain::wire::pools::{HookAction, HookCall, Listed, Started};
use uuid::Uuid;

use super::secret_context;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::outgoing::{Answer, BadDestination, BadSecret, Call, CallError, SigningSecret};
use crate::store::PoolRow;

/// For a call from the name to the last byte of the answer.
const LIMIT: Duration = Duration::from_secs(30);
/// A list of a thousand machines has room in it.
const ANSWER_BYTES: usize = 1024 * 1024;
/// Of a provider's message that is shown.
const SHOWN_CHARS: usize = 200;

/// A provider was called and did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum HookFailed {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the provider's URL is not called any more: {0}")]
    Destination(#[from] BadDestination),
    #[error("the pool's secret cannot be read: {0}")]
    Secret(#[from] BadSecret),
    #[error(transparent)]
    Engine(#[from] DispatchError),
    #[error("the call cannot be written: {0}")]
    Body(serde_json::Error),
    #[error("the provider answered {status}{text}")]
    Status { status: u16, text: String },
    #[error("the provider's answer is not understood: {0}")]
    Answer(String),
}

impl HookFailed {
    /// The provider says no, and will say it again.
    pub(super) const fn is_final(&self) -> bool {
        match self {
            // Too slow, too early, too many.
            Self::Status { status, .. } => matches!(status, 300..=499) && !matches!(status, 408 | 425 | 429),
            Self::Call(_)
            | Self::Destination(_)
            | Self::Secret(_)
            | Self::Engine(_)
            | Self::Body(_)
            | Self::Answer(_) => false,
        }
    }

    const fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl Dispatcher {
    /// Asks for a machine. A provider that says 409 has it already.
    pub(super) async fn hook_start(
        &self,
        pool: &PoolRow,
        call: &HookCall,
        instance: &str,
    ) -> Result<Started, HookFailed> {
        match self.hook(pool, call, &format!("{}-{instance}", HookAction::Start)).await {
            Ok(answer) if answer.body.iter().all(u8::is_ascii_whitespace) => Ok(Started::default()),
            // It has said yes; what it says beside is for people.
            Ok(answer) => Ok(serde_json::from_slice(&answer.body).unwrap_or_default()),
            Err(failed) if failed.status() == Some(409) => Ok(Started::default()),
            Err(failed) => Err(failed),
        }
    }

    /// Asks for a machine's end. One that is not there is gone.
    pub(super) async fn hook_stop(&self, pool: &PoolRow, call: &HookCall, instance: &str) -> Result<(), HookFailed> {
        match self.hook(pool, call, &format!("{}-{instance}", HookAction::Stop)).await {
            Ok(_) => Ok(()),
            Err(failed) if matches!(failed.status(), Some(404 | 410)) => Ok(()),
            Err(failed) => Err(failed),
        }
    }

    /// Asks which machines there are.
    pub(super) async fn hook_list(&self, pool: &PoolRow) -> Result<Listed, HookFailed> {
        let call = HookCall::List { pool: pool.name.to_string() };
        let answer = self.hook(pool, &call, &format!("{}-{}", HookAction::List, Uuid::now_v7())).await?;
        if !answer.whole {
            return Err(HookFailed::Answer(format!("it is longer than {ANSWER_BYTES} bytes, or was cut off")));
        }
        serde_json::from_slice(&answer.body).map_err(|error| HookFailed::Answer(error.to_string()))
    }

    async fn hook(&self, pool: &PoolRow, call: &HookCall, message_id: &str) -> Result<Answer, HookFailed> {
        let to = self.0.caller.destination(&pool.spec.url)?;
        let secret = self.pool_secret(pool)?;
        let body = serde_json::to_vec(call).map_err(HookFailed::Body)?;
        let now_ms = self.0.clock.now_ms();
        let _turn = self.0.pools.calls.acquire().await.map_err(|_| DispatchError::Interrupted)?;
        let call =
            Call { to: &to, secret: &secret, message_id, now_ms, body, limit: LIMIT, answer_bytes: ANSWER_BYTES };
        let answer = self.0.caller.post(call).await?;
        if answer.is_success() { Ok(answer) } else { Err(refused(&answer)) }
    }

    fn pool_secret(&self, pool: &PoolRow) -> Result<SigningSecret, HookFailed> {
        let plain = self.0.sealer.open(&secret_context(pool.id), &pool.sealed_secret).map_err(DispatchError::from)?;
        let text = std::str::from_utf8(&plain).map_err(|_| BadSecret::NotASecret)?;
        Ok(SigningSecret::parse(text)?)
    }
}

fn refused(answer: &Answer) -> HookFailed {
    let text = String::from_utf8_lossy(&answer.body);
    let line: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARS).collect();
    let text = if line.is_empty() { String::new() } else { format!(": {line}") };
    HookFailed::Status { status: answer.status, text }
}

/// By whom a runner is drained and removed.
pub(super) fn by(pool: &PoolName) -> String {
    format!("pool {pool}")
}

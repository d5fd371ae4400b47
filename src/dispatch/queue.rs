//! The pause of the queue: by a person, or because the data is from a backup.
//!
//! A pause is stored before it is told to the board, and the board hears of pauses in the order in which they are
//! stored. After a restore the queue goes on by itself once every runner was asked what it has (`restored`).

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use shuntyard_domain::board::BoardEvent;
use shuntyard_domain::explain::{Explanation, Verdict};
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::wire::queue::{QueueBody, UnknownAttempt};
use shuntyard_domain::wire::time_text::rfc3339;
use tokio::sync::watch;

use super::engine_error::bad;
use super::{DispatchError, Dispatcher};
use crate::store::{Changed, StoreError, audit_note, setting_find, setting_set};

/// The setting that holds the pause; empty: none.
const SETTING: &str = "queue.pause";
const REASON_MAX_CHARS: usize = 500;

/// Who paused the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuePause {
    pub at_ms: i64,
    pub by: String,
    #[serde(default)]
    pub reason: Option<String>,
    /// The data is from a backup.
    #[serde(default)]
    pub restored: bool,
}

/// What is known about the pause.
#[derive(Default)]
pub(super) struct Queue {
    standing: Mutex<Standing>,
    /// Held while a pause is stored and told to the board.
    changes: tokio::sync::Mutex<()>,
    /// What is stored was taken up: from then on what runners say is compared with it.
    pub(super) taken_up: watch::Sender<bool>,
}

#[derive(Default)]
pub(super) struct Standing {
    pub(super) pause: Option<QueuePause>,
    /// After a restore: who was not asked yet.
    pub(super) not_asked: BTreeSet<RunnerId>,
    pub(super) unknown: Vec<UnknownAttempt>,
}

impl Queue {
    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores the pause that a restore asks for; before the engine starts.
///
/// # Errors
/// `StoreError` when it cannot be stored.
pub fn pause_restored(c: &mut crate::store::Connection, at_ms: i64, reason: String) -> Result<(), StoreError> {
    let pause = QueuePause { at_ms, by: "shuntd restore".into(), reason: Some(reason), restored: true };
    keep(c, Some(&pause))
}

fn keep(c: &mut crate::store::Connection, pause: Option<&QueuePause>) -> Result<(), StoreError> {
    let text = pause.map_or_else(String::new, |pause| serde_json::json!(pause).to_string());
    setting_set(c, SETTING, &text)
}

impl Dispatcher {
    /// Whether jobs are started, and if not, why not.
    #[must_use]
    pub fn queue_standing(&self) -> QueueBody {
        let standing = self.0.queue.standing();
        let unknown = standing.unknown.clone();
        let Some(pause) = &standing.pause else { return QueueBody { unknown, ..QueueBody::default() } };
        let name = |id: &RunnerId| Some(self.0.inventory.get(*id)?.runner.hostname.clone());
        let mut not_asked: Vec<String> = standing.not_asked.iter().filter_map(name).collect();
        not_asked.sort();
        QueueBody {
            paused: true,
            since: Some(rfc3339(pause.at_ms)),
            by: Some(pause.by.clone()),
            reason: pause.reason.clone(),
            restored: pause.restored,
            not_asked,
            unknown,
        }
    }

    /// Starts no waiting job any more; what runs goes on. A queue that is paused stays so, with its first reason.
    ///
    /// # Errors
    /// `BadRequest` for a reason that is too long, `Store`
    pub async fn pause_queue(&self, by: String, reason: Option<String>) -> Result<QueueBody, DispatchError> {
        let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_MAX_CHARS) {
            return Err(bad("reason", "the reason is too long", &["up to 500 characters"]));
        }
        if self.0.queue.standing().pause.is_none() {
            let pause = QueuePause { at_ms: self.0.clock.now_ms(), by, reason, restored: false };
            self.change_pause(Some(pause)).await?;
        }
        Ok(self.queue_standing())
    }

    /// Starts waiting jobs again; after a restore also before every runner was asked.
    ///
    /// # Errors
    /// `Store`
    pub async fn resume_queue(&self) -> Result<QueueBody, DispatchError> {
        if self.0.queue.standing().pause.is_some() {
            self.change_pause(None).await?;
        }
        Ok(self.queue_standing())
    }

    async fn change_pause(&self, pause: Option<QueuePause>) -> Result<(), DispatchError> {
        let engine = self.clone();
        self.to_the_end(async move {
            let _turn = engine.0.queue.changes.lock().await;
            let (kept, paused) = (pause.clone(), pause.is_some());
            let write = move |c: &mut _| {
                keep(c, kept.as_ref())?;
                let action = if kept.is_some() { "queue.pause" } else { "queue.resume" };
                audit_note(c, action, || Changed::new("queue", None, kept.map(|pause| serde_json::json!(pause))))
            };
            engine.0.store.write(write).await?;
            tracing::info!(paused, "the queue");
            let mut standing = engine.0.queue.standing();
            // What nobody knows stays told: it may still run.
            (standing.pause, standing.not_asked) = (pause, BTreeSet::new());
            drop(standing);
            engine.tell_board(BoardEvent::QueuePaused(paused));
            // Whoever watches an explanation looks again.
            engine.0.feed.limits_changed();
            Ok(())
        })
        .await
    }

    /// Tells the board of a stored pause, before it hears of any job.
    ///
    /// # Errors
    /// `Store`
    pub(super) async fn load_pause(&self) -> Result<(), DispatchError> {
        let kept = self.0.store.read(|c| setting_find(c, SETTING)).await?.unwrap_or_default();
        // What this version cannot read was a pause in any case.
        let pause = (!kept.is_empty()).then(|| {
            let unreadable = |_| QueuePause { at_ms: 0, by: "another version".into(), reason: None, restored: false };
            serde_json::from_str(&kept).unwrap_or_else(unreadable)
        });
        if let Some(pause) = pause {
            tracing::warn!(by = pause.by, reason = pause.reason, "the queue is paused: no waiting job starts");
            self.0.queue.standing().pause = Some(pause);
            self.tell_board(BoardEvent::QueuePaused(true));
        }
        Ok(())
    }

    /// Says who paused the queue and why; the board knows only that it is paused.
    pub(super) fn with_pause(&self, told: &mut Explanation) {
        if !told.paused || told.verdict == Verdict::Never {
            return;
        }
        let standing = self.queue_standing();
        let (since, by) = (standing.since.unwrap_or_default(), standing.by.unwrap_or_default());
        let reason = standing.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        told.summary = format!("{} (since {since}, by {by}{reason})", told.summary);
        if standing.restored {
            let left = standing.not_asked.len();
            told.unblock = format!("the answers of {left} runner(s) that were not asked yet, or `shunt queue resume`");
        }
    }
}

//! Who acts: carried from a request to the writes that it leads to, so that each says who did it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

tokio::task_local! {
    static ACTING: Acting;
}

/// One request that may change something.
#[derive(Clone, Debug)]
pub struct Acting {
    /// The user, or what the token of a machine is called.
    pub name: String,
    pub token_id: Option<String>,
    pub address: Option<String>,
    pub request_id: String,
    pub at_ms: i64,
    noted: Arc<AtomicBool>,
}

impl Acting {
    #[must_use]
    pub fn new(
        name: String,
        token_id: Option<String>,
        address: Option<String>,
        request_id: String,
        at_ms: i64,
    ) -> Self {
        Self { name, token_id, address, request_id, at_ms, noted: Arc::default() }
    }

    /// The same request, once it is known whose it is: that of a login begins without a token.
    #[must_use]
    pub fn of(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// Runs `work` as theirs.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        ACTING.scope(self, work).await
    }

    /// Something of it stands in the audit log.
    pub fn note(&self) {
        self.noted.store(true, Ordering::Relaxed);
    }

    #[must_use]
    pub fn is_noted(&self) -> bool {
        self.noted.load(Ordering::Relaxed)
    }
}

/// Who acts here; `None`: the dispatcher itself.
#[must_use]
pub fn acting() -> Option<Acting> {
    ACTING.try_with(Clone::clone).ok()
}

/// `work` as that of whoever acts now, for a task that goes on when the request has ended.
pub fn on_behalf<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let acting = acting();
    async move {
        match acting {
            Some(acting) => acting.scope(work).await,
            None => work.await,
        }
    }
}

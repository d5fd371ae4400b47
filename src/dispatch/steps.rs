//! The steps of a long operation, as its listener sees them.

use shuntyard_domain::probe::Probe;
use shuntyard_domain::wire::api::{RunnerBody, StepEvent};
use tokio::sync::mpsc;

/// A step that failed: why, and what the reader should try.
#[derive(Debug)]
pub(super) struct Failure {
    pub why: String,
    pub try_next: String,
}

impl Failure {
    pub(super) fn new(why: impl ToString, try_next: impl Into<String>) -> Self {
        Self { why: why.to_string(), try_next: try_next.into() }
    }
}

/// Where the steps are told. A listener that left changes nothing.
#[derive(Clone)]
pub(super) struct Steps {
    listener: mpsc::UnboundedSender<StepEvent>,
}

impl Steps {
    /// Unbounded: an operation has a dozen steps, and a Test some thirty probes.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<StepEvent>) {
        let (listener, steps) = mpsc::unbounded_channel();
        (Self { listener }, steps)
    }

    pub(super) fn tell(&self, event: StepEvent) {
        let _ = self.listener.send(event);
    }

    /// Ends when the listener has left.
    pub(super) async fn deserted(&self) {
        self.listener.closed().await;
    }

    pub(super) fn began(&self, step: &str, title: &str) {
        tracing::debug!(step, "step began");
        self.tell(StepEvent::Began { step: step.into(), title: title.into() });
    }

    pub(super) fn done(&self, step: &str, detail: impl Into<String>) {
        self.tell(StepEvent::Done { step: step.into(), detail: detail.into() });
    }

    pub(super) fn probed(&self, probe: &Probe) {
        self.tell(StepEvent::Probed { probe: probe.clone() });
    }

    pub(super) fn failed(&self, step: &str, failure: Failure, rolled_back: Vec<String>, left_behind: Vec<String>) {
        tracing::warn!(step, why = failure.why, "step failed");
        self.tell(StepEvent::Failed {
            step: step.into(),
            why: failure.why,
            try_next: failure.try_next,
            rolled_back,
            left_behind,
        });
    }

    pub(super) fn finished(&self, runner: Option<RunnerBody>, left_behind: Vec<String>) {
        self.tell(StepEvent::Finished { runner: runner.map(Box::new), left_behind });
    }
}

//! What the daemon counts about itself, in Prometheus' text format.
//!
//! A recorder of its own, not the process's: several daemons in one process do not mix, and no port is opened.
//! Every label has a closed set of values, or one that is as large as the table of routes.

mod names;
mod process;

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};

/// How often the samples of histograms are to be put away (`tidy`).
pub const TIDY_EVERY: Duration = Duration::from_secs(5);

const META: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// The counters of one daemon. A clone is the same.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    placements: Counter,
    waited: Histogram,
    log_bytes: Counter,
    commit: Histogram,
    commit_writes: Histogram,
    store_errors: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let recorder = names::buckets().build_recorder();
        let handle = recorder.handle();
        names::describe(&recorder);
        let counter = |name| recorder.register_counter(&Key::from_static_name(name), &META);
        let histogram = |name| recorder.register_histogram(&Key::from_static_name(name), &META);
        Self(Arc::new(Inner {
            placements: counter(names::PLACEMENTS),
            waited: histogram(names::WAIT),
            log_bytes: counter(names::LOG_BYTES),
            commit: histogram(names::COMMIT),
            commit_writes: histogram(names::COMMIT_WRITES),
            store_errors: counter(names::STORE_ERRORS),
            recorder,
            handle,
        }))
    }
}

impl Metrics {
    /// A job was given a runner; `waited` since its submission, for its first placement.
    pub fn job_placed(&self, waited: Option<Duration>) {
        self.0.placements.increment(1);
        if let Some(waited) = waited {
            self.0.waited.record(waited.as_secs_f64());
        }
    }

    /// A job has ended, by the word of its outcome.
    pub fn job_ended(&self, outcome: &'static str) {
        self.count(names::JOB_ENDS, &[("outcome", outcome)]);
    }

    /// Output was stored.
    pub fn log_stored(&self, bytes: u64) {
        self.0.log_bytes.increment(bytes);
    }

    /// One transaction of the store's writer, whatever became of it.
    pub fn batch_written(&self, writes: usize, took: Duration, failed: bool) {
        self.0.commit.record(took.as_secs_f64());
        #[allow(clippy::cast_precision_loss)]
        self.0.commit_writes.record(writes as f64);
        if failed {
            self.0.store_errors.increment(1);
        }
    }

    /// One try to deliver a message: `delivered` or `failed`.
    pub fn webhook_tried(&self, result: &'static str) {
        self.count(names::WEBHOOK_TRIES, &[("result", result)]);
    }

    /// A request was answered; `route` is its template.
    pub fn http_answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let method = names::METHODS.iter().copied().find(|known| *known == method).unwrap_or("other");
        let labels = vec![
            Label::from_static_parts("method", method),
            Label::new("route", route.to_owned()),
            Label::new("status", status.to_string()),
        ];
        self.0.recorder.register_counter(&Key::from_parts(names::HTTP_REQUESTS, labels), &META).increment(1);
        let labels = vec![Label::new("route", route.to_owned())];
        let took_s = took.as_secs_f64();
        self.0.recorder.register_histogram(&Key::from_parts(names::HTTP_SECONDS, labels), &META).record(took_s);
    }

    /// Sets a figure that is looked up when somebody asks.
    pub fn set(&self, figure: Figure) {
        match figure {
            Figure::Jobs(state, count) => self.gauge(names::JOBS, &[("state", state)]).set(whole(count)),
            Figure::RunnerStates(state, count) => self.gauge(names::RUNNERS, &[("state", state)]).set(whole(count)),
            Figure::Contacts(word, count) => self.gauge(names::CONTACTS, &[("contact", word)]).set(whole(count)),
            Figure::Health(word, count) => self.gauge(names::HEALTH, &[("health", word)]).set(whole(count)),
            Figure::Slots(total) => self.gauge(names::SLOTS, &[]).set(whole(total)),
            Figure::Connections(count) => self.gauge(names::CONNECTIONS, &[]).set(whole(count)),
            Figure::QueuePaused(paused) => self.gauge(names::QUEUE_PAUSED, &[]).set(f64::from(u8::from(paused))),
        }
    }

    /// Everything as text, with what the kernel says about this process.
    #[must_use]
    pub fn render(&self) -> String {
        for (name, value) in process::figures() {
            self.gauge(name, &[]).set(value);
        }
        self.0.handle.render()
    }

    /// Puts the samples of histograms away; without it they pile up until somebody asks.
    pub fn tidy(&self) {
        self.0.handle.run_upkeep();
    }

    fn count(&self, name: &'static str, labels: &[(&'static str, &'static str)]) {
        self.0.recorder.register_counter(&key(name, labels), &META).increment(1);
    }

    fn gauge(&self, name: &'static str, labels: &[(&'static str, &'static str)]) -> Gauge {
        self.0.recorder.register_gauge(&key(name, labels), &META)
    }
}

/// A figure that is looked up when somebody asks.
#[derive(Clone, Copy, Debug)]
pub enum Figure {
    Jobs(&'static str, usize),
    RunnerStates(&'static str, usize),
    Contacts(&'static str, usize),
    Health(&'static str, usize),
    Slots(usize),
    Connections(usize),
    QueuePaused(bool),
}

fn key(name: &'static str, labels: &[(&'static str, &'static str)]) -> Key {
    let labels: Vec<Label> = labels.iter().map(|(name, value)| Label::from_static_parts(name, value)).collect();
    Key::from_parts(name, labels)
}

#[allow(clippy::cast_precision_loss)]
fn whole(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_rendered_with_its_labels_and_help() {
        let metrics = Metrics::default();
        metrics.job_ended("succeeded");
        metrics.job_ended("succeeded");
        metrics.job_placed(Some(Duration::from_millis(7)));
        metrics.job_placed(None);
        metrics.http_answered("BREW", "/healthz", 200, Duration::from_millis(1));
        metrics.set(Figure::Jobs("queued", 4));
        metrics.tidy();
        let text = metrics.render();
        for line in [
            "# HELP shuntyard_job_ends_total ",
            "# TYPE shuntyard_job_ends_total counter",
            "shuntyard_job_ends_total{outcome=\"succeeded\"} 2",
            "shuntyard_placements_total 2",
            "shuntyard_job_wait_seconds_count 1",
            "shuntyard_job_wait_seconds_bucket{le=\"0.01\"} 1",
            "shuntyard_http_requests_total{method=\"other\",route=\"/healthz\",status=\"200\"} 1",
            "shuntyard_jobs{state=\"queued\"} 4",
            "process_resident_memory_bytes ",
            "process_open_fds ",
        ] {
            assert!(text.lines().any(|found| found.starts_with(line)), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn two_daemons_in_one_process_count_for_themselves() {
        let (one, other) = (Metrics::default(), Metrics::default());
        one.log_stored(3);
        assert!(one.render().contains("shuntyard_log_bytes_total 3"));
        assert!(!other.render().contains("shuntyard_log_bytes_total 3"));
    }
}

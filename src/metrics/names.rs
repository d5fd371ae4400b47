//! Names, help and buckets of everything that is counted; docs/OPERATIONS.md explains them.

use metrics::{KeyName, Recorder as _, SharedString};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

pub(super) const JOBS: &str = "shuntyard_jobs";
pub(super) const QUEUE_PAUSED: &str = "shuntyard_queue_paused";
pub(super) const WAIT: &str = "shuntyard_job_wait_seconds";
pub(super) const PLACEMENTS: &str = "shuntyard_placements_total";
pub(super) const JOB_ENDS: &str = "shuntyard_job_ends_total";
pub(super) const RUNNERS: &str = "shuntyard_runners";
pub(super) const CONTACTS: &str = "shuntyard_runner_contacts";
pub(super) const HEALTH: &str = "shuntyard_runner_health";
pub(super) const SLOTS: &str = "shuntyard_runner_slots";
pub(super) const CONNECTIONS: &str = "shuntyard_ssh_connections";
pub(super) const COMMIT: &str = "shuntyard_store_commit_seconds";
pub(super) const COMMIT_WRITES: &str = "shuntyard_store_commit_writes";
pub(super) const STORE_ERRORS: &str = "shuntyard_store_errors_total";
pub(super) const LOG_BYTES: &str = "shuntyard_log_bytes_total";
pub(super) const HTTP_REQUESTS: &str = "shuntyard_http_requests_total";
pub(super) const HTTP_SECONDS: &str = "shuntyard_http_request_seconds";
pub(super) const WEBHOOK_TRIES: &str = "shuntyard_webhook_tries_total";

/// Any other word of a client is `other`.
pub(super) const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const SHORT_S: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const LONG_S: &[f64] = &[0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 28_800.0];
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// Buckets instead of quantiles: those of several dispatchers can be added up.
pub(super) fn buckets() -> PrometheusBuilder {
    let of_each = [(WAIT, LONG_S), (COMMIT, SHORT_S), (HTTP_SECONDS, SHORT_S), (COMMIT_WRITES, BATCH)];
    let with = of_each.into_iter().try_fold(PrometheusBuilder::new(), |builder, (name, values)| {
        builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), values)
    });
    // Refused is only an empty list, and none is.
    with.unwrap_or_default()
}

pub(super) fn describe(recorder: &PrometheusRecorder) {
    let counters = [
        (PLACEMENTS, "Placements of jobs on runners."),
        (JOB_ENDS, "Jobs that have ended, by outcome."),
        (STORE_ERRORS, "Transactions of the store that were not committed."),
        (LOG_BYTES, "Bytes of job output that were stored."),
        (HTTP_REQUESTS, "Requests that were answered, by method, route and status."),
        (WEBHOOK_TRIES, "Tries to deliver a message, by result."),
    ];
    let gauges = [
        (JOBS, "Unfinished jobs by state."),
        (QUEUE_PAUSED, "1 while the queue is paused."),
        (RUNNERS, "Runners by state."),
        (CONTACTS, "Runners by contact."),
        (HEALTH, "Runners by health."),
        (SLOTS, "Slots of all runners together."),
        (CONNECTIONS, "SSH connections to runners that are up."),
    ];
    let histograms = [
        (WAIT, "From submission to the first placement."),
        (COMMIT, "Transactions of the store's writer, from begin to commit."),
        (COMMIT_WRITES, "Writes in one transaction."),
        (HTTP_SECONDS, "From a request's head to the head of its answer, by route."),
    ];
    for (name, help) in counters {
        recorder.describe_counter(KeyName::from_const_str(name), None, SharedString::const_str(help));
    }
    for (name, help) in gauges {
        recorder.describe_gauge(KeyName::from_const_str(name), None, SharedString::const_str(help));
    }
    for (name, help) in histograms {
        recorder.describe_histogram(KeyName::from_const_str(name), None, SharedString::const_str(help));
    }
}

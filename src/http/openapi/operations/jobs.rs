//! `/jobs` and `/phase_runs`.

use shuntyard_domain::explain::Explanation;
use shuntyard_domain::ids::{JobId, PhaseRunId};
use shuntyard_domain::wire::api::{
    ArtifactBody, JobBody, JobEventBody, LogChunk, LogGrowth, LogLines, LogMatches, PhaseRunBody, SubmitJob,
    SubmitPhaseRun,
};
use shuntyard_domain::wire::fan_out::{CancelJobs, CancelledJobs};

use super::super::operation::{Operation, delete, get, of, post};
use crate::http::error::words::ErrorWord as E;
use crate::http::jobs::JobFilter;
use crate::http::log_lines::{LinesQuery, SearchQuery};

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/jobs", "list_jobs", "Lists jobs, newest first; without `state` those that have not ended.")
            .query::<JobFilter>()
            .answers::<Vec<JobBody>>(),
        post("/jobs", "submit_job", "Queues one ad-hoc job.").takes::<SubmitJob>().creates::<JobBody>().fails(&[
            E::QueueFull,
            E::ScriptTooLarge,
            E::LogTooLarge,
        ]),
        get("/jobs/streaming", "watch_queue", "Sends the whole queue, at once and again after every change.")
            .header("Last-Event-ID", "With the id of an event: nothing is sent before something changes.")
            .streams(&[("update_job_queue", of::<Vec<JobBody>>)]),
        post("/jobs/cancel", "cancel_jobs", "Cancels many jobs; the answer names them as they were.")
            .takes::<CancelJobs>()
            .answers::<CancelledJobs>(),
        get("/jobs/{id}", "show_job", "Shows one job.").id::<JobId>().answers::<JobBody>(),
        delete("/jobs/{id}", "cancel_job", "Cancels a job, in whatever state it is.").id::<JobId>().done(),
        get("/jobs/{id}/explain", "explain_job", "Says why the job waits; one that does not wait is not found.")
            .id::<JobId>()
            .answers::<Explanation>(),
        get("/jobs/{id}/explain/streaming", "watch_explanation", "Says it at once and again after every change.")
            .id::<JobId>()
            .header("Last-Event-ID", "With the id of an event: nothing is sent before something changes.")
            .streams(&[("explanation", of::<Explanation>)]),
        get("/jobs/{id}/events", "list_job_events", "Lists the job's history, oldest first.")
            .id::<JobId>()
            .answers::<Vec<JobEventBody>>(),
        get("/jobs/{id}/artifacts", "list_artifacts", "Lists the files that the job has left.")
            .id::<JobId>()
            .answers::<Vec<ArtifactBody>>()
            .fails(&[E::Removed]),
        get("/jobs/{id}/artifacts/{*path}", "download_artifact", "Sends one of them; its digest is the `ETag`.")
            .id::<JobId>()
            .sends("application/octet-stream")
            .fails(&[E::Removed]),
        get("/jobs/{id}/log", "download_log", "Sends the job's output as it is stored.")
            .id::<JobId>()
            .header("Range", "`bytes=FROM-[TO]` or `bytes=-LAST`; offsets count the whole output.")
            .sends("text/plain")
            .sends_parts("text/plain")
            .fails(&[E::BadRange, E::Removed]),
        get("/jobs/{id}/log/growth", "watch_log_growth", "Tells how many lines there are, at once and as they come.")
            .note("At most ten times a second; the stream ends when the job has ended.")
            .id::<JobId>()
            .streams(&[("grown", of::<LogGrowth>)])
            .fails(&[E::Removed]),
        get("/jobs/{id}/log/lines", "show_log_lines", "Shows some lines of the output as a terminal would.")
            .note("Styles are told as data, long lines are cut, and other escape sequences are left out.")
            .id::<JobId>()
            .query::<LinesQuery>()
            .answers::<LogLines>()
            .fails(&[E::Removed]),
        get("/jobs/{id}/log/search", "search_log", "Finds the lines in which words stand.")
            .note("A request looks at 8 MiB of the output, and at the first 16 MiB of a line; `next` goes on.")
            .id::<JobId>()
            .query::<SearchQuery>()
            .answers::<LogMatches>()
            .fails(&[E::Removed]),
        get("/jobs/{id}/log/streaming", "follow_log", "Sends output as it comes, and the job when it has ended.")
            .note("An event's id is the offset behind it, with `-ATTEMPT` from the second attempt on.")
            .id::<JobId>()
            .header("Last-Event-ID", "Where an earlier stream ended.")
            .streams(&[("chunk", of::<LogChunk>), ("state", of::<JobBody>), ("end", of::<JobBody>)])
            .fails(&[E::Removed]),
        post("/phase_runs", "submit_phase_run", "Queues the jobs of one phase of a configuration.")
            .takes::<SubmitPhaseRun>()
            .creates::<PhaseRunBody>()
            .fails(&[E::BadConfig, E::QueueFull, E::ScriptTooLarge, E::MatrixTooLarge, E::LogTooLarge]),
        get("/phase_runs/{id}", "show_phase_run", "Shows the jobs of a phase.")
            .id::<PhaseRunId>()
            .answers::<PhaseRunBody>(),
    ]
}

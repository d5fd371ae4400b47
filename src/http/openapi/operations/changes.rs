//! Changes, by their id alone or in their project.

use shuntyard_domain::ids::{ChangeId, JobId};
use shuntyard_domain::wire::api::JobBody;
use shuntyard_domain::wire::change::ChangeBody;
use shuntyard_domain::wire::pipelines::{PlanBody, PlanRequest, SubmitChange};

use super::super::operation::{Operation, delete, get, of, post};
use crate::http::changes::{ChangeFilter, PlanQuery, TriggerQuery};
use crate::http::error::words::ErrorWord as E;
use crate::http::phase_runs::LogQuery;

/// What can be done with one change, under either of its two paths.
macro_rules! one {
    ($path:literal, $where:literal) => {
        [
            get($path, concat!("show_change", $where), "Shows one change.").answers::<ChangeBody>(),
            delete($path, concat!("close_change", $where), "Gives the change up; its history stays.")
                .done()
                .fails(&[E::PreconditionFailed]),
            get(
                concat!($path, "/streaming"),
                concat!("watch_change", $where),
                "Sends it at once and after every change of it.",
            )
            .header("Last-Event-ID", "With the id of an event: nothing is sent before something changes.")
            .streams(&[("change", of::<ChangeBody>)]),
            get(
                concat!($path, "/plan"),
                concat!("plan_of_change", $where),
                "Says what it would do, from its own source.",
            )
            .query::<PlanQuery>()
            .answers::<PlanBody>()
            .fails(&[E::BadConfig]),
            post(concat!($path, "/merge"), concat!("approve_change", $where), "Approves it; Chef's `merge`.")
                .done()
                .fails(&[E::PreconditionFailed]),
            post(concat!($path, "/accept"), concat!("deliver_change", $where), "Delivers it; Chef's `accept`.")
                .done()
                .fails(&[E::PreconditionFailed]),
            post(concat!($path, "/trigger/{stage}"), concat!("trigger_stage", $where), "Runs a stage again.")
                .query::<TriggerQuery>()
                .done()
                .fails(&[E::PreconditionFailed]),
            post(concat!($path, "/cancel"), concat!("cancel_change", $where), "Cancels what runs of it.")
                .done()
                .fails(&[E::PreconditionFailed]),
        ]
        .map(|of| of.id::<ChangeId>())
    };
}

pub(super) fn all() -> Vec<Operation> {
    let mut all = vec![
        get("/changes", "list_changes", "Lists changes, newest first.")
            .query::<ChangeFilter>()
            .answers::<Vec<ChangeBody>>(),
    ];
    all.extend(one!("/changes/{id}", ""));
    all.push(
        get("/orgs/{org}/projects/{project}/changes", "list_project_changes", "Lists the changes of a project.")
            .query::<ChangeFilter>()
            .answers::<Vec<ChangeBody>>(),
    );
    all.extend(one!("/orgs/{org}/projects/{project}/changes/{id}", "_in_project"));
    all.extend(in_pipeline());
    all
}

fn in_pipeline() -> [Operation; 5] {
    [
        get(
            "/orgs/{org}/projects/{project}/pipelines/{pipeline}/changes",
            "list_pipeline_changes",
            "Lists the changes of a pipeline.",
        )
        .query::<ChangeFilter>()
        .answers::<Vec<ChangeBody>>(),
        post(
            "/orgs/{org}/projects/{project}/pipelines/{pipeline}/changes",
            "submit_change",
            "Submits a change, which begins in verify at once.",
        )
        .takes::<SubmitChange>()
        .creates::<ChangeBody>()
        .fails(&[E::BadConfig]),
        post(
            "/orgs/{org}/projects/{project}/pipelines/{pipeline}/plan",
            "plan",
            "Says what a change with this configuration would do; nothing is stored.",
        )
        .takes::<PlanRequest>()
        .answers::<PlanBody>()
        .fails(&[E::BadConfig]),
        get(
            "/orgs/{org}/projects/{project}/pipelines/{pipeline}/phase_runs/{id}",
            "show_row",
            "Shows one row of a phase of a change: a job.",
        )
        .id::<JobId>()
        .answers::<JobBody>(),
        get(
            "/orgs/{org}/projects/{project}/pipelines/{pipeline}/phase_runs/{id}/log",
            "download_row_log",
            "Sends the row's output as a file for people.",
        )
        .id::<JobId>()
        .query::<LogQuery>()
        .sends("text/plain"),
    ]
}

//! Every operation of the API, in the order of the document.

mod audit;
mod changes;
mod enrolment;
mod events;
mod fan_outs;
mod jobs;
mod jump_hosts;
mod open;
mod pools;
mod queue;
mod runners;
mod secrets;
mod tenancy;
mod users;
mod webhooks;
mod workspaces;

use super::operation::Operation;

pub(super) fn all() -> Vec<Operation> {
    let groups: [(&str, Vec<Operation>); 16] = [
        ("runners", runners::all()),
        ("enrolment", enrolment::all()),
        ("jump hosts", jump_hosts::all()),
        ("pools", pools::all()),
        ("jobs", jobs::all()),
        ("queue", queue::all()),
        ("fan-outs", fan_outs::all()),
        ("workspaces", workspaces::all()),
        ("changes", changes::all()),
        ("events", events::all()),
        ("organisations", tenancy::all()),
        ("webhooks", webhooks::all()),
        ("secrets", secrets::all()),
        ("users", users::all()),
        ("audit", audit::all()),
        ("server", open::all()),
    ];
    let named = |(group, all): (&'static str, Vec<Operation>)| all.into_iter().map(move |of| Operation { group, ..of });
    groups.into_iter().flat_map(named).collect()
}

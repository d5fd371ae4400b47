//! `/runners`: the inventory.

use shuntyard_domain::wire::api::{
    AcceptHostKey, AddRunner, HealthBody, InstallRunner, PatchRunner, RunnerBody, RunnerEventBody, StepEvent,
};
use shuntyard_domain::wire::dial_out::{DialOutEndpointBody, SetDialOut};

use super::super::operation::{Operation, delete, get, of, patch, post, put};
use crate::http::error::words::ErrorWord as E;
use crate::http::runners::DeleteQuery;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/runners", "list_runners", "Lists the inventory.").answers::<Vec<RunnerBody>>(),
        post("/runners", "add_runner", "Adds a runner as Chef's clients do, and waits for the end of its bootstrap.")
            .note("One that is there already is answered as it is.")
            .takes::<AddRunner>()
            .answers::<RunnerBody>()
            .fails(&[E::StepFailed]),
        get("/runners/streaming", "watch_runners", "Sends the whole inventory, at once and again after every change.")
            .header("Last-Event-ID", "With the id of an event: nothing is sent before something changes.")
            .streams(&[("runners_state_updated", of::<Vec<RunnerBody>>)]),
        get("/runners/{hostname}", "show_runner", "Shows one runner.").answers::<RunnerBody>(),
        patch("/runners/{hostname}", "patch_runner", "Changes labels, capabilities, slots, scope or state.")
            .takes::<PatchRunner>()
            .answers::<RunnerBody>().fails(&[E::LocalRunner]),
        delete("/runners/{hostname}", "delete_runner", "Cleans the host and removes the runner.")
            .note("With `Accept: text/event-stream` the answer is a stream of the steps.")
            .query::<DeleteQuery>()
            .done()
            .streams(&[("step", of::<StepEvent>)])
            .fails(&[E::RunnerBusy, E::LocalRunner, E::UnderWay, E::StepFailed]),
        get("/runners/{hostname}/health", "show_health", "Shows the result of the last Test, as Chef does.")
            .answers::<HealthBody>(),
        post("/runners/{hostname}/health", "test_runner", "Tests a runner.")
            .note("With `Accept: text/event-stream` the answer is a stream of the steps; else the runner with health `pending`.")
            .answers::<RunnerBody>()
            .streams(&[("step", of::<StepEvent>)]),
        post("/runners/{hostname}/install", "install_runner", "Bootstraps a host.")
            .takes::<InstallRunner>()
            .streams(&[("step", of::<StepEvent>)])
            .fails(&[E::LocalRunner, E::UnderWay]),
        post("/runners/{hostname}/accept-host-key", "accept_host_key", "Accepts the new host key of a quarantined runner.")
            .takes::<AcceptHostKey>()
            .streams(&[("step", of::<StepEvent>)]),
        post("/runners/{hostname}/rotate-key", "rotate_key", "Gives a runner another key, proved before the old one goes.")
            .streams(&[("step", of::<StepEvent>)])
.fails(&[E::LocalRunner]),
        post("/runners/{hostname}/approve", "approve_runner", "Lets a pending runner take jobs.").answers::<RunnerBody>(),
        put("/runners/{hostname}/dial-out", "let_dial_out", "Lets the runner's host dial out with a key.")
            .takes::<SetDialOut>()
            .answers::<RunnerBody>()
            .fails(&[E::DialOutOff]),
        delete("/runners/{hostname}/dial-out", "stop_dial_out", "Connects to the runner from here again.")
            .answers::<RunnerBody>(),
        get("/runners/{hostname}/events", "list_runner_events", "Lists what people did to the runners of this name.")
            .note("Oldest first; also after the last one was deleted.")
            .answers::<Vec<RunnerEventBody>>(),
        get("/dial-out", "show_dial_out", "Says where hosts dial out to, and the key that they find there.")
            .answers::<DialOutEndpointBody>()
            .fails(&[E::DialOutOff]),
    ]
}

//! `/events`: what happens, as one stream.

use shuntyard_domain::wire::api::{JobBody, RunnerBody};
use shuntyard_domain::wire::change::ChangeBody;
use shuntyard_domain::wire::events::{RemovedBody, ResetBody, SnapshotBody};
use shuntyard_domain::wire::fan_out::FanOutBody;

use super::super::operation::{Operation, get, of};
use crate::http::events::EventQuery;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/events", "watch", "Sends what there is, and then each thing that changes, as it is then.")
            .note(
                "An event's id is its place; with that of the last one a stream goes on there, or says `reset` and begins \
                 anew. Fan-outs come without rows.",
            )
            .query::<EventQuery>()
            .header("Last-Event-ID", "Where an earlier stream ended; it goes before `since`.")
            .streams(&[
                ("snapshot", of::<SnapshotBody>),
                ("runner", of::<RunnerBody>),
                ("job", of::<JobBody>),
                ("change", of::<ChangeBody>),
                ("fan_out", of::<FanOutBody>),
                ("removed", of::<RemovedBody>),
                ("reset", of::<ResetBody>),
            ]),
    ]
}

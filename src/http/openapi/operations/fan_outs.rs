//! `/fan_outs`: one command on every matching runner.

use shuntyard_domain::ids::FanOutId;
use shuntyard_domain::wire::fan_out::{FanOutBody, FanOutPlanBody, RerunFanOut, SubmitFanOut};

use super::super::operation::{Operation, delete, get, of, post};
use crate::http::error::words::ErrorWord as E;
use crate::http::fan_outs::FanOutFilter;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/fan_outs", "list_fan_outs", "Lists fan-outs without their rows, newest first.")
            .query::<FanOutFilter>()
            .answers::<Vec<FanOutBody>>(),
        post("/fan_outs", "submit_fan_out", "Runs one command on every matching runner.")
            .takes::<SubmitFanOut>()
            .creates::<FanOutBody>()
            .fails(&[E::QueueFull, E::ScriptTooLarge, E::LogTooLarge]),
        post("/fan_outs/plan", "plan_fan_out", "Says what would become of it; nothing is stored.")
            .takes::<SubmitFanOut>()
            .answers::<FanOutPlanBody>(),
        get("/fan_outs/{id}", "show_fan_out", "Shows one with its rows.").id::<FanOutId>().answers::<FanOutBody>(),
        delete("/fan_outs/{id}", "cancel_fan_out", "Cancels it, in whatever state it is.").id::<FanOutId>().done(),
        post("/fan_outs/{id}/rerun", "rerun_fan_out", "Runs the rows that have not succeeded, as a new fan-out.")
            .id::<FanOutId>()
            .takes::<RerunFanOut>()
            .creates::<FanOutBody>()
            .fails(&[E::StillRunning, E::QueueFull, E::ScriptTooLarge, E::LogTooLarge]),
        get("/fan_outs/{id}/streaming", "watch_fan_out", "Sends it at once and again after every change.")
            .id::<FanOutId>()
            .header("Last-Event-ID", "With the id of an event: nothing is sent before something changes.")
            .streams(&[("fan_out", of::<FanOutBody>)]),
    ]
}

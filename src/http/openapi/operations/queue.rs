//! `/queue` and `/retention`: whether jobs start, and what is kept of those that have ended.

use shuntyard_domain::wire::queue::{PauseQueue, QueueBody};
use shuntyard_domain::wire::retention::RetentionBody;

use super::super::operation::{Operation, get, post};

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/queue", "show_queue", "Says whether waiting jobs are started, and if not, why not.")
            .answers::<QueueBody>(),
        post("/queue/pause", "pause_queue", "Starts no waiting job any more; what runs goes on.")
            .note("A queue that is paused already stays so, with its first reason.")
            .takes::<PauseQueue>()
            .answers::<QueueBody>(),
        post("/queue/resume", "resume_queue", "Starts waiting jobs again.").answers::<QueueBody>(),
        get("/retention", "plan_retention", "Says what would be removed now by age and size.")
            .answers::<RetentionBody>(),
        post("/retention", "apply_retention", "Removes it now, without waiting for the hourly look.")
            .answers::<RetentionBody>(),
    ]
}

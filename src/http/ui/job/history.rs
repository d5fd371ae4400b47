//! A job's attempts, and all that happened to it.

use maud::{Markup, html};
use shuntyard_domain::job::JobEvent;
use shuntyard_domain::wire::api::{JobBody, JobEventBody, RecordedBody};

use super::words::lost;
use crate::http::ui::parts::at;

/// Its placements, when there was more than one or one was lost.
pub(super) fn attempts(job: &JobBody) -> Markup {
    let told = job.attempts.len() > 1 || job.attempts.iter().any(|attempt| attempt.lost.is_some());
    html! { @if told {
        h2 { "Attempts" }
        div.table { table {
            thead { tr { th.number { "Attempt" } th { "Runner" } th { "Sent" } th { "What became of it" } } }
            tbody { @for attempt in &job.attempts { tr {
                td.number { (attempt.attempt) }
                td { @if let Some(runner) = &attempt.runner { (runner) } }
                td { (at(&attempt.intended_at)) }
                td {
                    @if let Some(loss) = &attempt.lost { "lost: " (lost(loss.evidence)) ", " (at(&loss.at)) }
                    @else if attempt.attempt == job.attempt { (job.state) }
                    @else { "never started" }
                }
            } } }
        } }
    } }
}

/// Who asked for its end.
pub(super) fn asked_by(events: &[JobEventBody]) -> Option<&str> {
    events.iter().find_map(|event| match &event.event {
        RecordedBody::Applied(JobEvent::CancelRequested { by, .. }) => Some(by.as_str()),
        RecordedBody::Applied(_) | RecordedBody::Submitted { .. } => None,
    })
}

pub(super) fn events(events: &[JobEventBody]) -> Markup {
    html! { details {
        summary { "History" }
        div.table { table {
            thead { tr { th { "When" } th { "What" } } }
            tbody { @for event in events { tr { td { (at(&event.at)) } td { (sentence(&event.event)) } } } }
        } }
    } }
}

fn sentence(event: &RecordedBody) -> String {
    let event = match event {
        RecordedBody::Submitted { .. } => return "It was submitted and stored.".into(),
        RecordedBody::Applied(event) => event,
    };
    match event {
        JobEvent::Assigned { .. } => "A runner was chosen for it.".into(),
        JobEvent::Unassigned { why } => format!("It went back to the queue before anything was sent: {why}."),
        JobEvent::StartIntended => "It was about to be sent.".into(),
        JobEvent::Started => "Its host said that it runs.".into(),
        JobEvent::NeverStarted { why } => format!("It was not started, with proof: {why}."),
        JobEvent::PlacementsExhausted { why } => format!("Too many hosts refused it: {why}."),
        JobEvent::Exited { exit_code, .. } => format!("It ended with exit code {exit_code}; its log is stored."),
        JobEvent::LostProven { evidence, .. } => format!("It is lost: {}.", lost(*evidence)),
        JobEvent::RequeuedAfterLoss { evidence, .. } => {
            format!("This attempt is lost, and it waits for another one: {}.", lost(*evidence))
        }
        JobEvent::CancelRequested { by, .. } => format!("{by} asked for its end."),
        JobEvent::Expired => "It waited longer than it was allowed to.".into(),
        JobEvent::Abandoned { by } => format!("{by} gave it up."),
    }
}

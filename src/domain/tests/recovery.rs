//! What an answer of a host proves, and what it does not: the decisions one by one; `simulation.rs` has them together.

use shuntyard_domain::attempt::Boot;
use shuntyard_domain::filter::Filter;
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::{Job, JobEvent, JobOrigin, JobSpec, JobState};
use shuntyard_domain::outcome::{Came, LogSummary, LostEvidence};
use shuntyard_domain::recovery::{
    AfterFault, End, Fault, FenceWord, Identity, MAX_PLACEMENTS, MAX_TAILS_OVERDUE, RefusedOn, Resume, Step, Verdict,
    after_fault, identity, judge_fence, judge_identity, lost, never_started, refusal_proves_no_start, resume,
};
use shuntyard_domain::wire::control::{ErrCode, ResultRecord, SpoolState};
use uuid::Uuid;

const RUNNER: RunnerId = RunnerId(Uuid::from_u128(1));
const OTHER: RunnerId = RunnerId(Uuid::from_u128(2));
const STARTING: JobState = JobState::Starting { runner: RUNNER };
const RUNNING: JobState = JobState::Running { runner: RUNNER, started_at_ms: 1 };

fn job(retry_on_lost: bool, attempt: u32) -> Job {
    Job {
        id: JobId(Uuid::from_u128(3)),
        origin: JobOrigin::default(),
        spec: JobSpec { retry_on_lost, ..JobSpec::shell("true") },
        filter: Filter::default(),
        priority: 0,
        state: STARTING,
        attempt,
        version: 3,
        created_at_ms: 0,
        state_at_ms: 0,
        cancel: None,
        finished_at_ms: None,
    }
}

#[test]
fn a_job_is_looked_after_only_where_it_was_placed() {
    assert_eq!(resume(&JobState::Queued, RUNNER), Resume::Queue);
    assert_eq!(resume(&JobState::Assigned { runner: RUNNER }, RUNNER), Resume::Unassign);
    for placed in [STARTING, RUNNING] {
        assert_eq!(resume(&placed, RUNNER), Resume::Follow);
        assert_eq!(resume(&placed, OTHER), Resume::LetGo);
    }
}

#[test]
fn a_fence_proves_no_start_only_in_the_boot_of_the_intent_and_for_a_job_that_nobody_saw_running() {
    use Boot::{Another, Same, Unknown};
    use FenceWord::{Fenced, Removed};
    let (gone, rebooted) = (Verdict::Lost(LostEvidence::SpoolGone), Verdict::Lost(LostEvidence::Rebooted));
    for (state, word, boot, expected) in [
        (&STARTING, Fenced, Same, Verdict::NeverStarted),
        (&RUNNING, Fenced, Same, gone),
        (&STARTING, Removed, Same, gone),
        (&STARTING, Fenced, Another, rebooted),
        (&RUNNING, Fenced, Another, rebooted),
        (&STARTING, Removed, Another, rebooted),
        (&STARTING, Fenced, Unknown, gone),
        (&RUNNING, Removed, Unknown, gone),
        (&RUNNING, FenceWord::Exists(SpoolState::Reserved), Another, Verdict::Undecided),
    ] {
        assert_eq!(judge_fence(state, word, boot), expected, "{state:?} {word:?} {boot:?}");
    }
}

#[test]
fn an_instance_id_that_cannot_be_read_is_neither_the_same_nor_another() {
    assert_eq!(identity("a", Some("a")), Identity::Same);
    assert_eq!(identity("a", None), Identity::Unreadable);
    assert_eq!(judge_identity(identity("a", None)), Some(Verdict::Undecided));
    assert_eq!(judge_identity(identity("a", Some("b"))), Some(Verdict::Lost(LostEvidence::InstanceChanged)));
    assert_eq!(judge_identity(Identity::Same), None);
}

#[test]
fn only_the_starts_own_channel_proves_by_a_refusal() {
    let start = RefusedOn { start_channel: true, start_confirmed: false };
    assert!(refusal_proves_no_start(&STARTING, start, ErrCode::NoSpace));
    assert!(!refusal_proves_no_start(&STARTING, start, ErrCode::Removed));
    assert!(!refusal_proves_no_start(&RUNNING, start, ErrCode::NoSpace));
    for on in [RefusedOn { start_channel: false, ..start }, RefusedOn { start_confirmed: true, ..start }] {
        assert!(!refusal_proves_no_start(&STARTING, on, ErrCode::NoSpace));
    }
}

#[test]
fn what_is_not_stored_is_asked_for_and_only_an_ended_job_is_let_go_unread() {
    for step in [Step::Intent, Step::Running, Step::End, Step::NoStart, Step::Unassign] {
        assert_eq!(after_fault(step, Fault::Ended), AfterFault::LetGo, "{step:?}");
        assert_eq!(after_fault(step, Fault::Unknown), AfterFault::AskStore, "{step:?}");
    }
    // Another dispatcher has placed it: it is that one's.
    assert_eq!(after_fault(Step::Intent, Fault::Changed), AfterFault::LetGo);
    // Another one has stored `running` first: this end is in nobody's record yet.
    assert_eq!(after_fault(Step::End, Fault::Changed), AfterFault::AskStore);
}

#[test]
fn a_loss_without_an_end_line_calls_its_log_truncated() {
    let stored = LogSummary { bytes: 9, cksum: 5, ..LogSummary::default() };
    let event = lost(&job(false, 1), LostEvidence::SpoolGone, stored);
    let log = LogSummary { truncated: true, ..stored };
    assert_eq!(event, JobEvent::LostProven { evidence: LostEvidence::SpoolGone, log });
}

#[test]
fn the_end_waits_for_the_whole_log_but_not_for_ever() {
    let end = End::Result(ResultRecord { exit_code: 0, size: 9, cksum: 5, stopped: None, has_outputs: false });
    assert!(!end.may_settle(8, MAX_TAILS_OVERDUE));
    assert!(end.may_settle(9, 0));
    assert!(end.may_settle(8, MAX_TAILS_OVERDUE + 1));
    let truncated = |bytes, cksum| match end.event(&job(false, 1), LogSummary::default(), Came { bytes, cksum }) {
        JobEvent::Exited { log, .. } => log.truncated,
        _ => false,
    };
    assert!(!truncated(9, 5));
    assert!(truncated(8, 5));
    assert!(truncated(9, 6));
}

#[test]
fn the_last_placement_ends_the_job() {
    let name = |attempt| never_started(attempt, String::new()).name();
    assert_eq!(name(MAX_PLACEMENTS - 1), "never_started");
    assert_eq!(name(MAX_PLACEMENTS), "placements_exhausted");
}

#[test]
fn a_lost_job_is_started_again_only_when_its_author_said_so_and_not_for_ever() {
    let name = |on_lost, attempt| lost(&job(on_lost, attempt), LostEvidence::Rebooted, LogSummary::default()).name();
    assert_eq!(name(false, 1), "lost_proven");
    assert_eq!(name(true, MAX_PLACEMENTS - 1), "requeued_after_loss");
    assert_eq!(name(true, MAX_PLACEMENTS), "lost_proven");
}

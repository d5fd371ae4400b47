//! What retention finds, what it leaves alone, and what is left when it was there.

use std::collections::BTreeMap;

use shuntyard::store::{
    Connection, JobPart, OldJob, Store, StoreError, change_insert, fan_out_find, fan_out_forget, fan_out_insert,
    fan_out_row_start, fan_out_rows_insert, fan_out_to_forget, fan_outs_to_forget, job_apply, job_artifacts,
    job_collected_insert, job_find, job_insert, jobs_forget, jobs_to_forget, jobs_with_part, part_bytes,
    part_removed_at, parts_removed, phase_run_find, pipeline_ensure, row_job_insert, stage_phase_insert,
    stage_run_insert,
};
use shuntyard_domain::artifacts::{Artifact, Collected};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::{AttemptId, JobId, PhaseRunId};
use shuntyard_domain::job::{Job, JobEvent};
use shuntyard_domain::phase::{Phase, Stage};
use shuntyard_domain::stage::Turn;
use uuid::Uuid;

use super::fan_outs::{fan_out, row};
use super::pipelines::{change, path, phase_run, run};
use super::samples::{RUNNER, insert_histories, job, log};
use super::{Database, on_both_databases, raw};

on_both_databases!(
    logs_are_found_from_the_oldest_end_on_page_by_page_and_once,
    artifacts_go_with_their_rows_and_the_job_stays,
    a_forgotten_job_takes_all_that_hangs_on_it_along,
    what_a_change_or_a_fan_out_still_needs_is_left_alone,
    an_ended_fan_out_goes_with_its_jobs,
);

const BEGINNING: i64 = i64::MIN;

async fn with_part(store: &Store, part: JobPart) -> Vec<OldJob> {
    let found = store.read(move |c| jobs_with_part(c, part, &(BEGINNING, String::new()), 100)).await;
    found.unwrap()
}

async fn to_forget(store: &Store) -> Vec<JobId> {
    let found = store.read(|c| jobs_to_forget(c, &(BEGINNING, String::new()), 100)).await.unwrap();
    found.iter().map(|old| old.id).collect()
}

/// Takes a queued job to its end with a log of so many bytes.
fn end(c: &mut Connection, id: JobId, bytes: u64, at_ms: i64) -> Job {
    use shuntyard::store::Expected::Anything;
    let exited = JobEvent::Exited { exit_code: 0, stopped: None, log: log(bytes) };
    let events = [JobEvent::Assigned { runner: RUNNER }, JobEvent::StartIntended, JobEvent::Started, exited];
    let mut apply = |event: &JobEvent| job_apply(c, id, Anything, event, at_ms).expect("a legal history");
    events.iter().map(&mut apply).last().expect("an end")
}

async fn insert_ended(store: &Store, number: u128, bytes: u64, at_ms: i64) -> Job {
    let work = move |c: &mut Connection| {
        job_insert(c, &job(number))?;
        Ok::<_, StoreError>(end(c, job(number).id, bytes, at_ms))
    };
    store.write(work).await.unwrap()
}

const fn kept(bytes: u64) -> u64 {
    bytes - bytes / 3
}

async fn logs_are_found_from_the_oldest_end_on_page_by_page_and_once(db: Database) {
    let store = db.open();
    let all = store.write(insert_histories).await.unwrap();
    let finished = all.iter().filter(|job| job.state.is_finished()).count();
    assert!(finished > 10 && to_forget(&store).await.len() == finished);
    let listed = with_part(&store, JobPart::Log).await;
    assert!(listed.is_sorted_by_key(|old| (old.ended_at_ms, old.id.to_string())) && listed.len() > 5, "{listed:?}");
    let unfinished = listed.iter().filter(|old| all.iter().any(|job| job.id == old.id && !job.state.is_finished()));
    assert_eq!(unfinished.count(), 0);
    let (mut paged, mut after) = (Vec::new(), (BEGINNING, String::new()));
    loop {
        let from = after.clone();
        let page = store.read(move |c| jobs_with_part(c, JobPart::Log, &from, 2)).await.unwrap();
        let Some(last) = page.last() else { break };
        after = (last.ended_at_ms, last.id.to_string());
        paged.extend(page);
    }
    assert_eq!(paged, listed);
    let bytes = || store.read(|c| part_bytes(c, JobPart::Log));
    assert_eq!(bytes().await.unwrap(), listed.iter().map(|old| old.bytes).sum::<u64>());
    let (gone, stays) = (listed[..3].to_vec(), listed[3..].to_vec());
    let first = gone[0].id;
    for _ in 0..2 {
        // Noting it twice is what a crash behind the removal of files leads to.
        let again = gone.clone();
        store.write(move |c| parts_removed(c, JobPart::Log, &again, 77)).await.unwrap();
    }
    assert_eq!(with_part(&store, JobPart::Log).await, stays);
    assert_eq!(bytes().await.unwrap(), stays.iter().map(|old| old.bytes).sum::<u64>());
    let removed = |id| store.read(move |c| part_removed_at(c, id, JobPart::Log));
    assert_eq!((removed(first).await.unwrap(), removed(stays[0].id).await.unwrap()), (Some(77), None));
    assert!(store.read(move |c| job_find(c, first)).await.unwrap().is_some(), "its record stays");
}

async fn artifacts_go_with_their_rows_and_the_job_stays(db: Database) {
    let store = db.open();
    let ended = insert_ended(&store, 1, 0, 1_700_000_000_009).await;
    insert_ended(&store, 2, 0, 1_700_000_000_010).await;
    assert_eq!(store.read(|c| part_bytes(c, JobPart::Artifacts)).await.unwrap(), 0);
    let artifact =
        |path: &str, size| Artifact { path: path.into(), size, digest: Digest::of_sha256([1; 32]), executable: false };
    let collected = Collected { artifacts: vec![artifact("a", 1 << 40), artifact("b", 2)], ..Collected::default() };
    let of = AttemptId { job: ended.id, attempt: 1 };
    store.write(move |c| job_collected_insert(c, of, &collected)).await.unwrap();
    let listed = with_part(&store, JobPart::Artifacts).await;
    let expected = OldJob { id: ended.id, attempts: 1, ended_at_ms: 1_700_000_000_009, bytes: (1 << 40) + 2 };
    assert_eq!(listed, [expected]);
    assert_eq!(store.read(|c| part_bytes(c, JobPart::Artifacts)).await.unwrap(), expected.bytes);
    store.write(move |c| parts_removed(c, JobPart::Artifacts, &[expected], 77)).await.unwrap();
    assert_eq!(with_part(&store, JobPart::Artifacts).await, []);
    assert_eq!(store.read(move |c| job_artifacts(c, ended.id)).await.unwrap(), []);
    let removed = store.read(move |c| part_removed_at(c, ended.id, JobPart::Artifacts)).await.unwrap();
    assert_eq!(removed, Some(77));
}

async fn a_forgotten_job_takes_all_that_hangs_on_it_along(db: Database) {
    let store = db.open();
    let first = insert_ended(&store, 1, 9, 1_700_000_000_009).await;
    insert_ended(&store, 2, 9, 1_700_000_000_010).await;
    let old = with_part(&store, JobPart::Log).await;
    assert_eq!(old.iter().map(|old| old.bytes).collect::<Vec<_>>(), [kept(9), kept(9)]);
    let gone = old[..1].to_vec();
    let work = move |c: &mut Connection| {
        parts_removed(c, JobPart::Log, &gone, 77)?;
        jobs_forget(c, &gone)?;
        // A crash in between: the same once more.
        parts_removed(c, JobPart::Log, &gone, 78)?;
        jobs_forget(c, &gone)
    };
    store.write(work).await.unwrap();
    assert_eq!(store.read(move |c| job_find(c, first.id)).await.unwrap(), None);
    assert_eq!(to_forget(&store).await, [job(2).id]);
    for table in ["job_events", "job_attempts", "removed_parts"] {
        let asked = format!("SELECT COUNT(*) AS n FROM {table} WHERE job_id = '{}'", first.id);
        assert_eq!(store.read(move |c| super::number(c, &asked)).await.unwrap(), 0, "{table}");
    }
}

async fn what_a_change_or_a_fan_out_still_needs_is_left_alone(db: Database) {
    let store = db.open();
    let of = PhaseRunId(Uuid::from_u128(20));
    let work = move |c: &mut Connection| {
        pipeline_ensure(c, &path("hello"), 1)?;
        change_insert(c, &change(1))?;
        stage_run_insert(c, &path("hello"), &run(10, 1, Stage::Verify))?;
        let phase = shuntyard_domain::stage::PhaseRun { carried: BTreeMap::new(), ..phase_run(20, Phase::Unit) };
        stage_phase_insert(c, &path("hello"), Stage::Verify, &phase, false)?;
        let mut of_stage = job(1);
        of_stage.origin.phase_run = Some(of);
        row_job_insert(c, of, Turn { row: 2, turn: 1 }, &of_stage)?;
        end(c, of_stage.id, 9, 1_700_000_000_009);
        fan_out_insert(c, &fan_out(1))?;
        fan_out_rows_insert(c, fan_out(1).id, &[row(0)])?;
        fan_out_row_start(c, fan_out(1).id, 0, &job(2))?;
        end(c, job(2).id, 9, 1_700_000_000_009);
        Ok::<_, StoreError>(())
    };
    store.write(work).await.unwrap();
    let listed = || async { with_part(&store, JobPart::Log).await.iter().map(|old| old.id).collect::<Vec<_>>() };
    assert_eq!(listed().await, []);
    let sql = "UPDATE fan_outs SET finished_at_ms = 9, status = 'succeeded'";
    store.write(move |c| raw(c, sql)).await.unwrap();
    assert_eq!(listed().await, [job(2).id], "the fan-out has ended");
    let sql = "UPDATE stage_runs SET finished_at_ms = 9, status = 'failed'";
    store.write(move |c| raw(c, sql)).await.unwrap();
    assert_eq!(listed().await, [job(2).id], "the change may be triggered again");
    store.write(|c| raw(c, "UPDATE changes SET state = 'closed'")).await.unwrap();
    assert_eq!(listed().await, [job(1).id, job(2).id]);
    assert_eq!(to_forget(&store).await, [], "records of stages stay, and fan-outs go as a whole");
    assert!(store.read(move |c| phase_run_find(c, of)).await.unwrap().is_some());
}

async fn an_ended_fan_out_goes_with_its_jobs(db: Database) {
    let store = db.open();
    let work = |c: &mut Connection| {
        let again = shuntyard_domain::fan_out::FanOut { repeats: Some(fan_out(1).id), ..fan_out(2) };
        for (fan_out, first) in [(fan_out(1), 10), (again, 20)] {
            fan_out_insert(c, &fan_out)?;
            fan_out_rows_insert(c, fan_out.id, &[row(0), row(1)])?;
            for number in 0..2 {
                let job = job(first + u128::from(number));
                fan_out_row_start(c, fan_out.id, number, &job)?;
                end(c, job.id, 9, 1_700_000_000_009);
            }
        }
        Ok::<_, StoreError>(())
    };
    store.write(work).await.unwrap();
    assert_eq!(store.read(|c| fan_outs_to_forget(c, i64::MAX)).await.unwrap(), (0, 0), "both run");
    let sql =
        "UPDATE fan_outs SET status = 'succeeded', finished_at_ms = CASE WHEN repeats IS NULL THEN 50 ELSE 60 END";
    store.write(move |c| raw(c, sql)).await.unwrap();
    assert_eq!(store.read(|c| fan_outs_to_forget(c, 50)).await.unwrap(), (0, 0));
    assert_eq!(store.read(|c| fan_outs_to_forget(c, 60)).await.unwrap(), (2, 2 * kept(9)));
    let mut turns = 0;
    while let Some((id, gone)) = store.read(|c| fan_out_to_forget(c, 60, 1)).await.unwrap() {
        assert_eq!((id, gone.len()), (fan_out(1).id, usize::from(turns < 2)), "a batch, then the fan-out itself");
        store.write(move |c| fan_out_forget(c, id, &gone)).await.unwrap();
        turns += 1;
    }
    assert_eq!(turns, 3);
    assert_eq!(store.read(|c| fan_out_find(c, fan_out(1).id)).await.unwrap(), None);
    assert_eq!(store.read(|c| job_find(c, job(10).id)).await.unwrap(), None);
    let left = store.read(|c| fan_out_find(c, fan_out(2).id)).await.unwrap().expect("the other one");
    assert_eq!(left.repeats, None, "what it repeated is not known any more");
}

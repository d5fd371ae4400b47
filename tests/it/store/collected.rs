//! What jobs have left, and which contents some job's file still has.

use std::collections::BTreeMap;

use shuntyard::store::{
    artifact_contents, job_artifact_find, job_artifacts, job_collected_find, job_collected_insert, job_insert,
};
use shuntyard_domain::artifacts::{Artifact, Collected};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::AttemptId;

use super::samples::job;
use super::{Database, on_both_databases, raw};

on_both_databases!(what_a_job_has_left_is_written_once_whole_and_goes_with_it);

fn artifact(path: &str, byte: u8) -> Artifact {
    Artifact { path: path.into(), size: 1 << 40, digest: Digest::of_sha256([byte; 32]), executable: byte == 1 }
}

async fn what_a_job_has_left_is_written_once_whole_and_goes_with_it(db: Database) {
    let store = db.open();
    let id = AttemptId { job: job(1).id, attempt: 2 };
    // In the order of bytes, whatever the database's locale.
    let artifacts = vec![artifact("B/ü 'x'", 1), artifact("a", 2), artifact("a/b", 2)];
    let collected = Collected {
        outputs: BTreeMap::from([("k.e-y".into(), "va=lue ü\t".into())]),
        outputs_fault: None,
        artifacts: artifacts.clone(),
        artifacts_fault: Some("no file matches `x`".into()),
    };
    let written = collected.clone();
    let orphan = store.write(move |c| job_collected_insert(c, id, &written)).await;
    assert!(orphan.is_err(), "there is no such job");
    store.write(|c| job_insert(c, &job(1))).await.unwrap();
    let twice = Collected { artifacts: vec![artifact("a", 1), artifact("a", 2)], ..Collected::default() };
    assert!(store.write(move |c| job_collected_insert(c, id, &twice)).await.is_err());
    assert_eq!(store.read(move |c| job_collected_find(c, id.job)).await.unwrap(), None, "nothing of it is kept");
    let written = collected.clone();
    store.write(move |c| job_collected_insert(c, id, &written)).await.unwrap();
    assert!(store.write(move |c| job_collected_insert(c, id, &Collected::default())).await.is_err());
    let found = store.read(move |c| job_collected_find(c, id.job)).await.unwrap();
    assert_eq!(found, Some((Collected { artifacts: Vec::new(), ..collected }, 3)));
    assert_eq!(store.read(move |c| job_artifacts(c, id.job)).await.unwrap(), artifacts);
    let one = store.read(move |c| job_artifact_find(c, id.job, "B/ü 'x'")).await.unwrap();
    assert_eq!(one.as_ref(), artifacts.first());
    assert_eq!(store.read(move |c| job_artifact_find(c, id.job, "A")).await.unwrap(), None);
    let mut contents = store.read(artifact_contents).await.unwrap();
    contents.sort_unstable();
    assert_eq!(contents, [Digest::of_sha256([1; 32]), Digest::of_sha256([2; 32])]);
    store.write(|c| raw(c, "DELETE FROM jobs")).await.unwrap();
    assert_eq!(store.read(artifact_contents).await.unwrap(), []);
}

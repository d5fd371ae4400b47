//! How much is kept, and what is said beyond it.

use std::fs;
use std::time::Duration;

use super::listed;
use crate::api::http::request;
use crate::cli::house::{House, host};
use crate::support::sshd::DEBIAN_12;
use crate::support::trees::{Tree, bundle, sha256, zstd};

#[test]
fn beyond_the_size_that_a_job_may_leave_nothing_more_is_kept() {
    let host = host("u1", DEBIAN_12);
    let house = House::start_set("", &[("SHUNTD_ARTIFACTS_MAX_MIB", "1")]);
    house.enrol(&host, 1);
    let script = "echo a >a; truncate -s 100G b; echo c >c; exit 2";
    let body = house.await_end(&house.submit(&["--artifacts", "*"], script));
    assert_eq!((&body["state"], &body["exit_code"]), (&"failed".into(), &2.into()), "{body}");
    let fault = body["artifacts_fault"].as_str().unwrap_or_default();
    assert!(fault.contains("more than 1 MiB"), "{body}");
    let files = listed(&house, body["id"].as_str().unwrap());
    assert!(files.contains(&"a 2 644".to_owned()) && !files.iter().any(|f| f.starts_with('b')), "{files:?}");
}

#[test]
fn a_full_store_is_told_and_no_job_is_lost_by_it() {
    let host = host("u1", DEBIAN_12);
    let house = House::start_set("", &[("SHUNTD_WORKSPACES_STORE_MIB", "1")]);
    house.enrol(&host, 1);
    let keep = ["--artifacts", "*"];
    let first = house.await_end(&house.submit(&keep, "head -c 900000 /dev/urandom >first"));
    assert!(first["artifacts_fault"].is_null(), "{first}");
    let body = house.await_end(&house.submit(&keep, "echo s >a; head -c 900000 /dev/urandom >second"));
    assert_eq!(body["state"], "succeeded", "{body}");
    let fault = body["artifacts_fault"].as_str().unwrap_or_default();
    assert!(fault.contains("1048576 bytes"), "{body}");
    assert_eq!(listed(&house, body["id"].as_str().unwrap()), ["a 2 644"]);
    // Making room has not cost the first job its file.
    assert_eq!(super::fetched(&house, first["id"].as_str().unwrap(), "first").len(), 900_000);
}

#[test]
fn a_store_filled_with_unused_trees_takes_new_uploads_and_artifacts() {
    let host = host("u1", DEBIAN_12);
    let house = House::start_set("", &[("SHUNTD_WORKSPACES_STORE_MIB", "1")]);
    house.enrol(&host, 1);
    let noise = |seed: &str| (0..14_000).map(|n| sha256(format!("{seed}{n}")).to_string()).collect::<String>();
    let tree = |seed| Tree::new(&[("big", &noise(seed))]);
    let (first, second, third) = (tree("1"), tree("2"), tree("3"));
    let put = |path: &str, body: &[u8]| {
        let path = format!("/api/v0/e/default/workspaces/{path}");
        request(house.address(), "PUT", &path, Some(&house.token()), Some(body)).status
    };
    let put_manifest = |tree: &Tree| put(&tree.digest().to_string(), tree.text().as_bytes());
    let put_files = |tree: &Tree| put(&format!("{}/files", tree.digest()), &zstd(&bundle(&[&tree.files[0]])));
    let manifest = |tree: &Tree| house.data_dir().join("blobs/manifests").join(tree.digest().to_string());
    let age = |tree: &Tree| {
        let then = fs::metadata(manifest(tree)).unwrap().modified().unwrap() - Duration::from_secs(3600);
        fs::File::options().append(true).open(manifest(tree)).unwrap().set_modified(then).unwrap();
    };
    // Both are known before either has its files.
    assert_eq!((put_manifest(&second), put_manifest(&first), put_files(&first)), (200, 200, 200));
    assert_eq!(put_files(&second), 507, "the first was asked for a moment ago");
    age(&first);
    assert_eq!(put_files(&second), 200, "room is made while an upload is under way");
    assert!(!manifest(&first).exists());
    age(&second);
    assert_eq!((put_manifest(&third), put_files(&third)), (200, 200));
    age(&third);
    let body = house.await_end(&house.submit(&["--artifacts", "*"], "head -c 900000 /dev/urandom >file"));
    assert!(body["artifacts_fault"].is_null(), "{body}");
    assert_eq!(super::fetched(&house, body["id"].as_str().unwrap(), "file").len(), 900_000);
    assert!(!manifest(&third).exists());
}

#[test]
fn patterns_that_cannot_be_meant_are_refused_where_they_stand() {
    let house = House::start();
    for (patterns, path, told) in [
        (serde_json::json!(["ok", "/etc/passwd"]), "artifacts[1]", "absolute"),
        (serde_json::json!(["../x"]), "artifacts[0]", "leads upwards"),
        (serde_json::json!(vec!["x"; 51]), "artifacts", "51 patterns"),
    ] {
        let body = serde_json::json!({"script": "true", "artifacts": patterns}).to_string();
        let ran = house.shunt(&["api", "post", "jobs", "--json", "-d", &body]);
        ran.expect(1, &[path, told]);
    }
}

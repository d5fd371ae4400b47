//! `/workspaces` with bytes that no well-behaved client would send: nothing of it comes near a runner.

use serde_json::Value;

use super::http::{Answer, request};
use crate::cli::house::House;
use crate::support::trees::{Tree, bundle, sha256, zstd};

fn put(house: &House, path: &str, body: &[u8]) -> Answer {
    let path = format!("/api/v0/e/default/workspaces/{path}");
    request(house.address(), "PUT", &path, Some(&house.token()), Some(body))
}

fn put_manifest(house: &House, lines: &str) -> Answer {
    let text = format!("shuntyard workspace 1\n{lines}");
    put(house, &sha256(&text).to_string(), text.as_bytes())
}

#[test]
fn hostile_workspaces_are_refused_with_what_was_found_and_what_is_allowed() {
    let house = House::start();
    let hex = sha256("x");
    let terabyte = format!("f\t{hex}\t1099511627776\tbig\n");
    let many: String = (0..100_001).map(|n| format!("d\t{n:06}\n")).collect();
    for (lines, status, error, path) in [
        ("d\t/etc\n", 422, "bad_workspace", "/etc".into()),
        ("d\t../up\n", 422, "bad_workspace", "../up".into()),
        ("l\tout\t/etc/passwd\n", 422, "bad_workspace", "out".into()),
        ("l\tout\t../../x\n", 422, "bad_workspace", "out".into()),
        ("b\tdisk\n", 422, "bad_workspace", Value::Null),
        ("h\thard\tlink\n", 422, "bad_workspace", Value::Null),
        (&format!("f\t{hex}\t1\ta\nf\t{hex}\t1\ta/b\n"), 422, "bad_workspace", "a/b".into()),
        (&terabyte, 413, "workspace_too_large", Value::Null),
        (&many, 413, "workspace_too_large", Value::Null),
    ] {
        let answer = put_manifest(&house, lines);
        let body = answer.json();
        assert_eq!((answer.status, &body["error"]), (status, &error.into()), "{body}");
        assert_eq!(body["path"], path, "{body}");
        assert!(!body["allowed"][0].as_str().unwrap_or_default().is_empty(), "{body}");
    }
    let tree = Tree::new(&[("a", "x")]);
    let other = put(&house, &sha256("other").to_string(), tree.text().as_bytes());
    assert_eq!((other.status, &other.json()["error"]), (422, &"other_digest".into()));
    assert_eq!(put(&house, "not-a-digest", b"").status, 404);
    let announced = request(
        house.address(),
        "PUT",
        &format!("/api/v0/e/default/workspaces/{}", tree.digest()),
        None,
        Some(tree.text().as_bytes()),
    );
    assert_eq!(announced.status, 401);
}

#[test]
fn a_job_names_only_a_workspace_that_is_whole() {
    let house = House::start();
    let tree = Tree::new(&[("a", "x")]);
    let submit = || {
        let body = format!("{{\"script\": \"true\", \"workspace\": \"{}\"}}", tree.digest());
        request(house.address(), "POST", "/api/v0/e/default/jobs", Some(&house.token()), Some(body.as_bytes()))
    };
    let files = format!("{}/files", tree.digest());
    assert_eq!(put(&house, &files, &zstd(&bundle(&[b"x"]))).status, 404, "files before their manifest");
    let refused = submit();
    assert_eq!((refused.status, &refused.json()["path"]), (400, &"workspace".into()), "{refused:?}");
    let taken = put(&house, &tree.digest().to_string(), tree.text().as_bytes());
    assert_eq!((taken.status, &taken.json()["missing_bytes"]), (200, &1.into()), "{taken:?}");
    assert!(submit().json()["message"].as_str().unwrap().contains("lacks 1 file"));
    for (bytes, error) in [
        (zstd(&bundle(&[b"y"])), "not_asked"),
        (b"no bundle, no bundle, no bundle".to_vec(), "bad_bundle"),
        (zstd(&bundle(&[b"x"]))[..40].to_vec(), "cut_off"),
    ] {
        let refused = put(&house, &files, &bytes);
        assert_eq!(refused.json()["error"], error, "{refused:?}");
        assert!((400..=422).contains(&refused.status));
    }
    let whole = put(&house, &files, &zstd(&bundle(&[b"x"])));
    assert_eq!((whole.status, &whole.json()["missing"]), (200, &Value::Array(vec![])), "{whole:?}");
    let job = submit();
    assert_eq!((job.status, &job.json()["workspace"]), (201, &tree.digest().to_string().into()), "{job:?}");
}

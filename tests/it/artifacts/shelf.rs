//! The server's side: what stays in its store, and how files are handed out.

use super::{fetched, listed, sha256};
use crate::api::http::{Answer, request};
use crate::cli::house::{House, await_that, host};
use crate::support::sshd::DEBIAN_12;
use std::fs;

fn get(house: &House, path: &str) -> Answer {
    request(house.address(), "GET", &format!("/api/v0/e/default/{path}"), Some(&house.token()), None)
}

#[test]
fn files_outlive_sweeps_and_are_handed_out_as_downloads_only() {
    let host = host("u1", DEBIAN_12);
    let mut house = House::with_log(&[(&host, 1)], "shuntyard=info");
    let job = house.submit(&["--artifacts", "a"], "mkdir a; echo '<script>' >'a/x y.html'");
    house.await_end(&job);
    let stray = house.data_dir().join("blobs/files/00");
    fs::create_dir_all(&stray).unwrap();
    fs::write(stray.join("1".repeat(62)), "nobody's").unwrap();
    house.terminate();
    house.start_again();
    let gone = || !stray.join("1".repeat(62)).exists();
    await_that("the sweep at the start has removed what nobody names", gone, || house.log());
    assert_eq!(listed(&house, &job), ["a/x y.html 9 644"]);
    assert_eq!(fetched(&house, &job, "a/x y.html"), b"<script>\n");
    let path = format!("jobs/{job}/artifacts/a/x%20y.html");
    let answer = get(&house, &path);
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"<script>\n"[..]));
    for (header, value) in [
        ("content-type", "application/octet-stream"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", "attachment; filename*=UTF-8''x%20y%2Ehtml"),
        ("content-length", "9"),
    ] {
        assert_eq!(answer.header(header), Some(value), "{answer:?}");
    }
    let digest = sha256(b"<script>\n");
    assert_eq!(answer.header("etag"), Some(&*format!("\"{digest}\"")));
    let unknown = format!("jobs/{}/artifacts", uuid::Uuid::nil());
    for (other, status) in [
        (format!("jobs/{job}/artifacts/a"), 404),
        (format!("jobs/{job}/artifacts/a/../../log"), 404),
        (format!("jobs/{job}/artifacts/%2e%2e/x"), 404),
        (format!("jobs/{job}/artifacts/%00"), 404),
        (unknown, 404),
        (format!("jobs/{job}/artifacts?limit=1"), 400),
    ] {
        assert_eq!(get(&house, &other).status, status, "{other}");
    }
    // What the disk has changed is not handed out as if it were whole.
    fs::write(house.data_dir().join("blobs/files").join(&digest[..2]).join(&digest[2..]), "<SCRIPT>\n").unwrap();
    let damaged = house.shunt(&["api", "get", &path]);
    assert!(damaged.code != 0 && damaged.stdout.is_empty(), "{damaged:?}");
}

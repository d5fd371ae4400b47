//! A log as lines: what a page reads, from a real job.

use serde_json::{Value, json};

use super::house::{House, await_that, host};
use crate::api::http::{request, send};
use crate::support::sshd::UBUNTU_2204;

fn texts(lines: &Value) -> Vec<String> {
    let runs =
        |line: &Value| line["runs"].as_array().unwrap().iter().map(|run| run["text"].as_str().unwrap()).collect();
    lines["lines"].as_array().unwrap().iter().map(runs).collect()
}

#[test]
fn a_page_reads_lines_with_times_and_styles_and_searches_them() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let script = r#"seq 1 3000; printf '\033[31mred\033[0m <b>\n\033]0;title\007\342\200\256x\n50%%\r100%%'"#;
    house.shunt(&["run", "--", "sh", "-c", script]).expect(0, &["succeeded"]);
    let id = house.api("jobs?state=succeeded")[0]["id"].as_str().unwrap().to_owned();

    let lines = house.api(&format!("jobs/{id}/log/lines?from=2999&count=10"));
    assert_eq!((&lines["total"], &lines["complete"], &lines["attempt"]), (&3003.into(), &true.into(), &1.into()));
    assert_eq!(texts(&lines), ["2999", "3000", "red <b>", "⟨U+202E⟩x", "100%"], "{lines}");
    let red = &lines["lines"][2];
    assert_eq!(red["runs"][0], json!({"text": "red", "style": {"fg": 1}}));
    assert_eq!((&red["line"], &red["offset"]), (&3001.into(), &13_893.into()));
    let job = house.api(&format!("jobs/{id}"));
    let (at, from, to) = (red["at"].as_str().unwrap(), job["created_at"].as_str(), job["finished_at"].as_str());
    assert!(from.unwrap() <= at && at <= to.unwrap(), "{at} in {job}");

    let all = house.api(&format!("jobs/{id}/log/lines"));
    assert_eq!(texts(&all), (1..=1000).map(|n| n.to_string()).collect::<Vec<_>>(), "a thousand unless asked");
    assert_eq!(texts(&house.api(&format!("jobs/{id}/log/lines?from=99999"))), Vec::<String>::new());

    let growth = house.shunt(&["api", "get", &format!("jobs/{id}/log/growth")]);
    growth.expect(0, &["event: grown\n", r#""total":3003,"bytes":13933,"complete":true"#]);

    let found = house.api(&format!("jobs/{id}/log/search?q=RED%20%3Cb%3E&ignore_case=true"));
    assert_eq!((&found["matches"][0]["line"], &found["next"]), (&3001.into(), &Value::Null), "{found}");
    let first = house.api(&format!("jobs/{id}/log/search?q=99&limit=2"));
    assert_eq!((&first["matches"][1]["line"], &first["next"]), (&199.into(), &200.into()), "{first}");

    for (query, path) in [
        ("lines?from=0", "from"),
        ("lines?count=2001", "count"),
        ("lines?count=x", "count"),
        ("lines?lines=1", "lines"),
        ("search?q=", "q"),
        ("search?q=x&limit=0", "limit"),
        ("search?from=1", "query"),
    ] {
        let path_of = format!("/api/v0/e/default/jobs/{id}/log/{query}");
        let refused = request(house.address(), "GET", &path_of, Some(&house.token()), None);
        assert_eq!((refused.status, refused.json()["path"].as_str()), (400, Some(path)), "{query}: {}", refused.json());
    }
}

#[test]
fn where_a_job_was_found_again_its_log_says_so() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let id = house.submit(&[], "echo one; until [ -e $HOME/go ]; do sleep 0.05; done; echo two; echo three");
    let lines = |house: &House| house.api(&format!("jobs/{id}/log/lines"));
    await_that("the first line is here", || lines(&house)["total"] == 1, || lines(&house).to_string());
    assert_eq!((&lines(&house)["complete"], texts(&lines(&house))), (&false.into(), vec!["one".to_owned()]));
    house.kill();
    house.start_again();
    host.run_inside("touch /home/deploy/go");
    house.await_end(&id);
    let lines = lines(&house);
    assert_eq!(texts(&lines), ["one", "two", "three"]);
    let (before, after) = (&lines["lines"][0], &lines["lines"][1]);
    assert!(before["reattached_at"].is_null() && lines["lines"][2]["reattached_at"].is_null(), "{lines}");
    assert!(before["at"].as_str() < after["reattached_at"].as_str(), "{lines}");
    assert!(after["reattached_at"].as_str() <= after["at"].as_str(), "{lines}");
}

/// The page of a job as a browser without scripts gets it.
fn page(house: &House, path: &str) -> String {
    let token = format!("Bearer {}", house.token());
    let headers = [("Authorization", token.as_str()), ("Accept", "text/html")];
    let answer = send(house.address(), "GET", path, &headers, None);
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert_eq!(answer.status, 200, "{text}");
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
    text
}

#[test]
fn the_page_of_a_job_is_complete_without_scripts_and_its_output_stays_text() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let script = r#"seq 1 1500; printf '\033[1;31m<script>alert("x")</script>\033]0;t\007\342\200\256\n'; exit 3"#;
    house.shunt(&["run", "--", "sh", "-c", script]).expect(3, &["failed"]);
    let id = house.api("jobs?state=failed")[0]["id"].as_str().unwrap().to_owned();
    let text = page(&house, &format!("/jobs/{id}"));
    for part in [
        "It failed on u1 with exit code 3.",
        r#"<span class="f1 bold">&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;⟨U+202E⟩</span>"#,
        "Lines 502 to 1501 of 1501",
        r##"<a class="n" href="#L1501">1501</a>"##,
        &format!(r#"href="/jobs/{id}?from=1#log""#),
        &format!(r#"href="/api/v0/e/default/jobs/{id}/log" download"#),
        "Its host said that it runs",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
    assert!(!text.contains("<script>alert") && !text.contains('\x1b') && !text.contains(" style="), "{text}");
    let first = page(&house, &format!("/jobs/{id}?from=1"));
    assert!(first.contains("Lines 1 to 1000 of 1501") && first.contains(r#"?from=1001#log" rel="next""#), "{first}");
}

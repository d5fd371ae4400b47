//! Output that is larger than what is kept of it.

use super::house::{House, host};
use crate::support::sshd::UBUNTU_2204;

#[test]
fn of_large_output_head_and_tail_are_kept_and_what_is_missing_is_counted() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    // 60,000 numbered lines, in one burst and then, after a pause, one more.
    let script = "seq -w 1 60000; sleep 0.3; echo last";
    let body = serde_json::json!({"script": script, "output_cap_bytes": 65_536}).to_string();
    let posted = house.shunt(&["api", "post", "jobs", "-d", &body]);
    assert_eq!(posted.code, 0, "{}", posted.stderr);
    let job: serde_json::Value = serde_json::from_slice(&posted.stdout).unwrap();
    let id = job["id"].as_str().unwrap().to_owned();
    let job = house.await_end(&id);
    let elided = job["elided_bytes"].as_u64().unwrap();
    assert_eq!((&job["state"], &job["truncated"]), (&"succeeded".into(), &false.into()), "{job}");
    assert_eq!(job["log_bytes"], 60_000 * 6 + 5, "{job}");
    assert!((360_005 - 65_536..=360_005 - 49_152).contains(&elided), "{job}");
    let whole: String = (1..=60_000).map(|n| format!("{n:05}\n")).collect::<String>() + "last\n";
    let tail_at = 32_768 + usize::try_from(elided).unwrap();
    let line = format!("\n[shuntyard: {elided} bytes of output are not kept]\n");
    let expected = [&whole[..32_768], &line, &whole[tail_at..]].concat();
    for words in [&["logs", &id][..], &["logs", "-f", &id]] {
        assert!(house.shunt(words).text() == expected, "{words:?}");
    }
}

//! What a host prints, and what a Test says of it: the cases of `fixtures/probes`.

use std::collections::BTreeMap;

use serde::Deserialize;
use shuntyard_domain::probe::{
    Greeting, HostView, Probe, ProbeName, Verdict, clock, greeting_probes, host_probes, max_sessions,
};
use shuntyard_domain::wire::control::Hello;
use shuntyard_domain::wire::frame::Nonce;
use shuntyard_domain::wrapper::parse_doctor;

#[derive(Deserialize)]
struct Cases {
    usual: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    banner: String,
    #[serde(default)]
    system_mode: bool,
    #[serde(default)]
    drop: Vec<String>,
    #[serde(default)]
    lines: Vec<String>,
    /// Verdict, part of the evidence, part of the fix.
    expect: BTreeMap<ProbeName, Vec<String>>,
}

#[test]
fn what_a_host_prints_is_judged() {
    let cases: Cases = serde_json::from_str(include_str!("../../../fixtures/probes/host.json")).unwrap();
    let nonce = Nonce::from_random([7; 16]);
    for case in cases.cases {
        let kept = cases.usual.iter().filter(|line| !case.drop.iter().any(|drop| line.starts_with(drop.as_str())));
        let lines: Vec<&str> = kept.chain(&case.lines).map(String::as_str).collect();
        let text = format!("motd\n@@{nonce}\n{}\neol\n", lines.join("\n"));
        let said = parse_doctor(text.as_bytes(), &nonce).unwrap();
        let view = HostView { said: &said, banner: &case.banner, system_mode: case.system_mode };
        let probes = host_probes(&view);
        for (name, expected) in case.expect {
            let probe = probes.iter().find(|probe| probe.name == name).unwrap();
            check(&case.name, probe, &expected);
        }
    }
}

fn check(case: &str, probe: &Probe, expected: &[String]) {
    let verdict: Verdict = expected[0].parse().unwrap();
    assert_eq!(probe.verdict, verdict, "{case}: {probe:?}");
    assert!(probe.evidence.contains(&expected[1]), "{case}: {probe:?}");
    match (expected.get(2), &probe.fix) {
        (Some(part), Some(fix)) => assert!(fix.contains(part), "{case}: {probe:?}"),
        (part, fix) => assert!(part.is_none() && fix.is_none(), "{case}: {probe:?}"),
    }
    assert_eq!(probe.fix.is_some(), matches!(verdict, Verdict::Warn | Verdict::Fail), "{case}: {probe:?}");
}

fn hello() -> Hello {
    Hello {
        wrapper_version: "v1".into(),
        boot_id: "b".into(),
        instance_id: "i".into(),
        clock_s: 1_000,
        free_bytes: 50 << 30,
        base_dir: "/base".into(),
        tools: ["setsid".to_owned()].into(),
        means: vec!["cgroup".into(), "group".into()],
    }
}

/// The verdict of the probe `name` of a greeting with these changes.
fn greeted(name: ProbeName, noise: &str, change: impl FnOnce(&mut Hello)) -> Probe {
    let mut hello = hello();
    change(&mut hello);
    let greeting =
        Greeting { hello: &hello, installed: "v1", newest: "v1", noise, asked_ms: 999_900, answered_ms: 1_000_100 };
    greeting_probes(&greeting).into_iter().find(|probe| probe.name == name).unwrap()
}

#[test]
fn the_greeting_is_judged() {
    use ProbeName as P;
    use Verdict::{Fail, Ok, Warn};
    let all: Vec<(Probe, Verdict, &str)> = vec![
        (greeted(P::Wrapper, "", |_| ()), Ok, "version v1 in /base"),
        (greeted(P::Wrapper, "", |h| h.wrapper_version = "v0".into()), Fail, "is version v0, not v1"),
        (greeted(P::RcNoise, "\n", |_| ()), Ok, "nothing"),
        (greeted(P::RcNoise, "welcome\n\u{7}", |_| ()), Warn, "welcome"),
        (greeted(P::BootId, "", |h| h.boot_id = "unknown".into()), Warn, "does not tell its boots"),
        (greeted(P::Space, "", |h| h.free_bytes = 1 << 20), Fail, "only 1024 KiB are free in /base"),
        (greeted(P::Space, "", |h| h.free_bytes = 100 << 20), Warn, "100 MiB free"),
        (greeted(P::Space, "", |_| ()), Ok, "51200 MiB free"),
        (greeted(P::Cgroup, "", |_| ()), Ok, "cgroup, group"),
        (greeted(P::Cgroup, "", |h| h.means = vec!["environment".into()]), Ok, "no cgroup of its own"),
        (greeted(P::Cgroup, "", |h| h.means = vec!["children".into()]), Warn, "some may outlive"),
        (greeted(P::Clock, "", |_| ()), Ok, "ahead of the dispatcher"),
        (greeted(P::Clock, "", |h| h.clock_s = 0), Warn, "999.5 s behind the dispatcher, give or take 0.6 s"),
        (max_sessions(None, None, 3), Ok, "no session was refused"),
        (max_sessions(None, Some(3), 3), Ok, "3 sessions open at a time"),
        (max_sessions(Some(2), Some(2), 3), Warn, "allows 2 sessions on a connection; its slots want 3"),
        (max_sessions(Some(5), None, 3), Ok, "5 sessions"),
    ];
    for (probe, verdict, evidence) in all {
        assert!(probe.verdict == verdict && probe.evidence.contains(evidence), "{verdict} {evidence:?}: {probe:?}");
    }
}

#[test]
fn a_slow_answer_is_no_proof_of_a_wrong_clock() {
    // Asked for 20 s: the host may have read its clock at either end.
    assert_eq!(clock(1_010, 1_000_000, 1_020_000).verdict, Verdict::Ok);
    assert_eq!(clock(1_022, 1_000_000, 1_020_000).verdict, Verdict::Ok);
    assert_eq!(clock(1_040, 1_000_000, 1_020_000).verdict, Verdict::Warn);
    assert_eq!(clock(u64::MAX, 0, 0).verdict, Verdict::Warn);
    assert_eq!(clock(0, i64::MAX, i64::MIN).verdict, Verdict::Warn);
}

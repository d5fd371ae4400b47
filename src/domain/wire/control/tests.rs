//! What the dispatcher reads, and what it refuses to guess.

use proptest::prelude::*;

use super::*;

fn nonce() -> Nonce {
    Nonce::from_random([7; 16])
}

fn parse(rest: &str) -> Result<Option<Control>, BadControl> {
    parse_control(&nonce(), format!("@{} {rest}\n", nonce()).as_bytes())
}

const ID: &str = "00000000000000000000000000000007-3";

#[test]
fn every_word_is_read() {
    let result = ResultRecord {
        exit_code: 143,
        size: 12,
        cksum: 4_294_967_295,
        stopped: Some(StopReason::RunLimit),
        has_outputs: false,
    };
    let told = ResultRecord { has_outputs: true, ..result };
    let id: AttemptId = ID.parse().unwrap();
    for (line, expected) in [
        ("ok 12".into(), Control::Ok { pid: 12 }),
        ("at 0".into(), Control::At { pid: 0 }),
        ("end 143 12 4294967295 run_limit".into(), Control::End(result)),
        ("end 143 12 4294967295 run_limit outputs".into(), Control::End(told)),
        ("lost reboot 5".into(), Control::Lost { why: LostWhy::Reboot, size: 5 }),
        ("none".into(), Control::None),
        ("fenced".into(), Control::Fenced),
        ("eol".into(), Control::Eol),
        ("err refused it runs".into(), Control::Err { code: ErrCode::Refused, detail: "it runs".into() }),
        (format!("job {ID} run 9"), Control::Job { id, state: SpoolState::Run { size: 9 } }),
        (format!("job {ID} end 143 12 4294967295 run_limit"), Control::Job { id, state: SpoolState::End(result) }),
        (format!("job {ID} reserved"), Control::Job { id, state: SpoolState::Reserved }),
        (format!("removed {ID}"), Control::Removed { id }),
        (
            format!("want zstd,sha256sum {}", "00".repeat(32)),
            Control::Want { tools: vec!["zstd".into(), "sha256sum".into()], trees: vec![Digest::of_sha256([0; 32])] },
        ),
        ("want none".into(), Control::Want { tools: vec!["none".into()], trees: vec![] }),
        ("have".into(), Control::Have),
        ("filled".into(), Control::Filled),
        (
            "receipt means environment group".into(),
            Control::Receipt(Receipt::Means { words: vec!["environment".into(), "group".into()] }),
        ),
        ("receipt before 1 2".into(), Control::Receipt(Receipt::Before { pids: vec![1, 2] })),
        (
            "receipt sent KILL 77 2".into(),
            Control::Receipt(Receipt::Sent { signal: "KILL".into(), at_s: 77, pids: vec![2] }),
        ),
        ("receipt left".into(), Control::Receipt(Receipt::Left { pids: vec![] })),
    ] {
        assert_eq!(parse(&line), Ok(Some(expected)), "{line}");
    }
}

#[test]
fn hello_needs_its_keys_and_ignores_new_ones() {
    let line = "hello wrapper=ab boot=b1 instance=i1 clock=9 free=10 base=/b new=1 tools=git,tail means=cgroup,group";
    let Ok(Some(Control::Hello(hello))) = parse(line) else { panic!("{:?}", parse(line)) };
    assert_eq!((hello.clock_s, hello.free_bytes, hello.base_dir.as_str()), (9, 10, "/b"));
    assert_eq!(hello.tools, ["git".to_owned(), "tail".to_owned()].into());
    assert_eq!(hello.means, ["cgroup", "group"]);
    assert!(parse("hello wrapper=ab").is_err());
}

#[test]
fn lines_without_our_nonce_are_noise_and_noise_may_stand_before_a_line() {
    for noise in ["", "Welcome", "@ok 1", "@00 ok 1"] {
        assert_eq!(parse_control(&nonce(), noise.as_bytes()), Ok(None), "{noise}");
    }
    let glued = format!("stty: not a tty@{} none", nonce());
    assert_eq!(parse_control(&nonce(), glued.as_bytes()), Ok(Some(Control::None)));
}

#[test]
fn garbage_after_our_nonce_is_an_error() {
    for bad in ["", "ok", "ok x", "ok -1", "ok 1 2", "end 0 1 2", "end 256 1 2 -", "end 0 1 2 why", "lost x 1", "run 1"]
    {
        assert!(parse(bad).is_err(), "{bad}");
    }
    let mut line = format!("@{} err refused ", nonce()).into_bytes();
    line.push(0xff);
    assert!(parse_control(&nonce(), &line).is_err());
}

#[test]
fn output_begins_after_the_marker() {
    let received = format!("motd\nno newline@@{}\nout", nonce());
    let at = after_marker(&nonce(), received.as_bytes()).unwrap();
    assert_eq!(&received[at..], "out");
    assert_eq!(after_marker(&nonce(), &received.as_bytes()[..at - 1]), None);
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let mut line = format!("@{} ", nonce()).into_bytes();
        line.extend(bytes);
        let _ = parse_control(&nonce(), &line);
    }
}

//! `shunt run -- COMMAND`: exit code, words, streams, environment, directories, limits.

use super::house::{House, host, truth};
use crate::support::sshd::{CENTOS_7, UBUNTU_2204};

#[test]
fn a_commands_exit_code_words_and_streams_arrive_as_they_are() {
    let (ubuntu, centos) = (host("u1", UBUNTU_2204), host("c1", CENTOS_7));
    let house = House::with(&[(&ubuntu, 2), (&centos, 2)]);

    // A job that ends at once is never seen running.
    let script = "uname -n; until [ -e ~/go ]; do sleep 0.05; done; exit 7";
    let run = house.begin(&["run", "--filter", "platform=centos", "--", "sh", "-c", script]);
    run.await_note("running on c1");
    centos.run_inside("touch /home/deploy/go");
    let ran = run.end();
    ran.expect(7, &["failed on c1", "exit code 7"]);
    assert_eq!(ran.stdout, b"c1\n");

    let words = ["a b", "", "it's", "\"quoted\"", "two\nlines", "$HOME `id` $(id)", "*", "\\n", "-n", "~", "ünï"];
    let ran = house.shunt(&[&["run", "--filter", "platform=ubuntu", "--", "printf", "<%s>\\n"], &words[..]].concat());
    let expected: String = words.iter().map(|word| format!("<{word}>\n")).collect();
    assert_eq!((ran.code, ran.text()), (0, expected), "{}", ran.stderr);

    let both = "for n in 1 2 3 4 5; do echo out $n; echo err $n >&2; done; printf 'no newline'";
    let ran = house.shunt(&["run", "--quiet", "--", "sh", "-c", both]);
    let lines: String = (1..=5).map(|n| format!("out {n}\nerr {n}\n")).collect();
    assert_eq!((ran.code, ran.text(), ran.stderr.as_str()), (0, lines + "no newline", ""));
}

#[test]
fn binary_and_large_output_is_byte_for_byte_what_the_job_wrote() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);

    let script = "head -c 1048576 /dev/urandom | tee ~/truth.bin";
    let ran = house.shunt(&["run", "--quiet", "--", "sh", "-c", script]);
    let written = std::fs::read(host.path("home/deploy/truth.bin")).expect("the job's own copy");
    assert_eq!(written.len(), 1 << 20);
    assert!(ran.stdout == written, "{} bytes followed live differ from those written", ran.stdout.len());

    let job = &house.api("jobs?state=all")[0];
    let logs = house.shunt(&["logs", job["id"].as_str().unwrap()]);
    assert!(logs.stdout == written, "{} bytes read afterwards differ from those written", logs.stdout.len());
    let cksum = host.run_inside("cksum </home/deploy/truth.bin");
    assert_eq!(cksum, format!("{} {}", job["log_cksum"], job["log_bytes"]));

    let ran = house.shunt(&["run", "--quiet", "--", "sh", "-c", "seq 2700000 | tee ~/truth.txt"]);
    let written = std::fs::read(host.path("home/deploy/truth.txt")).expect("the job's own copy");
    assert!(written.len() > 20_000_000 && ran.stdout == written, "{} of {}", ran.stdout.len(), written.len());
}

#[test]
fn a_job_sees_its_variables_and_an_empty_work_directory_that_is_removed_with_its_spool() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    let script = "env; echo PWD=$(pwd); ls -A | wc -l; touch left; mkdir -p deep/er; chmod 500 deep; pwd >~/pwd";
    let words =
        ["--env", "GREETING=it's two words", "--filter", "os=linux", "--title", "see", "--", "sh", "-c", script];
    let ran = house.shunt(&[&["run", "--quiet"], &words[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = ran.text();
    let job = &house.api("jobs?state=all")[0];
    let id = job["id"].as_str().unwrap();
    for line in [
        "GREETING=it's two words",
        &format!("SHUNT_JOB_ID={id}"),
        "SHUNT_ATTEMPT=1",
        "SHUNT_ENTERPRISE=default",
        "SHUNT_ORG=default",
        "SHUNT_RUNNER=u1",
        "SHUNT_MATRIX_ROW=0",
        "SHUNT_MATRIX_FILTER={\"os\":[\"linux\"]}",
        "HOME=/home/deploy",
        "0",
    ] {
        assert!(text.lines().any(|l| l == line), "no line {line:?} in:\n{text}");
    }
    assert_eq!(job["title"], "see");
    house.await_empty_spool(&host);
    let work = truth(&host, "pwd");
    host.run_inside(&format!("test ! -e {}", work.trim()));
}

#[test]
fn a_job_over_its_time_limit_is_stopped_and_says_so() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let script = "sleep 1000 & echo $! >~/pid; echo begun; wait";
    let ran = house.shunt(&["run", "--timeout", "5s", "--", "sh", "-c", script]);
    assert!(ran.code >= 1, "{ran:?}");
    ran.expect(ran.code, &["begun", "timed_out", "run limit"]);
    let pid: u32 = truth(&host, "pid").trim().parse().expect("the process that the job has started");
    host.run_inside(&format!("! kill -0 {pid}"));
}

#[test]
fn a_reserved_variable_and_a_bad_filter_are_refused_and_nothing_is_stored() {
    let house = House::start();
    house.shunt(&["run", "--env", "SHUNT_X=1", "--", "true"]).expect(1, &["SHUNT_X"]);
    house.shunt(&["run", "--filter", "plattform=x", "--", "true"]).expect(2, &["plattform"]);
    assert_eq!(house.api("jobs?state=all"), serde_json::json!([]));
}

#[test]
fn a_job_that_fills_its_hosts_disk_fails_with_its_own_exit_code() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let runner = house.api("runners/u1");
    let base = runner["base_dir"].as_str().unwrap().to_owned();
    // The wrapper lies in the base directory: it stays readable on the small disk.
    host.run_inside(&format!(
        "cp -a {base} /tmp/kept && mount -t tmpfs -o size=256k,mode=700,uid=$(id -u deploy) none {base} && \
         cp -a /tmp/kept/. {base}/"
    ));
    let ran = house.shunt(&["run", "--", "head", "-c", "2000000", "/dev/zero"]);
    let job = &house.api("jobs?state=all")[0];
    // The result was reserved before the job began: the exit code arrives although nothing more could be written.
    assert_eq!((ran.code, &job["state"], &job["exit_code"]), (1, &"failed".into(), &1.into()), "{job}");
    assert!(ran.stdout.len() < 2_000_000 && job["log_bytes"] == ran.stdout.len(), "{job}");
    // Lazily: a launcher that waits for its next job keeps the wrapper's file open.
    host.run_inside(&format!("umount -l {base}"));
}

//! Work directories that change, lie or have no end, and files of outputs that are none: no job fails of them.

use std::fs;

use super::{fetched, hold, listed};
use crate::cli::house::{House, await_truth, host};
use crate::support::sshd::DEBIAN_12;

#[test]
fn of_a_hostile_tree_only_its_own_regular_files_are_kept() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 1)]);
    let script = "mkdir -p ok dir many; echo fine >ok/file; ln -s /etc/passwd link; ln -s /etc etc; ln -s ok inner; \
        mkfifo fifo; echo x >\"dir/$(printf 'new\\nline')\"; echo x >\"dir/$(printf '\\377')\"; echo x >dir/unreadable; \
        chmod 0 dir/unreadable; cd many; seq 1 1500 | xargs touch; exit 3";
    let patterns: Vec<&str> = ["ok", "link", "etc/passwd", "inner", "fifo", "dir", "**/1*", "gone/*.xml"]
        .iter()
        .flat_map(|p| ["--artifacts", *p])
        .collect();
    let job = house.submit(&patterns, script);
    let body = house.await_end(&job);
    assert_eq!((&body["state"], &body["exit_code"]), (&"failed".into(), &3.into()), "{body}");
    let files = listed(&house, &job);
    // 1, 10 to 19, 100 to 199, 1000 to 1500.
    assert_eq!(files.len(), 1 + 10 + 100 + 501 + 1, "{body}");
    assert!(files.iter().all(|file| file.starts_with("many/1") || file == "ok/file 5 644"), "{files:?}");
    let fault = body["artifacts_fault"].as_str().expect("a fault");
    for told in ["`link`", "`etc/passwd`", "`gone/*.xml`", "2 file(s) have names", "`dir/unreadable` could not be read"]
    {
        assert!(fault.contains(told), "no {told} in {fault}");
    }
    house.shunt(&["jobs", &job]).expect(0, &["artifacts not kept:"]);
    house.await_empty_spool(&host);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_kept_as_it_was_read() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 1)]);
    // The second piece of a file waits.
    hold(&host, "dd", "case \"$*\" in *skip=1*) ;; *) false ;; esac");
    let job = house.submit(&["--artifacts", "*"], "for f in grows shrinks turns; do head -c 70000 /dev/zero >$f; done");
    await_truth(&host, "begun", "begun");
    host.run_inside(
        "cd ~deploy/.cache/shuntyard*/w/*/ 2>/dev/null || cd /var/tmp/shuntyard*/w/*/; head -c 200000 /dev/zero >grows; \
         : >shrinks; rm turns; ln -s /etc/passwd turns; touch /home/deploy/go",
    );
    let body = house.await_end(&job);
    assert_eq!(body["state"], "succeeded", "{body}");
    let files = listed(&house, &job);
    assert!(files.contains(&"shrinks 65536 644".to_owned()), "{files:?} {body}");
    let grown =
        files.iter().find_map(|file| file.strip_prefix("grows ")).and_then(|rest| rest.split(' ').next()?.parse().ok());
    assert!(
        grown.is_some_and(|size: usize| size >= 70_000 && fetched(&house, &job, "grows").len() == size),
        "{files:?}"
    );
    assert!(!String::from_utf8_lossy(&fetched(&house, &job, "shrinks")).contains("root:"));
}

#[test]
fn outputs_that_are_none_are_told_and_fail_no_job() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 2)]);
    for (script, told) in [
        ("echo a=1 >$SHUNT_OUTPUT; echo b >>$SHUNT_OUTPUT", "line 2 is `b`"),
        ("head -c 70000 /dev/zero >$SHUNT_OUTPUT", "more than 65536 bytes"),
        ("rm $SHUNT_OUTPUT; ln -s /etc/passwd $SHUNT_OUTPUT", "something else in the place"),
        ("rm $SHUNT_OUTPUT; mkdir $SHUNT_OUTPUT", "something else in the place"),
        ("printf 'a=\\033[2J' >$SHUNT_OUTPUT", "control character"),
    ] {
        let body = house.await_end(&house.submit(&[], script));
        assert_eq!((&body["state"], body.get("outputs")), (&"succeeded".into(), None), "{script}: {body}");
        assert!(body["outputs_fault"].as_str().is_some_and(|fault| fault.contains(told)), "{script}: {body}");
    }
}

#[test]
fn a_wrapper_that_lies_or_pours_costs_its_jobs_their_files_only() {
    let host = host("u1", DEBIAN_12);
    let house = House::with(&[(&host, 1)]);
    let runner = house.api("runners/u1");
    let (base, version) = (runner["base_dir"].as_str().unwrap(), runner["wrapper_version"].as_str().unwrap());
    let wrapper = host.path(&format!("{}/wrapper-{version}", base.trim_start_matches('/')));
    let own = fs::read_to_string(&wrapper).unwrap();
    for (instead, told) in [
        ("cat /dev/zero", "prints without end"),
        ("echo \"@@$nonce\"; cat /dev/zero", "more than it was asked for"),
        (
            "echo \"@@$nonce\"; answered f; printf './../../etc/passwd\\000/file\\000./file/../../x\\000'; answered f; cat <&3",
            "2 file(s) have names",
        ),
        ("exit 1", "no complete answer"),
        ("say eol", "does not belong"),
    ] {
        let lying = own.replacen("    verb_get\n", &format!("    {instead}\n"), 1);
        assert_ne!(lying, own);
        fs::write(&wrapper, lying).unwrap();
        let job = house.submit(&["--artifacts", "file", "--artifacts", "**/passwd"], "echo x >file; exit 5");
        let body = house.await_end(&job);
        assert_eq!((&body["state"], &body["exit_code"]), (&"failed".into(), &5.into()), "{body}");
        let fault = body["artifacts_fault"].as_str().unwrap_or_default();
        assert!(fault.contains(told) && listed(&house, &job).is_empty(), "{instead}: {body}");
    }
}

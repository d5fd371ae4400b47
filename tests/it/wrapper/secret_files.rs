//! Secrets that a job reads as files: written for it alone, gone with its end, however that comes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use shuntyard_domain::job::JobSpec;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::secret::SecretUse;
use shuntyard_domain::wire::frame::{Frame, Verb, Word};
use shuntyard_domain::wire::secret_files::FrameSecrets;

use super::driver::*;

/// What no shell may change.
const VALUE: &str = "-n hunter2 'quoted' \"twice\" $HOME `id` \\n \\\\ %s\n\n  last line\n";

fn begin(host: &Host, n: u128, script: &str) -> Channel {
    let uses = vec![SecretUse::file("KEY", Some("KEY_FILE")).unwrap(), SecretUse::file("B_2", None).unwrap()];
    let spec = JobSpec { secrets: uses, ..spec(script) };
    let nonce = nonce();
    let mut channel = host.open(&Verb::Run { id: id(n), nonce: &nonce, offset: 0 }, &nonce);
    let secrets = FrameSecrets { files: vec![("KEY", VALUE), ("B_2", "b")], ..FrameSecrets::default() };
    channel.send(&Frame { spec: &spec, env: &BTreeMap::new() }.encode_with(&secrets).unwrap());
    channel
}

#[test]
fn a_job_finds_its_secrets_in_files_of_its_own_which_end_with_it() {
    under_every_shell(|host| {
        let script = "cat \"$KEY_FILE\"; cat \"$SHUNT_SECRETS/B_2\"; ls -ld \"$SHUNT_SECRETS\" | cut -c 1-10; \
                      ls -l \"$KEY_FILE\" | cut -c 1-10; ls \"$SHUNT_SECRETS\"";
        let (end, output) = begin(host, 1, script).finish();
        assert_eq!((end.exit_code, output), (0, format!("{VALUE}bdrwx------\n-rw-------\nB_2\nKEY\n")));
        assert!(!host.spool(id(1)).join("secrets").exists());
        let (end, output) = host.run(id(2), "echo ${SHUNT_SECRETS-unset} ${KEY_FILE-unset}").finish();
        assert_eq!((end.exit_code, output.as_str()), (0, "unset unset\n"));
    });
}

#[test]
fn a_cancelled_job_leaves_no_secrets_and_neither_does_one_that_was_killed_with_all_that_looks_after_it() {
    under_every_shell(|host| {
        let lasting = "echo begun; while :; do sleep 0.1; done";
        let mut channel = begin(host, 1, lasting);
        channel.wait_ok();
        let file = host.spool(id(1)).join("secrets/KEY");
        wait_until("the job runs", || channel.output() == b"begun\n", String::new);
        assert_eq!(fs::read_to_string(&file).unwrap(), VALUE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        channel.word(Word::Cancel { grace_s: Some(1) });
        assert_eq!(channel.wait_end(0).stopped, Some(StopReason::User));
        assert!(!file.exists());
        channel.finish();

        let mut channel = begin(host, 2, lasting);
        let waiter = channel.wait_ok();
        let file = host.spool(id(2)).join("secrets/KEY");
        wait_until("the job runs", || channel.output() == b"begun\n", String::new);
        host.ask(|nonce| Verb::Hello { nonce });
        assert!(file.exists(), "those of a job that lives are let alone");
        // WAITER START LEADER START BOOT
        let pids = fs::read_to_string(host.spool(id(2)).join("pid")).unwrap();
        let leader = pids.split(' ').nth(2).unwrap().to_owned();
        channel.child.kill().unwrap();
        for target in [waiter.to_string(), format!("-{leader}")] {
            run(std::process::Command::new("kill").args(["-KILL", "--", &target]));
        }
        wait_until("the job is dead", || !runs(leader.parse().unwrap()), String::new);
        host.ask(|nonce| Verb::Hello { nonce });
        wait_until("the secrets are gone", || !file.exists(), String::new);
    });
}

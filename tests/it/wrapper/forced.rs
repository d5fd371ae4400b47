//! The forced command: the client's words are matched, never evaluated. And the command line in every login shell.

use std::process::Command;

use shuntyard_domain::wire::control::{Control, ErrCode};
use shuntyard_domain::wire::frame::{Frame, Nonce, Verb, command_line};
use shuntyard_domain::wrapper::SHELL_COMMAND;

use super::driver::*;

fn forced(host: &Host, command: Option<&str>) -> std::process::Output {
    let mut shell = host.shell_command();
    shell.arg(host.base().join("wrapper-1")).arg("forced").stdin(std::process::Stdio::null());
    if let Some(text) = command {
        shell.env("SSH_ORIGINAL_COMMAND", text);
    }
    shell.output().unwrap()
}

#[test]
fn a_forced_command_runs_the_wrappers_words_and_nothing_else() {
    under_every_shell(|host| {
        let wrapper = host.base().join("wrapper-1");
        let (wrapper, mark) = (wrapper.to_str().unwrap(), host.dir.path().join("mark"));
        let touch = format!("touch {}", mark.display());
        for bad in [
            String::new(),
            "id".into(),
            touch.clone(),
            format!("exec /bin/sh {wrapper} st abc; {touch}"),
            format!("exec /bin/sh {wrapper} st abc\n{touch}"),
            format!("exec /bin/sh {wrapper} st $({touch})"),
            format!("exec /bin/sh {wrapper} st `{touch}`"),
            format!("exec /bin/sh {wrapper} st abc && {touch}"),
            format!("exec /bin/sh {wrapper} st *"),
            format!("exec /bin/sh {}", mark.display()),
            "exec /bin/sh -s".into(),
            format!("exec /bin/sh {wrapper} dance abc"),
            format!("exec /bin/sh {wrapper} forced"),
            format!("exec /bin/sh {wrapper} fetch abc"),
            format!("exec /bin/sh {wrapper} clone abc"),
            format!("exec /bin/sh {wrapper} credential abc get"),
            format!("exec /bin/sh {wrapper} main st abc"),
            format!("exec /bin/sh {wrapper}"),
        ] {
            let output = forced(host, Some(&bad));
            assert_eq!(output.status.code(), Some(64), "{bad}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(String::from_utf8_lossy(&output.stderr).contains(" err "), "{bad}");
            assert!(!mark.exists(), "{bad}");
        }
        assert_eq!(forced(host, None).status.code(), Some(64));
        let good = forced(host, Some(&format!("exec /bin/sh {wrapper} st abc")));
        assert_eq!(String::from_utf8_lossy(&good.stderr), "@abc eol\n");
    });
}

#[test]
fn a_job_runs_through_the_forced_command() {
    under_every_shell(|host| {
        let nonce = nonce();
        let path = host.base().join("wrapper-1");
        let line = command_line(path.to_str().unwrap(), &Verb::Run { id: id(1), nonce: &nonce, offset: 0 }).unwrap();
        let mut command = host.shell_command();
        command.arg(&path).arg("forced").env("SSH_ORIGINAL_COMMAND", line);
        let mut channel = Channel::start(command, nonce, host.shell);
        channel.send(&Frame { spec: &spec("echo forced; env"), env: &Default::default() }.encode().unwrap());
        let (end, output) = channel.finish();
        assert_eq!(end.exit_code, 0);
        assert!(output.starts_with("forced\n") && !output.contains("SSH_ORIGINAL_COMMAND"), "{output}");
    });
}

#[test]
fn the_command_line_means_the_same_in_every_login_shell() {
    let host = Host::new(&SHELLS[0]);
    let noisy = host.dir.path().join("noise.sh");
    std::fs::write(&noisy, "echo welcome; printf 'no newline' >&2; printf 'nor here'\n").unwrap();
    let path = host.base().join("wrapper-1");
    for (n, (shell, package)) in [
        ("bash", "bash"),
        ("fish", "fish"),
        ("tcsh", "tcsh"),
        ("zsh", "zsh"),
        ("ksh", "ksh"),
        ("mksh", "mksh"),
        ("dash", "dash"),
    ]
    .into_iter()
    .enumerate()
    {
        let nonce = nonce();
        let verb = Verb::Run { id: id(n as u128), nonce: &nonce, offset: 0 };
        let mut command = Command::new(shell);
        // bash reads this file before every command, as ~/.bashrc is read under sshd.
        command.env("BASH_ENV", &noisy).env("HOME", host.dir.path());
        command.arg("-c").arg(command_line(path.to_str().unwrap(), &verb).unwrap());
        let mut channel = start(command, &nonce, shell, package);
        channel.send(&Frame { spec: &spec("echo hi; exit 5"), env: &Default::default() }.encode().unwrap());
        let (end, output) = channel.finish();
        assert_eq!((end.exit_code, output.as_str()), (5, "hi\n"), "{shell}");

        let mut command = Command::new(shell);
        command.env("BASH_ENV", &noisy).arg("-c").arg(SHELL_COMMAND);
        let mut channel = start(command, &nonce, shell, package);
        channel.send(format!("echo '@@{nonce}'; echo \"@{nonce} none\" >&2; echo $((6 * 7))\n").as_bytes());
        channel.close();
        // The streams are read side by side: only their ends say that both are complete.
        channel.wait_closed();
        assert_eq!((&channel.output()[..], channel.controls()), (&b"42\n"[..], vec![Control::None]), "{shell}");
    }
}

fn start(command: Command, nonce: &Nonce, shell: &str, package: &str) -> Channel {
    let found = Command::new("sh").arg("-c").arg(format!("command -v {shell}")).output().unwrap();
    assert!(found.status.success(), "{shell} is missing; install {package}");
    Channel::start(command, nonce.clone(), &SHELLS[0])
}

#[test]
fn an_account_for_jobs_gives_no_shell() {
    let host = Host::new(&SHELLS[0]);
    let output = forced(&host, None);
    let line = String::from_utf8_lossy(&output.stderr).replace("@0 ", "");
    assert!(line.starts_with(&format!("err {} ", ErrCode::Refused)), "{line}");
}

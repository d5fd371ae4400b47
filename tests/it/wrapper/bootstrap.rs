//! The bootstrap scripts, sent to `/bin/sh -s` as the dispatcher sends them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use shuntyard_domain::facts::facts_from;
use shuntyard_domain::wire::control::Control;
use shuntyard_domain::wire::frame::{Frame, Nonce, Verb, command_line};
use shuntyard_domain::wrapper::*;

use super::driver::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOneOneOneOneOneOneOneOneOneOneOneOneOn me@here";
const NEW_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAITwoTwoTwoTwoTwoTwoTwoTwoTwoTwoTwoTwoTw";

/// SHA-256 of a secret that nobody has to know here.
const SECRET_HASH: &str = "60e05bd1b195af2f94112fa7197a5c88289058840ce7c6df9693756bc6250f55";

/// Sends a script to the host's shell and returns its standard output.
fn send(host: &Host, script: &str) -> Vec<u8> {
    let mut command = host.shell_command();
    command.arg("-s");
    let mut channel = Channel::start(command, nonce(), host.shell);
    channel.send(script.as_bytes());
    channel.close();
    channel.wait_closed();
    channel.raw_output()
}

fn plan<'a>(nonce: &'a Nonce, key: &'a str, replace: bool) -> InstallPlan<'a> {
    InstallPlan {
        nonce,
        system_mode: false,
        wanted_base: None,
        public_key_line: key,
        hostname: "h1.example",
        replace,
        retire_hash: SECRET_HASH,
    }
}

fn install(host: &Host, key: &str, replace: bool) -> Installed {
    let nonce = nonce();
    let answer = send(host, &install_script(&plan(&nonce, key, replace)).unwrap());
    parse_install(&answer, &nonce).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&answer)))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn the_facts_of_this_host_and_of_a_pretended_one_are_read() {
    under_every_shell(|host| {
        let nonce = nonce();
        let probed = parse_facts(&send(host, &facts_script(&nonce)), &nonce).unwrap();
        let facts = facts_from(&probed);
        assert_eq!(facts.arch, run(Command::new("uname").arg("-m")).trim());
        assert_eq!(probed.uid.to_string(), run(Command::new("id").arg("-u")).trim());
        assert_eq!(probed.boot_id, fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim());
        assert!(facts.cpus > 0 && facts.memory_bytes > 1 << 20 && probed.tools.contains("tail"), "{probed:?}");

        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/os-release/rocky-9.os-release");
        let script = format!("SHUNT_OS_RELEASE={}\n{}", fixture.display(), facts_script(&nonce));
        let facts = facts_from(&parse_facts(&send(host, &script), &nonce).unwrap());
        assert_eq!((facts.platform.as_str(), facts.platform_version.as_str()), ("rocky", "9.4"));
    });
}

#[test]
fn every_shell_answers_what_a_test_asks() {
    under_every_shell(|host| {
        let nonce = nonce();
        let answer = send(host, &format!("umask 027\n{}", doctor_script(&nonce, true)));
        let said =
            parse_doctor(&answer, &nonce).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&answer)));
        assert!(parse_facts(&answer, &nonce).is_ok());
        assert_eq!((said.writable, said.exec), (Some(true), Some(true)), "{said:?}");
        assert!(said.umask.as_deref().is_some_and(|mask| mask.ends_with("27")), "{said:?}");
        assert!(said.path.is_some() && said.space.is_some_and(|(free, all)| free <= all), "{said:?}");
        assert!(said.limits.contains_key("open_files") && said.limits.contains_key("processes"), "{said:?}");
        assert_eq!(
            said.sudo.is_some(),
            parse_doctor(&send(host, &doctor_script(&nonce, false)), &nonce).unwrap().sudo.is_none()
        );
        assert!(!said.logind.is_empty() && said.lang.is_some(), "{said:?}");
        let left: Vec<_> = fs::read_dir(".").unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("probe-")), "{left:?}");
    });
}

#[test]
fn the_way_to_root_is_found() {
    under_every_shell(|host| {
        let nonce = nonce();
        let sudo = parse_sudo(&send(host, &sudo_probe_script(&nonce)), &nonce).unwrap();
        let root = run(Command::new("id").arg("-u")).trim() == "0";
        assert_eq!(sudo == Sudo::Root, root);
    });
}

#[test]
fn an_install_keeps_what_was_there_and_its_wrapper_runs_jobs() {
    under_every_shell(|host| {
        let ssh = host.dir.path().join(".ssh");
        fs::create_dir(&ssh).unwrap();
        fs::set_permissions(&ssh, PermissionsExt::from_mode(0o750)).unwrap();
        let keys = ssh.join("authorized_keys");
        // The last line has no newline, as editors leave it.
        fs::write(&keys, "# mine\nssh-rsa AAAAB3NzaC1yc2EAAAADAQAB friend\nssh-rsa BBBB job_runner@h1.example")
            .unwrap();
        fs::set_permissions(&keys, PermissionsExt::from_mode(0o640)).unwrap();

        let installed = install(host, KEY, true);
        let base = host.dir.path().join(".cache/shuntyard");
        assert_eq!(installed.base_dir, base.to_str().unwrap());
        assert_eq!(installed.wrapper_path, format!("{}/wrapper-{}", base.display(), wrapper_version()));
        assert_eq!(installed.instance_id.len(), 32);
        assert_eq!(installed.made, ["base", "key", "wrapper"].map(str::to_owned).into());
        let blob = KEY.split(' ').nth(1).unwrap();
        let ours = format!("restrict ssh-ed25519 {blob} job_runner@h1.example\n");
        assert_eq!(
            fs::read_to_string(&keys).unwrap(),
            format!("# mine\nssh-rsa AAAAB3NzaC1yc2EAAAADAQAB friend\n{ours}")
        );
        assert_eq!((mode(&ssh), mode(&keys), mode(&base)), (0o750, 0o640, 0o700));

        let again = install(host, KEY, true);
        assert_eq!((again.instance_id.as_str(), again.made.len()), (installed.instance_id.as_str(), 1));

        let nonce = nonce();
        let line = command_line(&installed.wrapper_path, &Verb::Run { id: id(1), nonce: &nonce, offset: 0 }).unwrap();
        let mut command = host.shell_command();
        command.args(line.split(' ').skip(2));
        let mut channel = Channel::start(command, nonce, host.shell);
        channel.send(&Frame { spec: &spec("echo installed"), env: &Default::default() }.encode().unwrap());
        assert_eq!(channel.finish().1, "installed\n");
    });
}

#[test]
fn an_old_key_stays_until_the_new_one_is_verified() {
    under_every_shell(|host| {
        let keys = host.dir.path().join(".ssh/authorized_keys");
        let installed = install(host, KEY, true);
        assert_eq!((mode(keys.parent().unwrap()), mode(&keys)), (0o700, 0o600));
        install(host, NEW_KEY, false);
        assert_eq!(fs::read_to_string(&keys).unwrap().lines().count(), 2);
        let nonce = nonce();
        let answer = send(host, &drop_key_script(&nonce, false, &installed.base_dir, KEY).unwrap());
        assert_eq!(parse_uninstall(&answer, &nonce).unwrap().removed, ["key"]);
        let left = fs::read_to_string(&keys).unwrap();
        assert!(left.lines().count() == 1 && left.contains(NEW_KEY), "{left}");
    });
}

#[test]
fn a_home_that_cannot_be_used_is_not_used() {
    under_every_shell(|host| {
        fs::create_dir_all(host.dir.path().join(".cache")).unwrap();
        std::os::unix::fs::symlink("/tmp", host.dir.path().join(".cache/shuntyard")).unwrap();
        let wanted = host.dir.path().join("wanted");
        let nonce = nonce();
        let wanted_base = Some(wanted.to_str().unwrap());
        let script = install_script(&InstallPlan { wanted_base, ..plan(&nonce, KEY, true) }).unwrap();
        assert_eq!(parse_install(&send(host, &script), &nonce).unwrap().base_dir, wanted.to_str().unwrap());

        let script = install_script(&plan(&nonce, KEY, true))
            .unwrap()
            .replace("/var/tmp/", "/proc/")
            .replace("/dev/shm/", "/proc/");
        let answer = send(host, &script.replace("/tmp/shuntyard", "/proc/shuntyard"));
        let Err(InstallFault::Refused { code, sentence, .. }) = parse_install(&answer, &nonce) else {
            panic!("{}", String::from_utf8_lossy(&answer))
        };
        assert_eq!(code, "base");
        assert!(sentence.contains("private and writable"), "{sentence}");
    });
}

#[test]
fn an_uninstall_leaves_running_jobs_alone_unless_asked() {
    under_every_shell(|host| {
        let installed = install(host, KEY, true);
        let nonce = nonce();
        let line = command_line(&installed.wrapper_path, &Verb::Run { id: id(1), nonce: &nonce, offset: 0 }).unwrap();
        let mut command = host.shell_command();
        command.args(line.split(' ').skip(2));
        let mut channel = Channel::start(command, nonce.clone(), host.shell);
        channel.send(&Frame { spec: &spec("sleep 60"), env: &Default::default() }.encode().unwrap());
        channel.wait_ok();
        let uninstall = |kill_jobs| {
            let plan = UninstallPlan {
                nonce: &nonce,
                system_mode: false,
                base_dir: &installed.base_dir,
                wrapper_path: &installed.wrapper_path,
                public_key_line: None,
                hostname: "h1.example",
                kill_jobs,
                remove_user: false,
                made: &BTreeSet::new(),
            };
            let answer = send(host, &uninstall_script(&plan).unwrap());
            parse_uninstall(&answer, &nonce).unwrap()
        };
        let first = uninstall(false);
        assert_eq!((first.removed, first.left.len()), (vec!["key".to_owned()], 1));
        assert!(Path::new(&installed.wrapper_path).exists());
        let second = uninstall(true);
        assert!(second.left.is_empty(), "{second:?}");
        channel.wait_control("the end", |c| matches!(c, Control::End(_)));
        assert!(!Path::new(&installed.base_dir).exists(), "{second:?}");
        assert_eq!(fs::read_to_string(host.dir.path().join(".ssh/authorized_keys")).unwrap(), "");
    });
}

/// The system mode changes accounts, so it runs on a copy of /etc and an empty /var/lib of its own.
#[test]
fn the_system_mode_makes_an_account_that_cannot_change_its_own_key() {
    if run(Command::new("id").arg("-u")).trim() != "0" {
        panic!("this test makes an account in a mount namespace and needs root");
    }
    for shell in [&SHELLS[0], &SHELLS[2], &SHELLS[3]] {
        let host = Host::new(shell);
        let etc = host.dir.path().join("etc");
        run(Command::new("cp").args(["-a", "/etc"]).arg(&etc));
        run(Command::new("sed")
            .arg("-i")
            .arg("/^job_runner:/d")
            .args(["passwd", "shadow", "group", "gshadow"].map(|f| etc.join(f))));
        let nonce = nonce();
        let install = install_script(&InstallPlan { system_mode: true, ..plan(&nonce, KEY, true) }).unwrap();
        let uninstall = uninstall_script(&UninstallPlan {
            nonce: &nonce,
            system_mode: true,
            base_dir: &format!("{SYSTEM_HOME}/runner"),
            wrapper_path: &format!("{SYSTEM_HOME}/wrapper-{}", wrapper_version()),
            public_key_line: Some(KEY),
            hostname: "h1.example",
            kill_jobs: true,
            remove_user: true,
            made: &["keys_file", "ssh_dir"].map(str::to_owned).into(),
        });
        for (name, script) in [("install", &install), ("uninstall", &uninstall.unwrap())] {
            fs::write(host.dir.path().join(name), script).unwrap();
        }
        let shell = shell.argv.join(" ");
        let steps = format!(
            "cd {dir}; mount --bind etc /etc; mount -t tmpfs tmpfs /var/lib; {shell} -s <install 2>&1
             cd /var/lib/shuntyard; echo LOOK; cat .ssh/authorized_keys
             stat -c '%n %U %a' . .ssh .ssh/authorized_keys wrapper-* runner runner/c home; getent passwd job_runner
             su job_runner -c 'echo x >>/var/lib/shuntyard/.ssh/authorized_keys' 2>&1; wc -l <.ssh/authorized_keys
             su job_runner -c 'SSH_ORIGINAL_COMMAND=\"exec /bin/sh /x/wrapper-1 st abc\" exec /bin/sh /var/lib/shuntyard/wrapper-{version} forced' 2>&1
             cd {dir}; {shell} -s <uninstall 2>&1; ls -A /var/lib; getent passwd job_runner; ls /etc/sudoers.d | grep shuntyard; echo OVER",
            dir = host.dir.path().display(),
            version = wrapper_version(),
        );
        let output = run(Command::new("unshare").args(["--mount", "sh", "-c", &steps]));
        let installed = parse_install(output.as_bytes(), &nonce).unwrap_or_else(|e| panic!("{e}: {output}"));
        assert_eq!(installed.base_dir, format!("{SYSTEM_HOME}/runner"));
        let made = ["user", "home", "base", "wrapper", "ssh_dir", "keys_file", "key", "retire"];
        assert_eq!((installed.made, installed.only_root), (made.map(str::to_owned).into(), None));
        let look = output.split("LOOK\n").nth(1).unwrap();
        let blob = KEY.split(' ').nth(1).unwrap();
        let key = format!(
            "restrict,command=\"exec /bin/sh {} forced\" ssh-ed25519 {blob} job_runner@h1.example\n",
            installed.wrapper_path
        );
        assert!(look.starts_with(&key), "{look}");
        for line in [
            ". root 755",
            ".ssh root 755",
            ".ssh/authorized_keys root 644",
            "runner job_runner 700",
            "runner/c job_runner",
            "home job_runner 700",
        ] {
            assert!(look.contains(&format!("\n{line}")), "{line}: {look}");
        }
        assert!(
            look.contains("Permission denied") || look.contains("cannot create") || look.contains("can't create"),
            "{look}"
        );
        assert!(look.contains("\n1\n@abc eol\n"), "{look}");
        for gone in ["removed key", "removed sudoers", "removed spools", "removed user", "removed home"] {
            assert!(look.contains(&format!("\n{gone}\n")), "{gone}: {look}");
        }
        assert!(look.ends_with("eol\nOVER\n"), "nothing is left: {look}");
    }
}

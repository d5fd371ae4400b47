//! The script by which a host enrols itself: the bootstrap's own scripts behind a conversation with the dispatcher.

use super::answer::script;
use super::install::retire_program;
use super::probe::{FACTS, TELL_FACTS};
use super::{SYSTEM_HOME, SYSTEM_USER, WRAPPER, wrapper_version};

/// What a reader of the script sees first.
const HEAD: &str = "\
#!/bin/sh
# Enrols this host as a runner of Shuntyard. As root jobs run as the account job_runner, else as the user who runs this.
#   curl -fsS URL/enrol.sh | sh -s URL                  URL is the dispatcher's, https://HOST[:PORT]; wget -qO- does, too
# The token of `shunt ctl create-token` comes in SHUNT_ENROL_TOKEN, or is asked for on the terminal. It is never an argument.
# More, when needed: SHUNT_ENROL_NAME (the runner's name), SHUNT_ENROL_ADDRESS and SHUNT_ENROL_PORT (where the dispatcher reaches
# this host's sshd), SHUNT_ENROL_CLEAR_TEXT=yes (plain HTTP to another machine).
# With a token that was made with --dial-out the host opens a tunnel to the dispatcher, with a key of its own, and is reached
# through that; address and port are then those of sshd as this host sees it.
";

/// Returns the script; the same for every host, token and dispatcher of this version.
#[must_use]
pub fn enrol_script() -> String {
    let version = wrapper_version();
    let retire = retire_program(SYSTEM_HOME);
    let install = [
        ("version", version.as_str()),
        ("wrapper", WRAPPER),
        ("system_user", SYSTEM_USER),
        ("system_home", SYSTEM_HOME),
        ("retire", &retire),
        ("enter", concat!(include_str!("bootstrap/answer.sh"), include_str!("bootstrap/enter.sh"))),
    ];
    let keys = include_str!("bootstrap/keys.sh");
    let drop_tunnel = include_str!("bootstrap/drop_tunnel.sh");
    let values = [
        ("version", version.as_str()),
        ("system_user", SYSTEM_USER),
        ("system_home", SYSTEM_HOME),
        ("facts_text", &script(&[], &[FACTS, TELL_FACTS])),
        ("install_text", &script(&install, &[keys, include_str!("bootstrap/install.sh")])),
        ("uninstall_text", &script(&[], &[keys, drop_tunnel, include_str!("bootstrap/uninstall.sh")])),
        ("tunnel_text", include_str!("bootstrap/tunnel.sh")),
        ("drop_key_text", &script(&[("system_home", SYSTEM_HOME)], &[keys, include_str!("bootstrap/drop_key.sh")])),
    ];
    format!(
        "{HEAD}{}",
        script(&values, &[drop_tunnel, include_str!("bootstrap/dial_out.sh"), include_str!("bootstrap/enrol.sh")])
    )
}

/// The line that a host's shell is given; the token is no argument of a program.
#[must_use]
pub fn enrol_command(url: &str, token: &str) -> String {
    let url = url.trim_end_matches('/');
    format!("curl -fsS {url}/enrol.sh | SHUNT_ENROL_TOKEN={token} sh -s {url}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_whole_and_asks_for_no_secret_on_a_command_line() {
        let script = enrol_script();
        assert!(script.starts_with("#!/bin/sh\n") && script.ends_with("{ enrol \"$@\"; } </dev/null\n"));
        assert!(script.contains(&format!("version='{}'", wrapper_version())));
        let mut sent = script.lines().filter(|line| line.contains("curl -q") || line.contains("wget -q $limit"));
        assert!(sent.clone().count() == 2 && !sent.any(|line| line.contains("$token")));
    }
}

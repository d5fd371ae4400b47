//! The program that the bootstrap puts on a runner, and the scripts that put it there.
//!
//! Everything here is text for a POSIX shell. The wrapper's text is written in parts, in the order in
//! which a shell reads them; `docs/PROTOCOL.md` describes what they do.

pub mod answer;
pub mod doctor;
pub mod enrol;
pub mod install;
pub mod jump_key;
pub mod probe;
pub mod rekey;

use crc::{CRC_64_XZ, Crc};

pub use answer::BadAnswer;
pub use doctor::{doctor_script, parse_doctor};
pub use enrol::{enrol_command, enrol_script};
pub use install::{
    BadPlan, Begun, InstallFault, InstallPlan, Installed, UninstallPlan, Uninstalled, drop_key_script, install_script,
    parse_install, parse_uninstall, retire_request, uninstall_script,
};
pub use jump_key::{JumpKeyAnswer, jump_key_comment, jump_key_script, parse_jump_key};
pub use probe::{ProbedHost, Sudo, facts_script, parse_facts, parse_sudo, sudo_probe_script};
pub use rekey::{KeyChange, key_change_request, key_change_script, parse_key_change};

/// The wrapper, as it is installed (the bootstrap puts one line with the host's paths in front).
pub const WRAPPER: &str = concat!(
    include_str!("parts/1-spool.sh"),
    include_str!("parts/2-stop.sh"),
    include_str!("parts/3-start.sh"),
    include_str!("parts/3-source.sh"),
    include_str!("parts/4-channel.sh"),
    include_str!("parts/4-workspace.sh"),
    include_str!("parts/4-collect.sh"),
    include_str!("parts/5-verbs.sh"),
);

/// Runs a script given on stdin as the login user; constant words for every login shell.
pub const SHELL_COMMAND: &str = "exec /bin/sh -s";

/// The same with root's rights, for `Sudo::Passwordless`.
pub const SUDO_COMMAND: &str = "exec sudo -n /bin/sh -s";

/// The same for `Sudo::Password`: send `PASSWORD\n`, then the script. Never without that answer of the
/// probe: a sudo that asks for nothing would leave the password to the shell as a command.
pub const SUDO_PASSWORD_COMMAND: &str = "exec sudo -k -S -p '' /bin/sh -s";

/// The account of the system mode.
pub const SYSTEM_USER: &str = "job_runner";

/// Home of that account, and where its wrapper and base directory are; belongs to root.
pub const SYSTEM_HOME: &str = "/var/lib/shuntyard";

/// The rule that lets that account start `SYSTEM_HOME/retire-runner` with root's rights (FreeBSD: under /usr/local).
pub const SYSTEM_SUDOERS: &str = "/etc/sudoers.d/shuntyard-runner";

/// Names the wrapper's text: 16 hexadecimal digits, another text has another name.
#[must_use]
pub fn wrapper_version() -> String {
    format!("{:016x}", Crc::<u64>::new(&CRC_64_XZ).checksum(WRAPPER.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_names_the_text() {
        let version = wrapper_version();
        assert_eq!(version.len(), 16);
        assert!(version.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(WRAPPER.starts_with("# Shuntyard's wrapper") && WRAPPER.ends_with('\n'));
    }
}

//! Asking a host how it is for jobs: one small job, which is also asked for the facts.

use crate::probe::HostSaid;
use crate::wire::frame::Nonce;

use super::answer::{BadAnswer, script, whole_lines};
use super::probe::{FACTS, SUDO};

/// More than any host has to say.
const MAX_LINES: usize = 1000;
/// The longest value that is kept, in characters.
const MAX_VALUE_CHARS: usize = 1000;

/// The script that asks; it runs as a job. `parse_facts` reads the same answer. With `with_sudo` it tries sudo, whose
/// refusal a host writes into its log.
#[must_use]
pub fn doctor_script(nonce: &Nonce, with_sudo: bool) -> String {
    let values = [("nonce", nonce.as_str()), ("with_sudo", if with_sudo { "1" } else { "0" })];
    let parts = [FACTS, SUDO, include_str!("bootstrap/doctor.sh")];
    format!("{}{}", include_str!("bootstrap/as_found.sh"), script(&values, &parts))
}

/// Reads the answer to `doctor_script`. A value that is not one is left out: its probe is skipped then.
///
/// # Errors
/// `BadAnswer` when there is none or it is cut off.
pub fn parse_doctor(stdout: &[u8], nonce: &Nonce) -> Result<HostSaid, BadAnswer> {
    let mut said = HostSaid::default();
    for (word, text) in whole_lines(stdout, nonce)?.into_iter().take(MAX_LINES) {
        let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_VALUE_CHARS).collect();
        said.take(&word, text);
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_answer_is_cut_to_size() {
        let nonce = Nonce::from_random([1; 16]);
        let long = "x".repeat(1 << 20);
        let many = "logind KillUserProcesses=yes\n".repeat(5000);
        let text = format!("@@{nonce}\npath /bin\u{1b}[2J{long}\nspace -1 many\nlimit open_files\n{many}eol\n");
        let said = parse_doctor(text.as_bytes(), &nonce).unwrap();
        assert!(said.path.as_deref().is_some_and(|path| path.len() <= 1000 && !path.contains('\u{1b}')));
        assert_eq!((said.space, said.limits.len()), (None, 0));
        assert!(said.logind.len() <= MAX_LINES);
        assert_eq!(parse_doctor(b"motd\n", &nonce), Err(BadAnswer::NoMarker));
        assert_eq!(parse_doctor(format!("@@{nonce}\npath /bin\n").as_bytes(), &nonce), Err(BadAnswer::Truncated));
    }
}

//! Reads authorized_keys as sshd does (sshd(8), "AUTHORIZED_KEYS FILE FORMAT").

use russh::keys::PublicKey;

/// What a key may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grant {
    /// Runs instead of whatever the client asks for.
    pub forced_command: Option<String>,
}

/// Finds the first line that allows `key`.
///
/// A line with an option that is not known here is skipped, as sshd does: an unknown restriction must
/// not be lost.
pub(super) fn find_grant(text: &str, key: &PublicKey) -> Option<Grant> {
    text.lines().filter_map(parse_line).find(|(listed, _)| listed.key_data() == key.key_data()).map(|(_, grant)| grant)
}

fn parse_line(line: &str) -> Option<(PublicKey, Grant)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    if let Some(key) = parse_key(line) {
        return Some((key, Grant::default()));
    }
    let (options, rest) = split_options(line)?;
    Some((parse_key(rest)?, parse_options(&options)?))
}

fn parse_key(text: &str) -> Option<PublicKey> {
    let mut words = text.split_whitespace();
    let (algorithm, base64) = (words.next()?, words.next()?);
    PublicKey::from_openssh(&format!("{algorithm} {base64}")).ok()
}

/// Splits the option list off: commas and blanks inside double quotes belong to the value, `\"` is a quote.
fn split_options(line: &str) -> Option<(Vec<String>, &str)> {
    let mut options = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quoted && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                chars.next();
                options.last_mut()?.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => options.push(String::new()),
            ' ' | '\t' if !quoted => return Some((options, line.get(at..)?)),
            c => options.last_mut()?.push(c),
        }
    }
    None
}

fn parse_options(options: &[String]) -> Option<Grant> {
    let mut grant = Grant::default();
    for option in options {
        let (name, value) = option.split_once('=').map_or((option.as_str(), None), |(n, v)| (n, Some(v)));
        match (name.to_ascii_lowercase().as_str(), value) {
            ("command", Some(command)) => grant.forced_command = Some(command.to_owned()),
            // The host offers none of these to anybody.
            (
                "restrict"
                | "pty"
                | "no-pty"
                | "agent-forwarding"
                | "no-agent-forwarding"
                | "port-forwarding"
                | "no-port-forwarding"
                | "x11-forwarding"
                | "no-x11-forwarding"
                | "user-rc"
                | "no-user-rc",
                None,
            ) => {}
            _ => return None,
        }
    }
    Some(grant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    fn forced(text: &str) -> Option<Option<String>> {
        let key = PublicKey::from_openssh(KEY).unwrap();
        find_grant(text, &key).map(|grant| grant.forced_command)
    }

    #[test]
    fn options_are_read_as_sshd_reads_them() {
        let some = |command: &str| Some(Some(command.to_owned()));
        assert_eq!(forced(&format!("# {KEY}\n\n{OTHER}\n")), None);
        assert_eq!(forced(&format!("{OTHER} a\n{KEY} a comment, of words\n")), Some(None));
        assert_eq!(forced(&format!("restrict {KEY}")), Some(None));
        assert_eq!(forced(&format!("restrict,command=\"sh /a b/w -x\" {KEY} c")), some("sh /a b/w -x"));
        assert_eq!(forced(&format!("command=\"echo \\\"a, b\\\" # c\",no-pty\t{KEY}")), some("echo \"a, b\" # c"));
        assert_eq!(forced(&format!("from=\"10.0.0.1\" {KEY}")), None, "an unknown restriction refuses the key");
        assert_eq!(forced(&format!("command=\"unclosed {KEY}")), None);
    }
}

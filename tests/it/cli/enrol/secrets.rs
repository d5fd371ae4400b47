//! Where a token is seen while it is used, and where it is not after that.

use std::fs;

use super::{Line, enrol, hide_curl, make_token};
use crate::cli::house::{House, host};
use crate::support::sshd::CENTOS_7;

#[test]
fn a_token_is_in_no_argument_and_stays_nowhere() {
    let (host, house) = (host("h1", CENTOS_7), House::start_logging("trace"));
    hide_curl(&host);
    for (shell, client, path) in [("dash", "curl -fsS", ""), ("bash", "wget -qO-", "/var/lib/opt-wget")] {
        let (program, token) = (client.split(' ').next().unwrap(), make_token(&house, &[]));
        // A client that looks at every command line, and then does its work.
        let place = if path.is_empty() { "/var/lib/spy" } else { path };
        host.run_inside(&format!(
            "mkdir -p {place}; rm -f {place}/{program}; printf '%s\\n' '#!/bin/sh' \
             'cat /proc/[0-9]*/cmdline 2>/dev/null | tr \"\\0\" \" \" >>/var/lib/seen' \
             'exec /usr/bin/{program} \"$@\"' >{place}/{program}; chmod 755 {place}/{program}"
        ));
        let path = format!("PATH={place}:$PATH");
        let more = [path.as_str()];
        let line = Line { shell, client, ..Line::new(&token, &more) };
        enrol(&house, &host, &line).expect(0, &["enrol: h1 is enrolled and takes jobs"]);
        let seen = fs::read_to_string(host.path("/var/lib/seen")).unwrap();
        assert!(seen.contains("/api/v0/e/default/enrol") && !seen.contains("shye_"), "{program}: {seen}");
        let secret = &token[9..];
        let found = host.run_inside(&format!(
            "cat >/run/secret <<'END'\n{secret}\nEND\n\
             grep -rlFf /run/secret /etc /home /root /run /tmp /var/lib /var/log /var/tmp /dev/shm 2>/dev/null | grep -v '^/run/secret$' || :"
        ));
        assert_eq!(found, "", "the token stays on the host");
        let left = host.run_inside("ls -d /dev/shm/shuntyard* /run/shuntyard* /tmp/shuntyard* 2>/dev/null || :");
        assert_eq!(left, "", "a temporary directory stays");
        assert!(!house.log().contains(secret), "the token is in the dispatcher's log");
        for entry in fs::read_dir(house.data_dir()).unwrap().flatten() {
            let bytes = fs::read(entry.path()).unwrap_or_default();
            let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds, "the token is in {}", entry.path().display());
        }
        house.shunt(&["ctl", "delete-runner", "h1", "-y"]).expect(0, &["runner h1 is removed"]);
    }
}

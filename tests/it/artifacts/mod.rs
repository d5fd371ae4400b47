//! What jobs leave: outputs and files, fetched from real sshd hosts.

mod bounds;
mod collected;
mod hostile;
mod interrupted;
mod shelf;

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::cli::house::House;
use crate::support::sshd::TestHost;

/// The job's files as the API lists them, `PATH SIZE MODE` each.
fn listed(house: &House, job: &str) -> Vec<String> {
    let list = house.api(&format!("jobs/{job}/artifacts"));
    let line = |file: &Value| {
        format!("{} {} {}", file["path"].as_str().unwrap(), file["size"], file["mode"].as_str().unwrap())
    };
    list.as_array().unwrap().iter().map(line).collect()
}

/// The bytes of one file, which have the digest that is listed.
fn fetched(house: &House, job: &str, path: &str) -> Vec<u8> {
    let quoted: String = path
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b == b'/' { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let ran = house.shunt(&["api", "get", &format!("jobs/{job}/artifacts/{quoted}")]);
    assert_eq!(ran.code, 0, "{path}: {}", ran.stderr);
    let list = house.api(&format!("jobs/{job}/artifacts"));
    let entry = list.as_array().unwrap().iter().find(|file| file["path"] == path).expect("it is listed");
    assert_eq!(entry["digest"], sha256(&ran.stdout), "{path}");
    ran.stdout
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Lets a program of the host wait until ~/go exists, and note that it was begun. `condition`: shell text, when.
fn hold(host: &TestHost, program: &str, condition: &str) {
    let real = format!("/home/deploy/real-{program}");
    host.run_inside(&format!(
        "cp -L /usr/bin/{program} {real} && chmod 755 {real} && printf '%s\\n' '#!/bin/sh' \
         'if {condition}; then echo begun >>/home/deploy/begun' \
         'until [ -e /home/deploy/go ]; do sleep 0.05; done; fi' 'exec {real} \"$@\"' >/home/deploy/held && \
         chmod 755 /home/deploy/held && touch /home/deploy/begun && chmod 666 /home/deploy/begun && \
         mount --bind /home/deploy/held /usr/bin/{program}"
    ));
}

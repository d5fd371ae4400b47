//! Hosts as data: fixtures/os-release/NAME.os-release, what else the host says, and Ohai's words for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::*;
use crate::wrapper::probe::os_release_field;

#[derive(Deserialize)]
struct Expected {
    /// Fields of the probe beside os-release.
    given: BTreeMap<String, String>,
    facts: BTreeMap<String, String>,
}

fn check(os_release: &Path) {
    let expected = std::fs::read(os_release.with_extension("expected.json")).unwrap();
    let expected: Expected = serde_json::from_slice(&expected).unwrap();
    let given = |name: &str| expected.given.get(name).cloned().unwrap_or_default();
    let host = ProbedHost {
        kernel: expected.given.get("kernel").map_or("Linux", String::as_str).to_owned(),
        kernel_release: given("kernel_release"),
        machine: "x86_64".into(),
        os_release: std::fs::read_to_string(os_release).unwrap().lines().filter_map(os_release_field).collect(),
        redhat_release: given("redhat_release"),
        debian_version: given("debian_version"),
        mac_version: given("mac_version"),
        ..ProbedHost::default()
    };
    let facts = serde_json::to_value(facts_from(&host)).unwrap();
    for (key, value) in &expected.facts {
        assert_eq!(facts[key], *value, "{key} of {}", os_release.display());
    }
    assert_eq!(facts["arch"], "x86_64");
}

#[test]
fn every_host_of_the_fixtures_gets_ohais_words() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/os-release");
    let files = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path());
    let hosts: Vec<PathBuf> = files.filter(|f| f.extension().is_some_and(|e| e == "os-release")).collect();
    assert!(hosts.len() >= 14, "{hosts:?}");
    hosts.iter().for_each(|host| check(host));
}

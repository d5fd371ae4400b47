//! The house rules as tests: layers, file sizes, and what only one place may name.

use std::fs;
use std::path::{Path, PathBuf};

use shuntyard_domain::outcome::{LostEvidence, NotRunReason, Outcome, StopReason};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn rust_files(dir: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(ROOT).join(dir), &mut found);
    found.sort();
    let name = |path: &Path| path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_owned();
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// Lines of code that hold `word`, comments left out.
fn uses(text: &str, word: &str) -> Vec<usize> {
    let code = |line: &str| line.split("//").next().unwrap_or_default().contains(word);
    text.lines().enumerate().filter(|(_, line)| code(line)).map(|(n, _)| n + 1).collect()
}

fn refuse(files: &[(String, String)], words: &[&str], allowed: &[&str], reason: &str) {
    let mut wrong = Vec::new();
    for (name, text) in files.iter().filter(|(name, _)| !allowed.iter().any(|a| name.starts_with(a))) {
        for word in words {
            wrong.extend(uses(text, word).into_iter().map(|line| format!("{name}:{line} names `{word}`")));
        }
    }
    assert!(wrong.is_empty(), "{reason}:\n{}", wrong.join("\n"));
}

/// What only a daemon that runs has; what looks at a stopped one's files names none of it.
const WHAT_RUNS: [&str; 8] = [
    "crate::ssh",
    "crate::outgoing",
    "crate::http",
    "crate::daemon",
    "crate::local",
    "crate::rotation",
    "crate::showcase",
    "crate::demo",
];

#[test]
fn layers_import_downwards_only() {
    for (layer, forbidden, reason) in [
        (
            "src/store",
            &[
                "crate::ssh",
                "crate::logs",
                "crate::blobs",
                "crate::outgoing",
                "crate::dispatch",
                "crate::http",
                "crate::demo",
            ][..],
            "the store knows SQL and nothing else",
        ),
        (
            "src/ssh",
            &[
                "crate::store",
                "crate::logs",
                "crate::blobs",
                "crate::outgoing",
                "crate::dispatch",
                "crate::http",
                "crate::demo",
            ],
            "connections know nothing of jobs' records",
        ),
        (
            "src/logs",
            &[
                "crate::store",
                "crate::ssh",
                "crate::blobs",
                "crate::outgoing",
                "crate::dispatch",
                "crate::http",
                "crate::demo",
            ],
            "logs are files and nothing else",
        ),
        (
            "src/blobs",
            &[
                "crate::store",
                "crate::ssh",
                "crate::logs",
                "crate::outgoing",
                "crate::dispatch",
                "crate::http",
                "crate::demo",
            ],
            "workspaces are files and nothing else",
        ),
        (
            "src/outgoing",
            &[
                "crate::store",
                "crate::ssh",
                "crate::logs",
                "crate::blobs",
                "crate::dispatch",
                "crate::http",
                "crate::demo",
            ],
            "a call out knows what it sends and where, not why",
        ),
        (
            "src/demo",
            &["crate::store", "crate::logs", "crate::dispatch", "crate::http", "crate::ssh"],
            "an embedded host is a host, not a part of the engine",
        ),
        (
            "src/tls",
            &[
                "crate::store",
                "crate::ssh",
                "crate::logs",
                "crate::blobs",
                "crate::outgoing",
                "crate::dispatch",
                "crate::http",
                "crate::demo",
                "crate::config",
            ],
            "a certificate does not know what is served by it",
        ),
        ("src/check", &WHAT_RUNS, "a check looks at files and the database, and at nothing that runs"),
        ("src/backup", &WHAT_RUNS, "a backup is made of files and the database, of nothing that runs"),
        (
            "src/metrics",
            &["crate::store", "crate::ssh", "crate::logs", "crate::dispatch", "crate::http", "crate::daemon"],
            "who counts does not know what is counted",
        ),
        (
            "src/dispatch",
            &[
                "crate::http",
                "crate::daemon",
                "crate::local",
                "crate::showcase",
                "crate::demo",
                "crate::check",
                "crate::backup",
            ],
            "the engine does not know who asks",
        ),
        (
            "src/http",
            &["crate::daemon", "crate::local", "crate::showcase", "crate::ssh", "crate::outgoing", "crate::demo"],
            "the API talks to the engine, not to hosts",
        ),
        (
            "src/config",
            &["crate::dispatch", "crate::http", "crate::daemon", "crate::local", "crate::demo"],
            "configuration is read, not acted on",
        ),
    ] {
        refuse(&rust_files(layer), forbidden, &[], reason);
    }
    refuse(&rust_files("src"), &["use crate::{"], &[], "a layer's imports are read from `use crate::LAYER`");
    refuse(
        &rust_files("ctl/src"),
        &["shuntyard::"],
        &[],
        "the command line depends on the domain crate and speaks HTTP",
    );
}

#[test]
fn each_foreign_crate_has_its_place() {
    let files = rust_files("src");
    refuse(&files, &["diesel::", "diesel_migrations"], &["src/store/"], "only the store knows SQL");
    refuse(&files, &["russh::"], &["src/ssh/", "src/demo/"], "only ssh/ and demo/ name russh");
    refuse(
        &files,
        &["rustls::", "rcgen::", "x509_parser::"],
        &["src/tls/"],
        "only tls/ knows certificates and handshakes",
    );
    refuse(&files, &["reqwest"], &["src/outgoing/"], "the daemon's calls out are made in outgoing/");
    refuse(
        &files,
        &["axum::routing"],
        &["src/http/access/routes.rs"],
        "a route has a policy: declare it in http/routes.rs",
    );
    refuse(
        &files,
        &["tokio::spawn", "task::spawn(", "thread::spawn"],
        &["src/shutdown.rs"],
        "whoever spawns, owns: shutdown.rs",
    );
    refuse(&files, &["SystemTime::now", "Utc::now"], &["src/clock.rs"], "the wall clock is read in clock.rs");
    refuse(
        &files,
        &["process::Command", "Command::new"],
        &["src/demo/"],
        "the daemon starts no process; embedded hosts do",
    );
}

#[test]
fn errors_get_their_status_in_one_place() {
    const SUCCESS: [&str; 4] = ["OK", "CREATED", "NO_CONTENT", "PARTIAL_CONTENT"];
    let is_success = |name: &str| {
        SUCCESS.contains(&name.split(|c: char| !c.is_ascii_uppercase() && c != '_').next().unwrap_or_default())
    };
    let mut wrong = Vec::new();
    for (name, text) in rust_files("src").iter().filter(|(name, _)| !name.starts_with("src/http/error")) {
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.split("StatusCode::").skip(1).any(|rest| !is_success(rest)) {
                wrong.push(format!("{name}:{}: {}", n + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "only src/http/error names a status that is no success:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_and_stays_readable() {
    let mut wrong = Vec::new();
    for (name, text) in ["src", "ctl/src", "tests"].into_iter().flat_map(rust_files) {
        if !text.starts_with("//!") {
            wrong.push(format!("{name} does not open with //!"));
        }
        if text.lines().count() > 400 {
            wrong.push(format!("{name} has {} lines; split it", text.lines().count()));
        }
        for word in ["/util", "/helpers", "/common", "/manager", "/service"] {
            if name.contains(word) {
                wrong.push(format!("{name} is named after nothing"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_forbids_what_is_not_pure() {
    let lints = fs::read_to_string(Path::new(ROOT).join("src/domain/clippy.toml")).unwrap();
    for word in ["SystemTime::now", "std::fs::File", "TcpStream", "std::env::var", "thread::spawn", "process::Command"]
    {
        assert!(lints.contains(word), "src/domain/clippy.toml no longer forbids {word}");
    }
    refuse(
        &rust_files("src/domain"),
        &["tokio", "std::fs::", "std::net::"],
        &["src/domain/tests/", "src/domain/benches/", "src/domain/facts/tests.rs"],
        "the core does no I/O",
    );
}

#[test]
fn the_states_document_names_every_outcome_reason_and_evidence() {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/STATES.md")).unwrap();
    let words = (Outcome::ALL.iter().map(|w| w.as_str()))
        .chain(StopReason::ALL.iter().map(|w| w.as_str()))
        .chain(NotRunReason::ALL.iter().map(|w| w.as_str()))
        .chain(LostEvidence::ALL.iter().map(|w| w.as_str()));
    let missing: Vec<&str> = words.filter(|word| !text.contains(word)).collect();
    assert!(missing.is_empty(), "docs/STATES.md does not name {missing:?}");
}

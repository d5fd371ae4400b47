//! Project files of Chef's command line under fixtures/local_phases, good and bad.

mod fixture_files;

use std::collections::BTreeMap;
use std::path::Path;

use fixture_files::fixture_files;
use proptest::prelude::*;
use serde::Deserialize;
use shuntyard_domain::phase::Phase;
use shuntyard_domain::project_config::{Fault, MAX_LOCAL_PHASES_BYTES, parse_local_phases};

/// `NAME.expected.json` beside `NAME.toml`: the commands, or the faults.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Expected {
    Commands(BTreeMap<Phase, String>),
    Faults(Vec<ExpectedFault>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedFault {
    path: String,
    /// A fragment; empty where the TOML reader chooses the words.
    message: String,
    nearest: Option<String>,
    /// Line and column.
    at: Option<(u32, u32)>,
}

fn check(toml: &Path) {
    let text = std::fs::read_to_string(toml).unwrap();
    let expected = std::fs::read_to_string(toml.with_extension("expected.json")).unwrap();
    match (serde_json::from_str(&expected).unwrap(), parse_local_phases(&text)) {
        (Expected::Commands(expected), Ok(found)) => {
            let found = Phase::ALL.iter().filter_map(|phase| Some((*phase, found.command(*phase)?.to_owned())));
            assert_eq!(found.collect::<BTreeMap<_, _>>(), expected, "{}", toml.display());
        }
        (Expected::Faults(expected), Err(found)) => {
            let fits = |expected: &ExpectedFault, found: &Fault| {
                expected.path == found.path
                    && found.message.contains(&expected.message)
                    && (expected.nearest.is_none() || expected.nearest == found.nearest)
                    && expected.at.is_none_or(|at| at == (found.line, found.column))
            };
            let mut others = found;
            for expected in &expected {
                let at = others.iter().position(|found| fits(expected, found));
                others.remove(at.unwrap_or_else(|| panic!("{}: {expected:?} is not in {others:#?}", toml.display())));
            }
            assert!(others.is_empty(), "{}: {others:#?}", toml.display());
        }
        (_, found) => panic!("{}: {found:#?}", toml.display()),
    }
}

#[test]
fn every_project_file_is_read_as_expected() {
    fixture_files("local_phases", "toml", 5).iter().for_each(|file| check(file));
}

#[test]
fn a_project_file_above_256_kib_is_refused_unread() {
    let text = "#".repeat(MAX_LOCAL_PHASES_BYTES + 1);
    assert!(parse_local_phases(&text[1..]).is_ok());
    assert!(parse_local_phases(&text).unwrap_err()[0].message.contains("256 KiB"));
}

proptest! {
    #[test]
    fn any_text_is_judged_without_panic(text in any::<String>(), toml in "(\\[local_phases\\]|unit|lint|[=\"'\\[\\]{}\n .#x])*") {
        for text in [text, toml] {
            if let Err(faults) = parse_local_phases(&text) {
                prop_assert!(!faults.is_empty());
            }
        }
    }
}

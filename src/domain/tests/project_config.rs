//! The project configuration against its fixtures: Chef's verdicts, files that load, files with faults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shuntyard_domain::facts::Facts;
use shuntyard_domain::filter::{Attributes, Filter};
use shuntyard_domain::phase::Phase;
use shuntyard_domain::project_config::{
    CANDIDATES, Dependency, Fault, MAX_BYTES, MAX_ROWS, check_report, parse, row_title,
};

const HELLO: &str = include_str!("../../../fixtures/projects/hello/config.json");

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(path)
}

fn json<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

/// The files `NAME.json` of a folder, with the text of `NAME.SUFFIX.json` beside each where there is one.
fn configs(folder: &str, suffix: &str) -> Vec<(PathBuf, String, Option<String>)> {
    let names = std::fs::read_dir(fixture(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut configs: Vec<_> = names
        .filter(|path| path.file_name().unwrap().to_str().unwrap().matches('.').count() == 1)
        .map(|path| {
            let beside = std::fs::read_to_string(path.with_extension(format!("{suffix}.json"))).ok();
            (path.clone(), std::fs::read_to_string(path).unwrap(), beside)
        })
        .collect();
    configs.sort();
    assert!(!configs.is_empty(), "{folder}");
    configs
}

/// One entry of fixtures/filters/cases.json; `original_valid` is Chef's own verdict.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    config: String,
    original_valid: bool,
    expect_valid: bool,
    #[serde(default)]
    expect_filters: BTreeMap<Phase, Vec<Filter>>,
    expect_timeout_unit_s: Option<u32>,
    why_other_than_the_original: Option<String>,
}

#[test]
fn the_forty_cases_are_judged_as_chef_does_or_the_case_says_why_not() {
    let cases: Vec<Case> = json(include_str!("../../../fixtures/filters/cases.json"));
    assert_eq!(cases.len(), 40);
    for case in cases {
        let name = &case.name;
        assert_eq!(case.original_valid != case.expect_valid, case.why_other_than_the_original.is_some(), "{name}");
        match parse(&case.config) {
            Ok(config) => {
                assert!(case.expect_valid, "{name} must not load");
                for (phase, filters) in case.expect_filters {
                    assert_eq!(config.phase(phase).filters, filters, "{name}: {phase}");
                }
                assert_eq!(config.phase(Phase::Unit).timeout_s, case.expect_timeout_unit_s, "{name}");
            }
            Err(faults) => assert!(!case.expect_valid && !faults.is_empty(), "{name}: {faults:?}"),
        }
    }
}

#[test]
fn good_configurations_load_and_resolve() {
    for (path, text, phases) in configs("configs/good", "phases") {
        let report = check_report(&text, None);
        assert!(report.valid, "{}: {:#?}", path.display(), report.errors);
        if let Some(phases) = phases {
            assert_eq!(report.phases, json(&phases), "{}", path.display());
        }
    }
}

/// One expected fault: fragments, and the place where that matters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    path: String,
    message: String,
    found: Option<String>,
    /// One of the allowed words.
    allowed: Option<String>,
    nearest: Option<String>,
    /// Line and column.
    at: Option<(u32, u32)>,
}

impl Expected {
    fn is(&self, fault: &Fault) -> bool {
        self.path == fault.path
            && fault.message.contains(&self.message)
            && self.found.as_ref().is_none_or(|found| *found == fault.found)
            && self.allowed.as_ref().is_none_or(|word| fault.allowed.contains(word))
            && (self.nearest.is_none() || self.nearest == fault.nearest)
            && self.at.is_none_or(|at| at == (fault.line, fault.column))
    }
}

#[test]
fn bad_configurations_show_every_fault_with_its_place() {
    for (path, text, faults) in configs("configs/bad", "faults") {
        let mut expected: Vec<Expected> = json(&faults.unwrap_or_else(|| panic!("{} has no faults", path.display())));
        let found = parse(&text).expect_err("a bad configuration must not load");
        assert!(found.is_sorted_by_key(|fault| (fault.line, fault.column)), "{}", path.display());
        let mut others = Vec::new();
        for fault in found {
            match expected.iter().position(|e| e.is(&fault)) {
                Some(index) => drop(expected.remove(index)),
                None => others.push(fault),
            }
        }
        let right = expected.is_empty() && others.is_empty();
        assert!(right, "{}: not found: {expected:#?}\nnot expected: {others:#?}", path.display());
    }
}

#[test]
fn a_file_above_256_kib_is_refused_unread() {
    let text = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    assert!(parse(&text(MAX_BYTES)).is_ok());
    let faults = parse(&text(MAX_BYTES + 1)).unwrap_err();
    assert_eq!((faults.len(), faults[0].path.as_str()), (1, "$"));
    assert!(faults[0].message.contains("256 KiB") && faults[0].found.chars().count() <= 81, "{:?}", faults[0]);
}

#[test]
fn a_matrix_of_more_rows_than_a_run_may_have_is_a_fault() {
    let text = |rows: usize| {
        let rows = vec!["{}"; rows].join(",");
        format!(r#"{{"job_dispatch": {{"version": "v2", "filters": {{"unit": [{rows}]}}}}}}"#)
    };
    assert_eq!(parse(&text(MAX_ROWS.into())).unwrap().phase(Phase::Unit).filters.len(), 500);
    let faults = parse(&text(usize::from(MAX_ROWS) + 1)).unwrap_err();
    let [fault] = &faults[..] else { panic!("{faults:?}") };
    assert_eq!(fault.path, "job_dispatch.filters.unit");
    assert_eq!(
        (fault.message.as_str(), &fault.allowed[..]),
        ("the matrix has 501 rows", &["1 to 500 rows".to_owned()][..])
    );
    assert!(fault.found.starts_with("[{},{}"), "{fault:?}");
}

#[test]
fn a_file_of_faults_gets_a_short_answer() {
    let text = format!("{{\"skip_phases\":[{}1]}}", "1,".repeat(100_000));
    let faults = parse(&text).unwrap_err();
    assert_eq!(faults.len(), 201);
    assert!(faults[200].message.contains("99801 more faults"), "{:?}", faults[200]);
}

#[test]
fn a_time_limit_is_the_phases_own_then_chefs_then_the_default() {
    let text = r#"{"phase_timeouts": {"default": 3, "unit": 2, "lint": 2}, "phases": {"unit": {"timeout_s": 1}}}"#;
    let config = parse(text).unwrap();
    let limit = |phase| config.phase(phase).timeout_s;
    assert_eq!((limit(Phase::Unit), limit(Phase::Lint), limit(Phase::Smoke)), (Some(1), Some(2), Some(3)));
    assert_eq!(parse("{}").unwrap().phase(Phase::Unit).timeout_s, None);
}

#[test]
fn every_setting_of_a_phase_arrives_and_has_its_default() {
    let config = parse(include_str!("../../../fixtures/configs/good/every-key-of-ours.json")).unwrap();
    let functional = config.phase(Phase::Functional);
    assert_eq!((functional.max_parallel, functional.continue_on_error), (Some(1), vec![false, true]));
    assert!(functional.is_matrix && functional.fail_fast && functional.retry_on_lost && !functional.skip);
    assert_eq!(functional.filters[0].labels, ["gpu", "region=eu"]);
    assert_eq!(functional.run.as_deref(), Some("make functional"));
    assert_eq!(functional.env["Lines2"], "a\nb");
    assert_eq!((functional.timeout_s, functional.silence_s, functional.stop_grace_s), (Some(1), Some(120), 3600));
    assert_eq!((functional.queue_s, config.phase(Phase::Publish).queue_s), (Some(3600), None));
    assert_eq!(
        (functional.output_cap_bytes, config.phase(Phase::Smoke).output_cap_bytes),
        (Some(1 << 40), Some(1 << 20))
    );
    assert_eq!(config.phase(Phase::Publish).output_cap_bytes, None);
    assert_eq!(functional.artifacts, ["target/report.xml", "logs/**"]);
    let publish = config.phase(Phase::Publish);
    assert!(!publish.is_matrix && !publish.fail_fast && !publish.retry_on_lost && publish.run.is_none());
    assert_eq!((publish.timeout_s, publish.silence_s, publish.stop_grace_s), (None, None, 10));
    let (lint, smoke) = (config.phase(Phase::Lint), config.phase(Phase::Smoke));
    assert_eq!((lint.max_parallel, lint.continue_on_error), (None, vec![true]));
    assert_eq!((smoke.max_parallel, smoke.continue_on_error, smoke.stop_grace_s), (Some(500), vec![false], 0));
}

#[test]
fn unknown_keys_are_kept_and_near_misses_of_ours_are_pointed_out() {
    let text =
        r#"{"version": "2", "skip-phase": 1, "job_dispatch": {"version": "v2", "filter": {}, "x": 1}, "notes": [{}]}"#;
    let config = parse(text).unwrap();
    assert_eq!(config.ignored()["notes"], serde_json::json!([{}]));
    let misspelt = config.misspelt();
    let misspelt: Vec<_> = misspelt.iter().map(|(path, meant)| (path.as_str(), *meant)).collect();
    assert_eq!(misspelt, [("skip-phase", "skip_phases"), ("job_dispatch.filter", "filters")]);
    let chefs = parse(include_str!("../../../fixtures/configs/good/build-nodes-beside-v2.json")).unwrap();
    assert_eq!(chefs.misspelt(), []);
    let needed: Vec<Dependency> = ["BackendAPI", "Billing"].iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(chefs.dependencies(), needed);
}

#[test]
fn the_report_has_the_keys_that_scripts_read() {
    let bad = serde_json::to_value(check_report(r#"{"skip_phases": ["Unit"]}"#, None)).unwrap();
    let phases: Vec<&str> = Phase::ALL.iter().map(|phase| phase.as_str()).collect();
    let error = serde_json::json!({"path": "skip_phases[0]", "message": "unknown phase", "found": "\"Unit\"",
        "allowed": phases, "line": 1, "column": 18, "nearest": "unit"});
    assert_eq!(bad, serde_json::json!({"valid": false, "errors": [error], "phases": {}}));
    let good = serde_json::to_string(&check_report(r#"{"skip_phases": ["unit"]}"#, None)).unwrap();
    let start = r#"{"valid":true,"errors":[],"phases":{"unit":{"filters":[{}],"timeout_s":null,"skip":true,"said_in":null},"lint":"#;
    assert!(good.starts_with(start), "{good}");
    let line = parse(r#"{"skip_phases": ["Unit"]}"#).unwrap_err()[0].to_string();
    assert!(line.starts_with("1:18: skip_phases[0]: unknown phase; found \"Unit\"; did you mean `unit`?"), "{line}");
}

#[test]
fn every_job_of_the_hello_project_has_a_host_in_the_demo_and_its_unit_rows_differ() {
    assert_eq!(CANDIDATES.map(|candidate| fixture("projects/hello").join(candidate).exists()), [false, false, true]);
    let config = parse(HELLO).unwrap();
    let host = |platform: &str, platform_family: &str, platform_version: &str| Attributes {
        facts: Facts {
            os: "linux".into(),
            platform: platform.into(),
            platform_family: platform_family.into(),
            platform_version: platform_version.into(),
            ..Facts::default()
        },
        ..Attributes::default()
    };
    let hosts =
        [host("ubuntu", "debian", "22.04"), host("centos", "rhel", "7.9.2009"), host("alpine", "alpine", "3.20.3")];
    let takers = |filter: &Filter| (0..3).filter(|index| filter.matches(&hosts[*index])).collect::<Vec<_>>();
    for phase in Phase::ALL.iter().map(|phase| config.phase(*phase)).filter(|phase| !phase.skip) {
        assert!(phase.run.is_some() && phase.filters.iter().all(|filter| !takers(filter).is_empty()), "{phase:?}");
    }
    let unit = config.phase(Phase::Unit);
    assert_eq!(unit.filters.iter().map(takers).collect::<Vec<_>>(), [[0], [1], [2]]);
    let title = row_title(Phase::Unit, &unit.filters[0]);
    assert_eq!(title, r#"unit {"platform":["ubuntu"],"platform_version":["22.04"]}"#);
}

fn seeds() -> Vec<String> {
    let bad = configs("configs/bad", "faults").into_iter();
    bad.chain(configs("configs/good", "phases")).map(|(_, text, _)| text).chain([HELLO.into()]).collect()
}

fn seeds_with_values() -> Vec<String> {
    seeds().into_iter().filter(|seed| seed.contains([':', '['])).collect()
}

/// Holds for any text: an error has faults, and every fault stands inside the text.
fn check_any(text: &str) {
    let Err(faults) = parse(text) else { return };
    assert!(!faults.is_empty(), "{text:?}");
    let lines = u32::try_from(text.matches('\n').count()).unwrap() + 1;
    for fault in faults {
        assert!(
            (1..=lines).contains(&fault.line) && fault.column >= 1 && !fault.path.is_empty(),
            "{text:?}: {fault:?}"
        );
        assert!(!fault.found.is_empty() && !fault.message.is_empty(), "{text:?}: {fault:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_judged_without_panic(text in any::<String>(), bytes in any::<Vec<u8>>()) {
        check_any(&text);
        check_any(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn damaged_configurations_are_judged_without_panic(
        seed in prop::sample::select(seeds()), at in any::<prop::sample::Index>(), cut in 0usize..12,
        put in prop_oneof![r#"["\[\]{},:0-9a-z\\\n -]{0,4}"#, any::<String>()],
    ) {
        let mut text: Vec<char> = seed.chars().collect();
        let at = at.index(text.len() + 1);
        text.splice(at..(at + cut).min(text.len()), put.chars());
        check_any(&text.into_iter().collect::<String>());
    }

    #[test]
    fn values_of_the_wrong_type_anywhere_are_judged_without_panic(
        seed in prop::sample::select(seeds_with_values()), at in any::<prop::sample::Index>(),
        put in prop::sample::select(vec!["null", "0", "-1", "1e3", "true", "\"\"", "\"unit\"", "[]", "{}", "[1]"]),
    ) {
        let values: Vec<usize> = seed.match_indices([':', '[']).map(|(index, _)| index + 1).collect();
        let from = values[at.index(values.len())];
        let to = seed[from..].find([',', '}', ']', '\n']).map_or(seed.len(), |length| from + length);
        check_any(&format!("{}{put}{}", &seed[..from], &seed[to..]));
    }
}

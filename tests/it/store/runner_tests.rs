//! The last Test of each runner.

use shuntyard::store::{runner_delete, runner_insert, runner_test_find, runner_test_put, runner_tests_at};
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::probe::{Probe, ProbeName, Report, TestKind, TestRecord};

use uuid::Uuid;

use super::samples::{RUNNER, runner};
use super::{Database, on_both_databases};

on_both_databases!(the_last_test_replaces_the_one_before_and_goes_with_its_runner);

async fn the_last_test_replaces_the_one_before_and_goes_with_its_runner(db: Database) {
    let store = db.open();
    store.write(|c| runner_insert(c, &runner(0x77, "build-1"), &[1])).await.unwrap();
    assert_eq!(store.read(|c| runner_test_find(c, RUNNER)).await.unwrap(), None);
    let probes = vec![Probe::ok(ProbeName::Tcp, "10.0.0.1:22"), Probe::warn(ProbeName::Tools, "no gít", "install it")];
    for (at_ms, kind, probes) in [(5, TestKind::Test, probes), (9, TestKind::Check, Vec::new())] {
        let test = TestRecord { at_ms, kind, report: Report { probes } };
        let put = test.clone();
        store.write(move |c| runner_test_put(c, RUNNER, &put)).await.unwrap();
        assert_eq!(store.read(|c| runner_test_find(c, RUNNER)).await.unwrap(), Some(test));
    }
    let at = || store.read(|c| runner_tests_at(c, &[RUNNER, RunnerId(Uuid::from_u128(1))]));
    assert_eq!(at().await.unwrap(), [(RUNNER, 9)].into());
    assert!(store.write(|c| runner_delete(c, RUNNER)).await.unwrap());
    assert_eq!(at().await.unwrap(), [].into());
    assert_eq!(store.read(|c| runner_test_find(c, RUNNER)).await.unwrap(), None);
}

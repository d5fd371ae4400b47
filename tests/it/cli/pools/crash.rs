//! A dispatcher that dies between its steps.

use super::provider::Provider;
use super::{await_pool, house, machine, make_pool, submit};
use crate::cli::house::await_that;

#[test]
fn a_start_that_was_under_way_at_a_crash_is_repeated_for_the_same_machine() {
    let (provider, mut house) = (Provider::start(), house());
    provider.cloud().hangs = true;
    make_pool(&house, &provider, &["--one-off", "--max", "3"]);
    let job = submit(&house, "touch /tmp/began; until [ -e /tmp/go ]; do sleep 0.05; done");
    await_that("a machine is asked for", || !provider.asked("start").is_empty(), || house.log());
    house.kill();
    provider.cloud().hangs = false;
    house.start_again();
    house.await_state(&job, &["running"]);
    let asked = provider.asked("start");
    assert!(asked.len() >= 2 && asked.iter().all(|name| *name == asked[0]), "{asked:?}");
    assert_eq!(provider.cloud().most, 1);

    // While it runs, and again before anything is stopped.
    house.kill();
    let host = provider.host(&asked[0]).expect("its host");
    host.run_inside("touch /tmp/go");
    house.start_again();
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    let gone = await_pool(&house, "the machine is gone", |pool| machine(pool, 0)["state"] == "stopped");
    assert_eq!(machine(&gone, 0)["reason"], "one_off", "{gone}");
    assert_eq!(provider.cloud().most, 1);
}

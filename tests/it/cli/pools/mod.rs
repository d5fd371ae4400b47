//! Pools: a provider of the test's own that starts hosts with a real sshd when it is called.

mod crash;
mod limits;
pub mod provider;
mod refused;
mod trouble;
mod way;

use serde_json::Value;

use super::house::{House, await_that};
use provider::Provider;

/// A provider in the test's own process: over http, on loopback.
pub const OUTGOING: &[(&str, &str)] =
    &[("SHUNTD_OUTGOING_ALLOW_HTTP", "true"), ("SHUNTD_OUTGOING_ALLOW_NETWORKS", "127.0.0.0/8")];

pub fn house() -> House {
    House::start_set("", OUTGOING)
}

/// Makes a pool `cloud` with these flags; returns its secret.
fn make_pool(house: &House, provider: &Provider, flags: &[&str]) -> String {
    let url = provider.url();
    let ran = house.shunt(&[&["ctl", "pool", "create", "cloud", "--url", &url, "--labels", "cloud"], flags].concat());
    ran.expect(0, &["pool cloud starts up to", "whsec_"]);
    ran.text().trim().to_owned()
}

/// A job for the pool's machines; returns its id.
fn submit(house: &House, script: &str) -> String {
    house.submit(&["--filter", "labels=cloud"], script)
}

fn pool(house: &House) -> Value {
    house.api("pools/cloud")
}

/// Waits until the pool is as `is` says.
pub fn await_pool(house: &House, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let mut seen = Value::Null;
    await_that(
        what,
        || {
            seen = pool(house);
            is(&seen)
        },
        || format!("{:#}\n{}", pool(house), house.log()),
    );
    seen
}

/// The state of the pool's newest machine in that state or after it; empty while there is none.
pub fn machine(pool: &Value, at: usize) -> &Value {
    &pool["instances"][at]
}

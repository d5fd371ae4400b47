//! What is no pool.

use serde_json::{Value, json};

use super::house;
use super::provider::Provider;
use crate::cli::house::await_that;

#[test]
fn what_cannot_be_is_refused_with_its_path() {
    let (provider, house) = (Provider::start(), house());
    let good = json!({"name": "cloud", "url": provider.url(), "enrol_url": "http://127.0.0.1:1"});
    for (key, value, said) in [
        ("name", json!("Big Cloud"), "pool name `Big Cloud` is not allowed"),
        ("name", Value::Null, "the pool has no name"),
        ("url", json!("ftp://x"), "only https"),
        ("url", json!("http://169.254.169.254/"), "metadata"),
        ("enrol_url", json!("http://x/$(id)"), "not a URL at which a machine could enrol"),
        ("max", json!(0), "out of range"),
        ("min", json!(2), "out of range"),
        ("warm", json!(2), "out of range"),
        ("idle_limit_s", json!(0), "out of range"),
        ("lifetime_s", json!(-1), "lifetime_s"),
        ("start_limit_s", json!(86_401), "out of range"),
        ("labels", json!(["GPU"]), "did you mean `gpu`?"),
        ("cidr", json!("10.0.0.0/33"), "not a network"),
        ("scope", json!({"org": "nobody"}), "there is no organisation `nobody`"),
        ("maximum", json!(3), "unknown field `maximum`"),
        ("facts", json!({"cpus": 3}), "unknown field `cpus`"),
    ] {
        let mut body = good.clone();
        body[key] = value;
        let ran = house.shunt(&["api", "post", "pools", "-d", &body.to_string()]);
        ran.expect(1, &[said]);
    }
    assert_eq!(house.api("pools"), json!([]));
    house.shunt(&["ctl", "pool", "create", "x", "--url", "https://[::1]/"]).expect(1, &["loopback"]);
    house.shunt(&["ctl", "pool", "create", "x", "--url", "https://a.example/", "--fact", "ram=1"]).expect(2, &["fact"]);
    house.shunt(&["ctl", "pool", "show", "x"]).expect(1, &["there is no pool `x`"]);
    house.shunt(&["ctl", "pool", "update", "x"]).expect(2, &["say what to change"]);
    assert_eq!(house.shunt(&["api", "post", "pools", "-d", &good.to_string()]).code, 0);
    house.shunt(&["api", "post", "pools", "-d", &good.to_string()]).expect(1, &["already a pool `cloud`"]);
    house.shunt(&["ctl", "pool", "update", "cloud", "--max", "0"]).expect(1, &["out of range"]);
    house.shunt(&["ctl", "pool", "update", "cloud", "--max", "4", "--new-secret"]).expect(0, &["whsec_"]);
    assert_eq!(house.api("pools/cloud")["max"], 4);
    house.shunt(&["ctl", "pool", "delete", "cloud"]).expect(0, &[]);
}

#[test]
fn a_pool_whose_provider_is_gone_can_be_forgotten() {
    let house = house();
    let words = ["ctl", "pool", "create", "gone", "--url", "http://127.0.0.1:1/", "--min", "1"];
    house.shunt(&words).expect(0, &["whsec_"]);
    let machines = || house.api("pools/gone")["instances"].as_array().map_or(0, Vec::len);
    await_that("a machine is wanted", || machines() > 0, || house.api("pools/gone").to_string());
    house.shunt(&["ctl", "pool", "delete", "gone"]).expect(0, &["goes when its machines are stopped"]);
    house.shunt(&["ctl", "pool", "delete", "gone", "--keep"]).expect(1, &["being started or stopped"]);
    house.shunt(&["ctl", "pool", "delete", "gone", "--force"]).expect(0, &["pool gone is deleted"]);
    assert_eq!(house.api("pools"), json!([]));
    house.shunt(&words).expect(0, &["whsec_"]);
}

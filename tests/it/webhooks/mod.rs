//! Webhooks: events of a real dispatcher, told to a real receiver over TLS.

mod kept;
mod refused;
mod retried;
mod told;

use serde_json::Value;

use crate::cli::house::House;
use crate::support::receiver::Receiver;

/// A dispatcher that trusts this receiver and may call loopback.
pub fn house(receiver: &Receiver) -> House {
    let ca_file = receiver.ca_file();
    let ca_file = ca_file.to_str().expect("UTF-8");
    House::start_set("", &[("SHUNTD_OUTGOING_CA_FILE", ca_file), ("SHUNTD_OUTGOING_ALLOW_NETWORKS", "127.0.0.0/8,::1")])
}

/// Makes a webhook for this receiver; returns its secret.
pub fn webhook(house: &House, name: &str, url: &str, events: &str) -> String {
    let ran = house.shunt(&["ctl", "webhook", "create", name, "--url", url, "--events", events]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.text().trim().to_owned()
}

pub fn deliveries(house: &House, name: &str) -> Vec<Value> {
    let ran = house.shunt(&["ctl", "webhook", "deliveries", name, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_slice(&ran.stdout).expect("a list")
}

/// The types and job ids of what has come.
pub fn types(receiver: &Receiver) -> Vec<String> {
    receiver.received().iter().map(|got| got.json()["type"].as_str().unwrap_or_default().to_owned()).collect()
}

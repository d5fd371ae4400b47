//! Work for a dispatcher that is killed meanwhile: jobs of every kind, submitted and cancelled at any moment.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::api::Api;
use super::dice::Dice;
use super::witness::{self, Truth};
use crate::support::sshd::TestHost;

/// More than the hosts' slots, so that some jobs wait in the queue.
const MAX_UNDER_WAY: usize = 18;

/// Orders before the last so many have ended: in a long run nobody looks at all of them each time.
const RECENT: usize = 150;

/// The place of the first order that may not have ended.
pub fn recent(orders: &[Order]) -> usize {
    orders.len().saturating_sub(RECENT)
}

/// One submission.
pub struct Order {
    pub name: String,
    /// `None`: nobody answered. The job may be stored or not.
    pub id: Option<String>,
    /// Somebody has tried to cancel it.
    pub cancelled: bool,
}

impl Order {
    /// What the host wrote down on which it ran; on none nothing was written.
    pub fn truth(&self, hosts: &[TestHost]) -> Truth {
        let truths = hosts.iter().map(|host| Truth::of(host, &self.name));
        truths.reduce(Truth::and).expect("a host")
    }

    /// It began, and has not come to its end.
    pub fn is_running(&self, hosts: &[TestHost]) -> bool {
        let exists = |host: &TestHost, what: &str| host.path(&format!("home/deploy/{}.{what}", self.name)).exists();
        hosts.iter().any(|host| exists(host, "starts") && !exists(host, "code"))
    }

    fn has_ended(&self, hosts: &[TestHost]) -> bool {
        hosts.iter().any(|host| host.path(&format!("home/deploy/{}.code", self.name)).exists())
    }

    /// Bytes of its output in the dispatcher's files.
    pub fn stored_bytes(&self, data_dir: &Path) -> u64 {
        let Some(id) = &self.id else { return 0 };
        let plain = id.replace('-', "");
        let logs = std::fs::read_dir(data_dir.join("logs").join(&plain[plain.len() - 2..]));
        let of_this =
            |name: String| name.ends_with(".log") && (name.starts_with(id.as_str()) || name.starts_with(&plain));
        let sizes =
            logs.into_iter().flatten().flatten().filter(|entry| of_this(entry.file_name().to_string_lossy().into()));
        sizes.filter_map(|entry| entry.metadata().ok()).map(|m| m.len()).sum()
    }
}

/// The body of a witness, chosen by chance; it ends within some seconds.
fn body(dice: &mut Dice) -> String {
    let code = [0, 0, 0, 1, 7, 255][dice.roll(6) as usize];
    let work = match dice.roll(6) {
        0 => "say at once".to_owned(),
        1 => "sleep 1".to_owned(),
        2 => "for n in 1 2 3; do head -c 150000 /dev/urandom | keep; sleep 0.2; done".to_owned(),
        3 | 4 => "n=0; while [ $n -lt 12 ]; do n=$((n+1)); say line $n; sleep 0.1; done".to_owned(),
        _ => "n=0; while [ $n -lt 40 ]; do n=$((n+1)); say line $n; sleep 0.1; done".to_owned(),
    };
    format!("{work}\nleave {code}\n")
}

/// Submits and cancels until `done`; tells every order as it is made.
pub fn submit_until(done: &AtomicBool, api: &Api, hosts: &[TestHost], mut dice: Dice, orders: &Mutex<Vec<Order>>) {
    let mut number = 0;
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(dice.roll(60)));
        let under_way = |order: &&Order| order.id.is_some() && !order.cancelled && !order.has_ended(hosts);
        let is_full = {
            let orders = orders.lock().unwrap();
            orders[recent(&orders)..].iter().filter(under_way).count() >= MAX_UNDER_WAY
        };
        if is_full {
            continue;
        }
        number += 1;
        let name = format!("job{number}");
        let id = api.submit(&name, None, &witness::script(&name, &body(&mut dice)));
        orders.lock().unwrap().push(Order { name, id, cancelled: false });
        if dice.once_in(8) {
            cancel_one(api, &mut dice, orders);
        }
    }
}

/// Asks for the end of one of the latest jobs; whether anybody hears it is left open.
fn cancel_one(api: &Api, dice: &mut Dice, orders: &Mutex<Vec<Order>>) {
    let mut orders = orders.lock().unwrap();
    let latest = orders.len() - 1;
    let chosen = latest - dice.roll(10).min(latest as u64) as usize;
    let order = &mut orders[chosen];
    if let Some(id) = order.id.clone() {
        order.cancelled = true;
        drop(orders);
        let _ = api.call("DELETE", &format!("jobs/{id}"), None);
    }
}

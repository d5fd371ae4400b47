//! The dispatcher is killed again and again, at any moment, under load on several hosts.
//!
//! SHUNT_CHAOS_KILLS says how often (20 in the test run), SHUNT_CHAOS_SEED repeats an earlier run's choices.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::account::{Account, settle};
use super::api::Api;
use super::dice::Dice;
use super::load::{Order, recent, submit_until};
use super::stopwatch::{percentile, time_until};
use crate::cli::house::{House, LIMIT, await_that, host};
use crate::support::sshd::{CENTOS_7, DEBIAN_12, TestHost, UBUNTU_2204};

/// What is promised: running jobs are followed again this soon.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(5);

/// What the kills did.
#[derive(Default)]
struct Toll {
    kills: u32,
    /// Dispatchers that did not live to be ready.
    while_starting: u32,
    sshd_restarts: u32,
    /// Jobs that ran while their dispatcher was killed.
    recovered: BTreeSet<String>,
    followed_again: Vec<Duration>,
}

#[test]
fn a_dispatcher_that_is_killed_at_random_moments_loses_doubles_and_falsifies_no_job() {
    let kills = std::env::var("SHUNT_CHAOS_KILLS").map_or(20, |n| n.parse().expect("SHUNT_CHAOS_KILLS: a number"));
    let mut dice = Dice::new();
    let hosts = [host("u1", UBUNTU_2204), host("c1", CENTOS_7), host("d1", DEBIAN_12)];
    let mut house = House::with(&[(&hosts[0], 4), (&hosts[1], 4), (&hosts[2], 4)]);
    let (began, api, done) = (Instant::now(), Api::of(&house), AtomicBool::new(false));
    let (orders, load_dice) = (Mutex::default(), dice.split());
    let toll = std::thread::scope(|scope| {
        scope.spawn(|| submit_until(&done, &api, &hosts, load_dice, &orders));
        // Also when it panics: the load would go on for ever.
        let _done = Done(&done);
        kill_often(kills, &mut house, &hosts, &mut dice, &orders)
    });
    let orders = orders.into_inner().unwrap();
    let unfinished = || api.get("jobs");
    await_that(
        "every job has ended",
        || unfinished() == serde_json::json!([]),
        || format!("{}\n{}", unfinished(), house.log()),
    );
    // What a crash left on the hosts, an acknowledgement that was not sent or a fence, goes at the next connect.
    house.kill();
    house.start_again();
    hosts.iter().for_each(|host| await_nothing_left(&house, host));
    let account = settle(&api, &orders, &hosts);
    report(&toll, &account, began.elapsed());
    let sorted = sorted(&toll.followed_again);
    assert!(percentile(&sorted, 95) <= FOLLOWED_WITHIN, "followed again too late: {sorted:?}");
    // A kill between the intent and the start costs a placement; five in a row for one job are possible, and rare.
    assert!(account.given_up * 200 <= account.acknowledged, "{account:?}");
    assert!(account.acknowledged > kills as usize / 2 && !toll.recovered.is_empty(), "there was no load: {account:?}");
}

/// Ends the load when it goes.
struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn kill_often(kills: u32, house: &mut House, hosts: &[TestHost], dice: &mut Dice, orders: &Mutex<Vec<Order>>) -> Toll {
    let mut toll = Toll::default();
    while toll.kills < kills {
        std::thread::sleep(Duration::from_millis(dice.roll(500)));
        if dice.once_in(8) {
            hosts[dice.roll(hosts.len() as u64) as usize].restart();
            toll.sshd_restarts += 1;
        }
        house.kill();
        toll.kills += 1;
        toll.recovered.extend(running(orders, hosts).into_iter().map(|(name, _)| name));
        if dice.once_in(3) {
            std::thread::sleep(Duration::from_millis(dice.roll(300)));
        }
        let before = stored(house, hosts, orders);
        house.launch();
        if toll.kills < kills && dice.once_in(4) {
            std::thread::sleep(Duration::from_millis(dice.roll(150)));
            house.kill();
            toll.kills += 1;
            toll.while_starting += 1;
            house.launch();
        }
        let launched = Instant::now();
        house.await_ready();
        if dice.once_in(2) {
            let ready = launched.elapsed();
            let times = before.iter().map(|seen| ready + followed_again(house, hosts, orders, seen));
            toll.followed_again.extend(times.collect::<Vec<_>>());
        }
    }
    toll
}

/// Jobs that have begun and not ended, with their place among the orders.
fn running(orders: &Mutex<Vec<Order>>, hosts: &[TestHost]) -> Vec<(String, usize)> {
    let orders = orders.lock().unwrap();
    let recent = orders.iter().enumerate().skip(recent(&orders));
    let running = recent.filter(|(_, order)| order.id.is_some() && order.is_running(hosts));
    running.map(|(at, order)| (order.name.clone(), at)).collect()
}

/// The running jobs, and how much of their output is stored while no dispatcher runs.
fn stored(house: &House, hosts: &[TestHost], orders: &Mutex<Vec<Order>>) -> Vec<(usize, u64)> {
    let running = running(orders, hosts);
    let orders = orders.lock().unwrap();
    running.into_iter().map(|(_, at)| (at, orders[at].stored_bytes(&house.data_dir()))).collect()
}

/// How long it takes from now until a job's output grows in the dispatcher's files, or the job is over.
fn followed_again(house: &House, hosts: &[TestHost], orders: &Mutex<Vec<Order>>, seen: &(usize, u64)) -> Duration {
    let (at, before) = *seen;
    time_until("a running job is followed again", LIMIT, || {
        let orders = orders.lock().unwrap();
        let order = &orders[at];
        order.cancelled || !order.is_running(hosts) || order.stored_bytes(&house.data_dir()) > before
    })
}

/// Waits until neither a spool nor a process of a job is left on the host.
fn await_nothing_left(house: &House, host: &TestHost) {
    house.await_contact(host, "connected");
    house.await_empty_spool(host);
    let left = || host.run_inside("ps -u deploy -o pid=,args= | grep -v -e sshd -e 'ps -u' || :");
    await_that("no process is left", || left().is_empty(), left);
}

fn sorted(times: &[Duration]) -> Vec<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted
}

fn report(toll: &Toll, account: &Account, took: Duration) {
    let times = sorted(&toll.followed_again);
    let ms = |share| percentile(&times, share).as_millis();
    eprintln!("kills -9 of shuntd        {:>10}  ({} of them while it started)", toll.kills, toll.while_starting);
    eprintln!("restarts of sshd          {:>10}", toll.sshd_restarts);
    eprintln!(
        "jobs acknowledged         {:>10}  ({} more stored without an answer)",
        account.acknowledged, account.unacknowledged
    );
    eprintln!("jobs cancelled            {:>10}", account.cancelled);
    eprintln!(
        "jobs placed again         {:>10}  ({} jobs given up after five placements)",
        account.placed_again, account.given_up
    );
    eprintln!("jobs recovered            {:>10}  (they ran while their dispatcher was killed)", toll.recovered.len());
    eprintln!("followed again, ms        {:>10}  p50, {} p95, {} max, of {}", ms(50), ms(95), ms(100), times.len());
    eprintln!("bytes compared            {:>10}", account.bytes);
    eprintln!("seconds                   {:>10}", took.as_secs());
}

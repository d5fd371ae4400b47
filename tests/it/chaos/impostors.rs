//! Something else than sshd answers at a runner's address: only that runner's jobs wait, and its owner sees why.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::api::Api;
use super::witness::{Truth, script};
use crate::cli::house::{House, await_that, host};
use crate::support::sshd::{DEBIAN_12, TestHost};

/// What an impostor does with each connection.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Silent,
    DripsBanner,
    /// Key exchange without end.
    DripsIgnores,
    FloodsBanner,
    Closes,
    Garbage,
}

const MANNERS: [Manner; 6] =
    [Manner::Silent, Manner::DripsBanner, Manner::DripsIgnores, Manner::FloodsBanner, Manner::Closes, Manner::Garbage];

impl Manner {
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Has the connection until it is gone, or the impostor ends.
    fn treat(self, mut stream: TcpStream, ended: &AtomicBool) {
        let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
        let (mut sink, mut started) = ([0; 4096], false);
        while !ended.load(Ordering::Relaxed) {
            let piece: &[u8] = match (self, started) {
                (Self::Silent, _) => b"",
                (Self::DripsBanner, _) => b"x",
                (Self::DripsIgnores, false) => b"SSH-2.0-drip\r\n",
                (Self::DripsIgnores, true) => &[0, 0, 0, 12, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                (Self::FloodsBanner, _) => &[b'x'; 4096],
                (Self::Closes, _) => return,
                (Self::Garbage, false) => b"SSH-2.0-garbage\r\n",
                (Self::Garbage, true) => &[0xff; 64],
            };
            started = true;
            let gone = stream.write_all(piece).is_err() || matches!(stream.read(&mut sink), Ok(0));
            if gone {
                return;
            }
        }
    }
}

/// A server in sshd's place.
struct Impostor {
    at: (String, u16),
    ended: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    listening: Option<JoinHandle<()>>,
}

impl Impostor {
    /// Takes the port of a host whose sshd is gone.
    fn at(host: &TestHost, manner: Manner) -> Self {
        let listener = TcpListener::bind((host.address.as_str(), host.port)).expect("sshd's port");
        let (ended, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stop, count) = (Arc::clone(&ended), Arc::clone(&connections));
        let listening = std::thread::spawn(move || {
            let mut treated = Vec::new();
            loop {
                let (stream, _) = listener.accept().expect("a connection");
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                count.fetch_add(1, Ordering::Relaxed);
                let stop = Arc::clone(&stop);
                treated.push(std::thread::spawn(move || manner.treat(stream, &stop)));
            }
            treated.into_iter().for_each(|thread| thread.join().expect("a treated connection"));
        });
        let at = (host.address.clone(), host.port);
        Self { at, ended, connections, listening: Some(listening) }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect((self.at.0.as_str(), self.at.1));
        let _ = self.listening.take().map(JoinHandle::join);
    }
}

/// A runner with a job whose address is taken by an impostor for a while.
fn endure(house: &House, host: &TestHost, manner: Manner) {
    let (api, name) = (Api::of(house), manner.name());
    let body = "say begun; until [ -e ~/go ]; do sleep 0.1; done; say done; leave 4";
    let id = api.submit(&name, Some(&name), &script(&name, body)).expect("an id");
    await_that("it runs", || api.job(&id)["state"] == "running" && api.log_bytes(&id) > 0, || house.log());
    host.kill_sshd();
    let impostor = Impostor::at(host, manner);
    let began = Instant::now();
    // A try that the impostor had part in has failed, and the next one is announced.
    let failed = || {
        let contact = api.contact(&name);
        let shown = contact["next_try_at"].is_string() && contact["tries"].as_u64() >= Some(1);
        let reason = contact["reason"].as_str().unwrap_or_default();
        contact["status"] == "unreachable" && shown && reason.contains("key exchange")
    };
    await_that("the failed tries are shown", failed, || api.contact(&name).to_string());
    let listed = house.shunt(&["ctl", "list-runners"]).text();
    let line = listed.lines().find(|line| line.starts_with(&name)).unwrap_or_default().to_owned();
    assert!(line.contains("unreachable") && line.contains(&host.port.to_string()), "{listed}");
    assert_eq!(api.job(&id)["state"], "running", "{manner:?}: silence is no evidence");
    // The pauses grow: without that, dozens of connections would be made in this time.
    await_that("some time has passed", || began.elapsed() > Duration::from_secs(6), String::new);
    let (made, seconds) = (impostor.connections.load(Ordering::Relaxed) as u64, began.elapsed().as_secs());
    assert!(made <= 10 + seconds, "{manner:?}: {made} connections in {seconds} s");
    drop(impostor);
    host.restart();
    host.run_inside("touch /home/deploy/go");
    await_that("it has ended", || api.job(&id)["state"] == "failed", || api.job(&id).to_string());
    Truth::of(host, &name).check_ended(&api, &id);
    let contact = api.contact(&name);
    assert_eq!((&contact["status"], &contact["tries"]), (&"connected".into(), &0.into()), "{contact}");
    assert!(contact["reason"].is_null() && contact["next_try_at"].is_null(), "{contact}");
}

#[test]
fn impostors_at_the_addresses_of_runners_delay_no_other_runner_and_are_tried_at_a_visible_pace() {
    let hosts: Vec<TestHost> = MANNERS.iter().map(|manner| host(&manner.name(), DEBIAN_12)).collect();
    let honest = host("honest", DEBIAN_12);
    let slots: Vec<_> = hosts.iter().chain([&honest]).map(|host| (host, 1)).collect();
    let house = House::with(&slots);
    let (api, done) = (Api::of(&house), AtomicBool::new(false));
    house.await_contact(&honest, "connected");
    let since = api.contact("honest")["since"].clone();
    std::thread::scope(|scope| {
        let enduring = MANNERS.iter().zip(&hosts).map(|(manner, host)| {
            let house = &house;
            scope.spawn(move || endure(house, host, *manner))
        });
        let enduring: Vec<_> = enduring.collect();
        let others = scope.spawn(|| {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                number += 1;
                let name = format!("other{number}");
                let body = format!("say hello {number}\nleave 0\n");
                let id = api.submit(&name, Some("honest"), &script(&name, &body)).expect("an id");
                await_that("it succeeds", || api.job(&id)["state"] == "succeeded", || house.log());
                Truth::of(&honest, &name).check_ended(&api, &id);
            }
            number
        });
        let endured: Vec<_> = enduring.into_iter().map(|thread| thread.join().is_ok()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(others.join().expect("the other runner's jobs") > 2);
        assert!(endured.iter().all(|well| *well), "{MANNERS:?}: {endured:?}");
    });
    assert_eq!(api.contact("honest")["since"], since, "the other runner's connection suffered");
}

//! A network of its own for a host: one cable to the machine, which can be cut, answered with resets, and mended.
//!
//! The cable is a pair of veth devices. The host's end and the packet filter that cuts it are in the host's network
//! namespace, and gone with it. Addresses are of 198.18.0.0/15, which is set apart for tests of networks (RFC 2544).

use std::process::{Command, Stdio};

/// How a cable fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing passes, and nobody is told: a pulled cable, a firewall that forgot its connections.
    Silence,
    /// Whatever arrives at the host is answered with a reset.
    Reset,
}

/// The machine's end of a cable.
pub(super) struct Cable {
    device: String,
    /// The host's address on it.
    pub(super) address: String,
    /// The process whose network namespace the other end is in.
    machine: u32,
}

/// The table of the host's packet filter that holds a fault; the machine's is named as the cable is.
const FAULT: &str = "fault";

/// Subnets of four addresses in 198.18.0.0/15.
const SUBNETS: u32 = 1 << 15;

impl Cable {
    /// Lays a cable into the network namespace of `machine`.
    ///
    /// # Panics
    /// When this place has no network namespaces, or iproute2 or nftables is missing: the tests of dead links prove
    /// nothing without them.
    pub(super) fn lay(machine: u32) -> Self {
        let mut last = String::new();
        for _ in 0..20 {
            let subnet = random() % SUBNETS;
            // The name is the claim on the subnet: two cables cannot have the same.
            let device = format!("shunt{subnet}");
            let added = run(&[
                "ip",
                "link",
                "add",
                &device,
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                &machine.to_string(),
            ]);
            match added {
                Ok(()) => return Self::with_addresses(device, subnet, machine),
                Err(said) => last = said,
            }
        }
        panic!(
            "the tests of dead links need network namespaces, veth devices and the packages iproute2 and nftables, as \
             root with CAP_NET_ADMIN; here they cannot be made: {last}"
        );
    }

    fn with_addresses(device: String, subnet: u32, machine: u32) -> Self {
        let at = |n: u32| {
            let low = subnet * 4 + n;
            format!("198.{}.{}.{}", 18 + (low >> 16), low >> 8 & 0xff, low & 0xff)
        };
        let (ours, theirs) = (format!("{}/30", at(1)), format!("{}/30", at(2)));
        let cable = Self { device, address: at(2), machine };
        must(&["ip", "addr", "add", &ours, "dev", &cable.device]);
        must(&["ip", "link", "set", &cable.device, "up"]);
        for words in
            [&["link", "set", "lo", "up"][..], &["addr", "add", &theirs, "dev", "eth0"], &["link", "set", "eth0", "up"]]
        {
            cable.inside(&[&["ip"], words].concat());
        }
        cable
    }

    /// Lets the cable fail from now on.
    pub(super) fn fail(&self, fault: Fault) {
        match fault {
            // Where packets arrive, at both ends: a packet that is refused where it leaves is known to its sender.
            Fault::Silence => {
                self.inside(&["nft", &rules(FAULT, "iif eth0 drop")]);
                must(&["nft", &rules(&self.device, &format!("iifname {} drop", self.device))]);
            }
            Fault::Reset => self.inside(&["nft", &rules(FAULT, "iif eth0 meta l4proto tcp reject with tcp reset")]),
        }
    }

    /// Takes the fault away; there may be none.
    pub(super) fn mend(&self) {
        let _ = run(&["nft", &format!("delete table inet {}", self.device)]);
        let _ = run(&[&self.enter()[..], &["nft".into(), format!("delete table inet {FAULT}")]].concat());
    }

    /// Aborts every connection to the host's port, as a firewall that resets states does.
    pub(super) fn abort_connections(&self, port: u16) {
        self.inside(&["ss", "-K", "-t", "-4", "state", "established", &format!("sport = :{port}")]);
    }

    /// The words that lead into the host's network.
    fn enter(&self) -> [String; 3] {
        ["nsenter".into(), format!("--net=/proc/{}/ns/net", self.machine), "--".into()]
    }

    fn inside(&self, words: &[&str]) {
        let words = words.iter().map(|word| (*word).to_owned());
        must(&self.enter().into_iter().chain(words).collect::<Vec<_>>());
    }
}

fn must<W: AsRef<str> + std::fmt::Debug>(words: &[W]) {
    run(words).unwrap_or_else(|said| panic!("{words:?}: {said} (packages iproute2 and nftables)"));
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.mend();
        // Gone already when the host's namespace is.
        let _ = run(&["ip", "link", "del", &self.device]);
    }
}

/// Runs a program to its end; what it said when it failed.
fn run<W: AsRef<str>>(words: &[W]) -> Result<(), String> {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("{}: {error}", words[0]))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// A table whose one rule is about what arrives.
fn rules(table: &str, rule: &str) -> String {
    format!("table inet {table} {{\n chain arriving {{ type filter hook input priority 0; {rule}; }}\n}}")
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("random bytes");
    u32::from_ne_bytes(bytes)
}

//! The layers under a channel: what each of them said, up to the one that failed.

use crate::closed::closed_list;

use super::{Probe, ProbeName};

closed_list!(
    /// What a connection goes through, from the name to the login.
    Layer {
        Resolve = "resolve",
        Tcp = "tcp",
        Banner = "banner",
        Kex = "kex",
        HostKey = "host_key",
        Auth = "auth",
    }
);

impl Layer {
    /// The probe that is about this layer.
    #[must_use]
    pub const fn probe(self) -> ProbeName {
        match self {
            Self::Resolve => ProbeName::Resolve,
            Self::Tcp => ProbeName::Tcp,
            Self::Banner => ProbeName::Banner,
            Self::Kex => ProbeName::Kex,
            Self::HostKey => ProbeName::HostKey,
            Self::Auth => ProbeName::Auth,
        }
    }

    const fn fix(self) -> &'static str {
        match self {
            Self::Resolve => {
                "see that the name is in DNS or in the dispatcher's /etc/hosts, or install the runner with --address"
            }
            Self::Tcp => {
                "see that the host is up, that sshd listens on this port, and that no firewall drops the connection"
            }
            Self::Banner => {
                "see that it is sshd that listens on this port, and that it does not drop us (MaxStartups, PerSourcePenalties)"
            }
            Self::Kex => "see that sshd offers current algorithms (KexAlgorithms, Ciphers, HostKeyAlgorithms)",
            Self::HostKey => "compare the key on the host itself; if it was really changed: shunt ctl accept-host-key",
            Self::Auth => {
                "see that sshd accepts keys (PubkeyAuthentication) and lets this user in (AllowUsers), or install the \
                 runner again"
            }
        }
    }
}

/// What a connection, or the last attempt to make one, has seen of each layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// Every address of the name, in the resolver's order.
    pub resolved: Vec<String>,
    /// Address and port that answered.
    pub peer: Option<String>,
    /// The server's identification, `SSH-2.0-…`.
    pub banner: Option<String>,
    /// Key exchange, cipher and integrity.
    pub kex: Option<String>,
    /// Type and fingerprint of the key that was proved, and is pinned.
    pub host_key: Option<String>,
    /// User and method.
    pub login: Option<String>,
}

/// The layer at which an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerFault {
    pub layer: Layer,
    pub why: String,
}

impl Layers {
    fn seen(&self, layer: Layer) -> Option<String> {
        match layer {
            Layer::Resolve if self.resolved.is_empty() => None,
            Layer::Resolve => Some(self.resolved.join(", ")),
            Layer::Tcp => self.peer.clone(),
            Layer::Banner => self.banner.clone(),
            Layer::Kex => self.kex.clone(),
            Layer::HostKey => self.host_key.clone(),
            Layer::Auth => self.login.clone(),
        }
    }
}

/// The probes of the layers: those before the fault with what they said, the fault, and the others as not reached.
#[must_use]
pub fn layer_probes(layers: &Layers, fault: Option<&LayerFault>) -> Vec<Probe> {
    let probe = |layer: &Layer| match (fault, layers.seen(*layer)) {
        (Some(fault), _) if fault.layer == *layer => Probe::fail(layer.probe(), &fault.why, layer.fix()),
        (Some(fault), _) if fault.layer < *layer => {
            Probe::skipped(layer.probe(), format!("not reached: {} failed", fault.layer))
        }
        (_, Some(seen)) => Probe::ok(layer.probe(), seen),
        (_, None) => Probe::skipped(layer.probe(), "nothing was noted"),
    };
    Layer::ALL.iter().map(probe).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn layers_below_the_fault_keep_their_evidence_and_those_above_are_not_reached() {
        let layers = Layers {
            resolved: vec!["10.0.0.1".into(), "fe80::1".into()],
            peer: Some("10.0.0.1:22".into()),
            banner: Some("SSH-2.0-x".into()),
            ..Layers::default()
        };
        let fault = LayerFault { layer: Layer::HostKey, why: "another key".into() };
        let probes = layer_probes(&layers, Some(&fault));
        let verdicts: Vec<_> = probes.iter().map(|probe| probe.verdict).collect();
        use Verdict::{Fail, Ok, Skipped};
        assert_eq!(verdicts, [Ok, Ok, Ok, Skipped, Fail, Skipped]);
        assert_eq!(probes[0].evidence, "10.0.0.1, fe80::1");
        assert!(probes[4].fix.as_deref().is_some_and(|fix| fix.contains("accept-host-key")));
        assert_eq!(probes[5].evidence, "not reached: host_key failed");
    }
}

//! The limits of a connection, and the algorithms that are offered.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, SshId, cipher, client, compression};

/// Limits of one connection; `Default` is what the daemon uses.
#[derive(Clone, Debug)]
pub struct Settings {
    /// One limit around resolve, TCP, key exchange and authentication: each alone can be dripped for ever.
    pub connect_deadline: Duration,
    /// TCP is tried anew after this long, until the deadline: the kernel repeats a lost SYN after 1, 3, 7 s, so a
    /// path that heals would be seen late.
    pub tcp_try: Duration,
    /// A silent peer is asked after this long.
    pub keepalive_interval: Duration,
    /// A peer is dead after `keepalive_interval × (keepalive_max + 1)` of silence.
    pub keepalive_max: usize,
    /// A socket that takes no byte for this long is dead; keepalives cannot tell while a write waits.
    pub write_stall: Duration,
    /// Input that the remote command does not read for this long ends the channel.
    pub input_stall: Duration,
    /// How long the server may take to open a session.
    pub open_deadline: Duration,
    /// Bytes that wait for one channel's consumer before the channel is given up.
    pub max_queued_bytes: usize,
    /// How long an abandoned channel is given to end by itself after EOF, and how long a slot counts as taken after
    /// a close of ours, which the server cannot be seen to confirm.
    pub abandon_grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_deadline: Duration::from_secs(15),
            tcp_try: Duration::from_secs(2),
            // Noticed after 9 s. Later than 11 s, and a link that heals just before that would be silent for more than
            // 5 s: by then TCP repeats what was lost only every 6 s, and less often each time.
            keepalive_interval: Duration::from_secs(3),
            keepalive_max: 2,
            write_stall: Duration::from_secs(9),
            input_stall: Duration::from_secs(60),
            open_deadline: Duration::from_secs(15),
            max_queued_bytes: 16 << 20,
            abandon_grace: Duration::from_secs(2),
        }
    }
}

/// Throughput is about 0.4 × window / round trip; russh's own 2 MiB is slow beyond the local network.
pub(super) const WINDOW_BYTES: u32 = 8 << 20;
/// A channel may hold this many packets (of 32 KiB) before it stops its whole connection; our readers never wait.
const CHANNEL_BUFFER_PACKETS: usize = 64;

impl Settings {
    /// What russh is told; `known` are the host key algorithms to ask for first.
    pub(super) fn client_config(&self, known: &[Algorithm]) -> Arc<client::Config> {
        Arc::new(client::Config {
            client_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-shuntyard_", env!("CARGO_PKG_VERSION")))),
            window_size: WINDOW_BYTES,
            channel_buffer_size: CHANNEL_BUFFER_PACKETS,
            preferred: Preferred {
                key: Cow::Owned(host_key_order(known)),
                cipher: Cow::Borrowed(&[
                    cipher::AES_256_GCM,
                    cipher::AES_128_GCM,
                    cipher::CHACHA20_POLY1305,
                    cipher::AES_256_CTR,
                ]),
                compression: Cow::Borrowed(&[compression::NONE]),
                ..Preferred::DEFAULT
            },
            inactivity_timeout: None,
            keepalive_interval: Some(self.keepalive_interval),
            keepalive_max: self.keepalive_max,
            nodelay: true,
            ..client::Config::default()
        })
    }
}

/// Puts the pinned algorithms first, then every other: a host that has none of the pinned ones is then seen with
/// its other key, which is a mismatch, instead of failing to negotiate.
fn host_key_order(known: &[Algorithm]) -> Vec<Algorithm> {
    let ecdsa = |curve| Algorithm::Ecdsa { curve };
    let mut all =
        vec![Algorithm::Ed25519, ecdsa(EcdsaCurve::NistP256), ecdsa(EcdsaCurve::NistP384), ecdsa(EcdsaCurve::NistP521)];
    if cfg!(feature = "rsa") {
        all.extend([HashAlg::Sha512, HashAlg::Sha256].map(|hash| Algorithm::Rsa { hash: Some(hash) }));
    }
    let is_known = |algorithm: &Algorithm| {
        known.iter().any(|k| k == algorithm || matches!((k, algorithm), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. })))
    };
    all.sort_by_key(|algorithm| !is_known(algorithm));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_host_key_types_are_asked_for_first_and_the_others_still_offered() {
        let p384 = Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 };
        let order = host_key_order(std::slice::from_ref(&p384));
        assert_eq!(order[0], p384);
        assert!(order.contains(&Algorithm::Ed25519));
    }
}

//! Hosts that dial out, as the API shows them, and what such a host types.

use serde::{Deserialize, Serialize};

/// The name in `known_hosts` of a host that dials out; the dispatcher's address may change without it.
pub const HOST_KEY_ALIAS: &str = "shuntyard";

/// `GET /dial-out`: the dispatcher's own SSH endpoint, for hosts that nobody can connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct DialOutEndpointBody {
    /// Where it listens.
    pub listen: String,
    /// Host and port that hosts dial.
    pub host: String,
    pub port: u16,
    pub user: String,
    /// `ALGORITHM BASE64`, which hosts pin.
    pub host_key: String,
    /// `SHA256:…` of it.
    pub fingerprint: String,
}

impl DialOutEndpointBody {
    /// The line that a host's `known_hosts` needs.
    #[must_use]
    pub fn known_hosts_line(&self) -> String {
        format!("{HOST_KEY_ALIAS} {}", self.host_key)
    }

    /// What a host types that keeps the files `key` and `known_hosts` in the present directory; `sshd_port` is its own.
    #[must_use]
    pub fn command_line(&self, sshd_port: u16) -> String {
        format!(
            "ssh -N -T -F /dev/null -i key -o IdentitiesOnly=yes -o BatchMode=yes -o ExitOnForwardFailure=yes \
             -o ServerAliveInterval=5 -o ServerAliveCountMax=2 -o StrictHostKeyChecking=yes -o UserKnownHostsFile=known_hosts \
             -o HostKeyAlias={HOST_KEY_ALIAS} -R 0:127.0.0.1:{sshd_port} -p {} {}@{}",
            self.port, self.user, self.host
        )
    }
}

/// `PUT /runners/:hostname/dial-out`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetDialOut {
    /// The OpenSSH public key by which its host opens the tunnel.
    pub public_key: String,
}

/// The tunnel of a runner whose host dials out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TunnelBody {
    pub up: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The other end of its TCP connection: where the host comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// A second host that came with this runner's key while the tunnel was up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turned_away: Option<TurnedAwayBody>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TurnedAwayBody {
    pub at: String,
    pub peer: String,
}

//! Jump hosts as the API shows them.

use serde::{Deserialize, Serialize};

use super::api::default_ssh_port;
use super::time_text::rfc3339;
use crate::jump_host::JumpHost;
use crate::tenancy::Name;

/// `POST /jump-hosts`: a record and a key pair; nothing is done on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateJumpHost {
    pub name: Name,
    /// Where to connect; the name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default = "default_ssh_port")]
    pub port: u16,
    /// The account that forwards.
    pub user: String,
    /// The jump host before it in the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<Name>,
}

/// `POST /jump-hosts/:name/install`: logs in, puts our key there, tests it, and stores the record. Exactly one of `password` and
/// `private_key`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InstallJumpHost {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default = "default_ssh_port")]
    pub port: u16,
    /// The account that forwards, and that logs in now.
    pub user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// As text; used this once, never stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
    /// `SHA256:…` the host must show; as at the install of a runner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
}

/// `PATCH /jump-hosts/:name`. Keys that are absent stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PatchJumpHost {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The jump host before it; `""`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
}

/// How the dispatcher's connection to a jump host stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct JumpContactBody {
    /// `idle` (nobody needs it), `connecting`, `connected`, `unreachable`.
    #[cfg_attr(feature = "openapi", schemars(extend("enum" = ["idle", "connecting", "connected", "unreachable"])))]
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Connections that it carries now.
    pub carried: usize,
}

/// `GET /jump-hosts/:name` and each element of `GET /jump-hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct JumpHostBody {
    pub name: Name,
    pub address: String,
    pub port: u16,
    pub user: String,
    /// The jump host before it.
    pub jump: Option<Name>,
    /// `unconfirmed` (no host key is pinned yet), `ready`, `quarantined`.
    #[cfg_attr(feature = "openapi", schemars(extend("enum" = ["unconfirmed", "ready", "quarantined"])))]
    pub state: String,
    /// Why it is in quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub contact: JumpContactBody,
    /// `SHA256:…` of every pinned host key.
    pub host_keys: Vec<String>,
    /// What stands in `authorized_keys` of its user.
    pub authorized_keys_line: String,
    /// Runners and jump hosts that are reached through it.
    pub used_by: Vec<String>,
    pub created_at: String,
    pub updated_at: String,
}

impl JumpHostBody {
    #[must_use]
    pub fn of(host: &JumpHost, contact: JumpContactBody, host_keys: Vec<String>, used_by: Vec<String>) -> Self {
        let state = match (&host.quarantine, host_keys.is_empty()) {
            (Some(_), _) => "quarantined",
            (None, true) => "unconfirmed",
            (None, false) => "ready",
        };
        Self {
            name: host.name.clone(),
            address: host.endpoint.address.clone(),
            port: host.endpoint.port,
            user: host.endpoint.user.clone(),
            jump: host.endpoint.via.jump().cloned(),
            state: state.to_owned(),
            reason: host.quarantine.as_ref().map(ToString::to_string),
            contact,
            host_keys,
            authorized_keys_line: host.authorized_keys_line(),
            used_by,
            created_at: rfc3339(host.created_at_ms),
            updated_at: rfc3339(host.updated_at_ms),
        }
    }
}

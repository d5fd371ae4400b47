//! Pools as the API shows them, and what their providers are asked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::RunnerId;
use crate::pool::PoolSpec;
use crate::pool::instance::{InstanceState, LeaveReason};
use crate::pool::name::PoolName;

/// What `POST /pools` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CreatePool {
    pub name: PoolName,
    #[serde(flatten)]
    pub spec: PoolSpec,
}

/// What `PATCH /pools/:name` takes: keys of a pool with their new values, `null` for none. And `new_secret`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PatchPool {
    /// Make a new secret, and tell it in the answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new_secret: bool,
    #[serde(flatten)]
    pub changes: Map<String, Value>,
}

/// One pool in `GET /pools`, and with its instances in `GET /pools/:name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PoolBody {
    pub id: String,
    pub name: PoolName,
    #[serde(flatten)]
    pub spec: PoolSpec,
    /// Its instances are being stopped, then it goes.
    pub deleting: bool,
    pub created_at: String,
    pub created_by: String,
    pub counts: PoolCounts,
    /// Waiting jobs that it starts machines for, as it was last looked at.
    pub waiting_jobs: u32,
    /// Starts that failed since the last machine that enrolled.
    pub failures: u32,
    /// No machine is started before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_start_at: Option<String>,
    /// The last call of its provider that failed, while none of that kind has gone well since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<HookError>,
    /// Those that may exist and the last that ended, newest first; absent in a list of pools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<Vec<InstanceBody>>,
}

/// Machines by what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PoolCounts {
    pub starting: u32,
    pub enrolled: u32,
    pub draining: u32,
    pub stopping: u32,
}

impl PoolCounts {
    /// Machines that may exist at the provider.
    #[must_use]
    pub const fn live(&self) -> u32 {
        self.starting + self.enrolled + self.draining + self.stopping
    }
}

/// The answer to `POST /pools`, and to a `PATCH` with `new_secret`: the only ones that hold the secret.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewPool {
    /// `whsec_…`, by which the provider checks that calls are ours.
    pub secret: String,
    #[serde(flatten)]
    pub about: PoolBody,
}

/// The answer to a `PATCH`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PatchedPool {
    /// As in `NewPool`; only when it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    #[serde(flatten)]
    pub about: PoolBody,
}

/// The answer to a `DELETE` of a pool that still has machines: it goes with the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct DeletedPool {
    pub machines_to_stop: u32,
}

/// A call of a provider that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct HookError {
    pub at: String,
    pub action: HookAction,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    pub error: String,
    /// How often this call was tried.
    pub tries: u32,
    /// Absent when it is not tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<String>,
}

/// One machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct InstanceBody {
    /// Our name for it, and its runner's.
    pub instance: String,
    pub state: InstanceState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<LeaveReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<RunnerId>,
    pub created_at: String,
    pub state_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_at: Option<String>,
}

crate::closed::closed_list!(
    /// What a provider is asked.
    HookAction {
        Start = "start",
        List = "list",
        Stop = "stop",
    }
);

/// The body of a call.
#[derive(Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum HookCall {
    /// Start a machine that runs the command. Asked twice with one `instance`, there is to be one machine.
    Start { pool: String, instance: String, enrolment: HookEnrolment, labels: Vec<String> },
    /// Name the machines of the pool that exist.
    List { pool: String },
    /// Stop a machine. One that is not there is answered with 404 or 410.
    Stop { pool: String, instance: String, provider_id: Option<String>, reason: String },
}

/// How a machine becomes a runner. Holds the token: never logged.
#[derive(Serialize, Deserialize)]
pub struct HookEnrolment {
    /// The server, as the machine reaches it.
    pub url: String,
    pub token: String,
    /// A line for a shell of root or of the user whose jobs it shall run: the last line of cloud-init's `runcmd`.
    pub command: String,
    pub expires_at: String,
}

/// What a provider answers to `start`; an empty body is as good.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Started {
    #[serde(default)]
    pub provider_id: Option<String>,
}

/// What a provider answers to `list`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listed {
    pub instances: Vec<ListedInstance>,
}

/// One machine of a provider.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListedInstance {
    /// As it was called in `start`.
    pub instance: String,
    #[serde(default)]
    pub provider_id: Option<String>,
    /// For people.
    #[serde(default)]
    pub state: Option<String>,
}

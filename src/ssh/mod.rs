//! Connections to runners; with `demo` the only place that names russh.
//!
//! `Session` is one SSH connection, `Channel` one command on it, `pool::Pool` keeps warm connections per runner
//! and counts their slots, `attempt` speaks the wrapper's verbs.

pub mod attempt;
mod authenticate;
pub mod bootstrap;
mod channel;
mod connect;
mod credentials;
mod error;
mod events;
mod exec;
mod host_keys;
mod jump;
pub mod pool;
mod route;
mod session;
mod settings;
mod socket;

pub use channel::{Channel, ChannelEvent, ChannelReader, ChannelWriter};
pub use credentials::{Credential, generate_key, generate_runner_key, load_private_key};
pub use error::{ChannelGone, ConnectError, ExecError, ForwardError, KeyError, Phase};
pub use exec::{ExecLimits, ExecOutput};
pub use host_keys::{HostKeyPolicy, fingerprint};
pub use jump::{Jump, JumpLogin, JumpStatus};
pub use pool::{Lease, Pool, Target};
pub use route::{ByteStream, CarriedStream, Carrier, Route};
pub use russh::keys::PrivateKey as RunnerKey;
pub use session::{Dial, Session};
pub use settings::Settings;

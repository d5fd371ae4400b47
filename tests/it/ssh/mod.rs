//! Tests of the ssh area, against Debian's sshd.

mod attempt;
mod channels;
mod connect;
mod faults;
mod hosts;
mod pool;

use std::time::Duration;

use shuntyard::shutdown::Tasks;
use shuntyard::ssh::{Credential, ExecLimits, Session};

use crate::support::sshd::TestHost;

/// Connects as `deploy` with the host's client key.
async fn connected(host: &TestHost, tasks: &Tasks) -> Session {
    let key = Credential::Key(host.client_key.clone());
    Session::connect(&host.dial("deploy"), &key, &host.pinned(), tasks).await.expect("connects")
}

/// Limits that a test never meets by accident.
fn limits() -> ExecLimits {
    ExecLimits { deadline: Duration::from_secs(60), max_output_bytes: 8 << 20 }
}

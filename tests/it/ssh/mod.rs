//! Tests of the ssh area, against Debian's sshd.

mod attempt;
mod channels;
mod connect;
mod faults;
mod hosts;
mod jump;
mod pool;

use std::time::Duration;

use shuntyard::shutdown::Tasks;
use shuntyard::ssh::{Credential, ExecLimits, Session};

use crate::support::sshd::{TestHost, wait_until};

/// Far beyond what anything takes here, also on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connects as `deploy` with the host's client key.
async fn connected(host: &TestHost, tasks: &Tasks) -> Session {
    let key = Credential::Key(host.client_key.clone());
    Session::connect(&host.dial("deploy"), &key, &host.pinned(), tasks).await.expect("connects")
}

/// Limits that a test never meets by accident.
fn limits() -> ExecLimits {
    ExecLimits { deadline: Duration::from_secs(60), max_output_bytes: 8 << 20 }
}

/// Waits until sshd has logged `text` at least `count` times, and expects no more: it answers before it writes.
async fn expect_logged(host: &TestHost, text: &str, count: usize) {
    let times = || host.log().matches(text).count();
    wait_until(&format!("sshd logs {text:?} {count} times"), Duration::from_secs(20), || times() >= count).await;
    assert_eq!(times(), count, "{text}:\n{}", host.log());
}

//! What an embedded host is: its login, and the platform that it shows.

use std::ffi::OsString;
use std::fmt;

use zeroize::Zeroizing;

use super::host::DemoError;

/// One embedded host: its login and the platform that it shows.
#[derive(Clone)]
pub struct HostSpec {
    /// What logs call it; in the demo also what `uname -n` answers, and the runner's name.
    pub name: String,
    /// What it pretends to be; `None`: the machine that it is on.
    pub platform: Option<Platform>,
    /// The only user that can log in.
    pub user: String,
    /// Opens the host until `DemoHost::refuse_passwords`.
    pub password: Zeroizing<String>,
    /// Where its commands look for programs; `None`: where a login on common systems does.
    pub path: Option<OsString>,
    /// Whether what it has started is killed when it stops, or goes on without it.
    pub at_stop: AtStop,
    /// Jobs at a time that the demo should give it.
    pub slots_hint: u32,
    /// TCP port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
}

impl fmt::Debug for HostSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostSpec").field("name", &self.name).field("user", &self.user).finish_non_exhaustive()
    }
}

/// A platform that a host pretends to be.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Text of its `/etc/os-release`.
    pub os_release: String,
    /// What `uname -m` answers.
    pub machine: String,
    /// What `uname -r` answers.
    pub kernel: String,
}

/// What becomes of a host's processes when it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtStop {
    /// None outlives the host.
    Kill,
    /// They lose their connections only, as when sshd is stopped.
    LeaveAlone,
}

/// The demo's hosts: Ubuntu 22.04, CentOS 7.9.2009 and Alpine 3.20.3, each with a random password.
///
/// # Errors
/// `DemoError::Random` when the system gives no random bytes.
pub fn three_hosts() -> Result<Vec<HostSpec>, DemoError> {
    Ok(vec![
        host("ubuntu-demo", include_str!("platforms/ubuntu-22.04"), "x86_64", "5.15.0-122-generic", 2)?,
        host("centos-demo", include_str!("platforms/centos-7.9"), "x86_64", "3.10.0-1160.el7.x86_64", 2)?,
        host("alpine-demo", include_str!("platforms/alpine-3.20"), "aarch64", "6.6.54-0-virt", 1)?,
    ])
}

fn host(name: &str, os_release: &str, machine: &str, kernel: &str, slots_hint: u32) -> Result<HostSpec, DemoError> {
    Ok(HostSpec {
        name: name.to_owned(),
        platform: Some(Platform {
            os_release: os_release.to_owned(),
            machine: machine.to_owned(),
            kernel: kernel.to_owned(),
        }),
        user: "demo".to_owned(),
        password: random_text()?,
        path: None,
        at_stop: AtStop::Kill,
        slots_hint,
        port: 0,
    })
}

/// 128 random bits in hexadecimal.
///
/// # Errors
/// `DemoError::Random` when the system gives no random bytes.
pub fn random_text() -> Result<Zeroizing<String>, DemoError> {
    let mut bytes = Zeroizing::new([0_u8; 16]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| DemoError::Random)?;
    Ok(Zeroizing::new(format!("{:032x}", u128::from_be_bytes(*bytes))))
}

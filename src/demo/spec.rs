//! What a demo host pretends to be.

use std::fmt;

use zeroize::Zeroizing;

use super::host::DemoError;

/// One embedded host: its login and the platform that it shows.
#[derive(Clone)]
pub struct HostSpec {
    /// What `uname -n` answers, and the runner's name in the demo.
    pub name: String,
    /// Text of its `/etc/os-release`.
    pub os_release: String,
    /// What `uname -m` answers.
    pub machine: String,
    /// What `uname -r` answers.
    pub kernel: String,
    /// The only user that can log in.
    pub user: String,
    pub password: Zeroizing<String>,
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
        os_release: os_release.to_owned(),
        machine: machine.to_owned(),
        kernel: kernel.to_owned(),
        user: "demo".to_owned(),
        password: random_text()?,
        slots_hint,
        port: 0,
    })
}

/// 128 random bits in hexadecimal.
pub(super) fn random_text() -> Result<Zeroizing<String>, DemoError> {
    let mut bytes = Zeroizing::new([0_u8; 16]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| DemoError::Random)?;
    Ok(Zeroizing::new(format!("{:032x}", u128::from_be_bytes(*bytes))))
}

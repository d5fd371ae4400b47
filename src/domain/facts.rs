//! What a host says about itself, in Ohai's spelling.

use serde::{Deserialize, Serialize};

/// The facts of one runner, refreshed at bootstrap and by Test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Kernel family as Ohai writes it: `linux`, `darwin`, `freebsd` …
    pub os: String,
    /// Distribution: `ubuntu`, `debian`, `centos`, `redhat`, `suse`, `mac_os_x` …
    pub platform: String,
    /// `debian`, `rhel`, `fedora`, `suse`, `arch`, `alpine`, `mac_os_x` …
    pub platform_family: String,
    /// The distribution's own version: `22.04`, `12`, `7.9.2009`.
    pub platform_version: String,
    /// Machine as `uname -m` says: `x86_64`, `aarch64` …
    pub arch: String,
    /// Processors online; 0 when the host would not say.
    #[serde(default)]
    pub cpus: u32,
    /// Physical memory in bytes; 0 when the host would not say.
    #[serde(default)]
    pub memory_bytes: u64,
}

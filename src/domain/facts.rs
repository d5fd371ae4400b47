//! What a host says about itself, in Ohai's spelling.

use serde::{Deserialize, Serialize};

use crate::wrapper::ProbedHost;

/// The facts of one runner, refreshed at bootstrap and by Test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
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

/// Finds Ohai's words for what a host said.
///
/// The mapping is that of Ohai 15 and later (`plugins/linux/platform.rb`): `ID` of os-release, remapped
/// where Ohai's name is older than os-release; `VERSION_ID`, except for CentOS, whose os-release holds the
/// major version only, Debian testing, which has none, and rolling distributions without one, where it is the
/// kernel's release. Hosts without os-release are told by /etc/redhat-release or /etc/debian_version.
#[must_use]
pub fn facts_from(host: &ProbedHost) -> Facts {
    let (platform, platform_version) = match host.kernel.as_str() {
        "Darwin" => ("mac_os_x".to_owned(), host.mac_version.clone()),
        "Linux" => linux_platform(host),
        kernel => (kernel.to_ascii_lowercase(), host.kernel_release.clone()),
    };
    Facts {
        os: host.kernel.to_ascii_lowercase(),
        platform_family: platform_family(&platform).unwrap_or(&platform).to_owned(),
        platform,
        platform_version,
        arch: host.machine.clone(),
        cpus: host.cpus,
        memory_bytes: host.memory_bytes,
    }
}

fn linux_platform(host: &ProbedHost) -> (String, String) {
    let field = |name: &str| host.os_release.get(name).map(String::as_str).filter(|v| !v.is_empty());
    let Some(id) = field("ID") else { return legacy_platform(host) };
    let id = id.to_ascii_lowercase();
    let version = match id.as_str() {
        "centos" => release_version(&host.redhat_release).or(field("VERSION_ID")),
        "debian" => field("VERSION_ID").or(Some(host.debian_version.as_str()).filter(|v| !v.is_empty())),
        _ => field("VERSION_ID"),
    };
    (ohai_name(&id).to_owned(), version.unwrap_or(&host.kernel_release).to_owned())
}

fn legacy_platform(host: &ProbedHost) -> (String, String) {
    if !host.redhat_release.is_empty() {
        let first = host.redhat_release.split(' ').next().unwrap_or("").to_ascii_lowercase();
        let name = if host.redhat_release.starts_with("Red Hat") { "redhat" } else { first.as_str() };
        return (name.to_owned(), release_version(&host.redhat_release).unwrap_or(&host.kernel_release).to_owned());
    }
    if !host.debian_version.is_empty() {
        return ("debian".to_owned(), host.debian_version.clone());
    }
    ("linux".to_owned(), host.kernel_release.clone())
}

/// `7.9.2009` of `CentOS Linux release 7.9.2009 (Core)`.
fn release_version(line: &str) -> Option<&str> {
    line.split(' ')
        .find(|w| w.starts_with(|c: char| c.is_ascii_digit()) && w.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn ohai_name(id: &str) -> &str {
    match id {
        "alinux" => "alibabalinux",
        "amzn" => "amazon",
        "archarm" => "arch",
        "cumulus-linux" => "cumulus",
        "ol" => "oracle",
        "opensuse-leap" => "opensuseleap",
        "rhel" => "redhat",
        "sles" | "sles_sap" => "suse",
        "xenenterprise" => "xenserver",
        other => other,
    }
}

fn platform_family(platform: &str) -> Option<&'static str> {
    Some(match platform {
        "debian" | "ubuntu" | "linuxmint" | "raspbian" | "cumulus" | "kali" | "pop" => "debian",
        "centos" | "redhat" | "oracle" | "almalinux" | "rocky" | "scientific" | "xenserver" | "cloudlinux"
        | "alibabalinux" | "clearos" | "virtuozzo" => "rhel",
        "amazon" => "amazon",
        "suse" | "opensuseleap" | "opensuse" | "opensuse-tumbleweed" | "sled" => "suse",
        "fedora" => "fedora",
        "arch" | "manjaro" => "arch",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

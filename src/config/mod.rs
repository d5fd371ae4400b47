//! Configuration of the daemon: file, then environment, then flags; the later wins.
//!
//! Every key is documented in `config/shuntd.toml`. A wrong value in any of the three is a fault, also when a
//! later one would have replaced it, and all faults are reported at once.

mod fault;
mod given;
mod layers;
mod load;
mod paths;
mod shown;
mod tls;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use shuntyard_domain::cidr::Cidr;
use shuntyard_domain::command_template::CommandTemplate;
use zeroize::Zeroizing;

use crate::tls::TlsFiles;

pub use fault::{ConfigFault, ConfigFaults};
pub use load::{ConfigSources, FlagOverrides, default_file, process_environment};
pub use paths::{DataDirError, DataPaths, Kept, next_master_key};

/// Everything that the daemon can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub server: ServerConfig,
    pub tls: TlsConfig,
    pub data: DataConfig,
    pub store: StoreConfig,
    pub log: LogConfig,
    pub output: OutputConfig,
    pub ssh: SshConfig,
    pub dispatch: DispatchConfig,
    pub pipelines: PipelinesConfig,
    pub workspaces: WorkspacesConfig,
    pub artifacts: ArtifactsConfig,
    pub enrolment: EnrolmentConfig,
    pub dialout: DialOutConfig,
    pub outgoing: OutgoingConfig,
    pub local: LocalConfig,
    pub health: HealthConfig,
    pub metrics: MetricsConfig,
    pub retention: RetentionConfig,
    pub limits: LimitsConfig,
}

/// `[server]`: the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Vec<Cidr>,
}

/// `[tls]`: whether the API is encrypted, and by which certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    pub mode: TlsMode,
    /// Without them the daemon makes a certificate of its own.
    pub files: Option<TlsFiles>,
    /// Further host names and addresses for that one.
    pub names: Vec<String>,
}

/// What the API speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    PlainHttp,
    /// By these files.
    Tls(TlsFiles),
    /// By a certificate of the daemon's own, in these files; made when they are not there.
    SelfSigned(TlsFiles),
}

impl Config {
    /// What the API speaks: TLS unless nobody else hears it, or somebody has said so.
    #[must_use]
    pub fn transport(&self) -> Transport {
        let paths = self.paths();
        let own = || TlsFiles { cert_file: paths.tls_cert, key_file: paths.tls_key };
        match (self.tls.mode, &self.tls.files) {
            (TlsMode::Off, _) => Transport::PlainHttp,
            (TlsMode::Auto | TlsMode::On, Some(files)) => Transport::Tls(files.clone()),
            (TlsMode::Auto, None) if self.server.listen.ip().is_loopback() => Transport::PlainHttp,
            (TlsMode::Auto | TlsMode::On, None) => Transport::SelfSigned(own()),
        }
    }
}

/// `[data]`: the daemon's own files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataConfig {
    /// Absolute.
    pub dir: PathBuf,
    /// The master key's file when it is not the one in `dir`.
    pub master_key_file: Option<PathBuf>,
    /// The master key as systemd hands it over, when it does.
    pub master_key_credential: Option<PathBuf>,
}

/// `[store]`: the database.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// As the store reads it: `sqlite:/ABSOLUTE/PATH` or `postgres://…`, which may hold a password.
    pub url: Zeroizing<String>,
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig").field("url", &given::scheme_of(&self.url)).finish()
    }
}

/// `[log]`: the daemon's own log, on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    pub level: LogLevel,
    pub format: LogFormat,
}

/// `[output]`: what is kept of jobs' output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputConfig {
    /// Of each job, unless it says otherwise.
    pub cap_bytes: u64,
    /// What a job's log on its runner may take before the job is stopped.
    pub spool_cap_bytes: u64,
}

/// `[ssh]`: connections to runners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SshConfig {
    /// For TCP, key exchange and login together.
    pub connect_timeout: Duration,
    /// Silence after which the runner is asked whether it is still there.
    pub keepalive: Duration,
    /// Unanswered questions that the link may have; one more and it counts as lost.
    pub keepalive_max: u32,
}

/// `[dispatch]`: placing and stopping jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DispatchConfig {
    pub placement: PlacementRule,
}

/// `[pipelines]`: what stages run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipelinesConfig {
    /// What a phase runs when its project does not say it; without one such a phase is skipped.
    pub command: Option<CommandTemplate>,
}

/// `[workspaces]`: trees of files that jobs start in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkspacesConfig {
    /// Of the files of one workspace.
    pub max_bytes: u64,
    pub max_entries: u64,
    /// Of all workspaces on the server; older ones go.
    pub store_bytes: u64,
    /// What stays free on the server's disk.
    pub min_free_bytes: u64,
    /// What a delivery leaves free on a runner's disk.
    pub runner_min_free_bytes: u64,
}

/// `[artifacts]`: files that jobs leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArtifactsConfig {
    /// Of the files of one job.
    pub max_bytes: u64,
}

/// `[enrolment]`: hosts that enrol themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnrolmentConfig {
    /// They wait until a person approves them.
    pub approval: bool,
}

/// `[dialout]`: hosts that open a tunnel to the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialOutConfig {
    /// Where the daemon's own SSH endpoint listens; without it there is none.
    pub listen: Option<SocketAddr>,
    /// Host and port that hosts are told to dial; without it they are told `listen`.
    pub public: Option<(String, u16)>,
}

/// `[outgoing]`: signed calls to URLs that somebody gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutgoingConfig {
    /// Allows http:// beside https://.
    pub allow_http: bool,
    /// Networks that may be called although they are not public.
    pub allow_networks: Vec<Cidr>,
    /// Certificates that are trusted besides the system's; absolute.
    pub ca_file: Option<PathBuf>,
}

/// `[local]`: the dispatcher's own machine as a runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalConfig {
    pub enabled: bool,
    /// Jobs at a time.
    pub slots: u32,
    /// What the inventory calls it.
    pub name: String,
}

/// `[health]`: what the dispatcher looks after by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthConfig {
    /// How often a connected runner is examined; `None`: never by itself.
    pub check_every: Option<Duration>,
}

/// `[metrics]`: what the daemon counts about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// `/metrics` is answered without a token.
    pub open: bool,
}

/// `[retention]`: how long and how much is kept of what has ended; `None`: for ever, without bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionConfig {
    pub log_max_age: Option<Duration>,
    pub log_max_bytes: Option<u64>,
    pub artifact_max_age: Option<Duration>,
    pub artifact_max_bytes: Option<u64>,
    /// Of jobs that belong to no change.
    pub job_max_age: Option<Duration>,
}

/// `[limits]`: what one caller, and one project, may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Of one token; 0: any number.
    pub requests_per_s: u32,
    /// Of one address without a good token; 0: any number.
    pub anonymous_per_s: u32,
    /// Event streams that one caller may have open; 0: any number.
    pub streams: u32,
    /// Of one project; `None`: any number.
    pub unfinished_jobs: Option<u32>,
    pub script_bytes: u32,
    pub matrix_rows: u32,
    /// What a job may ask to keep of its output.
    pub job_log_bytes: u64,
}

/// Declares an enum whose members are the words of a key.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$member:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$member])* $variant),+ }

        impl $name {
            pub(crate) const WORDS: &'static [(&'static str, Self)] = &[$(($text, Self::$variant)),+];

            /// The word in the configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

words!(
    /// The least important events that are logged.
    LogLevel { Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace" }
);

words!(
    /// Whether the API is encrypted.
    TlsMode {
        /// Unless it listens on loopback and has no certificate.
        Auto = "auto",
        /// Always.
        On = "on",
        /// Never: behind a proxy that does it.
        Off = "off",
    }
);

words!(
    LogFormat {
        /// Lines for people; colour only on a terminal.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
        /// Lines without time, with the priority in front that systemd's journal takes off: `<4>`.
        Journald = "journald",
    }
);

words!(
    /// Which of several free runners takes a job.
    PlacementRule {
        /// The one with the most room.
        LeastLoaded = "least_loaded",
        /// Any.
        Random = "random",
        /// The fullest one with room, so that others stay empty.
        Pack = "pack",
    }
);

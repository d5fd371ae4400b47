//! Puts the configuration together.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shuntyard_domain::project_config::MAX_ROWS;
use shuntyard_domain::runner::MAX_SLOTS;
use zeroize::Zeroizing;

use super::fault::{ConfigFault, ConfigFaults};
use super::layers::{FILE_VARIABLE, Layers};
use super::tls::read_tls;
use super::{
    ArtifactsConfig, Config, DataConfig, DataPaths, DialOutConfig, DispatchConfig, EnrolmentConfig, HealthConfig,
    LimitsConfig, LocalConfig, LogConfig, LogFormat, LogLevel, MetricsConfig, OutgoingConfig, OutputConfig,
    PipelinesConfig, PlacementRule, RetentionConfig, ServerConfig, SshConfig, StoreConfig, TlsMode, WorkspacesConfig,
};

/// What the configuration is made of.
#[derive(Clone, Debug, Default)]
pub struct ConfigSources<E> {
    /// A file that is named must exist.
    pub file: Option<PathBuf>,
    pub env: E,
    pub flags: FlagOverrides,
}

/// Flags that replace keys for one start.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct FlagOverrides {
    /// Address and port of the HTTP API
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Speak plain HTTP also on an address that is not loopback: behind a proxy that ends TLS (`[tls] mode = "off"`)
    #[arg(long)]
    pub insecure_http: bool,
    /// Run jobs on this machine too, under the account of the dispatcher
    #[arg(long)]
    pub local: bool,
    /// Directory of the daemon's own files
    #[arg(long, value_name = "DIRECTORY")]
    pub data_dir: Option<PathBuf>,
    /// Database: sqlite, sqlite:/PATH or postgres://…
    #[arg(long, value_name = "URL")]
    pub store_url: Option<String>,
    /// error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// text, json or journald
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

impl FlagOverrides {
    fn given(&self) -> Vec<(&'static str, &'static str, String)> {
        // A path on the command line is meant from where the command was typed.
        let data_dir = self.data_dir.as_ref().map(|dir| std::path::absolute(dir).unwrap_or_else(|_| dir.clone()));
        let flags = [
            ("server.listen", "--listen", self.listen.clone()),
            ("tls.mode", "--insecure-http", self.insecure_http.then(|| TlsMode::Off.as_str().to_owned())),
            ("local.enabled", "--local", self.local.then(|| "true".to_owned())),
            ("data.dir", "--data-dir", data_dir.map(|dir| dir.to_string_lossy().into_owned())),
            ("store.url", "--store-url", self.store_url.clone()),
            ("log.level", "--log-level", self.log_level.clone()),
            ("log.format", "--log-format", self.log_format.clone()),
        ];
        flags.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value?))).collect()
    }
}

impl Config {
    /// Reads file, environment and flags; the later wins.
    ///
    /// # Errors
    /// Every fault of all three, not the first.
    pub fn load<E>(sources: ConfigSources<E>) -> Result<Self, ConfigFaults>
    where
        E: IntoIterator<Item = (String, String)>,
    {
        let (config, faults) = Self::read_all(sources);
        faults.map_or(Ok(config), Err)
    }

    /// As `load`, but answers what there is also when there are faults: what is wrong has its default then.
    pub fn read_all<E>(sources: ConfigSources<E>) -> (Self, Option<ConfigFaults>)
    where
        E: IntoIterator<Item = (String, String)>,
    {
        let env: BTreeMap<String, String> = sources.env.into_iter().collect();
        let mut layers = Layers::default();
        if let Some(file) = &sources.file {
            layers.add_file(file);
        }
        layers.add_environment(env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        layers.add_flags(sources.flags.given());
        let config = Self::read(&mut layers, &env);
        let faults = Some(layers.faults).filter(|faults| !faults.is_empty());
        (config, faults.map(ConfigFaults))
    }

    fn read(layers: &mut Layers, env: &BTreeMap<String, String>) -> Self {
        let server = read_server(layers);
        let (dir, home) = (read_data_dir(layers, env), absolute(env, "HOME"));
        let url = layers.read("store.url", |given| given.store_url()).flatten();
        let url =
            url.unwrap_or_else(|| Zeroizing::new(format!("sqlite:{}", DataPaths::in_dir(&dir).database.display())));
        Self {
            server,
            tls: read_tls(layers, env),
            data: DataConfig {
                dir,
                master_key_file: layers
                    .read("data.master_key_file", |given| given.file_or_none(home.as_deref()))
                    .flatten(),
                master_key_credential: absolute(env, "CREDENTIALS_DIRECTORY")
                    .map(|dir| dir.join(CREDENTIAL))
                    .filter(|file| file.exists()),
            },
            store: StoreConfig { url },
            log: LogConfig {
                level: layers.read("log.level", |given| given.word(LogLevel::WORDS)).unwrap_or(LogLevel::Info),
                format: layers.read("log.format", |given| given.word(LogFormat::WORDS)).unwrap_or(LogFormat::Text),
            },
            output: OutputConfig {
                cap_bytes: read_mib(layers, "output.cap_mib", 1, 1024),
                spool_cap_bytes: read_mib(layers, "output.spool_cap_mib", 1, 8192),
            },
            ssh: SshConfig {
                connect_timeout: read_seconds(layers, "ssh.connect_timeout_s", 1, 600, 15),
                keepalive: read_seconds(layers, "ssh.keepalive_s", 1, 3_600, 3),
                keepalive_max: layers.read("ssh.keepalive_max", |given| given.whole(1..=100, "questions")).unwrap_or(2),
            },
            dispatch: DispatchConfig {
                placement: layers
                    .read("dispatch.placement", |given| given.word(PlacementRule::WORDS))
                    .unwrap_or(PlacementRule::LeastLoaded),
            },
            pipelines: PipelinesConfig {
                command: layers.read("pipelines.command", |given| given.command_template()).flatten(),
            },
            workspaces: WorkspacesConfig {
                max_bytes: read_mib(layers, "workspaces.max_mib", 1, 1024),
                max_entries: layers
                    .read("workspaces.max_entries", |given| given.whole(1..=1_000_000, "entries"))
                    .unwrap_or(100_000)
                    .into(),
                store_bytes: read_mib(layers, "workspaces.store_mib", 1, 20 * 1024),
                min_free_bytes: read_mib(layers, "workspaces.min_free_mib", 0, 1024),
                runner_min_free_bytes: read_mib(layers, "workspaces.runner_min_free_mib", 0, 256),
            },
            artifacts: ArtifactsConfig { max_bytes: read_mib(layers, "artifacts.max_mib", 1, 1024) },
            enrolment: EnrolmentConfig {
                approval: layers.read("enrolment.approval", |given| given.boolean()).unwrap_or(false),
            },
            dialout: read_dial_out(layers),
            outgoing: read_outgoing(layers, env),
            local: LocalConfig {
                enabled: layers.read("local.enabled", |given| given.boolean()).unwrap_or(false),
                slots: layers.read("local.slots", |given| given.whole(1..=MAX_SLOTS, "jobs")).unwrap_or(1),
                name: layers.read("local.name", |given| given.hostname()).unwrap_or_else(|| "local".to_owned()),
            },
            health: HealthConfig {
                check_every: Some(read_seconds(layers, "health.check_every_s", 0, 86_400, 900))
                    .filter(|s| !s.is_zero()),
            },
            retention: read_retention(layers),
            metrics: MetricsConfig { open: layers.read("metrics.open", |given| given.boolean()).unwrap_or(false) },
            limits: read_limits(layers),
        }
    }
}

fn read_outgoing(layers: &mut Layers, env: &BTreeMap<String, String>) -> OutgoingConfig {
    let home = absolute(env, "HOME");
    OutgoingConfig {
        allow_http: layers.read("outgoing.allow_http", |given| given.boolean()).unwrap_or(false),
        allow_networks: layers.read("outgoing.allow_networks", |given| given.networks()).unwrap_or_default(),
        ca_file: layers.read("outgoing.ca_file", |given| given.file_or_none(home.as_deref())).flatten(),
    }
}

/// 0 stands for no bound.
fn read_retention(layers: &mut Layers) -> RetentionConfig {
    let mut days = |key| {
        let days = layers.read(key, |given| given.whole(0..=36_500, "days")).filter(|days| *days > 0);
        days.map(|days| Duration::from_secs(u64::from(days) * 86_400))
    };
    let log_max_age = days("retention.log_max_age_days");
    let artifact_max_age = days("retention.artifact_max_age_days");
    let job_max_age = days("retention.job_max_age_days");
    let mut mib = |key| Some(read_mib(layers, key, 0, 0)).filter(|bytes| *bytes > 0);
    let log_max_bytes = mib("retention.log_max_mib");
    let artifact_max_bytes = mib("retention.artifact_max_mib");
    RetentionConfig { log_max_age, log_max_bytes, artifact_max_age, artifact_max_bytes, job_max_age }
}

fn read_limits(layers: &mut Layers) -> LimitsConfig {
    let mut whole = |key, range: RangeInclusive<u32>, unit: &str, default| {
        layers.read(key, |given| given.whole(range.clone(), unit)).unwrap_or(default)
    };
    let requests_per_s = whole("limits.requests_per_s", 0..=1_000_000, "requests", 500);
    let anonymous_per_s = whole("limits.anonymous_per_s", 0..=1_000_000, "requests", 100);
    let streams = whole("limits.streams", 0..=1_000_000, "streams", 128);
    let unfinished_jobs =
        Some(whole("limits.unfinished_jobs", 0..=1_000_000, "jobs", 100_000)).filter(|jobs| *jobs > 0);
    let script_bytes = whole("limits.script_kib", 1..=1024, "KiB", 1024) << 10;
    let matrix_rows = whole("limits.matrix_rows", 1..=MAX_ROWS.into(), "rows", MAX_ROWS.into());
    let job_log_bytes = read_mib(layers, "limits.job_log_mib", 1, 1 << 20);
    LimitsConfig { requests_per_s, anonymous_per_s, streams, unfinished_jobs, script_bytes, matrix_rows, job_log_bytes }
}

fn read_seconds(layers: &mut Layers, key: &'static str, least: u32, most: u32, default: u32) -> Duration {
    let seconds = layers.read(key, |given| given.whole(least..=most, "seconds")).unwrap_or(default);
    Duration::from_secs(seconds.into())
}

/// Up to one TiB, in bytes.
fn read_mib(layers: &mut Layers, key: &'static str, least: u32, default: u32) -> u64 {
    u64::from(layers.read(key, |given| given.whole(least..=1 << 20, "MiB")).unwrap_or(default)) << 20
}

fn read_server(layers: &mut Layers) -> ServerConfig {
    let listen = layers.read("server.listen", |given| given.socket_address());
    let listen = listen.unwrap_or_else(|| ([127, 0, 0, 1], 8920).into());
    let trusted_proxies = layers.read("server.trusted_proxies", |given| given.networks()).unwrap_or_default();
    ServerConfig { listen, trusted_proxies }
}

/// An address that stands for every address is none that a host could dial.
fn read_dial_out(layers: &mut Layers) -> DialOutConfig {
    let listen = layers.read("dialout.listen", |given| given.socket_address_or_none()).flatten();
    let public = layers.read("dialout.public", |given| given.host_and_port()).flatten();
    if public.is_none() && listen.is_some_and(|listen| listen.ip().is_unspecified()) {
        layers.faults.push(ConfigFault {
            path: layers.place_of("dialout.public"),
            found: "nothing, while dialout.listen is every address of this machine".to_owned(),
            allowed: "HOST:PORT at which hosts reach dialout.listen".to_owned(),
            nearest: None,
        });
    }
    DialOutConfig { listen, public }
}

/// The name under which a unit's `LoadCredential=` gives the master key.
const CREDENTIAL: &str = "shuntd-master-key";

/// The XDG base directory specification: a relative XDG_DATA_HOME does not count.
fn read_data_dir(layers: &mut Layers, env: &BTreeMap<String, String>) -> PathBuf {
    let home = absolute(env, "HOME");
    if let Some(dir) = layers.read("data.dir", |given| given.directory(home.as_deref())) {
        return dir;
    }
    let data_home = absolute(env, "XDG_DATA_HOME").or_else(|| Some(home?.join(".local/share")));
    if let Some(data_home) = data_home {
        return data_home.join("shuntyard");
    }
    layers.faults.push(ConfigFault {
        path: "data.dir".to_owned(),
        found: "nothing, and neither XDG_DATA_HOME nor HOME is set".to_owned(),
        allowed: "an absolute path".to_owned(),
        nearest: None,
    });
    PathBuf::new()
}

pub(super) fn absolute(env: &BTreeMap<String, String>, name: &str) -> Option<PathBuf> {
    env.get(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Finds the file that is read when none is named: `$SHUNTD_CONFIG`, which must exist, else
/// `$XDG_CONFIG_HOME/shuntyard/shuntd.toml`, `~/.config/…`, `/etc/shuntyard/shuntd.toml`, when there is one.
#[must_use]
pub fn default_file(env: impl IntoIterator<Item = (String, String)>) -> Option<PathBuf> {
    let env: BTreeMap<String, String> = env.into_iter().collect();
    // Set to nothing counts as not set.
    if let Some(named) = env.get(FILE_VARIABLE).filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let user = absolute(&env, "XDG_CONFIG_HOME").or_else(|| Some(absolute(&env, "HOME")?.join(".config")));
    let candidates = user.into_iter().chain([Path::new("/etc").to_owned()]);
    candidates.map(|dir| dir.join("shuntyard/shuntd.toml")).find(|file| file.exists())
}

/// The variables of this process; one that is not UTF-8 cannot be one of ours.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

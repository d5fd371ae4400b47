//! The configuration as a file that would say the same; passwords are masked.

use std::path::Path;
use std::time::Duration;

use shuntyard_domain::cidr::Cidr;

use super::Config;

const MASK: &str = "***";

impl Config {
    /// Every key with the value that is used, as TOML. A masked database address cannot be read again.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let Self { server, data, store, log, output, ssh, dispatch, .. } = self;
        let Self { tls, pipelines, workspaces, artifacts, enrolment, dialout, outgoing, local, health, .. } = self;
        let Self { metrics, retention, limits, .. } = self;
        let text = |text: &str| toml::Value::from(text).to_string();
        let file = |file: Option<&Path>| text(&file.unwrap_or(Path::new("")).to_string_lossy());
        let sections = [
            (
                "server",
                vec![("listen", text(&server.listen.to_string())), ("trusted_proxies", list(&server.trusted_proxies))],
            ),
            (
                "tls",
                vec![
                    ("mode", text(tls.mode.as_str())),
                    ("cert_file", file(tls.files.as_ref().map(|files| files.cert_file.as_path()))),
                    ("key_file", file(tls.files.as_ref().map(|files| files.key_file.as_path()))),
                    ("names", toml::Value::from(tls.names.clone()).to_string()),
                ],
            ),
            (
                "data",
                vec![
                    ("dir", text(&data.dir.to_string_lossy())),
                    (
                        "master_key_file",
                        text(&data.master_key_file.as_deref().unwrap_or(Path::new("")).to_string_lossy()),
                    ),
                ],
            ),
            ("store", vec![("url", text(&masked(&store.url)))]),
            ("log", vec![("level", text(log.level.as_str())), ("format", text(log.format.as_str()))]),
            (
                "output",
                vec![
                    ("cap_mib", (output.cap_bytes >> 20).to_string()),
                    ("spool_cap_mib", (output.spool_cap_bytes >> 20).to_string()),
                ],
            ),
            (
                "ssh",
                vec![
                    ("connect_timeout_s", ssh.connect_timeout.as_secs().to_string()),
                    ("keepalive_s", ssh.keepalive.as_secs().to_string()),
                    ("keepalive_max", ssh.keepalive_max.to_string()),
                ],
            ),
            ("dispatch", vec![("placement", text(dispatch.placement.as_str()))]),
            ("pipelines", vec![("command", text(pipelines.command.as_ref().map_or("", |command| command.text())))]),
            (
                "workspaces",
                vec![
                    ("max_mib", (workspaces.max_bytes >> 20).to_string()),
                    ("max_entries", workspaces.max_entries.to_string()),
                    ("store_mib", (workspaces.store_bytes >> 20).to_string()),
                    ("min_free_mib", (workspaces.min_free_bytes >> 20).to_string()),
                    ("runner_min_free_mib", (workspaces.runner_min_free_bytes >> 20).to_string()),
                ],
            ),
            ("artifacts", vec![("max_mib", (artifacts.max_bytes >> 20).to_string())]),
            ("enrolment", vec![("approval", enrolment.approval.to_string())]),
            (
                "dialout",
                vec![
                    ("listen", text(&dialout.listen.map(|listen| listen.to_string()).unwrap_or_default())),
                    ("public", text(&dialout.public.as_ref().map(host_and_port).unwrap_or_default())),
                ],
            ),
            (
                "outgoing",
                vec![
                    ("allow_http", outgoing.allow_http.to_string()),
                    ("allow_networks", list(&outgoing.allow_networks)),
                    ("ca_file", file(outgoing.ca_file.as_deref())),
                ],
            ),
            (
                "local",
                vec![
                    ("enabled", local.enabled.to_string()),
                    ("slots", local.slots.to_string()),
                    ("name", text(&local.name)),
                ],
            ),
            ("health", vec![("check_every_s", health.check_every.map_or(0, |every| every.as_secs()).to_string())]),
            (
                "retention",
                vec![
                    ("log_max_age_days", days(retention.log_max_age)),
                    ("log_max_mib", mib(retention.log_max_bytes)),
                    ("artifact_max_age_days", days(retention.artifact_max_age)),
                    ("artifact_max_mib", mib(retention.artifact_max_bytes)),
                    ("job_max_age_days", days(retention.job_max_age)),
                ],
            ),
            ("metrics", vec![("open", metrics.open.to_string())]),
            (
                "limits",
                vec![
                    ("requests_per_s", limits.requests_per_s.to_string()),
                    ("anonymous_per_s", limits.anonymous_per_s.to_string()),
                    ("streams", limits.streams.to_string()),
                    ("unfinished_jobs", limits.unfinished_jobs.unwrap_or(0).to_string()),
                    ("script_kib", (limits.script_bytes >> 10).to_string()),
                    ("matrix_rows", limits.matrix_rows.to_string()),
                    ("job_log_mib", (limits.job_log_bytes >> 20).to_string()),
                ],
            ),
        ];
        let section = |(name, keys): (&str, Vec<(&str, String)>)| {
            let keys: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
            format!("\n[{name}]\n{keys}")
        };
        sections.into_iter().map(section).collect()
    }
}

fn days(age: Option<Duration>) -> String {
    age.map_or(0, |age| age.as_secs() / 86_400).to_string()
}

fn mib(bytes: Option<u64>) -> String {
    bytes.map_or(0, |bytes| bytes >> 20).to_string()
}

fn host_and_port((host, port): &(String, u16)) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn list(networks: &[Cidr]) -> String {
    let texts: Vec<String> = networks.iter().map(ToString::to_string).collect();
    toml::Value::from(texts).to_string()
}

/// The address of a database without its password, wherever it stands.
fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // A password may hold an `@` itself: the last one ends it.
    let rest = match rest.rsplit_once('@') {
        Some((login, host)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:{MASK}@{host}"),
            None => format!("{login}@{host}"),
        },
        None => rest.to_owned(),
    };
    match rest.split_once('?') {
        Some((before, query)) if query.to_ascii_lowercase().contains("password") => {
            format!("{scheme}://{before}?{MASK}")
        }
        _ => format!("{scheme}://{rest}"),
    }
}

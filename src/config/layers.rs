//! Values from file, environment and flags, each remembering where it was said.

use std::collections::BTreeMap;
use std::path::Path;

use super::fault::{ConfigFault, nearest};
use super::given::{Given, Refused};

/// Every key, as `SECTION.KEY`. Sections have no underscore, so that a variable's name has one reading.
pub(super) const KEYS: &[&str] = &[
    "server.listen",
    "server.trusted_proxies",
    "tls.mode",
    "tls.cert_file",
    "tls.key_file",
    "tls.names",
    "data.dir",
    "data.master_key_file",
    "store.url",
    "log.level",
    "log.format",
    "output.cap_mib",
    "output.spool_cap_mib",
    "ssh.connect_timeout_s",
    "ssh.keepalive_s",
    "ssh.keepalive_max",
    "dispatch.placement",
    "pipelines.command",
    "workspaces.max_mib",
    "workspaces.max_entries",
    "workspaces.store_mib",
    "workspaces.min_free_mib",
    "workspaces.runner_min_free_mib",
    "artifacts.max_mib",
    "enrolment.approval",
    "dialout.listen",
    "dialout.public",
    "outgoing.allow_http",
    "outgoing.allow_networks",
    "outgoing.ca_file",
    "local.enabled",
    "local.slots",
    "local.name",
    "health.check_every_s",
    "metrics.open",
    "retention.log_max_age_days",
    "retention.log_max_mib",
    "retention.artifact_max_age_days",
    "retention.artifact_max_mib",
    "retention.job_max_age_days",
    "limits.requests_per_s",
    "limits.anonymous_per_s",
    "limits.streams",
    "limits.unfinished_jobs",
    "limits.script_kib",
    "limits.matrix_rows",
    "limits.job_log_mib",
];

const VARIABLE_PREFIX: &str = "SHUNTD_";
/// Names the configuration file itself.
pub(super) const FILE_VARIABLE: &str = "SHUNTD_CONFIG";

/// A value and where it was said.
#[derive(Debug)]
struct Said {
    path: String,
    given: Given,
}

/// The layers in rising order, and the faults found so far.
#[derive(Debug, Default)]
pub(super) struct Layers {
    layers: Vec<BTreeMap<String, Said>>,
    pub faults: Vec<ConfigFault>,
}

impl Layers {
    /// Reads the file; what cannot be read or parsed is one fault.
    pub fn add_file(&mut self, file: &Path) {
        let file_name = file.display().to_string();
        let fault = |found: String, allowed: &str| ConfigFault {
            path: file_name.clone(),
            found,
            allowed: allowed.to_owned(),
            nearest: None,
        };
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(e) => return self.faults.push(fault(e.to_string(), "a file that the daemon can read")),
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.add_table(&file_name, table),
            Err(e) => self.faults.push(fault(place_and_message(&text, &e), "a TOML document")),
        }
    }

    fn add_table(&mut self, file_name: &str, table: toml::Table) {
        let mut layer = BTreeMap::new();
        let sections: Vec<&str> = KEYS.iter().filter_map(|key| Some(key.split_once('.')?.0)).collect();
        for (section, content) in table {
            match content {
                toml::Value::Table(values) if sections.contains(&section.as_str()) => {
                    for (name, value) in values {
                        let key = format!("{section}.{name}");
                        let path = format!("{file_name}: {key}");
                        self.note(&mut layer, key, Said { path, given: Given::Toml(value) });
                    }
                }
                content => {
                    let known = sections.contains(&section.as_str());
                    let mut names = sections.clone();
                    names.dedup();
                    let allowed = names.iter().map(|name| format!("[{name}]")).collect::<Vec<_>>().join(", ");
                    self.faults.push(ConfigFault {
                        path: format!("{file_name}: {section}"),
                        found: if known { Given::Toml(content).shown(&section) } else { "an unknown key".to_owned() },
                        allowed,
                        nearest: if known { None } else { nearest(&section, sections.iter().copied()) },
                    });
                }
            }
        }
        self.layers.push(layer);
    }

    /// Takes `SHUNTD_SECTION_KEY` variables; others are not ours.
    pub fn add_environment<'a>(&mut self, variables: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let mut layer = BTreeMap::new();
        for (variable, value) in variables {
            if let Some(name) = variable.strip_prefix(VARIABLE_PREFIX).filter(|_| variable != FILE_VARIABLE) {
                let key = name.replacen('_', ".", 1).to_ascii_lowercase();
                self.note(&mut layer, key, Said { path: variable.to_owned(), given: Given::Text(value.to_owned()) });
            }
        }
        self.layers.push(layer);
    }

    /// Takes flags that were given: key, flag, value.
    pub fn add_flags(&mut self, flags: impl IntoIterator<Item = (&'static str, &'static str, String)>) {
        let said = flags
            .into_iter()
            .map(|(key, flag, text)| (key.to_owned(), Said { path: flag.to_owned(), given: Given::Text(text) }));
        self.layers.push(said.collect());
    }

    fn note(&mut self, layer: &mut BTreeMap<String, Said>, key: String, said: Said) {
        if KEYS.contains(&key.as_str()) {
            layer.insert(key, said);
            return;
        }
        let variable = said.path.starts_with(VARIABLE_PREFIX);
        let spelt = |key: &str| if variable { variable_of(key) } else { key.to_owned() };
        let section = key.split_once('.').map_or("", |(section, _)| section);
        let siblings: Vec<&str> =
            KEYS.iter().copied().filter(|known| known.split_once('.').is_some_and(|(s, _)| s == section)).collect();
        let candidates = if siblings.is_empty() { KEYS.to_vec() } else { siblings };
        self.faults.push(ConfigFault {
            path: said.path,
            found: "an unknown key".to_owned(),
            allowed: candidates.iter().map(|key| spelt(key)).collect::<Vec<_>>().join(", "),
            nearest: nearest(&key, candidates).map(|key| spelt(&key)),
        });
    }

    /// Reads a key in every layer, so that every fault is found; the highest good value wins.
    pub fn read<T>(&mut self, key: &'static str, check: impl Fn(&Given) -> Result<T, Refused>) -> Option<T> {
        debug_assert!(KEYS.contains(&key));
        let mut value = None;
        for said in self.layers.iter().filter_map(|layer| layer.get(key)) {
            match check(&said.given) {
                Ok(good) => value = Some(good),
                Err(Refused { allowed, nearest }) => {
                    let found = said.given.shown(key);
                    self.faults.push(ConfigFault { path: said.path.clone(), found, allowed, nearest });
                }
            }
        }
        value
    }

    /// Where the value that wins was said; the key itself when nobody said it.
    pub fn place_of(&self, key: &str) -> String {
        self.layers
            .iter()
            .rev()
            .find_map(|layer| layer.get(key))
            .map_or_else(|| key.to_owned(), |said| said.path.clone())
    }
}

/// `server.listen` as its variable, `SHUNTD_SERVER_LISTEN`.
fn variable_of(key: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// The error without the line itself, which may hold a password.
fn place_and_message(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!("line {}: {}", before.matches('\n').count() + 1, error.message()),
        None => error.message().to_owned(),
    }
}

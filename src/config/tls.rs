//! `[tls]`: read, and its files looked at, so that all that is wrong is told before the start.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::fault::ConfigFault;
use super::layers::Layers;
use super::load::absolute;
use super::{TlsConfig, TlsMode};
use crate::clock::Clock;
use crate::tls::{TlsFault, TlsFiles};

/// Every fault of the two files is one of the configuration.
pub(super) fn read_tls(layers: &mut Layers, env: &BTreeMap<String, String>) -> TlsConfig {
    let home = absolute(env, "HOME");
    let mode = layers.read("tls.mode", |given| given.word(TlsMode::WORDS)).unwrap_or(TlsMode::Auto);
    let names = layers.read("tls.names", |given| given.host_names()).unwrap_or_default();
    let mut file = |key| layers.read(key, |given| given.file_or_none(home.as_deref())).flatten();
    let (cert_file, key_file): (Option<PathBuf>, Option<PathBuf>) = (file("tls.cert_file"), file("tls.key_file"));
    let files = match (cert_file, key_file) {
        (Some(cert_file), Some(key_file)) => Some(TlsFiles { cert_file, key_file }),
        (None, None) => None,
        (cert_file, _) => {
            let (given, missing) = match cert_file {
                Some(_) => ("tls.cert_file", "tls.key_file"),
                None => ("tls.key_file", "tls.cert_file"),
            };
            let allowed = "both files, or none".to_owned();
            let found = format!("{given} without {missing}");
            layers.faults.push(ConfigFault { path: layers.place_of(given), found, allowed, nearest: None });
            None
        }
    };
    let Some(files) = files else { return TlsConfig { mode, files: None, names } };
    if mode == TlsMode::Off {
        let path = layers.place_of("tls.mode");
        let (found, allowed) = ("`off`, and a certificate".to_owned(), "auto or on, or no certificate".to_owned());
        layers.faults.push(ConfigFault { path, found, allowed, nearest: None });
        return TlsConfig { mode, files: None, names };
    }
    for fault in files.faults(Clock::system().now_ms()) {
        let key = if is_of_key(&fault, &files) { "tls.key_file" } else { "tls.cert_file" };
        let (path, found, allowed) = (layers.place_of(key), fault.to_string(), fault.allowed().to_owned());
        layers.faults.push(ConfigFault { path, found, allowed, nearest: None });
    }
    TlsConfig { mode, files: Some(files), names }
}

fn is_of_key(fault: &TlsFault, files: &TlsFiles) -> bool {
    fault.path() == files.key_file && (files.key_file != files.cert_file || matches!(fault, TlsFault::NoKey(_)))
}

//! `shuntd check` for people and for programs.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{Finding, Level};
use crate::config::{Config, ConfigFaults};

/// The configuration, what is wrong in it, and what was found beside it.
pub struct Report<'a> {
    pub config: &'a Config,
    /// The file that was read.
    pub file: Option<&'a Path>,
    pub faults: Option<&'a ConfigFaults>,
    pub findings: &'a [Finding],
}

impl Report<'_> {
    /// Nothing keeps the daemon from starting well.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.faults.is_none() && self.findings.iter().all(|finding| finding.level != Level::Fault)
    }

    /// What is good, as a TOML document whose comments say the rest; and the faults.
    #[must_use]
    pub fn texts(&self) -> (String, String) {
        let (mut good, mut bad) = (String::new(), String::new());
        if let Some(faults) = self.faults {
            let _ = writeln!(bad, "{faults}");
        } else {
            let file =
                self.file.map_or_else(|| "no file was read".to_owned(), |file| format!("read {}", file.display()));
            let _ = write!(good, "# the configuration is good; {file}\n{}", self.config.to_toml());
        }
        let mut gap = "\n";
        for Finding { level, message, next, .. } in self.findings {
            let next = if next.is_empty() { String::new() } else { format!("; {next}") };
            if *level == Level::Fault {
                let _ = writeln!(bad, "fault: {message}{next}");
            } else {
                let _ = writeln!(good, "{gap}# {}: {message}{next}", level.as_str());
                gap = "";
            }
        }
        (good, bad)
    }

    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "good": self.is_good(),
            "file": self.file,
            "data_dir": self.config.data.dir,
            "config_faults": self.faults.map_or(&[][..], |faults| faults.0.as_slice()),
            "config": self.faults.is_none().then(|| self.config.to_toml()),
            "findings": self.findings,
        })
    }
}

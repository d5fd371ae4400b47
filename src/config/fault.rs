//! What is wrong in the configuration, in words that say what to do.

use std::fmt;

/// One wrong value or unknown key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ConfigFault {
    /// Where it was said: `FILE: server.listen`, `SHUNTD_SERVER_LISTEN`, `--listen`.
    pub path: String,
    pub found: String,
    pub allowed: String,
    /// The known word that looks most like what was found.
    pub nearest: Option<String>,
}

impl ConfigFault {
    /// Whether it is about this key, however it was said.
    #[must_use]
    pub fn is_about(&self, section: &str, key: &str) -> bool {
        let said = self.path.rsplit(": ").next().unwrap_or_default();
        let variable = format!("SHUNTD_{section}_{key}").to_ascii_uppercase();
        let flag = format!("--{section}-{key}").replace('_', "-");
        said == format!("{section}.{key}") || said == variable || said == flag
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}; allowed: {}", self.path, self.found, self.allowed)?;
        match &self.nearest {
            Some(nearest) => write!(f, " (did you mean `{nearest}`?)"),
            None => Ok(()),
        }
    }
}

/// Every fault of a configuration; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has {} fault{}:{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, lines(.0))]
pub struct ConfigFaults(pub Vec<ConfigFault>);

fn lines(faults: &[ConfigFault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

/// Finds the known word that looks like `found`, when one is close enough to be meant.
pub(super) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Similarity from 0 to 1 below which a proposal is more puzzling than helpful.
    const CLOSE: f64 = 0.75;
    let found = found.to_ascii_lowercase();
    let scored = known.into_iter().map(|word| (strsim::jaro_winkler(&found, &word.to_ascii_lowercase()), word));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= CLOSE).then(|| best.1.to_owned())
}

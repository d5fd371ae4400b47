//! How a job is handed a secret: as a variable of its environment, or as a file.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::SecretName;
use crate::runner::{BadName, check_name};
use crate::wire::frame::{check_variable, is_ours};

/// Secrets that one job may be handed.
pub const MAX_USES: usize = 50;
/// What the secrets of one job may have in all, in bytes: as much as a process can be started with everywhere.
pub const MAX_GIVEN_BYTES: usize = 256 * 1024;

/// One secret that a job is handed, as its author writes it: `"NAME"`, `{"secret": "NAME", "env": "VARIABLE"}`, or
/// `{"file": "NAME"}` with `"env"` for a variable that holds the file's path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "Written", into = "Written")]
pub struct SecretUse {
    pub secret: SecretName,
    pub given: GivenAs,
}

/// Where the job finds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenAs {
    /// In this variable.
    Variable(String),
    /// In the file `$SHUNT_SECRETS/NAME`, whose path is also in this variable.
    File { path_in: Option<String> },
}

/// What is allowed in a list of secrets.
pub const USE_RULE: &str =
    r#""NAME", {"secret": "NAME", "env": "VARIABLE"}, {"file": "NAME"} or {"file": "NAME", "env": "VARIABLE"}"#;

/// As it stands in JSON.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "SecretUse"))]
#[serde(
    untagged,
    expecting = "a secret is written as \"NAME\", {\"secret\": \"NAME\", \"env\": \"VARIABLE\"} or {\"file\": \"NAME\"}"
)]
enum Written {
    Name(String),
    Parts(Parts),
}

/// The keys of the long form.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(rename = "SecretParts"))]
#[serde(deny_unknown_fields)]
pub(crate) struct Parts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) env: Option<String>,
}

impl TryFrom<Written> for SecretUse {
    type Error = BadName;

    fn try_from(written: Written) -> Result<Self, BadName> {
        match written {
            Written::Name(name) => Self::variable(&name, None),
            Written::Parts(parts) => Self::try_from(parts),
        }
    }
}

impl TryFrom<Parts> for SecretUse {
    type Error = BadName;

    fn try_from(Parts { secret, file, env }: Parts) -> Result<Self, BadName> {
        match (secret, file) {
            (Some(name), None) => Self::variable(&name, env.as_deref()),
            (None, Some(name)) => Self::file(&name, env.as_deref()),
            (secret, _) => {
                let found = if secret.is_some() { "both `secret` and `file`" } else { "neither `secret` nor `file`" };
                Err(BadName { what: "secret of a job", found: found.into(), allowed: USE_RULE, nearest: None })
            }
        }
    }
}

impl From<SecretUse> for Written {
    fn from(SecretUse { secret, given }: SecretUse) -> Self {
        let name = secret.to_string();
        match given {
            GivenAs::Variable(env) if env == name => Self::Name(name),
            GivenAs::Variable(env) => Self::Parts(Parts { secret: Some(name), file: None, env: Some(env) }),
            GivenAs::File { path_in } => Self::Parts(Parts { secret: None, file: Some(name), env: path_in }),
        }
    }
}

impl SecretUse {
    /// The secret in a variable, which is called as the secret unless `env` says otherwise.
    ///
    /// # Errors
    /// `BadName` names the word that cannot be used.
    pub fn variable(name: &str, env: Option<&str>) -> Result<Self, BadName> {
        let variable = variable(env.unwrap_or(name))?;
        Ok(Self { secret: name.parse()?, given: GivenAs::Variable(variable) })
    }

    /// The secret in a file, whose path is in `env`, too.
    ///
    /// # Errors
    /// As `variable`.
    pub fn file(name: &str, env: Option<&str>) -> Result<Self, BadName> {
        Ok(Self { secret: name.parse()?, given: GivenAs::File { path_in: env.map(variable).transpose()? } })
    }

    /// The variable that it sets.
    #[must_use]
    pub fn sets(&self) -> Option<&str> {
        match &self.given {
            GivenAs::Variable(name) => Some(name),
            GivenAs::File { path_in } => path_in.as_deref(),
        }
    }
}

fn variable(name: &str) -> Result<String, BadName> {
    let good = check_variable(name, "").is_ok() && !is_ours(name);
    check_name(good, "variable", name, "letters, digits and `_`, not starting with a digit or SHUNT_")?;
    Ok(name.to_owned())
}

/// Checks what the secrets of one job are handed as, beside its `env`: nothing is said twice.
///
/// # Errors
/// `BadName` names what is.
pub fn check_uses(uses: &[SecretUse], env: &BTreeMap<String, String>) -> Result<(), BadName> {
    check_name(uses.len() <= MAX_USES, "number of secrets", &uses.len().to_string(), "up to 50 secrets")?;
    let (mut variables, mut files): (BTreeSet<&str>, BTreeSet<&str>) =
        (env.keys().map(String::as_str).collect(), BTreeSet::new());
    for one in uses {
        if let Some(name) = one.sets() {
            check_name(variables.insert(name), "variable", name, "a variable that nothing else sets")?;
        }
        if matches!(one.given, GivenAs::File { .. }) {
            let name = one.secret.as_str();
            check_name(files.insert(name), "file of a secret", name, "each file once")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_written_short_or_long_and_back() {
        for text in [
            r#""TOKEN""#,
            r#"{"secret":"TOKEN","env":"NPM_TOKEN"}"#,
            r#"{"file":"KEY"}"#,
            r#"{"file":"KEY","env":"KUBECONFIG"}"#,
        ] {
            let one: SecretUse = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&one).unwrap(), text);
        }
        let same: SecretUse = serde_json::from_str(r#"{"secret":"TOKEN"}"#).unwrap();
        assert_eq!(same, SecretUse::variable("TOKEN", None).unwrap());
    }

    #[test]
    fn what_is_no_use_is_refused_with_what_is() {
        for text in [
            "1",
            "{}",
            r#""token""#,
            r#"{"secret":"A","file":"A"}"#,
            r#"{"secret":"A","as":"B"}"#,
            r#"{"secret":"A","env":"1B"}"#,
            r#"{"secret":"A","env":"SHUNT_X"}"#,
            r#"{"file":"../A"}"#,
            r#""UID""#,
        ] {
            assert!(serde_json::from_str::<SecretUse>(text).is_err(), "{text}");
        }
        let said = serde_json::from_str::<SecretUse>("1").unwrap_err().to_string();
        assert!(said.contains(r#"{"file": "NAME"}"#), "{said}");
    }

    #[test]
    fn nothing_is_handed_over_twice() {
        let uses = |texts: &[&str]| -> Vec<SecretUse> {
            texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
        };
        let env = BTreeMap::from([("B".to_owned(), String::new())]);
        let good = uses(&[r#""A""#, r#"{"file":"A"}"#, r#"{"secret":"A","env":"C"}"#]);
        assert_eq!(check_uses(&good, &env), Ok(()));
        for bad in [
            uses(&[r#""A""#, r#""A""#]),
            uses(&[r#""B""#]),
            uses(&[r#"{"file":"A"}"#, r#"{"file":"A","env":"D"}"#]),
            uses(&[r#"{"file":"A","env":"B"}"#]),
            vec![SecretUse::variable("A", None).unwrap(); 51],
        ] {
            assert!(check_uses(&bad, &env).is_err(), "{bad:?}");
        }
    }
}

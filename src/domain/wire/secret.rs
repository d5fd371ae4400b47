//! Secrets over HTTP: set, listed by name; a value never comes back.

use serde::{Deserialize, Serialize};

/// `PUT …/secrets/:secret`. Has no `Debug`: it is secret.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetSecret {
    pub value: String,
}

/// `GET …/secrets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct SecretsBody {
    pub secrets: Vec<SecretEntry>,
}

/// One secret, without itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct SecretEntry {
    pub name: String,
    pub created_at: String,
    pub created_by: String,
    pub updated_at: String,
    pub updated_by: String,
}

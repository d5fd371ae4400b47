//! Users, roles and tokens as the API shows them.
//!
//! What holds a password or a token has no `Debug`: it is secret.

use serde::{Deserialize, Serialize};

use crate::access::{Grant, Place, Role};
use crate::closed::closed_list;
use crate::tenancy::Name;

/// The shortest password that is taken, in characters.
pub const MIN_PASSWORD_CHARS: usize = 8;
/// The longest one, in bytes: what is hashed is bounded.
pub const MAX_PASSWORD_BYTES: usize = 1024;
/// The longest time that a token may be good for: ten years.
pub const MAX_TOKEN_TTL_S: u32 = 3650 * 24 * 3600;
/// How long a token is good for that nobody says otherwise of: 90 days.
pub const TOKEN_TTL_S: u32 = 90 * 24 * 3600;
/// How long a token is good for that was got by a password: a week, as Chef's.
pub const LOGIN_TTL_S: u32 = 7 * 24 * 3600;
/// Grants that one user or token may have.
pub const MAX_GRANTS: usize = 200;
/// The name of whoever has the token of the daemon's file; no user can have it.
pub const ADMIN_FILE_USER: &str = "admin";

closed_list! {
    /// What a token is.
    TokenKind {
        /// The one of the daemon's file.
        Admin = "admin",
        /// Got by a password.
        Login = "login",
        /// A user's own, made by hand.
        Personal = "personal",
        /// A program's, with grants of its own.
        Machine = "machine",
    }
}

/// A role and where it holds: `{"role"}` in the enterprise, with `org` in that organisation, with `org` and `project` in
/// that project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GrantBody {
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
}

impl GrantBody {
    /// Reads where it holds; `None` for a project that lies in no organisation.
    #[must_use]
    pub fn grant(self) -> Option<Grant> {
        let place = match (self.org, self.project) {
            (None, None) => Place::Enterprise,
            (Some(org), None) => Place::Org(org),
            (Some(org), Some(project)) => Place::Project(org, project),
            (None, Some(_)) => return None,
        };
        Some(Grant { role: self.role, place })
    }
}

impl From<&Grant> for GrantBody {
    fn from(grant: &Grant) -> Self {
        let (org, project) = match grant.place.clone() {
            Place::Enterprise => (None, None),
            Place::Org(org) => (Some(org), None),
            Place::Project(org, project) => (Some(org), Some(project)),
        };
        Self { role: grant.role, org, project }
    }
}

/// `POST /users`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    pub name: Name,
    /// Without one, only tokens lead in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantBody>,
}

/// `PATCH /users/:user`. Keys that are absent stay as they are; all that is asked is done, or nothing.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PatchUser {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// A new one ends what was begun with the old one: the tokens of logins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Given in addition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grant: Vec<GrantBody>,
    /// Taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoke: Vec<GrantBody>,
}

/// `PUT /users/:user/grants`: these and no others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PutGrants {
    pub grants: Vec<GrantBody>,
}

/// `POST /users/:user/password`: a user's own.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    pub old: String,
    pub new: String,
}

/// A user, without anything that leads in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UserBody {
    pub name: Name,
    pub grants: Vec<GrantBody>,
    pub has_password: bool,
    pub disabled: bool,
    pub created_at: String,
    pub created_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_set_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<String>,
}

/// `GET /users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UserList {
    pub users: Vec<UserBody>,
}

/// `POST /users/:user/get-token`, as Chef's clients ask.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct GetToken {
    pub username: String,
    pub password: String,
}

/// Its answer.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct GotToken {
    pub token: String,
    /// Seconds.
    pub ttl: u32,
}

/// `POST /tokens`: one of a person, or with `machine` one of a program, which has grants of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is called in lists; of a machine also who acts.
    pub name: Name,
    #[serde(default = "token_ttl_s")]
    pub ttl_s: u32,
    /// Whose it is; the caller's own when absent. Others' are made by an admin of the enterprise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Name>,
    #[serde(default)]
    pub machine: bool,
    /// Of a machine only: nobody gives what is not theirs to give.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantBody>,
}

const fn token_ttl_s() -> u32 {
    TOKEN_TTL_S
}

/// A token without itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TokenBody {
    pub id: String,
    pub name: String,
    pub kind: TokenKind,
    /// Its first characters.
    pub prefix: String,
    /// `good`, `expired` or `revoked`.
    #[cfg_attr(feature = "openapi", schemars(extend("enum" = ["good", "expired", "revoked"])))]
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Of a machine's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantBody>,
    pub created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// To the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

/// `GET /tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TokenList {
    pub tokens: Vec<TokenBody>,
}

/// A token that was just made: the only answer that holds it.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewToken {
    pub token: String,
    #[serde(flatten)]
    pub about: TokenBody,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_read_as_it_is_written_and_a_project_needs_its_organisation() {
        for text in [
            r#"{"role":"admin"}"#,
            r#"{"role":"committer","org":"shop"}"#,
            r#"{"role":"shipper","org":"shop","project":"web"}"#,
        ] {
            let body: GrantBody = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&GrantBody::from(&body.grant().unwrap())).unwrap(), text);
        }
        let alone: GrantBody = serde_json::from_str(r#"{"role":"admin","project":"web"}"#).unwrap();
        assert_eq!(alone.grant(), None);
        for bad in [r#"{"role":"root"}"#, r#"{"role":"admin","org":"a b"}"#, r#"{"role":"admin","x":1}"#, "{}"] {
            assert!(serde_json::from_str::<GrantBody>(bad).is_err(), "{bad}");
        }
    }
}

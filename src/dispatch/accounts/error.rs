//! Why somebody is not let in, or may not change who is.

use shuntyard_domain::tenancy::Name;

use crate::dispatch::DispatchError;
use crate::store::StoreError;

/// A request about users or tokens was refused; nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Which of the reasons it is, is not told: no token, an unknown or revoked one, of another or a disabled user.
    #[error("the request carries no valid token; send `Authorization: Bearer TOKEN`")]
    TokenDenied,
    #[error("the token has expired; log in again, or make another")]
    TokenExpired,
    /// No such user, another password, no password, or disabled: all look the same.
    #[error("user name or password is wrong")]
    Unauthorized,
    #[error("too many wrong passwords; try again in {wait_s} s")]
    TooManyTries { wait_s: i64 },
    #[error("too many logins at the same time; try again")]
    Crowded,
    #[error("this is not allowed with what the token may do")]
    Forbidden,
    #[error("there is no user `{0}`")]
    NoUser(String),
    #[error("there is no organisation `{0}`; make it first: `shunt org create {0}`")]
    NoOrg(Name),
    #[error("there is no token {0}")]
    NoToken(String),
    #[error(
        "nobody would be left who is an admin of the enterprise and not disabled; make somebody else one first: \
         `shunt user grant NAME admin`"
    )]
    LastAdmin,
    #[error("`admin` is whoever has the token of the daemon's file; give the user another name")]
    ReservedName,
    #[error("this is the token of the daemon's file: delete that file and restart the daemon, which makes another")]
    FileToken,
    #[error("user {0} has no password that could be changed; an admin sets one: `shunt user password {0}`")]
    NoPassword(Name),
    #[error(transparent)]
    Engine(#[from] DispatchError),
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what: "user", key } => Self::NoUser(key),
            error => Self::Engine(error.into()),
        }
    }
}

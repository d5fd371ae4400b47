//! Why a host is not enrolled, with what its owner should try.

use shuntyard_domain::wire::enrolment::BadHostRequest;
use shuntyard_domain::wire::time_text::rfc3339;
use shuntyard_domain::wrapper::install::InstallFault;
use shuntyard_domain::wrapper::{BadAnswer, BadPlan};

use crate::dispatch::DispatchError;
use crate::ssh::KeyError;
use crate::store::StoreError;

/// An enrolment was refused or has failed. Nothing was stored, and its token is as good as before.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Another kind of secret, a part of a token, or a wrong letter.
    #[error("this is not a whole enrolment token")]
    Malformed,
    #[error("the token is not known here")]
    Unknown,
    #[error("the token has expired at {}", rfc3339(*.at_ms))]
    Expired { at_ms: i64 },
    #[error("the token was revoked at {}", rfc3339(*.at_ms))]
    Revoked { at_ms: i64 },
    #[error("the token was used already, for runner `{hostname}`")]
    Used { hostname: String },
    #[error("the token is not to be used from or for {address}, only in {cidr}")]
    WrongNetwork { address: String, cidr: String },
    #[error("too many wrong tokens came from this address")]
    TooManyTries { wait_s: i64 },
    #[error("too many enrolments are under way")]
    Crowded,
    #[error("the token is for `{allowed}` only, not for `{wanted}`")]
    WrongName { wanted: String, allowed: String },
    #[error("there is already a runner `{0}`")]
    NameTaken(String),
    #[error("this host is already runner `{0}`")]
    HostTaken(String),
    #[error("the script brings wrapper {found}, and this dispatcher has {wanted}")]
    OtherVersion { found: String, wanted: String },
    #[error("this enrolment is not known here")]
    NoEnrolment,
    #[error(transparent)]
    BadRequest(#[from] BadHostRequest),
    #[error("{0}")]
    BadValue(String),
    #[error("what the host says of itself is not understood: {0}")]
    Facts(#[from] BadAnswer),
    #[error("what the host says of the install is not understood: {0}")]
    Install(#[from] InstallFault),
    /// The dispatcher could not connect, or the Test has failed.
    #[error("{step}: {why}")]
    Step { step: &'static str, why: String, try_next: String },
    #[error(transparent)]
    Engine(#[from] DispatchError),
}

impl From<StoreError> for EnrolError {
    fn from(error: StoreError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<KeyError> for EnrolError {
    fn from(error: KeyError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<BadPlan> for EnrolError {
    fn from(error: BadPlan) -> Self {
        Self::BadValue(error.to_string())
    }
}

impl EnrolError {
    /// A stable word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::Unknown => "token_denied",
            Self::Expired { .. } => "token_expired",
            Self::Revoked { .. } => "token_revoked",
            Self::Used { .. } => "token_used",
            Self::WrongNetwork { .. } => "wrong_network",
            Self::TooManyTries { .. } | Self::Crowded => "too_many_tries",
            Self::WrongName { .. } => "wrong_name",
            Self::NameTaken(_) => "name_taken",
            Self::HostTaken(_) => "host_taken",
            Self::OtherVersion { .. } => "other_version",
            Self::NoEnrolment => "no_enrolment",
            Self::BadRequest(_) | Self::BadValue(_) | Self::Facts(_) | Self::Install(_) => "bad_request",
            Self::Step { .. } => "step_failed",
            Self::Engine(DispatchError::UnderWay(_)) => "under_way",
            Self::Engine(DispatchError::DialOutOff) => "dial_out_off",
            Self::Engine(_) => "internal_error",
        }
    }

    /// What to try, as one sentence.
    #[must_use]
    pub fn try_next(&self) -> String {
        match self {
            Self::Malformed => "copy the whole token as `shunt ctl create-token` showed it: shye_ and 36 characters".into(),
            Self::Unknown | Self::Expired { .. } | Self::Revoked { .. } | Self::Used { .. } => {
                "make a new one: shunt ctl create-token NAME".into()
            }
            Self::WrongNetwork { .. } => {
                "enrol from inside that network, or make a token with another --cidr (behind a proxy the dispatcher sees \
                 the proxy's address)"
                    .into()
            }
            Self::TooManyTries { wait_s } => format!("wait {wait_s} s"),
            Self::Crowded => "wait a minute".into(),
            Self::WrongName { allowed, .. } => format!("use SHUNT_ENROL_NAME={allowed} or leave it out"),
            Self::NameTaken(name) => {
                format!("name it otherwise with SHUNT_ENROL_NAME, or delete the other first: shunt ctl delete-runner {name}")
            }
            Self::HostTaken(name) => format!(
                "delete that runner first: shunt ctl delete-runner {name}; if this machine is a copy of that one, remove its \
                 work directory (/var/lib/shuntyard or ~/.cache/shuntyard) and enrol again"
            ),
            Self::OtherVersion { .. } => "fetch enrol.sh from the dispatcher again".into(),
            Self::BadRequest(_) | Self::BadValue(_) | Self::Facts(_) | Self::Install(_) | Self::NoEnrolment => {
                "run the script again, as the dispatcher serves it".into()
            }
            Self::Step { try_next, .. } => try_next.clone(),
            Self::Engine(DispatchError::DialOutOff) => "ask who runs the dispatcher; or use a token without --dial-out".into(),
            Self::Engine(DispatchError::UnderWay(_)) => "wait until the other one has ended".into(),
            Self::Engine(_) => "run the script again; the dispatcher's log says why it has failed".into(),
        }
    }

    /// What counts against the address that asks.
    pub(super) const fn is_about_the_token(&self) -> bool {
        matches!(
            self,
            Self::Malformed
                | Self::Unknown
                | Self::Expired { .. }
                | Self::Revoked { .. }
                | Self::Used { .. }
                | Self::WrongNetwork { .. }
        )
    }
}

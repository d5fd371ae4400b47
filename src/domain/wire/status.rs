//! What Chef's clients ask before anything else.

use serde::{Deserialize, Serialize};

use crate::closed::closed_list;

/// `GET /api/_status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct StatusBody {
    /// Whether the store answers.
    pub status: StatusWord,
    pub configuration_mode: String,
    pub fips_mode: bool,
    /// Chef's parts; `postgres` stands for whichever store this server has.
    pub upstreams: Vec<UpstreamsBody>,
    pub a2_mode: bool,
}

/// Chef's parts by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UpstreamsBody {
    pub postgres: UpstreamBody,
    pub lsyncd: UpstreamBody,
    pub rabbitmq: UpstreamBody,
}

/// How one of them is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UpstreamBody {
    pub status: StatusWord,
}

closed_list!(
    /// Chef's words for a part of it.
    StatusWord { Pong = "pong", Fail = "fail", NotRunning = "not_running" }
);

impl StatusBody {
    /// Builds the answer of a server whose store answers, or does not.
    #[must_use]
    pub fn of(store_answers: bool) -> Self {
        let store = if store_answers { StatusWord::Pong } else { StatusWord::Fail };
        let part = |status| UpstreamBody { status };
        let (lsyncd, rabbitmq) = (part(StatusWord::NotRunning), part(StatusWord::NotRunning));
        Self {
            status: store,
            configuration_mode: "standalone".into(),
            fips_mode: false,
            upstreams: vec![UpstreamsBody { postgres: part(store), lsyncd, rabbitmq }],
            a2_mode: false,
        }
    }
}

/// `GET …/saml/enabled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct SamlBody {
    pub enabled: bool,
}

/// `GET …/users/:user/verify-token`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct VerifiedBody {
    pub status: Verified,
}

closed_list!(
    /// The answer to a good token.
    Verified { Ok = "ok" }
);

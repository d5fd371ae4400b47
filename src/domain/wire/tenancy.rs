//! Organisations, projects and pipelines as the API shows them; keys are in the order in which Chef's clients have seen them.

use serde::{Deserialize, Serialize};

use crate::tenancy::Name;

/// `POST /orgs`, `POST …/projects` and `POST …/pipelines`, and their answers; Chef's way to list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewName {
    pub name: Name,
}

impl NewName {
    /// Chef's way to list: `[{"name": …}, …]`.
    #[must_use]
    pub fn list(names: Vec<Name>) -> Vec<Self> {
        names.into_iter().map(|name| Self { name }).collect()
    }
}

/// `GET /orgs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OrgsBody {
    pub orgs: Vec<NewName>,
}

/// `GET /orgs/:org`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OrgBody {
    pub created_at: String,
    pub name: Name,
    pub projects: Vec<NewName>,
}

/// `GET /orgs/:org/projects`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProjectsBody {
    pub projects: Vec<NewName>,
}

/// `GET /orgs/:org/projects/:project`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProjectBody {
    pub created_at: String,
    pub name: Name,
    pub org: Name,
    pub pipelines: Vec<NewName>,
}

/// `GET …/pipelines`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PipelinesBody {
    pub pipelines: Vec<NewName>,
}

/// `GET …/pipelines/:pipeline`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PipelineBody {
    pub created_at: String,
    pub name: Name,
    pub org: Name,
    pub project: Name,
}

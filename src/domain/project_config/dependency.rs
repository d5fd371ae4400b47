//! One of `dependencies`: which pipeline of which project this one needs.
//!
//! Chef's four spellings: `PROJECT`, `PROJECT:PIPELINE`, `ORG/PROJECT` and `ORG/PROJECT:PIPELINE`. What is left out is
//! as where the configuration itself is used: the same organisation, and the pipeline of the same name (Chef takes
//! `master`, which is that pipeline wherever projects have one).

use std::str::FromStr;

use crate::runner::BadName;
use crate::tenancy::{Name, PipelinePath};

/// What one entry may look like.
pub(super) const SPELLINGS: &[&str] = &["PROJECT", "PROJECT:PIPELINE", "ORG/PROJECT", "ORG/PROJECT:PIPELINE"];

/// A pipeline that a project needs at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub org: Option<Name>,
    pub project: Name,
    pub pipeline: Option<Name>,
}

impl Dependency {
    /// Tells whether a change at `here` that says this needs what is at `there`.
    #[must_use]
    pub fn leads(&self, here: &PipelinePath, there: &PipelinePath) -> bool {
        there.enterprise == here.enterprise
            && there.org == *self.org.as_ref().unwrap_or(&here.org)
            && there.project == self.project
            && there.pipeline == *self.pipeline.as_ref().unwrap_or(&here.pipeline)
    }
}

impl FromStr for Dependency {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let (org, rest) = text.split_once('/').map_or((None, text), |(org, rest)| (Some(org), rest));
        let (project, pipeline) = rest.split_once(':').map_or((rest, None), |(project, pipe)| (project, Some(pipe)));
        Ok(Self {
            org: org.map(str::parse).transpose()?,
            project: project.parse()?,
            pipeline: pipeline.map(str::parse).transpose()?,
        })
    }
}

//! Where a change goes: organisation, project, pipeline.

use std::path::Path;

use clap::Args;
use shuntyard_domain::tenancy::Name;

use crate::failure::Failure;
use crate::project::project_name;

/// The flags that say where.
#[derive(Args, Clone, Debug)]
pub struct PlaceArgs {
    /// Organisation
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub org: Name,
    /// Pipeline of the project
    #[arg(long, value_name = "NAME", default_value = "master")]
    pub pipeline: Name,
    /// Name of the project [default: the directory's]
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,
}

/// A pipeline of the enterprise that is spoken for.
#[derive(Clone, Debug)]
pub struct Place {
    pub org: Name,
    pub project: Name,
    pub pipeline: Name,
}

impl PlaceArgs {
    /// The pipeline of the project in `dir`.
    ///
    /// # Errors
    /// `Usage` when neither a flag nor the directory gives a name.
    pub fn resolve(self, dir: &Path) -> Result<Place, Failure> {
        Ok(Place { org: self.org, project: project_name(self.name, dir)?, pipeline: self.pipeline })
    }
}

impl Place {
    /// Its path below the enterprise.
    #[must_use]
    pub fn path(&self) -> String {
        format!("orgs/{}/projects/{}/pipelines/{}", self.org, self.project, self.pipeline)
    }
}

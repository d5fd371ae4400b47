//! Files that a job has left.

use serde::{Deserialize, Serialize};

use crate::artifacts::Artifact;
use crate::digest::Digest;

/// Each element of `GET /jobs/:id/artifacts`; its bytes are `GET /jobs/:id/artifacts/PATH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ArtifactBody {
    /// Relative to the job's work directory.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// `644`, or `755` of a file that can be run.
    #[cfg_attr(feature = "openapi", schemars(extend("enum" = ["644", "755"])))]
    pub mode: String,
}

impl From<&Artifact> for ArtifactBody {
    fn from(artifact: &Artifact) -> Self {
        Self {
            path: artifact.path.clone(),
            size: artifact.size,
            digest: artifact.digest,
            mode: if artifact.executable { "755" } else { "644" }.into(),
        }
    }
}

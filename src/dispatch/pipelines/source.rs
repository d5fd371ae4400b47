//! What a change's own source says that its phases do.

use shuntyard_domain::change::{Settings, Source};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::project_config::{
    CANDIDATES, Fault, LOCAL_PHASES_CANDIDATES, LocalPhases, MAX_BYTES, MAX_LOCAL_PHASES_BYTES, ProjectConfig, parse,
    parse_local_phases,
};

use crate::blobs::FoundFile;
use crate::dispatch::engine_error::bad;
use crate::dispatch::{DispatchError, Dispatcher, git_blob_id};
use crate::store::GivenConfig;

/// A configuration without faults.
pub(in crate::dispatch) struct Parsed {
    pub config: ProjectConfig,
    pub local: Option<LocalPhases>,
    /// Git's ids of their texts.
    config_blob: String,
    local_blob: Option<String>,
}

impl Parsed {
    /// By which files jobs are planned.
    pub fn settings(&self) -> Settings<'_> {
        Settings { config: &self.config_blob, local: self.local_blob.as_deref() }
    }
}

impl Dispatcher {
    /// The texts in a source; `given` are those that came with a change whose source cannot be read here.
    ///
    /// # Errors
    /// `BadRequest` when there is no config.json; `Blob` when the tree is not there, or a file is too large.
    pub(super) async fn texts(
        &self,
        source: &Source,
        given: Option<GivenConfig>,
    ) -> Result<GivenConfig, DispatchError> {
        let Some(tree) = source.workspace() else {
            let shape = &["the text of config.json"];
            return given.ok_or_else(|| bad("config", "the source cannot be read without a runner", shape));
        };
        let Some(config) = self.text_of(tree, &CANDIDATES, MAX_BYTES).await? else {
            return Err(bad("source", format!("the files of workspace {tree} have no config.json"), &CANDIDATES));
        };
        let local_phases = self.text_of(tree, &LOCAL_PHASES_CANDIDATES, MAX_LOCAL_PHASES_BYTES).await?;
        Ok(GivenConfig { config, local_phases })
    }

    async fn text_of(
        &self,
        tree: Digest,
        paths: &'static [&'static str],
        max_bytes: usize,
    ) -> Result<Option<String>, DispatchError> {
        let found = self.on_blobs(move |blobs| blobs.first_file(tree, paths, max_bytes as u64)).await?;
        let Some(FoundFile { path, bytes }) = found else { return Ok(None) };
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| bad("source", format!("{path} is not UTF-8"), &["text"]))
    }
}

/// Reads both texts.
///
/// # Errors
/// `BadConfig` with every fault of both.
pub(in crate::dispatch) fn parsed(texts: &GivenConfig) -> Result<Parsed, DispatchError> {
    let local = texts.local_phases.as_deref().map(parse_local_phases).transpose().map_err(in_project_toml);
    match (parse(&texts.config), local) {
        (Ok(config), Ok(local)) => {
            let local_blob = texts.local_phases.as_ref().map(|text| git_blob_id(text.as_bytes()));
            Ok(Parsed { config, local, config_blob: git_blob_id(texts.config.as_bytes()), local_blob })
        }
        (config, local) => {
            let faults = config.err().into_iter().chain(local.err()).flatten().collect();
            Err(DispatchError::BadConfig(faults))
        }
    }
}

/// Says in the path which of the two files a fault is in.
fn in_project_toml(faults: Vec<Fault>) -> Vec<Fault> {
    let told = |fault: Fault| Fault { path: format!("project.toml: {}", fault.path), ..fault };
    faults.into_iter().map(told).collect()
}

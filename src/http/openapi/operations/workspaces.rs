//! `/workspaces`: trees of files that jobs start in.

use shuntyard_domain::digest::Digest;
use shuntyard_domain::wire::workspace::WorkspaceBody;

use super::super::operation::{Operation, get, put};
use crate::http::error::words::ErrorWord as E;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/workspaces/{id}", "show_workspace", "Says which files of a tree the server lacks.")
            .id::<Digest>()
            .answers::<WorkspaceBody>(),
        put("/workspaces/{id}", "put_workspace", "Takes the manifest of a tree and says which files the server lacks.")
            .id::<Digest>()
            .takes_bytes("application/octet-stream")
            .answers::<WorkspaceBody>()
            .fails(&[E::BadWorkspace, E::OtherDigest, E::WorkspaceTooLarge]),
        put("/workspaces/{id}/files", "put_workspace_files", "Takes files of a tree as one zstd stream.")
            .note("Each file is a line `SHA256 SIZE` and SIZE bytes. What has come whole need not come again.")
            .id::<Digest>()
            .takes_bytes("application/octet-stream")
            .answers::<WorkspaceBody>()
            .fails(&[E::OtherDigest, E::NotAsked, E::BadBundle, E::CompressedTooMuch, E::CutOff]),
    ]
}

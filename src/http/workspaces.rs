//! `/workspaces`: trees of files that jobs start in.
//!
//! `PUT /workspaces/SHA256` takes the manifest (its text, see `domain::workspace`) and answers which files the server
//! lacks; `PUT /workspaces/SHA256/files` takes those, as one zstd stream of `SHA256 SIZE\n` and SIZE bytes each. An
//! upload that was cut is resumed by the same two requests: what has come whole is not missing any more.

use std::io;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use futures_util::StreamExt as _;
use shuntyard_domain::digest::Digest;
use shuntyard_domain::wire::workspace::WorkspaceBody;
use tokio::sync::mpsc;

use super::Api;
use super::error::ApiError;
use super::path::PathId;
use crate::blobs::{Held, MAX_MANIFEST_BYTES};
use crate::dispatch::Upload;

/// How long an upload may be silent, and how long a manifest may take.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// Pieces that wait for the disk.
const PIECES: usize = 16;
/// What a refused upload may still send before it is cut off.
const DRAINED_PIECES: usize = 4096;
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

fn body_of(held: &Held) -> Json<WorkspaceBody> {
    Json(WorkspaceBody {
        digest: held.digest,
        entries: held.manifest.len() as u64,
        bytes: held.manifest.bytes(),
        missing: held.missing.iter().map(|(digest, _)| *digest).collect(),
        missing_bytes: held.missing.iter().map(|(_, size)| size).sum(),
    })
}

pub(super) async fn show(
    State(api): State<Api>,
    PathId(digest): PathId<Digest>,
) -> Result<Json<WorkspaceBody>, ApiError> {
    Ok(body_of(&api.dispatcher.workspace(digest).await?))
}

/// Takes the manifest; saying it again is how an upload is resumed.
pub(super) async fn submit(
    State(api): State<Api>,
    PathId(digest): PathId<Digest>,
    request: Request,
) -> Result<Json<WorkspaceBody>, ApiError> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let too_large = || ApiError::TooLarge("the manifest is larger than 64 MiB, or was cut off".into());
    if announced.is_some_and(|length| length > MAX_MANIFEST_BYTES) {
        return Err(too_large());
    }
    let manifest = tokio::time::timeout(SILENCE_LIMIT, to_bytes(request.into_body(), MAX_MANIFEST_BYTES)).await;
    let manifest = manifest.map_err(|_| ApiError::TooSlow)?.map_err(|_| too_large())?;
    Ok(body_of(&api.dispatcher.put_workspace(digest, manifest).await?))
}

/// Takes files as they come; they are never held in memory.
pub(super) async fn receive(
    State(api): State<Api>,
    PathId(digest): PathId<Digest>,
    body: Body,
) -> Result<Json<WorkspaceBody>, ApiError> {
    let (to, pieces) = mpsc::channel(PIECES);
    let feeding = async move {
        let mut stream = body.into_data_stream();
        loop {
            let piece = match tokio::time::timeout(SILENCE_LIMIT, stream.next()).await {
                Ok(None) => return,
                Ok(Some(piece)) => piece.map_err(|_| io::ErrorKind::ConnectionAborted.into()),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            let failed = piece.is_err();
            if to.send(piece).await.is_err() {
                // The store takes no more and has said why: a client hears it only when it is not cut off.
                let rest = stream.take(DRAINED_PIECES).for_each(|_| std::future::ready(()));
                let _ = tokio::time::timeout(DRAIN_LIMIT, rest).await;
                return;
            }
            if failed {
                return;
            }
        }
    };
    let ((), received) = tokio::join!(feeding, api.dispatcher.receive_files(digest, Upload::new(pieces)));
    Ok(body_of(&received?))
}

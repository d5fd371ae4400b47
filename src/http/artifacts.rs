//! `/jobs/:id/artifacts`: files that a job has left.
//!
//! Whatever is in them, no browser shows them as a page of this server: they are downloads of unknown type.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use shuntyard_domain::artifacts::Artifact;
use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::wire::api::ArtifactBody;

use super::Api;
use super::error::ApiError;
use super::path::{PathId, PathRest};
use crate::store::{JobPart, job_artifact_find, job_artifacts};

const PIECE_BYTES: u64 = 256 * 1024;

/// In the order of paths; empty while the job runs.
pub(super) async fn list(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Json<Vec<ArtifactBody>>, ApiError> {
    let job = api.dispatcher.job(id).await?;
    let artifacts: Vec<Artifact> = api.dispatcher.store().read(move |c| job_artifacts(c, job.id)).await?;
    if artifacts.is_empty() {
        api.part_is_kept(id, JobPart::Artifacts, "what was kept").await?;
    }
    Ok(Json(artifacts.iter().map(ArtifactBody::from).collect()))
}

/// The bytes of one file; its digest is the `ETag`.
pub(super) async fn download(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
    PathRest(path): PathRest,
) -> Result<Response, ApiError> {
    let job = api.dispatcher.job(id).await?;
    let wanted = path.clone();
    let found: Option<Artifact> = api.dispatcher.store().read(move |c| job_artifact_find(c, job.id, &wanted)).await?;
    if found.is_none() {
        api.part_is_kept(id, JobPart::Artifacts, "what was kept").await?;
    }
    let artifact = found.ok_or_else(|| ApiError::NotFound(format!("job {id} has left no file `{path}`")))?;
    let tag = format!("\"{}\"", artifact.digest);
    // Before the status is said: a content that is not there is an error, not a file that was cut off.
    let first = api.dispatcher.read_content(artifact.digest, 0, PIECE_BYTES).await?;
    let size = artifact.size;
    let mut response = Body::from_stream(content(api, artifact, first)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let name = path.rsplit('/').next().unwrap_or_default();
    let disposition = format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
    for (header, value) in [(header::CONTENT_DISPOSITION, disposition), (header::ETAG, tag)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(header, value);
        }
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    Ok(response)
}

/// Where a download is.
struct Reading {
    api: Api,
    artifact: Artifact,
    next: Option<Bytes>,
    at: u64,
    sum: Sha256,
}

/// The bytes from the first piece on. The last piece is held back until the digest is right: a damaged file ends in a way
/// that no client takes for its end.
fn content(api: Api, artifact: Artifact, first: Bytes) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let reading = Reading { api, artifact, next: Some(first), at: 0, sum: Sha256::new() };
    stream::try_unfold(reading, |mut reading| async move {
        let Artifact { size, digest, .. } = reading.artifact;
        if reading.at >= size {
            return Ok(None);
        }
        let piece = match reading.next.take() {
            Some(piece) => piece,
            None => {
                let read = reading.api.dispatcher.read_content(digest, reading.at, PIECE_BYTES.min(size - reading.at));
                read.await.map_err(|_| std::io::Error::other("the file cannot be read"))?
            }
        };
        reading.sum.update(&piece);
        reading.at += piece.len() as u64;
        let ended = piece.is_empty() || reading.at >= size;
        if ended && (reading.at != size || Digest::of_sha256(reading.sum.clone().finalize().into()) != digest) {
            tracing::error!(%digest, "the stored contents of an artifact are damaged");
            return Err(std::io::Error::other("the stored contents are damaged"));
        }
        Ok(Some((piece, reading)))
    })
}

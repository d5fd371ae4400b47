//! Answers about what was uploaded.

use axum::http::StatusCode;

use super::Shown;
use crate::blobs::BlobError;

/// What was uploaded is refused with what was found and what is allowed.
pub(super) fn shown_blob(error: &BlobError, message: String) -> Shown {
    use BlobError as E;
    let with = |status, code, allowed: String| Shown { allowed: vec![allowed], ..Shown::new(status, code, &message) };
    match error {
        E::NoWorkspace(_) => Shown::new(StatusCode::NOT_FOUND, "not_found", message),
        E::BadManifest(bad) if bad.is_too_large() => {
            with(StatusCode::PAYLOAD_TOO_LARGE, "workspace_too_large", bad.allowed())
        }
        E::BadManifest(bad) => Shown {
            path: bad.path().map(str::to_owned),
            ..with(StatusCode::UNPROCESSABLE_ENTITY, "bad_workspace", bad.allowed())
        },
        E::OtherManifest { found, .. } => with(StatusCode::UNPROCESSABLE_ENTITY, "other_digest", found.to_string()),
        E::OtherContent { said, .. } => {
            with(StatusCode::UNPROCESSABLE_ENTITY, "other_digest", format!("contents whose SHA-256 is {said}"))
        }
        E::NotAsked { .. } => {
            with(StatusCode::UNPROCESSABLE_ENTITY, "not_asked", "files that the manifest names, each once".into())
        }
        E::BadBundle(_) => with(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_bundle",
            "a zstd stream of files, as docs/PROTOCOL.md says".into(),
        ),
        E::Ratio { allowed, .. } => {
            with(StatusCode::PAYLOAD_TOO_LARGE, "compressed_too_much", format!("up to {allowed} to 1"))
        }
        E::FileTooLarge { allowed, .. } => {
            with(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("up to {allowed} bytes"))
        }
        E::StoreFull { allowed, .. } => {
            with(StatusCode::INSUFFICIENT_STORAGE, "store_full", format!("up to {allowed} bytes"))
        }
        E::DiskFull { allowed, .. } => {
            with(StatusCode::INSUFFICIENT_STORAGE, "disk_full", format!("{allowed} bytes that stay free"))
        }
        E::CutOff(_) => Shown::new(StatusCode::BAD_REQUEST, "cut_off", message),
        E::Directory { .. } | E::File { .. } | E::Damaged(_) | E::Incomplete { .. } | E::ReceiverGone(_) => {
            tracing::error!(error = message, "a workspace could not be stored or read");
            Shown::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal_error",
                "the server could not do this; its log says why under this request id",
            )
        }
    }
}

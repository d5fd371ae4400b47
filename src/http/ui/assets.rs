//! Styles, modules and icons: in the binary, at addresses that change with their contents.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use crate::http::error::ApiError;

#[derive(RustEmbed)]
#[folder = "src/http/ui/assets"]
struct Assets;

/// Names all assets as they are now. A page that was made by another build finds out by it.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<_> = Assets::iter().collect();
    names.sort();
    let mut sha256 = Sha256::new();
    for file in names.iter().filter_map(|name| Assets::get(name)) {
        sha256.update(file.metadata.sha256_hash());
    }
    sha256.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
});

/// The address of an asset.
pub(super) fn at(name: &str) -> String {
    format!("/assets/{}/{name}", *VERSION)
}

/// Any version is answered with the present one: who asks for an older one has a page that will load itself anew.
pub(super) async fn serve(Path((version, name)): Path<(String, String)>) -> Result<Response, ApiError> {
    let file = Assets::get(&name).ok_or_else(|| ApiError::NotFound(format!("there is no asset `{name}`")))?;
    let kind = match name.rsplit_once('.').map(|(_, end)| end) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let kept = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-store" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(kept)),
    ];
    Ok((headers, file.data.into_owned()).into_response())
}

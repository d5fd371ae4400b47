//! Who is asking: the admin token, in any of the places where Chef's clients put theirs.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use axum::extract::{Query, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Api;
use super::error::ApiError;
use crate::store::{
    Connection, Store, StoreError, TokenRow, token_find_by_sha256, token_insert, token_list, token_revoke,
};

const TOKEN_BYTES: usize = 24;
const TOKEN_PREFIX: &str = "shy_";
/// Of the row of the file's token.
const NAME: &str = "admin";

/// The admin token could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("cannot write the admin token {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the system's random source failed")]
    Random,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The token that `shunt` on the same machine finds by itself.
pub struct AdminToken;

impl AdminToken {
    /// Makes sure that the file holds a good token; the file has mode 0600. A new one replaces every earlier one: who
    /// deletes the file revokes its token.
    ///
    /// # Errors
    /// `TokenError` when the file or the store refuses.
    pub async fn ensure(path: &Path, store: &Store, now_ms: i64) -> Result<(), TokenError> {
        if let Ok(text) = fs::read_to_string(path) {
            let sha256 = hash(text.trim());
            let known = store.read(move |c| token_find_by_sha256(c, &sha256)).await?;
            if known.is_some_and(|token| is_good(&token, now_ms)) {
                return Ok(());
            }
        }
        let mut random = [0_u8; TOKEN_BYTES];
        getrandom::fill(&mut random).map_err(|_| TokenError::Random)?;
        let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let row = TokenRow {
            id: Uuid::now_v7().to_string(),
            name: NAME.into(),
            prefix: token.chars().take(8).collect(),
            sha256: hash(&token),
            created_at_ms: now_ms,
            last_used_at_ms: None,
            expires_at_ms: None,
            revoked_at_ms: None,
        };
        let replaced = store.write(move |c| replace_tokens(c, &row)).await?;
        if replaced > 0 {
            tracing::warn!(path = %path.display(), replaced, "made a new admin token; the earlier one is revoked");
        }
        write_private(path, &token).map_err(|source| TokenError::File { path: path.to_owned(), source })
    }
}

/// Inserts the token and revokes the earlier ones of its name; answers how many.
fn replace_tokens(c: &mut Connection, row: &TokenRow) -> Result<usize, StoreError> {
    let earlier = token_list(c)?.into_iter().filter(|token| token.name == row.name && token.revoked_at_ms.is_none());
    let earlier: Vec<TokenRow> = earlier.collect();
    earlier.iter().try_for_each(|token| token_revoke(c, &token.id, row.created_at_ms))?;
    token_insert(c, row)?;
    Ok(earlier.len())
}

fn is_good(token: &TokenRow, now_ms: i64) -> bool {
    token.revoked_at_ms.is_none() && token.expires_at_ms.is_none_or(|at| at > now_ms)
}

/// Replaces the file in one step, so that nobody reads half a token.
fn write_private(path: &Path, token: &str) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Lets a request pass only with a token that is stored, not expired and not revoked.
pub(super) async fn require(State(api): State<Api>, request: Request, next: Next) -> Result<Response, ApiError> {
    let sha256 = hash(&presented(&request).ok_or(ApiError::TokenDenied)?);
    let now_ms = api.dispatcher.clock().now_ms();
    let known = api.dispatcher.store().read(move |c| token_find_by_sha256(c, &sha256)).await?;
    match known {
        Some(token) if is_good(&token, now_ms) => Ok(next.run(request).await),
        _ => Err(ApiError::TokenDenied),
    }
}

/// `Authorization: Bearer`, else Chef's header, cookie or query parameter (its streams use the query).
fn presented(request: &Request) -> Option<String> {
    const CHEF: &str = "chef-delivery-token";
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    if let Some(bearer) = text(AUTHORIZATION.as_str()).and_then(|v| v.strip_prefix("Bearer ")) {
        return Some(bearer.trim().to_owned());
    }
    if let Some(token) = text(CHEF) {
        return Some(token.to_owned());
    }
    let cookies = text(COOKIE.as_str()).unwrap_or_default();
    if let Some(token) = cookies.split("; ").find_map(|c| c.strip_prefix(CHEF)?.strip_prefix('=')) {
        return Some(token.to_owned());
    }
    let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri()).ok()?;
    query.0.into_iter().find(|(name, _)| name == CHEF).map(|(_, token)| token)
}

//! The admin token: the way in of the first start.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::store::{
    Connection, Store, StoreError, TokenOwner, TokenRow, token_find_by_sha256, token_insert, token_list, token_revoke,
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
            let sha256 = token_digest(text.trim());
            let known = store.read(move |c| token_find_by_sha256(c, &sha256)).await?;
            if known.is_some_and(|token| token.is_good(now_ms)) {
                return Ok(());
            }
        }
        let mut random = [0_u8; TOKEN_BYTES];
        getrandom::fill(&mut random).map_err(|_| TokenError::Random)?;
        let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let row = TokenRow {
            id: Uuid::now_v7().to_string(),
            name: NAME.into(),
            owner: TokenOwner::AdminFile,
            created_by: None,
            prefix: token.chars().take(8).collect(),
            sha256: token_digest(&token),
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
    let earlier = token_list(c)?.into_iter().filter(|token| token.owner == row.owner && token.revoked_at_ms.is_none());
    let earlier: Vec<TokenRow> = earlier.collect();
    earlier.iter().try_for_each(|token| token_revoke(c, &token.id, row.created_at_ms))?;
    token_insert(c, row)?;
    Ok(earlier.len())
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

/// What is stored of a token.
fn token_digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

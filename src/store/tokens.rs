//! API tokens: only their SHA-256 is kept. Whether one is still good is the caller's to say.

use std::fmt::Write as _;

use diesel::prelude::*;
use serde_json::json;

use super::audit::{Changed, audit_note};
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::tokens;

const TOKEN: &str = "token";

/// One API token, revoked and expired ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    pub id: String,
    /// Whose it is, for people.
    pub name: String,
    /// The first characters of the token, to tell tokens apart.
    pub prefix: String,
    /// 32 bytes.
    pub sha256: Vec<u8>,
    pub created_at_ms: i64,
    pub last_used_at_ms: Option<i64>,
    pub expires_at_ms: Option<i64>,
    pub revoked_at_ms: Option<i64>,
}

impl TokenRow {
    /// Whether it opens anything at `now_ms`.
    #[must_use]
    pub fn is_good(&self, now_ms: i64) -> bool {
        self.revoked_at_ms.is_none() && self.expires_at_ms.is_none_or(|at| at > now_ms)
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = tokens)]
struct Columns {
    id: String,
    name: String,
    prefix: String,
    sha256: String,
    created_at_ms: i64,
    last_used_at_ms: Option<i64>,
    expires_at_ms: Option<i64>,
    revoked_at_ms: Option<i64>,
}

impl Columns {
    fn into_row(self) -> Result<TokenRow, StoreError> {
        let bytes = from_hex(&self.sha256);
        let sha256 = bytes.ok_or_else(|| Row { table: "tokens", key: &self.id }.bad("sha256", &self.sha256))?;
        Ok(TokenRow {
            id: self.id,
            name: self.name,
            prefix: self.prefix,
            sha256,
            created_at_ms: self.created_at_ms,
            last_used_at_ms: self.last_used_at_ms,
            expires_at_ms: self.expires_at_ms,
            revoked_at_ms: self.revoked_at_ms,
        })
    }
}

/// Inserts a token.
///
/// # Errors
/// `Conflict` when the id or the digest is taken.
pub fn token_insert(c: &mut StoreConnection, token: &TokenRow) -> Result<(), StoreError> {
    let columns = Columns {
        id: token.id.clone(),
        name: token.name.clone(),
        prefix: token.prefix.clone(),
        sha256: to_hex(&token.sha256),
        created_at_ms: token.created_at_ms,
        last_used_at_ms: token.last_used_at_ms,
        expires_at_ms: token.expires_at_ms,
        revoked_at_ms: token.revoked_at_ms,
    };
    c.transaction(|c| diesel::insert_into(tokens::table).values(columns).execute(c))
        .map_err(|source| About { what: TOKEN, key: &token.id }.insert(source))?;
    audit_note(c, "token.create", || {
        let after = json!({"name": token.name, "prefix": token.prefix, "expires_at_ms": token.expires_at_ms});
        Changed::new(format!("token {}", token.id), None, Some(after))
    })
}

/// Returns the token with that digest, whatever its dates say.
pub fn token_find_by_sha256(c: &mut StoreConnection, sha256: &[u8]) -> Result<Option<TokenRow>, StoreError> {
    let found =
        tokens::table.filter(tokens::sha256.eq(to_hex(sha256))).select(Columns::as_select()).first(c).optional();
    found.map_err(|source| About { what: TOKEN, key: "(by digest)" }.find(source))?.map(Columns::into_row).transpose()
}

/// Returns every token, oldest first.
pub fn token_list(c: &mut StoreConnection) -> Result<Vec<TokenRow>, StoreError> {
    let rows: Vec<Columns> = tokens::table
        .order((tokens::created_at_ms.asc(), tokens::id.asc()))
        .select(Columns::as_select())
        .load(c)
        .map_err(|source| StoreError::List { what: "tokens", source })?;
    rows.into_iter().map(Columns::into_row).collect()
}

/// Revokes a token; one that is revoked already keeps its first date.
///
/// # Errors
/// `NotFound` when there is no such token.
pub fn token_revoke(c: &mut StoreConnection, id: &str, now_ms: i64) -> Result<(), StoreError> {
    let about = About { what: TOKEN, key: id };
    let target = tokens::table.filter(tokens::id.eq(id)).filter(tokens::revoked_at_ms.is_null());
    let revoked = diesel::update(target)
        .set(tokens::revoked_at_ms.eq(now_ms))
        .execute(c)
        .map_err(|source| about.update(source))?;
    if revoked > 0 {
        audit_note(c, "token.revoke", || Changed::new(format!("token {id}"), None, None))?;
        return Ok(());
    }
    let known = tokens::table.find(id).select(tokens::id).first::<String>(c).optional();
    match known.map_err(|source| about.find(source))? {
        Some(_) => Ok(()),
        None => Err(about.not_found()),
    }
}

/// Notes that the token was used; an unknown one is left alone.
pub fn token_used(c: &mut StoreConnection, id: &str, now_ms: i64) -> Result<(), StoreError> {
    diesel::update(tokens::table.find(id))
        .set(tokens::last_used_at_ms.eq(now_ms))
        .execute(c)
        .map_err(|source| About { what: TOKEN, key: id }.update(source))?;
    Ok(())
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

//! API tokens: only their SHA-256 is kept. Whether one is still good is the caller's to say.

use std::fmt::Write as _;

use diesel::prelude::*;
use serde_json::json;
use shuntyard_domain::access::Grants;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::{GrantBody, TokenKind};

use super::audit::{Changed, audit_note};
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::grants::grants_of;
use super::schema::tokens;
use super::users::user_find;

const TOKEN: &str = "token";

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenOwner {
    /// Whoever can read the daemon's file.
    AdminFile,
    /// Somebody who has proved their password.
    Login(Name),
    /// A user, who has it in a program of theirs.
    Personal(Name),
    /// A program: what it may do is its own.
    Machine(Grants),
}

impl TokenOwner {
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        match self {
            Self::AdminFile => TokenKind::Admin,
            Self::Login(_) => TokenKind::Login,
            Self::Personal(_) => TokenKind::Personal,
            Self::Machine(_) => TokenKind::Machine,
        }
    }

    #[must_use]
    pub const fn user(&self) -> Option<&Name> {
        match self {
            Self::Login(user) | Self::Personal(user) => Some(user),
            Self::AdminFile | Self::Machine(_) => None,
        }
    }
}

/// One API token, revoked and expired ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    pub id: String,
    /// What it is called in lists.
    pub name: String,
    pub owner: TokenOwner,
    /// `None`: the daemon itself.
    pub created_by: Option<String>,
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
    kind: String,
    user_name: Option<String>,
    grants: Option<String>,
    created_by: Option<String>,
}

impl Columns {
    fn new(token: &TokenRow) -> Result<Self, StoreError> {
        let grants = match &token.owner {
            TokenOwner::Machine(grants) => {
                let grants: Vec<GrantBody> = grants.0.iter().map(GrantBody::from).collect();
                Some(About { what: TOKEN, key: &token.id }.json("grants", &grants)?)
            }
            TokenOwner::AdminFile | TokenOwner::Login(_) | TokenOwner::Personal(_) => None,
        };
        Ok(Self {
            id: token.id.clone(),
            name: token.name.clone(),
            prefix: token.prefix.clone(),
            sha256: to_hex(&token.sha256),
            created_at_ms: token.created_at_ms,
            last_used_at_ms: token.last_used_at_ms,
            expires_at_ms: token.expires_at_ms,
            revoked_at_ms: token.revoked_at_ms,
            kind: token.owner.kind().to_string(),
            user_name: token.owner.user().map(ToString::to_string),
            grants,
            created_by: token.created_by.clone(),
        })
    }

    fn owner(&self) -> Result<TokenOwner, StoreError> {
        let row = Row { table: "tokens", key: &self.id };
        let user = || row.present("user_name", self.user_name.as_deref()).and_then(|name| row.parse("user_name", name));
        Ok(match row.parse("kind", &self.kind)? {
            TokenKind::Admin => TokenOwner::AdminFile,
            TokenKind::Login => TokenOwner::Login(user()?),
            TokenKind::Personal => TokenOwner::Personal(user()?),
            TokenKind::Machine => {
                let text = row.present("grants", self.grants.as_deref())?;
                let grants = row.json::<Vec<GrantBody>>("grants", text)?.into_iter().map(GrantBody::grant);
                TokenOwner::Machine(Grants(row.present("grants", grants.collect())?))
            }
        })
    }

    fn into_row(self) -> Result<TokenRow, StoreError> {
        let bytes = from_hex(&self.sha256);
        let sha256 = bytes.ok_or_else(|| Row { table: "tokens", key: &self.id }.bad("sha256", &self.sha256))?;
        Ok(TokenRow {
            owner: self.owner()?,
            created_by: self.created_by,
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
    let columns = Columns::new(token)?;
    c.transaction(|c| diesel::insert_into(tokens::table).values(columns).execute(c))
        .map_err(|source| About { what: TOKEN, key: &token.id }.insert(source))?;
    audit_note(c, "token.create", || {
        let grants: Option<Vec<GrantBody>> = match &token.owner {
            TokenOwner::Machine(grants) => Some(grants.0.iter().map(GrantBody::from).collect()),
            TokenOwner::AdminFile | TokenOwner::Login(_) | TokenOwner::Personal(_) => None,
        };
        let after = json!({
            "name": token.name,
            "kind": token.owner.kind(),
            "user": token.owner.user(),
            "grants": grants,
            "prefix": token.prefix,
            "expires_at_ms": token.expires_at_ms,
        });
        Changed::new(format!("token {}", token.id), None, Some(after))
    })
}

/// Returns the token with that digest, whatever its dates say.
pub fn token_find_by_sha256(c: &mut StoreConnection, sha256: &[u8]) -> Result<Option<TokenRow>, StoreError> {
    let found =
        tokens::table.filter(tokens::sha256.eq(to_hex(sha256))).select(Columns::as_select()).first(c).optional();
    found.map_err(|source| About { what: TOKEN, key: "(by digest)" }.find(source))?.map(Columns::into_row).transpose()
}

/// Returns the token with that id, whatever its dates say.
pub fn token_find(c: &mut StoreConnection, id: &str) -> Result<Option<TokenRow>, StoreError> {
    let found = tokens::table.find(id).select(Columns::as_select()).first(c).optional();
    found.map_err(|source| About { what: TOKEN, key: id }.find(source))?.map(Columns::into_row).transpose()
}

/// A token and what may be done with it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHolder {
    pub token: TokenRow,
    /// What its user has been given, or what it has itself; nothing when the user is disabled.
    pub grants: Grants,
    pub disabled: bool,
}

/// Returns who comes with that digest, whatever the token's dates say.
pub fn token_holder(c: &mut StoreConnection, sha256: &[u8]) -> Result<Option<TokenHolder>, StoreError> {
    let Some(token) = token_find_by_sha256(c, sha256)? else { return Ok(None) };
    let (grants, disabled) = match &token.owner {
        TokenOwner::AdminFile => (Grants::of_admin(), false),
        TokenOwner::Machine(grants) => (grants.clone(), false),
        TokenOwner::Login(user) | TokenOwner::Personal(user) => match user_find(c, user.as_str())? {
            Some(user) if user.disabled_at_ms.is_none() => (grants_of(c, user.name.as_str())?, false),
            _ => (Grants::default(), true),
        },
    };
    Ok(Some(TokenHolder { token, grants, disabled }))
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

/// Notes that the token was used, unless that was noted since `before_ms`; an unknown one is left alone.
pub fn token_used(c: &mut StoreConnection, id: &str, now_ms: i64, before_ms: i64) -> Result<(), StoreError> {
    let old = tokens::last_used_at_ms.is_null().or(tokens::last_used_at_ms.lt(before_ms));
    diesel::update(tokens::table.find(id).filter(old))
        .set(tokens::last_used_at_ms.eq(now_ms))
        .execute(c)
        .map_err(|source| About { what: TOKEN, key: id }.update(source))?;
    Ok(())
}

/// Revokes what a user has got by their password, but for the token with the id `except`.
pub fn tokens_revoke_logins(c: &mut StoreConnection, user: &str, except: &str, now_ms: i64) -> Result<(), StoreError> {
    let logins = tokens::table
        .filter(tokens::user_name.eq(user))
        .filter(tokens::id.ne(except))
        .filter(tokens::kind.eq(TokenKind::Login.as_str()))
        .filter(tokens::revoked_at_ms.is_null());
    diesel::update(logins)
        .set(tokens::revoked_at_ms.eq(now_ms))
        .execute(c)
        .map_err(|source| About { what: TOKEN, key: user }.update(source))?;
    Ok(())
}

/// Forgets the tokens that were good until then at the latest; the file's is kept.
pub fn tokens_prune(c: &mut StoreConnection, ended_before_ms: i64) -> Result<(), StoreError> {
    let ended = tokens::expires_at_ms.lt(ended_before_ms).or(tokens::revoked_at_ms.lt(ended_before_ms));
    let of_others = tokens::table.filter(tokens::kind.ne(TokenKind::Admin.as_str()));
    diesel::delete(of_others.filter(ended))
        .execute(c)
        .map_err(|source| About { what: TOKEN, key: "(ended ones)" }.delete(source))?;
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

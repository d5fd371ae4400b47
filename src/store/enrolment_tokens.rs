//! Enrolment tokens: only their SHA-256 is kept. Whether one is still good is the caller's to say.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde_json::json;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::Scope;
use shuntyard_domain::tenancy::Name;

use super::audit::{Changed, audit_note};
use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::enrolment_tokens;
use super::tokens::{from_hex, to_hex};

const TOKEN: &str = "enrolment token";

/// One enrolment token; used, revoked and expired ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentTokenRow {
    pub id: String,
    /// For people; several may have the same.
    pub name: String,
    /// The first nine characters of the token.
    pub prefix: String,
    /// 32 bytes.
    pub sha256: Vec<u8>,
    pub created_at_ms: i64,
    pub created_by: String,
    pub expires_at_ms: i64,
    /// The network that its host must ask from.
    pub cidr: Option<String>,
    /// The name that its runner gets.
    pub hostname: Option<String>,
    pub labels: BTreeSet<String>,
    pub scope: Scope,
    pub slots: u32,
    /// The jump host through which its host is reached.
    pub jump: Option<Name>,
    /// Its runner takes one job.
    pub one_off: bool,
    pub capabilities: BTreeSet<String>,
    /// The instance of a pool that it is for; `None`: a person made it.
    pub pool_instance: Option<String>,
    /// Its host dials out.
    pub dial_out: bool,
    pub used: Option<TokenUse>,
    pub revoked_at_ms: Option<i64>,
}

/// What a token was used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUse {
    pub at_ms: i64,
    pub runner: RunnerId,
    /// The runner's name at that time.
    pub hostname: String,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = enrolment_tokens)]
struct Columns {
    id: String,
    name: String,
    prefix: String,
    sha256: String,
    created_at_ms: i64,
    created_by: String,
    expires_at_ms: i64,
    cidr: Option<String>,
    hostname: Option<String>,
    labels: String,
    scope_org: Option<String>,
    slots: i64,
    used_at_ms: Option<i64>,
    runner_id: Option<String>,
    runner_hostname: Option<String>,
    revoked_at_ms: Option<i64>,
    jump: Option<String>,
    one_off: bool,
    capabilities: String,
    pool_instance: Option<String>,
    dial_out: i64,
}

impl Columns {
    fn new(token: &EnrolmentTokenRow) -> Result<Self, StoreError> {
        let used = token.used.clone();
        Ok(Self {
            id: token.id.clone(),
            name: token.name.clone(),
            prefix: token.prefix.clone(),
            sha256: to_hex(&token.sha256),
            created_at_ms: token.created_at_ms,
            created_by: token.created_by.clone(),
            expires_at_ms: token.expires_at_ms,
            cidr: token.cidr.clone(),
            hostname: token.hostname.clone(),
            labels: About { what: TOKEN, key: &token.id }.json("labels", &token.labels)?,
            scope_org: match &token.scope {
                Scope::Enterprise => None,
                Scope::Org(org) => Some(org.clone()),
            },
            slots: i64::from(token.slots),
            used_at_ms: used.as_ref().map(|used| used.at_ms),
            runner_id: used.as_ref().map(|used| used.runner.to_string()),
            runner_hostname: used.map(|used| used.hostname),
            revoked_at_ms: token.revoked_at_ms,
            jump: token.jump.as_ref().map(ToString::to_string),
            one_off: token.one_off,
            capabilities: About { what: TOKEN, key: &token.id }.json("capabilities", &token.capabilities)?,
            pool_instance: token.pool_instance.clone(),
            dial_out: i64::from(token.dial_out),
        })
    }

    fn into_row(self) -> Result<EnrolmentTokenRow, StoreError> {
        let key = self.id.clone();
        let row = Row { table: "enrolment_tokens", key: &key };
        let used = match (self.used_at_ms, self.runner_id, self.runner_hostname) {
            (Some(at_ms), Some(runner), Some(hostname)) => {
                Some(TokenUse { at_ms, runner: row.parse("runner_id", &runner)?, hostname })
            }
            _ => None,
        };
        Ok(EnrolmentTokenRow {
            id: self.id,
            name: self.name,
            prefix: self.prefix,
            sha256: from_hex(&self.sha256).ok_or_else(|| row.bad("sha256", &self.sha256))?,
            created_at_ms: self.created_at_ms,
            created_by: self.created_by,
            expires_at_ms: self.expires_at_ms,
            cidr: self.cidr,
            hostname: self.hostname,
            labels: row.json("labels", &self.labels)?,
            scope: self.scope_org.map_or(Scope::Enterprise, Scope::Org),
            slots: u32::try_from(self.slots).map_err(|_| row.bad("slots", self.slots))?,
            jump: row.parse_opt("jump", self.jump.as_deref())?,
            one_off: self.one_off,
            capabilities: row.json("capabilities", &self.capabilities)?,
            pool_instance: self.pool_instance,
            dial_out: self.dial_out != 0,
            used,
            revoked_at_ms: self.revoked_at_ms,
        })
    }
}

/// Inserts a token.
///
/// # Errors
/// `Conflict` when the id or the digest is taken.
pub fn enrolment_token_insert(c: &mut StoreConnection, token: &EnrolmentTokenRow) -> Result<(), StoreError> {
    let columns = Columns::new(token)?;
    c.transaction(|c| diesel::insert_into(enrolment_tokens::table).values(columns).execute(c))
        .map_err(|source| About { what: TOKEN, key: &token.id }.insert(source))?;
    audit_note(c, "enrolment_token.create", || {
        let after = json!({"name": token.name, "prefix": token.prefix, "expires_at_ms": token.expires_at_ms});
        Changed::new(format!("enrolment token {}", token.id), None, Some(after))
    })
}

/// Returns the token with that digest, whatever has become of it.
pub fn enrolment_token_find(c: &mut StoreConnection, sha256: &[u8]) -> Result<Option<EnrolmentTokenRow>, StoreError> {
    let found = enrolment_tokens::table
        .filter(enrolment_tokens::sha256.eq(to_hex(sha256)))
        .select(Columns::as_select())
        .first(c)
        .optional();
    found.map_err(|source| About { what: TOKEN, key: "(by digest)" }.find(source))?.map(Columns::into_row).transpose()
}

/// Returns the token with that id, whatever has become of it.
pub fn enrolment_token_by_id(c: &mut StoreConnection, id: &str) -> Result<Option<EnrolmentTokenRow>, StoreError> {
    let found = enrolment_tokens::table.find(id).select(Columns::as_select()).first(c).optional();
    found.map_err(|source| About { what: TOKEN, key: id }.find(source))?.map(Columns::into_row).transpose()
}

/// Returns every token, newest first.
pub fn enrolment_token_list(c: &mut StoreConnection) -> Result<Vec<EnrolmentTokenRow>, StoreError> {
    let rows: Vec<Columns> = enrolment_tokens::table
        .order((enrolment_tokens::created_at_ms.desc(), enrolment_tokens::id.desc()))
        .select(Columns::as_select())
        .load(c)
        .map_err(|source| StoreError::List { what: "enrolment tokens", source })?;
    rows.into_iter().map(Columns::into_row).collect()
}

/// Forgets the tokens, used ones included, that could have been used until then at the latest.
pub fn enrolment_token_prune(c: &mut StoreConnection, expired_before_ms: i64) -> Result<usize, StoreError> {
    diesel::delete(enrolment_tokens::table.filter(enrolment_tokens::expires_at_ms.lt(expired_before_ms)))
        .execute(c)
        .map_err(|source| About { what: TOKEN, key: "(expired ones)" }.update(source))
}

/// Uses a token up. Tells whether it was there to be used: neither used, revoked nor expired.
pub fn enrolment_token_use(c: &mut StoreConnection, id: &str, used: &TokenUse) -> Result<bool, StoreError> {
    let target = enrolment_tokens::table
        .filter(enrolment_tokens::id.eq(id))
        .filter(enrolment_tokens::used_at_ms.is_null())
        .filter(enrolment_tokens::revoked_at_ms.is_null())
        .filter(enrolment_tokens::expires_at_ms.gt(used.at_ms));
    let columns = (
        enrolment_tokens::used_at_ms.eq(used.at_ms),
        enrolment_tokens::runner_id.eq(used.runner.to_string()),
        enrolment_tokens::runner_hostname.eq(&used.hostname),
    );
    let written = diesel::update(target).set(columns).execute(c);
    written.map(|written| written > 0).map_err(|source| About { what: TOKEN, key: id }.update(source))
}

/// Revokes a token that was not used; one that is revoked already keeps its first date. Tells whether it is revoked now.
pub fn enrolment_token_revoke(c: &mut StoreConnection, id: &str, now_ms: i64) -> Result<bool, StoreError> {
    let about = About { what: TOKEN, key: id };
    let target = enrolment_tokens::table
        .filter(enrolment_tokens::id.eq(id))
        .filter(enrolment_tokens::used_at_ms.is_null())
        .filter(enrolment_tokens::revoked_at_ms.is_null());
    let written = diesel::update(target).set(enrolment_tokens::revoked_at_ms.eq(now_ms)).execute(c);
    if written.map_err(|source| about.update(source))? > 0 {
        audit_note(c, "enrolment_token.revoke", || Changed::new(format!("enrolment token {id}"), None, None))?;
        return Ok(true);
    }
    Ok(enrolment_token_by_id(c, id)?.is_some_and(|token| token.revoked_at_ms.is_some()))
}

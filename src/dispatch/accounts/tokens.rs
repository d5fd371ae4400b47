//! API tokens as people see them: made, listed, revoked.

use shuntyard_domain::access::{Grant, Grants, Place, Role, Verdict};
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::{
    CreateToken, GrantBody, MAX_GRANTS, MAX_TOKEN_TTL_S, NewToken, TokenBody, TokenKind,
};
use shuntyard_domain::wire::time_text::rfc3339;
use zeroize::Zeroizing;

use super::{AccountError, Holder};
use crate::dispatch::engine_error::bad;
use crate::dispatch::token_text::{self, TokenText};
use crate::dispatch::{DispatchError, Dispatcher, new_id};
use crate::store::{
    Connection, MadeKind, StoreError, TokenOwner, TokenRow, org_since, token_find, token_insert, token_list,
    token_revoke, user_find,
};

impl Dispatcher {
    /// Makes a token, which is told this once.
    ///
    /// # Errors
    /// `BadRequest` for values outside of the rules; `Forbidden` for a token of somebody else, or with grants that are not
    /// the caller's to give; `NoUser`.
    pub async fn create_token(&self, caller: &Holder, wanted: CreateToken) -> Result<NewToken, AccountError> {
        if !(1..=MAX_TOKEN_TTL_S).contains(&wanted.ttl_s) {
            return Err(bad("ttl_s", "not a time that a token may be good for", &["1 second to 10 years"]).into());
        }
        let owner = if wanted.machine { machine(caller, &wanted)? } else { person(caller, &wanted)? };
        let kind = if wanted.machine { TokenText::Machine } else { TokenText::User };
        let (row, text) = self.new_token(kind, wanted.name.as_str(), wanted.ttl_s, owner)?;
        let row = TokenRow { created_by: Some(caller.name.clone()), ..row };
        // Else a token that leaks could be made to last for ever.
        if let (TokenKind::Personal | TokenKind::Machine, false, Some(end_ms)) =
            (caller.kind, caller.is_admin(), caller.expires_at_ms)
            && row.expires_at_ms.is_some_and(|at_ms| at_ms > end_ms)
        {
            let until = format!("until {} at the latest, when the token in use ends; or log in first", rfc3339(end_ms));
            return Err(bad("ttl_s", "a token makes no other that lasts longer", &[&until]).into());
        }
        let stored = row.clone();
        self.0.store.create(MadeKind::Token, &row.id, move |c| store_token(c, &stored)).await?;
        tracing::info!(token.prefix = row.prefix, token.name = row.name, by = caller.name, "made an API token");
        Ok(NewToken { token: text.to_string(), about: body(&row, row.created_at_ms) })
    }

    /// A row that is not stored yet, and the token.
    pub(super) fn new_token(
        &self,
        kind: TokenText,
        name: &str,
        ttl_s: u32,
        owner: TokenOwner,
    ) -> Result<(TokenRow, Zeroizing<String>), AccountError> {
        let text = kind.make().ok_or(DispatchError::Random)?;
        let created_at_ms = self.0.clock.now_ms();
        let row = TokenRow {
            id: new_id().to_string(),
            name: name.to_owned(),
            owner,
            created_by: None,
            prefix: token_text::shown(&text),
            sha256: token_text::digest(&text),
            created_at_ms,
            last_used_at_ms: None,
            expires_at_ms: Some(created_at_ms + i64::from(ttl_s) * 1000),
            revoked_at_ms: None,
        };
        Ok((row, text))
    }

    /// The tokens that the caller may revoke, newest first: their own, all of an admin's.
    ///
    /// # Errors
    /// `Engine`
    pub async fn tokens(&self, caller: &Holder) -> Result<Vec<TokenBody>, AccountError> {
        let now_ms = self.0.clock.now_ms();
        let rows = self.0.store.read(token_list).await?;
        Ok(rows.iter().rev().filter(|row| is_theirs(caller, row)).map(|row| body(row, now_ms)).collect())
    }

    /// One token without itself.
    ///
    /// # Errors
    /// `NoToken`, also for one of somebody else.
    pub async fn token(&self, caller: &Holder, id: &str) -> Result<TokenBody, AccountError> {
        let (now_ms, key) = (self.0.clock.now_ms(), id.to_owned());
        let row = self.0.store.read(move |c| token_find(c, &key)).await?.filter(|row| is_theirs(caller, row));
        row.map(|row| body(&row, now_ms)).ok_or_else(|| AccountError::NoToken(id.to_owned()))
    }

    /// Revokes a token; again is not an error.
    ///
    /// # Errors
    /// `NoToken`, also for one of somebody else; `FileToken`.
    pub async fn revoke_token(&self, caller: &Holder, id: &str) -> Result<(), AccountError> {
        let (now_ms, key, by) = (self.0.clock.now_ms(), id.to_owned(), caller.clone());
        let revoke = move |c: &mut Connection| {
            let Some(row) = token_find(c, &key)?.filter(|row| is_theirs(&by, row)) else {
                return Err(AccountError::NoToken(key));
            };
            if row.owner == TokenOwner::AdminFile {
                return Err(AccountError::FileToken);
            }
            Ok(token_revoke(c, &key, now_ms)?)
        };
        self.0.store.write(revoke).await?;
        self.0.feed.access_changed();
        tracing::info!(token.id = id, by = caller.name, "revoked an API token");
        Ok(())
    }
}

fn is_theirs(caller: &Holder, row: &TokenRow) -> bool {
    let own = caller.user.is_some() && caller.user.as_ref() == row.owner.user();
    own || row.id == caller.token_id || caller.is_admin()
}

/// Whose token a person's is: the caller's own, or another's when an admin makes it.
fn person(caller: &Holder, wanted: &CreateToken) -> Result<TokenOwner, AccountError> {
    if !wanted.grants.is_empty() {
        let allowed =
            &["a user's token may do what the user may; add \"machine\": true for one with grants of its own"];
        return Err(bad("grants", "only a machine's token has grants", allowed).into());
    }
    let user = wanted.user.clone().or_else(|| caller.user.clone());
    let Some(user) = user else {
        let allowed = &["\"user\": NAME, or \"machine\": true with grants"];
        return Err(
            bad("user", "whoever has this token is no user, and needs to say whose the new one is", allowed).into()
        );
    };
    if caller.user.as_ref() != Some(&user) && !caller.is_admin() {
        return Err(AccountError::Forbidden);
    }
    Ok(TokenOwner::Personal(user))
}

/// What a machine may do: nothing that the caller, as an admin there, could not give.
fn machine(caller: &Holder, wanted: &CreateToken) -> Result<TokenOwner, AccountError> {
    if wanted.user.is_some() {
        return Err(bad("user", "a machine's token belongs to no user", &["no user"]).into());
    }
    let grants = grants_of_body("grants", &wanted.grants)?;
    if grants.0.is_empty() {
        let allowed = &["{\"role\": ROLE}, with \"org\" and \"project\" for less than all"];
        return Err(bad("grants", "a machine without a role could do nothing", allowed).into());
    }
    let may_give = |grant: &Grant| caller.grants.decide(&[Role::Admin], &grant.place) == Verdict::Allowed;
    if !grants.0.iter().all(may_give) {
        return Err(AccountError::Forbidden);
    }
    Ok(TokenOwner::Machine(grants))
}

/// Reads grants from outside, each once.
pub(super) fn grants_of_body(path: &str, bodies: &[GrantBody]) -> Result<Grants, AccountError> {
    if bodies.len() > MAX_GRANTS {
        return Err(bad(path, "too many grants", &["up to 200"]).into());
    }
    let mut grants = Vec::new();
    for (n, body) in bodies.iter().enumerate() {
        let Some(grant) = body.clone().grant() else {
            return Err(bad(format!("{path}[{n}].org"), "a project lies in an organisation", &["its name"]).into());
        };
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    Ok(Grants(grants))
}

/// Tells of an organisation that is named and is not there: a grant for it would be a slip of the pen.
pub(super) fn check_places(c: &mut Connection, grants: &Grants) -> Result<(), AccountError> {
    for grant in &grants.0 {
        if let Place::Org(org) | Place::Project(org, _) = &grant.place
            && org_since(c, &Name::of_default(), org)?.is_none()
        {
            return Err(AccountError::NoOrg(org.clone()));
        }
    }
    Ok(())
}

fn store_token(c: &mut Connection, row: &TokenRow) -> Result<(), AccountError> {
    match &row.owner {
        TokenOwner::Machine(grants) => check_places(c, grants)?,
        TokenOwner::Login(user) | TokenOwner::Personal(user) => {
            if user_find(c, user.as_str())?.is_none() {
                return Err(AccountError::NoUser(user.to_string()));
            }
        }
        TokenOwner::AdminFile => {}
    }
    Ok::<_, StoreError>(token_insert(c, row)?).map_err(Into::into)
}

fn body(row: &TokenRow, now_ms: i64) -> TokenBody {
    let grants = match &row.owner {
        TokenOwner::Machine(grants) => grants.0.iter().map(GrantBody::from).collect(),
        TokenOwner::AdminFile | TokenOwner::Login(_) | TokenOwner::Personal(_) => Vec::new(),
    };
    let state = match (row.revoked_at_ms, row.expires_at_ms) {
        (Some(_), _) => "revoked",
        (None, Some(at_ms)) if at_ms <= now_ms => "expired",
        (None, _) => "good",
    };
    TokenBody {
        id: row.id.clone(),
        name: row.name.clone(),
        kind: row.owner.kind(),
        prefix: row.prefix.clone(),
        state: state.to_owned(),
        user: row.owner.user().map(ToString::to_string),
        grants,
        created_at: rfc3339(row.created_at_ms),
        created_by: row.created_by.clone(),
        expires_at: row.expires_at_ms.map(rfc3339),
        last_used_at: row.last_used_at_ms.map(rfc3339),
        revoked_at: row.revoked_at_ms.map(rfc3339),
    }
}

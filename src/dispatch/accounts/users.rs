//! Users: made, changed, given roles, disabled, deleted.

use std::net::IpAddr;

use shuntyard_domain::access::Grants;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::{ADMIN_FILE_USER, ChangePassword, CreateUser, GrantBody, PatchUser, UserBody};
use shuntyard_domain::wire::time_text::rfc3339;
use zeroize::Zeroizing;

use super::tokens::{check_places, grants_of_body};
use super::{AccountError, Holder, password};
use crate::dispatch::engine_error::bad;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{
    Connection, MadeKind, StoreError, UserRow, grant_delete, grant_insert, grant_list, grants_of, is_there_an_admin,
    tokens_revoke_logins, user_delete, user_find, user_insert, user_list, user_password, user_set_disabled,
    user_set_password,
};

impl Dispatcher {
    /// Makes a user. `by` is who asked, here and below.
    ///
    /// # Errors
    /// `ReservedName`, `BadRequest` for a password or grants outside of the rules, `Taken`, `NoPlace`.
    pub async fn create_user(&self, wanted: CreateUser, by: &str) -> Result<UserBody, AccountError> {
        let CreateUser { name, password, grants } = wanted;
        if name.as_str().eq_ignore_ascii_case(ADMIN_FILE_USER) {
            return Err(AccountError::ReservedName);
        }
        let grants = grants_of_body("grants", &grants)?;
        let hash = match password {
            Some(password) => Some(self.hash("password", Zeroizing::new(password), name.as_str()).await?),
            None => None,
        };
        let now_ms = self.0.clock.now_ms();
        let row = UserRow {
            name,
            password_set_at_ms: hash.as_ref().map(|_| now_ms),
            created_at_ms: now_ms,
            created_by: by.to_owned(),
            disabled_at_ms: None,
        };
        let (by, id) = (by.to_owned(), row.name.clone());
        let made = move |c: &mut Connection| {
            check_places(c, &grants)?;
            user_insert(c, &row, hash.as_deref()).map_err(taken)?;
            give(c, &row.name, &grants, &by, now_ms)?;
            shown(c, row.name.as_str())
        };
        let body = self.0.store.create(MadeKind::User, id, made).await?;
        tracing::info!(user = %body.name, "made a user");
        Ok(body)
    }

    /// Everybody, by name.
    ///
    /// # Errors
    /// `Engine`
    pub async fn users(&self) -> Result<Vec<UserBody>, AccountError> {
        let (rows, given) = self.0.store.read(|c| Ok::<_, StoreError>((user_list(c)?, grant_list(c)?))).await?;
        let of = |name: &Name| {
            let theirs = given.iter().filter(|(user, _)| user == name.as_str());
            Grants(theirs.map(|(_, grant)| grant.clone()).collect())
        };
        Ok(rows.into_iter().map(|row| body(of(&row.name), row)).collect())
    }

    /// One user.
    ///
    /// # Errors
    /// `NoUser`
    pub async fn user(&self, name: &str) -> Result<UserBody, AccountError> {
        let name = name.to_owned();
        self.0.store.read(move |c| shown(c, &name)).await
    }

    /// Changes a user: all that is asked, or nothing.
    ///
    /// # Errors
    /// `NoUser`, `LastAdmin`, `BadRequest`, `NoPlace`.
    pub async fn patch_user(&self, name: &str, patch: PatchUser, by: &str) -> Result<UserBody, AccountError> {
        let (give_too, take) = (grants_of_body("grant", &patch.grant)?, grants_of_body("revoke", &patch.revoke)?);
        if let Some(both) = give_too.0.iter().find(|grant| take.0.contains(grant)) {
            let message = format!("{} for the {} is both given and taken away", both.role, both.place);
            return Err(bad("revoke", message, &["each grant once"]).into());
        }
        // Before the hash, which costs something.
        self.user(name).await?;
        let hash = match patch.password {
            Some(password) => Some(self.hash("password", Zeroizing::new(password), name).await?),
            None => None,
        };
        let by = by.to_owned();
        let change = move |c: &mut Connection, user: &Name, now_ms: i64| {
            if let Some(hash) = &hash {
                user_set_password(c, user.as_str(), hash, now_ms)?;
                tokens_revoke_logins(c, user.as_str(), "", now_ms)?;
            }
            if let Some(disabled) = patch.disabled {
                user_set_disabled(c, user.as_str(), disabled.then_some(now_ms))?;
            }
            check_places(c, &give_too)?;
            give(c, user, &give_too, &by, now_ms)?;
            for grant in &take.0 {
                if !grant_delete(c, user, grant)? {
                    let message = format!("{user} has not been given {} for the {}", grant.role, grant.place);
                    return Err(bad("revoke", message, &["what the user has: `shunt user show` tells"]).into());
                }
            }
            Ok(())
        };
        self.change_user(name, change).await
    }

    /// Gives a user these roles and no others.
    ///
    /// # Errors
    /// As `patch_user`.
    pub async fn put_grants(&self, name: &str, grants: &[GrantBody], by: &str) -> Result<UserBody, AccountError> {
        let (wanted, by) = (grants_of_body("grants", grants)?, by.to_owned());
        let change = move |c: &mut Connection, user: &Name, now_ms: i64| {
            check_places(c, &wanted)?;
            for grant in grants_of(c, user.as_str())?.0.iter().filter(|grant| !wanted.0.contains(grant)) {
                grant_delete(c, user, grant)?;
            }
            give(c, user, &wanted, &by, now_ms)
        };
        self.change_user(name, change).await
    }

    /// Deletes a user with all their tokens.
    ///
    /// # Errors
    /// `NoUser`, `LastAdmin`.
    pub async fn delete_user(&self, name: &str) -> Result<(), AccountError> {
        let key = name.to_owned();
        let delete = move |c: &mut Connection| {
            keeping_an_admin(c, |c| match user_delete(c, &key)? {
                true => Ok(()),
                false => Err(AccountError::NoUser(key.clone())),
            })
        };
        self.0.store.write(delete).await?;
        self.0.feed.access_changed();
        tracing::info!(user = name, "deleted a user");
        Ok(())
    }

    /// Changes a user's own password, which ends their other logins: they come with the old one.
    ///
    /// # Errors
    /// `Unauthorized` when the old one is wrong, and as `get_token`; `NoPassword`; `BadRequest` for the new one.
    pub async fn change_password(
        &self,
        peer: IpAddr,
        caller: &Holder,
        asked: ChangePassword,
    ) -> Result<(), AccountError> {
        let user = caller.user.as_ref().ok_or(AccountError::Forbidden)?;
        let (old, new) = (Zeroizing::new(asked.old), Zeroizing::new(asked.new));
        password::check("new", &new, user.as_str())?;
        let key = user.clone();
        if self.0.store.read(move |c| user_password(c, key.as_str())).await?.is_none() {
            return Err(AccountError::NoPassword(user.clone()));
        }
        self.prove(peer, user.as_str(), old).await?;
        let (hash, now_ms, key) = (self.0.accounts.passwords.hash(new).await?, self.0.clock.now_ms(), user.clone());
        let token_id = caller.token_id.clone();
        let keep = move |c: &mut Connection| {
            user_set_password(c, key.as_str(), &hash, now_ms)?;
            tokens_revoke_logins(c, key.as_str(), &token_id, now_ms)
        };
        self.0.store.write(keep).await?;
        self.0.feed.access_changed();
        tracing::info!(%user, "a user has changed their password");
        Ok(())
    }

    async fn hash(&self, path: &str, password: Zeroizing<String>, user: &str) -> Result<String, AccountError> {
        password::check(path, &password, user)?;
        self.0.accounts.passwords.hash(password).await
    }

    async fn change_user(
        &self,
        name: &str,
        change: impl FnOnce(&mut Connection, &Name, i64) -> Result<(), AccountError> + Send + 'static,
    ) -> Result<UserBody, AccountError> {
        let (name, now_ms) = (name.to_owned(), self.0.clock.now_ms());
        let work = move |c: &mut Connection| {
            let user = user_find(c, &name)?.ok_or_else(|| AccountError::NoUser(name.clone()))?.name;
            keeping_an_admin(c, |c| change(c, &user, now_ms))?;
            shown(c, &name)
        };
        let body = self.0.store.write(work).await?;
        self.0.feed.access_changed();
        tracing::info!(user = %body.name, "changed a user");
        Ok(body)
    }
}

/// Does what is asked, unless there was an admin of the enterprise before and is none after it. The caller's transaction
/// takes it back then.
fn keeping_an_admin(
    c: &mut Connection,
    change: impl FnOnce(&mut Connection) -> Result<(), AccountError>,
) -> Result<(), AccountError> {
    let before = is_there_an_admin(c)?;
    change(c)?;
    if before && !is_there_an_admin(c)? { Err(AccountError::LastAdmin) } else { Ok(()) }
}

fn give(c: &mut Connection, user: &Name, grants: &Grants, by: &str, now_ms: i64) -> Result<(), AccountError> {
    grants.0.iter().try_for_each(|grant| grant_insert(c, user, grant, by, now_ms)).map_err(Into::into)
}

fn taken(error: StoreError) -> AccountError {
    match error {
        StoreError::Conflict { what, key } => DispatchError::Taken { what, key }.into(),
        error => error.into(),
    }
}

fn shown(c: &mut Connection, name: &str) -> Result<UserBody, AccountError> {
    let row = user_find(c, name)?.ok_or_else(|| AccountError::NoUser(name.to_owned()))?;
    Ok(body(grants_of(c, name)?, row))
}

fn body(grants: Grants, row: UserRow) -> UserBody {
    UserBody {
        name: row.name,
        grants: grants.0.iter().map(GrantBody::from).collect(),
        has_password: row.password_set_at_ms.is_some(),
        disabled: row.disabled_at_ms.is_some(),
        created_at: rfc3339(row.created_at_ms),
        created_by: row.created_by,
        password_set_at: row.password_set_at_ms.map(rfc3339),
        disabled_at: row.disabled_at_ms.map(rfc3339),
    }
}

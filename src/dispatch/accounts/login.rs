//! From a password to a token.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use serde_json::json;
use shuntyard_domain::tenancy::{MAX_NAME_CHARS, Name};
use shuntyard_domain::wire::access::{GetToken, GotToken, LOGIN_TTL_S, MAX_PASSWORD_BYTES};
use zeroize::Zeroizing;

use super::AccountError;
use crate::acting::acting;
use crate::dispatch::Dispatcher;
use crate::dispatch::enrol::counted;
use crate::dispatch::token_text::TokenText;
use crate::store::{
    Changed, Connection, StoreError, TokenOwner, TokenRow, audit_note, token_insert, tokens_prune, user_find,
    user_password,
};

/// For how long the list tells of a token that has ended: 90 days.
const KEPT_AFTER_END_MS: i64 = 90 * 24 * 3600 * 1000;

impl Dispatcher {
    /// Gives a token, good for a week, to somebody who knows a user's password.
    ///
    /// # Errors
    /// `Unauthorized` whatever is wrong, `TooManyTries`, `Crowded`.
    pub async fn get_token(&self, peer: IpAddr, asked: GetToken) -> Result<GotToken, AccountError> {
        let GetToken { username, password } = asked;
        let password = Zeroizing::new(password);
        let user = match self.prove(peer, &username, password).await {
            Err(AccountError::Unauthorized) => {
                self.note_refused(&username).await;
                return Err(AccountError::Unauthorized);
            }
            proved => proved?,
        };
        let (row, text) = self.new_token(TokenText::User, "login", LOGIN_TTL_S, TokenOwner::Login(user.clone()))?;
        let row = TokenRow { created_by: Some(username), ..row };
        let (stored, now_ms) = (row.clone(), row.created_at_ms);
        let keep = move |c: &mut Connection| {
            tokens_prune(c, now_ms - KEPT_AFTER_END_MS)?;
            token_insert(c, &stored)
        };
        let keep = self.0.store.write(keep);
        match acting() {
            Some(acting) => acting.of(user.to_string()).scope(keep).await?,
            None => keep.await?,
        }
        tracing::info!(token.prefix = row.prefix, user = row.created_by, %peer, "a user has logged in");
        Ok(GotToken { token: text.to_string(), ttl: LOGIN_TTL_S })
    }

    /// Notes in the audit log that a login was refused; one of too many only counts.
    async fn note_refused(&self, username: &str) {
        let (accounts, now_ms) = (&self.0.accounts, self.0.clock.now_ms());
        if accounts.noted.take(&(), now_ms).is_err() {
            accounts.not_noted.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let not_noted = accounts.not_noted.swap(0, Ordering::Relaxed);
        let after = (not_noted > 0).then(|| json!({"refused_before_and_not_noted": not_noted}));
        let (engine, user) = (self.clone(), username.parse::<Name>().ok());
        let note = move |c: &mut Connection| {
            // What was typed as a name may be a password: only that of a user is written down.
            let found = user.as_ref().map(|user| user_find(c, user.as_str())).transpose()?.flatten();
            let subject = user
                .filter(|_| found.is_some())
                .map_or_else(|| "an unknown user".into(), |user| format!("user {user}"));
            let noted: Result<(), StoreError> =
                audit_note(c, "user.login_refused", || Changed::new(subject, None, after));
            noted
        };
        // Also of somebody who hangs up before the answer.
        let noted = self.to_the_end(async move { Ok(engine.0.store.write(note).await?) }).await;
        if let Err(error) = noted {
            tracing::error!(%error, "a refused login could not be noted in the audit log");
        }
    }

    /// Lets a password prove who somebody is; a wrong one costs a try of the name and of the address.
    pub(super) async fn prove(
        &self,
        peer: IpAddr,
        name: &str,
        password: Zeroizing<String>,
    ) -> Result<Name, AccountError> {
        let (accounts, now_ms, address) = (&self.0.accounts, self.0.clock.now_ms(), counted(peer));
        // Whatever is sent as a name, what is remembered of it is short.
        let key: String = name.chars().take(MAX_NAME_CHARS + 1).collect();
        accounts.addresses.take(&address, now_ms).map_err(|wait_s| AccountError::TooManyTries { wait_s })?;
        accounts.names.take(&key, now_ms).map_err(|wait_s| AccountError::TooManyTries { wait_s })?;
        if password.len() > MAX_PASSWORD_BYTES {
            return Err(AccountError::Unauthorized);
        }
        let user = name.parse::<Name>().ok();
        let hash = match user.clone() {
            Some(user) => self.0.store.read(move |c| user_password(c, user.as_str())).await?,
            None => None,
        };
        let right = match accounts.passwords.is_right(password, hash).await {
            Err(AccountError::Crowded) => {
                // Nobody has looked at it.
                accounts.addresses.give_back(&address);
                accounts.names.give_back(&key);
                return Err(AccountError::Crowded);
            }
            right => right?,
        };
        match user {
            Some(user) if right => {
                accounts.addresses.give_back(&address);
                accounts.names.forget(&key);
                Ok(user)
            }
            _ => {
                tracing::info!(%peer, "a login was refused");
                Err(AccountError::Unauthorized)
            }
        }
    }
}

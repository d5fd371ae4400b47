//! From a password to a token.

use std::net::IpAddr;

use shuntyard_domain::tenancy::{MAX_NAME_CHARS, Name};
use shuntyard_domain::wire::access::{GetToken, GotToken, LOGIN_TTL_S, MAX_PASSWORD_BYTES};
use zeroize::Zeroizing;

use super::AccountError;
use crate::acting::acting;
use crate::dispatch::Dispatcher;
use crate::dispatch::enrol::counted;
use crate::dispatch::token_text::TokenText;
use crate::store::{Connection, TokenOwner, TokenRow, token_insert, tokens_prune, user_password};

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
        let user = self.prove(peer, &username, password).await?;
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

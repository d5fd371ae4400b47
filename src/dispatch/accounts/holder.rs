//! Who comes with a token.

use std::sync::{Arc, PoisonError};

use shuntyard_domain::access::{Grants, Place, Verdict};
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::{ADMIN_FILE_USER, TokenKind};
use tracing::Span;

use super::AccountError;
use crate::dispatch::Dispatcher;
use crate::dispatch::token_text::{self, TokenText};
use crate::store::{TokenHolder, TokenOwner, TokenRow, token_holder, token_used};

/// The last use of a token is kept to the minute: a write a request would cost more than it tells.
const NOTED_EVERY_MS: i64 = 60_000;
/// Tokens whose last note is remembered; of more, one may be noted once too often.
const MAX_NOTED: usize = 4096;

/// Who comes with a token, and what they may do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// As it is written beside what they do: a user's name, `admin` of the file's token, `machine NAME` of a program.
    pub name: String,
    pub user: Option<Name>,
    pub kind: TokenKind,
    pub token_id: String,
    /// The first characters of the token.
    pub token_prefix: String,
    pub expires_at_ms: Option<i64>,
    pub grants: Arc<Grants>,
    /// The SHA-256 of the token.
    digest: Vec<u8>,
}

impl Holder {
    fn new(found: TokenHolder) -> Self {
        let TokenHolder { token, grants, .. } = found;
        Self {
            name: match &token.owner {
                TokenOwner::AdminFile => ADMIN_FILE_USER.to_owned(),
                TokenOwner::Login(user) | TokenOwner::Personal(user) => user.to_string(),
                TokenOwner::Machine(_) => format!("machine {}", token.name),
            },
            user: token.owner.user().cloned(),
            kind: token.owner.kind(),
            token_id: token.id,
            token_prefix: token.prefix,
            expires_at_ms: token.expires_at_ms,
            grants: Arc::new(grants),
            digest: token.sha256,
        }
    }

    /// Whether they may do everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.grants.decide(&[], &Place::Enterprise) == Verdict::Allowed
    }
}

impl Dispatcher {
    /// Finds out who comes with a token. `claimed` is who the client says it is; Chef's clients say so.
    ///
    /// # Errors
    /// `TokenDenied` and `TokenExpired`; `Engine` when the store cannot be read.
    pub async fn holder(&self, token: &str, claimed: Option<&str>) -> Result<Holder, AccountError> {
        let can_be = match TokenText::named_by(token) {
            Some(TokenText::Enrolment) => false,
            Some(kind) => kind.is_whole(token),
            // The one of the file has no checksum.
            None => true,
        };
        if !can_be {
            return Err(AccountError::TokenDenied);
        }
        let found = self.find_holder(token_text::digest(token), claimed).await?;
        self.note_use(&found.token, self.0.clock.now_ms());
        Ok(Holder::new(found))
    }

    /// The same holder as the store knows them now.
    ///
    /// # Errors
    /// As `holder`.
    pub async fn holder_again(&self, holder: &Holder) -> Result<Holder, AccountError> {
        self.find_holder(holder.digest.clone(), None).await.map(Holder::new)
    }

    async fn find_holder(&self, digest: Vec<u8>, claimed: Option<&str>) -> Result<TokenHolder, AccountError> {
        let found = self.0.store.read(move |c| token_holder(c, &digest)).await?.ok_or(AccountError::TokenDenied)?;
        check(&found, claimed, self.0.clock.now_ms())?;
        Ok(found)
    }

    /// Notes in the background that a token was used.
    fn note_use(&self, token: &TokenRow, now_ms: i64) {
        let before_ms = now_ms - NOTED_EVERY_MS;
        if token.last_used_at_ms.is_some_and(|at_ms| at_ms >= before_ms) {
            return;
        }
        {
            let mut noted = self.0.accounts.noted_ms.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.len() >= MAX_NOTED {
                noted.retain(|_, at_ms| *at_ms >= before_ms);
            }
            if noted.len() >= MAX_NOTED {
                noted.clear();
            }
            // Others of the same moment read the row before the note is stored.
            if noted.insert(token.id.clone(), now_ms).is_some_and(|at_ms| at_ms >= before_ms) {
                return;
            }
        }
        let (store, id) = (self.0.store.clone(), token.id.clone());
        self.0.tasks.spawn(Span::current(), move |_| async move {
            let key = id.clone();
            if let Err(error) = store.write(move |c| token_used(c, &key, now_ms, before_ms)).await {
                tracing::warn!(token.id = id, %error, "cannot note the use of a token");
            }
        });
    }
}

fn check(found: &TokenHolder, claimed: Option<&str>, now_ms: i64) -> Result<(), AccountError> {
    let token = &found.token;
    let own_name = match &token.owner {
        TokenOwner::AdminFile => ADMIN_FILE_USER,
        TokenOwner::Login(user) | TokenOwner::Personal(user) => user.as_str(),
        TokenOwner::Machine(_) => &token.name,
    };
    let another = claimed.is_some_and(|claimed| claimed != own_name);
    if found.disabled || token.revoked_at_ms.is_some() || another {
        return Err(AccountError::TokenDenied);
    }
    if token.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
        return Err(AccountError::TokenExpired);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(owner: TokenOwner) -> TokenHolder {
        let token = TokenRow {
            id: "t".into(),
            name: "ci".into(),
            owner,
            created_by: None,
            prefix: "shym_abcd".into(),
            sha256: vec![0; 32],
            created_at_ms: 0,
            last_used_at_ms: None,
            expires_at_ms: Some(100),
            revoked_at_ms: None,
        };
        TokenHolder { token, grants: Grants::default(), disabled: false }
    }

    /// What becomes of a token at the time 50, and at the time 100.
    fn verdict(found: &TokenHolder, claimed: Option<&str>) -> (&'static str, &'static str) {
        let word = |now_ms| match check(found, claimed, now_ms) {
            Ok(()) => "good",
            Err(AccountError::TokenDenied) => "denied",
            Err(AccountError::TokenExpired) => "expired",
            Err(_) => "other",
        };
        (word(50), word(100))
    }

    #[test]
    fn a_token_is_good_until_it_expires_and_for_its_own_name_only() {
        let ann = || found(TokenOwner::Login("ann".parse().unwrap()));
        for (token, own) in [
            (ann(), "ann"),
            (found(TokenOwner::Machine(Grants::default())), "ci"),
            (found(TokenOwner::AdminFile), "admin"),
        ] {
            assert_eq!(verdict(&token, None), ("good", "expired"));
            assert_eq!(verdict(&token, Some(own)), ("good", "expired"));
            for other in ["", "Ann", "bob", "ann ", "machine ci"] {
                assert_eq!(verdict(&token, Some(other)), ("denied", "denied"), "{other:?}");
            }
        }
        let mut revoked = ann();
        revoked.token.revoked_at_ms = Some(10);
        assert_eq!(verdict(&revoked, None), ("denied", "denied"));
        assert_eq!(verdict(&TokenHolder { disabled: true, ..ann() }, None), ("denied", "denied"));
    }
}

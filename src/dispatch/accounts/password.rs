//! Passwords: argon2id, on threads that may block, a few at a time.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use shuntyard_domain::wire::access::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::AccountError;
use crate::dispatch::DispatchError;
use crate::dispatch::engine_error::bad;

/// Each takes 19 MiB and some 20 ms of a core: logins must not take the machine from the jobs.
const AT_A_TIME: usize = 2;
/// Who comes when so many wait is told to come again.
const MAX_WAITING: usize = 64;
/// A hash as `hash` makes them, of a password that nobody knows: checking it takes as long as checking a real one.
const OF_NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Y4KzzIgUErd7/K7tAmABwA$F4XPw7xqx3OOizjNzNGvElY8K5Bw4HrzNqG/jA93K2o";

/// Hashes and checks.
pub(super) struct Passwords {
    running: Arc<Semaphore>,
    admitted: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(AT_A_TIME)), admitted: Semaphore::new(AT_A_TIME + MAX_WAITING) }
    }
}

impl Passwords {
    /// Returns the PHC string that is stored of a new password.
    ///
    /// # Errors
    /// `Crowded`, and `Random` when there are no random bytes for its salt.
    pub(super) async fn hash(&self, password: Zeroizing<String>) -> Result<String, AccountError> {
        let hash = move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string());
        self.work(hash).await?.map_err(|_| DispatchError::Random.into())
    }

    /// Tells whether it is the password of that hash. Without one the answer is no, after the same time.
    ///
    /// # Errors
    /// `Crowded`
    pub(super) async fn is_right(
        &self,
        password: Zeroizing<String>,
        hash: Option<String>,
    ) -> Result<bool, AccountError> {
        let check = move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(OF_NOBODY);
            let right = PasswordHash::new(hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
            right && known
        };
        self.work(check).await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccountError> {
        let _admitted = self.admitted.try_acquire().map_err(|_| AccountError::Crowded)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| DispatchError::Interrupted)?;
        // The place is held until the work has ended, also when whoever asked has gone away.
        let held = move || {
            let _running = running;
            work()
        };
        Ok(tokio::task::spawn_blocking(held).await.map_err(|_| DispatchError::Interrupted)?)
    }
}

/// Checks a new password; the refusal does not repeat it.
///
/// # Errors
/// `BadRequest` at `path`.
pub(super) fn check(path: &str, password: &str, user: &str) -> Result<(), AccountError> {
    let long_enough = password.chars().count() >= MIN_PASSWORD_CHARS && password.len() <= MAX_PASSWORD_BYTES;
    if !long_enough || password.contains('\0') {
        return Err(bad(path, "not a password that can be kept", &["8 characters to 1024 bytes, without NUL"]).into());
    }
    if password.eq_ignore_ascii_case(user) {
        return Err(bad(path, "the password is the user's name", &["any other"]).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_nothing_else_is() {
        let passwords = Passwords::default();
        let hash = passwords.hash(secret("correct horse ä")).await.unwrap();
        let other = passwords.hash(secret("correct horse ä")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && hash != other);
        assert!(passwords.is_right(secret("correct horse ä"), Some(hash.clone())).await.unwrap());
        for wrong in ["", "correct horse", "correct horse ä "] {
            assert!(!passwords.is_right(secret(wrong), Some(hash.clone())).await.unwrap());
        }
        assert!(!passwords.is_right(secret("x"), Some("no hash".into())).await.unwrap());
    }

    #[test]
    fn the_hash_of_nobody_costs_what_others_cost() {
        let hash = PasswordHash::new(OF_NOBODY).expect("a PHC string");
        let real = Argon2::default().hash_password(b"x").unwrap();
        assert_eq!((hash.algorithm, hash.version, hash.params), (real.algorithm, real.version, real.params));
        assert_eq!(hash.hash.map(|h| h.len()), real.hash.map(|h| h.len()));
        assert_eq!(hash.salt.map(|s| s.len()), real.salt.map(|s| s.len()));
    }

    #[tokio::test]
    async fn a_crowd_is_sent_away_and_the_rest_are_served() {
        let passwords = Passwords::default();
        let taken = passwords.admitted.acquire_many((AT_A_TIME + MAX_WAITING) as u32).await.unwrap();
        assert!(matches!(passwords.is_right(secret("x"), None).await, Err(AccountError::Crowded)));
        drop(taken);
        assert!(!passwords.is_right(secret("x"), None).await.unwrap());
    }

    #[test]
    fn short_and_endless_passwords_and_the_users_name_are_refused() {
        let long = "x".repeat(1025);
        for bad in ["", "seven77", "alice-alice", "ALICE-alice", "nul\0nul\0nul", &long] {
            assert!(check("password", bad, "alice-alice").is_err(), "{bad:?}");
        }
        for good in ["eight888", "пароль-🔑🔑", &long[..1024]] {
            assert!(check("password", good, "alice-alice").is_ok(), "{good:?}");
        }
    }
}

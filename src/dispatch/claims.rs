//! One installation or removal of a host at a time: the second would undo what the first has made.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::DispatchError;

/// The names of the hosts that are being changed.
#[derive(Clone, Default)]
pub(super) struct Claims(Arc<Mutex<HashSet<String>>>);

/// The right to change one host; given back when it is dropped.
pub(super) struct Claim {
    claims: Claims,
    hostname: String,
}

impl Claims {
    /// # Errors
    /// `UnderWay` while somebody else has it.
    pub(super) fn claim(&self, hostname: &str) -> Result<Claim, DispatchError> {
        if self.lock().insert(hostname.to_owned()) {
            Ok(Claim { claims: self.clone(), hostname: hostname.to_owned() })
        } else {
            Err(DispatchError::UnderWay(hostname.to_owned()))
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.hostname);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_changed_by_one_at_a_time() {
        let claims = Claims::default();
        let first = claims.claim("h1").unwrap();
        assert!(matches!(claims.claim("h1"), Err(DispatchError::UnderWay(name)) if name == "h1"));
        let _other = claims.claim("h2").unwrap();
        drop(first);
        assert!(claims.claim("h1").is_ok());
    }
}

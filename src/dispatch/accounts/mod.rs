//! Users, what they may do, and the tokens by which they and their programs come.
//!
//! Nothing is remembered between requests: each reads its token, user and grants from the store, so what is taken away is
//! gone with the commit that takes it.

mod error;
mod holder;
mod login;
mod password;
mod tokens;
mod tries;
mod users;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

pub use error::AccountError;
pub use holder::Holder;

use password::Passwords;
use tries::Tries;

/// Wrong passwords of one address (IPv6: a /64), and the time after which it may send another one.
const OF_ADDRESS: (u32, i64) = (20, 6_000);
/// Wrong passwords for one user name. Somebody else can use them up: whoever has a token is not kept out by that.
const OF_NAME: (u32, i64) = (10, 30_000);
/// Refused logins that are noted in the audit log, and the time after which another one is: nobody fills it with guesses.
const NOTED: (u32, i64) = (100, 60_000);

/// What is known of logins and tokens since the start.
pub(super) struct Accounts {
    passwords: Passwords,
    addresses: Tries<IpAddr>,
    names: Tries<String>,
    noted: Tries<()>,
    /// Refused logins since the last that was noted.
    not_noted: AtomicU64,
    /// When the use of a token was noted last.
    noted_ms: Mutex<HashMap<String, i64>>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            passwords: Passwords::default(),
            addresses: Tries::new(OF_ADDRESS.0, OF_ADDRESS.1),
            names: Tries::new(OF_NAME.0, OF_NAME.1),
            noted: Tries::new(NOTED.0, NOTED.1),
            not_noted: AtomicU64::new(0),
            noted_ms: Mutex::default(),
        }
    }
}

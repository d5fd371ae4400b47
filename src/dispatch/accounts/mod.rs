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

pub use error::AccountError;
pub use holder::Holder;

use password::Passwords;
use tries::Tries;

/// Wrong passwords of one address (IPv6: a /64), and the time after which it may send another one.
const OF_ADDRESS: (u32, i64) = (20, 6_000);
/// Wrong passwords for one user name. Somebody else can use them up: whoever has a token is not kept out by that.
const OF_NAME: (u32, i64) = (10, 30_000);

/// What is known of logins and tokens since the start.
pub(super) struct Accounts {
    passwords: Passwords,
    addresses: Tries<IpAddr>,
    names: Tries<String>,
    /// When the use of a token was noted last.
    noted_ms: Mutex<HashMap<String, i64>>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            passwords: Passwords::default(),
            addresses: Tries::new(OF_ADDRESS.0, OF_ADDRESS.1),
            names: Tries::new(OF_NAME.0, OF_NAME.1),
            noted_ms: Mutex::default(),
        }
    }
}

//! Signed HTTPS calls out: to receivers of webhooks and to hooks of pools. The only place that names reqwest.
//!
//! A URL is what somebody typed, so a call must not become a way into networks that only the dispatcher can reach: each
//! address is checked before anything is sent (`guard`), and the connection goes to an address that was checked. No proxy
//! of the environment, no redirect. Bodies are signed as Standard Webhooks say (`signature`).

mod caller;
mod destination;
mod error;
mod guard;
mod resolver;
mod signature;

#[cfg(test)]
mod tests;

pub use caller::{Answer, Call, Caller, CallerSettings};
pub use destination::{BadDestination, Destination, MAX_URL_BYTES};
pub use error::{CallError, CallerError};
pub use guard::{Guard, RefusedAddress};
pub use signature::{BadSecret, SigningSecret, signature};

//! What the tests share: hosts, databases, daemons.

pub mod daemon;
pub mod http;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sshd;

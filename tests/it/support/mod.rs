//! What the tests share: hosts, databases, daemons.

#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sshd;

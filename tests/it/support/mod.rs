//! What the tests share: hosts and databases.

#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sshd;

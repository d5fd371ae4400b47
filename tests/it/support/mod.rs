//! What the tests share: hosts, databases and trees of files.

#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sshd;
pub mod trees;

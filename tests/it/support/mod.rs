//! What the tests share: hosts, databases and trees of files.

pub mod git;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod receiver;
pub mod sshd;
pub mod trees;

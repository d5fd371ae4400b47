//! What the tests share: hosts, databases, daemons.

pub mod sshd;

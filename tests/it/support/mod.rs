//! What the tests share: hosts, databases, requests.

pub mod http;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sshd;

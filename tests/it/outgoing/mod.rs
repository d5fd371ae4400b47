//! Calls out, against a real receiver over TLS.

mod calls;

pub use calls::signed_by_openssl;
mod refused;

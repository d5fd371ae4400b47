//! Calls out, against a real receiver over TLS.

mod calls;
mod refused;

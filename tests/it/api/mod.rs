//! Tests of the HTTP API against a running daemon.

mod answers;

//! Shuntyard's daemon as a library: `daemon` puts the layers together.

// Tests may; nothing that comes from a host, a disk, a network or a person ends a program.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod acting;
pub mod backup;
pub mod blobs;
pub mod check;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod dispatch;
pub mod http;
pub mod local;
pub mod logs;
pub mod metrics;
pub mod outgoing;
pub mod rotation;
pub mod sealed;
pub mod showcase;
pub mod shutdown;
pub mod ssh;
pub mod store;
pub mod systemd;
pub mod telemetry;
pub mod tls;

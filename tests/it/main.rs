//! The integration tests: one binary, one module per area.

mod api;
mod artifacts;
mod blobs;
mod canary;
mod chaos;
mod cli;
mod dispatch;
mod outgoing;
mod pipelines;
mod ssh;
mod store;
mod support;
mod tidy;
mod ui;
mod webhooks;
mod wrapper;

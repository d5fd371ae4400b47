//! Logging of the daemon.

//! Job output on disk.

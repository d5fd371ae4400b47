//! Parses, loads, runs, exits.
fn main() {}

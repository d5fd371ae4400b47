//! Tests of the wrapper area.

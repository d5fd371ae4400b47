//! Tests of the ssh area.

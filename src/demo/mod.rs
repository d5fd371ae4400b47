//! Embedded loopback SSH hosts for the demo and for tests.

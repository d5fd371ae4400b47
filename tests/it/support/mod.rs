//! What the tests share: hosts, databases, daemons.

//! Embedded loopback SSH hosts for the demo, for the local runner and for tests.
//!
//! A `DemoHost` is an SSH server inside this process that behaves like OpenSSH's sshd where a
//! dispatcher can tell: it really runs the commands that it is sent, a closed channel only closes the
//! command's pipes, a session slot is held until the command ends, the eleventh session of a connection
//! is refused. It listens on 127.0.0.1 only. In the demo it pretends to another platform by an os-release file and a
//! `uname` program of its own, and takes every process down with it; as the local runner's host it is the machine that
//! it is, and jobs outlive it. Beside `ssh/` this is the only place that names russh, and the only one in
//! the daemon that starts processes.
//!
//! It is no security boundary: commands run as the daemon's own user.

mod authorized;
mod exec;
mod host;
mod input;
mod processes;
mod root;
mod session;
mod spec;
mod uncorked;

#[cfg(test)]
mod tests;

pub use host::{DemoError, DemoHost};
pub use spec::{AtStop, HostSpec, Platform, random_text, three_hosts};

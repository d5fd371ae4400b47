//! Tests of the cli area: the real `shuntd` and `shunt` against real sshd hosts.

mod adhoc;
mod cancel;
pub mod client;
mod demo;
pub mod house;
mod jobs;
mod run;

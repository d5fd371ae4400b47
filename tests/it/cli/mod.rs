//! Tests of the cli area: the real `shuntd` and `shunt` against real sshd hosts.

mod adhoc;
mod cancel;
mod client;
mod demo;
mod house;
mod jobs;
mod run;
mod stop;

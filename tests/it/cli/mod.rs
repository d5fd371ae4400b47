//! Tests of the cli area: the real `shuntd` and `shunt` against real sshd hosts.

mod adhoc;
mod client;
mod house;
mod stop;

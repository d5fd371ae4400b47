//! Tests of the cli area: the real `shuntd` and `shunt` against real sshd hosts.

mod adhoc;
mod api;
mod cancel;
pub mod client;
mod crash;
mod demo;
pub mod house;
mod jobs;
mod never_lose;
mod proof;
mod run;
mod secrets;
mod stop;
mod store_faults;
mod wrong;

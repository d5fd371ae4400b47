//! Tests of the cli area: the real `shuntd` and `shunt` against real sshd hosts.

mod adhoc;
mod api;
mod cancel;
pub mod client;
mod crash;
mod delete;
mod delete_forced;
mod demo;
mod enrolment;
pub mod house;
mod install;
mod install_again;
mod install_bad_input;
mod install_host_key;
mod install_refused;
mod install_rollback;
mod install_secrets;
mod jobs;
mod never_lose;
mod proof;
mod run;
mod secrets;
mod stop;
mod store_faults;
mod terminal;
mod wrong;

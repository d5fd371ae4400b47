//! Tests of the cli area: the real `shuntd` and `shunt` against real sshd hosts.

mod adhoc;
mod client;
mod delete;
mod delete_forced;
mod enrolment;
mod house;
mod install;
mod install_again;
mod install_bad_input;
mod install_host_key;
mod install_refused;
mod install_rollback;
mod install_secrets;
mod never_lose;
mod stop;
mod store_faults;
mod terminal;

//! Tests of the cli area: the real `shuntd` and `shunt` against real sshd hosts.

mod adhoc;
mod bad_links;
mod client;
mod house;
mod http_limits;
mod never_lose;
mod proof;
mod stop;
mod store_faults;

//! Tests of the cli area: the real `shuntd` and `shunt` against real sshd hosts.

mod adhoc;
mod client;
mod cut_off;
mod data_dir;
mod house;
mod proof;
mod settings;
mod stop;
mod together;

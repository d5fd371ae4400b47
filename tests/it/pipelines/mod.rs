//! Changes on their way through pipelines: the real `shuntd`, and real sshd hosts of two platforms.

mod actions;
mod environments;
mod projects;
mod restart;
mod rows;
pub mod yard;

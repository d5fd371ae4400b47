//! The wrapper and the bootstrap scripts, run by every /bin/sh that a runner may have.

mod driver;

mod bootstrap;
mod cgroup;
mod collect;
mod follow;
mod forced;
mod leave;
mod next;
mod output;
mod receipt;
mod run;
mod secret_files;
mod source;
mod spool;
mod stop;
mod workspace;

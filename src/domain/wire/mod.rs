//! Shapes that travel: to the runner's wrapper (`frame`, `control`) and over HTTP (`api`).

pub mod api;
pub mod change;
pub mod control;
pub mod frame;
pub mod log_chunk;
pub mod object;
pub mod submit;
pub mod time_text;

//! Shapes that travel: to the runner's wrapper (`frame`, `control`) and over HTTP (`api`, `workspace`).

pub mod api;
pub mod change;
pub mod control;
pub mod enrolment;
pub mod frame;
pub mod object;
pub mod pipelines;
pub mod time_text;
pub mod workspace;

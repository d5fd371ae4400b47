//! Tests of the web page: forms as they are sent without scripts, and the rest in a real Chromium.

mod axe;
mod browser;
mod changes;
mod forms;
mod live;
mod log;
mod queue;
mod runners;
mod sessions;
mod settings;

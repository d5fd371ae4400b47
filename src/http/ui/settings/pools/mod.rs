//! Pools of machines that are started when jobs wait: all of them, one, and what is done to them.

mod acts;
mod form;
mod list;
mod machines;
mod one;

use maud::Markup;
use shuntyard_domain::wire::pools::PoolBody;

use crate::http::access::{Administer, At, Routes};
use crate::http::ui::parts::{Tone, state};

const HERE: &str = "/settings/pools";
const TAB: &str = "Pools";

pub(super) fn routes() -> Routes {
    let admin = || Administer(At::Enterprise);
    Routes::new()
        .get("/settings/pools", admin(), list::page)
        .post("/settings/pools", admin(), acts::create)
        .get("/settings/pools/{pool}", admin(), one::page)
        .post("/settings/pools/{pool}/change", admin(), acts::change)
        .post("/settings/pools/{pool}/switch", admin(), acts::switch)
        .post("/settings/pools/{pool}/secret", admin(), acts::secret)
        .post("/settings/pools/{pool}/delete", admin(), acts::delete)
}

fn page_of(name: &str) -> String {
    format!("{HERE}/{name}")
}

/// Whether it starts machines.
fn pool_state(pool: &PoolBody) -> Markup {
    match (pool.deleting, pool.spec.enabled) {
        (true, _) => state(Tone::Warn, "deleting"),
        (false, true) => state(Tone::Good, "enabled"),
        (false, false) => state(Tone::Off, "disabled"),
    }
}

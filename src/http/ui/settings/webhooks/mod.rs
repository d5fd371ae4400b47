//! Webhooks: who is told of what; all of them, one with what was sent to it, and what is done to them.

mod acts;
mod deliveries;
mod form;
mod list;
mod one;

use maud::Markup;

use crate::http::access::{Administer, At, Routes};
use crate::http::ui::parts::{Tone, state};

const HERE: &str = "/settings/webhooks";
const TAB: &str = "Webhooks";

pub(super) fn routes() -> Routes {
    let admin = || Administer(At::Enterprise);
    Routes::new()
        .get("/settings/webhooks", admin(), list::page)
        .post("/settings/webhooks", admin(), acts::create)
        .get("/settings/webhooks/{id}", admin(), one::page)
        .post("/settings/webhooks/{id}/change", admin(), acts::change)
        .post("/settings/webhooks/{id}/switch", admin(), acts::switch)
        .post("/settings/webhooks/{id}/test", admin(), acts::test)
        .post("/settings/webhooks/{id}/secret", admin(), acts::secret)
        .post("/settings/webhooks/{id}/delete", admin(), acts::delete)
        .post("/settings/webhooks/{id}/deliveries/{delivery}/redeliver", admin(), acts::redeliver)
}

fn page_of(id: &str) -> String {
    format!("{HERE}/{id}")
}

/// Whether it hears of anything.
fn on_or_off(enabled: bool) -> Markup {
    if enabled { state(Tone::Good, "on") } else { state(Tone::Off, "off") }
}

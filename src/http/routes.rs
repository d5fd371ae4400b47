//! The table of routes: method, path, who may, what answers.

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler as _;

use super::access::{Act, Administer, At, Commit, Look, Open, Review, Routes, Ship, SignedIn, Trigger};
use super::{
    artifacts, audit, body, changes, dial_out, enrolment, events, fan_outs, jobs, jump_hosts, limits, log, log_lines,
    login, metrics, openapi, phase_runs, pools, queue, retention, runners, secrets, status, tenancy, tokens, users,
    webhooks, workspaces,
};

/// What lies below an enterprise.
pub(super) fn tree() -> Routes {
    Routes::new()
        .nest("/runners", runner_routes())
        .nest("/secrets", secret_routes(At::Enterprise))
        .get("/dial-out", Administer(At::Enterprise), dial_out::endpoint)
        .get("/enrolment-tokens", Administer(At::Enterprise), enrolment::list)
        .post("/enrolment-tokens", Administer(At::Enterprise), enrolment::create)
        .delete("/enrolment-tokens/{id}", Administer(At::Enterprise), enrolment::revoke)
        .nest("/webhooks", webhook_routes())
        .nest("/jump-hosts", jump_host_routes())
        .nest("/pools", pool_routes())
        .nest("/jobs", job_routes())
        .post("/phase_runs", Commit(At::Anywhere), phase_runs::submit)
        .get("/phase_runs/{id}", Look(At::PhaseRun), phase_runs::show)
        .nest("/fan_outs", fan_out_routes())
        .get("/workspaces/{id}", Commit(At::Anywhere), workspaces::show)
        .put("/workspaces/{id}", Commit(At::Anywhere), workspaces::submit)
        .put("/workspaces/{id}/files", Commit(At::Anywhere), workspaces::receive)
        .get("/changes", Look(At::Anywhere), changes::list)
        .nest("/changes/{id}", change_routes())
        .get("/events", Look(At::Anywhere), events::streaming)
        .get("/audit", Administer(At::Enterprise), audit::list)
        .get("/audit/check", Administer(At::Enterprise), audit::check)
        .get("/queue", Look(At::Anywhere), queue::show)
        .post("/queue/pause", Administer(At::Enterprise), queue::pause)
        .post("/queue/resume", Administer(At::Enterprise), queue::resume)
        .get("/retention", Administer(At::Enterprise), retention::plan)
        .post("/retention", Administer(At::Enterprise), retention::apply)
        .get("/orgs", Look(At::Anywhere), tenancy::orgs)
        .post("/orgs", Administer(At::Enterprise), tenancy::create_org)
        .nest("/orgs/{org}", org_routes())
        .nest("/users", user_routes())
        .get("/tokens", SignedIn, tokens::list)
        .post("/tokens", SignedIn, tokens::create)
        .delete("/tokens/{id}", SignedIn, tokens::revoke)
        // A host that enrols itself has a token of its own.
        .post("/enrol", Open, enrolment::enrol.layer(DefaultBodyLimit::max(body::MAX_TEXT_BYTES)))
        .get("/saml/enabled", Open, status::saml)
}

/// What lies beside the enterprises.
pub(super) fn outside(metrics_open: bool) -> Routes {
    let routes = Routes::new()
        .get("/enrol.sh", Open, enrolment::script)
        .get("/api/_status", Open, status::status)
        .get("/healthz", Open, status::healthz)
        .get("/readyz", Open, status::readyz)
        .get("/api/openapi.json", Open, openapi::json)
        .get("/api/docs", Open, openapi::docs)
        .get("/api/docs/style.css", Open, openapi::style);
    if metrics_open {
        routes.get("/metrics", Open, metrics::scrape)
    } else {
        // Behind a proxy everybody comes from loopback: an address is no reason to let somebody in.
        routes.get("/metrics", Look(At::Enterprise), metrics::scrape)
    }
}

/// Users, and what Chef's clients ask about tokens. Some are each user's own: the handlers look whose.
fn user_routes() -> Routes {
    Routes::new()
        .get("/", Administer(At::Enterprise), users::list)
        .post("/", Administer(At::Enterprise), users::create)
        .get("/{user}", SignedIn, users::show)
        .patch("/{user}", Administer(At::Enterprise), users::patch)
        .delete("/{user}", Administer(At::Enterprise), users::delete)
        .put("/{user}/grants", Administer(At::Enterprise), users::put_grants)
        .post("/{user}/password", SignedIn, users::change_password)
        .post("/{user}/get-token", Open, login::get_token)
        .get("/{user}/verify-token", SignedIn, login::verify_token)
        .post("/{user}/revoke-token", SignedIn, login::revoke_token)
}

fn runner_routes() -> Routes {
    Routes::new()
        .get("/", Look(At::Anywhere), runners::list)
        .post("/", Administer(At::Enterprise), runners::add)
        .get("/streaming", Look(At::Anywhere), runners::streaming)
        .get("/{hostname}", Look(At::Runner), runners::show)
        .patch("/{hostname}", Administer(At::Runner), runners::patch)
        .delete("/{hostname}", Administer(At::Runner), runners::delete)
        .get("/{hostname}/health", Look(At::Runner), runners::health)
        .post("/{hostname}/health", Look(At::Runner), runners::test)
        .post("/{hostname}/install", Administer(At::Enterprise), runners::install)
        .post("/{hostname}/accept-host-key", Administer(At::Runner), runners::accept_host_key)
        .post("/{hostname}/rotate-key", Administer(At::Runner), runners::rotate_key)
        .post("/{hostname}/approve", Administer(At::Runner), enrolment::approve)
        .put("/{hostname}/dial-out", Administer(At::Runner), dial_out::set)
        .delete("/{hostname}/dial-out", Administer(At::Runner), dial_out::remove)
        .get("/{hostname}/events", Look(At::Runner), runners::events)
        .nest("/{hostname}/secrets", secret_routes(At::Runner))
}

/// The secrets of whoever the path names.
fn secret_routes(at: At) -> Routes {
    Routes::new().get("/", Administer(at), secrets::list).put("/{secret}", Administer(at), secrets::set).delete(
        "/{secret}",
        Administer(at),
        secrets::delete,
    )
}

/// Who is told of events.
fn webhook_routes() -> Routes {
    Routes::new()
        .get("/", Administer(At::Enterprise), webhooks::list)
        .post("/", Administer(At::Enterprise), webhooks::create)
        .get("/{id}", Administer(At::Enterprise), webhooks::show)
        .patch("/{id}", Administer(At::Enterprise), webhooks::patch)
        .delete("/{id}", Administer(At::Enterprise), webhooks::delete)
        .post("/{id}/secret", Administer(At::Enterprise), webhooks::rotate)
        .post("/{id}/test", Administer(At::Enterprise), webhooks::ping)
        .get("/{id}/deliveries", Administer(At::Enterprise), webhooks::deliveries)
        .post("/{id}/deliveries/{delivery}/redeliver", Administer(At::Enterprise), webhooks::redeliver)
}

fn jump_host_routes() -> Routes {
    let one = Routes::new()
        .get("/", Look(At::Enterprise), jump_hosts::show)
        .patch("/", Administer(At::Enterprise), jump_hosts::patch)
        .delete("/", Administer(At::Enterprise), jump_hosts::delete)
        .post("/install", Administer(At::Enterprise), jump_hosts::install)
        .post("/health", Look(At::Enterprise), jump_hosts::test)
        .post("/accept-host-key", Administer(At::Enterprise), jump_hosts::accept_host_key);
    Routes::new()
        .get("/", Look(At::Enterprise), jump_hosts::list)
        .post("/", Administer(At::Enterprise), jump_hosts::create)
        .nest("/{jump_host}", one)
}

fn pool_routes() -> Routes {
    Routes::new()
        .get("/", Look(At::Enterprise), pools::list)
        .post("/", Administer(At::Enterprise), pools::create)
        .get("/{pool}", Look(At::Enterprise), pools::show)
        .patch("/{pool}", Administer(At::Enterprise), pools::patch)
        .delete("/{pool}", Administer(At::Enterprise), pools::delete)
}

fn job_routes() -> Routes {
    Routes::new()
        .get("/", Look(At::Anywhere), jobs::list)
        .post("/", Commit(At::Anywhere), jobs::submit)
        .get("/streaming", Look(At::Anywhere), jobs::streaming)
        .post("/cancel", Act(At::Anywhere), jobs::cancel_chosen)
        .get("/{id}", Look(At::Job), jobs::show)
        .delete("/{id}", Act(At::Job), jobs::cancel)
        .get("/{id}/explain", Look(At::Job), jobs::explain)
        .get("/{id}/explain/streaming", Look(At::Job), jobs::explain_streaming)
        .get("/{id}/events", Look(At::Job), jobs::events)
        .get("/{id}/artifacts", Look(At::Job), artifacts::list)
        .get("/{id}/artifacts/{*path}", Look(At::Job), artifacts::download)
        .get("/{id}/log", Look(At::Job), log::download)
        .get("/{id}/log/growth", Look(At::Job), log_lines::growth)
        .get("/{id}/log/lines", Look(At::Job), log_lines::lines)
        .get("/{id}/log/search", Look(At::Job), log_lines::search)
        .get("/{id}/log/streaming", Look(At::Job), log::streaming)
}

fn fan_out_routes() -> Routes {
    Routes::new()
        .get("/", Look(At::Anywhere), fan_outs::list)
        .post("/", Commit(At::Anywhere), fan_outs::submit)
        .post("/plan", Commit(At::Anywhere), fan_outs::plan)
        .get("/{id}", Look(At::FanOut), fan_outs::show)
        .delete("/{id}", Act(At::FanOut), fan_outs::cancel)
        .post("/{id}/rerun", Commit(At::FanOut), fan_outs::rerun)
        .get("/{id}/streaming", Look(At::FanOut), fan_outs::streaming)
}

/// One change, by its id alone or in its project.
fn change_routes() -> Routes {
    Routes::new()
        .get("/", Look(At::Change), changes::show)
        .delete("/", Commit(At::Change), changes::close)
        .get("/streaming", Look(At::Change), changes::streaming)
        .get("/plan", Look(At::Change), changes::plan)
        .post("/merge", Review(At::Change), changes::approve)
        .post("/accept", Ship(At::Change), changes::deliver)
        .post("/trigger/{stage}", Trigger(At::Change), changes::trigger)
        .post("/cancel", Act(At::Change), changes::cancel)
}

/// What lies in an organisation.
fn org_routes() -> Routes {
    let pipeline = Routes::new()
        .get("/", Look(At::Project), tenancy::pipeline)
        .get("/changes", Look(At::Project), changes::list)
        .post("/changes", Commit(At::Project), changes::submit)
        .post("/plan", Commit(At::Project), changes::plan_for)
        .get("/phase_runs/{id}", Act(At::Project), phase_runs::row)
        .get("/phase_runs/{id}/log", Act(At::Project), phase_runs::row_log);
    let project = Routes::new()
        .get("/", Look(At::Project), tenancy::project)
        .get("/limits", Look(At::Project), limits::show)
        .put("/limits", Administer(At::Enterprise), limits::put)
        .get("/changes", Look(At::Project), changes::list)
        .nest("/changes/{id}", change_routes())
        .nest("/secrets", secret_routes(At::Project))
        .get("/pipelines", Look(At::Project), tenancy::pipelines)
        .post("/pipelines", Administer(At::Project), tenancy::create_pipeline)
        .nest("/pipelines/{pipeline}", pipeline);
    Routes::new()
        .get("/", Look(At::PartOfOrg), tenancy::org)
        .get("/projects", Look(At::PartOfOrg), tenancy::projects)
        .post("/projects", Administer(At::Org), tenancy::create_project)
        .nest("/secrets", secret_routes(At::Org))
        .nest("/projects/{project}", project)
}

//! Organisations, projects and pipelines.

use shuntyard_domain::wire::api::ProjectLimits;
use shuntyard_domain::wire::tenancy::{
    NewName, OrgBody, OrgsBody, PipelineBody, PipelinesBody, ProjectBody, ProjectsBody,
};

use super::super::operation::{Operation, get, post, put};
use crate::http::error::words::ErrorWord as E;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/orgs", "list_orgs", "Lists the organisations.").answers::<OrgsBody>(),
        post("/orgs", "create_org", "Makes an organisation.")
            .takes::<NewName>()
            .creates::<NewName>()
            .fails(&[E::Conflict]),
        get("/orgs/{org}", "show_org", "Shows an organisation.").answers::<OrgBody>(),
        get("/orgs/{org}/projects", "list_projects", "Lists its projects.").answers::<ProjectsBody>(),
        post("/orgs/{org}/projects", "create_project", "Makes a project.")
            .takes::<NewName>()
            .creates::<NewName>()
            .fails(&[E::Conflict]),
        get("/orgs/{org}/projects/{project}", "show_project", "Shows a project.").answers::<ProjectBody>(),
        get("/orgs/{org}/projects/{project}/limits", "show_limits", "Says how many of its jobs may run at a time.")
            .answers::<ProjectLimits>(),
        put(
            "/orgs/{org}/projects/{project}/limits",
            "set_limits",
            "Replaces all limits; a key that is absent is no limit.",
        )
        .takes::<ProjectLimits>()
        .answers::<ProjectLimits>(),
        get("/orgs/{org}/projects/{project}/pipelines", "list_pipelines", "Lists its pipelines.")
            .answers::<PipelinesBody>(),
        post("/orgs/{org}/projects/{project}/pipelines", "create_pipeline", "Makes a pipeline.")
            .takes::<NewName>()
            .creates::<NewName>()
            .fails(&[E::Conflict]),
        get("/orgs/{org}/projects/{project}/pipelines/{pipeline}", "show_pipeline", "Shows a pipeline.")
            .answers::<PipelineBody>(),
    ]
}

//! Organisations, projects and pipelines: made, listed, looked up.

use shuntyard_domain::tenancy::{Name, PipelinePath};

use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{
    Connection, MadeKind, StoreError, org_insert, org_list, org_since, pipeline_insert, pipeline_list, pipeline_since,
    project_insert, project_list, project_since,
};

/// What lies in a project or an organisation, and since when it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub since_ms: i64,
    /// Names of what lies in it, in order.
    pub holds: Vec<Name>,
}

impl Dispatcher {
    /// Makes the organisation that is there from the beginning.
    ///
    /// # Errors
    /// `Store`
    pub(in crate::dispatch) async fn ensure_default_org(&self) -> Result<(), DispatchError> {
        let now_ms = self.0.clock.now_ms();
        let made = self.0.store.write(move |c| {
            let name = Name::of_default();
            if org_since(c, &name, &name)?.is_some() { Ok(()) } else { org_insert(c, &name, &name, now_ms) }
        });
        let made: Result<(), StoreError> = made.await;
        Ok(made?)
    }

    /// The organisations of an enterprise.
    ///
    /// # Errors
    /// `Store`
    pub async fn orgs(&self, enterprise: Name) -> Result<Vec<Name>, DispatchError> {
        Ok(self.0.store.read(move |c| org_list(c, &enterprise)).await?)
    }

    /// # Errors
    /// `Taken` when there is one of that name.
    pub async fn create_org(&self, enterprise: Name, name: Name) -> Result<(), DispatchError> {
        let now_ms = self.0.clock.now_ms();
        self.create(name.clone(), move |c| org_insert(c, &enterprise, &name, now_ms).map(Some)).await
    }

    /// An organisation and its projects.
    ///
    /// # Errors
    /// `NoPlace` when there is no such organisation.
    pub async fn org(&self, enterprise: Name, org: Name) -> Result<Tenant, DispatchError> {
        let read = self.0.store.read(move |c| {
            let since = org_since(c, &enterprise, &org)?;
            Ok::<_, StoreError>(tenant(since, project_list(c, &enterprise, &org)?))
        });
        read.await?.ok_or(DispatchError::NoPlace("organisation"))
    }

    /// # Errors
    /// `Taken`; `NoPlace` when there is no such organisation.
    pub async fn create_project(&self, enterprise: Name, org: Name, name: Name) -> Result<(), DispatchError> {
        let now_ms = self.0.clock.now_ms();
        self.create(name.clone(), move |c| {
            let org_is_there = org_since(c, &enterprise, &org)?.is_some();
            org_is_there.then(|| project_insert(c, &enterprise, &org, &name, now_ms)).transpose()
        })
        .await
    }

    /// A project and its pipelines.
    ///
    /// # Errors
    /// `NoPlace` when there is no such project.
    pub async fn project(&self, enterprise: Name, org: Name, project: Name) -> Result<Tenant, DispatchError> {
        let read = self.0.store.read(move |c| {
            let since = project_since(c, &enterprise, &org, &project)?;
            Ok::<_, StoreError>(tenant(since, pipeline_list(c, &enterprise, &org, &project)?))
        });
        read.await?.ok_or(DispatchError::NoPlace("project"))
    }

    /// # Errors
    /// `Taken`; `NoPlace` when there is no such project.
    pub async fn create_pipeline(&self, at: PipelinePath) -> Result<(), DispatchError> {
        let now_ms = self.0.clock.now_ms();
        self.create(at.pipeline.clone(), move |c| {
            let project_is_there = project_since(c, &at.enterprise, &at.org, &at.project)?.is_some();
            project_is_there.then(|| pipeline_insert(c, &at, now_ms)).transpose()
        })
        .await
    }

    /// Since when a pipeline is there, in Unix milliseconds.
    ///
    /// # Errors
    /// `NoPlace` when there is no such pipeline.
    pub async fn pipeline_since(&self, at: PipelinePath) -> Result<i64, DispatchError> {
        let found = self.0.store.read(move |c| pipeline_since(c, &at)).await?;
        found.ok_or(DispatchError::NoPlace("pipeline"))
    }

    /// Inserts in one transaction; `None`: what it would lie in is not there.
    async fn create(
        &self,
        name: Name,
        insert: impl FnOnce(&mut Connection) -> Result<Option<()>, StoreError> + Send + 'static,
    ) -> Result<(), DispatchError> {
        let engine = self.clone();
        let insert = |c: &mut Connection| match insert(c) {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(DispatchError::NoPlace("place for it")),
            Err(StoreError::Conflict { what, key }) => Err(DispatchError::Taken { what, key }),
            Err(error) => Err(error.into()),
        };
        self.to_the_end(async move { engine.0.store.create(MadeKind::Place, name, insert).await }).await
    }
}

fn tenant(since: Option<i64>, holds: Vec<Name>) -> Option<Tenant> {
    since.map(|since_ms| Tenant { since_ms, holds })
}

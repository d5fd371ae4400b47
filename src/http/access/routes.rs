//! The route table: every entry has a policy, else it does not compile.

use axum::Router;
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, on};
use shuntyard_domain::access::Role;

use super::guard::guard;
use super::policy::{Access, At, Policy};
use crate::http::Api;
use crate::http::idempotency::once;

/// What a route asks for, for documents and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// No token.
    Nothing,
    /// Any valid token.
    Token,
    /// One of these roles where the thing lies; an admin may always.
    Role(&'static [Role], At),
}

/// One route as it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    pub method: &'static str,
    /// Axum's template, such as `/jobs/{id}`.
    pub path: String,
    pub needs: Needs,
}

/// Routes with their policies.
pub(in crate::http) struct Routes {
    router: Router<Api>,
    declared: Vec<Declared>,
}

impl Routes {
    pub(in crate::http) fn new() -> Self {
        Self { router: Router::new(), declared: Vec::new() }
    }

    pub(in crate::http) fn get<T: 'static>(self, path: &str, policy: impl Policy, to: impl Handler<T, Api>) -> Self {
        self.on("GET", MethodFilter::GET, path, &policy, to)
    }

    pub(in crate::http) fn post<T: 'static>(self, path: &str, policy: impl Policy, to: impl Handler<T, Api>) -> Self {
        self.on("POST", MethodFilter::POST, path, &policy, to)
    }

    pub(in crate::http) fn put<T: 'static>(self, path: &str, policy: impl Policy, to: impl Handler<T, Api>) -> Self {
        self.on("PUT", MethodFilter::PUT, path, &policy, to)
    }

    pub(in crate::http) fn patch<T: 'static>(self, path: &str, policy: impl Policy, to: impl Handler<T, Api>) -> Self {
        self.on("PATCH", MethodFilter::PATCH, path, &policy, to)
    }

    pub(in crate::http) fn delete<T: 'static>(self, path: &str, policy: impl Policy, to: impl Handler<T, Api>) -> Self {
        self.on("DELETE", MethodFilter::DELETE, path, &policy, to)
    }

    fn on<T: 'static>(
        mut self,
        method: &'static str,
        filter: MethodFilter,
        path: &str,
        policy: &impl Policy,
        to: impl Handler<T, Api>,
    ) -> Self {
        let access = policy.access();
        let needs = match access {
            Access::Open => Needs::Nothing,
            Access::SignedIn => Needs::Token,
            Access::Role(roles, at) => Needs::Role(roles, at),
        };
        self.declared.push(Declared { method, path: path.to_owned(), needs });
        let looked_after = from_fn_with_state(access, guard);
        // Inside of the guard: a repetition, too, is only answered to who may ask.
        let route: MethodRouter<Api> = on(filter, to).route_layer(from_fn(once)).route_layer(looked_after);
        Self { router: self.router.route(path, route), ..self }
    }

    /// Puts `inner` under a prefix; its path `/` is the prefix itself.
    pub(in crate::http) fn nest(mut self, prefix: &str, inner: Self) -> Self {
        let under = |route: Declared| {
            let path = format!("{prefix}{}", route.path.trim_end_matches('/'));
            Declared { path, ..route }
        };
        self.declared.extend(inner.declared.into_iter().map(under));
        Self { router: self.router.nest(prefix, inner.router), ..self }
    }

    /// Both tables.
    pub(in crate::http) fn and(mut self, other: Self) -> Self {
        self.declared.extend(other.declared);
        Self { router: self.router.merge(other.router), ..self }
    }

    /// What was declared, in the order of the table.
    pub(in crate::http) fn into_declared(self) -> Vec<Declared> {
        self.declared
    }

    pub(in crate::http) fn into_router(self) -> Router<Api> {
        self.router
    }
}

//! Acts in the audit log: each request that may change something has a row at least of itself.

use std::future::Future;

use axum::extract::OriginalUri;
use axum::http::request::Parts;
use axum::response::Response;

use super::caller::Caller;
use crate::acting::Acting;
use crate::http::peer::Peer;
use crate::http::{Api, error, request_id};
use crate::store::{Changed, StoreError, audit_note};

/// One request that is no mere question.
pub(super) struct Act {
    acting: Acting,
    /// `METHOD TEMPLATE`.
    what: String,
    path: String,
}

impl Act {
    pub(super) fn of(api: &Api, caller: Option<&Caller>, parts: &Parts, route: &str) -> Self {
        let address = parts.extensions.get::<Peer>().map(|Peer(peer)| peer.ip().to_string());
        // As it was sent: nesting takes the prefix away.
        let path = parts.extensions.get::<OriginalUri>().map_or(parts.uri.path(), |OriginalUri(uri)| uri.path());
        let name = caller.map_or_else(|| "nobody".to_owned(), |caller| caller.name.clone());
        let token = caller.map(|caller| caller.token_id.clone());
        let acting = Acting::new(name, token, address, request_id::current(), api.dispatcher.clock().now_ms());
        let template = route.rsplit_once("{enterprise}").map_or(route, |(_, below)| below);
        Self { acting, what: format!("{} {template}", parts.method), path: path.to_owned() }
    }

    /// Answers as theirs. What the writes of the act said of it stands in the log; an act that wrote nothing there, such as
    /// a Test, is noted by its path, and so is one that was refused for want of a role.
    pub(super) async fn audited(self, api: &Api, answered: impl Future<Output = Response>) -> Response {
        let response = self.acting.clone().scope(answered).await;
        if error::is_forbidden(&response) {
            self.refused(api).await;
        } else if response.status().is_success() && !self.acting.is_noted() {
            self.note(api, "request").await;
        }
        response
    }

    /// Notes that it was refused for want of a role.
    pub(super) async fn refused(self, api: &Api) {
        self.note(api, "refused").await;
    }

    async fn note(self, api: &Api, kind: &str) {
        let Self { acting, what, path } = self;
        let action = format!("{kind}.{what}");
        let note = api.dispatcher.store().write(move |c| audit_note(c, &action, || Changed::new(path, None, None)));
        let noted: Result<(), StoreError> = acting.scope(note).await;
        if let Err(error) = noted {
            tracing::error!(%error, "an act could not be noted in the audit log");
        }
    }
}

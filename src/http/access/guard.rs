//! Looks after every route: who asks, whether they may, and whether they still may while a stream is open.

use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use shuntyard_domain::access::{Place, Role, Verdict};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::audited::Act;
use super::caller::Caller;
use super::place::{Found, find};
use super::policy::{Access, At};
use crate::dispatch::News;
use crate::http::error::ApiError;
use crate::http::open_streams::OpenStream;
use crate::http::{Api, path, query, sse};

/// What runs out by itself, such as a token, is noticed after at most this time; what somebody changes, at once.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// The last event of a stream whose reader may not read it any more.
const DENIED: &[u8] = b"event: denied\ndata: {\"error\":\"token_denied\"}\n\n";

/// Where a role must hold.
enum Reach {
    There,
    Anywhere,
    /// There or in a part of it.
    Within,
}

/// What a caller was let pass for.
struct Standing {
    roles: &'static [Role],
    place: Place,
    reach: Reach,
}

impl Standing {
    fn verdict(&self, caller: &Caller) -> Verdict {
        match self.reach {
            Reach::There => caller.grants.decide(self.roles, &self.place),
            Reach::Anywhere => caller.grants.decide_anywhere(self.roles),
            Reach::Within if caller.grants.sees(&self.place) => Verdict::Allowed,
            Reach::Within => Verdict::Unseen,
        }
    }
}

/// Asks who it is, whether they may, and whether the query is one, in this order: nobody learns more than they may know.
pub(super) async fn guard(
    State(access): State<Access>,
    Extension(api): Extension<Api>,
    route: MatchedPath,
    words: RawPathParams,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let admitted = match access {
        Access::Open => {
            Caller::nobody(&api, &parts)?;
            None
        }
        Access::SignedIn => Some((Caller::of(&api, &parts).await?, None)),
        Access::Role(roles, at) => {
            let caller = Caller::of(&api, &parts).await?;
            match admit(&api, &caller, roles, at, &words).await {
                Ok(standing) => Some((caller, Some(standing))),
                Err(refused) => {
                    if matches!(refused, ApiError::Forbidden) && !parts.method.is_safe() {
                        Act::of(&api, Some(&caller), &parts, route.as_str()).refused(&api).await;
                    }
                    return Err(refused);
                }
            }
        }
    };
    path::known_enterprise(&words)?;
    query::known_keys(&parts.method, route.as_str(), &parts.uri)?;
    let caller = admitted.as_ref().map(|(caller, _)| caller);
    let is_asked = parts.method.is_safe();
    let act = (!is_asked).then(|| Act::of(&api, caller, &parts, route.as_str()));
    if let Some(caller) = caller {
        parts.extensions.insert(caller.clone());
    }
    let answered = next.run(Request::from_parts(parts, body));
    let response = match act {
        Some(act) => act.audited(&api, answered).await,
        None => answered.await,
    };
    let Some((caller, standing)) = admitted else { return Ok(response) };
    if !sse::is_stream(response.headers()) {
        return Ok(response);
    }
    // A stream of steps has begun what it tells of, and is only looked at; one that is asked for is refused like this.
    let open = if is_asked { Some(api.streams.open(&caller.name).map_err(ApiError::TooManyStreams)?) } else { None };
    Ok(watched(api, caller, standing, open, response))
}

/// Decides; the answer to what the caller does not see is that to what does not exist.
async fn admit(
    api: &Api,
    caller: &Caller,
    roles: &'static [Role],
    at: At,
    words: &RawPathParams,
) -> Result<Standing, ApiError> {
    let Found { place, unseen, shared, missing } = find(api, at, words).await?;
    let reach = match at {
        At::Anywhere => Reach::Anywhere,
        At::PartOfOrg => Reach::Within,
        // A runner that serves all is looked at by all.
        _ if shared && roles.len() == Role::ALL.len() => Reach::Anywhere,
        _ => Reach::There,
    };
    if missing && caller.grants.at(&Place::Enterprise).next().is_none() {
        return Err(unseen);
    }
    let standing = Standing { roles, place, reach };
    match standing.verdict(caller) {
        Verdict::Allowed => Ok(standing),
        Verdict::Forbidden => Err(ApiError::Forbidden),
        Verdict::Unseen => Err(unseen),
    }
}

/// Ends the stream with an event that says so, once its reader may not read it any more.
fn watched(
    api: Api,
    caller: Caller,
    standing: Option<Standing>,
    open: Option<OpenStream>,
    response: Response,
) -> Response {
    let (parts, body) = response.into_parts();
    let news = api.dispatcher.feed().changes();
    let denied = Box::pin(denied(api, caller, standing, news));
    let told = stream::unfold(Some((body.into_data_stream(), denied, open)), |state| async move {
        let (mut body, mut denied, open) = state?;
        tokio::select! {
            piece = body.next() => piece.map(|piece| (piece, Some((body, denied, open)))),
            () = denied.as_mut() => Some((Ok(Bytes::from_static(DENIED)), None)),
        }
    });
    Response::from_parts(parts, Body::from_stream(told))
}

/// Resolves once the caller may not any more.
async fn denied(api: Api, caller: Caller, standing: Option<Standing>, mut news: Receiver<News>) {
    loop {
        // That nothing was heard is the other reason to look.
        let _ = tokio::time::timeout(LOOK_AGAIN, access_changed(&mut news)).await;
        match caller.again(&api).await {
            Ok(now) if standing.as_ref().is_none_or(|at| at.verdict(&now) == Verdict::Allowed) => (),
            // A store that does not answer is no evidence.
            Err(error) if !matches!(error, ApiError::TokenDenied | ApiError::TokenExpired) => (),
            Ok(_) | Err(_) => return,
        }
    }
}

/// Resolves when users, roles or tokens have changed, or may have.
async fn access_changed(news: &mut Receiver<News>) {
    loop {
        match news.recv().await {
            Ok(News::Access) | Err(RecvError::Lagged(_)) => return,
            Ok(_) => (),
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

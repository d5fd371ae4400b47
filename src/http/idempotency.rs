//! `Idempotency-Key`: a POST that is repeated with its key answers with what the first one made.
//!
//! The key goes with the request's task into the transaction that makes something (`Store::create`). A request that makes
//! nothing, or is refused, leaves no key behind: its repetition is carried out.

mod replay;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;
use shuntyard_domain::wire::idempotency::{KEY_HEADER, MAX_KEY, REPLAYED_HEADER, is_key};
use tokio::sync::watch;

use super::access::Caller;
use super::error::ApiError;
use super::{Api, body};
use crate::store::{RequestKey, request_key_find};

/// How long a repetition waits for the first request; a bootstrap may take longer.
const WAIT_LIMIT: Duration = Duration::from_secs(15);

/// Whose request it is, and its key.
type Place = (String, String);

/// The requests with keys that are being carried out.
#[derive(Clone, Default)]
pub(super) struct Requests {
    /// A closed receiver: it has ended. One for each open connection at most, and what has ended since.
    under_way: Arc<Mutex<HashMap<Place, watch::Receiver<()>>>>,
}

/// Whether somebody else has begun before.
enum Begun {
    First(watch::Sender<()>),
    Again(watch::Receiver<()>),
}

impl Requests {
    fn begin(&self, caller: &str, key: &str) -> Begun {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = |first: &watch::Receiver<()>| first.has_changed().is_ok();
        let place = (caller.to_owned(), key.to_owned());
        if let Some(first) = under_way.get(&place).filter(|first| is_open(first)) {
            return Begun::Again(first.clone());
        }
        // Looked through when it is about to grow anyway.
        if under_way.len() == under_way.capacity() {
            under_way.retain(|_, first| is_open(first));
        }
        let (sender, receiver) = watch::channel(());
        under_way.insert(place, receiver);
        Begun::First(sender)
    }

    /// Waits until nobody else works for a request with the key.
    async fn first(&self, caller: &str, key: &str) -> Result<watch::Sender<()>, ApiError> {
        let turn = async {
            loop {
                match self.begin(caller, key) {
                    Begun::First(sender) => return sender,
                    // Closed: nothing is ever sent.
                    Begun::Again(mut first) => drop(first.changed().await),
                }
            }
        };
        tokio::time::timeout(WAIT_LIMIT, turn).await.map_err(|_| ApiError::KeyUnderWay(key.to_owned()))
    }
}

/// A request with its key, as it is looked up.
struct Asked {
    api: Api,
    caller: Caller,
    /// The user, or the token of a machine.
    whose: String,
    key: String,
    digest: [u8; 32],
}

impl Asked {
    /// The answer to a repetition; `None`: no request with the key has made anything.
    ///
    /// # Errors
    /// `KeyReused` when the key is that of another request.
    async fn replayed(&self) -> Result<Option<Response>, ApiError> {
        let (dispatcher, whose, key) = (&self.api.dispatcher, self.whose.clone(), self.key.clone());
        let now_ms = dispatcher.clock().now_ms();
        let found = dispatcher.store().read(move |c| request_key_find(c, &whose, &key, now_ms)).await?;
        let Some((digest, made)) = found else { return Ok(None) };
        if digest != hex(&self.digest) {
            return Err(ApiError::KeyReused(self.key.clone()));
        }
        let mut response = replay::answer(&self.api, &self.caller, made).await;
        response.headers_mut().insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
        Ok(Some(response))
    }
}

/// Carries a request with a key out once; without one as often as it comes.
pub(super) async fn once(
    Extension(api): Extension<Api>,
    Extension(requests): Extension<Requests>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    // Nobody asked for a name: hosts that enrol themselves have tokens that are good for once.
    let caller = request.extensions().get::<Caller>().filter(|_| request.method() == Method::POST).cloned();
    let (Some(caller), Some(key)) = (caller, key_of(request.headers())?) else {
        return Ok(next.run(request).await);
    };
    // Two machines may have one name.
    let whose = caller.holder.user.as_ref().map_or_else(|| caller.token_id.clone(), ToString::to_string);
    let (parts, body) = request.into_parts();
    let bytes = body::read(Request::from_parts(parts.clone(), body), &api).await?;
    let digest = api.dispatcher.keyed_digest(&asked(&parts, &whose, &bytes));
    let asked = Asked { api, caller, whose, key, digest };
    let under_way = requests.first(&asked.whose, &asked.key).await?;
    if let Some(answer) = asked.replayed().await? {
        return Ok(answer);
    }
    let now_ms = asked.api.dispatcher.clock().now_ms();
    let own = Arc::new(RequestKey::new(asked.whose.clone(), asked.key.clone(), digest, now_ms, under_way));
    let request = Request::from_parts(parts, Body::from(bytes));
    let response = RequestKey::scope(Some(Arc::clone(&own)), next.run(request)).await;
    let replayed = if own.is_too_late() { asked.replayed().await? } else { None };
    Ok(replayed.unwrap_or(response))
}

/// The request's key, if it has one.
fn key_of(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(KEY_HEADER).iter();
    let Some(first) = values.next() else { return Ok(None) };
    match first.to_str() {
        Ok(key) if is_key(key) && values.next().is_none() => Ok(Some(key.to_owned())),
        _ => Err(ApiError::BadRequest {
            path: Some("Idempotency-Key".into()),
            message: "the header `Idempotency-Key` is not a key".into(),
            allowed: vec![format!("one header of 1 to {MAX_KEY} printable ASCII characters without spaces")],
        }),
    }
}

/// What is asked, by whom, in bytes that are the same when it is the same: the keys of JSON in order, without spaces.
fn asked(parts: &Parts, caller: &str, body: &[u8]) -> Vec<u8> {
    let path = parts.extensions.get::<OriginalUri>().map_or(parts.uri.path(), |whole| whole.0.path());
    let canonical = serde_json::from_slice::<Value>(body).and_then(|json| serde_json::to_vec(&json));
    let head = format!("{}\0{path}\0{caller}\0", parts.method);
    [head.as_bytes(), canonical.as_deref().unwrap_or(body)].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str, caller: &str, body: &str) -> Vec<u8> {
        let (parts, ()) = Request::builder().method("POST").uri(path).body(()).unwrap().into_parts();
        asked(&parts, caller, body.as_bytes())
    }

    #[test]
    fn the_same_is_asked_whatever_the_order_and_the_spaces() {
        let plain = said("/jobs", "ada", r#"{"script":"true","env":{"A":"1","B":"2"}}"#);
        assert_eq!(said("/jobs", "ada", "{ \"env\": {\"B\":\"2\", \"A\":\"1\"},\n \"script\": \"true\" }"), plain);
        assert_eq!(said("/jobs?chef-delivery-token=x", "ada", r#"{"script":"true","env":{"A":"1","B":"2"}}"#), plain);
        for other in [
            said("/phase_runs", "ada", r#"{"script":"true","env":{"A":"1","B":"2"}}"#),
            said("/jobs", "bob", r#"{"script":"true","env":{"A":"1","B":"2"}}"#),
            said("/jobs", "ada", r#"{"script":"true","env":{"A":"2","B":"2"}}"#),
            said("/jobs", "ada", "no JSON"),
        ] {
            assert_ne!(other, plain);
        }
    }
}

//! Keeps a page up to date: the page's own address, asked for events, sends what has changed of its markup.
//!
//! The first event of a connection is `snapshot`, the whole inside of `main`. Each one behind it is `delta`: how much of the
//! text before stays at its beginning and at its end, and what stands between. Lengths are UTF-16 units, as browsers count.
//! A page that is no longer there ends with `gone`. Nothing is remembered between connections: a lost one begins anew.

use std::future::Future;
use std::time::Duration;

use axum::response::sse::Event;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Serialize;

use super::assets;
use super::page::Page;
use super::viewer::Viewer;
use crate::dispatch::{Mark, News};
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::sse;

#[derive(Serialize)]
struct Snapshot<'a> {
    /// Of the assets: a page of another build loads itself anew.
    version: &'a str,
    title: &'a str,
    html: &'a str,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Delta<'a> {
    title: &'a str,
    head: usize,
    put: &'a str,
    tail: usize,
}

#[derive(Serialize)]
struct Gone {
    message: String,
}

/// Answers with the page, or with its stream to a reader who asks for that. `draw` is asked again after news that matter.
///
/// # Errors
/// Those of `draw`.
pub(super) async fn answer<F>(
    api: Api,
    viewer: Viewer,
    matters: impl Fn(&News) -> bool + Send + Sync + 'static,
    draw: impl Fn(Api, Viewer) -> F + Send + Sync + 'static,
) -> Result<Response, ApiError>
where
    F: Future<Output = Result<Page, ApiError>> + Send + 'static,
{
    answer_beside(api, viewer, stream::empty(), matters, draw).await
}

/// As `answer`, with events of the page's own in the same stream: browsers have few connections for one server.
///
/// # Errors
/// Those of `draw`.
pub(super) async fn answer_beside<F>(
    api: Api,
    viewer: Viewer,
    beside: impl stream::Stream<Item = Event> + Send + 'static,
    matters: impl Fn(&News) -> bool + Send + Sync + 'static,
    draw: impl Fn(Api, Viewer) -> F + Send + Sync + 'static,
) -> Result<Response, ApiError>
where
    F: Future<Output = Result<Page, ApiError>> + Send + 'static,
{
    if !viewer.live {
        return Ok(draw(api, viewer.clone()).await?.response(&viewer));
    }
    let (stop, at) = (api.dispatcher.stop_signal(), api.dispatcher.feed().mark());
    let pace = sse::Pace::default();
    let state = Stream { api, viewer, draw, matters, at, pace, gone: false, shown: None, lasts: None, sent: 0 };
    Ok(sse::answer(stream::select(stream::unfold(state, Stream::next), beside), stop).into_response())
}

struct Stream<D, M> {
    api: Api,
    viewer: Viewer,
    draw: D,
    matters: M,
    /// What has changed behind it is not shown.
    at: Mark,
    pace: sse::Pace,
    /// The page is gone, and the stream ends.
    gone: bool,
    shown: Option<String>,
    lasts: Option<Duration>,
    sent: u64,
}

impl<D, M, F> Stream<D, M>
where
    D: Fn(Api, Viewer) -> F,
    M: Fn(&News) -> bool,
    F: Future<Output = Result<Page, ApiError>>,
{
    async fn next(mut self) -> Option<(Event, Self)> {
        while !self.gone {
            if self.shown.is_some() {
                let news = sse::await_news(self.api.dispatcher.feed(), self.at, &self.matters);
                // Told of news, or too old: both mean that it is drawn again.
                let _ = tokio::time::timeout(self.lasts.unwrap_or(Duration::MAX), news).await;
            }
            // Marked, then drawn: what happens meanwhile is in the next event.
            let (api, draw) = (&self.api, &self.draw);
            let drawn = async { (api.dispatcher.feed().mark(), draw(api.clone(), self.viewer.clone()).await) };
            let (at, page) = self.pace.make(drawn).await;
            self.at = at;
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    self.gone = true;
                    return Some((sse::event("gone", &Gone { message: error.sentence() }), self));
                }
            };
            self.lasts = page.lasts;
            let now = page.main.into_string();
            let event = match &self.shown {
                None => sse::event("snapshot", &Snapshot { version: &assets::VERSION, title: &page.title, html: &now }),
                Some(before) if *before == now => continue,
                Some(before) => sse::event("delta", &delta(before, &now, &page.title)),
            };
            (self.shown, self.sent) = (Some(now), self.sent + 1);
            let id = self.sent.to_string();
            return Some((event.id(id), self));
        }
        None
    }
}

/// What makes `after` of `before`.
fn delta<'a>(before: &str, after: &'a str, title: &'a str) -> Delta<'a> {
    let same = |(a, b): &(char, char)| a == b;
    let head: usize = before.chars().zip(after.chars()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
    let (rest_before, rest_after) = (&before[head..], &after[head..]);
    let ends = rest_before.chars().rev().zip(rest_after.chars().rev());
    let tail: usize = ends.take_while(same).map(|(c, _)| c.len_utf8()).sum();
    let put = &rest_after[..rest_after.len() - tail];
    let units = |text: &str| text.chars().map(char::len_utf16).sum();
    Delta { title, head: units(&after[..head]), put, tail: units(&rest_after[put.len()..]) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the page's module does, in Rust.
    fn applied(before: &str, delta: &Delta<'_>) -> String {
        let units: Vec<u16> = before.encode_utf16().collect();
        let mut text = units[..delta.head].to_vec();
        text.extend(delta.put.encode_utf16());
        text.extend(&units[units.len() - delta.tail..]);
        String::from_utf16(&text).unwrap()
    }

    #[test]
    fn a_delta_holds_only_what_changed() {
        let delta = delta("<p>1</p><p>ü2</p>", "<p>1</p><p>ü3</p>", "t");
        assert_eq!(delta, Delta { title: "t", head: 12, put: "3", tail: 4 });
    }

    proptest! {
        #[test]
        fn a_delta_makes_the_text_after_of_the_text_before(
            head in "[aé😀]{0,5}", tail in "[aé😀]{0,5}", before in "[abé😀]{0,6}", after in "[abé😀]{0,6}",
        ) {
            let (before, after) = (format!("{head}{before}{tail}"), format!("{head}{after}{tail}"));
            prop_assert_eq!(applied(&before, &delta(&before, &after, "")), after);
        }
    }
}

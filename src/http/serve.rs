//! Connections of the API: how many there are at a time, and how long one may take to say what it wants.

mod drained;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::middleware::from_fn;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use shuntyard_domain::cidr::Cidr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::debug_span;

use super::peer::{OverTls, Peer};
use super::{error, request_id, sse};
use crate::shutdown::Tasks;
use crate::tls::{TlsAcceptor, TlsStream};
use drained::{Drained, IsStreaming, WRITE_DEADLINE};

/// Connections that are served at a time: half of the files that a process may usually open (1,024), as runners'
/// connections and logs need theirs.
const MAX_CONNECTIONS: usize = 512;
/// Further connections that are told at a time that there are too many; what comes beyond is closed without a word.
const MAX_TURNED_AWAY: usize = 64;
/// How long a client may take for the head of a request. An idle connection is closed after this, too.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// The same for a client that will be turned away.
const TURNED_AWAY_DEADLINE: Duration = Duration::from_secs(2);
/// Requests under way are given longer than the daemon waits for its HTTP server.
const FAREWELL: Duration = Duration::from_secs(60);

/// The first byte of every TLS connection: a record of the handshake.
const TLS_HANDSHAKE: u8 = 22;

/// What stands between the network and the routes.
#[derive(Clone, Default)]
pub struct Door {
    /// Without it plain HTTP is spoken.
    pub tls: Option<TlsAcceptor>,
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Arc<[Cidr]>,
}

/// Serves `router` until `stop`; requests under way are finished, and connections without one are closed.
pub(super) async fn serve(mut listener: TcpListener, door: Door, router: Router, stop: CancellationToken) {
    let connections = Tasks::new();
    let crowded = Router::new().fallback(error::crowded).layer(from_fn(request_id::tag));
    let served = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let turned_away = Arc::new(Semaphore::new(MAX_TURNED_AWAY));
    loop {
        // It does not fail: what is wrong with one connection, or passes, is not an end of the listener.
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = Listener::accept(&mut listener) => accepted,
        };
        let (place, router, deadline) = match place(&served) {
            Some(place) => (place, router.clone(), HEAD_DEADLINE),
            None => match place(&turned_away) {
                Some(place) => (place, crowded.clone(), TURNED_AWAY_DEADLINE),
                None => continue,
            },
        };
        let door = door.clone();
        connections.spawn(debug_span!("connection"), |stop| async move {
            welcome(stream, peer, &door, router, deadline, stop).await;
            drop(place);
        });
    }
    drop(listener);
    connections.stop(FAREWELL).await;
}

fn place(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(places).try_acquire_owned().ok()
}

/// Does the handshake, when there is to be one, and serves the connection. A client that takes its time over it has as long
/// as for the head of a request, and counts as a connection meanwhile.
async fn welcome(
    stream: TcpStream,
    peer: SocketAddr,
    door: &Door,
    router: Router,
    deadline: Duration,
    stop: CancellationToken,
) {
    // Lines of a live log are small and not to be collected; without it they only come later.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &door.tls else {
        return serve_one(stream, peer, door, router, (deadline, WRITE_DEADLINE), stop).await;
    };
    let shaken = tokio::select! {
        () = stop.cancelled() => return,
        shaken = tokio::time::timeout(deadline, handshake(tls, stream)) => shaken,
    };
    match shaken {
        Ok(Handshake::Done(stream)) => serve_one(*stream, peer, door, router, (deadline, WRITE_DEADLINE), stop).await,
        Ok(Handshake::SpeaksPlainHttp(stream)) => {
            let told = Router::new().fallback(error::spoke_plain_http).layer(from_fn(request_id::tag));
            serve_one(stream, peer, door, told, (TURNED_AWAY_DEADLINE, WRITE_DEADLINE), stop).await;
        }
        Ok(Handshake::Failed(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a client did not end its TLS handshake in time"),
    }
}

/// How a connection to a port with TLS begins.
enum Handshake {
    Done(Box<TlsStream>),
    SpeaksPlainHttp(TcpStream),
    Failed(io::Error),
}

async fn handshake(tls: &TlsAcceptor, stream: TcpStream) -> Handshake {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Err(error) => Handshake::Failed(error),
        Ok(_) if first != [TLS_HANDSHAKE] => Handshake::SpeaksPlainHttp(stream),
        Ok(_) => match tls.accept(stream).await {
            Ok(stream) => Handshake::Done(Box::new(stream)),
            Err(error) => Handshake::Failed(error),
        },
    }
}

/// Serves one connection to its end, or to the end of the request that is under way at `stop`.
async fn serve_one(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    door: &Door,
    router: Router,
    (head_deadline, write_deadline): (Duration, Duration),
    stop: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_deadline);
    let service = TowerToHyperService::new(router);
    let (trusted, own_tls) = (Arc::clone(&door.trusted_proxies), door.tls.is_some());
    let is_streaming = IsStreaming::default();
    let streaming = is_streaming.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let client = Peer::of(peer, request.headers(), &trusted);
        let over_tls = OverTls::of(own_tls, peer, request.headers(), &trusted);
        request.extensions_mut().insert(client);
        request.extensions_mut().insert(over_tls);
        let (answer, streaming) = (service.call(request), streaming.clone());
        async move {
            let answer = answer.await;
            streaming.set(answer.as_ref().is_ok_and(|answer| sse::is_stream(answer.headers())));
            answer
        }
    });
    let connection = http.serve_connection(TokioIo::new(Drained::new(stream, is_streaming, write_deadline)), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the API ended early");
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;
    use axum::response::IntoResponse as _;
    use axum::response::sse::{Event, Sse};
    use futures_util::stream;
    use tokio::io::AsyncWriteExt as _;
    use tokio::time::Instant;

    use super::*;

    const DEADLINE: Duration = Duration::from_millis(100);

    /// How long a connection lives whose client asks for `path` and never reads; `None`: it still does.
    async fn lives(path: &str) -> Option<Duration> {
        let long = || stream::repeat_with(|| Ok::<_, io::Error>(Event::default().data("x".repeat(1000))));
        let answer = move |uri: Uri| async move {
            if uri.path() == "/stream" { Sse::new(long()).into_response() } else { "x".repeat(1 << 20).into_response() }
        };
        let router = Router::new().fallback(answer);
        let (mut client, server) = tokio::io::duplex(4096);
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let (begun, peer, door) = (Instant::now(), ([127, 0, 0, 1], 1).into(), Door::default());
        let served = serve_one(server, peer, &door, router, (HEAD_DEADLINE, DEADLINE), CancellationToken::new());
        let limit = if path == "/stream" { HEAD_DEADLINE } else { DEADLINE * 4 };
        tokio::time::timeout(limit, served).await.ok().map(|()| begun.elapsed())
    }

    #[tokio::test]
    async fn who_reads_nothing_of_an_event_stream_is_dropped_and_who_reads_a_text_slowly_is_not() {
        let lived = lives("/stream").await.expect("it was dropped");
        assert!(lived >= DEADLINE, "{lived:?}");
        assert_eq!(lives("/text").await, None);
    }
}

//! One connection of a host that dials out: a key, one forwarding, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelOpenFailure, MethodKind, MethodSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::guard::Place;
use super::post::{Live, Post};
use super::tunnels::{DIAL_OUT_USER, Tunnels};

/// Stands for the port that a host leaves to us; nothing listens on it.
const NAMED_PORT: u32 = 22;

/// What is allowed here, for those who ask for something else.
const NOT_HERE: &str = "only a tunnel is taken here: ssh -N -R 0:127.0.0.1:22";

/// The state of one connection.
pub(super) struct Client {
    pub tunnels: Tunnels,
    pub peer: SocketAddr,
    /// Until it has a tunnel.
    pub place: Option<Place>,
    pub signals: Signals,
    /// The key that was proved, and whose tunnel it opens.
    pub post: Option<(PublicKey, Arc<Post>)>,
    pub live: Option<Arc<Live>>,
}

/// What the task that serves the connection and its tunnel tell each other.
#[derive(Clone, Default)]
pub(super) struct Signals {
    /// The tunnel is up.
    pub up: CancellationToken,
    /// Cuts the socket.
    pub cut: CancellationToken,
    pub ended: CancellationToken,
}

pub(super) fn methods() -> MethodSet {
    MethodSet::from([MethodKind::PublicKey].as_slice())
}

impl Client {
    fn find(&self, user: &str, key: &PublicKey) -> Option<Arc<Post>> {
        if user == DIAL_OUT_USER { self.tunnels.post_of(key) } else { None }
    }

    fn refuse(&self, user: &str) -> Auth {
        let first = self.place.as_ref().is_some_and(|place| place.key_refused(Instant::now()));
        let user: String = user.chars().filter(|c| !c.is_control()).take(40).collect();
        if first {
            warn!(peer = %self.peer, user, "a host that dials out shows a key that opens no tunnel");
        } else {
            debug!(peer = %self.peer, user, "a key that opens no tunnel");
        }
        Auth::Reject { proceed_with_methods: Some(methods()), partial_success: false }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.signals.ended.cancel();
        if let (Some((_, post)), Some(live)) = (&self.post, &self.live) {
            post.lose(live);
        }
    }
}

type Done = Result<(), russh::Error>;

/// Channels that are not spoken of here are refused: a dropped reply refuses. So are streamlocal forwardings.
impl Handler for Client {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(if self.find(user, offer.public_key).is_some() { Auth::Accept } else { self.refuse(user) })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let Some(post) = self.find(user, key.public_key) else { return Ok(self.refuse(user)) };
        self.post = Some((key.public_key.clone(), post));
        Ok(Auth::Accept)
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        session: &mut Session,
    ) -> Result<bool, Self::Error> {
        let Some((key, post)) = self.post.clone().filter(|_| self.live.is_none()) else { return Ok(false) };
        if *port == 0 {
            *port = NAMED_PORT;
        }
        let live = Arc::new(Live {
            handle: session.handle(),
            address: address.to_owned(),
            port: *port,
            peer: self.peer,
            since_ms: self.tunnels.clock().now_ms(),
            cut: self.signals.cut.clone(),
            ended: self.signals.ended.clone(),
        });
        if !post.offer(&live).await {
            return Ok(false);
        }
        // Since the login another key may have taken its place. It is looked at after the offer: whoever changes the key
        // cuts what has been offered before.
        if !self.find(DIAL_OUT_USER, &key).is_some_and(|now| Arc::ptr_eq(&now, &post)) {
            post.lose(&live);
            return Ok(false);
        }
        self.live = Some(live);
        self.place = None;
        self.signals.up.cancel();
        Ok(true)
    }

    async fn cancel_tcpip_forward(&mut self, _: &str, _: u32, _: &mut Session) -> Result<bool, Self::Error> {
        // What it has opened lasts as long as its connection.
        Ok(false)
    }

    async fn channel_open_session(&mut self, _: Channel<Msg>, reply: ChannelOpenHandle, _: &mut Session) -> Done {
        reply.reject(not_here()).await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Done {
        reply.reject(not_here()).await;
        Ok(())
    }
}

/// "Administratively prohibited", with our own words.
fn not_here() -> ChannelOpenFailure {
    ChannelOpenFailure::Other { code: 1, reason: NOT_HERE.to_owned() }
}

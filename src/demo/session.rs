//! One client's connection: who it is and which channels it has.

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, ChannelWriteHalf, MethodKind, MethodSet, Pty};
use subtle::ConstantTimeEq as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::authorized::{Grant, find_grant};
use super::exec::{Exec, Program};
use super::host::Host;
use super::input::{Input, input};

/// sshd's default for MaxSessions.
const MAX_SESSIONS: usize = 10;

/// The state of one connection.
pub(super) struct Client {
    host: Arc<Host>,
    peer: SocketAddr,
    authenticated: CancellationToken,
    grant: Grant,
    sessions: Arc<Semaphore>,
    channels: HashMap<ChannelId, OpenChannel>,
}

struct OpenChannel {
    /// Until a command takes them.
    idle: Option<(ChannelWriteHalf<Msg>, OwnedSemaphorePermit)>,
    /// Gone after the client's EOF: the command then sees the end of its stdin.
    input: Option<Input>,
    closed: CancellationToken,
    /// Tells the command that its channel is gone, also when the whole connection is.
    _close: DropGuard,
}

impl Client {
    pub fn new(host: Arc<Host>, peer: SocketAddr, authenticated: CancellationToken) -> Self {
        let sessions = Arc::new(Semaphore::new(MAX_SESSIONS));
        Self { host, peer, authenticated, grant: Grant::default(), sessions, channels: HashMap::new() }
    }

    /// Reads the keys file anew: a key may have been added a moment ago, over another connection.
    async fn grant_of(&self, user: &str, key: &PublicKey) -> Option<Grant> {
        if user != self.host.spec.user {
            return None;
        }
        let text = tokio::fs::read_to_string(self.host.root.authorized_keys()).await.ok()?;
        find_grant(&text, key)
    }

    /// Refuses one attempt; the client may try every method again, as with sshd.
    fn refused(&self) -> Auth {
        let mut methods = methods();
        if self.host.passwords_refused.load(Ordering::Acquire) {
            methods.remove(MethodKind::Password);
        }
        Auth::Reject { proceed_with_methods: Some(methods), partial_success: false }
    }

    /// Starts the command, or what the key forces instead.
    fn start(&mut self, id: ChannelId, asked: Option<OsString>, session: &mut Session) -> Result<(), russh::Error> {
        let Some(open) = self.channels.get_mut(&id) else { return session.channel_failure(id) };
        let Some((channel, slot)) = open.idle.take() else { return session.channel_failure(id) };
        let program = match self.grant.forced_command.clone() {
            Some(forced) => Program { command: Some(forced.into()), original: asked },
            None => Program { command: asked, original: None },
        };
        let (input, feed) = input();
        open.input = Some(input);
        session.channel_success(id)?;
        let exec = Exec {
            host: Arc::clone(&self.host),
            peer: self.peer,
            program,
            channel,
            handle: session.handle(),
            input: feed,
            closed: open.closed.clone(),
            slot,
        };
        let span = tracing::debug_span!("demo_exec", host.name = %self.host.spec.name);
        self.host.tasks.spawn(span, |stop| exec.run(stop));
        Ok(())
    }
}

pub(super) fn methods() -> MethodSet {
    MethodSet::from([MethodKind::PublicKey, MethodKind::Password].as_slice())
}

impl Handler for Client {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, Self::Error> {
        Ok(self.refused())
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        if self.host.passwords_refused.load(Ordering::Acquire) {
            return Ok(self.refused());
        }
        let spec = &self.host.spec;
        let right = spec.password.as_bytes().ct_eq(password.as_bytes()) & user.as_bytes().ct_eq(spec.user.as_bytes());
        Ok(if right.into() { Auth::Accept } else { self.refused() })
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        let known = self.grant_of(user, offer.public_key).await.is_some();
        Ok(if known { Auth::Accept } else { self.refused() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let Some(grant) = self.grant_of(user, key.public_key).await else { return Ok(self.refused()) };
        self.grant = grant;
        Ok(Auth::Accept)
    }

    async fn auth_succeeded(&mut self, _: &mut Session) -> Result<(), Self::Error> {
        self.authenticated.cancel();
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        // russh does not tell of channels that this side closed first.
        self.channels.retain(|_, open| !open.closed.is_cancelled());
        let Ok(slot) = Arc::clone(&self.sessions).try_acquire_owned() else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        let (id, (_, write)) = (channel.id(), channel.split());
        let closed = CancellationToken::new();
        let close = closed.clone().drop_guard();
        self.channels.insert(id, OpenChannel { idle: Some((write, slot)), input: None, closed, _close: close });
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, line: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        self.start(id, Some(OsString::from_vec(line.to_vec())), session)
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.start(id, None, session)
    }

    async fn data(&mut self, id: ChannelId, bytes: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let input = self.channels.get(&id).and_then(|open| open.input.as_ref());
        if input.is_some_and(|input| input.push(bytes).is_err()) {
            tracing::warn!(host.name = %self.host.spec.name, "a command does not read its stdin: channel closed");
            self.channels.remove(&id);
            session.close(id)?;
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        if let Some(open) = self.channels.get_mut(&id) {
            open.input = None;
        }
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&id);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn env_request(&mut self, id: ChannelId, _: &str, _: &str, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn subsystem_request(&mut self, id: ChannelId, _: &str, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }
}

//! What a server says outside channels: its host key, the list of its host keys, the end of the connection.

use russh::Names;
use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use tokio::sync::watch;
use tokio_util::sync::DropGuard;
use tracing::debug;

use super::error::ConnectError;
use super::host_keys::{self, HostKeyPolicy};
use super::noted::Noted;

/// Why a session ended: our own verdict on the host key, or russh's error.
#[derive(Debug)]
pub(super) enum SessionError {
    HostKey(ConnectError),
    Russh(russh::Error),
}

impl From<russh::Error> for SessionError {
    fn from(error: russh::Error) -> Self {
        Self::Russh(error)
    }
}

/// Host keys of the server: the one it proved, and those it announced.
#[derive(Clone, Debug, Default)]
pub(super) struct SeenHostKeys {
    pub(super) shown: String,
    pub(super) announced: Option<Vec<String>>,
}

/// Receives russh's callbacks. It is dropped when the session's task ends, for whatever cause.
pub(super) struct ServerEvents {
    pub(super) at: String,
    pub(super) policy: HostKeyPolicy,
    pub(super) seen: watch::Sender<SeenHostKeys>,
    pub(super) noted: Noted,
    pub(super) _closed: DropGuard,
}

impl ServerEvents {
    fn check(&self, key: &PublicKey) -> Result<bool, SessionError> {
        self.policy.check(&self.at, key).map_err(SessionError::HostKey)?;
        self.seen.send_modify(|seen| seen.shown = host_keys::line(key));
        let shown = format!("{} {}", key.algorithm(), host_keys::sha256(key));
        self.noted.note(|layers| layers.host_key = Some(shown));
        Ok(true)
    }
}

type Channel = russh::Channel<Msg>;
type Done = Result<(), SessionError>;

/// Channels that a server opens are refused (a dropped reply refuses): russh would accept them by default, and
/// one that nobody reads stops the whole connection.
impl Handler for ServerEvents {
    type Error = SessionError;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, SessionError> {
        match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check(key),
            // Never offered, so never expected; no authority is trusted.
            PublicKeyOrCertificate::Certificate(_) => Ok(false),
        }
    }

    async fn kex_done(&mut self, _: Option<&[u8]>, names: &Names, _: &mut Session) -> Done {
        let (kex, cipher, mac) = (names.kex.as_ref(), names.cipher.as_ref(), names.client_mac.as_ref());
        // Ciphers that check integrity themselves have no other.
        let mac = if mac == "none" { String::new() } else { format!(", {mac}") };
        self.noted.note(|layers| layers.kex = Some(format!("{kex}, {cipher}{mac}")));
        Ok(())
    }

    async fn openssh_ext_host_keys_announced(&mut self, keys: Vec<PublicKey>, _: &mut Session) -> Done {
        let lines = keys.iter().map(host_keys::line).filter(|line| !line.is_empty()).collect();
        self.seen.send_modify(|seen| seen.announced = Some(lines));
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<SessionError>) -> Done {
        debug!(ssh.host = self.at, ?reason, "connection ended");
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Done {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Done {
        Ok(())
    }

    async fn server_channel_open_agent_forward(&mut self, _: Channel, _: ChannelOpenHandle, _: &mut Session) -> Done {
        Ok(())
    }

    async fn server_channel_open_session(&mut self, _: Channel, _: ChannelOpenHandle, _: &mut Session) -> Done {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Done {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Done {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Done {
        Ok(())
    }
}

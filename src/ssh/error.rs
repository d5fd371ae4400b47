//! What can go wrong with a connection, a command, a channel and a key; each is a sentence for a person.

use std::time::Duration;

/// What a connection was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Resolve,
    Tcp,
    KeyExchange,
    Authentication,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resolve => "name resolution",
            Self::Tcp => "TCP connect",
            Self::KeyExchange => "SSH key exchange",
            Self::Authentication => "authentication",
        })
    }
}

/// A connection was not made. `at` is `HOST:PORT`. Cheap to clone: callers that shared one attempt share its error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("the {what} {found:?} is not allowed: {allowed}")]
    BadAddress { what: &'static str, found: String, allowed: &'static str },
    #[error("cannot resolve the name of {at}: {reason}")]
    Resolve { at: String, reason: String },
    #[error("cannot reach {at}: {reason}")]
    Tcp { at: String, reason: String },
    /// Something that should carry us to the host could not.
    #[error("{carrier} does not reach {at}: {reason}")]
    Carried { at: String, carrier: String, reason: String },
    /// What should carry us is not connected itself.
    #[error("{carrier} is not connected: {why}")]
    CarrierDown { carrier: String, why: Box<ConnectError> },
    /// What should carry us is not to be used; somebody has to change that.
    #[error("{carrier} {why}")]
    CarrierClosed { carrier: String, why: &'static str },
    #[error("{at} did not finish the {phase} within {} s", limit.as_secs_f32())]
    Deadline { at: String, phase: Phase, limit: Duration },
    /// Nothing was sent beyond the key exchange.
    #[error("the host key of {at} is not confirmed: it shows the {key_type} key {fingerprint}")]
    HostKeyUnconfirmed { at: String, fingerprint: String, key_type: String },
    /// Nothing was sent beyond the key exchange; no signature was made.
    #[error(
        "{at} shows a host key that is not the expected one: {key_type} {fingerprint}, expected {}",
        expected.join(" or ")
    )]
    HostKeyMismatch { at: String, fingerprint: String, key_type: String, expected: Vec<String> },
    #[error("{at} refused the {method} of user {user} (it accepts: {})", list(server_offers))]
    AuthRefused { at: String, user: String, method: &'static str, server_offers: Vec<String> },
    #[error("{at} accepted the {method} of user {user} but wants another proof as well ({})", list(server_offers))]
    AuthIncomplete { at: String, user: String, method: &'static str, server_offers: Vec<String> },
    #[error("the connection to {at} failed during the {phase}: {reason}")]
    Protocol { at: String, phase: Phase, reason: String },
    #[error("{at} was not connected: the dispatcher is stopping or the runner was removed")]
    Stopped { at: String },
}

fn list(offers: &[String]) -> String {
    if offers.is_empty() { "nothing".to_owned() } else { offers.join(", ") }
}

impl ConnectError {
    /// True when the host, or something in its place, has answered: every try costs it something.
    #[must_use]
    pub const fn was_answered(&self) -> bool {
        !matches!(
            self,
            Self::Tcp { .. }
                | Self::Carried { .. }
                | Self::CarrierDown { .. }
                | Self::CarrierClosed { .. }
                | Self::Deadline { phase: Phase::Tcp, .. }
        )
    }

    /// True when the same attempt may succeed later without anybody changing anything.
    #[must_use]
    pub fn may_pass_later(&self) -> bool {
        match self {
            Self::CarrierDown { why, .. } => why.may_pass_later(),
            Self::Resolve { .. }
            | Self::Tcp { .. }
            | Self::Carried { .. }
            | Self::Deadline { .. }
            | Self::Protocol { .. } => true,
            Self::BadAddress { .. }
            | Self::CarrierClosed { .. }
            | Self::HostKeyUnconfirmed { .. }
            | Self::HostKeyMismatch { .. }
            | Self::AuthRefused { .. }
            | Self::AuthIncomplete { .. }
            | Self::Stopped { .. } => false,
        }
    }
}

/// A command was not run to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// No lease could be had.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The host opens no further session on this connection (sshd: MaxSessions); the connection is fine.
    #[error("{at} refuses a further session on this connection")]
    ChannelRefused { at: String },
    #[error("the connection to {at} was lost")]
    ConnectionLost { at: String },
    #[error("{at} did not open a session within {} s", limit.as_secs_f32())]
    OpenDeadline { at: String, limit: Duration },
    #[error("the command on {at} did not end within {} s", limit.as_secs_f32())]
    Deadline { at: String, limit: Duration },
    #[error("the command on {at} wrote more than {limit_bytes} bytes")]
    TooMuchOutput { at: String, limit_bytes: usize },
}

/// A jump host did not open a connection to a host for us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    #[error(
        "it may not forward connections there (AllowTcpForwarding or PermitOpen in its sshd's configuration, or an option of our key)"
    )]
    Prohibited,
    #[error("it cannot connect there: nothing listens, there is no route, or it does not know the name")]
    NotConnected,
    #[error("it has no room for a further connection")]
    NoRoom,
    #[error("it did not connect within {} s", limit.as_secs_f32())]
    Deadline { limit: Duration },
    #[error("its connection was lost")]
    ConnectionLost,
}

/// Bytes were not taken by a channel, or not all of them; it takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelGone {
    #[error("the channel has ended")]
    Ended,
    #[error("the remote command has not read its input for too long")]
    Stalled,
}

/// A private key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the text is not a private key in OpenSSH or PEM form")]
    NotAKey,
    #[error("the private key is protected by a passphrase, and none was given")]
    PassphraseMissing,
    #[error("the passphrase does not open the private key")]
    PassphraseWrong,
    #[error("keys of type {0} are not supported by this build")]
    Unsupported(String),
    #[error("the system's random source failed")]
    Random,
    #[error("the key cannot be written in OpenSSH form")]
    Encode,
}

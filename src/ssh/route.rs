//! The way to a host: straight over TCP, or carried by something that reaches it for us.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use super::error::ConnectError;

/// A stream of bytes to a host's sshd that is not a TCP connection of ours.
pub type CarriedStream = Box<dyn ByteStream>;

/// What an SSH connection can be made over.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// Reaches hosts that we cannot connect to ourselves. It sees only what SSH encrypts between us and the host.
pub trait Carrier: Send + Sync {
    /// What people call it: `jump host bastion-1`.
    fn name(&self) -> String;

    /// Opens a stream to the sshd at `address`:`port`, as the far end sees that address. Given up by dropping.
    ///
    /// # Errors
    /// `Carried` with what the carrier said; `CarrierDown` or `CarrierClosed` when it is the carrier that fails.
    fn open<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<CarriedStream, ConnectError>>;

    /// Waits until it can carry, where that has to be made first. Has a limit of its own.
    ///
    /// # Errors
    /// As `open`.
    fn ready(&self) -> BoxFuture<'_, Result<(), ConnectError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// How the bytes get to a host.
#[derive(Clone, Default)]
pub enum Route {
    /// A TCP connection of ours.
    #[default]
    Direct,
    /// By something that was built once for all who use it.
    Carried(Arc<dyn Carrier>),
}

/// Two ways are the same when the same thing carries both.
impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Direct, Self::Direct) => true,
            (Self::Carried(one), Self::Carried(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }
}

impl Eq for Route {}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("Direct"),
            Self::Carried(carrier) => write!(f, "Carried({})", carrier.name()),
        }
    }
}

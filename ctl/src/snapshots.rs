//! One object of the server, live: the whole of it after every change.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::client_error::ClientError;
use crate::event_stream::{EventStream, StreamNews};

/// What is new.
#[derive(Debug)]
pub enum SnapshotNews<T> {
    Now(Box<T>),
    /// The server is away; said once, until it is `Back`.
    Lost {
        why: String,
    },
    Back,
}

/// Follows one object that the server is known to have.
pub struct Snapshots<T> {
    stream: EventStream,
    event: &'static str,
    /// The id of the last snapshot.
    last: Option<String>,
    of: PhantomData<T>,
}

impl<T: DeserializeOwned> Snapshots<T> {
    /// Follows `path`, whose events are called `event`.
    #[must_use]
    pub fn new(path: String, event: &'static str) -> Self {
        Self { stream: EventStream::new(path, true), event, last: None, of: PhantomData }
    }

    /// Waits for news. Not cancel-safe: let it complete.
    ///
    /// # Errors
    /// `ClientError` that will not pass by itself.
    pub async fn next(&mut self, client: &Client) -> Result<SnapshotNews<T>, ClientError> {
        loop {
            // A new connection begins with a snapshot, unless nothing has changed since the last one.
            match self.stream.next(client, self.last.as_deref()).await? {
                StreamNews::Event(event) if event.name == self.event => {
                    self.last.clone_from(&event.id);
                    return Ok(SnapshotNews::Now(self.stream.parse(&event)?));
                }
                // Newer servers may say more.
                StreamNews::Event(_) => {}
                StreamNews::Lost { why } => return Ok(SnapshotNews::Lost { why }),
                StreamNews::Back => return Ok(SnapshotNews::Back),
            }
        }
    }
}

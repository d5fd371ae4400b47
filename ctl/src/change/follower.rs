//! One change, live: a snapshot after every change of it.

use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::wire::change::ChangeBody;

use crate::client::Client;
use crate::client_error::ClientError;
use crate::event_stream::{EventStream, StreamNews};

/// What is new.
#[derive(Debug)]
pub enum ChangeNews {
    Now(Box<ChangeBody>),
    /// The server is away; said once, until it is `Back`.
    Lost {
        why: String,
    },
    Back,
}

/// Follows one change that the server is known to have.
pub struct ChangeFollower(EventStream);

impl ChangeFollower {
    #[must_use]
    pub fn new(change: ChangeId) -> Self {
        Self(EventStream::new(format!("changes/{change}/streaming"), true))
    }

    /// Waits for news. Not cancel-safe: let it complete.
    ///
    /// # Errors
    /// `ClientError` that will not pass by itself.
    pub async fn next(&mut self, client: &Client) -> Result<ChangeNews, ClientError> {
        loop {
            // A new connection begins with a snapshot: nothing is to be resumed.
            match self.0.next(client, None).await? {
                StreamNews::Event(event) if event.name == "change" => {
                    return Ok(ChangeNews::Now(self.0.parse(&event)?));
                }
                // Newer servers may say more.
                StreamNews::Event(_) => {}
                StreamNews::Lost { why } => return Ok(ChangeNews::Lost { why }),
                StreamNews::Back => return Ok(ChangeNews::Back),
            }
        }
    }
}

//! Ctrl-C: the run is cancelled and awaited, or left.

use futures_util::StreamExt;
use shuntyard_domain::stage::Action;
use shuntyard_domain::wire::change::ChangeBody;
use tokio::time::Instant;

use super::{News, OnInterrupt, Watch};
use crate::change::action;
use crate::client::Client;
use crate::client_error::ClientError;
use crate::run::watch::CANCEL_AGAIN;
use crate::turns::LEAVE_WITHIN;

impl Watch<'_> {
    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
        self.interrupted_at = Some(Instant::now());
        let (client, change) = (self.client, self.change.clone());
        self.underway.push(Box::pin(async move { News::CancelAnswered(cancel(client, &change).await) }));
        self.display.note("cancelling the run and waiting for its end; Ctrl-C again to leave");
    }

    pub(super) fn cancel_answered(&mut self, answer: Result<(), ClientError>) {
        match answer {
            Ok(()) => self.cancel_accepted = true,
            Err(error) => self.display.note(&format!("change {} was not cancelled: {error}", self.change.id)),
        }
    }

    /// Takes news until the server has answered the cancel; what cannot be shown any more is dropped.
    pub(super) async fn await_cancel(&mut self) {
        while !self.cancel_accepted {
            let Some(news) = self.underway.next().await else { return };
            let is_answer = matches!(news, News::CancelAnswered(_));
            if self.take(news).is_err() || is_answer {
                return;
            }
        }
    }

    /// Tells whether a cancel was asked for and the server has been away for so long that waiting is of no use.
    pub(super) fn is_forsaken(&self) -> bool {
        let since = self.lost.zip(self.interrupted_at).map(|(lost, asked)| lost.max(asked));
        !self.cancel_accepted && since.is_some_and(|since| since.elapsed() > LEAVE_WITHIN)
    }

    pub(super) fn leave(&mut self) {
        let id = self.change.id;
        self.display.note(&match (self.on_interrupt, self.cancel_accepted) {
            (OnInterrupt::Leave, _) => {
                format!("the change goes on without this command: shunt change show {id}")
            }
            (OnInterrupt::Cancel, true) => {
                format!("the run is being cancelled by the server: shunt change show {id}")
            }
            (OnInterrupt::Cancel, false) if self.lost.is_some() => {
                format!("the server is away; nothing was cancelled: shunt change cancel {id}")
            }
            (OnInterrupt::Cancel, false) => {
                format!("the server has not confirmed the cancel: shunt change cancel {id}")
            }
        });
    }
}

/// Asks until the server has answered: it may be restarting just now.
async fn cancel(client: &Client, change: &ChangeBody) -> Result<(), ClientError> {
    loop {
        match action::send(client, change, Action::Cancel).await {
            Err(error) if error.is_passing() => tokio::time::sleep(CANCEL_AGAIN).await,
            answer => return answer,
        }
    }
}

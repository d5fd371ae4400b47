//! Ctrl-C and its like, as messages.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::client_error::ClientError;
use crate::failure::Failure;
use crate::terminal::note;

/// One message per Ctrl-C, SIGTERM or SIGHUP.
///
/// # Errors
/// `Failure::Interrupt`; also when it is called twice.
pub fn interrupts() -> Result<UnboundedReceiver<()>, Failure> {
    let (sender, receiver) = unbounded_channel();
    ctrlc::set_handler(move || {
        let _ = sender.send(());
    })
    .map_err(Failure::Interrupt)?;
    Ok(receiver)
}

/// Waits for an answer; tells whether Ctrl-C came meanwhile. The first one waits, so that there is something to cancel;
/// after a second one there is no answer.
///
/// # Errors
/// What `asking` says.
pub async fn unless_left<T>(
    asking: impl Future<Output = Result<T, ClientError>>,
    interrupts: &mut UnboundedReceiver<()>,
) -> Result<Option<(T, bool)>, Failure> {
    tokio::pin!(asking);
    let mut interrupted = false;
    loop {
        tokio::select! {
            answer = &mut asking => return Ok(Some((answer?, interrupted))),
            Some(()) = interrupts.recv() => {
                if std::mem::replace(&mut interrupted, true) {
                    return Ok(None);
                }
                note("cancelling as soon as the server has answered; Ctrl-C again to leave at once");
            }
        }
    }
}
